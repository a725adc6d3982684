"""One statement measured: by pgbench, by the engine in this process, and through the service.

pgbench receives what PostgreSQL receives from the service: the wire text, with the guard of tenant
isolation ahead of it in the same round trip, as the service's role. It does nothing with the rows,
so that it is the limit. A statement that writes runs between BEGIN and ROLLBACK, everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import jwt
from psycopg.adapt import Transformer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format

from service.database import guard
from service.database.lexer import Kind, scan
from service.database.pool import Pool, PoolOptions
from service.database.queries import Query
from service.database.session import Engine, Identity, Session

__all__ = ["BenchError", "Load", "Measured", "engine", "pgbench", "python_value", "service"]

_NAMES: Final = {"int": "int4", "smallint": "int2", "bigint": "int8", "boolean": "bool"}
_START_SECONDS: Final = 30.0


class BenchError(Exception):
    """It cannot be measured; the message says why."""


class Load(NamedTuple):
    """How much is asked: by so many at a time, for so many seconds."""

    clients: int
    seconds: float


class Measured(NamedTuple):
    """What was seen. Times are of one call; `cpu_us` is what the asking side used for it."""

    way: str
    calls: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def _measured(way: str, times: Sequence[float], seconds: float, cpu: float) -> Measured:
    """From the seconds that each call took."""
    if len(times) < 2:
        raise BenchError(f"{way}: not two calls in {seconds:.0f} s")
    parts = quantiles(times, n=100)
    count = len(times)
    return Measured(
        way, count, round(count / seconds, 1),
        round(parts[49] * 1000, 3), round(parts[98] * 1000, 3), round(cpu / count * 1e6, 1),
    )  # fmt: skip


# pgbench


def pgbench(dsn: str, query: Query, values: Mapping[str, str | None], load: Load) -> Measured:
    """Run pgbench; `values` are texts by the names of the parameters. Raises BenchError."""
    program = _program()
    with TemporaryDirectory(prefix="quarry-bench-") as folder:
        script = Path(folder) / "script"
        script.write_text(_script(query))
        parameters = conninfo_to_dict(dsn)
        password = parameters.pop("password", None)
        given = {f"q_{name}": value for name, value in values.items() if value is not None}
        command = [
            program, "-n", "-M", "prepared", "-T", str(max(1, round(load.seconds))),
            "-c", str(load.clients), "-j", str(min(2, load.clients)),
            "-l", "--log-prefix", f"{folder}/log", "-f", str(script),
            *(part for name, value in given.items() for part in ("-D", f"{name}={value}")),
            make_conninfo("", **parameters),
        ]  # fmt: skip
        environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode or "aborted" in done.stderr:
            raise BenchError(f"pgbench: {done.stderr.strip()[-500:]}")
        times = [
            int(line.split()[2]) / 1e6
            for log in Path(folder).glob("log.*")
            for line in log.read_text().splitlines()
        ]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate = re.search(r"tps = ([0-9.]+) \(without", done.stdout)
    seconds = len(times) / float(rate[1]) if rate and float(rate[1]) else load.seconds
    return _measured("pgbench", times, seconds, cpu)


def _program() -> str:
    with contextlib.suppress(ImportError):
        from service.database.embedded import BINARIES  # noqa: PLC0415  (an optional extra)

        if (BINARIES / "pgbench").exists():
            return str(BINARIES / "pgbench")
    found = shutil.which("pgbench")
    if found is None:
        raise BenchError("pgbench is not installed: it comes with PostgreSQL, and with the "
                         "extra `embedded`")  # fmt: skip
    return found


def _script(query: Query) -> str:
    """The statement with pgbench's variables for `$n`, behind its guard. Raises BenchError."""
    parts, at = [], 0
    for token in scan(query.wire):
        parts.append(query.wire[at : token.start])
        at = token.end
        if token.kind is Kind.POSITIONAL:
            parts.append(f":q_{query.order[int(token.text[1:]) - 1]}")
        elif token.kind is not Kind.COMMENT:
            if re.search(r"(?<!:):[A-Za-z0-9_]", token.text):
                raise BenchError(f"pgbench would take a part of {token.text} for a variable")
            parts.append(token.text)
    statement = "".join(parts).strip() + ";"
    before = guard.GUARDS[guard.WRITE if query.writes else guard.READ] + ";"
    tenant = ":q_tenant_id" if "tenant_id" in query.order else "''"
    for number, value in enumerate((tenant, "'bench'", "''", "'bench'"), 1):
        before = before.replace(f"${number}", value)
    if query.writes:
        lines = ["\\startpipeline", "BEGIN;", before, "\\endpipeline", statement, "ROLLBACK;"]
    else:
        lines = ["\\startpipeline", before, statement, "\\endpipeline"]
    return "\n".join(lines) + "\n"


# the engine in this process


def python_value(kind: str, text: str | None) -> Any:
    """A parameter's text as the engine takes it. Raises BenchError."""
    if text is None:
        return None
    base = kind.removesuffix("[]")
    transformer = Transformer()
    info = transformer.adapters.types[_NAMES.get(base, base)]
    oid = info.array_oid if kind.endswith("[]") else info.oid
    try:
        return transformer.get_loader(oid, Format.TEXT).load(text.encode())
    except (ValueError, ArithmeticError) as error:
        raise BenchError(f"{text!r} is no {kind}: {error}") from None


class _Undo(Exception):
    """Ends a transaction whose work shall not be kept."""


async def engine(
    dsn: str, query: Query, values: Mapping[str, Any], tenant: Any, load: Load
) -> Measured:
    """Ask through the engine's sessions; `values` are Python's. Raises BenchError."""
    pool = Pool(PoolOptions(dsn=dsn, init_size=1, max_size=load.clients, application_name="bench"))
    await pool.open()
    try:
        shared = Engine(pool, {query.name: query})
        identity = Identity(tenant, "bench")

        async def ask() -> None:
            db = shared.session(identity, "bench", 60.0)
            if not query.writes:
                await _one_call(db, query, values)
                return
            with contextlib.suppress(_Undo):
                async with db.transaction():
                    await _one_call(db, query, values)
                    raise _Undo

        return await _drive("the engine, in this process", ask, load, _own_cpu)
    finally:
        await pool.close(5.0)


async def _one_call(db: Session, query: Query, values: Mapping[str, Any]) -> None:
    name: Any = query.name
    match query.kind:
        case "one":
            await db.one(name, **values)
        case "many":
            await db.many(name, **values)
        case "value":
            await db.value(name, **values)
        case "affected":
            await db.execute(name, **values)
        case "page":
            kept = {n: v for n, v in values.items() if n != "limit" and not n.startswith("after_")}
            after = [v for n, v in values.items() if n.startswith("after_")]
            first = all(value is None for value in after)
            await db.page(name, int(values["limit"]) - 1, None if first else after, **kept)
        case _:
            async for _lines in db.stream(name, **values):
                pass


def _own_cpu() -> float:
    return time.process_time()


async def _drive(
    way: str, ask: Callable[[], Awaitable[None]], load: Load, cpu: Callable[[], float]
) -> Measured:
    """So many at a time ask until the time is over; the first calls warm up and do not count."""
    await asyncio.gather(*(ask() for _ in range(load.clients)))
    times: list[float] = []
    began, used = time.perf_counter(), cpu()
    end = began + load.seconds

    async def client() -> None:
        while (before := time.perf_counter()) < end:
            await ask()
            times.append(time.perf_counter() - before)

    await asyncio.gather(*(client() for _ in range(load.clients)))
    return _measured(way, times, time.perf_counter() - began, cpu() - used)


# the service


async def service(
    dsn: str, way: str, target: str, tenant: str, load: Load, environment: Mapping[str, str]
) -> Measured:
    """Ask `target`, a path with its query, of a service process of our own on the same database.

    It accepts a token that only we can make, so that no key is left behind. Raises BenchError.
    """
    secret = os.urandom(32).hex()
    claims = {"sub": "bench", "tenant": tenant, "scope": "*", "exp": time.time() + 3600}
    token = jwt.encode(claims, secret, algorithm="HS256")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "DATABASE_URL": dsn, "HOST": "127.0.0.1", "PORT": str(port), "ADMIN_PORT": "0",
        "WORKERS": "1", "ACCESS_LOG": "false", "RATE_LIMIT": "0", "JWT_SECRET": secret,
        "JWT_ISSUER": "", "JWT_AUDIENCE": "", "POOL_MAX_SIZE": str(max(4, load.clients)),
    }  # fmt: skip
    own = {**environment, **{f"QUARRY_{name}": value for name, value in settings.items()}}
    with _process(own) as process:
        request = (
            f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        ).encode()
        await _await_listener(process, port)
        links = [await _Link.open(port) for _ in range(load.clients)]
        idle = list(links)

        async def ask() -> None:
            link = idle.pop()
            status, body = await link.ask(request)
            idle.append(link)
            if status != 200:
                raise BenchError(f"GET {target} answers {status}: {body[:300].decode()}")

        try:
            return await _drive(way, ask, load, process.cpu)
        finally:
            for link in links:
                link.close()


class _Process:
    """A process that can tell how much CPU it has used."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip

    def cpu(self) -> float:
        """Seconds, user and system."""
        fields = Path(f"/proc/{self.popen.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def last_words(self) -> str:
        """The end of what it has written."""
        return self._log.read_text(errors="replace")[-800:]


@contextlib.contextmanager
def _process(environment: Mapping[str, str]) -> Iterator[_Process]:
    with TemporaryDirectory(prefix="quarry-bench-") as folder:
        process = _Process(environment, Path(folder) / "log")
        try:
            yield process
        finally:
            process.popen.terminate()
            process.popen.wait(30)


async def _await_listener(process: _Process, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            link = await _Link.open(port)
            status, _ = await link.ask(b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            link.close()
            if status == 200:
                return
        if process.popen.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"the service does not start: {process.last_words()}")
        await asyncio.sleep(0.05)


class _Link:
    """A connection that is kept, and just enough HTTP to ask and to read an answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> _Link:
        """Connect. Raises OSError."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 24))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        body = await self._reader.readexactly(int(length[1])) if length else b""
        return int(head[9:12]), body

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
