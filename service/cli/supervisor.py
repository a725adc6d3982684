"""Several worker processes over one listening socket.

The parent opens the socket, starts workers that inherit it, replaces those that die, and on SIGTERM
or SIGINT drains them (SIGUSR1), stops them and waits. A worker that cannot start stops everything;
workers whose parent was killed end by themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

import structlog

from service.settings import PREFIX, Settings

log = structlog.get_logger("quarry.supervisor")

_FD, _INDEX = "QUARRY_WORKER_FD", "QUARRY_WORKER_INDEX"
_PR_SET_PDEATHSIG = 1
_STARTUP_FAILURE = 3  # uvicorn's exit code when the lifespan did not start
_QUICK_DEATH = 5.0  # seconds; a worker that dies sooner is started again after a pause


def inherited() -> tuple[socket.socket, int] | None:
    """The socket and number of a worker process; None in a parent."""
    fd = os.environ.pop(_FD, None)
    if fd is None:
        return None
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    return socket.socket(fileno=int(fd)), int(os.environ.pop(_INDEX, "0"))


class _Workers:
    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._running: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self.stopping = False

    def start(self, index: int) -> None:
        if self.stopping:
            return
        fd = self._listener.fileno()
        environment = {
            **os.environ,
            _FD: str(fd),
            _INDEX: str(index),
            PREFIX + "DATABASE_URL": self._settings.database_url or "",
            PREFIX + "DATABASE_DIRECT_URL": self._settings.database_direct_url or "",
            PREFIX + "HOST": self._settings.host,
            PREFIX + "PORT": str(self._settings.port),
            PREFIX + "ADMIN_PORT": str(self._settings.admin_port),
            PREFIX + "WORKERS": str(self._settings.workers),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"], pass_fds=[fd], env=environment
        )
        self._running[index] = (process, time.monotonic())

    def signal(self, number: int) -> None:
        for process, _ in self._running.values():
            if process.poll() is None:
                process.send_signal(number)

    def replace_dead(self) -> int:
        """Start workers again that died; the exit code when one could not start at all."""
        for index, (process, started) in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            if code == _STARTUP_FAILURE:
                log.error("worker.cannot_start", worker=index)
                return code
            log.error("worker.died", worker=index, exit_code=code)
            if time.monotonic() - started < _QUICK_DEATH:
                time.sleep(1.0)
            self.start(index)
        return 0

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for process, _ in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run(settings: Settings, listener: socket.socket) -> int:
    """Supervise until told to stop; the exit code."""
    from service.http.server import let_no_more_begin  # noqa: PLC0415  (not for every command)

    os.set_inheritable(listener.fileno(), True)
    workers = _Workers(settings, listener)

    def stop(_number: int, _frame: FrameType | None) -> None:
        workers.signal(signal.SIGTERM if workers.stopping else signal.SIGUSR1)
        workers.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for index in range(settings.workers):
        workers.start(index)
    code = 0
    while not workers.stopping and not code:
        time.sleep(0.05)
        if not workers.stopping:
            code = workers.replace_dead()
    if workers.stopping:
        time.sleep(settings.drain_seconds)
        let_no_more_begin(listener)  # what is on its way still arrives, and the workers take it
    workers.signal(signal.SIGTERM)
    workers.wait(settings.shutdown_seconds + 5)
    return code
