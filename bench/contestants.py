"""The processes that are compared: Quarry as it ships, and its peers. One worker each."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.database import APP, BYPASS, Database, free_port
from bench.plan import ROOT, BenchError
from service.operations.reference import data

READY_SECONDS = 30.0
_KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True)
class Kind:
    """What takes part. `goal` means: it has only the operations that the goals name."""

    name: str
    title: str
    role: str
    goal: bool = False


KINDS = {
    each.name: each
    for each in (
        Kind("quarry", "Quarry, complete", APP),
        Kind("orm_rls", "FastAPI + SQLAlchemy, RLS", APP),
        Kind("orm", "FastAPI + SQLAlchemy, no RLS", BYPASS),
        Kind("bare", "Starlette + asyncpg, no RLS", BYPASS),
        Kind("prototype", "Quarry's data path alone", APP, goal=True),
    )
}
PROTOTYPE = ("get", "list", "create", "update")


class Contestant:
    """One running process."""

    def __init__(self, kind: Kind, command: list[str], environment: Mapping[str, str], port: int,
                 folder: Path) -> None:  # fmt: skip
        self.kind = kind
        self.name = kind.name
        self.port = port
        self.log = folder / f"{kind.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command], env=dict(environment), cwd=ROOT,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process that serves."""
        return self.process.pid

    def takes(self, operation: str) -> bool:
        """Whether it has this operation."""
        return not self.kind.goal or operation in PROTOTYPE

    def await_ready(self) -> None:
        """Wait until /ready answers 200. Raises BenchError with the log when it does not."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{self.name} does not start:\n{self.said()}")
            time.sleep(0.02)

    def said(self) -> str:
        """The end of its log, once it has had time to write it."""
        time.sleep(0.3)
        return self.log.read_text(errors="replace")[-3000:]

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        with contextlib.closing(connection), contextlib.suppress(OSError):
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        return False

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def environment() -> dict[str, str]:
    """What a contestant sees of ours."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def quarry_environment(folder: Path, port: int, **settings: object) -> dict[str, str]:
    """The service as it ships: nothing is set but where it is, and a log that is a file."""
    given: dict[str, object] = {
        "port": port, "admin_port": free_port(), "data_dir": folder / "data",
        "env_file": folder / "no.env", **settings,
    }  # fmt: skip
    return environment() | {f"QUARRY_{n.upper()}": str(v) for n, v in given.items()}


def launch(kind: Kind, database: Database, folder: Path) -> Contestant:
    """Start one; it is not ready yet."""
    port = free_port()
    dsn = database.dsn(kind.role)
    if kind.name == "quarry":
        settings = quarry_environment(folder, port, database_url=dsn, database_direct_url=dsn)
        return Contestant(kind, ["-m", "service", "serve"], settings, port, folder)
    command = ["-m", "bench.peers", kind.name, str(port), dsn, str(_key_file(database, folder))]
    return Contestant(kind, command, environment(), port, folder)


def _key_file(database: Database, folder: Path) -> Path:
    """Key → tenant, for the peers."""
    path = folder / "keys.json"
    keys: dict[str, Any] = {
        key: data.identifier(data.TENANT, number) for number, key in enumerate(database.keys)
    }
    path.write_bytes(orjson.dumps(keys))
    return path


@contextlib.contextmanager
def running(
    names: tuple[str, ...], database: Database, folder: Path
) -> Iterator[dict[str, Contestant]]:
    """The named contestants, ready; ended afterwards."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for a thousand connections
    started: dict[str, Contestant] = {}
    try:
        for name in names:
            started[name] = launch(KINDS[name], database, folder)
            started[name].await_ready()
        yield started
    finally:
        for each in started.values():
            each.stop()
