"""What is measured: the options of a run, and how large the data is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service.operations.reference.data import SEED, Scale

__all__ = ["SEED", "BenchError", "Plan", "Scale"]

ROOT = Path(__file__).resolve().parents[1]
BULK_ROWS = 1000
BULK_CONNECTIONS = 8
LIST_ROWS = 50
METRICS_DAYS = 30
WARM_UP = 1  # seconds before each measurement
OTHERS = 0.10  # of the machine's CPU: when others use more, a measurement is taken again
TRIES = 3  # at most; then the one with the least noise counts


class BenchError(Exception):
    """The benchmark cannot run, or an answer was wrong; the message says what to do."""


# Project `i` belongs to tenant `i % tenants`; all tenants are alike.
SCALES = {
    "full": Scale("full", 200_000, 200),
    "small": Scale("small", 10_000, 50),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of a run; times in seconds."""

    scale: Scale
    data: Path
    seconds: int
    repetitions: int
    connections: tuple[int, ...]  # the first one is the table's
    operations: tuple[str, ...]
    contestants: tuple[str, ...]
    open_loop: bool = True
