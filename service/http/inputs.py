"""Taking a request apart: paths, queries, headers, bodies. Everything at fault is told at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from asyncpg.pgproto.pgproto import UUID
from starlette.requests import Request

from service.http.context import Context, context
from service.http.decoding import MAX_ERRORS, Body, JsonObject, decode
from service.http.problems import FieldError, Problem

__all__ = [
    "MAX_ERRORS",
    "MAX_ITEMS",
    "Body",
    "JsonObject",
    "Q",
    "QueryParameter",
    "body",
    "decode",
    "flag",
    "given",
    "identifier",
    "items",
    "moment",
    "number",
    "one_of",
    "parse_uuid",
    "path_text",
    "path_uuid",
    "query",
    "raw_body",
    "text",
]

T = TypeVar("T")

MAX_ITEMS = 10_000

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_STRANGE = re.compile(r"[\x00\ud800-\udfff]")


# paths


def parse_uuid(text: str) -> UUID | None:
    """A uuid in its canonical form, or None."""
    return UUID(text) if _UUID.match(text) else None


def path_uuid(request: Request, name: str = "project_id") -> UUID:
    """A uuid out of the path. Raises Problem not_found, as for an absent resource."""
    found = parse_uuid(request.path_params[name])
    if found is None:
        raise Problem("not_found")
    return found


def path_text(request: Request, name: str) -> str:
    """Text out of the path. Raises Problem not_found on characters that cannot be stored."""
    text: str = request.path_params[name]
    if _STRANGE.search(text):
        raise Problem("not_found")
    return text


def path_number(request: Request, name: str) -> int:
    """A whole number from 1 out of the path. Raises Problem not_found."""
    value: str = request.path_params[name]
    if not value.isascii() or not value.isdigit() or len(value) > 9 or int(value) == 0:
        raise Problem("not_found")
    return int(value)


# queries


class QueryParameter(msgspec.Struct, frozen=True):
    """One query parameter: its type's reader, JSON schema and meaning (for OpenAPI)."""

    read: Callable[[str], Any]
    schema: dict[str, Any]
    meaning: str
    default: Any = None
    required: bool = False


def text(meaning: str, *, most: int = 255, required: bool = False) -> QueryParameter:
    """Text of at most `most` characters."""

    def read(value: str) -> str:
        if not 0 < len(value) <= most or _STRANGE.search(value):
            raise ValueError(f"1 to {most} characters, without NUL")
        return value

    schema = {"type": "string", "minLength": 1, "maxLength": most}
    return QueryParameter(read, schema, meaning, required=required)


def number(meaning: str, least: int, most: int, default: int | None = None) -> QueryParameter:
    """A whole number within bounds."""

    def read(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", value) or not least <= int(value) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(value)

    schema: dict[str, Any] = {"type": "integer", "minimum": least, "maximum": most}
    if default is not None:
        schema["default"] = default
    return QueryParameter(read, schema, meaning, default)


def flag(meaning: str) -> QueryParameter:
    """true or false; false when absent."""

    def read(value: str) -> bool:
        if value not in ("true", "false"):
            raise ValueError("true or false")
        return value == "true"

    return QueryParameter(read, {"type": "boolean", "default": False}, meaning, False)


def either(meaning: str) -> QueryParameter:
    """true or false; None, which means both, when absent."""
    return msgspec.structs.replace(flag(meaning), default=None, schema={"type": "boolean"})


def one_of(meaning: str, *allowed: str) -> QueryParameter:
    """One of a few words."""

    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"one of {', '.join(allowed)}")
        return value

    return QueryParameter(read, {"type": "string", "enum": list(allowed)}, meaning)


def identifier(meaning: str) -> QueryParameter:
    """A uuid."""

    def read(value: str) -> UUID:
        found = parse_uuid(value)
        if found is None:
            raise ValueError("a uuid")
        return found

    return QueryParameter(read, {"type": "string", "format": "uuid"}, meaning)


def moment(meaning: str) -> QueryParameter:
    """An RFC 3339 time with its zone."""

    def read(value: str) -> datetime:
        try:
            found = datetime.fromisoformat(value.replace(" ", "+"))
        except ValueError:
            found = None
        if found is None or found.tzinfo is None or not 1 < found.year < 9999:
            raise ValueError("an RFC 3339 time with its zone, such as 2026-01-31T12:00:00Z")
        return found

    return QueryParameter(read, {"type": "string", "format": "date-time"}, meaning)


Q = dict[str, QueryParameter]


def query(request: Request) -> dict[str, Any]:
    """The query's values, as the endpoint declares them; unknown or bad ones are one 422.

    Percent-escapes that are no UTF-8 are refused like any other bad value.
    """
    endpoint = context(request).endpoint
    declared: Q = endpoint.query if endpoint is not None else {}
    raw: bytes = request.scope["query_string"]
    if not raw:
        if any(p.required for p in declared.values()):
            raise _missing({}, declared)
        return {name: p.default for name, p in declared.items()}
    return _read_query(raw, declared)


def _read_query(raw: bytes, declared: Q) -> dict[str, Any]:
    values = {name: p.default for name, p in declared.items()}
    errors: list[FieldError] = []
    given: dict[str, str] = {}
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict",
                          max_num_fields=100)  # fmt: skip
    except ValueError:
        raise Problem(
            "validation", errors=[FieldError("query", "malformed", "the query cannot be decoded")]
        ) from None
    for name, value in pairs:
        parameter = declared.get(name)
        if parameter is None:
            errors.append(FieldError(f"query:{name[:100]}", "unknown", "no such query parameter"))
        elif name in given:
            errors.append(FieldError(f"query:{name}", "repeated", "may be given only once"))
        else:
            given[name] = value
            try:
                values[name] = parameter.read(value)
            except ValueError as error:
                errors.append(FieldError(f"query:{name}", "invalid", f"must be {error}"))
    if errors:
        raise Problem("validation", errors=errors[:MAX_ERRORS])
    if any(p.required and n not in given for n, p in declared.items()):
        raise _missing(given, declared)
    return values


def _missing(given: dict[str, str], declared: Q) -> Problem:
    names = [n for n, p in declared.items() if p.required and n not in given]
    return Problem(
        "validation", errors=[FieldError(f"query:{n}", "missing", "is required") for n in names]
    )


# bodies


async def raw_body(request: Request) -> bytes:
    """The whole body. Raises Problem too_large, unsupported_media_type, deadline_exceeded."""
    here = context(request)
    if here.body is None:
        here.body = await _read_body(request, here)
    return here.body


async def _read_body(request: Request, here: Context) -> bytes:
    limit = here.process.settings.max_body_bytes
    accepts = here.endpoint.accepts if here.endpoint is not None else ("application/json",)
    _check_body_headers(here.headers, limit, accepts)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout_at(here.deadline):
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise Problem("malformed_json", "The body ended early.")
                chunk = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(chunk)
                if size > limit:
                    raise Problem("too_large", f"At most {limit} bytes are accepted here.")
                chunks.append(chunk)
    except TimeoutError:
        raise Problem("deadline_exceeded", "The body did not arrive in time.") from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def media_type(headers: dict[bytes, bytes]) -> str:
    """The body's media type without parameters."""
    media = headers.get(b"content-type", b"application/json")
    return media.split(b";")[0].strip().lower().decode("latin-1")


def _check_body_headers(headers: dict[bytes, bytes], limit: int, accepts: tuple[str, ...]) -> None:
    media = headers.get(b"content-type", b"application/json")
    if media != b"application/json" and media_type(headers) not in accepts:
        raise Problem("unsupported_media_type", f"Send {' or '.join(accepts)}.")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise Problem("unsupported_media_type", "Send the body without content-encoding.")
    length = headers.get(b"content-length")
    if length is not None and int(length) > limit:
        raise Problem("too_large", f"At most {limit} bytes are accepted here.")


async def body(request: Request, kind: type[T]) -> T:
    """The body as a struct, or a 422 that lists every field at fault."""
    return decode(await raw_body(request), kind)


def given(found: Any) -> dict[str, Any]:
    """A struct's fields as query parameters; JSON objects as bytes, absent ones as None."""
    values: dict[str, Any] = {}
    for name in found.__struct_fields__:
        value = getattr(found, name)
        if value is msgspec.UNSET:
            value = None
        elif isinstance(value, msgspec.Raw):
            value = bytes(value)
        values[name] = value
    return values


def items(found: list[T], most: int = MAX_ITEMS) -> list[T]:
    """A bulk body of 1 to `most` items. Raises Problem validation otherwise."""
    if not 0 < len(found) <= most:
        raise Problem("validation", errors=[FieldError("", "invalid", f"1 to {most} items")])
    return found
