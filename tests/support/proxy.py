"""A TCP proxy that severs, stalls and restores the link, as networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

T = TypeVar("T")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """127.0.0.1:`port` → `upstream`, a (host, port) or the path of a unix socket.

    Runs in a thread of its own; every method may be called from the test's thread.
    """

    def __init__(self, upstream: tuple[str, int] | str) -> None:
        self.upstream = upstream
        self.port = 0
        self.accepted = 0
        self._severed = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]

    def dsn(self, dsn: str) -> str:
        """The same DSN, by way of this proxy."""
        parts = urlsplit(dsn)
        user = f"{parts.username}@" if parts.username else ""
        return urlunsplit((parts.scheme, f"{user}127.0.0.1:{self.port}", parts.path, "", ""))

    def url(self) -> str:
        """The proxy as an HTTP server."""
        return f"http://127.0.0.1:{self.port}"

    def sever(self) -> None:
        """Reset every connection, and each new one until `restore`."""
        self._call(self._sever())

    def stall(self) -> None:
        """Let connections stand, and new ones begin, but pass no byte until `restore`."""
        self._call(self._stall())

    def restore(self) -> None:
        """Pass bytes and connections again; stalled bytes arrive, severed connections stay cut."""
        self._call(self._restore())

    def open(self) -> int:
        """How many clients are connected now."""
        return len(self._writers) // 2

    def close(self) -> None:
        """End everything."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _sever(self) -> None:
        self._severed = True
        self._flowing.set()
        for writer in tuple(self._writers):
            _reset(writer)

    async def _stall(self) -> None:
        self._flowing.clear()

    async def _restore(self) -> None:
        self._severed = False
        self._flowing.set()

    async def _close(self) -> None:
        self._server.close()
        await self._sever()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._severed:
            _reset(writer)
            return
        await self._flowing.wait()
        try:
            upstream_reader, upstream_writer = await self._connect()
        except OSError:
            _reset(writer)
            return
        both = {writer, upstream_writer}
        self._writers |= both
        try:
            await asyncio.gather(
                self._pump(reader, upstream_writer), self._pump(upstream_reader, writer)
            )
        finally:
            self._writers -= both
            for end in both:
                end.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.upstream, str):
            return await asyncio.open_unix_connection(self.upstream)
        return await asyncio.open_connection(*self.upstream)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        await self._flowing.wait()
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, so that the other side sees a broken link and not a polite end."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):  # closed meanwhile
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
