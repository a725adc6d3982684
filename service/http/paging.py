"""Lists: keyset pages with checked cursors, or the whole result as NDJSON.

A cursor is the values of the last row's cursor columns, bound by a keyed hash to the list, its
filters and the tenant: changed, or used elsewhere, it is refused with 400.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.database.queries import Query
from service.http.answers import Answer, Stream
from service.http.coding import NDJSON, accepts
from service.http.context import context, session
from service.http.inputs import Q, flag, number, parse_uuid, query, text
from service.http.problems import Problem

LIMIT, MOST = 50, 200
_TAG_BYTES = 12

PAGING: Q = {
    "limit": number("Items per page.", 1, MOST, LIMIT),
    "cursor": text("Where the previous page ended (`next_cursor`).", most=2000),
}
TOTAL: Q = {"include_total": flag("Adds `total`, the number of items that match.")}


async def listing(request: Request, name: Any, count: Any = None, /, **filters: Any) -> Response:
    """Answer a list from a `:page` query; `count` names the `:value` query of its total."""
    asked = query(request)
    here = context(request)
    if accepts(here.headers.get(b"accept", b""), NDJSON):
        read = request.method == "GET"  # HEAD wants nothing of it
        return Stream(session(request).stream(name, **filters) if read else _nothing(), NDJSON)
    named = here.queries[name]
    seal = _seal(request, named, filters)
    after = None if asked["cursor"] is None else _open(asked["cursor"], named, seal)
    async with session(request) as db:
        page = await db.page(name, asked["limit"], after, **filters)
        total = None
        if count is not None and asked["include_total"]:
            total = await db.value(count, **filters)
    return _answer(request, page.items, page.cursor, seal, total)


async def _nothing() -> AsyncGenerator[bytes, None]:
    for chunk in list[bytes]():
        yield chunk


def _answer(
    request: Request, items: bytes, values: bytes | None, seal: bytes, total: int | None
) -> Response:
    tail = b"" if total is None else b', "total": %d' % total
    if values is None:
        return Answer(b'{"items": ' + items + b', "next_cursor": null' + tail + b"}")
    cursor = _close(values, seal)
    body = b'{"items": ' + items + b', "next_cursor": "' + cursor + b'"' + tail + b"}"
    return Answer(body, 200, [(b"link", _link(request, cursor))])


def _link(request: Request, cursor: bytes) -> bytes:
    asked: bytes = request.scope["query_string"]
    if b"cursor" in asked or b"%" in asked:
        kept = [(n, v) for n, v in parse_qsl(asked.decode("ascii")) if n != "cursor"]
        asked = urlencode(kept).encode()
    path = request.scope["path"].encode("ascii", "ignore")
    return b'<%b?%bcursor=%b>; rel="next"' % (path, asked + b"&" if asked else b"", cursor)


def _seal(request: Request, named: Query, filters: dict[str, Any]) -> bytes:
    """What a cursor is bound to, as a hash: process secret, tenant, query and order, filters."""
    here = context(request)
    tenant = here.principal.identity.tenant_id if here.principal else ""
    bound = f"{tenant}\0{named.name}\0{named.cursor}"
    for name, value in filters.items():
        if value is not None:
            bound += f"\0{name}\0{value}"
    key = here.process.cursor_key
    return hashlib.blake2b(bound.encode("utf-8", "surrogatepass"), key=key, digest_size=32).digest()


def _tag(values: bytes, seal: bytes) -> bytes:
    return hashlib.blake2b(values, key=seal, digest_size=_TAG_BYTES).digest()


def _close(values: bytes, seal: bytes) -> bytes:
    return base64.urlsafe_b64encode(_tag(values, seal) + values).rstrip(b"=")


_READERS: dict[str, Callable[[str], Any]] = {
    "uuid": parse_uuid,
    "timestamptz": datetime.fromisoformat,
    "int": int,
    "bigint": int,
    "smallint": int,
    "float8": float,
    "numeric": Decimal,
    "boolean": lambda v: v == "true",
}


def _open(cursor: str, named: Query, seal: bytes) -> list[Any]:
    """The values in a cursor. Raises Problem bad_cursor."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        tag, values = data[:_TAG_BYTES], data[_TAG_BYTES:]
        if not hmac.compare_digest(tag, _tag(values, seal)):
            raise Problem("bad_cursor")
        parsed = orjson.loads(values)
        kinds = [p.type for p in named.params if p.name.startswith("after_")]
        return [_READERS.get(kind, str)(value) for kind, value in zip(kinds, parsed, strict=True)]
    except (binascii.Error, ValueError, TypeError, InvalidOperation):
        raise Problem("bad_cursor") from None
