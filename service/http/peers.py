"""The other workers of this host, spoken to through the supervisor.

The supervisor passes each line of one worker on to all others and says the first word itself on
SIGHUP. A line is a JSON object: {"here": n}, {"ask": id} or {"answer": id, "worker": n, …}.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

Answerer = Callable[[], Awaitable[dict[str, Any]]]

_LONGEST = 1024 * 1024  # bytes of a line


class Peers:
    """One worker's end of the line; without a `channel` there are no others."""

    def __init__(
        self, channel: socket.socket | None = None, index: int = 0, count: int = 1
    ) -> None:
        self._channel = channel
        self._index = index
        self._count = count if channel is not None else 1
        self._numbers = itertools.count(1)
        self._asked: dict[str, list[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, answerer: Answerer) -> None:
        """Listen, and answer what others ask with `answerer`."""
        if self._channel is None:
            return
        reader, self._writer = await asyncio.open_unix_connection(
            sock=self._channel, limit=_LONGEST
        )
        self._task = asyncio.get_running_loop().create_task(self._listen(reader, answerer))

    def announce(self) -> None:
        """Tell the supervisor that this worker serves."""
        if self._writer is not None:
            self._writer.write(orjson.dumps({"here": self._index}) + b"\n")

    async def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()

    async def ask(self, seconds: float) -> list[dict[str, Any]]:
        """What the others answer; one that is silent for so long is told as such."""
        if self._writer is None:
            return []
        name = f"{self._index}-{next(self._numbers)}"
        answers = self._asked[name] = []
        try:
            async with asyncio.timeout(seconds):
                await self._say({"ask": name})
                while len(answers) < self._count - 1:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            silent = set(range(self._count)) - {self._index, *(a["worker"] for a in answers)}
            answers += [{"worker": n, "status": "silent"} for n in sorted(silent)]
        finally:
            del self._asked[name]
        return sorted(answers, key=lambda answer: answer["worker"])

    async def _listen(self, reader: asyncio.StreamReader, answerer: Answerer) -> None:
        while line := await reader.readline():
            said = orjson.loads(line)
            if "ask" in said:
                answer = await answerer()
                await self._say({"answer": said["ask"], "worker": self._index, **answer})
            elif (answers := self._asked.get(said.get("answer", ""))) is not None:
                answers.append({key: said[key] for key in said if key != "answer"})
                self._news.set()

    async def _say(self, message: dict[str, Any]) -> None:
        assert self._writer is not None  # noqa: S101  (open() made it)
        self._writer.write(orjson.dumps(message) + b"\n")
        await self._writer.drain()
