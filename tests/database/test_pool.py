"""The pool: who gets which connection, how long anyone waits, what is never lent again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
import uvloop

from service.database.errors import Failure, Kind
from service.database.pool import BREAK_AFTER, Breaker, Link, Pool, PoolOptions
from service.database.queries import Query, load
from service.database.session import Engine, Identity
from tests.support.cluster import Cluster, Database, socket_path
from tests.support.proxy import Proxy
from tests.support.wait import wait_until

SQL_DIR = Path(__file__).parents[2] / "sql"
MARGIN = 2.0  # seconds for a busy machine, on top of a bound


@contextlib.asynccontextmanager
async def opened(dsn: str, **options: Any) -> AsyncIterator[Pool]:
    """A pool; closed at the end."""
    defaults = {"init_size": 1, "min_size": 1, "max_size": 2, "wait": 5.0, "connect_timeout": 5.0}
    pool = Pool(PoolOptions(dsn, **(defaults | options)))
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close(5)


async def backend(link: Link) -> int:
    """The process that serves a connection."""
    return int(await link.connection.fetchval("SELECT pg_backend_pid()"))


async def eventually(true: Any, seconds: float = 10.0) -> None:
    """Wait until `true()`, without standing in the loop's way."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def run(work: Coroutine[Any, Any, None]) -> None:
    """On the service's loop."""
    uvloop.run(work)


# who gets which connection


def test_the_connection_that_came_back_last_is_lent_first(module_database: Database) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, init_size=3, max_size=3) as pool:
            a, b, c = [await pool.lend(1) for _ in range(3)]
            for link in (b, c, a):
                pool.take_back(link)
            assert [await pool.lend(1) for _ in range(3)] == [a, c, b]
            for link in (a, b, c):
                pool.take_back(link)

    run(check())


def test_who_waits_longest_is_served_first(module_database: Database) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, max_size=1) as pool:
            link = await pool.lend(1)
            served: list[int] = []

            async def wait(number: int) -> None:
                mine = await pool.lend(5)
                served.append(number)
                await asyncio.sleep(0)
                pool.take_back(mine)

            tasks = []
            for number in range(10):
                tasks.append(asyncio.ensure_future(wait(number)))
                await asyncio.sleep(0)
            assert pool.waiting == 10
            pool.take_back(link)
            await asyncio.gather(*tasks)
            assert served == list(range(10))
            assert (pool.size, pool.idle, pool.waiting) == (1, 1, 0)

    run(check())


def test_waiting_is_bounded_and_counted(module_database: Database) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, max_size=1, wait=0.2) as pool:
            link = await pool.lend(1)
            began = time.monotonic()
            with pytest.raises(Failure) as failed:
                await pool.lend(60)
            assert failed.value.kind is Kind.EXHAUSTED
            assert 0.1 < time.monotonic() - began < 0.2 + MARGIN
            assert pool.exhausted_total == 1
            pool.take_back(link)
            assert await pool.lend(1) is link
            pool.take_back(link)

    run(check())


def test_waiting_stays_bounded_when_a_waiter_is_woken_for_nothing(
    module_database: Database,
) -> None:
    """Room was made and another request was faster: the wait goes on, it does not start anew."""

    async def check() -> None:
        async with opened(module_database.app_dsn, max_size=1, wait=0.3) as pool:
            link = await pool.lend(1)
            began = time.monotonic()
            task = asyncio.ensure_future(pool.lend(60))
            while not task.done() and time.monotonic() < began + 5:
                pool._wake_one(None)
                await asyncio.sleep(0.05)
            with pytest.raises(Failure) as failed:
                await task
            assert failed.value.kind is Kind.EXHAUSTED
            assert time.monotonic() - began < 0.3 + MARGIN
            pool.take_back(link)

    run(check())


def test_a_waiter_that_was_cancelled_gives_its_connection_on(module_database: Database) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, max_size=1) as pool:
            link = await pool.lend(1)
            gone = asyncio.ensure_future(pool.lend(5))
            patient = asyncio.ensure_future(pool.lend(5))
            await asyncio.sleep(0.01)
            pool.take_back(link)  # it is for the first one …
            gone.cancel()  # … who leaves before it could take it
            assert await asyncio.wait_for(patient, 1) is link
            pool.take_back(link)
            with pytest.raises(asyncio.CancelledError):
                await gone

    run(check())


def test_a_waiter_whose_time_is_up_in_that_very_moment_gives_its_connection_on(
    module_database: Database,
) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, max_size=1, wait=0.06) as pool:
            link = await pool.lend(1)
            loop = asyncio.get_running_loop()
            late = asyncio.ensure_future(pool.lend(5))
            await asyncio.sleep(0)
            loop.call_later(0.05, pool.take_back, link)
            time.sleep(0.2)  # both timers are due in one turn of the loop, the connection first
            with contextlib.suppress(Failure):
                pool.take_back(await late)
            assert await asyncio.wait_for(pool.lend(1), 1) is link
            pool.take_back(link)

    asyncio.run(check())


def test_room_that_a_waiter_leaves_is_offered_to_the_next(
    module_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, max_size=1) as pool:
            link = await pool.lend(1)
            gone = asyncio.ensure_future(pool.lend(5))
            patient = asyncio.ensure_future(pool.lend(5))
            await asyncio.sleep(0.01)
            wake = pool._wake_one

            def wake_and_hang_up(given: Link | None) -> bool:
                woken = wake(given)
                gone.cancel()
                return woken

            monkeypatch.setattr(pool, "_wake_one", wake_and_hang_up)
            link.connection.terminate()
            pool.take_back(link)  # closed: instead of a connection there is room for one
            fresh = await asyncio.wait_for(patient, 3)
            assert fresh is not link
            pool.take_back(fresh)

    run(check())


# opening


def test_a_short_deadline_neither_breaks_the_circuit_nor_wastes_the_connection(
    cluster: Cluster, module_database: Database
) -> None:
    """Callers choose their deadlines; a database that is only slow to open is not down."""

    async def check(proxy: Proxy) -> None:
        dsn = proxy.dsn(module_database.app_dsn)
        async with opened(dsn, init_size=0, min_size=0, max_size=20) as pool:
            proxy.stall()
            for _ in range(2 * BREAK_AFTER):
                with pytest.raises(Failure) as failed:
                    await pool.lend(0.01)
                assert failed.value.kind is Kind.DEADLINE
            hung_up = asyncio.ensure_future(pool.lend(5))
            await asyncio.sleep(0.01)
            hung_up.cancel()
            await asyncio.wait([hung_up])
            assert pool.breaker.failures == 0
            proxy.restore()
            await eventually(lambda: pool.idle == 2 * BREAK_AFTER + 1)
            assert pool.breaker.failures == 0
            link = await pool.lend(0.01)  # no connection is opened for it
            pool.take_back(link)

    with Proxy(socket_path(cluster)) as proxy:
        run(check(proxy))


def test_the_pool_closes_while_it_opens_connections(
    cluster: Cluster, module_database: Database
) -> None:
    async def check(proxy: Proxy) -> None:
        async with opened(proxy.dsn(module_database.app_dsn), init_size=0, min_size=0) as pool:
            proxy.stall()
            asking = asyncio.ensure_future(pool.lend(60))
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await pool.close(5)
            assert time.monotonic() - began < MARGIN
            with pytest.raises(Failure) as failed:
                await asking
            assert failed.value.kind is Kind.UNAVAILABLE
            with pytest.raises(Failure) as failed:
                await pool.lend(1)
            assert failed.value.kind is Kind.UNAVAILABLE
            proxy.restore()

    with Proxy(socket_path(cluster)) as proxy:
        run(check(proxy))


def test_a_dead_database_breaks_the_circuit_which_closes_when_it_is_back(
    cluster: Cluster, module_database: Database
) -> None:
    async def check(proxy: Proxy) -> None:
        dsn = proxy.dsn(module_database.app_dsn)
        async with opened(dsn, init_size=0, min_size=0) as pool:
            proxy.sever()
            for _ in range(BREAK_AFTER):
                assert not pool.breaker.open
                with pytest.raises(Failure) as failed:
                    await pool.lend(5)
                assert failed.value.kind is Kind.UNAVAILABLE
            assert pool.breaker.open
            before = proxy.accepted
            for _ in range(100):  # at once: nobody knocks at the database
                with pytest.raises(Failure, match="circuit open"):
                    await pool.lend(5)
            assert proxy.accepted == before
            proxy.restore()
            deadline = time.monotonic() + 5
            while True:
                with contextlib.suppress(Failure):
                    pool.take_back(await pool.lend(5))
                    break
                assert time.monotonic() < deadline, "the breaker stays open"
                await asyncio.sleep(0.01)
            assert not pool.breaker.open
            assert pool.breaker.failures == 0

    with Proxy(socket_path(cluster)) as proxy:
        run(check(proxy))


def test_a_half_open_breaker_admits_one_attempt() -> None:
    now = 100.0
    breaker = Breaker(lambda: now)
    for _ in range(BREAK_AFTER):
        breaker.enter()
        breaker.failed()
    longest = 0.0
    for _ in range(20):
        assert breaker.open
        longest = max(longest, breaker.retry_at - now)
        now = breaker.retry_at
        breaker.enter()
        for _ in range(3):
            with pytest.raises(Failure):
                breaker.enter()
        breaker.failed()
    assert longest <= 2.0
    now = breaker.retry_at
    breaker.enter()
    breaker.succeeded()
    for _ in range(3):
        breaker.enter()


# connections that are lost or doubtful


def test_idle_connections_that_died_are_replaced_without_an_error(
    module_database: Database,
) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, init_size=3, max_size=3) as pool:
            old = [await pool.lend(1) for _ in range(3)]
            pids = {await backend(link) for link in old}
            for link in old:
                pool.take_back(link)
            await asyncio.to_thread(
                module_database.psql,
                "SELECT pg_terminate_backend(pid, 5000) FROM unnest(%s::int[]) AS pid",
                list(pids),
            )
            await eventually(lambda: all(link.connection.is_closed() for link in old))
            for _ in range(10):
                link = await pool.lend(5)
                assert await backend(link) not in pids
                pool.take_back(link)
            assert pool.breaker.failures == 0

    run(check())


def test_a_connection_that_timed_out_is_ended_and_never_lent_again(
    module_database: Database,
) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, max_size=1) as pool:
            link = await pool.lend(1)
            pid = await backend(link)
            with pytest.raises(TimeoutError) as raised:
                await link.connection.fetchval("SELECT pg_sleep(60)", timeout=0.05)
            pool.take_back(link, raised.value)
            fresh = await pool.lend(5)
            assert fresh is not link
            assert await backend(fresh) != pid
            pool.take_back(fresh)
            count = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
            await asyncio.to_thread(
                wait_until, lambda: module_database.psql(count, pid) == [(0,)], 5
            )

    run(check())


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        TimeoutError(),
        ConnectionResetError(),
        asyncpg.InterfaceError("x"),
        asyncpg.InternalClientError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.AdminShutdownError("x"),
        asyncpg.IdleInTransactionSessionTimeoutError("x"),
        asyncpg.ReadOnlySQLTransactionError("x"),
        RuntimeError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_after_a_doubtful_error_a_connection_is_never_lent_again(
    error: BaseException, module_database: Database
) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, max_size=1) as pool:
            link = await pool.lend(1)
            pool.take_back(link, error)
            fresh = await pool.lend(5)
            assert fresh is not link
            assert link.connection.is_closed()
            pool.take_back(fresh)

    run(check())


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("x"),
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.QueryCanceledError("x"),
        asyncpg.DataError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_after_an_answer_of_the_server_a_connection_is_kept(
    error: BaseException, module_database: Database
) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, max_size=1) as pool:
            link = await pool.lend(1)
            pool.take_back(link, error)
            assert await pool.lend(1) is link
            pool.take_back(link)

    run(check())


def test_connections_above_the_minimum_close_when_idle_and_those_below_stay(
    module_database: Database,
) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn, min_size=2, max_size=6, idle=0.2) as pool:
            links = [await pool.lend(5) for _ in range(6)]
            kept = links[:2]
            for link in reversed(links):
                pool.take_back(link)
            await eventually(lambda: pool.size == 2)
            await asyncio.sleep(0.5)  # two more sweeps
            assert (pool.size, pool.idle) == (2, 2)
            assert {await pool.lend(1), await pool.lend(1)} == set(kept)  # the ones in use
            for link in kept:
                pool.take_back(link)

    run(check())


def test_closing_is_bounded_even_when_a_statement_runs(module_database: Database) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn) as pool:
            link = await pool.lend(1)
            pid = await backend(link)
            running = asyncio.ensure_future(link.connection.fetchval("SELECT pg_sleep(60)"))
            await asyncio.sleep(0.05)
            began = time.monotonic()
            await pool.close(0.3)
            assert time.monotonic() - began < 0.3 + MARGIN
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await running
            await asyncio.to_thread(module_database.psql, "SELECT pg_terminate_backend(%s)", pid)

    run(check())


def test_a_connection_that_comes_back_late_is_closed(module_database: Database) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn) as pool:
            link = await pool.lend(1)
            closing = asyncio.ensure_future(pool.close(5))
            await asyncio.sleep(0.05)
            assert not closing.done()
            pool.take_back(link)
            await asyncio.wait_for(closing, MARGIN)
            assert link.connection.is_closed()
            assert pool.size == 0

    run(check())


# what is left on a connection

STATE = """
SELECT pg_my_temp_schema() = 0 AS no_temporary_table,
       NOT EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')
           AS no_advisory_lock,
       NOT EXISTS (SELECT FROM pg_cursors WHERE name <> '') AS no_cursor,
       NOT EXISTS (SELECT FROM pg_listening_channels()) AS no_listen,
       array(SELECT name || '=' || setting FROM pg_settings
              WHERE source = 'session' AND setting <> reset_val AND name !~ '^app[.]') AS settings,
       concat(current_setting('app.tenant_id', true), current_setting('app.actor', true),
              current_setting('app.user_id', true), current_setting('app.request_id', true)) = ''
           AS no_identity
"""
_SAMPLES: dict[str, Any] = {
    "uuid": UUID(int=7),
    "text": "x",
    "smallint": 1,
    "int": 1,
    "bigint": 1,
    "numeric": 1,
    "float8": 0.5,
    "boolean": True,
    "timestamptz": datetime(2026, 1, 1, tzinfo=UTC),
    "interval": timedelta(days=1),
    "date": datetime(2026, 1, 1, tzinfo=UTC).date(),
    "json": b"[]",
    "jsonb": b"{}",
    "bytea": bytes(32),
    "inet": "127.0.0.1",
}


def _sample(kind: str) -> Any:
    base = kind.removesuffix("[]")
    return [_SAMPLES[base]] if kind.endswith("[]") else _SAMPLES[base]


async def _ask(db: Any, query: Query) -> None:
    """Run a query as a handler would, with one value of each parameter's type."""
    values = {p.name: _sample(p.type) for p in query.params}
    if query.kind == "page":
        for name in ("limit", *(p.name for p in query.params if p.name.startswith("after_"))):
            values.pop(name)
        await db.page(query.name, 10, None, **values)
        async for _ in db.stream(query.name, **values):
            pass
    elif query.kind == "stream":
        async for _ in db.stream(query.name, **values):
            pass
    else:
        ask = {"one": db.one, "many": db.many, "value": db.value, "affected": db.execute}
        await ask[query.kind](query.name, **values)
        await db.fetch(query.name, **values)


@pytest.mark.parametrize("isolation", ["guard", "transaction"])
def test_no_named_query_leaves_anything_on_its_connection(
    database: Database, isolation: str
) -> None:
    """What makes it safe to lend a connection on without resetting it."""
    queries = load(SQL_DIR)
    tenant = uuid4()
    database.psql("INSERT INTO core.tenants (id, name) VALUES (%s, 'acme')", tenant)
    ran: list[str] = []

    async def check() -> None:
        async with opened(database.app_dsn, init_size=1, max_size=1, isolation=isolation) as pool:
            engine = Engine(pool, queries)
            for query in queries.values():
                for in_transaction in (False, True):
                    db = engine.session(Identity(tenant, "test"), "r1", 10)
                    with contextlib.suppress(Failure):  # such as what only an operator may do
                        if in_transaction:
                            async with db.transaction():
                                await _ask(db, query)
                        else:
                            await _ask(db, query)
                            ran.append(query.name)
                    link = await pool.lend(1)
                    assert not link.connection.is_in_transaction(), query.name
                    state = dict(await link.connection.fetchrow(STATE))
                    assert state.pop("settings") == [], query.name
                    assert all(state.values()), (query.name, state)
                    pool.take_back(link)

    run(check())
    assert len(ran) > len(queries) / 2, "most queries should have run to their end"


def test_json_comes_as_bytes_and_jsonb_as_values(module_database: Database) -> None:
    async def check() -> None:
        async with opened(module_database.app_dsn) as pool:
            link = await pool.lend(1)
            row = await link.connection.fetchrow(
                "SELECT '{\"a\": 1}'::json, '{\"a\": 1}'::jsonb, $1::jsonb, $2::json",
                {"b": [2]}, b'[3]',
            )  # fmt: skip
            assert row[0] == b'{"a": 1}'
            assert row[1] == {"a": 1}
            assert row[2] == {"b": [2]}
            assert orjson.loads(row[3]) == [3]
            pool.take_back(link)

    run(check())
