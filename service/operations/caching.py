"""The cache of a process: made from the settings, and filled at its start when asked for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

import structlog
from asyncpg.pgproto.pgproto import UUID

import service
from service.cache.cache import Cache, Entry
from service.cache.stores import MemoryStore, Store
from service.database.queries import Query
from service.database.session import Engine, Identity
from service.database.tree import sql
from service.settings import Settings, SettingsError

log = structlog.get_logger("quarry.cache")

KINDS = ("user", "conversation", "page", "search", "project")
_SECONDS = 60.0


def of(settings: Settings, head: str) -> Cache:
    """The cache that the settings name. Raises SettingsError."""
    named = "" if settings.cache_kinds == "none" else settings.cache_kinds
    kinds = [kind.strip() for kind in named.split(",") if kind.strip()]
    if unknown := set(kinds) - set(KINDS):
        raise SettingsError(f"QUARRY_CACHE_KINDS: no such kind: {', '.join(sorted(unknown))}")
    seconds = {kind: getattr(settings, f"cache_{kind}_seconds") for kind in kinds}
    return Cache(
        _store(settings), _schema(settings, head), seconds,
        settings.cache_absent_seconds, settings.cache_pause_seconds, form,
    )  # fmt: skip


def _store(settings: Settings) -> Store:
    if settings.cache_url is None:
        return MemoryStore(settings.cache_memory_bytes, asyncio.get_running_loop().time)
    from service.cache.server import ServerStore  # noqa: PLC0415  (redis: only who needs it)

    try:
        return ServerStore(settings.cache_url, settings.cache_budget_ms / 1000)
    except ValueError as error:
        raise SettingsError("QUARRY_CACHE_URL is no redis:// or rediss:// URL") from error


def _schema(settings: Settings, head: str) -> str:
    """Changes with the version of the service, the schema and the form of cursors: two versions of
    the service on one cache server do not read each other's."""
    told = [service.__version__, head, settings.cursor_secret]
    return hashlib.blake2b("\n".join(told).encode(), digest_size=6).hexdigest()


def form(queries: Mapping[str, Query]) -> str:
    """Changes with the text of any query: a reload of the files makes other answers."""
    told = (f"{name} {query.wire}" for name, query in sorted(queries.items()))
    return hashlib.blake2b("\n".join(told).encode(), digest_size=6).hexdigest()


async def warm(cache: Cache, engine: Engine, most: int) -> None:
    """Make the entries of the newest users and of their conversations, as far as they are kept."""
    if not most or not (cache.on("user") or cache.on("conversation")):
        return
    try:
        nobody = engine.session(Identity(UUID(bytes(16)), "warm-up"), "", _SECONDS)
        for row in await nobody.fetch(sql.cache.newest, most=most):
            await _warm(cache, engine, row)
    except Exception as error:  # a cold cache is only slower
        log.warning("cache.not_warm", reason=type(error).__name__)


async def _warm(cache: Cache, engine: Engine, row: Mapping[str, Any]) -> None:
    tenant_id, user_id, conversation_id = row["tenant_id"], row["user_id"], row["conversation_id"]
    db = engine.session(Identity(tenant_id, "warm-up"), "", _SECONDS)
    wanted: list[tuple[str, Any, Any, Any, str, dict[str, Any]]] = [
        ("user", user_id, sql.users.generation, sql.users.get, "users", {"user_id": user_id}),
        ("conversation", conversation_id, sql.conversations.generation, sql.conversations.get,
         "conversations", {"conversation_id": conversation_id}),
    ]  # fmt: skip
    for kind, group_id, generation, get, folder, values in wanted:
        if not cache.on(kind) or group_id is None:
            continue
        current = await db.value(generation, **values)

        async def make(get: Any = get, values: dict[str, Any] = values) -> Entry:
            found = await db.one(get, **values)
            if found is None:
                raise LookupError
            return Entry(found.body, found.etag or "")

        if current is not None:
            asked = f"{cache.form_of(engine.queries)}/{folder}/{group_id}?"
            name = hashlib.blake2b(asked.encode(), digest_size=16).hexdigest()
            await cache.through(kind, tenant_id, group_id, current, name, make)
