"""Answers through the cache: which generation they must have, and how they are made."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.cache.cache import Entry
from service.database.session import Row
from service.http.answers import Answer, entity
from service.http.context import context, principal, session
from service.http.problems import Problem


async def generation_of(request: Request, name: Any, **values: Any) -> str:
    """What the database says now, in this request. Raises Problem not_found."""
    async with session(request) as db:
        found: str | None = await db.value(name, **values)
    if found is None:
        raise Problem("not_found")
    return found


async def kept(
    request: Request, kind: str, group_id: Any, generation: str,
    answer: Callable[[], Awaitable[Response]],
) -> Response:  # fmt: skip
    """A list's answer at this generation: its bytes from the cache, or made by `answer`."""
    cache = context(request).process.cache
    if not cache.on(kind):
        return await answer()

    async def make() -> Entry:
        made = await answer()
        link = next((v for n, v in made.raw_headers if n == b"link"), b"")
        return Entry(bytes(made.body), link=link.decode("latin-1"))

    entry = await _through(request, kind, group_id, generation, make)
    return Answer(entry.body, 200, [(b"link", entry.link.encode("latin-1"))] if entry.link else ())


async def kept_entity(
    request: Request, kind: str, group_id: Any, generation: Any, values: Mapping[str, Any],
    read: Callable[[], Awaitable[Row | None]],
) -> Response:  # fmt: skip
    """A single resource with its ETag; `generation` is the query that tells its generation."""
    cache = context(request).process.cache
    if not cache.on(kind):
        return entity(await read(), request)
    current = await generation_of(request, generation, **values)

    async def make() -> Entry:
        row = await read()
        if row is None:
            raise Problem("not_found")
        return Entry(row.body, row.etag or "")

    entry = await _through(request, kind, group_id, current, make)
    return entity(Row(entry.etag or None, entry.body), request)


async def _through(
    request: Request,
    kind: str,
    group_id: Any,
    generation: str,
    make: Callable[[], Awaitable[Entry]],
) -> Entry:
    """The entry, within the request's own time: what it waits for may be another one's work."""
    here = context(request)
    tenant_id = principal(request).identity.tenant_id
    try:
        async with asyncio.timeout(here.remaining()):
            return await here.process.cache.through(
                kind, tenant_id, group_id, generation, _name(request), make
            )
    except TimeoutError:
        raise Problem("deadline_exceeded") from None


def _name(request: Request) -> str:
    """The same for requests that are answered the same: by the same queries, path and query."""
    here = context(request)
    form = here.process.cache.form_of(here.queries).encode()
    asked = form + request.scope["path"].encode() + b"?" + request.scope["query_string"]
    return hashlib.blake2b(asked, digest_size=16).hexdigest()


async def drop(request: Request, groups: Mapping[str, Sequence[Any]]) -> int:
    """Remove what is kept of these groups, by kind; how many entries. For erasure alone: what a
    change makes wrong is out of reach by its generation."""
    cache, tenant_id = context(request).process.cache, principal(request).identity.tenant_id
    return sum([await cache.drop(kind, tenant_id, ids) for kind, ids in groups.items()])
