"""Tenant isolation in one round trip: a guard statement that travels with each statement.

Row-level security reads `app.tenant_id` (and the audit triggers `app.actor`, `app.user_id`,
`app.request_id`) from transaction-local settings. Opening a transaction to set them costs three
round trips. Here a prepared statement that sets them and returns no row goes out as Bind + Execute
in the same write, ahead of asyncpg's own Bind + Execute + Sync, so that PostgreSQL runs both in
one implicit transaction; the settings end with it.

The guard is a prefix that the transport puts before asyncpg's next bytes: an argument that fails to
encode never leaves a guard behind, because then nothing is written at all. Every new connection
proves that it works (`verify`); where it does not, statements run inside explicit transactions.
The PostgreSQL statements of this protocol are the only SQL text in Python.
"""

from __future__ import annotations

import asyncio
import re
import struct
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg

READ, WRITE = "quarry_guard_read", "quarry_guard_write"

_SETTINGS = ("app.tenant_id", "app.actor", "app.user_id", "app.request_id")
GUARDS = {
    # A read can change nothing, whatever the query file says: the server enforces it.
    READ: """SELECT 1 WHERE set_config('app.tenant_id', $1, true) IS NULL
                OR set_config('transaction_read_only', 'on', true) IS NULL""",
    WRITE: """SELECT 1 WHERE set_config('app.tenant_id', $1, true) IS NULL
                OR set_config('app.actor', $2, true) IS NULL
                OR set_config('app.user_id', $3, true) IS NULL
                OR set_config('app.request_id', $4, true) IS NULL""",
}
_PROBE = """SELECT coalesce(current_setting('app.tenant_id', true), ''),
                   coalesce(current_setting('app.request_id', true), ''),
                   current_setting('transaction_read_only')"""
_BYPASS = """SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles
              WHERE rolname = current_user"""
_SAFE = re.compile(r"[A-Za-z0-9_.:@/+=-]*\Z")


class GuardFailed(Exception):
    """The self-test of a connection did not see the settings that the guard should have made."""


def _message(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!i", len(payload) + 4) + payload


def _bind_execute(statement: str, values: tuple[str, ...]) -> bytes:
    """Bind (text parameters, unnamed portal) and Execute of a prepared guard."""
    encoded = b"".join(struct.pack("!i", len(v)) + v for v in (x.encode() for x in values))
    bind = b"\0" + statement.encode() + b"\0" + struct.pack("!hh", 0, len(values)) + encoded
    execute = b"\0" + struct.pack("!i", 0)
    return _message(b"B", bind + struct.pack("!h", 0)) + _message(b"E", execute)


def read_guard(tenant_id: str) -> bytes:
    """The bytes that bind a read to its tenant; the same for every request of the tenant."""
    return _bind_execute(READ, (tenant_id,))


def write_guard(tenant_id: str, actor: str, user_id: str, request_id: str) -> bytes:
    """The bytes that bind a write to its tenant and to who does it."""
    return _bind_execute(WRITE, (tenant_id, actor, user_id, request_id))


def begin(tenant_id: str, actor: str, user_id: str, request_id: str, *, role: str = "",
          read_only: bool = False) -> str:  # fmt: skip
    """BEGIN and the settings as one simple-protocol message; a read sees one snapshot throughout.

    With a `role` the transaction has its rights instead. Raises ValueError on unsafe values.
    """
    values = (tenant_id, actor, user_id, request_id)
    if not all(_SAFE.match(v) for v in (*values, role)):
        raise ValueError("a session's identity may hold letters, digits and _.:@/+=- only")
    settings = zip(_SETTINGS, values, strict=True)
    calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings)
    begun = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if read_only else "BEGIN"
    acting = f'SET LOCAL ROLE "{role}"; ' if role else ""
    return f"{begun}; {acting}SELECT {calls}"


class GuardedTransport:
    """A transport that writes an armed guard ahead of, and together with, the next bytes."""

    __slots__ = ("_transport", "_write", "armed")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._write: Callable[[Any], None] = transport.write
        self.armed: bytes | None = None

    def write(self, data: Any) -> None:
        """Write; an armed guard goes first, in the same call."""
        if self.armed is None:
            self._write(data)
            return
        guard, self.armed = self.armed, None
        self._transport.writelines((guard, data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _GuardingLoop:
    """The event loop as asyncpg sees it: every transport that it opens can carry a guard."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.create_future = loop.create_future
        self.call_later = loop.call_later
        self.create_task = loop.create_task

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def _open(self, opener: Any, factory: Callable[[], Any], *args: Any, **kw: Any) -> Any:
        transport, protocol = await opener(_wrapping(factory), *args, **kw)
        return getattr(protocol, "quarry_transport", transport), protocol

    async def create_connection(self, factory: Callable[[], Any], *args: Any, **kw: Any) -> Any:
        return await self._open(self._loop.create_connection, factory, *args, **kw)

    async def create_unix_connection(self, factory: Callable[[], Any], *a: Any, **kw: Any) -> Any:
        return await self._open(self._loop.create_unix_connection, factory, *a, **kw)

    async def start_tls(self, transport: Any, protocol: Any, *args: Any, **kw: Any) -> Any:
        plain = getattr(transport, "_transport", transport)
        upgraded = await self._loop.start_tls(plain, protocol, *args, **kw)
        return None if upgraded is None else GuardedTransport(upgraded)


def _wrapping(factory: Callable[[], Any]) -> Callable[[], Any]:
    """A protocol factory whose protocols are handed a guarded transport."""

    def make() -> Any:
        protocol = factory()
        made = protocol.connection_made

        def connection_made(transport: Any) -> None:
            protocol.quarry_transport = GuardedTransport(transport)
            made(protocol.quarry_transport)

        protocol.connection_made = connection_made
        return protocol

    return make


class Connection(asyncpg.Connection):  # type: ignore[misc]
    """An asyncpg connection that knows the transport which carries its guards."""

    __slots__ = ("guards", "transport")

    def __init__(self, protocol: Any, transport: Any, *args: Any, **kw: Any) -> None:
        super().__init__(protocol, transport, *args, **kw)
        self.transport: GuardedTransport = transport
        self.guards: list[Any] = []  # held, because asyncpg closes statements nobody refers to


async def connect(*args: Any, loop: Any = None, **kw: Any) -> Connection:
    """asyncpg.connect over a guarding loop; for `create_pool(connect=…)`."""
    return await asyncpg.connect(  # type: ignore[no-any-return]
        *args, loop=_GuardingLoop(loop or asyncio.get_running_loop()), **kw
    )


async def bypasses_isolation(connection: Connection) -> bool:
    """Whether row-level security does not apply to this role (superuser or BYPASSRLS)."""
    return bool(await connection.fetchval(_BYPASS))


async def verify(connection: Connection) -> None:
    """Prepare the guards and prove them on this connection. Raises GuardFailed."""
    connection.guards = [await connection.prepare(text, name=n) for n, text in GUARDS.items()]
    probe = await connection.prepare(_PROBE)
    tenant, request = str(uuid.uuid4()), uuid.uuid4().hex
    connection.transport.armed = read_guard(tenant)
    seen_by_read = tuple(await probe.fetchrow())
    connection.transport.armed = write_guard(tenant, "self-test", "", request)
    seen_by_write = tuple(await probe.fetchrow())
    left_behind = tuple(await probe.fetchrow())
    if seen_by_read != (tenant, "", "on") or seen_by_write != (tenant, request, "off"):
        raise GuardFailed("a statement did not see the settings of its guard")
    if left_behind != ("", "", "off"):
        raise GuardFailed("a setting of the guard outlived its transaction")
