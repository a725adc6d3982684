"""Uploads: multipart/form-data or a bare body, streamed to the disk and hashed on the way.

Multipart has one part called `file` with a file name, and small text fields beside it; of a bare
body, the query tells what else there is to tell. Memory holds some hundred KiB whatever the size.
What is not kept in the end is discarded by the outermost layer, however the request ends: refused,
hung up, out of time, failed.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from service.files import UPLOADS, DiskFull, Draft, disk_errors, in_thread
from service.http.context import context, principal
from service.http.problems import FieldError, Problem, invalid

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MULTIPART = b"multipart/form-data"
_FIELD_BYTES, _MOST_PARTS, _HEADER_BYTES = 64 * 1024, 20, 8 * 1024
_AROUND = 256 * 1024  # bytes that fields, headers and boundaries may add to the file
_BATCH = 512 * 1024  # bytes that are written at a time
_MEDIA_TYPE = re.compile(r"[!-~]+/[!-~]+( *;[ -~]*)?\Z")
_STRANGE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(slots=True)
class Upload:
    """What was sent: fields, and the file as a draft on the disk."""

    draft: Draft
    fields: dict[str, str] = field(default_factory=dict)
    name: str = ""
    media_type: str = "application/octet-stream"
    kept: bool = False

    @property
    def fingerprint(self) -> bytes:
        """The same for the same upload, whatever its boundary."""
        told = [sorted(self.fields.items()), self.name, self.media_type, self.draft.sha256.hex()]
        return hashlib.sha256(orjson.dumps(told)).digest()

    async def keep(self, name: str) -> None:
        """Give the file its final name. Raises Problem too_large when the disk is full."""
        try:
            with disk_errors():
                await in_thread(self.draft.keep, name)
        except DiskFull:
            raise Problem("too_large", "There is no room for the file.") from None
        self.kept = True

    async def close(self) -> None:
        """Discard what was not kept."""
        if not self.kept:
            await in_thread(self.draft.discard)


def is_multipart(request: Request) -> bool:
    """Whether the body says that it is an upload."""
    given = context(request).headers.get(b"content-type", b"")
    return given.split(b";")[0].strip().lower() == MULTIPART


async def receive(request: Request) -> Upload:
    """The whole upload, read once. Raises Problem too_large, validation, malformed_json."""
    here = context(request)
    if here.upload is None:
        tenant_id = principal(request).identity.tenant_id
        name = f"incoming-{secrets.token_hex(16)}"
        upload = here.upload = Upload(await here.process.files.draft(UPLOADS, tenant_id, name))
        await _read(request, upload)
    return here.upload


async def _read(request: Request, upload: Upload) -> None:
    here = context(request)
    assert here.endpoint is not None  # noqa: S101  (a handler runs)
    limit: int = getattr(here.process.settings, here.endpoint.upload_limit)
    if here.headers.get(b"content-encoding", b"identity") != b"identity":
        raise Problem("unsupported_media_type", "Send the body without content-encoding.")
    if int(here.headers.get(b"content-length", b"0")) > limit + _AROUND:
        raise _too_large(limit)
    parts: _Parts | _Bare = _Bare(here.headers.get(b"content-type", b""), limit)
    if is_multipart(request):
        parts = _Parts(_boundary(here.headers[b"content-type"]), limit)
    elif not here.endpoint.bare:
        raise Problem("unsupported_media_type")
    size = 0
    try:
        async with asyncio.timeout(here.remaining()):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit + _AROUND:
                    raise _too_large(limit)
                parts.feed(chunk)
                if parts.waiting >= _BATCH:
                    await _write(upload.draft, parts.take())
            parts.end()
            await _write(upload.draft, parts.take())
    except TimeoutError:
        raise Problem("deadline_exceeded", "The body did not arrive in time.") from None
    except ClientDisconnect:
        raise Problem("malformed_json", "The body ended early.") from None
    except FormParserError:
        raise Problem("malformed_json", "The body is no multipart/form-data.") from None
    upload.fields, upload.name, upload.media_type = parts.result()


async def _write(draft: Draft, data: bytes) -> None:
    try:
        with disk_errors():
            await in_thread(draft.write, data)
    except DiskFull:
        raise Problem("too_large", "There is no room for the file.") from None


def _too_large(limit: int) -> Problem:
    return Problem("too_large", f"At most {limit} bytes are accepted here.")


def _boundary(content_type: bytes) -> bytes:
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= 200:
        raise Problem("malformed_json", "The body's boundary is missing.")
    return boundary


class _Bare:
    """The body is the file; what is told beside it is in the query."""

    def __init__(self, media_type: bytes, limit: int) -> None:
        self._limit = limit
        self._data: list[bytes] = []
        self._size = self.waiting = 0
        given = media_type.decode("latin-1").strip()
        fits = len(given) <= 127 and _MEDIA_TYPE.match(given)
        self._media_type = given if fits else "application/octet-stream"

    def feed(self, chunk: bytes) -> None:
        """Raises Problem too_large."""
        self._size += len(chunk)
        if self._size > self._limit:
            raise _too_large(self._limit)
        self._data.append(chunk)
        self.waiting += len(chunk)

    def take(self) -> bytes:
        """What has come since the last time."""
        data, self._data, self.waiting = b"".join(self._data), [], 0
        return data

    def end(self) -> None:
        """Nothing comes any more."""

    def result(self) -> tuple[dict[str, str], str, str]:
        """No fields, no file name, the media type."""
        return {}, "", self._media_type


class _Parts:
    """Takes the parts as they come; what the file holds waits until it is taken."""

    def __init__(self, boundary: bytes, limit: int) -> None:
        self._limit = limit
        self._data: list[bytes] = []
        self._size = self.waiting = self._count = self._header_bytes = 0
        self._fields: dict[str, bytearray] = {}
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""
        self._field: bytearray | None = None  # None: the file
        self._file: tuple[str, str] | None = None
        self._ended = False
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin, "on_header_field": self._header_field,
            "on_header_value": self._header_value, "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished, "on_part_data": self._part_data,
            "on_end": self._end,
        }  # fmt: skip
        self._parser = MultipartParser(boundary, callbacks)

    def feed(self, chunk: bytes) -> None:
        """Raises FormParserError, Problem."""
        self._parser.write(chunk)

    def take(self) -> bytes:
        """What has come of the file since the last time."""
        data, self._data, self.waiting = b"".join(self._data), [], 0
        return data

    def end(self) -> None:
        """Nothing comes any more. Raises Problem."""
        self._parser.finalize()
        if not self._ended:
            raise Problem("malformed_json", "The body ended early.")
        if self._file is None:
            raise invalid("/file", "missing", "a part called file, with a file name")

    def result(self) -> tuple[dict[str, str], str, str]:
        """Fields, file name, media type."""
        assert self._file is not None  # noqa: S101  (end() made sure)
        try:
            fields = {name: bytes(value).decode() for name, value in self._fields.items()}
        except UnicodeDecodeError:
            raise Problem("malformed_json", "Fields are UTF-8.") from None
        return fields, *self._file

    # what the parser calls

    def _begin(self) -> None:
        self._headers, self._name, self._value, self._header_bytes = {}, b"", b"", 0
        self._count += 1
        if self._count > _MOST_PARTS:
            raise Problem("malformed_json", f"At most {_MOST_PARTS} parts.")

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += self._measured(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += self._measured(data[start:end])

    def _measured(self, data: bytes) -> bytes:
        self._header_bytes += len(data)
        if self._header_bytes > _HEADER_BYTES:
            raise Problem("malformed_json", "The headers of a part are too long.")
        return data

    def _header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name", b"").decode("utf-8", "replace")[:100]
        if kind != b"form-data" or not name:
            raise Problem("malformed_json", "A part has no name.")
        if name == "file":
            if self._file is not None:
                raise invalid("/file", "repeated", "may be given only once")
            self._file = _file_name(options.get(b"filename")), self._media_type()
            self._field = None
        elif name in self._fields:
            raise invalid(f"/{name}", "repeated", "may be given only once")
        else:
            self._field = self._fields[name] = bytearray()

    def _media_type(self) -> str:
        given = self._headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
        given = given.strip()
        if len(given) > 127 or not _MEDIA_TYPE.match(given):
            raise invalid(
                "/file", "invalid", "Content-Type: a media type of at most 127 characters"
            )
        return given

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        size = end - start
        if self._field is not None:
            self._field += data[start:end]
            if len(self._field) > _FIELD_BYTES:
                raise Problem("too_large", f"A field has at most {_FIELD_BYTES} bytes.")
            return
        self._size += size
        if self._size > self._limit:
            raise _too_large(self._limit)
        self._data.append(data[start:end])
        self.waiting += size

    def _end(self) -> None:
        self._ended = True


def _file_name(given: bytes | None) -> str:
    """The last part of what the caller calls it: never a path."""
    name = (given or b"").decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    if not 0 < len(name) <= 255 or _STRANGE.search(name):
        raise Problem(
            "validation",
            errors=[FieldError("/file", "invalid", "a file name of 1 to 255 characters")],
        )
    return name
