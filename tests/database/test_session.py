"""Sessions: transactions and savepoints, what is run again, what is refused before it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tracemalloc
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import uvloop

from service.database.errors import Failure, Kind, explain
from service.database.pool import Link, Pool, PoolOptions
from service.database.queries import load
from service.database.session import ATTEMPTS, Engine, Identity
from tests.support.cluster import Database

TENANT = uuid4()
TABLES = """
CREATE TABLE public.marks (name text PRIMARY KEY, number integer NOT NULL DEFAULT 0);
INSERT INTO public.marks VALUES ('a'), ('b');
CREATE SEQUENCE public.tries;
-- A sequence does not roll back, so it counts attempts whatever became of them.
CREATE FUNCTION public.fail(times integer, state text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    try bigint := nextval('public.tries');
BEGIN
    IF try <= times THEN
        RAISE EXCEPTION 'try %', try USING ERRCODE = state;
    END IF;
    RETURN try;
END $$;
GRANT ALL ON public.marks, public.tries TO quarry_app;
"""
FILES = {
    "add": ":affected\n-- param: name text\nINSERT INTO public.marks (name) VALUES (:name)",
    "bump": ":affected\n-- param: name text\n"
            "UPDATE public.marks SET number = number + 1 WHERE name = :name",
    "names": ":value\nSELECT string_agg(name, ',' ORDER BY name) FROM public.marks",
    "number": ":value\n-- param: name text\n"
              "SELECT m.number FROM public.marks AS m WHERE name = :name",
    "fail": ":value\n-- param: times int\n-- param: state text\n-- route: primary\n"
            "SELECT public.fail(:times, :state)",
    "sleep": ":value\n-- param: seconds float8\nSELECT pg_sleep(:seconds)::text",
    "optional": ":value\n-- param: first int\n-- param: second int?\n-- param: third int?\n"
                "SELECT concat_ws(',', :first::int, :second::int, :third::int)",
    "many": ":stream\n-- param: rows int\nSELECT n, repeat('x', 1000) AS filling"
            " FROM generate_series(1, :rows) AS n",
    "crash": ":stream\n-- param: at int\n"
             "SELECT 1 / (n - :at) AS n FROM generate_series(1, 5000) AS n",
    "hold": ":stream\nSELECT n, pg_sleep(CASE WHEN n = 600 THEN 60 ELSE 0 END)::text AS slept"
            " FROM generate_series(1, 700) AS n",
    "tenant": ":value\nSELECT concat_ws(',', :tenant_id::uuid, current_setting('app.tenant_id'))",
}  # fmt: skip


class Bench:
    """Sessions over `pool`."""

    def __init__(self, pool: Pool, queries: Any) -> None:
        self.pool = pool
        self.engine = Engine(pool, queries)

    def session(self, timeout: float = 10.0) -> Any:
        """A session of the one tenant."""
        return self.engine.session(Identity(TENANT, "test"), "r1", timeout)

    async def lent(self) -> Link:
        """The connection that would be lent next."""
        link = await self.pool.lend(5)
        self.pool.take_back(link)
        return link


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Query files of these tests."""
    made = tmp_path_factory.mktemp("sql")
    (made / "t").mkdir()
    for name, text in FILES.items():
        (made / "t" / f"{name}.sql").write_text(f"-- name: t.{name} {text}")
    return made


@pytest.fixture
def tables(module_database: Database) -> Iterator[Database]:
    """A database with `public.marks` and `public.fail`."""
    module_database.psql(TABLES)
    yield module_database
    module_database.psql(
        "DROP FUNCTION public.fail(integer, text); DROP TABLE public.marks;"
        " DROP SEQUENCE public.tries"
    )


@contextlib.asynccontextmanager
async def bench(dsn: str, folder: Path, **options: Any) -> AsyncIterator[Bench]:
    """Sessions over a pool of one connection."""
    defaults = {"init_size": 1, "min_size": 1, "max_size": 1, "wait": 5.0, "connect_timeout": 5.0}
    pool = Pool(PoolOptions(dsn, **(defaults | options)))
    await pool.open()
    try:
        yield Bench(pool, load(folder))
    finally:
        await pool.close(5)


def run(work: Coroutine[Any, Any, None]) -> None:
    """On the service's loop."""
    uvloop.run(work)


# transactions


def test_a_transaction_keeps_all_or_nothing(tables: Database, folder: Path) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            db = at.session()
            async with db.transaction():
                await db.execute("t.add", name="c")
                await db.execute("t.add", name="d")
            with pytest.raises(LookupError):
                async with db.transaction():
                    await db.execute("t.add", name="e")
                    assert await db.value("t.names") == "a,b,c,d,e"
                    raise LookupError
            with pytest.raises(Failure) as failed:
                async with db.transaction():
                    await db.execute("t.add", name="f")
                    await db.execute("t.add", name="a")
            assert failed.value.kind is Kind.DUPLICATE
            assert failed.value.constraint == "marks_pkey"
            assert await db.value("t.names") == "a,b,c,d"

    run(check())


def test_a_nested_transaction_is_a_savepoint(tables: Database, folder: Path) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            db = at.session()
            async with db.transaction():
                await db.execute("t.add", name="c")
                with pytest.raises(Failure):
                    async with db.transaction():
                        await db.execute("t.add", name="d")
                        await db.execute("t.add", name="a")
                async with db.transaction():
                    await db.execute("t.add", name="e")
                    with pytest.raises(LookupError):
                        async with db.transaction():
                            await db.execute("t.add", name="f")
                            raise LookupError
                    await db.execute("t.add", name="g")
            assert await db.value("t.names") == "a,b,c,e,g"
            with pytest.raises(LookupError):
                async with db.transaction():
                    async with db.transaction():
                        await db.execute("t.add", name="h")
                    raise LookupError
            assert await db.value("t.names") == "a,b,c,e,g"

    run(check())


def test_a_read_only_transaction_writes_nothing(tables: Database, folder: Path) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            db = at.session()
            with pytest.raises(Failure) as failed:
                async with db.transaction(read_only=True):
                    await db.execute("t.add", name="c")
            assert failed.value.sqlstate == "25006"
            assert await db.value("t.names") == "a,b"

    run(check())


def test_a_read_only_transaction_sees_one_moment(tables: Database, folder: Path) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder, max_size=2) as at:
            one, other = at.session(), at.session()
            async with one.transaction(read_only=True):
                assert await one.value("t.names") == "a,b"
                await other.execute("t.add", name="c")
                assert await one.value("t.names") == "a,b"
            assert await one.value("t.names") == "a,b,c"

    run(check())


@pytest.mark.parametrize("isolation", ["guard", "transaction"])
def test_a_failed_transaction_gives_a_good_connection_back(
    tables: Database, folder: Path, isolation: str
) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder, isolation=isolation) as at:
            before = await at.lent()
            for _ in range(3):
                with pytest.raises(Failure):
                    await at.session().execute("t.add", name="a")
                with pytest.raises(Failure):
                    async with (db := at.session()).transaction():
                        await db.execute("t.add", name="a")
            assert await at.lent() is before
            assert not before.connection.is_in_transaction()

    run(check())


@pytest.mark.parametrize("isolation", ["guard", "transaction"])
def test_a_cancelled_transaction_is_rolled_back_and_its_connection_closed(
    tables: Database, folder: Path, isolation: str
) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder, isolation=isolation) as at:
            before = await at.lent()

            async def work(db: Any) -> None:
                async with db.transaction():
                    await db.execute("t.add", name="c")
                    await db.value("t.sleep", seconds=60.0)

            task = asyncio.ensure_future(work(at.session()))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await at.session().value("t.names") == "a,b"
            assert await at.lent() is not before
            assert before.connection.is_closed()

    run(check())


def test_a_deadline_inside_a_savepoint_ends_the_whole_transaction(
    tables: Database, folder: Path
) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            before = await at.lent()
            db = at.session(timeout=0.2)
            with pytest.raises(Failure) as failed:
                async with db.transaction():
                    await db.execute("t.add", name="c")
                    async with db.transaction():
                        await db.value("t.sleep", seconds=60.0)
            assert failed.value.kind is Kind.DEADLINE
            assert await at.session().value("t.names") == "a,b"
            assert await at.lent() is not before  # it saw a time-out

    run(check())


def test_a_connection_lost_in_a_transaction_is_one_failure(tables: Database, folder: Path) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            with pytest.raises(Failure) as failed:
                async with (db := at.session()).transaction():
                    await db.execute("t.add", name="c")
                    await asyncio.to_thread(
                        tables.psql,
                        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                        " WHERE state = 'idle in transaction' AND datname = current_database()",
                    )
                    await db.execute("t.add", name="d")
            assert failed.value.kind is Kind.UNAVAILABLE
            assert await at.session().value("t.names") == "a,b"

    run(check())


# what is run again


def test_atomically_runs_again_after_a_deadlock(tables: Database, folder: Path) -> None:
    tables.psql(f"ALTER DATABASE {tables.name} SET deadlock_timeout = '50ms'")

    async def check() -> None:
        async with bench(tables.app_dsn, folder, max_size=2) as at:
            runs = 0
            both = asyncio.Barrier(2)

            async def work(db: Any, first: str, second: str) -> None:
                nonlocal runs
                runs += 1
                await db.execute("t.bump", name=first)
                if runs <= 2:
                    await both.wait()
                await db.execute("t.bump", name=second)

            one, other = at.session(), at.session()
            await asyncio.gather(
                one.atomically(lambda: work(one, "a", "b")),
                other.atomically(lambda: work(other, "b", "a")),
            )
            assert runs == 3
            for name in ("a", "b"):
                assert await at.session().value("t.number", name=name) == 2

    run(check())


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_atomically_runs_again_from_its_start_and_gives_up_in_the_end(
    tables: Database, folder: Path, state: str
) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:

            async def work(times: int) -> Any:
                await db.execute("t.bump", name="a")
                return await db.value("t.fail", times=times, state=state)

            db = at.session()
            assert await db.atomically(lambda: work(ATTEMPTS - 1)) == ATTEMPTS
            assert await db.value("t.number", name="a") == 1  # what failed left nothing
            with pytest.raises(Failure) as failed:
                await db.atomically(lambda: work(100))
            assert failed.value.kind is Kind.SERIALIZATION
            assert tables.psql("SELECT last_value FROM public.tries") == [(2 * ATTEMPTS,)]
            assert await db.value("t.number", name="a") == 1

    run(check())


@pytest.mark.parametrize("state", ["23505", "57014", "55P03", "P0001"])
def test_atomically_runs_nothing_else_again(tables: Database, folder: Path, state: str) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            db = at.session()
            with pytest.raises(Failure):
                await db.atomically(lambda: db.value("t.fail", times=1, state=state))
            assert tables.psql("SELECT last_value FROM public.tries") == [(1,)]

    run(check())


@pytest.mark.parametrize("isolation", ["guard", "transaction"])
@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_statement_of_its_own_runs_again(
    tables: Database, folder: Path, state: str, isolation: str
) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder, isolation=isolation) as at:
            db = at.session()
            assert await db.value("t.fail", times=ATTEMPTS - 1, state=state) == ATTEMPTS
            with pytest.raises(Failure) as failed:
                await db.value("t.fail", times=100, state=state)
            assert failed.value.kind is Kind.SERIALIZATION
            assert tables.psql("SELECT last_value FROM public.tries") == [(2 * ATTEMPTS,)]

    run(check())


def test_inside_a_transaction_a_statement_does_not_run_again(
    tables: Database, folder: Path
) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            with pytest.raises(Failure):
                async with (db := at.session()).transaction():
                    await db.value("t.fail", times=1, state="40001")
            assert tables.psql("SELECT last_value FROM public.tries") == [(1,)]

    run(check())


def test_a_stale_plan_is_made_anew(tables: Database, folder: Path) -> None:
    async def alter(kind: str) -> None:
        await asyncio.to_thread(tables.psql, f"ALTER TABLE public.marks ALTER number TYPE {kind}")

    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            db = at.session()
            before = await at.lent()
            assert await db.value("t.number", name="a") == 0
            await alter("bigint")
            assert await db.value("t.number", name="a") == 0

            await alter("numeric")
            assert await db.atomically(lambda: db.value("t.number", name="a")) == 0

            await alter("integer")
            with pytest.raises(Failure) as failed:
                async with db.transaction():
                    await db.value("t.number", name="a")
            assert failed.value.kind is Kind.STALE_PLAN
            async with db.transaction():  # once, not for ever
                assert await db.value("t.number", name="a") == 0
            assert await at.lent() is before

    run(check())


def test_a_server_that_became_a_standby_is_left(tables: Database, folder: Path) -> None:
    """After a failover old connections stay on the demoted server: a refused write expires all."""
    role = f"ALTER ROLE quarry_app IN DATABASE {tables.name}"

    async def check() -> None:
        async with bench(tables.app_dsn, folder, init_size=0, min_size=0, max_size=3) as at:
            for in_transaction in (False, True):
                await asyncio.to_thread(
                    tables.psql, f"{role} SET default_transaction_read_only = on"
                )
                links = [await at.pool.lend(5) for _ in range(3)]
                for link in links:
                    at.pool.take_back(link)
                await asyncio.to_thread(tables.psql, f"{role} RESET default_transaction_read_only")
                db = at.session()
                with pytest.raises(Failure) as failed:
                    if in_transaction:
                        async with db.transaction():
                            await db.execute("t.bump", name="a")
                    else:
                        await db.execute("t.bump", name="a")
                assert failed.value.kind is Kind.READ_ONLY
                assert await at.session().execute("t.bump", name="a") == 1
                assert not {await at.lent()} & set(links)

    run(check())


# what is refused before it is sent


@pytest.mark.parametrize(
    ("values", "about"),
    [
        ({}, "first"),
        ({"second": 2}, "first"),
        ({"first": 1, "fourth": 4}, "fourth"),
        ({"first": 1, "second": 2, "fourth": 4}, "fourth|third"),
        ({"first": 1, "second": 2, "third": 3, "fourth": 4}, "fourth"),
        ({"First": 1}, "First|first"),
        ({"first": 1, "tenant_id": uuid4()}, "tenant_id comes from the session"),
    ],
)
def test_wrong_parameter_names_are_refused_and_nothing_is_sent(
    folder: Path, values: dict[str, Any], about: str
) -> None:
    async def check() -> None:
        closed = Bench(Pool(PoolOptions("never opened")), load(folder))
        db = closed.session()
        for method in (db.value, db.fetch):
            with pytest.raises(TypeError, match=about):
                await method("t.optional", **values)
        with pytest.raises(TypeError, match=about):
            async for _ in db.stream("t.optional", **values):
                pass

    run(check())


def test_an_unknown_query_is_a_key_error(folder: Path) -> None:
    async def check() -> None:
        closed = Bench(Pool(PoolOptions("never opened")), load(folder))
        with pytest.raises(KeyError):
            await closed.session().value("t.unknown")

    run(check())


def test_parameters_that_may_be_null_can_be_left_out(tables: Database, folder: Path) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            db = at.session()
            assert await db.value("t.optional", first=1) == "1"
            assert await db.value("t.optional", first=1, third=3) == "1,3"
            assert await db.value("t.optional", third=3, second=2, first=1) == "1,2,3"
            assert await db.value("t.tenant") == f"{TENANT},{TENANT}"

    run(check())


@pytest.mark.parametrize("isolation", ["guard", "transaction"])
def test_a_deadline_that_has_passed_sends_nothing_and_costs_no_connection(
    tables: Database, folder: Path, isolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder, isolation=isolation) as at:
            before = await at.lent()
            lend = at.pool.lend
            db = at.session()

            async def slowly(seconds: float) -> Link:
                """The wait for a connection takes all the time that there was."""
                link = await lend(seconds)
                db.deadline = 0.0
                return link

            with monkeypatch.context() as patch:
                patch.setattr(at.pool, "lend", slowly)
                for _ in range(5):
                    db = at.session()
                    with pytest.raises(Failure) as failed:
                        await db.value("t.names")
                    assert failed.value.kind is Kind.DEADLINE
                    assert failed.value.__cause__ is None
            with pytest.raises(Failure) as failed:
                await db.value("t.names")
            assert failed.value.kind is Kind.DEADLINE
            assert await at.lent() is before
            assert await at.session().value("t.names") == "a,b"

    run(check())


# streams


def test_a_stream_takes_flat_memory(tables: Database, folder: Path) -> None:
    rows = 50_000

    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            count = size = 0
            stream = at.session(timeout=60).stream("t.many", rows=rows)
            first = await anext(stream)
            tracemalloc.start()
            async for chunk in stream:
                count += chunk.count(b"\n")
                size += len(chunk)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert count + first.count(b"\n") == rows
            assert size > 50_000_000
            assert peak < 5_000_000

    run(check())


def test_an_abandoned_stream_closes_its_transaction(tables: Database, folder: Path) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            before = await at.lent()
            stream = at.session().stream("t.many", rows=5000)
            assert (await anext(stream)).count(b"\n") == 500
            await stream.aclose()
            assert await at.lent() is before
            assert not before.connection.is_in_transaction()

            forgotten = at.session().stream("t.many", rows=5000)
            await anext(forgotten)
            del forgotten
            gc.collect()
            assert await at.session().value("t.names") == "a,b"  # waits until it is closed
            assert not (await at.lent()).connection.is_in_transaction()

    run(check())


def test_a_stream_that_fails_midway_says_so_and_gives_its_connection_back(
    tables: Database, folder: Path
) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            rows = 0
            with pytest.raises(Failure) as failed:
                async for chunk in at.session().stream("t.crash", at=2000):
                    rows += chunk.count(b"\n")
            assert failed.value.sqlstate == "22012"
            assert rows == 1500
            assert await at.session().value("t.names") == "a,b"

            with pytest.raises(Failure) as failed:
                async for _ in at.session(timeout=0.3).stream("t.hold"):
                    pass
            assert failed.value.kind is Kind.DEADLINE
            assert await at.session().value("t.names") == "a,b"

    run(check())


def test_waiting_for_a_stream_is_bounded(tables: Database, folder: Path) -> None:
    """Streams have only some of the connections, so that slow readers cannot take all."""

    async def check() -> None:
        async with bench(tables.app_dsn, folder, max_size=4, wait=0.2) as at:
            running = at.session().stream("t.many", rows=5000)
            await anext(running)
            async with asyncio.timeout(5):
                with pytest.raises(Failure) as failed:
                    await anext(at.session().stream("t.many", rows=5000))
            assert failed.value.kind is Kind.EXHAUSTED
            assert await at.session().value("t.names") == "a,b"  # others are not concerned
            await running.aclose()
            following = at.session().stream("t.many", rows=1)
            assert (await anext(following)).count(b"\n") == 1
            await following.aclose()

    run(check())


# what is told


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.UniqueViolationError("x"), Kind.DUPLICATE),
        (asyncpg.ForeignKeyViolationError("x"), Kind.FOREIGN_KEY),
        (asyncpg.NotNullViolationError("x"), Kind.CHECK),
        (asyncpg.DataError("x"), Kind.INVALID),
        (asyncpg.CharacterNotInRepertoireError("x"), Kind.INVALID),
        (asyncpg.SerializationError("x"), Kind.SERIALIZATION),
        (asyncpg.DeadlockDetectedError("x"), Kind.SERIALIZATION),
        (asyncpg.LockNotAvailableError("x"), Kind.LOCKED),
        (asyncpg.QueryCanceledError("x"), Kind.DEADLINE),
        (TimeoutError(), Kind.DEADLINE),
        (asyncpg.ReadOnlySQLTransactionError("x"), Kind.READ_ONLY),
        (asyncpg.TooManyConnectionsError("x"), Kind.UNAVAILABLE),
        (asyncpg.DiskFullError("x"), Kind.UNAVAILABLE),
        (asyncpg.CannotConnectNowError("x"), Kind.UNAVAILABLE),
        (asyncpg.AdminShutdownError("x"), Kind.UNAVAILABLE),
        (asyncpg.CrashShutdownError("x"), Kind.UNAVAILABLE),
        (asyncpg.IdleInTransactionSessionTimeoutError("x"), Kind.UNAVAILABLE),
        (asyncpg.InvalidPasswordError("x"), Kind.UNAVAILABLE),
        (asyncpg.ConnectionDoesNotExistError("x"), Kind.UNAVAILABLE),
        (asyncpg.InterfaceError("x"), Kind.UNAVAILABLE),
        (asyncpg.InternalClientError("x"), Kind.UNAVAILABLE),
        (ConnectionRefusedError(), Kind.UNAVAILABLE),
        (FileNotFoundError(), Kind.UNAVAILABLE),  # the socket of a stopped server
        (asyncpg.InvalidCachedStatementError("x"), Kind.STALE_PLAN),
        (asyncpg.OutdatedSchemaCacheError("x"), Kind.STALE_PLAN),
        (asyncpg.InsufficientPrivilegeError("x"), Kind.UNEXPECTED),
        (asyncpg.PostgresSyntaxError("x"), Kind.UNEXPECTED),
        (ZeroDivisionError("x"), Kind.UNEXPECTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_error_has_one_kind(error: Exception, kind: Kind) -> None:
    assert explain(error).kind is kind
    assert explain(explain(error)).kind is kind


def test_calls_errors_and_slow_queries_are_counted_by_name(tables: Database, folder: Path) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder) as at:
            slow: list[str] = []
            at.engine.slow = 0.05
            at.engine.on_slow = lambda name, _seconds: slow.append(name)
            await at.session().value("t.names")
            await at.session().value("t.sleep", seconds=0.1)
            with pytest.raises(Failure):
                await at.session().execute("t.add", name="a")
            seen = at.engine.statistics
            assert (seen["t.names"].calls, seen["t.names"].errors) == (1, 0)
            assert (seen["t.add"].calls, seen["t.add"].errors) == (1, 1)
            assert slow == ["t.sleep"]
            assert seen["t.sleep"].slowest >= 0.1

    run(check())


def test_two_sessions_do_not_share_a_transaction(tables: Database, folder: Path) -> None:
    async def check() -> None:
        async with bench(tables.app_dsn, folder, max_size=2) as at:
            one, other = at.session(), at.session()
            async with one.transaction():
                await one.execute("t.add", name="c")
                assert await other.value("t.names") == "a,b"
            assert await other.value("t.names") == "a,b,c"

    run(check())


def test_an_identity_of_the_session_is_a_uuid() -> None:
    assert str(UUID(int=1)) in Identity(UUID(int=1), "x").read_guard.decode("latin-1")
