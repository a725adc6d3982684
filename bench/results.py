"""What was measured, and what follows from it: medians, ratios, goals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.limit import LIMIT

OURS, PEER, PROTOTYPE = "quarry", "orm_rls", "prototype"


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement in a closed loop. CPU in microseconds per request, latency in seconds."""

    rate: float
    server_us: float  # 0 for pgbench: there is none
    database_us: float
    load_us: float
    p50: float
    p99: float
    requests: int
    others: float  # part of the machine's CPU that was used by nobody who took part


@dataclass(frozen=True, slots=True)
class Open:
    """One measurement in an open loop: latencies in seconds at a rate of requests per second."""

    rate: float
    achieved: float
    p50: float
    p99: float
    most: float


@dataclass(slots=True)
class Results:
    """Everything of a run: operation → contestant → samples."""

    closed: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)
    sweep: dict[str, dict[int, dict[str, Sample]]] = field(default_factory=dict)
    open: dict[str, dict[str, Open]] = field(default_factory=dict)
    clients: dict[str, int] = field(default_factory=dict)  # pgbench's best, by operation

    def add(self, operation: str, contestant: str, sample: Sample) -> None:
        """Keep one sample."""
        self.closed.setdefault(operation, {}).setdefault(contestant, []).append(sample)

    def middle(self, operation: str, contestant: str, what: str) -> float | None:
        """The median of one figure; None when it was not measured."""
        samples = self.closed.get(operation, {}).get(contestant, [])
        return median(getattr(s, what) for s in samples) if samples else None

    def spread(self, operation: str, contestant: str, what: str) -> tuple[float, float]:
        """The least and the most of one figure."""
        values = [getattr(s, what) for s in self.closed[operation][contestant]]
        return min(values), max(values)

    def ratios(self, operation: str) -> dict[str, float]:
        """The figures that are the same on every machine, as far as they were measured."""
        wanted = {
            "times_peer": ("rate", OURS, PEER),
            "share_of_limit": ("rate", OURS, LIMIT),
            "cpu_of_peer": ("server_us", OURS, PEER),
            "cpu_of_prototype": ("server_us", OURS, PROTOTYPE),
        }
        found = {}
        for name, (what, ours, other) in wanted.items():
            mine, theirs = (self.middle(operation, each, what) for each in (ours, other))
            if mine is not None and theirs:
                found[name] = mine / theirs
        if (seen := self.open.get(operation, {}).get(OURS)) is not None and operation != "bulk":
            found["p99_of_p50"] = seen.p99 / seen.p50
        return found

    def others(self) -> float:
        """The most of the machine that others had used in a measurement that counts."""
        return max(
            (sample.others for by_name in self.closed.values() for samples in by_name.values()
             for sample in samples),
            default=0.0,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """Everything, for --json."""
        closed = {
            operation: {name: _summary(samples) for name, samples in entrants.items()}
            for operation, entrants in self.closed.items()
        }
        return {
            "closed_loop": closed,
            "connections": self.sweep,
            "open_loop": self.open,
            "pgbench_clients": self.clients,
            "ratios": {operation: self.ratios(operation) for operation in self.closed},
        }


def _summary(samples: list[Sample]) -> dict[str, dict[str, float]]:
    figures = {}
    for what in ("rate", "server_us", "database_us", "load_us", "p50", "p99", "others"):
        values = [getattr(sample, what) for sample in samples]
        figures[what] = {"median": median(values), "least": min(values), "most": max(values)}
    return figures


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a ratio; `least` says whether it is a lower one."""

    ratio: str
    title: str
    bound: float
    least: bool
    shown: Callable[[float], str]

    def met(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return value >= self.bound if self.least else value <= self.bound

    @property
    def wanted(self) -> str:
        """The bound as people write it."""
        return ("≥ " if self.least else "≤ ") + self.shown(self.bound)


def _times(value: float) -> str:
    return f"{value:.3g}"


def _share(value: float) -> str:
    return f"{value:.2f}"


def _part(value: float) -> str:
    return f"1/{1 / value:.3g}"


def _more(value: float) -> str:
    return f"{value - 1:+.0%}"


# operation → times the peer, share of pgbench, server CPU as a part of the peer's
_BOUNDS = {
    "get": (9.0, 0.22, 9),
    "list": (7.0, 0.40, 10),
    "create": (5.0, 0.30, 6),
    "update": (6.0, 0.30, 8),
    "bulk": (3.5, 0.65, 20),
}


def goals() -> Mapping[str, tuple[Goal, ...]]:
    """The goals by operation."""
    found: dict[str, tuple[Goal, ...]] = {}
    for operation, (peer, limit, part) in _BOUNDS.items():
        found[operation] = (
            Goal("times_peer", "times the peer", peer, True, _times),
            Goal("share_of_limit", "share of pgbench", limit, True, _share),
            Goal("cpu_of_peer", "server CPU of the peer's", 1 / part, False, _part),
        )
        if operation != "bulk":
            found[operation] += (
                Goal("cpu_of_prototype", "server CPU over the prototype", 1.25, False, _more),
                Goal("p99_of_p50", "p99 / p50 at half rate", 4.0, False, _times),
            )
    return found
