"""Nodes to values of a type, and to plain values where there is no type.

A plain value encodes to JSON by `encode` without losing a digit: text, int, Decimal, bool, None,
lists, dicts. Money is {"amount", "currency"}, a percentage without a type {"percent"}, a reference
to an attribute {"attribute_id", "name"?}.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from service.dsl.findings import shown
from service.dsl.lexer import CURRENCIES
from service.dsl.nodes import (
    AttrRef,
    Boolean,
    List,
    Map,
    Nil,
    Number,
    String,
    Symbol,
    Value,
)
from service.dsl.printer import print_value, quote
from service.dsl.registry import Kind, nearest

Plain = Any
LONGEST_STRING = 1000
LONGEST_ID = 200

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_DAY_FIRST = re.compile(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})\Z")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?\Z"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TYPE_NAMES = {
    String: "a string", Number: "a number", Boolean: "a boolean", Nil: "nil", List: "a list",
    Map: "a map", Symbol: "a symbol", AttrRef: "an attribute reference",
}  # fmt: skip


class Mismatch(Exception):
    """A value that is not of its type: code, what was expected, what to write, and the node."""

    def __init__(self, node: Value, expected: str, suggestion: str = "", code: str = "WRONG_TYPE",
                 what: str = "") -> None:  # fmt: skip
        super().__init__(what or f"{_TYPE_NAMES[type(node)]} stands where {expected} should")
        self.node = node
        self.expected = expected
        self.suggestion = suggestion
        self.code = code


def encode(value: Plain) -> bytes:
    """Plain values as JSON; every number keeps all its digits."""
    return _ENCODER.encode(_encodable(value) if _has_big(value) else value)


_ENCODER = msgspec.json.Encoder(decimal_format="number")


def _has_big(value: Plain) -> bool:
    if isinstance(value, dict):
        return any(map(_has_big, value.values()))
    if isinstance(value, list):
        return any(map(_has_big, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _encodable(value: Plain) -> Plain:
    if isinstance(value, dict):
        return {k: _encodable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_encodable(v) for v in value]
    return Decimal(value) if _has_big(value) else value


def untyped(node: Value) -> Plain:  # noqa: PLR0911  (one return per kind of node)
    """What a node says by itself."""
    match node:
        case List():
            return [untyped(item) for item in node.items]
        case Map():
            return {entry.key: untyped(entry.value) for entry in node.entries}
        case Number():
            return _number(node)
        case AttrRef():
            named = {"name": node.name} if node.name else {}
            return {"attribute_id": node.attribute_id, **named}
        case Symbol():
            return node.name
        case String() | Boolean():
            return node.value
    return None


def _number(node: Number) -> Plain:
    if node.unit == "%":
        return {"percent": node.exact}
    return {"amount": node.exact, "currency": node.unit} if node.unit else node.exact


def typed(node: Value, kind: Kind) -> Plain:
    """The node's value as `kind` wants it; nil is None. Raises Mismatch."""
    if isinstance(node, Nil) and kind.base != "any":
        return None
    return _READERS[kind.base](node, kind)


def _text(node: Value) -> str | None:
    """Text, also from a bare word."""
    if isinstance(node, String):
        return node.value
    return node.name if isinstance(node, Symbol) else None


def _as_string(node: Value) -> str:
    if isinstance(node, Number | Boolean):
        return quote(print_value(node))
    return ""


def _read_string(node: Value, kind: Kind) -> Plain:
    if isinstance(node, AttrRef):
        return untyped(node)
    text = _text(node)
    if text is None:
        raise Mismatch(node, "a string", _as_string(node))
    most = LONGEST_STRING if kind.base == "string" else None
    if most and len(text) > most:
        raise Mismatch(
            node, f"at most {most} characters", what=f"a string of {len(text)} characters"
        )
    return text


def _read_id(node: Value, kind: Kind) -> Plain:
    text = _text(node)
    if text is None:
        raise Mismatch(node, f"the id of {_REFERRED[kind.base]}", _as_string(node))
    if not text.strip() or len(text) > LONGEST_ID or _CONTROL.search(text):
        what = f"{quote(shown(text))} cannot be an id"
        raise Mismatch(node, f"1 to {LONGEST_ID} characters on one line", what=what)
    return text


_REFERRED = {
    "entity-ref": "an entity", "case-ref": "a case", "document-ref": "a document",
    "user-ref": "a user",
}  # fmt: skip


def _read_number(node: Value, kind: Kind) -> Plain:
    if isinstance(node, AttrRef):
        return untyped(node)
    allowed = ("", "%") if kind.base == "percent" else ("",)
    expected = "a percentage such as 25%" if kind.base == "percent" else "a number"
    if isinstance(node, Number):
        if node.unit not in allowed:
            raise Mismatch(node, expected, node.value, what=f"{node.unit} has no place here")
        return node.exact
    text = _text(node) or ""
    hint = text if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?%?", text) else ""
    raise Mismatch(node, expected, hint)


def _read_money(node: Value, kind: Kind) -> Plain:
    if isinstance(node, AttrRef):
        return untyped(node)
    if isinstance(node, Number) and node.unit not in ("", "%"):
        return untyped(node)
    if isinstance(node, Map):
        parts = {entry.key: entry.value for entry in node.entries}
        amount, currency = parts.get("amount"), _text(parts.get("currency", Nil()))
        if isinstance(amount, Number) and not amount.unit and currency in CURRENCIES:
            return {"amount": amount.exact, "currency": currency}
    hint = f"{node.value}USD" if isinstance(node, Number) else ""
    raise Mismatch(node, "money such as 1000USD", hint)


def _read_boolean(node: Value, kind: Kind) -> Plain:
    if isinstance(node, AttrRef):
        return untyped(node)
    if isinstance(node, Boolean):
        return node.value
    text = (_text(node) or "").lower()
    hint = {"true": "true", "yes": "true", "false": "false", "no": "false"}.get(text, "")
    raise Mismatch(node, "true or false", hint)


def _read_uuid(node: Value, kind: Kind) -> Plain:
    if isinstance(node, AttrRef):
        return untyped(node)
    text = _text(node)
    if text is None or not _UUID.match(text):
        raise Mismatch(node, "a uuid", what=_no(text, node, "a uuid"))
    return text.lower()


def _read_date(node: Value, kind: Kind) -> Plain:
    if isinstance(node, AttrRef):
        return untyped(node)
    text = _text(node)
    if text is not None and _DATE.match(text) and _valid(date.fromisoformat, text):
        return text
    hint = ""
    if text and (match := _DAY_FIRST.match(text)) and int(match[1]) > 12 >= int(match[2]) > 0:
        hint = quote(f"{match[3]}-{int(match[2]):02}-{int(match[1]):02}")
    elif text and _MOMENT.match(text):
        hint = quote(text[:10])
    raise Mismatch(node, 'a date such as "2026-01-31"', hint, what=_no(text, node, "a date"))


def _read_datetime(node: Value, kind: Kind) -> Plain:
    if isinstance(node, AttrRef):
        return untyped(node)
    text = _text(node)
    if text is not None and _MOMENT.match(text) and _valid(datetime.fromisoformat, text):
        return text
    hint = quote(text + "T00:00:00Z") if text and _DATE.match(text) else ""
    expected = 'a time such as "2026-01-31T12:00:00Z"'
    raise Mismatch(node, expected, hint, what=_no(text, node, "a time"))


def _valid(read: Callable[[str], Any], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _no(text: str | None, node: Value, what: str) -> str:
    return "" if text is None else f"{quote(shown(text))} is not {what}"


def _read_enum(node: Value, kind: Kind) -> Plain:
    if isinstance(node, AttrRef):
        return untyped(node)
    text = _text(node)
    expected = f"one of {', '.join(kind.values)}"
    if text is None:
        raise Mismatch(node, expected, _as_string(node))
    folded = text.strip().lower().replace("-", "_").replace(" ", "_")
    for value in kind.values:
        if value == text or value.replace("-", "_").lower() == folded:
            return value
    hint = nearest(folded, kind.values)
    what = f"{quote(shown(text))} is none of the values"
    raise Mismatch(node, expected, quote(hint) if hint else "", "BAD_ENUM", what)


def _read_list(node: Value, kind: Kind) -> Plain:
    if not isinstance(node, List):
        written = print_value(node)
        hint = f"[{written}]" if len(written) <= LONGEST_ID else ""
        raise Mismatch(node, f"a {kind}", hint)
    assert kind.item is not None  # noqa: S101  (kind_of makes none without)
    return [typed(item, kind.item) for item in node.items]


def _read_map(node: Value, kind: Kind) -> Plain:
    if not isinstance(node, Map):
        raise Mismatch(node, "a map such as {:key value}")
    return untyped(node)


def _read_attr(node: Value, kind: Kind) -> Plain:
    if isinstance(node, AttrRef):
        return untyped(node)
    text = _text(node)
    if text is None or not text.strip() or len(text) > LONGEST_ID:
        raise Mismatch(node, "an attribute: @attr{uuid}, or its name")
    return {"attribute_id": text.lower()} if _UUID.match(text) else {"name": text}


_READERS: dict[str, Callable[[Value, Kind], Plain]] = {
    "string": _read_string,
    "text": _read_string,
    "number": _read_number,
    "percent": _read_number,
    "money": _read_money,
    "date": _read_date,
    "datetime": _read_datetime,
    "uuid": _read_uuid,
    "boolean": _read_boolean,
    "enum": _read_enum,
    "list": _read_list,
    "map": _read_map,
    "any": lambda node, _kind: untyped(node),
    "entity-ref": _read_id,
    "case-ref": _read_id,
    "document-ref": _read_id,
    "user-ref": _read_id,
    "attr-ref": _read_attr,
}
