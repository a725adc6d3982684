"""Content codings of answers: gzip for who accepts it, under an ETag of its own.

A compressed representation is another one than the plain one, so a strong ETag must tell them apart
(RFC 9110 8.8.3.3). As Apache and Caddy do, the compressed one's ends in `-gzip`; in If-Match and
If-None-Match either names the version.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response

NDJSON = b"application/x-ndjson"

_LEAST = 1024  # bytes; below, compressing costs more than it saves
_SUFFIX = "-gzip"
_TEXTUAL = re.compile(rb"application/(?:[a-z]+\+)?json|application/x-ndjson|text/(?!event-stream)")
_ENCODED = {b"content-encoding", b"content-range"}
_VARY = (b"vary", b"accept-encoding")


def accepts(header: bytes, wanted: bytes) -> bool:
    """Whether an Accept… header names `wanted` with a weight above 0 (RFC 9110 12.4.2)."""
    header = header.lower()
    if wanted not in header:  # nearly always decides
        return False
    for part in header.split(b","):
        name, *parameters = (each.strip() for each in part.split(b";"))
        if name == wanted:
            return not any(re.fullmatch(rb"q\s*=\s*0(\.0*)?", each) for each in parameters)
    return False


def plain(etag: str) -> str:
    """The ETag without the mark of a compressed representation."""
    return etag[: -len(_SUFFIX) - 1] + '"' if etag.endswith(_SUFFIX + '"') else etag


def etag_of(etag: str, size: int, accept_encoding: bytes) -> str:
    """The ETag that a body of `size` bytes goes out with."""
    packed = size > _LEAST and accepts(accept_encoding, b"gzip")
    return _marked(etag) if packed else etag


def encode(answer: Response, accept_encoding: bytes) -> bytes:
    """The body as it goes out; the headers are changed to match."""
    body = bytes(answer.body)
    headers = answer.raw_headers
    if len(body) <= _LEAST or not _may_be_packed(headers):
        return body
    headers.append(_VARY)
    if not accepts(accept_encoding, b"gzip"):
        return body
    packed = gzip.compress(body, compresslevel=1, mtime=0)
    changed = {b"content-length": b"%d" % len(packed)}
    changed |= {n: _marked(v.decode()).encode() for n, v in headers if n == b"etag"}
    headers[:] = [(name, changed.get(name, value)) for name, value in headers]
    headers.append((b"content-encoding", b"gzip"))
    return packed


def encode_stream(
    chunks: AsyncGenerator[bytes, None],
    headers: list[tuple[bytes, bytes]],
    accept_encoding: bytes,
) -> AsyncGenerator[bytes, None]:
    """The chunks of an NDJSON stream as they go out; the headers are changed to match.

    A file, whose length is known and which is had in parts, goes out as it is.
    """
    is_file = any(name == b"content-length" for name, _ in headers)
    if is_file or (b"content-type", NDJSON) not in headers or not _may_be_packed(headers):
        return chunks
    headers.append(_VARY)
    if not accepts(accept_encoding, b"gzip"):
        return chunks
    headers.append((b"content-encoding", b"gzip"))
    return _packed(chunks)


async def _packed(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    packer = zlib.compressobj(level=1, wbits=31)
    async with aclosing(chunks):
        async for chunk in chunks:  # flushed, so that rows do not wait for others
            yield packer.compress(chunk) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def _may_be_packed(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether it is text, whole, and not encoded yet."""
    return not any(name in _ENCODED for name, _ in headers) and any(
        name == b"content-type" and _TEXTUAL.match(value) for name, value in headers
    )


def _marked(etag: str) -> str:
    return etag if etag.startswith("W/") else f'{etag[:-1]}{_SUFFIX}"'
