"""A real server process, as an operator starts it, and clients of it."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx

from service.database.embedded import Embedded
from service.operations.operator import OperatorError, connect
from tests.support.wait import wait_until

START_SECONDS = 30.0
SQL_DIR = Path(__file__).parents[2] / "sql"
_KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV")


class Connectable(Protocol):
    """What a server needs to know of its database."""

    owner_dsn: str
    app_dsn: str


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Server:
    """`python -m service serve` on free ports. `settings` are the service's, in lower case.

    A setting of None is left out, which for `database_url` means the embedded server.
    """

    def __init__(self, database: Connectable | None, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.port, self.admin_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin_url = f"http://127.0.0.1:{self.admin_port}"
        defaults: dict[str, object] = {
            "port": self.port,
            "admin_port": self.admin_port,
            "data_dir": folder / "data",
            "env_file": folder / "no.env",
            "log_format": "json",
        }
        if database is not None:
            defaults |= {
                "database_url": database.app_dsn,
                "database_direct_url": database.app_dsn,
                "migration_url": database.owner_dsn,
            }
        self.environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | {
            f"QUARRY_{name.upper()}": str(value)
            for name, value in (defaults | settings).items()
            if value is not None
        }
        self._keys: dict[str, str] = {}
        self._clients: list[httpx.Client] = []
        self._log = folder / "server.log"
        self.process = self._launch()

    @property
    def pid(self) -> int:
        """The main process."""
        return self.process.pid

    def log(self) -> str:
        """What the server has written to stdout and stderr so far."""
        return self._log.read_text(errors="replace")

    def quarry(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A `quarry` command with this server's settings."""
        return subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            env=self.environment, cwd=self.folder, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    def key(self, tenant: str = "acme", scopes: Sequence[str] = ("*",), **options: Any) -> str:
        """An API key, made once per set of arguments; the tenant is made when it is absent.

        `options` as of `Operator.add_key`: name, user, projects, rate_limit, expires_at.
        """
        wanted = repr((tenant, scopes, options))
        if wanted not in self._keys:
            with connect(self.owner_dsn(), SQL_DIR) as admin:
                with contextlib.suppress(OperatorError):  # it is there already
                    admin.add_tenant(tenant)
                self._keys[wanted] = admin.add_key(tenant, list(scopes), **options)
        return self._keys[wanted]

    def owner_dsn(self) -> str:
        """DSN of the migrating role: the given one's, or the embedded server's."""
        given = self.environment.get("QUARRY_MIGRATION_URL")
        return given or Embedded(Path(self.environment["QUARRY_DATA_DIR"])).dsn()

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        """An HTTP client of this server, with a key if given; closed when the server is."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        client = httpx.Client(base_url=self.url, headers=headers, timeout=30, **options)
        self._clients.append(client)
        return client

    def await_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until /ready answers 200; AssertionError with the log when it does not."""
        try:
            wait_until(self._ready, seconds)
        except AssertionError as error:
            raise AssertionError(
                f"the server is not ready: {error}\n{self.log()[-4000:]}"
            ) from None

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30.0) -> int:
        """Send the main process a signal and wait; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def restart(self) -> None:
        """Start again on the same ports, after `stop`."""
        self.process = self._launch()
        self.await_ready()

    def kill(self) -> None:
        """End the whole process group, and what is left of it, and the clients."""
        for client in self._clients:
            client.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def _launch(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _ready(self) -> bool:
        if (code := self.process.poll()) is not None:
            raise AssertionError(f"it ended with {code}")
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with contextlib.closing(link), contextlib.suppress(OSError, http.client.HTTPException):
            link.request("GET", "/ready")
            return link.getresponse().status == 200
        return False
