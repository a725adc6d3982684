"""`python -m tests.support.discovery_floor`: how fast discovery answers when there is much of it.

A server of its own on an embedded PostgreSQL that waits for its disk. An inventory of 100,000 rows
goes from upload to assets through the service; then every request is measured over HTTP, one after
the other, and held against its limit; then eight flows run at once. Prints tables of Markdown; exit
code 1 when a median is over its limit or a flow met a deadlock. Client, service and PostgreSQL
share the machine. `--keep` leaves the server to whoever wants to look at plans.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import httpx
import psycopg

from service.checks import CHECKS
from tests.promises.discovery import COMPLETED, WAITING, Discovery
from tests.promises.helpers import ANY_VERSION, connect, make_project, ok
from tests.support import inventory
from tests.support.server import Server

LIMITS = {"simple": 500, "join": 1000, "aggregate": 300, "constraint": 100, "check": 100,
          "batch": 2000}  # ms  # fmt: skip
BATCH = 10_000  # as many as the endpoint takes
FLOWS = 8


@dataclass
class Floor:
    """Measures requests of one project and says which are too slow."""

    client: httpx.Client
    count: int
    slow: list[str] = field(default_factory=list)

    def head(self) -> None:
        """The table's head."""
        print("\n| kind | request | limit ms | median ms | p95 ms |\n|---|---|---|---|---|")

    def measure(
        self, kind: str, name: str, call: Callable[[], httpx.Response], status: int = 200
    ) -> None:
        """A line: `count` calls one after the other, after one that is not counted."""
        seconds = []
        for _ in range(self.count + 1):
            began = perf_counter()
            answer = call()
            seconds.append(perf_counter() - began)
            assert answer.status_code == status, answer.text[:500]
        del seconds[0]
        cuts = statistics.quantiles(seconds, n=100, method="inclusive")
        limit, median = LIMITS[kind], cuts[49] * 1000
        if median >= limit:
            self.slow.append(name)
        shown = f"**{median:.0f}**" if median >= limit else f"{median:.0f}"
        print(f"| {kind} | {name} | {limit} | {shown} | {cuts[94] * 1000:.0f} |", flush=True)

    def get(self, kind: str, name: str, path: str, **query: Any) -> None:
        """A line of a GET."""
        self.measure(kind, name, lambda: self.client.get(path, params=query))


def load(client: httpx.Client, project: str, rows: int) -> Discovery:
    """An inventory of so many rows, from the upload to its assets."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inventory.csv"
        inventory.write(path, rows)
        began = perf_counter()
        found = Discovery(client, project, path.read_bytes())
    print(f"uploaded {found.made['loaded_rows']:,} rows in {perf_counter() - began:.1f} s")
    began = perf_counter()
    assert found.rest(1800)["status"] == WAITING, found.flow()
    found.approve()
    flow = found.go_on(1800)
    if flow["status"] == WAITING:
        conflicts = found.conflicts()
        path_of = f"/projects/{project}/conflicts/resolve"
        for first in range(0, len(conflicts), BATCH):
            part = [{"id": c["id"], "action": "merge", "merge_fields": ["location"]}
                    for c in conflicts[first : first + BATCH]]  # fmt: skip
            ok(client.post(path_of, json={"resolutions": part}, timeout=300))
        flow = found.go_on(1800)
    assert flow["status"] == COMPLETED, flow
    print(f"all phases in {perf_counter() - began:.1f} s: {found.outcomes()}", flush=True)
    return found


def measure(floor: Floor, found: Discovery) -> None:
    """Every kind of request."""
    floor.head()
    project = f"/projects/{found.project}"
    assets, flow = f"{project}/assets", found.made["master_flow_id"]
    page = ok(floor.client.get(assets, params={"limit": 200}))
    floor.get("simple", "assets, 50", assets)
    floor.get("simple", "assets, 200", assets, limit=200)
    floor.get("simple", "assets, next page", assets, limit=200, cursor=page["next_cursor"])
    floor.get("simple", "assets, total", assets, include_total="true")
    floor.get("simple", "assets of a type", assets, asset_type="database")
    floor.get("simple", "assets of type and environment", assets,
              asset_type="network", environment="disaster_recovery")  # fmt: skip
    floor.get("simple", "assets of a status that none has", assets, status="migrated")
    floor.get("simple", "assets of a flow", assets, flow=flow)
    floor.get("simple", "assets, q of many", assets, q="example.org")
    floor.get("simple", "assets, q of one, the oldest", assets, q="host0000001.")
    floor.get("simple", "assets, q of none", assets, q="nowhere")
    floor.get("simple", "assets, q of none, total", assets, q="nowhere", include_total="true")
    floor.get("simple", "one asset", f"{assets}/{page['items'][0]['id']}")
    floor.get("join", "rows of the import", f"{found.import_path}/records", limit=200)
    floor.get("join", "rows that were merged", f"{found.import_path}/records",
              outcome="merged", limit=200)  # fmt: skip
    floor.get("join", "conflicts", f"{project}/conflicts", limit=200)
    floor.get("join", "conflicts of a flow that are open", f"{project}/conflicts",
              flow_id=flow, resolved="false")  # fmt: skip
    floor.get(
        "join", "what removing the import takes along", f"{found.import_path}/deletion-impact"
    )
    floor.get("aggregate", "summary of the flow", f"{found.path}/summary")
    floor.get("aggregate", "summary of the assets", f"{assets}/summary")
    floor.get("aggregate", "profile of the import", f"{found.import_path}/profile")
    constraints(floor, found)
    for check in CHECKS:
        if check.needs != "declared":
            floor.get("check", check.name, "/integrity", check=check.name)
    batches(floor, assets)


def constraints(floor: Floor, found: Discovery) -> None:
    """What the database refuses."""
    assets = f"/projects/{found.project}/assets"
    one, other = ok(floor.client.get(assets, params={"asset_type": "database", "limit": 2}))[
        "items"
    ]
    floor.measure(
        "constraint", "a host name that another asset has",
        lambda: floor.client.patch(f"{assets}/{one['id']}", json={"hostname": other["hostname"]},
                                   headers=ANY_VERSION),
        409,
    )  # fmt: skip
    sent = [{"id": one["id"], "ip": other["ip"]}]
    floor.measure("constraint", "an address that another asset has",
                  lambda: floor.client.patch(assets, json=sent), 409)  # fmt: skip
    floor.measure("constraint", "a step that the flow cannot take",
                  lambda: floor.client.post(f"{found.path}/pause"), 409)  # fmt: skip


def batches(floor: Floor, assets: str) -> None:
    """PATCH of many assets, other ones and another value each time."""
    ids: list[str] = []
    cursor: str | None = None
    while len(ids) < 2 * BATCH:
        query: dict[str, Any] = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        page = ok(floor.client.get(assets, params=query))
        ids += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    turn = 0
    for size in (100, 1000, min(BATCH, len(ids))):

        def call(size: int = size) -> httpx.Response:
            nonlocal turn
            turn += 1
            first = turn * size % (len(ids) - size + 1)
            sent = [{"id": one, "department": f"Dept {turn}"} for one in ids[first : first + size]]
            return floor.client.patch(assets, json=sent)

        floor.measure("batch", f"change {size:,} assets at once", call)


def export(client: httpx.Client, found: Discovery) -> None:
    """How fast the assets leave."""
    path = f"/projects/{found.project}/assets"
    rows = ok(client.get(f"{path}/summary"))["total"]
    print("\n| export | assets | MB | seconds | assets/s | MB/s | first byte ms |")
    print("|---|---|---|---|---|---|---|")
    for kind, coding in (("csv", "identity"), ("ndjson", "identity"), ("ndjson", "gzip")):
        began = perf_counter()
        first, size = 0.0, 0
        query, headers = {"format": kind}, {"Accept-Encoding": coding}
        with client.stream("GET", f"{path}/export", params=query, headers=headers) as answer:
            assert answer.status_code == 200
            for chunk in answer.iter_raw():
                first = first or perf_counter() - began
                size += len(chunk)
        took = perf_counter() - began
        name = kind if coding == "identity" else f"{kind}, {coding}"
        print(f"| {name} | {rows:,} | {size / 1e6:.1f} | {took:.1f} | {rows / took:,.0f} "
              f"| {size / 1e6 / took:.1f} | {first * 1000:.0f} |", flush=True)  # fmt: skip


def at_once(server: Server, client: httpx.Client, rows: int) -> bool:
    """Eight flows at once, four in one project and four in others, while somebody changes assets of
    the first; whether none of them met a deadlock and all of them came to their end."""
    before = deadlocks(server)
    shared = str(make_project(client)["id"])
    projects = [shared] * 4 + [str(make_project(client)["id"]) for _ in range(FLOWS - 4)]
    changed = 0

    def go(number: int) -> Discovery:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "inventory.csv"
            inventory.write(path, rows)
            # another file each time, and the same hosts: they meet in the shared project
            content = path.read_bytes() + f"only-in-{number}\r\n".encode()
        found = Discovery(client, projects[number], content)
        assert found.rest(600)["status"] == WAITING, found.flow()
        found.approve()
        flow = found.go_on(600)
        for _ in range(4):  # what others have made of the same hosts meanwhile
            if flow["status"] == WAITING:
                found.resolve("replace")
                flow = found.go_on(600)
        assert flow["status"] == COMPLETED, flow
        found.assert_conserved(pending=0)
        return found

    began = perf_counter()
    with ThreadPoolExecutor(FLOWS) as pool:
        running = [pool.submit(go, number) for number in range(FLOWS)]
        while not all(one.done() for one in running):
            page = ok(client.get(f"/projects/{shared}/assets", params={"limit": 200}))
            sent = [{"id": a["id"], "department": f"Dept {changed}"} for a in page["items"]]
            if sent:
                answer = client.patch(f"/projects/{shared}/assets", json=sent)
                assert answer.status_code in (200, 409, 503), answer.text
                changed += answer.status_code == 200
            sleep(0.2)
        done = [one.result() for one in running]
    met = deadlocks(server) - before
    print(f"\n{len(done)} flows of {rows + 1:,} rows at once, {changed} bulk changes between: "
          f"{perf_counter() - began:.1f} s, all completed, {met} deadlocks.")  # fmt: skip
    return met == 0


def deadlocks(server: Server) -> int:
    """How many PostgreSQL has broken up since it is there."""
    with psycopg.connect(server.owner_dsn(), autocommit=True) as connection:
        row = connection.execute("SELECT sum(deadlocks)::int FROM pg_stat_database").fetchone()
        assert row
        return int(row[0])


def checks(server: Server) -> None:
    """All checks from the command line."""
    began = perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "service", "integrity", "check"],
        env=server.environment, cwd=server.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    took = perf_counter() - began
    print(f"\n`quarry integrity check`: {took:.1f} s, exit code {done.returncode}: "
          f"{done.stderr.strip().splitlines()[-1]}", flush=True)  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="of the inventory")
    parser.add_argument("--count", type=int, default=20, help="calls per line")
    parser.add_argument("--keep", action="store_true", help="leave the server running")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="quarry-floor-"))
    folder.chmod(0o755)
    server = Server(None, folder, jobs_poll_seconds=0.5)
    try:
        server.await_ready(120)
        code = _all(server, asked)
    finally:
        if not asked.keep:
            server.stop()
            server.kill()
            shutil.rmtree(folder)
    sys.exit(code)


def _all(server: Server, asked: argparse.Namespace) -> int:
    client = connect(server, server.key("floor"))
    client.timeout = httpx.Timeout(300)
    found = load(client, str(make_project(client)["id"]), asked.rows)
    floor = Floor(client, asked.count)
    measure(floor, found)
    export(client, found)
    checks(server)
    calm = at_once(server, client, max(asked.rows // 50, 100))
    print(f"\nover the limit: {', '.join(floor.slow) or 'none'}", flush=True)
    if asked.keep:
        print(server.url, server.key("floor"), found.path, server.owner_dsn(), flush=True)
    return int(bool(floor.slow) or not calm)


if __name__ == "__main__":
    main()
