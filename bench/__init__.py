"""The benchmark: the service as it ships beside its peers and pgbench, on the same data.

`python -m bench --help` tells what it can do; docs/performance.md tells how it measures and what
came out. Never part of the tests.
"""
