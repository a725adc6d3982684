"""Answers: the bytes that PostgreSQL made, with their headers. No JSON is touched here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.database.session import Row
from service.http.coding import etag_of, plain
from service.http.context import context
from service.http.problems import Problem

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")
_ETAG = re.compile(r'(?:W/)?"[^"]+"')
_ETAGS = re.compile(rf"{_ETAG.pattern}(?:[ \t]*,[ \t]*{_ETAG.pattern})*")


class Answer(Response):
    """A response of ready bytes; headers are prebuilt pairs, nothing is encoded again."""

    def __init__(self, body: bytes, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = (),
                 content_type: tuple[bytes, bytes] = _JSON) -> None:  # fmt: skip
        self.body = body
        self.status_code = status
        self.background = None
        self.raw_headers = [content_type, (b"content-length", b"%d" % len(body)), *headers]


class Stream(Response):
    """A response whose body comes chunk by chunk.

    With a `patience`, it lasts as long as there are chunks, whatever the request's deadline; a
    client that takes nothing for so many seconds is cut off.
    """

    patience: float | None = None
    limit: asyncio.Timeout | None = None  # while it is sent: when it is cut off

    def __init__(self, chunks: AsyncGenerator[bytes, None], content_type: bytes,
                 headers: Iterable[tuple[bytes, bytes]] = ()) -> None:  # fmt: skip
        self.chunks = chunks
        self.body = b""
        self.status_code = 200
        self.background = None
        self.raw_headers = [(b"content-type", content_type), *headers]


def quoted(etag: str) -> str:
    """A version as a strong ETag."""
    return f'"{etag}"'


def entity(row: Row | None, request: Request) -> Response:
    """A single resource with its ETag; 304 when the caller has it; 404 when there is none."""
    if row is None:
        raise Problem("not_found")
    if row.etag is None:
        return Answer(row.body)
    etag = quoted(row.etag)
    if request.method in ("GET", "HEAD") and is_known(request, etag):
        return unchanged(request, etag, row.body)
    return Answer(row.body, 200, [(b"etag", etag.encode())])


def is_known(request: Request, etag: str) -> bool:
    """Whether If-None-Match says that the caller has this version."""
    known = context(request).headers.get(b"if-none-match")
    return known is not None and matches(known.decode("latin-1"), etag)


def unchanged(request: Request, etag: str, body: bytes, headers: Headers | None = None) -> Response:
    """304 with the ETag that this body would go out with."""
    accepted = context(request).headers.get(b"accept-encoding", b"")
    sent = etag_of(etag, len(body), accepted)
    return no_content([(b"etag", sent.encode()), *(headers or ())], status=304)


def created(row: Row | None, location: str, status: int = 201) -> Response:
    """201 or 202 with Location and ETag. A create that stored nothing had no parent: 404."""
    if row is None:
        raise Problem("not_found")
    headers: Headers = [(b"location", _location(location, row.body))]
    if row.etag is not None:
        headers.append((b"etag", quoted(row.etag).encode()))
    return Answer(row.body, status, headers)


def _location(prefix: str, body: bytes) -> bytes:
    """The new resource's path: its id is the first member of the JSON object."""
    start = body.index(b'"id":') + 5
    first = body.index(b'"', start) + 1
    return prefix.encode() + b"/" + body[first : body.index(b'"', first)]


def no_content(headers: Headers | None = None, status: int = 204) -> Response:
    """An answer without a body."""
    answer = Answer(b"", status, headers or ())
    answer.raw_headers = list(headers or ())
    return answer


def json_answer(value: Any, status: int = 200) -> Response:
    """JSON made in Python, where no query makes it."""
    return Answer(orjson.dumps(value), status)


def matches(header: str, etag: str) -> bool:
    """Whether an If-None-Match list names the ETag (weak comparison, RFC 9110 13.1.2)."""
    if header.strip() == "*":
        return True
    return any(plain(part.strip().removeprefix("W/")) == etag for part in header.split(","))


def expected_version(request: Request) -> int | None:
    """The version that If-Match asks for; None for `*`.

    Raises Problem precondition_required without the header, bad_header when it does not name one
    version, stale_etag for a weak ETag (RFC 9110 wants strong comparison).
    """
    header = context(request).header(b"if-match")
    if header is None:
        raise Problem("precondition_required")
    return parse_if_match(header)


def parse_if_match(header: str) -> int | None:
    """The number in an If-Match header; None for `*`."""
    value = header.strip()
    if value == "*":
        return None
    if not _ETAGS.fullmatch(value):
        raise Problem("bad_header", "If-Match must be one ETag of this resource, or *.")
    named = {plain(etag) for etag in _ETAG.findall(value)}
    if len(named) > 1:
        raise Problem("bad_header", "If-Match may name one version only, or *.")
    etag = named.pop()
    if etag.startswith("W/"):
        raise Problem("stale_etag", "If-Match needs a strong ETag.")
    digits = etag[1:-1]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise Problem("stale_etag")
    return int(digits)
