"""Quarry: an async data service whose whole data layer is SQL that people can read."""

__version__ = "0.1.0"
