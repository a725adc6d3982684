"""One observation per request, from which both the access log and the metrics come.

Counting is two dictionary look-ups and a few additions; log lines are collected and written every
tenth of a second, so that neither stands in a request's way.
"""

from __future__ import annotations

import asyncio
import bisect
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TextIO

import orjson

if TYPE_CHECKING:
    from service.database.session import Engine
    from service.http.events import Hub

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_FLUSH_SECONDS = 0.1
_MOST_LINES = 10_000  # kept between two flushes; beyond, lines are counted as dropped


class Observation(NamedTuple):
    """What is known of a finished request; `route` is the template, never the path."""

    method: str
    route: str
    path: str
    status: int
    seconds: float
    request_id: str
    trace_id: str
    tenant: str
    actor: str


class Series:
    """Requests of one method, route and status: a histogram of seconds."""

    __slots__ = ("buckets", "count", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.count = 0
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one request."""
        self.buckets[bisect.bisect_left(BUCKETS, seconds)] += 1
        self.count += 1
        self.total += seconds


class Observer:
    """Takes observations; keeps the metrics and writes the access log."""

    def __init__(self, *, access_log: bool, as_json: bool, out: TextIO | None = None) -> None:
        self.series: dict[tuple[str, str, int], Series] = {}
        self.dropped_lines = 0
        self._log = access_log
        self._as_json = as_json
        self._out = out or sys.stderr
        self._lines: list[tuple[float, Observation]] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write the log in the background."""
        self._task = asyncio.get_running_loop().create_task(self._write_often())

    async def stop(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.flush()

    def __call__(self, seen: Observation) -> None:
        """Take one observation."""
        key = (seen.method, seen.route, seen.status)
        series = self.series.get(key)
        if series is None:
            series = self.series[key] = Series()
        series.add(seen.seconds)
        if self._log:
            if len(self._lines) < _MOST_LINES:
                self._lines.append((time.time(), seen))
            else:
                self.dropped_lines += 1

    def flush(self) -> None:
        """Write the collected lines."""
        lines, self._lines = self._lines, []
        if lines:
            write = _json_line if self._as_json else _plain_line
            self._out.write("".join(write(at, seen) for at, seen in lines))
            self._out.flush()

    async def _write_often(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self.flush()


def _json_line(at: float, seen: Observation) -> str:
    line = {
        "timestamp": datetime.fromtimestamp(at, UTC),
        "level": "info",
        "event": "request",
        "method": seen.method,
        "route": seen.route,
        "path": seen.path,
        "status": seen.status,
        "ms": round(seen.seconds * 1000, 3),
        "request_id": seen.request_id,
        "trace_id": seen.trace_id,
        "tenant": seen.tenant,
        "actor": seen.actor,
    }
    return orjson.dumps(line).decode() + "\n"


def _plain_line(at: float, seen: Observation) -> str:
    when = datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
    path = seen.path.encode("unicode_escape").decode()
    return (
        f"{when} {seen.status} {seen.method:<6} {path} {seen.seconds * 1000:.1f} ms "
        f"{seen.request_id}\n"
    )


def exposition(observer: Observer, engine: Engine, events: Hub) -> Iterator[str]:
    """The metrics in Prometheus' text format, line by line."""
    yield from _requests(observer.series)
    yield "# TYPE quarry_query_seconds summary\n# HELP quarry_query_seconds Named queries.\n"
    for name, seen in sorted(engine.statistics.items()):
        label = f'{{query="{name}"}}'
        yield f"quarry_query_seconds_count{label} {seen.calls}\n"
        yield f"quarry_query_seconds_sum{label} {seen.seconds:.6f}\n"
    yield "# TYPE quarry_query_errors_total counter\n"
    for name, seen in sorted(engine.statistics.items()):
        yield f'quarry_query_errors_total{{query="{name}"}} {seen.errors}\n'
    pool = engine.pool
    yield from _of_type(
        "gauge",
        ("quarry_pool_connections", pool.size),
        ("quarry_pool_idle", pool.idle),
        ("quarry_pool_waiting", pool.waiting),
        ("quarry_pool_limit", pool.options.max_size),
        ("quarry_pool_circuit_open", int(pool.breaker.open)),
        ("quarry_event_streams", len(events.listeners)),
        ("quarry_event_topics", events.topics),
    )
    yield from _of_type(
        "counter",
        ("quarry_pool_exhausted_total", pool.exhausted_total),
        ("quarry_log_dropped_total", observer.dropped_lines),
    )


def _of_type(kind: str, *pairs: tuple[str, float]) -> Iterable[str]:
    for name, value in pairs:
        yield f"# TYPE {name} {kind}\n{name} {value}\n"


def _requests(series: dict[tuple[str, str, int], Series]) -> Iterator[str]:
    yield "# HELP quarry_request_seconds Requests by method, route and status.\n"
    yield "# TYPE quarry_request_seconds histogram\n"
    for (method, route, status), seen in sorted(series.items()):
        labels = f'method="{method}",route="{route}",status="{status}"'
        below = 0
        for bound, count in zip((*BUCKETS, float("inf")), seen.buckets, strict=True):
            below += count
            le = "+Inf" if bound == float("inf") else f"{bound:g}"
            yield f'quarry_request_seconds_bucket{{{labels},le="{le}"}} {below}\n'
        yield f"quarry_request_seconds_count{{{labels}}} {seen.count}\n"
        yield f"quarry_request_seconds_sum{{{labels}}} {seen.total:.6f}\n"
