"""A file as an answer: whole, or the part that a Range header asks for (RFC 9110, 14).

One range is honoured; several, or what cannot be read, are answered with the whole file, as the RFC
allows. A part is for whoever has the same file already: If-Range names it by its ETag.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from service.database.errors import Failure, Kind
from service.files import in_thread
from service.http.answers import Answer, Stream, matches, no_content, quoted
from service.http.context import context
from service.http.problems import Problem

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z", re.ASCII)
_CHUNK = 256 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9 ._()+-]")


@dataclass(frozen=True, slots=True)
class File:
    """What is to be sent; `sha256` in hex is its ETag, `name` what the caller shall call it."""

    opened: BinaryIO
    size: int
    sha256: str
    media_type: str
    name: str


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """First byte and length of the part that is asked for; None for the whole.

    Raises Problem range_not_satisfiable when no byte of it exists.
    """
    match = _RANGE.match(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        first, last = size - length, size - 1
    else:
        first = int(match[1])
        last = min(int(match[2]), size - 1) if match[2] else size - 1
        if match[2] and int(match[2]) < first:
            return None
    if first >= size:
        raise Problem("range_not_satisfiable", headers={"Content-Range": f"bytes */{size}"})
    return first, last - first + 1


def wanted(request: Request, file: File) -> tuple[int, int] | None:
    """The part that a request asks for, if it does: GET only, and If-Range must name this file."""
    headers = context(request).headers
    asked = headers.get(b"range")
    if asked is None or request.method != "GET":
        return None
    unless = headers.get(b"if-range")
    if unless is not None and unless.decode("latin-1").strip() != quoted(file.sha256):
        return None
    return parse_range(asked.decode("latin-1"), file.size)


def unchanged(request: Request, sha256: str) -> Response | None:
    """304 for who has the file."""
    known = context(request).headers.get(b"if-none-match")
    etag = quoted(sha256)
    if known is None or not matches(known.decode("latin-1"), etag):
        return None
    return no_content([(b"etag", etag.encode())], status=304)


def file_answer(
    request: Request, file: File, part: tuple[int, int] | None, seconds: float
) -> Response:
    """The file or a part of it, which may take so many seconds to send. The file is then closed."""
    first, length = part or (0, file.size)
    headers = [
        (b"content-type", file.media_type.encode()),
        (b"content-length", b"%d" % length),
        (b"etag", quoted(file.sha256).encode()),
        (b"accept-ranges", b"bytes"),
        (b"content-disposition", disposition(file.name)),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"private, no-transform"),
    ]
    if part is not None:
        last = first + length - 1
        headers.append((b"content-range", b"bytes %d-%d/%d" % (first, last, file.size)))
    if request.method == "HEAD":
        file.opened.close()
        answer: Response = Answer(b"")
    else:
        here = context(request)
        if b"x-request-timeout-ms" not in here.headers:
            here.deadline = asyncio.get_running_loop().time() + seconds
        answer = Stream(_read(file.opened, first, length), b"")
    answer.status_code = 200 if part is None else 206
    answer.raw_headers = headers
    return answer


def disposition(name: str) -> bytes:
    """A download under this name (RFC 6266); beyond ASCII also as `filename*`."""
    plain = _UNSAFE.sub("_", name)
    value = f'attachment; filename="{plain}"'
    if plain != name:
        value += f"; filename*=UTF-8''{quote(name, safe='')}"
    return value.encode("ascii")


async def _read(opened: BinaryIO, first: int, length: int) -> AsyncGenerator[bytes, None]:
    """The bytes, some at a time. Raises Failure when the disk does not give them."""
    try:
        await in_thread(opened.seek, first)
        while length > 0:
            chunk = await in_thread(opened.read, min(_CHUNK, length))
            if not chunk:
                raise Failure(Kind.UNEXPECTED, "a file is shorter than it was")
            length -= len(chunk)
            yield chunk
    except OSError as error:
        raise Failure(Kind.UNEXPECTED, f"a file cannot be read: {error.strerror}") from error
    finally:
        opened.close()
