"""Server-Sent Events: what happens to one thing, as it commits, told to any number of listeners.

A topic is a kind and the id of a row within a tenant. Its events are rows of `core.topic_events`,
written in the transaction of the change itself and numbered in the order of the commits; NOTIFY on
`quarry_events` only says that there are new ones. So nothing is lost with a connection: whoever
listens again, here or in another process, reads on from the last number it saw.

One task per topic and process reads new events, once for all its listeners, and keeps the last ones
in memory. A listener holds a number and nothing else: one that reads too slowly finds what it
missed in the table again. No connection of the pool is held while waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import NamedTuple

import structlog
from asyncpg.pgproto.pgproto import UUID
from starlette.requests import Request
from starlette.responses import Response

from service.database.errors import Failure
from service.database.session import Engine, Identity
from service.database.tree import sql
from service.http.answers import Headers, Stream, no_content
from service.http.context import Context, context, principal
from service.http.edge import check_project
from service.http.problems import Problem

log = structlog.get_logger("quarry.events")

CHANNEL = "quarry_events"
MEDIA_TYPE = "text/event-stream"
_PAGE = 200  # events read at once
_KEPT = 256  # events of a topic in memory, at least a page; one has at most 16 KiB
_CHUNK = 64 * 1024  # bytes sent at once, and a little more
_READ_SECONDS = 5.0  # for one read, and for one look at a listener's rights
_AGAIN_SECONDS = 1.0  # after a read that failed
_PATIENCE = 2.0  # keepalives until a listener that takes nothing is cut off; it can resume
_LAST_WORDS = 1.0  # seconds: the same, once the process stops
_HEADERS: Headers = [(b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
_OPENING = b"retry: 2000\n\n"  # ms until a listener comes back
_KEEPALIVE = b": keepalive\n\n"
_DRAINING = b": this process stops; come back with Last-Event-ID\n\n"

Key = tuple[str, str, str]  # tenant, topic, id
Ask = Callable[[], Awaitable[bool]]


class Event(NamedTuple):
    """One event: its number, the bytes that every listener gets, whether it is the last one."""

    sequence: int
    frame: bytes
    is_final: bool


class Topic:
    """What the listeners of one topic share."""

    def __init__(self, engine: Engine, key: Key, poll: float) -> None:
        self.listeners = 0
        self.changed = asyncio.Event()  # set, and replaced, whenever there is something new
        self._engine = engine
        self._identity = Identity(UUID(key[0]), "events")
        self._topic, self._topic_id = key[1], UUID(key[2])
        self._poll = poll
        self._kept: deque[Event] = deque()
        self._floor: int | None = None  # every event after it, up to the head, is kept
        self._head = 0
        self._stale = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    async def after(self, position: int) -> list[Event]:
        """The next events after a number: from memory, or a page of the table. Raises Failure."""
        if self._floor is None or position < self._floor:
            found = await self._read(position)
            if self._floor is None and len(found) < _PAGE:  # that was the end: from here on, told
                self._floor = self._head = found[-1].sequence if found else position
                self._reader = asyncio.get_running_loop().create_task(self._follow())
            if found:
                return found
        return [event for event in self._kept if event.sequence > position]

    def wake(self, sequence: int | None = None) -> None:
        """There is something new, up to this number if it is known."""
        if sequence is None or sequence > self._head:
            self._stale.set()

    def tell(self) -> None:
        """Let every listener look."""
        self.changed.set()
        self.changed = asyncio.Event()

    def close(self) -> None:
        """Nobody listens any more."""
        if self._reader is not None:
            self._reader.cancel()

    async def _follow(self) -> None:
        """Read what is new whenever there is something, and now and then in any case."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await self._stale.wait()
            self._stale.clear()
            try:
                while len(await self._take_in()) == _PAGE:
                    pass
            except Exception as error:  # whatever it is, a reader that gave up would be deaf
                log.warning("events.unread", topic=self._topic, reason=str(error))
                await asyncio.sleep(_AGAIN_SECONDS)
                self._stale.set()

    async def _take_in(self) -> list[Event]:
        found = await self._read(self._head)
        if found:
            self._kept.extend(found)
            self._head = found[-1].sequence
            while len(self._kept) > _KEPT:
                self._floor = self._kept.popleft().sequence
            self.tell()
        return found

    async def _read(self, after: int) -> list[Event]:
        async with self._engine.session(self._identity, "events", _READ_SECONDS) as db:
            rows = await db.fetch(
                sql.events.after, topic=self._topic, topic_id=self._topic_id,
                after=after, limit=_PAGE,
            )  # fmt: skip
        return [
            Event(row["sequence"], _frame(row["sequence"], row["event"], row["data"]),
                  row["is_final"])
            for row in rows
        ]  # fmt: skip


def _frame(sequence: int, event: str, data: str) -> bytes:
    """An event as it is sent. JSON of PostgreSQL has no line breaks outside of strings."""
    return f"id: {sequence}\nevent: {event}\ndata: {data}\n\n".encode()


class Hub:
    """The topics that somebody in this process listens to, and their listeners."""

    def __init__(self, engine: Engine, keepalive: float, most: int) -> None:
        self.engine = engine
        self.keepalive = keepalive  # seconds
        self.draining = False
        self.listeners: set[Listening] = set()
        self._most = most
        self._topics: dict[Key, Topic] = {}

    @property
    def topics(self) -> int:
        """How many topics somebody listens to."""
        return len(self._topics)

    def wake(self, payload: str) -> None:
        """A notification: `tenant topic id sequence`."""
        tenant, topic, topic_id, sequence = payload.split(" ")
        found = self._topics.get((tenant, topic, topic_id))
        if found is not None:
            found.wake(int(sequence))

    def wake_all(self) -> None:
        """Notifications may have been missed."""
        for topic in self._topics.values():
            topic.wake()

    def drain(self) -> None:
        """End every stream: its listener comes back, to another process, where it left off."""
        self.draining = True
        for topic in self._topics.values():
            topic.tell()
        for listener in self.listeners:
            listener.hurry(_LAST_WORDS)

    def join(self, key: Key, listener: Listening) -> Topic:
        """Take part in a topic until `leave`. Raises Problem pool_exhausted."""
        if len(self.listeners) >= self._most:
            raise Problem(
                "pool_exhausted", "Too many streams of events are open.",
                headers={"Retry-After": "5"},
            )  # fmt: skip
        topic = self._topics.get(key)
        if topic is None:
            topic = self._topics[key] = Topic(self.engine, key, self.keepalive)
        topic.listeners += 1
        self.listeners.add(listener)
        return topic

    def leave(self, key: Key, listener: Listening) -> None:
        """Take part no longer."""
        self.listeners.discard(listener)
        topic = self._topics[key]
        topic.listeners -= 1
        if not topic.listeners:
            topic.close()
            del self._topics[key]


class Listening(Stream):
    """One listener's stream. It ends after a final event, when its caller may no longer see the
    topic, and when the process stops."""

    def __init__(self, hub: Hub, key: Key, position: int, rights: Rights) -> None:
        super().__init__(self._run(), MEDIA_TYPE.encode(), _HEADERS)
        self.patience = _PATIENCE * hub.keepalive
        self._hub = hub
        self._key = key
        self._position = position
        self._rights = rights

    async def _run(self) -> AsyncGenerator[bytes, None]:
        hub, loop = self._hub, asyncio.get_running_loop()
        topic = hub.join(self._key, self)
        try:
            events = await topic.after(self._position)  # a failure here is still a problem
            for chunk in self._chunks(events, _OPENING):
                yield chunk
            due = self._rights.next_look(hub.keepalive)
            while not (events and events[-1].is_final):
                changed = topic.changed  # before anything is awaited: what comes then sets this one
                if hub.draining:
                    yield _DRAINING
                    return
                if loop.time() >= due:
                    admitted = await self._rights.look()
                    if admitted is False:
                        return
                    yield _KEEPALIVE
                    if admitted is None:  # nobody knows: nothing is told until somebody does
                        await _set_until(changed, loop.time() + _AGAIN_SECONDS)
                        continue
                    due = self._rights.next_look(hub.keepalive)
                try:
                    events = await topic.after(self._position)
                except Failure:
                    await _set_until(changed, loop.time() + _AGAIN_SECONDS)
                    continue
                for chunk in self._chunks(events):
                    yield chunk
                if not events:
                    await _set_until(changed, due)
        finally:
            hub.leave(self._key, self)

    def _chunks(self, events: list[Event], opening: bytes = b"") -> Iterator[bytes]:
        """What is sent of these events, in pieces that no slow listener makes large."""
        chunk = bytearray(opening)
        for event in events:
            chunk += event.frame
            self._position = event.sequence
            if len(chunk) >= _CHUNK:
                yield bytes(chunk)
                chunk.clear()
        if chunk:
            yield bytes(chunk)

    def hurry(self, seconds: float) -> None:
        """What the listener has not taken by then, it does not get any more."""
        if self.limit is not None and self.limit.when() is not None:
            self.limit.reschedule(asyncio.get_running_loop().time() + seconds)


async def _set_until(event: asyncio.Event, when: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(when):
            await event.wait()


class Rights:
    """Whether the caller of a stream may still see it: asked anew every so often.

    `still` says whether what the topic is about is still there, for this caller.
    """

    def __init__(self, here: Context, parameters: dict[str, str], still: Ask) -> None:
        self._here = here
        self._parameters = parameters
        self._still = still

    def next_look(self, seconds: float) -> float:
        """When to look again, by the loop's clock: after so many seconds, or when a key ends."""
        caller = self._here.principal
        if caller is not None and caller.expires_at is not None:
            seconds = min(seconds, max(0.0, caller.expires_at - time.time()))
        return asyncio.get_running_loop().time() + seconds

    async def look(self) -> bool | None:
        """The answer; None: the database cannot be asked."""
        here = self._here
        here.deadline = asyncio.get_running_loop().time() + _READ_SECONDS
        try:
            return await self._ask(here)
        except Failure:
            return None
        except Problem as problem:
            return None if problem.status >= 500 else False

    async def _ask(self, here: Context) -> bool:
        assert here.endpoint is not None and here.principal is not None  # noqa: S101
        tenant = here.principal.identity.tenant_id
        credentials = here.headers.get(b"authorization")
        caller = here.principal = await here.process.authenticator(credentials, here.remaining())
        if caller.identity.tenant_id != tenant or not caller.allows(here.endpoint.scope or ""):
            return False
        if caller.restricted:
            await check_project(here, caller, here.endpoint, self._parameters)
        return await self._still()


async def follow(
    request: Request, topic: str, topic_id: UUID, *, last: int, is_over: bool, still: Ask
) -> Response:
    """The events of a topic of the caller's tenant, as a stream.

    From the first one, or behind the number in Last-Event-ID. `last` is the number of the latest
    event and `is_over` whether it is a final one, as the caller's own look at the row has shown;
    `still` is asked every so often whether the row can still be seen. 204 for a listener who has
    seen the end: that tells an EventSource to come back no more. Raises Problem bad_header.
    """
    here = context(request)
    seen = _last_event_id(here)
    if is_over and seen is not None and seen >= last:
        return no_content(list(_HEADERS))
    if request.method == "HEAD":
        return no_content([(b"content-type", MEDIA_TYPE.encode()), *_HEADERS], status=200)
    key = (str(principal(request).identity.tenant_id), topic, str(topic_id))
    # A number that is yet to come would hide what comes before it (a database restored, say).
    position = min(seen or 0, last)
    return Listening(here.process.events, key, position, Rights(here, request.path_params, still))


def _last_event_id(here: Context) -> int | None:
    value = (here.header(b"last-event-id") or "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise Problem("bad_header", "Last-Event-ID must be the id of an event of this stream.")
    return int(value)
