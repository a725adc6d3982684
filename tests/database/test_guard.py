"""The guard: each statement sees its own tenant, whatever happened to the statement before it.

At the level of the engine: asyncpg against a real PostgreSQL as `quarry_app`, on uvloop and on
asyncio's own loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from service.database import guard
from service.database.errors import Failure, Kind
from service.database.pool import Pool, PoolOptions
from service.database.queries import Query, load
from service.database.session import Engine, Identity
from tests.support.cluster import Cluster, Database, socket_path

Run = Callable[[Coroutine[Any, Any, Any]], Any]

MINE, THEIRS = uuid4(), uuid4()
# A table as the migrations make them: forced row-level security on the transaction's tenant.
TABLE = """
DROP TABLE IF EXISTS public.probe;
DROP SEQUENCE IF EXISTS public.probe_calls;
CREATE TABLE public.probe (tenant_id uuid NOT NULL, note text NOT NULL, number integer);
ALTER TABLE public.probe ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY probe_tenant ON public.probe TO quarry_app
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON public.probe TO quarry_app;
CREATE SEQUENCE public.probe_calls;
GRANT USAGE ON SEQUENCE public.probe_calls TO quarry_app;
"""
NOTES = "SELECT note FROM public.probe ORDER BY note"
SETTINGS = """SELECT coalesce(current_setting('app.tenant_id', true), ''),
                     coalesce(current_setting('app.actor', true), ''),
                     coalesce(current_setting('app.user_id', true), ''),
                     coalesce(current_setting('app.request_id', true), ''),
                     current_setting('transaction_read_only')"""
CLEAN = ("", "", "", "", "off")
# The same for sessions. No file names its tenant: what keeps tenants apart is the guard alone.
FILES = {
    "notes": "-- name: probe.notes :value\n"
             "SELECT string_agg(note, ',' ORDER BY note) FROM public.probe",
    "wide": "-- name: probe.wide :value\nSELECT number FROM public.probe LIMIT 1",
    "divide": "-- name: probe.divide :value\n-- param: by int\nSELECT 1 / :by",
    "sleep": "-- name: probe.sleep :value\n-- param: seconds float8\n"
             "SELECT pg_sleep(:seconds)::text",
    "count_up": "-- name: probe.count_up :value\nSELECT nextval('public.probe_calls')",
    "add": "-- name: probe.add :affected\n-- param: tenant uuid\n-- param: note text\n"
           "INSERT INTO public.probe (tenant_id, note) VALUES (:tenant, :note)",
    "seen": "-- name: probe.seen :value\nSELECT current_setting('app.tenant_id')",
}  # fmt: skip


class Notes(NamedTuple):
    """A database with `public.probe`, in which two tenants have notes, and its files."""

    database: Database
    queries: dict[str, Query]


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on the loop that the service uses, and on Python's own."""
    return uvloop.run if request.param == "uvloop" else asyncio.run


@pytest.fixture
def probe(module_database: Database, tmp_path: Path) -> Notes:
    """Two tenants with two notes each."""
    database = module_database
    database.psql(TABLE)
    database.psql(
        "INSERT INTO public.probe (tenant_id, note, number) VALUES"
        " (%s, 'm1', 1), (%s, 'm2', 1), (%s, 't1', 2), (%s, 't2', 2)",
        MINE, MINE, THEIRS, THEIRS,
    )  # fmt: skip
    folder = tmp_path / "sql" / "probe"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / f"{name}.sql").write_text(text)
    return Notes(database, load(tmp_path / "sql"))


@contextlib.asynccontextmanager
async def connected(dsn: str, **more: Any) -> AsyncIterator[guard.Connection]:
    """A guarded connection, proved."""
    connection = await guard.connect(dsn, connection_class=guard.Connection, **more)
    try:
        await guard.verify(connection)
        yield connection
    finally:
        await connection.close(timeout=5)


class Sessions:
    """`session(tenant)` makes a session over `session.pool`."""

    def __init__(self, pool: Pool, queries: dict[str, Query]) -> None:
        self.pool = pool
        self._engine = Engine(pool, queries)

    def __call__(self, tenant: UUID = MINE, timeout: float = 10.0) -> Any:
        return self._engine.session(Identity(tenant, "test"), "r1", timeout)

    async def guarded(self) -> bool:
        """Whether the connection that is lent next carries guards."""
        link = await self.pool.lend(1)
        self.pool.take_back(link)
        return link.guarded


@contextlib.asynccontextmanager
async def sessions(probe: Notes, dsn: str | None = None, **options: Any) -> AsyncIterator[Sessions]:
    """Sessions over a pool of one connection."""
    defaults = {"init_size": 1, "min_size": 1, "max_size": 1, "wait": 5.0, "connect_timeout": 5.0}
    pool = Pool(PoolOptions(dsn or probe.database.app_dsn, **(defaults | options)))
    await pool.open()
    try:
        yield Sessions(pool, probe.queries)
    finally:
        await pool.close(5)


async def rows(
    connection: guard.Connection, tenant: UUID | None, text: str, *args: Any
) -> list[Any]:
    """Rows of a statement behind a read guard (None: without)."""
    statement = await connection.prepare(text)
    if tenant is not None:
        connection.transport.armed = guard.read_guard(str(tenant))
    return [tuple(row) for row in await statement.fetch(*args)]


async def nothing_left(connection: guard.Connection) -> None:
    """No guard waits, no setting is left, no row is seen, and the connection still works."""
    assert connection.transport.armed is None
    assert not connection.is_in_transaction()
    assert await rows(connection, None, SETTINGS) == [CLEAN]
    assert await rows(connection, None, NOTES) == []
    assert await rows(connection, THEIRS, NOTES) == [("t1",), ("t2",)]


# what a guard does


def test_sees_the_own_row_not_the_foreign_one_and_none_without_a_guard(
    probe: Notes, run: Run
) -> None:
    async def check() -> None:
        async with connected(probe.database.app_dsn) as connection:
            assert await rows(connection, None, NOTES) == []
            assert await rows(connection, MINE, NOTES) == [("m1",), ("m2",)]
            assert await rows(connection, THEIRS, NOTES) == [("t1",), ("t2",)]
            assert await rows(connection, uuid4(), NOTES) == []
            await nothing_left(connection)

    run(check())


def test_a_write_tells_who_writes_and_cannot_touch_a_foreign_row(probe: Notes, run: Run) -> None:
    async def check() -> None:
        async with connected(probe.database.app_dsn) as connection:
            who = (str(MINE), "key:1", str(uuid4()), "req-1")
            statement = await connection.prepare(SETTINGS)
            connection.transport.armed = guard.write_guard(*who)
            assert tuple(await statement.fetchrow()) == (*who, "off")

            update = await connection.prepare(
                "UPDATE public.probe SET note = note || '!' RETURNING note"
            )
            connection.transport.armed = guard.write_guard(*who)
            assert sorted(r[0] for r in await update.fetch()) == ["m1!", "m2!"]

            insert = await connection.prepare("INSERT INTO public.probe VALUES ($1, 'x', 1)")
            connection.transport.armed = guard.write_guard(*who)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await insert.fetch(THEIRS)
            await nothing_left(connection)

    run(check())


def test_a_setting_may_hold_any_text_and_stays_a_setting(probe: Notes) -> None:
    """Values travel as parameters of Bind, so nothing in them is read as SQL."""
    strange = "'; DROP TABLE public.probe; --\\ é \U0001f600"

    async def check() -> None:
        async with connected(probe.database.app_dsn) as connection:
            statement = await connection.prepare(SETTINGS)
            connection.transport.armed = guard.write_guard(str(MINE), strange, "", strange)
            assert tuple(await statement.fetchrow()) == (str(MINE), strange, "", strange, "off")
            await nothing_left(connection)

    uvloop.run(check())


@pytest.mark.parametrize("value", ["'", "a b", "x;y", "a\\b", "é", "a\nb", "$1", "\0"])
def test_begin_refuses_what_could_be_read_as_sql(value: str) -> None:
    for place in range(4):
        values = ["a"] * 4
        values[place] = value
        with pytest.raises(ValueError, match="identity"):
            guard.begin(*values)
    with pytest.raises(ValueError, match="identity"):
        guard.begin("a", "a", "a", "a", role=value)


def test_reads_are_really_read_only(probe: Notes, run: Run) -> None:
    """Even what changes something without saying so: a function, a sequence."""

    async def check() -> None:
        async with sessions(probe) as session:
            with pytest.raises(Failure) as failed:
                await session().value("probe.count_up")
            assert failed.value.sqlstate == "25006"
            assert await session().value("probe.notes") == "m1,m2"
            assert await session().execute("probe.add", tenant=MINE, note="m3") == 1

    run(check())
    assert probe.database.psql("SELECT is_called FROM public.probe_calls") == [(False,)]


# whatever happened before


async def _fails_in_the_server(connection: guard.Connection) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await rows(connection, MINE, "SELECT 1 / $1::int", 0)


async def _times_out(connection: guard.Connection) -> None:
    statement = await connection.prepare("SELECT pg_sleep(30)")
    connection.transport.armed = guard.read_guard(str(MINE))
    with pytest.raises(TimeoutError):
        await statement.fetch(timeout=0.05)


async def _is_cancelled(connection: guard.Connection) -> None:
    statement = await connection.prepare("SELECT pg_sleep(30)")
    connection.transport.armed = guard.read_guard(str(MINE))
    task = asyncio.ensure_future(statement.fetch())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _is_cancelled_by_the_operator(connection: guard.Connection) -> None:
    statement = await connection.prepare("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(30)")
    connection.transport.armed = guard.read_guard(str(MINE))
    with pytest.raises(asyncpg.QueryCanceledError):
        await statement.fetch()


async def _answers_more_than_it_reads(connection: guard.Connection) -> None:
    statement = await connection.prepare("SELECT note FROM public.probe, generate_series(1, 5000)")
    connection.transport.armed = guard.read_guard(str(MINE))
    assert (await statement.fetchrow())[0] in ("m1", "m2")


@pytest.mark.parametrize(
    "happening",
    [_fails_in_the_server, _times_out, _is_cancelled, _is_cancelled_by_the_operator,
     _answers_more_than_it_reads],
)  # fmt: skip
def test_no_setting_outlives_a_statement_that(
    happening: Callable[[guard.Connection], Awaitable[None]], probe: Notes, run: Run
) -> None:
    async def check() -> None:
        async with connected(probe.database.app_dsn) as connection:
            await happening(connection)
            await nothing_left(connection)

    run(check())


@pytest.mark.parametrize(
    ("ddl", "text"),
    [
        ("ALTER TABLE public.probe ADD COLUMN more text", "SELECT * FROM public.probe"),
        ("ALTER TABLE public.probe ALTER number TYPE bigint", "SELECT number FROM public.probe"),
    ],
)
def test_no_setting_outlives_a_plan_that_ddl_made_invalid(
    probe: Notes, run: Run, ddl: str, text: str
) -> None:
    async def check() -> None:
        async with connected(probe.database.app_dsn) as connection:
            statement = await connection.prepare(text)
            connection.transport.armed = guard.read_guard(str(MINE))
            assert len(await statement.fetch()) == 2
            await asyncio.to_thread(probe.database.psql, ddl)
            connection.transport.armed = guard.read_guard(str(MINE))
            with pytest.raises(asyncpg.InvalidCachedStatementError):
                await statement.fetch()
            await nothing_left(connection)
            assert len(await rows(connection, MINE, text)) == 2

    run(check())


def test_an_explicit_transaction_keeps_its_tenant_to_its_end(probe: Notes, run: Run) -> None:
    async def check() -> None:
        async with connected(probe.database.app_dsn) as connection:
            for end in ("COMMIT", "ROLLBACK"):
                await connection.execute(guard.begin(str(MINE), "test", "", "r1"))
                assert await rows(connection, None, NOTES) == [("m1",), ("m2",)]
                await connection.execute(end)
                await nothing_left(connection)

    run(check())


def test_a_session_leaves_no_guard_behind_when_an_argument_does_not_encode(
    probe: Notes, run: Run
) -> None:
    """Nothing was sent, so nothing may wait for the next statement of the connection."""

    async def check() -> None:
        async with sessions(probe) as session:
            link = await session.pool.lend(1)
            session.pool.take_back(link)
            for bad in ("no number", 2**40, object()):
                with pytest.raises(Failure) as failed:
                    await session().value("probe.divide", by=bad)
                assert failed.value.kind is Kind.INVALID
                await nothing_left(link.connection)
            assert not link.connection.is_closed()
            assert await session(THEIRS).value("probe.notes") == "t1,t2"

    run(check())


def test_a_session_goes_on_after_every_kind_of_failure(probe: Notes, run: Run) -> None:
    """One connection at most: each next statement follows on what the failed one left."""

    async def check() -> None:
        async with sessions(probe) as session:

            async def still_isolated() -> None:
                assert await session(THEIRS).value("probe.notes") == "t1,t2"
                assert await session(MINE).value("probe.notes") == "m1,m2"

            with pytest.raises(Failure) as failed:
                await session().value("probe.divide", by=0)
            assert failed.value.sqlstate == "22012"
            await still_isolated()

            with pytest.raises(Failure) as failed:
                await session(timeout=0.1).value("probe.sleep", seconds=30.0)
            assert failed.value.kind is Kind.DEADLINE
            await still_isolated()

            with pytest.raises(Failure) as failed:
                await session().execute("probe.add", tenant=THEIRS, note="x")
            assert failed.value.sqlstate == "42501"
            await still_isolated()

            assert await session().value("probe.wide") == 1
            await asyncio.to_thread(
                probe.database.psql, "ALTER TABLE public.probe ALTER number TYPE bigint"
            )
            assert await session().value("probe.wide") == 1  # planned again, told to nobody
            await still_isolated()

            with pytest.raises(RuntimeError):
                async with (db := session()).transaction():
                    assert await db.value("probe.notes") == "m1,m2"
                    raise RuntimeError
            await still_isolated()

            await asyncio.to_thread(
                probe.database.psql,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'quarry_app' AND datname = current_database()",
            )
            with contextlib.suppress(Failure):
                await session().value("probe.notes")
            await still_isolated()

    run(check())


# many at once


def test_fifty_tasks_of_two_tenants_on_a_small_pool_never_see_each_others_rows(
    probe: Notes, run: Run
) -> None:
    seen = 0

    async def one(session: Any, tenant: UUID, mine: str, chance: random.Random) -> None:
        nonlocal seen
        for _ in range(20):
            dice = chance.random()
            try:
                if dice < 0.1:
                    await session(tenant).value("probe.divide", by=0)
                elif dice < 0.15:
                    await session(tenant, timeout=0.002).value("probe.sleep", seconds=5.0)
                elif dice < 0.2:
                    await session(tenant).value("probe.divide", by="x")
                elif dice < 0.3:
                    async with (db := session(tenant)).transaction():
                        assert await db.value("probe.seen") == str(tenant)
                        assert await db.value("probe.notes") == mine
                elif dice < 0.35:
                    task = asyncio.ensure_future(session(tenant).value("probe.sleep", seconds=5.0))
                    await asyncio.sleep(0.001)
                    task.cancel()
                    await asyncio.wait([task])
                else:
                    assert await session(tenant).value("probe.notes") == mine
                    seen += 1
            except Failure as failure:
                assert failure.kind in (Kind.INVALID, Kind.DEADLINE, Kind.EXHAUSTED)

    async def check() -> None:
        async with sessions(probe, max_size=4, wait=30.0) as session:
            tasks = [
                one(session, tenant, mine, random.Random(number))
                for number in range(25)
                for tenant, mine in ((MINE, "m1,m2"), (THEIRS, "t1,t2"))
            ]
            async with asyncio.timeout(60):
                await asyncio.gather(*tasks)
            assert session.pool.breaker.failures == 0

    run(check())
    assert seen > 400


# the self-test


def _drops_the_guard(self: guard.GuardedTransport, data: Any) -> None:
    self.armed = None
    self._write(data)


def _sends_it_too_late(self: guard.GuardedTransport, data: Any) -> None:
    """Into the implicit transaction of the next statement."""
    late, self.armed = self.armed, None
    self._write(data)
    if late is not None:
        self._write(late)


def _sends_anothers(self: guard.GuardedTransport, data: Any) -> None:
    guarded, self.armed = self.armed is not None, None
    self._write(guard.read_guard(str(THEIRS)) + bytes(data) if guarded else data)


@pytest.mark.parametrize("transport", [_drops_the_guard, _sends_it_too_late, _sends_anothers])
def test_a_transport_that_does_not_carry_guards_is_found_out_and_transactions_take_over(
    probe: Notes, run: Run, monkeypatch: pytest.MonkeyPatch, transport: Any
) -> None:
    """Loudly, and with the same isolation."""
    monkeypatch.setattr(guard.GuardedTransport, "write", transport)

    async def check() -> None:
        with capture_logs() as logs:
            async with sessions(probe) as session:
                assert not await session.guarded()
                assert await session(MINE).value("probe.notes") == "m1,m2"
                assert await session(THEIRS).value("probe.notes") == "t1,t2"
                with pytest.raises(Failure) as failed:
                    await session().value("probe.count_up")
                assert failed.value.sqlstate == "25006"
                assert await session().execute("probe.add", tenant=MINE, note="m3") == 1
                with pytest.raises(Failure):
                    await session().execute("probe.add", tenant=THEIRS, note="t3")
                with pytest.raises(Failure):
                    await session().value("probe.divide", by=0)
                assert await session(THEIRS).value("probe.notes") == "t1,t2"
        failures = [entry for entry in logs if entry["event"] == "isolation.guard_failed"]
        assert failures
        assert failures[0]["log_level"] == "error"
        assert failures[0]["fallback"] == "transaction"

    run(check())


def test_a_setting_that_outlives_its_transaction_is_found_out(
    probe: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting = {name: text.replace("true)", "false)") for name, text in guard.GUARDS.items()}
    monkeypatch.setattr(guard, "GUARDS", lasting)

    async def check() -> None:
        with pytest.raises(guard.GuardFailed, match="outlived"):
            async with connected(probe.database.app_dsn):
                pass

    uvloop.run(check())


def test_isolation_guard_refuses_a_transport_that_does_not_carry_guards(
    probe: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard.GuardedTransport, "write", _drops_the_guard)

    async def check() -> None:
        with pytest.raises(Failure) as failed:
            async with sessions(probe, isolation="guard"):
                pass
        assert isinstance(failed.value.__cause__, guard.GuardFailed)

    uvloop.run(check())


@pytest.mark.parametrize("options", [{"isolation": "transaction"}, {"statement_cache": False}])
def test_transactions_isolate_as_guards_do(probe: Notes, run: Run, options: dict[str, Any]) -> None:
    """By setting, or where nothing may be prepared by name (PgBouncer before 1.21)."""

    async def check() -> None:
        async with sessions(probe, **options) as session:
            assert not await session.guarded()
            assert await session(MINE).value("probe.notes") == "m1,m2"
            assert await session(THEIRS).value("probe.notes") == "t1,t2"
            with pytest.raises(Failure) as failed:
                await session(timeout=0.1).value("probe.sleep", seconds=30.0)
            assert failed.value.kind is Kind.DEADLINE
            assert await session(THEIRS).value("probe.notes") == "t1,t2"

    run(check())


def test_a_role_that_row_level_security_does_not_bind_is_refused(probe: Notes) -> None:
    async def check(dsn: str) -> None:
        with pytest.raises(Failure, match="connect as quarry_app") as failed:
            async with sessions(probe, dsn):
                pass
        assert failed.value.kind is Kind.UNEXPECTED

    uvloop.run(check(probe.database.owner_dsn))
    backup = probe.database.cluster.server.dsn(user="quarry_backup", database=probe.database.name)
    uvloop.run(check(backup))


# over TLS


def test_guards_travel_over_tls(probe: Notes, cluster: Cluster, run: Run, tmp_path: Path) -> None:
    certificate = _self_signed(tmp_path / "server.pem")
    verifying = ssl.create_default_context(cafile=certificate)

    async def check() -> None:
        async with _tls_front(certificate, socket_path(cluster)) as port:
            dsn = f"postgresql://quarry_app@127.0.0.1:{port}/{probe.database.name}"
            async with connected(dsn, ssl=verifying) as connection:
                assert connection.transport.get_extra_info("ssl_object") is not None
                assert await rows(connection, MINE, NOTES) == [("m1",), ("m2",)]
                await _times_out(connection)
                await nothing_left(connection)
            async with sessions(probe, f"{dsn}?sslmode=require") as session:
                assert await session.guarded()
                assert await session(THEIRS).value("probe.notes") == "t1,t2"

    run(check())


def _self_signed(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1, valid for an hour, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@contextlib.asynccontextmanager
async def _tls_front(certificate: Path, upstream: str) -> AsyncIterator[int]:
    """A loopback port of PostgreSQL with TLS: the wheel's server is built without.

    Answers SSLRequest with `S`, does the handshake and passes what it holds to the unix socket.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(8)
        inner_reader, inner_writer = await asyncio.open_unix_connection(upstream)
        if request[4:] == (80877103).to_bytes(4, "big"):  # a CancelRequest comes without TLS
            writer.write(b"S")
            await writer.start_tls(context)
        else:
            inner_writer.write(request)
        with contextlib.suppress(OSError):
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
