"""JSON bodies: bytes → structs, with everything at fault told at once as pointers."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from service.http.problems import FieldError, Problem

T = TypeVar("T")

MAX_DEPTH = 64
MAX_ERRORS = 100

# A JSON object kept as the caller wrote it: numbers stay exact, PostgreSQL parses it as jsonb.
JsonObject = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]

_AT = re.compile(r" - at `\$?(?P<path>.*)`\Z")
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")
# possessive, and an unended string is one too: each byte is looked at once, whatever is sent
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)
_STRANGE = re.compile(r"[\x00\ud800-\udfff]")


class Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request body: unknown fields are refused."""


def decode(data: bytes, kind: type[T]) -> T:
    """JSON bytes as a struct or list of structs. Raises Problem malformed_json, validation.

    Brackets are counted where they can hide: in the free-form objects of a body that fits its
    types, and in all of a body that does not, before anything else looks at it.
    """
    shape = _shape(kind)
    if not shape.flat:
        _refuse_depth(data)
    try:
        found: T = shape.decoder.decode(data)
    except msgspec.ValidationError as error:
        _refuse_depth(data)
        raise Problem("validation", errors=_all_errors(data, kind) or [_told(error)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _refuse_depth(data)
        raise Problem("malformed_json") from None
    has_nul = b"\\u0000" in data
    if (has_nul or shape.objects) and (wrong := _unfit(found, shape, has_nul)):
        raise Problem("validation", errors=wrong[:MAX_ERRORS])
    return found


def _refuse_depth(data: bytes, around: int = 0) -> None:
    """Raise Problem malformed_json for JSON nested too deep, `around` levels around it included."""
    most = MAX_DEPTH - around
    if data.count(b"[") + data.count(b"{") > most and _depth(data) > most:
        raise Problem("malformed_json", f"Nested deeper than {MAX_DEPTH} levels.")


def _depth(data: bytes) -> int:
    deepest = depth = 0
    for match in _BRACKETS.finditer(data):
        if match.group(1):
            depth += 1
            deepest = max(deepest, depth)
        elif match.group(2):
            depth -= 1
    return deepest


class _Shape:
    """What is known of a body's type: its decoder, its fields, where free-form JSON may stand."""

    __slots__ = ("decoder", "flat", "levels", "names", "objects")

    def __init__(self, kind: Any) -> None:
        self.decoder = msgspec.json.Decoder(kind)
        inner = get_args(kind)[0] if get_args(kind) else kind
        hints = get_type_hints(inner)
        self.names = tuple(hints)
        self.objects = tuple(
            name for name, hint in hints.items()
            if hint is msgspec.Raw or msgspec.Raw in get_args(hint)
        )  # fmt: skip
        self.levels = 2 if get_args(kind) else 1
        self.flat = all(
            part in _FLAT or get_origin(part) is Literal
            for name, hint in hints.items() if name not in self.objects
            for part in (get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,))
        )  # fmt: skip


_FLAT = (str, int, float, bool, uuid.UUID, datetime, Decimal, NoneType, msgspec.UnsetType)
_shapes: dict[Any, _Shape] = {}


def _shape(kind: Any) -> _Shape:
    found = _shapes.get(kind)
    if found is None:
        found = _shapes[kind] = _Shape(kind)
    return found


def _unfit(found: Any, shape: _Shape, has_nul: bool) -> list[FieldError]:
    """What the types cannot say: NUL characters in text, JSON objects that are none or too deep."""
    errors: list[FieldError] = []
    names = shape.names if has_nul else shape.objects
    items = enumerate(found) if isinstance(found, list) else [(None, found)]
    for index, item in items:
        for name in names:
            value = getattr(item, name)
            if type(value) is msgspec.Raw:
                written = bytes(value)
                _refuse_depth(written, shape.levels)
                told = _unfit_object(written, has_nul)
            else:
                told = "NUL cannot be stored" if isinstance(value, str) and "\0" in value else None
            if told:
                base = "" if index is None else f"/{index}"
                errors.append(FieldError(f"{base}/{name}", "invalid", told))
    return errors


def _unfit_object(value: bytes, has_nul: bool) -> str | None:
    if value[:1] != b"{" and value.lstrip()[:1] != b"{":
        return "must be a JSON object"
    if has_nul and re.search(rb"(?<!\\)(?:\\\\)*\\u0000", value):
        return "NUL cannot be stored"
    return None


def _all_errors(data: bytes, kind: Any) -> list[FieldError]:
    """Every field at fault: each is converted by itself."""
    try:
        value = json.loads(data)
    except json.JSONDecodeError:  # the types were found wrong before the syntax was
        raise Problem("malformed_json") from None
    except ValueError:  # a number of more digits than Python reads
        return [FieldError("", "invalid", "a number is out of range")]
    if get_args(kind):
        item = get_args(kind)[0]
        if not isinstance(value, list):
            return [FieldError("", "invalid", "must be a JSON array")]
        errors: list[FieldError] = []
        for index, entry in enumerate(value):
            errors += _struct_errors(entry, item, f"/{index}")
            if len(errors) >= MAX_ERRORS:
                break
        return errors[:MAX_ERRORS]
    return _struct_errors(value, kind, "")[:MAX_ERRORS]


def _struct_errors(value: Any, kind: Any, base: str) -> list[FieldError]:
    if not isinstance(value, dict):
        return [FieldError(base, "invalid", "must be a JSON object")]
    declared = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    errors = [
        FieldError(f"{base}/{_escape(name)}", "unknown", "no such field")
        for name in value
        if name not in declared
    ]
    for name, info in declared.items():
        pointer = f"{base}/{name}"
        if name not in value:
            if info.required:
                errors.append(FieldError(pointer, "missing", "is required"))
            continue
        errors += _field_errors(value[name], info.type, pointer)
    return errors


def _field_errors(value: Any, kind: Any, pointer: str) -> list[FieldError]:
    if kind == JsonObject or msgspec.Raw in get_args(kind) or kind is msgspec.Raw:
        fits = isinstance(value, dict)
        return [] if fits else [FieldError(pointer, "invalid", "must be a JSON object")]
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [_told(error, pointer)]
    if isinstance(value, str) and _STRANGE.search(value):
        return [FieldError(pointer, "invalid", "NUL cannot be stored")]
    return []


def _told(error: msgspec.ValidationError, base: str = "") -> FieldError:
    """What msgspec found, with its place as a pointer."""
    message = str(error)
    at = _AT.search(message)
    inner = "" if at is None else _pointer(at["path"])
    plain = message if at is None else message[: at.start()]
    return FieldError(base + inner, "invalid", plain[:1].lower() + plain[1:])


def _pointer(path: str) -> str:
    return "".join(f"/{m['key'] or m['index']}" for m in _STEP.finditer(path))


def _escape(name: str) -> str:
    return name[:100].replace("~", "~0").replace("/", "~1").encode("utf-8", "replace").decode()
