"""The run: every operation, contestants in turn, warmed, repeated, checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from bench import answers, cpu, limit, load
from bench.calls import OPERATIONS, Operation, write_requests
from bench.contestants import KINDS, PROTOTYPE, Contestant
from bench.database import Database
from bench.load import Load
from bench.plan import OTHERS, TRIES, WARM_UP, BenchError, Plan
from bench.results import Open, Results, Sample

Step = Callable[[str], None]  # tells what comes next, and that one step is done


class Meter:
    """CPU of a measurement: of PostgreSQL, of the contestant if there is one, of others."""

    def __init__(self, database: int, server: int | None = None) -> None:
        self._pids = database, server
        self._before = self._read()

    def _read(self) -> tuple[float, float, float, float]:
        database, server = self._pids
        ours = 0.0 if server is None else cpu.seconds(server)
        return ours, cpu.seconds(database), cpu.busy(), perf_counter()

    def sample(self, seen: Load) -> Sample:
        """What was used since, by the requests that a load saw answered."""
        server, database, busy, elapsed = (
            now - before for now, before in zip(self._read(), self._before, strict=True)
        )
        others = busy - server - database - seen.cpu
        each = 1e6 / seen.requests
        return Sample(
            seen.rate, server * each, database * each, seen.cpu * each, seen.p50, seen.p99,
            seen.requests, max(0.0, others) / elapsed / (os.cpu_count() or 1),
        )  # fmt: skip


@dataclass(slots=True)
class Run:
    """What all measurements of a run share."""

    plan: Plan
    database: Database
    contestants: dict[str, Contestant]
    folder: Path
    results: Results
    step: Step

    def all(self) -> None:
        """Measure every operation of the plan."""
        for name in self.plan.operations:
            self.operation(OPERATIONS[name])

    def operation(self, operation: Operation) -> None:
        """One operation: answers compared, then everybody in turn, each time another one first."""
        takers = [c for c in self.contestants.values() if c.takes(operation.name)]
        sizes = answers.verify(operation, takers, self.database)
        requests = write_requests(
            operation, self.database.scale, self.database.keys,
            self.folder / f"{operation.name}.requests",
        )  # fmt: skip
        limits = [name for name in limit.TITLES if name in self.plan.contestants]
        self._restore(operation)
        if limits:
            limit.prepare(operation.name, self.database)
            self.results.clients[operation.name] = self._best_clients(operation)
        entrants = [c.name for c in takers] + limits
        for repetition in range(self.plan.repetitions):
            turn = repetition % len(entrants)
            for name in entrants[turn:] + entrants[:turn]:
                self.step(f"{operation.title}: {name}")
                take = self._taking(operation, name, requests, sizes.get(name, 0.0))
                self.results.add(operation.name, name, _quiet(take))
        self._sweep(operation, takers, requests, sizes)
        if self.plan.open_loop:
            for contestant in takers:
                self._open(operation, contestant, requests)
        self._restore(operation)
        requests.unlink()

    def _taking(
        self, operation: Operation, name: str, requests: Path, size: float
    ) -> Callable[[], Sample]:
        """How a sample of this entrant is taken."""
        if name in limit.TITLES:
            return lambda: self._limit(operation, guarded=name == limit.GUARDED)
        return lambda: self._closed(operation, self.contestants[name], requests, size)

    def _restore(self, operation: Operation) -> None:
        if operation.writes:
            self.database.settle()
            self.database.restore(operation.table)
        if operation.name == "bulk":  # it writes so much that a checkpoint would come in between
            self.database.checkpoint()

    def _closed(
        self, operation: Operation, contestant: Contestant, requests: Path, size: float,
        connections: int | None = None,
    ) -> Sample:  # fmt: skip
        """One warmed measurement, whose answers and effects are checked."""
        connections = connections or self.plan.connections[0]
        connections = min(connections, operation.connections or connections)
        self._restore(operation)
        load.closed_loop(contestant.port, requests, connections, WARM_UP)
        if operation.name == "update":  # the versions begin anew
            self._restore(operation)
        self.database.settle()
        before = self.database.events(operation.table) if operation.writes else 0
        meter = Meter(self.database.server.pid, contestant.pid)
        seen = load.closed_loop(contestant.port, requests, connections, self.plan.seconds)
        sample = meter.sample(seen)
        self._check(operation, contestant.name, seen, size, before, connections)
        return sample

    def _check(self, operation: Operation, name: str, seen: Load, size: float, before: int,
               under_way: int) -> None:  # fmt: skip
        """The bodies had the size of checked ones; each write is in the audit trail."""
        mean = seen.bytes / seen.requests
        if not 0.9 * size < mean < 1.1 * size + 700:  # the heads of answers are in it
            raise BenchError(f"{operation.name}: {name} answered {mean:.0f} bytes, not {size:.0f}")
        if not operation.writes:
            return
        self.database.settle()
        made = (self.database.events(operation.table) - before) / operation.rows
        if not seen.requests <= made <= seen.requests + under_way:
            raise BenchError(
                f"{operation.name}: {name} answered {seen.requests} times, but {made:g} are stored"
            )

    def _limit(self, operation: Operation, *, guarded: bool) -> Sample:
        """pgbench at its best."""
        clients = self.results.clients[operation.name]
        return self._pgbench(operation, clients, self.plan.seconds, guarded=guarded)

    def _pgbench(
        self, operation: Operation, clients: int, seconds: int, *, guarded: bool
    ) -> Sample:
        self._restore(operation)
        meter = Meter(self.database.server.pid)
        seen = limit.measure(
            operation.name, self.database, clients, seconds, self.folder, guarded=guarded
        )
        sample = meter.sample(seen)
        if operation.writes:
            made = self.database.events(operation.table) / operation.rows
            if made != seen.requests:
                raise BenchError(
                    f"{operation.name}: pgbench counts {seen.requests}, but {made:g} are stored"
                )
        return sample

    def _best_clients(self, operation: Operation) -> int:
        """At how many clients pgbench is fastest."""
        rates = {}
        for clients in limit.CLIENTS:
            self.step(f"{operation.title}: pgbench, {clients} clients")
            rates[self._pgbench(operation, clients, WARM_UP, guarded=False).rate] = clients
        return rates[max(rates)]

    def _sweep(
        self, operation: Operation, takers: list[Contestant], requests: Path,
        sizes: dict[str, float],
    ) -> None:  # fmt: skip
        """The other numbers of connections, once each."""
        for connections in self.plan.connections[1:]:
            for contestant in takers:
                self.step(f"{operation.title}: {contestant.name}, {connections} connections")
                found = self._closed(
                    operation, contestant, requests, sizes[contestant.name], connections
                )
                by_count = self.results.sweep.setdefault(operation.name, {})
                by_count.setdefault(connections, {})[contestant.name] = found

    def _open(self, operation: Operation, contestant: Contestant, requests: Path) -> None:
        """Half of what was the most, at a constant rate."""
        self.step(f"{operation.title}: {contestant.name}, open loop")
        most = self.results.middle(operation.name, contestant.name, "rate")
        assert most is not None
        self._restore(operation)
        seen = load.open_loop(contestant.port, requests, most / 2, self.plan.seconds)
        found = Open(most / 2, seen.rate, seen.p50, seen.p99, seen.most)
        self.results.open.setdefault(operation.name, {})[contestant.name] = found


def steps(plan: Plan) -> int:
    """How many steps `Run.all` has."""
    limits = sum(name in plan.contestants for name in limit.TITLES)
    total = 0
    for operation in plan.operations:
        takers = sum(
            name in KINDS and (not KINDS[name].goal or operation in PROTOTYPE)
            for name in plan.contestants
        )
        total += plan.repetitions * (takers + limits) + bool(limits) * len(limit.CLIENTS)
        total += takers * (len(plan.connections) - 1 + plan.open_loop)
    return total


def _quiet(take: Callable[[], Sample]) -> Sample:
    """A sample while the machine was ours; after some tries the best that there was."""
    best = take()
    for _ in range(TRIES - 1):
        if best.others <= OTHERS:
            break
        best = min(best, take(), key=lambda sample: sample.others)
    return best
