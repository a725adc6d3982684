"""Listeners of Server-Sent Events, each in a thread of its own."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from typing import Any, NamedTuple

import orjson

from tests.support.server import Server
from tests.support.wait import wait_until


class Event(NamedTuple):
    """One event as a listener got it."""

    id: int
    event: str
    data: dict[str, Any]


class Listener:
    """`GET path` until the stream ends: `events`, `comments`, `retry`, whether it `ended` well.

    `broken` tells how the connection broke, if it did.
    """

    def __init__(self, server: Server, key: str, path: str, last: int | None = None,
                 **headers: str) -> None:  # fmt: skip
        self.events: list[Event] = []
        self.comments: list[str] = []
        self.retry: str | None = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self.ended = False
        self.broken = ""
        self._link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        sent = {"Authorization": f"Bearer {key}"} | headers
        if last is not None:
            sent["Last-Event-ID"] = str(last)
        self._link.request("GET", path, headers=sent)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    @property
    def ids(self) -> list[int]:
        """The ids so far."""
        return [event.id for event in self.events]

    @property
    def statuses(self) -> list[str]:
        """What the execution was told to be, event by event."""
        return [event.data["status"] for event in self.events]

    def await_id(self, number: int, seconds: float = 10.0) -> None:
        """Wait until this event is there."""
        wait_until(lambda: number in self.ids or self._failed(), seconds, f"event {number}")
        assert number in self.ids, self.broken

    def await_end(self, seconds: float = 10.0) -> None:
        """Wait until the server has ended the stream, in good order."""
        wait_until(lambda: self.ended or self._failed(), seconds, "the end of the stream")
        assert self.ended, self.broken

    def hang_up(self) -> None:
        """Leave."""
        if self._link.sock is not None:
            with contextlib.suppress(OSError):
                self._link.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)

    def _failed(self) -> bool:
        return not self._thread.is_alive() and not self.ended

    def _listen(self) -> None:
        try:
            answer = self._link.getresponse()
            self.status = answer.status
            self.headers = {name.lower(): value for name, value in answer.getheaders()}
            fields: dict[str, str] = {}
            while line := answer.readline():
                self._take(line.decode().rstrip("\n"), fields)
            self.ended = True
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.broken = repr(error)
        finally:
            self._link.close()

    def _take(self, line: str, fields: dict[str, str]) -> None:
        if line.startswith(":"):
            self.comments.append(line[1:].strip())
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            data = orjson.loads(fields["data"])
            self.events.append(Event(int(fields["id"]), fields["event"], data))
            fields.clear()
        elif "retry" in fields:
            self.retry = fields.pop("retry")
