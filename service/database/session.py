"""A unit of work for one tenant: one(), many(), page(), value(), execute(), fetch(), stream().

A statement outside `transaction()` is its own transaction, in one round trip with its guard. The
methods take names of the query tree (`sql.projects.get`) and keyword arguments named as in the
query's file; `tenant_id` comes from the session and cannot be passed. They raise Failure.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple, ParamSpec, TypeVar

from asyncpg.pgproto.pgproto import UUID

from service.database import guard
from service.database.errors import Failure, Kind, explain
from service.database.pool import Link, Pool
from service.database.queries import Query
from service.database.tree import Affected, Many, One, Page, Stream, Value

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 3  # runs of a unit that may be run again after a serialization failure or a deadlock
_AGAIN = (Kind.SERIALIZATION, Kind.STALE_PLAN)
_STREAM_ROWS = 500  # rows that a stream holds in memory at a time, unless its session says less


class Row(NamedTuple):
    """One JSON object and the version that its ETag is made of."""

    etag: str | None
    body: bytes


class Items(NamedTuple):
    """A page: a JSON array, and the JSON array of cursor values when there is a further page."""

    items: bytes
    cursor: bytes | None


@dataclass(slots=True)
class Statistics:
    """What this process has seen of one query; seconds are wall time with the round trip."""

    calls: int = 0
    errors: int = 0
    seconds: float = 0.0
    slowest: float = 0.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who works, for which tenant, as the database sees it; `role` works with other rights."""

    tenant_id: UUID
    actor: str
    user_id: str = ""
    role: str = ""
    read_guard: bytes = field(default=b"", init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "read_guard", guard.read_guard(str(self.tenant_id)))


class Engine:
    """What all sessions of a process share: the pool, the loaded queries, their statistics."""

    def __init__(self, pool: Pool, queries: Mapping[str, Query], slow: float = 1.0) -> None:
        self.pool = pool
        self.queries = queries
        self.slow = slow
        self.statistics: defaultdict[str, Statistics] = defaultdict(Statistics)
        self.on_slow: Callable[[str, float], None] = lambda _name, _seconds: None
        self.streams = asyncio.Semaphore(max(1, pool.options.max_size // 4))

    def session(self, identity: Identity, request_id: str = "", timeout: float = 15.0,
                queries: Mapping[str, Query] | None = None) -> Session:  # fmt: skip
        """A unit of work that ends within `timeout` seconds; `queries`: an older set of them."""
        deadline = asyncio.get_running_loop().time() + timeout
        return Session(self, identity, request_id, deadline, queries)

    def record(self, name: str, seconds: float, failed: bool) -> None:
        """Count one call of a query."""
        seen = self.statistics[name]
        seen.calls += 1
        seen.seconds += seconds
        seen.slowest = max(seen.slowest, seconds)
        if failed:
            seen.errors += 1
        if seconds > self.slow:
            self.on_slow(name, seconds)


class Session:
    """See the module. Not for use by several tasks at once."""

    __slots__ = (
        "_engine", "_identity", "_link", "_loop", "_nesting", "_queries", "_request_id", "deadline",
        "stream_rows",
    )  # fmt: skip

    def __init__(
        self, engine: Engine, identity: Identity, request_id: str, deadline: float,
        queries: Mapping[str, Query] | None = None,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._identity = identity
        self._request_id = request_id
        self._queries = queries or engine.queries  # one set for all, even when sql/ is reloaded
        self._loop = engine.pool._loop
        self._link: Link | None = None
        self._nesting = 0
        self.deadline = deadline
        self.stream_rows = _STREAM_ROWS

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    # what handlers call

    async def one(self, name: Callable[P, One], /, *_: P.args, **values: P.kwargs) -> Row | None:
        """The row of a `:one` query as JSON, or None when there is none."""
        query = self._queries[name]  # type: ignore[index]
        rows = await self._run(query, query.wire, values, 1)
        return Row(rows[0][0], rows[0][1]) if rows else None

    async def many(self, name: Callable[P, Many], /, *_: P.args, **values: P.kwargs) -> bytes:
        """All rows of a `:many` query as a JSON array."""
        query = self._queries[name]  # type: ignore[index]
        rows = await self._run(query, query.wire, values, 1)
        return rows[0][0]  # type: ignore[no-any-return]

    async def page(self, name: Callable[P, Page], limit: int, after: Sequence[Any] | None, /,
                   *_: P.args, **values: P.kwargs) -> Items:  # fmt: skip
        """At most `limit` rows of a `:page` query behind the values `after` (None: the first)."""
        query = self._queries[name]  # type: ignore[index]
        given = self._page_values(query, limit + 1, after, values)
        rows = await self._run(query, query.wire, given, 1)
        return Items(rows[0][0], rows[0][1])

    async def value(self, name: Callable[P, Value], /, *_: P.args, **values: P.kwargs) -> Any:
        """The first column of the first row as a Python value, or None."""
        query = self._queries[name]  # type: ignore[index]
        rows = await self._run(query, query.sql, values, 1)
        return rows[0][0] if rows else None

    async def fetch(self, name: Callable[P, Any], /, *_: P.args,
                    **values: P.kwargs) -> list[Mapping[str, Any]]:  # fmt: skip
        """The rows of any query as Python values, for code that must see them."""
        query = self._queries[name]  # type: ignore[index]
        rows: list[Mapping[str, Any]] = await self._run(query, query.sql, values, 0)
        return rows

    async def execute(self, name: Callable[P, Affected], /, *_: P.args, **values: P.kwargs) -> int:
        """How many rows an `:affected` query changed."""
        query = self._queries[name]  # type: ignore[index]
        rows = await self._run(query, query.wire, values, 0)
        return int(rows[0][0]) if rows else 0

    async def stream(self, name: Callable[P, Page | Stream], /, *_: P.args,
                     **values: P.kwargs) -> AsyncGenerator[bytes, None]:  # fmt: skip
        """Every row as one line of JSON, from a server-side cursor, some hundred rows at a time."""
        query = self._queries[name]  # type: ignore[index]
        given = self._page_values(query, None, None, values) if query.cursor else values
        arguments = self._arguments(query, given)
        async with self._stream_slot(), self.transaction(read_only=True):
            link = self._link
            assert link is not None  # noqa: S101  (transaction() leased it)
            with link.explaining():
                statement = await link.prepare(query.row_sql, self._remaining())
                cursor = await statement.cursor(*arguments, timeout=self._remaining())
                while rows := await cursor.fetch(self.stream_rows, timeout=self._remaining()):
                    yield b"\n".join(row[0] for row in rows) + b"\n"

    async def copy_in(self, table: str, columns: Sequence[str], data: bytes) -> None:
        """Rows by one binary COPY, inside of a transaction() that is open. Raises Failure."""
        link = self._link
        assert link is not None  # noqa: S101  (its caller opened the transaction)
        schema, name = table.split(".")
        with link.explaining():  # bytes without a view would be taken for the path of a file
            await link.connection.copy_to_table(
                name, source=memoryview(data), columns=columns, schema_name=schema,
                format="binary", timeout=self._remaining())  # fmt: skip

    @asynccontextmanager
    async def _stream_slot(self) -> AsyncIterator[None]:
        """One of the connections that streams may hold; waiting for it is bounded as any other."""
        try:
            async with asyncio.timeout(min(self._remaining(), self._engine.pool.options.wait)):
                await self._engine.streams.acquire()
        except TimeoutError:
            raise Failure(Kind.EXHAUSTED, "too many streams run already") from None
        try:
            yield
        finally:
            self._engine.streams.release()

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[None]:
        """A real transaction; nested, a savepoint. Any exception rolls it back."""
        if self._link is not None:
            async with self._savepoint():
                yield
            return
        link = await self._engine.pool.lend(self._remaining())
        error: BaseException | None = None
        try:
            await self._say(link, self._begin(read_only))
            self._link = link
            yield
            await self._commit(link)
        except BaseException as raised:
            error = await self._roll_back(link, raised)
            if isinstance(raised, Exception) and not isinstance(raised, Failure):
                failure = explain(raised)
                if failure.kind is not Kind.UNEXPECTED:
                    raise failure from raised
            raise
        finally:
            self._link = None
            self._engine.pool.take_back(link, error)

    async def atomically(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` in a transaction; after a serialization failure, a deadlock or a change of the
        schema under a prepared statement, again from its start.

        Only for work that may be repeated: nothing outside the database may happen in it.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self.transaction():
                    return await work()
            except Failure as failure:
                if failure.kind not in _AGAIN or attempt == ATTEMPTS:
                    raise
                await self._pause(attempt)
        raise AssertionError("unreachable")

    # how it is done

    def _arguments(self, query: Query, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of `$n`. Raises TypeError on a missing or unknown name."""
        if "tenant_id" in values:
            raise TypeError(f"{query.name}: tenant_id comes from the session")
        given = {**values, "tenant_id": self._identity.tenant_id}
        if len(given) != len(query.params) + 1:
            given = _completed(query, given)
        try:
            return [given[name] for name in query.order]
        except KeyError as missing:
            raise TypeError(f"{query.name}: {missing} is missing") from None

    @staticmethod
    def _page_values(
        query: Query, limit: int | None, after: Sequence[Any] | None, values: Mapping[str, Any]
    ) -> dict[str, Any]:
        names = [p.name for p in query.params if p.name.startswith("after_")]
        cursor = zip(names, after or [None] * len(names), strict=True)
        return {**values, "limit": limit, **dict(cursor)}

    def _remaining(self) -> float:
        left = self.deadline - self._loop.time()
        if left <= 0:
            raise Failure(Kind.DEADLINE, "the deadline passed")
        return left

    async def _run(self, query: Query, text: str, values: Mapping[str, Any], limit: int) -> Any:
        """Rows of one statement: in the open transaction, or as its own.

        As its own it is run again when only its plan or its timing was at fault.
        """
        arguments = self._arguments(query, values)
        started = perf_counter()
        failed = True
        try:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    if self._link is not None:
                        rows = await self._bind(self._link, text, arguments, limit)
                    else:
                        rows = await self._once(query, text, arguments, limit)
                except Failure as failure:
                    again = self._link is None and failure.kind in _AGAIN
                    if not again or attempt == ATTEMPTS:
                        raise
                    if failure.kind is Kind.SERIALIZATION:
                        await self._pause(attempt)
                else:
                    failed = False
                    return rows
        finally:
            self._engine.record(query.name, perf_counter() - started, failed)

    async def _once(self, query: Query, text: str, arguments: list[Any], limit: int) -> Any:
        pool = self._engine.pool
        link = await pool.lend(self._remaining())
        error: BaseException | None = None
        guarded = link.guarded and not self._identity.role  # a role is put on in a transaction
        try:
            if not guarded:
                # prepared inside: behind a pooler only a transaction stays on one connection
                await self._say(link, self._begin(not query.writes))
                rows = await self._rows(link, text, arguments, 0, None)
                await self._commit(link)
                return rows
            return await self._rows(link, text, arguments, limit, self._guard(query.writes))
        except BaseException as raised:
            link.transport.armed = None
            if not guarded:
                error = await self._roll_back(link, raised)
            elif not isinstance(raised, Failure):  # ours: the deadline passed, nothing was sent
                error = raised
            if isinstance(raised, Failure) or not isinstance(raised, Exception):
                raise
            raise link.explained(raised) from raised
        finally:
            pool.take_back(link, error)

    async def _bind(self, link: Link, text: str, arguments: list[Any], limit: int) -> Any:
        with link.explaining():
            return await self._rows(link, text, arguments, limit, None)

    async def _rows(
        self, link: Link, text: str, arguments: list[Any], limit: int, armed: bytes | None
    ) -> Any:
        """At most `limit` rows (0: all), behind the guard that is armed once all is prepared."""
        statement = await link.prepare(text, self._remaining())
        link.transport.armed = armed
        if limit:
            row = await statement.fetchrow(*arguments, timeout=self._remaining())
            return () if row is None else (row,)
        return await statement.fetch(*arguments, timeout=self._remaining())

    def _settings(self) -> tuple[str, str, str, str]:
        """The tenant and who works, in the order in which the guard and BEGIN set them."""
        who = self._identity
        return str(who.tenant_id), who.actor, who.user_id, self._request_id

    def _guard(self, writes: bool) -> bytes:
        return guard.write_guard(*self._settings()) if writes else self._identity.read_guard

    def _begin(self, read_only: bool) -> str:
        return guard.begin(*self._settings(), role=self._identity.role, read_only=read_only)

    async def _say(self, link: Link, command: str) -> str:
        status: str = await link.connection.execute(command, timeout=self._remaining())
        return status

    async def _commit(self, link: Link) -> None:
        """COMMIT; PostgreSQL answers ROLLBACK, not an error, where a failure was swallowed."""
        if await self._say(link, "COMMIT") != "COMMIT":
            raise Failure(Kind.UNEXPECTED, "a transaction that had failed was to be committed")

    async def _roll_back(self, link: Link, error: BaseException) -> BaseException | None:
        """Roll back; the error that decides whether the connection may be lent again."""
        cause = _cause(error)
        if link.connection.is_closed() or isinstance(cause, (asyncio.CancelledError, TimeoutError)):
            return cause
        try:
            await link.connection.execute("ROLLBACK", timeout=2.0)
        except Exception as failed:
            return failed
        return cause if explain(cause).kind in (Kind.READ_ONLY, Kind.UNAVAILABLE) else None

    @asynccontextmanager
    async def _savepoint(self) -> AsyncIterator[None]:
        link = self._link
        assert link is not None  # noqa: S101  (the caller checked)
        self._nesting += 1
        name = f"quarry_{self._nesting}"
        await self._say(link, f"SAVEPOINT {name}")
        try:
            yield
            await self._say(link, f"RELEASE SAVEPOINT {name}")
        except Exception as raised:
            if not isinstance(_cause(raised), TimeoutError):  # else the whole transaction ends
                await self._say(link, f"ROLLBACK TO SAVEPOINT {name}")
            raise
        finally:
            self._nesting -= 1

    async def _pause(self, attempt: int) -> None:
        await asyncio.sleep(random.uniform(0.5, 1.5) * 0.01 * 2**attempt)  # noqa: S311


def _cause(error: BaseException) -> BaseException:
    """What the driver raised."""
    return error.__cause__ if isinstance(error, Failure) and error.__cause__ else error


def _completed(query: Query, given: dict[str, Any]) -> dict[str, Any]:
    """The values with None for nullable parameters that were left out. Raises TypeError."""
    given = {p.name: None for p in query.params if p.nullable} | given
    unknown = given.keys() - {p.name for p in query.params} - {"tenant_id"}
    if unknown:
        raise TypeError(f"{query.name}: unknown {', '.join(sorted(unknown))}")
    return given
