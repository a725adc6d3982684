"""The HTTP server of one process: uvicorn, with a drain before it stops listening."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import structlog
import uvicorn

from service.http.protocol import Protocol

log = structlog.get_logger("quarry.server")

_LAST_WORDS = 0.2  # seconds for requests that are on their way when the listener closes


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT: then not ready but listening, then no longer listening, then
    in-flight requests end, then the application's lifespan. A clean stop exits with 0."""

    def __init__(
        self, config: uvicorn.Config, drain_seconds: float, on_drain: Callable[[], None],
        also: uvicorn.Server | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config)
        self._drain_seconds = drain_seconds
        self._on_drain = on_drain
        self._also = also  # the admin listener, which lives as long as this one
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self._also is not None:
            self._also.config.load()
            self._also.lifespan = self._also.config.lifespan_class(self._also.config)
            await self._also.startup()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if not self.force_exit:
            await self._accept_the_last(sockets or [])
        await super().shutdown(sockets)
        if self._also is not None:
            self._also.force_exit = True
            await self._also.shutdown()

    async def _accept_the_last(self, sockets: list[socket.socket]) -> None:
        """Stop listening without a loss.

        The kernel resets connections that it took and we did not, and uvicorn closes those whose
        request it has not read yet: so take all that wait, and give each a moment to be read.
        """
        loop = asyncio.get_running_loop()
        taken = [connection for listener in sockets for connection in _waiting(listener)]
        for server in self.servers:
            server.close()
        for connection in taken:
            await loop.connect_accepted_socket(self._protocol, connection)
        if self.server_state.connections:
            await asyncio.sleep(_LAST_WORDS)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

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
        self._on_drain()
        log.info("server.draining", seconds=self._drain_seconds)
        assert self._loop is not None  # noqa: S101  (startup() set it)
        self._loop.call_later(self._drain_seconds, self._stop_listening)

    def _stop_listening(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but a signal that was obeyed is not raised again at the end."""
        handled = (signal.SIGINT, signal.SIGTERM)
        before = {sig: signal.signal(sig, self.handle_exit) for sig in handled}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)


def _waiting(listener: socket.socket) -> Iterator[socket.socket]:
    """The connections in a listener's queue."""
    with contextlib.suppress(OSError):
        while True:
            yield listener.accept()[0]


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
