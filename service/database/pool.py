"""Connections: opening, codecs, lending, breaker, draining.

asyncpg's pool opens, initialises and closes connections; what a request borrows comes from a free
list of connections leased from it, so that neither pool proxies nor a reset query stand in the hot
path. That is safe because the engine leaves no session state behind: its settings are
transaction-local, and a connection that failed in any doubtful way is closed, never lent again.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import structlog

from service.database import guard
from service.database.errors import Failure, Kind, explain, survives

log = structlog.get_logger("quarry.pool")

BREAK_AFTER = 5  # connection failures in a row
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0  # seconds between attempts while the breaker is open


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How a pool opens and lends connections; times in seconds."""

    dsn: str
    init_size: int = 2
    min_size: int = 2
    max_size: int = 20
    wait: float = 1.0
    connect_timeout: float = 2.0
    idle: float = 300.0
    isolation: str = "auto"
    statement_cache: bool = True
    application_name: str = "quarry"


class Link:
    """A leased connection, its prepared statements and whether its guard works."""

    __slots__ = ("connection", "guarded", "idle_since", "keeps", "lease", "statements", "transport")

    def __init__(
        self, lease: Any, connection: guard.Connection, guarded: bool, keeps: bool
    ) -> None:
        self.keeps = keeps  # prepared statements; without, the unnamed one is made each time
        self.lease = lease
        self.connection = connection
        self.transport = connection.transport
        self.guarded = guarded
        self.statements: dict[str, Any] = {}
        self.idle_since = 0.0

    async def prepare(self, text: str, timeout: float) -> Any:
        """The prepared statement of a text, made on first use."""
        statement = self.statements.get(text)
        if statement is None:
            statement = await self.connection.prepare(text, timeout=timeout)
            if self.keeps:
                self.statements[text] = statement
        return statement

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """What the driver raises within becomes a Failure."""
        try:
            yield
        except Failure:
            raise
        except Exception as error:
            raise self.explained(error) from error

    def explained(self, error: Exception) -> Failure:
        """The failure that an error of the driver is; a stale plan is forgotten with its kin."""
        failure = explain(error)
        if failure.kind is Kind.STALE_PLAN:
            self.statements.clear()  # prepared anew on their next use
        return failure


class Breaker:
    """Opens after consecutive failures to connect; lets one attempt through after each pause."""

    __slots__ = ("_clock", "failures", "retry_at")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.failures = 0
        self.retry_at = 0.0

    @property
    def open(self) -> bool:
        """Whether attempts are refused at this moment."""
        return self.failures >= BREAK_AFTER and self._clock() < self.retry_at

    def enter(self) -> None:
        """Raise Failure(UNAVAILABLE) while open; else admit this attempt (half-open: only it)."""
        if self.open:
            raise Failure(Kind.UNAVAILABLE, "the database cannot be reached (circuit open)")
        if self.failures >= BREAK_AFTER:
            self.retry_at = self._clock() + _LONGEST_PAUSE

    def failed(self) -> None:
        """Count a failure; pauses grow by doubling up to their bound, with jitter."""
        self.failures += 1
        grown = _FIRST_PAUSE * 2 ** min(self.failures - BREAK_AFTER, 8)
        pause = min(_LONGEST_PAUSE, grown) if self.failures >= BREAK_AFTER else 0.0
        self.retry_at = self._clock() + pause * random.uniform(0.5, 1.0)  # noqa: S311

    def succeeded(self) -> None:
        """Close."""
        self.failures = 0


class Pool:
    """The connections of one process."""

    def __init__(self, options: PoolOptions) -> None:
        self.options = options
        self._loop = asyncio.get_running_loop()
        self._free: deque[Link] = deque()
        self._waiting: deque[asyncio.Future[Link | None]] = deque()
        self._leased = 0
        self.links: set[Link] = set()  # all that are open, lent or not
        self._retiring: set[asyncio.Task[None]] = set()
        self._opening: set[asyncio.Task[Link]] = set()
        self._source: asyncpg.Pool | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._closing = False
        self.breaker = Breaker(self._loop.time)
        self.exhausted_total = 0

    # opening and closing

    async def open(self) -> None:
        """Open the first connections. Raises Failure when the database cannot be reached."""
        options = self.options
        self._source = await asyncpg.create_pool(
            options.dsn,
            init_size=0,
            min_size=0,
            max_size=options.max_size,
            max_inactive_connection_lifetime=1.0,
            init=self._initialise,
            connect=guard.connect,
            connection_class=guard.Connection,
            timeout=options.connect_timeout,
            command_timeout=60.0,
            statement_cache_size=512 if options.statement_cache else 0,
            server_settings={"application_name": options.application_name},
        )
        enough = 2 * options.connect_timeout
        links = [await self._open_link(enough) for _ in range(options.init_size)]
        for link in links:
            self.take_back(link)
        self._sweeper = self._loop.create_task(self._sweep())

    async def close(self, timeout: float) -> None:
        """Close every connection; those still borrowed after `timeout` seconds are cut."""
        self._closing = True
        for task in (self._sweeper, *self._opening):
            if task is not None:
                task.cancel()
        self.expire()
        if self._source is None:
            return
        try:
            await asyncio.wait_for(self._source.close(), timeout)
        except TimeoutError:
            self._source.terminate()
        await asyncio.gather(*self._retiring, *self._opening, return_exceptions=True)

    async def _initialise(self, connection: guard.Connection) -> None:
        """Codecs (json as bytes, jsonb by orjson) and the self-test of the guard."""
        await connection.set_type_codec(
            "json", schema="pg_catalog", format="binary", encoder=_identity, decoder=_identity
        )
        await connection.set_type_codec(
            "jsonb", schema="pg_catalog", format="binary", encoder=_to_jsonb, decoder=_from_jsonb
        )
        if await guard.bypasses_isolation(connection):
            raise Failure(
                Kind.UNEXPECTED,
                "the service's role is a superuser or has BYPASSRLS, so row-level security would "
                "not hold: connect as quarry_app",
            )
        if self.options.isolation == "transaction" or not self.options.statement_cache:
            return
        try:
            await guard.verify(connection)
        except guard.GuardFailed as error:
            if self.options.isolation == "guard":
                raise
            connection.guards = []
            log.error("isolation.guard_failed", reason=str(error), fallback="transaction")

    # lending

    async def lend(self, timeout: float) -> Link:
        """A connection, within `timeout` seconds (at most the pool's own bound).

        Raises Failure: EXHAUSTED when none came free in time, UNAVAILABLE when none can be opened.
        """
        free = self._free
        while free:
            link = free.pop()
            if not link.connection.is_closed():
                return link
            self._retire(link)
        return await self._open_or_wait(timeout)

    async def _open_or_wait(self, timeout: float) -> Link:
        now = self._loop.time()
        deadline, give_up = now + timeout, now + min(timeout, self.options.wait)
        while not self._closing:
            if self._leased < self.options.max_size:
                return await self._open_link(deadline - self._loop.time())
            link = await self._wait(give_up)
            if link is not None:
                return link
            # None: a lease was lost instead of given back, so there is room, unless another
            # was faster
            if self._free:
                return await self.lend(deadline - self._loop.time())
        raise Failure(Kind.UNAVAILABLE, "the pool is closing")

    async def _open_link(self, timeout: float) -> Link:
        """A new connection. Whoever asks may leave before it is there: then it is for others.

        So a caller's short deadline neither counts as a failure to connect, which would open the
        breaker for everyone, nor throws away what was begun.
        """
        self.breaker.enter()
        self._leased += 1
        task = self._loop.create_task(self._connect())
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(task)
        except TimeoutError:
            task.add_done_callback(self._keep)
            raise Failure(Kind.DEADLINE, "the deadline passed") from None
        except asyncio.CancelledError:
            if task.cancelled():
                raise Failure(Kind.UNAVAILABLE, "the pool is closing") from None
            task.add_done_callback(self._keep)
            raise

    def _keep(self, task: asyncio.Task[Link]) -> None:
        if not task.cancelled() and task.exception() is None:
            self.take_back(task.result())

    async def _connect(self) -> Link:
        assert self._source is not None  # noqa: S101  (open() made it)
        try:
            lease = await self._source.acquire(timeout=self.options.connect_timeout)
        except BaseException as error:
            self._leased -= 1
            self._wake_one(None)
            if isinstance(error, asyncio.CancelledError) or (
                isinstance(error, Failure) and error.kind is Kind.UNEXPECTED
            ):
                raise
            self.breaker.failed()
            reason = type(error).__name__
            log.warning("pool.connect_failed", reason=reason, in_a_row=self.breaker.failures)
            raise Failure(Kind.UNAVAILABLE, "the database cannot be reached") from error
        self.breaker.succeeded()
        connection = lease._con  # the proxy's public face hides the connection
        link = Link(lease, connection, bool(connection.guards), self.options.statement_cache)
        self.links.add(link)
        return link

    async def _wait(self, give_up: float) -> Link | None:
        waiter: asyncio.Future[Link | None] = self._loop.create_future()
        self._waiting.append(waiter)
        timer = self._loop.call_at(give_up, _give_up, waiter)
        try:
            return await waiter
        except TimeoutError:
            self.exhausted_total += 1
            raise Failure(Kind.EXHAUSTED, "no connection came free in time") from None
        except asyncio.CancelledError:
            self._pass_on(waiter)
            raise
        finally:
            timer.cancel()

    def _pass_on(self, waiter: asyncio.Future[Link | None]) -> None:
        """Give on what a waiter got in the moment in which it was cancelled."""
        if waiter.cancelled() or waiter.exception() is not None:
            return
        given = waiter.result()
        if given is None:
            self._wake_one(None)
        else:
            self.take_back(given)

    def _wake_one(self, link: Link | None) -> bool:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(link)
                return True
        return False

    def take_back(self, link: Link, error: BaseException | None = None) -> None:
        """Give a connection back, with the error that its last statement ended in, if any."""
        if error is not None and not survives(error):
            if explain(error).kind is Kind.READ_ONLY and self._source is not None:
                self.expire()
            self._retire(link)
        elif self._closing or link.connection.is_closed():
            self._retire(link)
        elif not (self._waiting and self._wake_one(link)):
            link.idle_since = self._loop.time()
            self._free.append(link)

    def expire(self) -> None:
        """Close all idle connections, as when the server behind them is no longer the primary."""
        while self._free:
            self._retire(self._free.popleft())

    def _retire(self, link: Link) -> None:
        """Close a connection in the background, ending what it still runs; then make room."""
        task = self._loop.create_task(self._close_link(link))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _close_link(self, link: Link) -> None:
        try:
            await link.connection.close(timeout=2.0)  # waits for a pending cancel to arrive
        except Exception:
            link.connection.terminate()
        finally:
            self.links.discard(link)
            self._leased -= 1
            self._wake_one(None)

    async def _sweep(self) -> None:
        """Every few seconds, close connections above the minimum that have been idle too long."""
        while True:
            await asyncio.sleep(min(5.0, self.options.idle))
            oldest = self._loop.time() - self.options.idle
            while self._leased - len(self._retiring) > self.options.min_size and self._free:
                if self._free[0].idle_since > oldest:
                    break
                self._retire(self._free.popleft())

    @property
    def size(self) -> int:
        """Connections leased or being opened."""
        return self._leased

    @property
    def idle(self) -> int:
        """Connections that nobody borrows."""
        return len(self._free)

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return sum(not w.done() for w in self._waiting)


def _give_up(waiter: asyncio.Future[Link | None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def _identity(value: Any) -> Any:
    return value


def _to_jsonb(value: Any) -> bytes:
    return b"\x01" + (value if isinstance(value, bytes) else orjson.dumps(value))


def _from_jsonb(data: bytes) -> Any:
    return orjson.loads(data[1:])
