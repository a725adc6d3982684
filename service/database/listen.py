"""One listening connection per process: LISTEN on the direct URL, with reconnection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

log = structlog.get_logger("quarry.listen")

Handler = Callable[[str], None]

_ASK_EVERY, _ANSWER_WITHIN = 1.0, 1.0  # seconds: together, how long a dead link goes unnoticed


class Listener:
    """Notifications of PostgreSQL, given to handlers by channel.

    `on_gap` is called whenever notifications may have been missed (each loss of the connection),
    so that whoever keeps something in memory can drop it.
    """

    def __init__(self, dsn: str, handlers: dict[str, Handler], on_gap: Callable[[], None]) -> None:
        self._dsn = dsn
        self._handlers = handlers
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None
        self.connected = False

    def start(self) -> None:
        """Listen in the background until `stop`."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop listening and close the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = 0.25
        while True:
            try:
                await self._listen()
                pause = 0.25
            except Exception as error:  # whatever it is, a listener that gave up would be deaf
                log.warning("listen.lost", reason=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 2)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(
            self._dsn, timeout=5, server_settings={"application_name": "quarry-listen"}
        )
        lost = asyncio.get_running_loop().create_future()

        def note_loss(_connection: Any) -> None:
            if not lost.done():
                lost.set_result(None)

        connection.add_termination_listener(note_loss)
        try:
            for channel in self._handlers:
                await connection.add_listener(channel, self._deliver)
            self._on_gap()
            self.connected = True
            while not lost.done():  # a link that died silently is found by asking
                await asyncio.wait([lost], timeout=_ASK_EVERY)
                if not lost.done():  # by fetch(): execute() cannot read the answer to nothing
                    await connection.fetch("", timeout=_ANSWER_WITHIN)
        finally:
            self.connected = False
            self._on_gap()
            connection.terminate()

    def _deliver(self, _connection: Any, _pid: int, channel: str, payload: str) -> None:
        self._handlers[channel](payload)
