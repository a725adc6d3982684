"""The reference data set: generated, the same on every machine, and the server that keeps it."""
