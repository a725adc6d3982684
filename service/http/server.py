"""The HTTP server of one process: uvicorn, with a drain before it stops listening."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import structlog
import uvicorn

from service.http.protocol import Protocol

log = structlog.get_logger("quarry.server")

# seconds for requests that are on their way when the listener closes: at least, and beyond that
# at most for connections that were taken and have sent nothing yet
_LAST_WORDS, _MOST_LAST_WORDS = 0.2, 2.0
_SO_ATTACH_FILTER = 26
# Classic BPF for the listening socket: drop what has SYN and not ACK in its TCP flags, byte 13.
_NO_SYN = b"".join(
    struct.pack("HBBI", *step)
    for step in ((0x30, 0, 0, 13), (0x54, 0, 0, 0x12), (0x15, 0, 1, 0x02), (0x06, 0, 0, 0),
                 (0x06, 0, 0, 0xFFFFFFFF))
)  # fmt: skip


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT: then not ready but listening, then no longer listening, then
    in-flight requests end, then the application's lifespan. A clean stop exits with 0."""

    def __init__(
        self, config: uvicorn.Config, drain_seconds: float, on_drain: Callable[[], None],
        also: uvicorn.Server | None = None, *, alone: bool = True,
        on_reload: Callable[[], None] = lambda: None, on_up: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        super().__init__(config)
        self._on_reload, self._on_up = on_reload, on_up
        self._hangs_up = alone and ends_with_terminal()
        self._drain_seconds = drain_seconds
        self._on_drain = on_drain
        self._also = also  # the admin listener, which lives as long as this one
        self._alone = alone  # no other worker accepts from the same socket
        self._stopping = self._draining = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self._also is not None:
            self._also.config.load()
            self._also.lifespan = self._also.config.lifespan_class(self._also.config)
            await self._also.startup()
        if not self.should_exit:
            self._on_up()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening without a loss, then wait for what runs.

        The kernel resets connections that it took and we did not yet, and uvicorn closes those
        whose request it has not read yet: so first no more may come, and then all have a moment.
        A socket that other workers share stays open to them.
        """
        if not self.force_exit:
            for listener in (sockets or ()) if self._alone else ():
                let_no_more_begin(listener)
            await self._read_first_requests()
        await super().shutdown(sockets)
        if self._also is not None:
            self._also.force_exit = True
            await self._also.shutdown()

    async def _read_first_requests(self) -> None:
        """Give connections that were taken and have not been heard yet a moment."""
        await asyncio.sleep(_LAST_WORDS)
        deadline = asyncio.get_running_loop().time() + _MOST_LAST_WORDS
        connections: Any = self.server_state.connections
        while any(connection.cycle is None for connection in connections):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.05)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """First signal: drain, then stop. Second: stop at once."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin_to_stop, sig)
        else:
            self.should_exit = True

    def _begin_to_stop(self, sig: int) -> None:
        if self._stopping:
            self.should_exit = True
            self.force_exit = sig == signal.SIGINT
            return
        self._stopping = True
        assert self._loop is not None  # noqa: S101  (startup() set it)
        self._loop.call_later(0 if self._draining else self._drain_seconds, self._stop_listening)
        self._drain()

    def _drain(self) -> None:
        """Not ready from now on."""
        if not self._draining:
            self._draining = True
            self._on_drain()
            log.info("server.draining", seconds=self._drain_seconds)

    def handle_drain(self, sig: int, frame: FrameType | None) -> None:
        """A supervisor's SIGUSR1: drain; it says itself when to stop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._drain)

    def handle_reload(self, sig: int, frame: FrameType | None) -> None:
        """SIGHUP: read the query files anew. From a terminal that was closed: stop."""
        if self._hangs_up and not has_terminal():
            self.handle_exit(sig, frame)
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self._on_reload)

    def _stop_listening(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised again at the end."""
        handlers = {
            signal.SIGINT: self.handle_exit,
            signal.SIGTERM: self.handle_exit,
            signal.SIGUSR1: self.handle_drain,
            signal.SIGHUP: self.handle_reload,
        }
        before = {sig: signal.signal(sig, handler) for sig, handler in handlers.items()}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)


def has_terminal() -> bool:
    """Whether this process has a terminal that somebody may close."""
    with contextlib.suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    return False


def ends_with_terminal() -> bool:
    """Whether a SIGHUP may mean that the terminal was closed: it has one, and no nohup."""
    return has_terminal() and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


def let_no_more_begin(listener: socket.socket) -> None:
    """Take no further connection; those that are on their way still arrive. Linux only."""
    program = ctypes.create_string_buffer(_NO_SYN)
    filtered = struct.pack("HP", len(_NO_SYN) // 8, ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filtered)


def config(app: Any, host: str, port: int, shutdown_seconds: float, **more: Any) -> uvicorn.Config:
    """uvicorn's settings that suit a service behind a balancer."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=Protocol,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,  # longer than a balancer's idle time, else it sees sporadic resets
        timeout_graceful_shutdown=int(shutdown_seconds),
        backlog=2048,
        **more,
    )
