"""`python -m tests.support.cases_load`: the case language under load, over HTTP.

A server of its own on an embedded PostgreSQL that waits for its disk. Every document opens a case:
four forms, seven rows. What was answered is held against the rows in the tables afterwards; the
figures are printed as a table of Markdown. The client shares the machine with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import orjson
import psycopg

from tests.promises.helpers import make_project
from tests.support.server import Server

TABLES = ("cases", "case_versions", "entities", "case_roles", "case_events", "dsl_operations")
_numbers = itertools.count(1)


@dataclass
class Seen:
    """What became of a run: seconds of each answer, statuses, wall time."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wall: float = 0.0

    @property
    def failed(self) -> int:
        """Answers other than 200."""
        return self.statuses.total() - self.statuses[200]

    def row(self, name: str) -> str:
        """A line of the table: milliseconds, documents per second."""
        cuts = statistics.quantiles(self.seconds, n=100, method="inclusive")
        spread = [statistics.fmean(self.seconds), cuts[49], cuts[94], cuts[98], max(self.seconds)]
        shown = " | ".join(f"{s * 1000:.1f}" for s in spread)
        rate = len(self.seconds) / self.wall
        return f"| {name} | {len(self.seconds)} | {shown} | {rate:.0f} | {self.failed} |"


def document() -> bytes:
    """A case with its customer, who has a role in it, and the beginning of its KYC work."""
    number = next(_numbers)
    text = (
        f'(case.create :case-id "L-{number}" :title "Load {number}" :jurisdiction "LU")\n'
        f'(entity.register :entity-id "E-{number}" :entity-type "fund" :name "Fund {number}")\n'
        f'(role.assign :entity "E-{number}" :role "client")\n'
        f'(kyc.start :entity "E-{number}" :level "standard")\n'
    )
    return orjson.dumps({"dsl": text})


class Caller:
    """One connection that sends documents one after the other."""

    def __init__(self, server: Server, key: str, project: str) -> None:
        self._port = server.port
        self._head = (
            f"POST /projects/{project}/dsl/execute HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: "
        )
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, seen: Seen) -> None:
        """One document; its answer is read to the end."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        body = document()
        began = perf_counter()
        writer.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                     if line.startswith(b"content-length")]  # fmt: skip
        await reader.readexactly(length)
        seen.seconds.append(perf_counter() - began)
        seen.statuses[int(head.split(b" ", 2)[1])] += 1

    def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            self._streams[1].close()


async def run(server: Server, key: str, project: str, callers: int, count: int) -> Seen:
    """`count` documents by so many callers at once."""
    seen = Seen()
    left = itertools.count()
    made = [Caller(server, key, project) for _ in range(callers)]

    async def work(caller: Caller) -> None:
        while next(left) < count:
            await caller.send(seen)

    began = perf_counter()
    await asyncio.gather(*(work(caller) for caller in made))
    seen.wall = perf_counter() - began
    for caller in made:
        caller.close()
    return seen


def resident(pid: int) -> float:
    """MiB that a process and its children hold, without PostgreSQL."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue
        own = int(status.parent.name) == pid or int(lines["PPid"]) == pid
        if own and "python" in lines["Name"]:
            total += int(lines["VmRSS"].split()[0])
    return total / 1024


def counted(server: Server) -> dict[str, int]:
    """Rows in the tables."""
    with psycopg.connect(server.owner_dsn()) as connection:
        found = {}
        for table in TABLES:
            row = connection.execute(f"SELECT count(*) FROM cases.{table}").fetchone()
            assert row
            found[table] = row[0]
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1, help="service processes")
    parser.add_argument("--count", type=int, default=200, help="documents per step")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quarry-load-") as folder:
        Path(folder).chmod(0o755)
        server = Server(None, Path(folder), workers=asked.workers)
        try:
            server.await_ready(120)
            key = server.key("load")
            project = str(make_project(server.client(key))["id"])
            measure(server, key, project, asked.count)
        finally:
            server.stop()
            server.kill()


def measure(server: Server, key: str, project: str, count: int) -> None:
    """All steps, one after the other."""
    sent = 0
    failed = 0

    def step(name: str, callers: int, size: int) -> None:
        nonlocal sent, failed
        seen = asyncio.run(run(server, key, project, callers, size))
        sent, failed = sent + size, failed + seen.failed
        print(seen.row(name), flush=True)

    asyncio.run(run(server, key, project, 2, 50))  # statements prepared, code warm
    sent += 50
    print("| documents | sent | mean ms | p50 | p95 | p99 | longest | per second | failed |")
    print("|---|---|---|---|---|---|---|---|---|")
    step("one at a time", 1, count)
    for callers in (2, 5, 10, 20):
        step(f"{callers} callers", callers, count * 2)
    before = resident(server.pid)
    step("1,000 in a row", 1, 1000)
    after = resident(server.pid)
    step("stress: 15 callers", 15, 3000)
    last = resident(server.pid)
    print(
        f"\nResident: {before:.1f} MiB before the 1,000, {after:.1f} after, {last:.1f} at the end."
    )
    found = counted(server)
    right = sent - failed
    expected = dict.fromkeys(TABLES, right) | {"case_events": 4 * right}
    print(f"{sent} documents sent, {failed} failed; rows: {found}")
    assert {t: n for t, n in found.items() if t != "dsl_operations"} == {
        t: n for t, n in expected.items() if t != "dsl_operations"
    }, expected


if __name__ == "__main__":
    main()
