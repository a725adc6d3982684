"""Nodes to text, in the one canonical form: parse(print(parse(x))) = parse(x).

A form that fits stands on one line; else each argument has its own, and what does not fit there is
broken in the same way. Comments between forms stay, a blank line between them stays one.
"""

from __future__ import annotations

import re

from service.dsl.nodes import (
    AttrRef,
    Boolean,
    Comment,
    Form,
    List,
    Map,
    Nil,
    Number,
    Program,
    String,
    Symbol,
    Value,
)  # fmt: skip

WIDTH = 100
_STEP = "  "
_ESCAPED = re.compile('["\\\\\x01-\x1f\x7f-\x9f\u2028\u2029\ufeff]')
_SIMPLE = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def print_program(program: Program) -> str:
    """The canonical text of a document; "" for one without anything in it."""
    lines: list[str] = []
    end = 0  # the line on which the item before ended, as it was read
    for item in program.items:
        if end and item.line > end + 1:
            lines.append("")
        if isinstance(item, Comment):
            if item.trailing and lines and lines[-1]:
                lines[-1] += f" ;{item.text}"
            else:
                lines.append(f";{item.text}")
            end = item.line
        else:
            lines.append(print_form(item))
            end = item.end_line
    return "\n".join(lines) + "\n" if lines else ""


def print_form(form: Form) -> str:
    """One form."""
    flat = [f":{a.key} {one}" if (one := _flat(a.value, WIDTH)) else None for a in form.arguments]
    if None not in flat:
        line = f"({' '.join([form.verb, *map(str, flat)])})"
        if len(line) <= WIDTH:
            return line
    rows = [f"({form.verb}"]
    for one, argument in zip(flat, form.arguments, strict=True):
        if one is not None and len(one) + len(_STEP) < WIDTH:
            rows.append(_STEP + one)
        else:
            rows.append(f"{_STEP}:{argument.key} {_broken(argument.value, _STEP)}")
    return "\n".join(rows) + ")"


def print_value(value: Value) -> str:
    """One value on one line."""
    return _flat(value, None) or ""


def quote(text: str) -> str:
    """Text as a string of the language; nothing in it can end the string."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    return _SIMPLE.get(match[0]) or f"\\u{ord(match[0]):04x}"


def _flat(value: Value, most: int | None) -> str | None:
    """A value on one line, or None when that is longer than `most`."""
    match value:
        case List():
            parts = [_flat(item, most) for item in value.items[: most and most + 1]]
            text = f"[{' '.join(map(str, parts))}]"
        case Map():
            parts = [_flat(entry.value, most) for entry in value.entries[: most and most + 1]]
            keys = [quote(e.key) if e.quoted else f":{e.key}" for e in value.entries]
            text = f"{{{' '.join(f'{k} {p}' for k, p in zip(keys, parts, strict=False))}}}"
        case _:
            parts, text = [], _atom(value)
    if most is not None and (len(text) > most or None in parts):
        return None
    return text


def _atom(value: Value) -> str:
    match value:
        case String():
            return quote(value.value)
        case Number():
            return value.value + value.unit
        case Boolean():
            return "true" if value.value else "false"
        case Symbol():
            return value.name
        case AttrRef():
            name = f":{value.name}" if value.name else ""
            return f"@attr{{{value.attribute_id}{name}}}"
        case Nil():
            return "nil"
    raise TypeError(type(value).__name__)


def _broken(value: Value, indent: str) -> str:
    """A value that is too long for its line: each part on a line of its own where it has parts."""
    inner = indent + _STEP
    match value:
        case List() if value.items:
            rows = [inner + _fitted(item, inner, "") for item in value.items]
            return "[\n" + "\n".join(rows) + f"\n{indent}]"
        case Map() if value.entries:
            rows = []
            for entry in value.entries:
                key = quote(entry.key) if entry.quoted else f":{entry.key}"
                rows.append(f"{inner}{key} {_fitted(entry.value, inner, key)}")
            return "{\n" + "\n".join(rows) + f"\n{indent}}}"
    return print_value(value)


def _fitted(value: Value, indent: str, before: str) -> str:
    flat = _flat(value, max(WIDTH - len(indent) - len(before), 0))
    return _broken(value, indent) if flat is None else flat
