"""Several worker processes over one listening socket.

The parent opens the socket, starts workers that inherit it, replaces those that die, and on SIGTERM
or SIGINT drains them (SIGUSR1), stops them and waits. A worker that cannot start stops everything;
workers whose parent was killed end by themselves. On SIGHUP it tells all workers to read the query
files anew; what one worker says to the others goes by way of it (see `http/peers.py`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from types import FrameType
from typing import NamedTuple

import structlog

from service.settings import PREFIX, Settings

log = structlog.get_logger("quarry.supervisor")

_FD, _CHANNEL = "QUARRY_WORKER_FD", "QUARRY_WORKER_CHANNEL"
_INDEX, _AGAIN = "QUARRY_WORKER_INDEX", "QUARRY_WORKER_AGAIN"
_PARENT = "QUARRY_WORKER_PARENT"
_RELOAD = b'{"ask": ""}\n'
_PR_SET_PDEATHSIG = 1
_STARTUP_FAILURE = 3  # uvicorn's exit code when the lifespan did not start
_QUICK_DEATH = 5.0  # seconds; a worker that dies sooner is started again after a pause
_NEXT_TRY = 5.0  # seconds until a replacement that could not start is tried again


class Inherited(NamedTuple):
    """What a worker process has from its parent."""

    listener: socket.socket
    number: int
    channel: socket.socket
    replaces: bool  # another one that served before


def inherited() -> Inherited | None:
    """What this worker process has from its parent; None in a parent."""
    fd = os.environ.pop(_FD, None)
    if fd is None:
        return None
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(os.environ.pop(_PARENT)):  # killed before that: no signal will come
        raise SystemExit(_STARTUP_FAILURE)
    channel = socket.socket(fileno=int(os.environ.pop(_CHANNEL)))
    number, replaces = int(os.environ.pop(_INDEX)), os.environ.pop(_AGAIN) == "1"
    return Inherited(socket.socket(fileno=int(fd)), number, channel, replaces)


class _Workers:
    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._running: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._lines: dict[int, socket.socket] = {}
        self._unfinished: dict[int, bytes] = {}  # what a worker has begun to say
        self._served: set[int] = set()  # numbers under which a worker came up
        self._not_before: dict[int, float] = {}
        self.stopping = self.reload_wanted = False

    def start(self, index: int) -> None:
        if self.stopping:
            return
        fd = self._listener.fileno()
        line, channel = socket.socketpair()
        environment = {
            **os.environ,
            _FD: str(fd),
            _CHANNEL: str(channel.fileno()),
            _INDEX: str(index),
            _AGAIN: "1" if index in self._served else "0",
            _PARENT: str(os.getpid()),
            PREFIX + "DATABASE_URL": self._settings.database_url or "",
            PREFIX + "DATABASE_DIRECT_URL": self._settings.database_direct_url or "",
            PREFIX + "HOST": self._settings.host,
            PREFIX + "PORT": str(self._settings.port),
            PREFIX + "ADMIN_PORT": str(self._settings.admin_port),
            PREFIX + "WORKERS": str(self._settings.workers),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            pass_fds=[fd, channel.fileno()],
            env=environment,
        )
        channel.close()
        line.setblocking(False)
        if (before := self._lines.pop(index, None)) is not None:
            before.close()
        self._lines[index], self._unfinished[index] = line, b""
        self._not_before.pop(index, None)
        self._running[index] = (process, time.monotonic())

    def reload(self) -> None:
        """Tell all workers to read the query files anew."""
        self.reload_wanted = False
        for line in self._lines.values():
            _say(line, _RELOAD)

    def relay(self, seconds: float) -> None:
        """For so long, or until something was said: pass lines of one worker on to all others."""
        ready, _, _ = select.select(list(self._lines.values()), (), (), seconds)
        for index, line in list(self._lines.items()):
            if line not in ready:
                continue
            said = _heard(line)
            if not said:  # it has ended
                self._lines.pop(index).close()
                continue
            self._served.add(index)
            said = self._unfinished[index] + said
            whole, newline, self._unfinished[index] = said.rpartition(b"\n")
            for other in self._lines.values():
                if newline and other is not line:
                    _say(other, whole + newline)

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
            if code == _STARTUP_FAILURE and self._cannot_start(index):
                return code
            if time.monotonic() < self._not_before.get(index, 0.0):
                continue
            log.error("worker.died", worker=index, exit_code=code)
            if time.monotonic() - started < _QUICK_DEATH:
                time.sleep(1.0)
            self.start(index)
        return 0

    def _cannot_start(self, index: int) -> bool:
        """Whether that is the end: a replacement is tried again, while the others serve."""
        if index not in self._not_before:
            log.error("worker.cannot_start", worker=index)
            self._not_before[index] = time.monotonic() + _NEXT_TRY
        others = any(process.poll() is None for process, _ in self._running.values())
        return index not in self._served or not others

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for process, _ in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _say(line: socket.socket, message: bytes) -> None:
    """Say it whole; to one that does not listen, not for longer than a second."""
    line.settimeout(1.0)
    with contextlib.suppress(OSError):
        line.sendall(message)
    line.setblocking(False)


def _heard(line: socket.socket) -> bytes:
    with contextlib.suppress(OSError):
        return line.recv(1 << 16)
    return b""


def run(settings: Settings, listener: socket.socket) -> int:
    """Supervise until told to stop; the exit code."""
    from service.http.server import (  # noqa: PLC0415  (not for every command)
        ends_with_terminal,
        has_terminal,
        let_no_more_begin,
    )

    os.set_inheritable(listener.fileno(), True)
    workers = _Workers(settings, listener)
    hangs_up = ends_with_terminal()

    def stop(_number: int, _frame: FrameType | None) -> None:
        workers.signal(signal.SIGTERM if workers.stopping else signal.SIGUSR1)
        workers.stopping = True

    def reload(number: int, frame: FrameType | None) -> None:
        if hangs_up and not has_terminal():
            stop(number, frame)
        else:
            workers.reload_wanted = True

    signal.signal(signal.SIGHUP, reload)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    for index in range(settings.workers):
        workers.start(index)
    code = 0
    while not workers.stopping and not code:
        workers.relay(0.05)
        if workers.reload_wanted:
            workers.reload()
        if not workers.stopping:
            code = workers.replace_dead()
    if workers.stopping:
        time.sleep(settings.drain_seconds)
        let_no_more_begin(listener)  # what is on its way still arrives, and the workers take it
    workers.signal(signal.SIGTERM)
    workers.wait(settings.shutdown_seconds + 5)
    return code
