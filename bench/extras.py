"""What is measured behind flags: growth, soak, crowds of connections, starts."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench import cpu, load
from bench.calls import MIX, OPERATIONS, Call, write_requests
from bench.contestants import KINDS, Contestant, launch, quarry_environment, running
from bench.database import Database, Progress, Server, free_port
from bench.measure import Step
from bench.plan import ROOT, WARM_UP, BenchError, Plan, Scale
from bench.report import Table
from service.operations.reference import data

GROWTH_TOLERANCE = 0.10  # CPU, more or less
SOAK_TOLERANCE = 0.05  # memory, from a tenth of the requests on
IDLE, ACTIVE = 1000, 200  # connections
DEADLINE = 15.0  # seconds: the service's default for a request
START_FILLED, START_FIRST = 1.5, 4.0  # seconds to the first answer
_MIB = 2**20


def growth(plan: Plan, server: Server, folder: Path, progress: Progress, step: Step) -> Table:
    """GET and list in databases of other sizes, one service for each, in turn."""
    most = plan.scale.projects
    shapes = {
        "growth_few": Scale("few", 1000, 1, 0),
        "growth_many": Scale("many", most, 1, 0),
        "growth_tenants": Scale("tenants", most, min(1000, most // 100), 0),
    }
    with contextlib.ExitStack() as stack:
        databases = {name: server.database(name, shape, progress) for name, shape in shapes.items()}
        services: dict[str, Contestant] = {}
        for name, database in databases.items():
            (folder / name).mkdir()
            services[name] = launch(KINDS["quarry"], database, folder / name)
            stack.callback(services[name].stop)
            services[name].await_ready()
        rows = []
        for operation in ("get", "list"):
            rows += _compare(plan, operation, databases, services, folder, step)
    heads = ("", "projects", "tenants", "server µs", "PostgreSQL µs", "to the first", "")
    return Table(f"flat under growth (± {GROWTH_TOLERANCE:.0%} CPU)", heads, rows)


def _compare(
    plan: Plan, operation: str, databases: dict[str, Database], services: dict[str, Contestant],
    folder: Path, step: Step,
) -> list[tuple[str, ...]]:  # fmt: skip
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in databases}
    for _ in range(plan.repetitions):
        for name, database in databases.items():
            step(f"growth: {operation}, {name}")
            costs[name].append(_cost(plan, operation, database, services[name], folder))
    rows: list[tuple[str, ...]] = []
    first = 0.0
    for name, database in databases.items():
        ours, theirs = (median(cost[part] for cost in costs[name]) for part in (0, 1))
        first = first or ours + theirs
        ratio = (ours + theirs) / first
        rows.append((
            OPERATIONS[operation].title, f"{database.scale.projects:,}",
            f"{database.scale.tenants:,}", f"{ours:.1f}", f"{theirs:.1f}", f"{ratio - 1:+.0%}",
            "met" if abs(ratio - 1) <= GROWTH_TOLERANCE else "missed",
        ))  # fmt: skip
    return rows


def _cost(
    plan: Plan, operation: str, database: Database, service: Contestant, folder: Path
) -> tuple[float, float]:
    """CPU microseconds per request, of the service and of PostgreSQL."""
    path = folder / "growth.requests"
    write_requests(OPERATIONS[operation], database.scale, database.keys, path)
    connections = plan.connections[0]
    load.closed_loop(service.port, path, connections, WARM_UP)
    server, backend = cpu.seconds(service.pid), cpu.seconds(database.server.pid)
    seen = load.closed_loop(service.port, path, connections, plan.seconds)
    server = cpu.seconds(service.pid) - server
    backend = cpu.seconds(database.server.pid) - backend
    return server / seen.requests * 1e6, backend / seen.requests * 1e6


def soak(plan: Plan, database: Database, folder: Path, total: int, step: Step) -> Table:
    """The service's memory over many mixed requests."""
    path = write_requests(MIX, database.scale, database.keys, folder / "mix.requests")
    seen: list[tuple[int, int]] = []  # requests so far, bytes
    done = 0
    with running(("quarry",), database, folder) as found:
        service = found["quarry"]
        while done < total:
            step(f"soak: {done:,} of {total:,} requests")
            done += load.closed_loop(service.port, path, plan.connections[0], 5).requests
            seen.append((done, cpu.resident(service.pid)))
    database.settle()
    database.restore()
    after = next(size for count, size in seen if count >= total / 10)
    last = seen[-1][1]
    verdict = "met" if last <= after * (1 + SOAK_TOLERANCE) else "missed"
    row = (f"{done:,}", f"{after / _MIB:.1f}", f"{last / _MIB:.1f}",
           f"{max(size for _, size in seen) / _MIB:.1f}", verdict)  # fmt: skip
    heads = ("requests", "MiB after a tenth", "MiB at the end", "MiB at most", "")
    return Table("memory of the service", heads, [row])


def crowd(plan: Plan, database: Database, folder: Path, step: Step) -> Table:
    """A thousand idle keep-alive connections beside two hundred that work."""
    path = write_requests(MIX, database.scale, database.keys, folder / "mix.requests")
    step("connections")
    with running(("quarry",), database, folder) as found, contextlib.ExitStack() as stack:
        service = found["quarry"]
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", service.port)))
                for _ in range(IDLE)]  # fmt: skip
        wire = Call("GET", "/projects?limit=1", 0).wire(database.keys)
        _ask_all(idle, wire)
        seen = load.closed_loop(service.port, path, ACTIVE, max(5, plan.seconds))
        _ask_all(idle, wire)
        size = cpu.resident(service.pid)
    database.settle()
    database.restore()
    row = (f"{IDLE:,} + {ACTIVE}", f"{seen.rate:,.0f}", "0", f"{seen.p50 * 1e3:.1f}",
           f"{seen.p99 * 1e3:.1f}", f"{seen.most * 1e3:.1f}", f"{size / _MIB:.0f}",
           "met" if seen.most < DEADLINE else "missed")  # fmt: skip
    heads = ("idle + active", "requests/s", "errors", "p50 ms", "p99 ms", "most ms", "MiB", "")
    return Table("connections (the idle ones answer before and after)", heads, [row])


def _ask_all(connections: list[socket.socket], wire: bytes) -> None:
    """One request on each. Raises BenchError on any but a 200."""
    for connection in connections:
        connection.sendall(wire)
        if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
            raise BenchError("an idle connection was not answered")


def start(server: Server, key: str, folder: Path, step: Step) -> Table:
    """From the start of the process to the first answer out of the database, with PostgreSQL.

    The server must not run: the service starts it. `key` is one of the filled database.
    """
    path = f"/projects/{data.identifier(data.PROJECT, 0)}"
    rows = []
    filled = []
    for number in range(3):
        step(f"start: filled, {number + 1}")
        filled.append(_first_answer(server.folder, folder, path, key))
    rows.append(_started("filled database", filled, START_FILLED))
    first = []
    for number in range(3):
        step(f"start: the very first, {number + 1}")
        fresh = server.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        first.append(_first_answer(fresh, folder, "/projects?limit=1", None))
        shutil.rmtree(fresh, ignore_errors=True)
    rows.append(_started("the very first start", first, START_FIRST))
    return Table("start to first answer", ("", "goal s", "median s (least…most)", ""), rows)


def _started(title: str, seconds: list[float], bound: float) -> tuple[str, ...]:
    middle = median(seconds)
    shown = f"{middle:.2f} ({min(seconds):.2f}…{max(seconds):.2f})"
    return title, f"≤ {bound}", shown, "met" if middle <= bound else "missed"


def _first_answer(data_dir: Path, folder: Path, path: str, key: str | None) -> float:
    """Seconds. Without a key, the one that the first start leaves in its folder."""
    port = free_port()
    environment = quarry_environment(folder, port, data_dir=data_dir)
    with (folder / "start.log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"], env=environment, cwd=ROOT,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            while not _answers(port, path, key, data_dir / "dev.key"):
                if process.poll() is not None or time.perf_counter() - began > 60:
                    said = (folder / "start.log").read_text(errors="replace")
                    raise BenchError(f"the service does not start:\n{said[-2000:]}")
                time.sleep(0.005)
            return time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _answers(port: int, path: str, key: str | None, key_file: Path) -> bool:
    if key is None:
        if not key_file.exists():
            return False
        key = key_file.read_text().strip()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        return connection.getresponse().status == 200
    return False


def as_json(table: Table) -> list[dict[str, Any]]:
    """A table's rows, for --json."""
    heads = [head or ("verdict" if at else "what") for at, head in enumerate(table.heads)]
    return [dict(zip(heads, row, strict=True)) for row in table.rows]
