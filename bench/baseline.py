"""The stored baseline: what the ratios were, so that a loss is seen.

Only ratios inside one run are compared: they are nearly the same on every machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson

from bench.plan import BenchError

PATH = Path(__file__).with_suffix(".json")
LOSS = 0.15
# Ratios that are better when they are larger; of the others less is better. Latency is not
# compared: half a dozen slow requests make a p99.
_COMPARED = {"times_peer": True, "share_of_limit": True, "cpu_of_peer": False}


class Loss(NamedTuple):
    """A ratio that is worse than it was, by which share."""

    operation: str
    ratio: str
    before: float
    now: float
    share: float

    def __str__(self) -> str:
        return (f"{self.operation}: {self.ratio} was {self.before:.3g} and is {self.now:.3g}, "
                f"{self.share:.0%} worse")  # fmt: skip


def write(ratios: dict[str, dict[str, float]], scale: str, machine: dict[str, str]) -> None:
    """Keep these ratios as the baseline."""
    kept = {
        operation: {name: round(value, 4) for name, value in found.items() if name in _COMPARED}
        for operation, found in ratios.items()
    }
    made = {"scale": scale, "machine": machine, "ratios": kept}
    PATH.write_bytes(orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n")


def read(scale: str) -> dict[str, dict[str, float]]:
    """The baseline's ratios. Raises BenchError when there is none for this scale."""
    if not PATH.exists():
        raise BenchError("there is no baseline: run with --write-baseline")
    found: dict[str, Any] = orjson.loads(PATH.read_bytes())
    if found["scale"] != scale:
        raise BenchError(f"the baseline is for --scale {found['scale']}")
    ratios: dict[str, dict[str, float]] = found["ratios"]
    return ratios


def losses(
    before: dict[str, dict[str, float]], now: dict[str, dict[str, float]]
) -> list[Loss]:  # fmt: skip
    """What became worse by more than LOSS, of what both have."""
    found = []
    for operation, ratios in before.items():
        for name, was in ratios.items():
            value = now.get(operation, {}).get(name)
            if value is None:
                continue
            share = 1 - value / was if _COMPARED[name] else value / was - 1
            if share > LOSS:
                found.append(Loss(operation, name, was, value, share))
    return found
