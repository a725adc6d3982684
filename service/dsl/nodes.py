"""What a document is made of. Every node knows its place: line and column from 1, offset and length
in characters (code points).

Nodes encode to JSON by msgspec as they stand; numbers travel as text, so that none loses a digit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct, field


class Node(Struct, gc=False):
    """A place in the text. Nodes made by a program have none: all zero."""

    line: int = 0
    column: int = 0
    offset: int = 0
    length: int = 0


class String(Node, tag_field="type", tag="string"):
    """Text, its escapes undone."""

    value: str = ""


class Number(Node, tag_field="type", tag="number"):
    """A number as written, less leading zeros; `unit` is "%" or a currency code."""

    value: str = "0"
    unit: str = ""

    @property
    def exact(self) -> int | Decimal:
        """The number itself, without its unit."""
        return Decimal(self.value) if "." in self.value else int(self.value)


class Boolean(Node, tag_field="type", tag="boolean"):
    """true or false."""

    value: bool = False


class Nil(Node, tag_field="type", tag="nil"):
    """nil: said to be absent."""


class Symbol(Node, tag_field="type", tag="symbol"):
    """A bare word."""

    name: str = ""


class AttrRef(Node, tag_field="type", tag="attr-ref"):
    """A reference to an attribute of the dictionary."""

    attribute_id: str = ""
    name: str = ""


class List(Node, tag_field="type", tag="list"):
    """Values in order."""

    items: list[Value] = field(default_factory=list)


class Entry(Node):
    """A key of a map with its value; `quoted` when the key was written as a string."""

    key: str = ""
    quoted: bool = False
    value: Value = field(default_factory=Nil)


class Map(Node, tag_field="type", tag="map"):
    """Entries in order, no key twice."""

    entries: list[Entry] = field(default_factory=list)


Value: TypeAlias = String | Number | Boolean | Nil | Symbol | AttrRef | List | Map


class Argument(Node):
    """A key of a form with its value; the place is the key's."""

    key: str = ""
    value: Value = field(default_factory=Nil)


class Form(Node, tag_field="type", tag="form"):
    """One operation. `broken`: something inside could not be read, so more may be missing."""

    end_line: int = 0
    verb: str = ""
    verb_offset: int = 0
    index: int = 0
    arguments: list[Argument] = field(default_factory=list)
    broken: bool = False


class Comment(Node, tag_field="type", tag="comment"):
    """What stands behind a semicolon; `trailing` when it follows a form on its line."""

    text: str = ""
    trailing: bool = False


class Program(Struct, gc=False):
    """A document: forms and the comments between them, in order."""

    items: list[Form | Comment] = field(default_factory=list)

    @property
    def forms(self) -> list[Form]:
        """The forms alone."""
        return [item for item in self.items if isinstance(item, Form)]


Plain: TypeAlias = object


def plain(node: object) -> Plain:  # noqa: PLR0911  (one return per kind of node)
    """The meaning of a node without its place, for comparison."""
    match node:
        case Program():
            return [plain(item) for item in node.items]
        case Form():
            return ("form", node.verb, [(a.key, plain(a.value)) for a in node.arguments])
        case Comment():
            return ("comment", node.text, node.trailing)
        case List():
            return ("list", [plain(item) for item in node.items])
        case Map():
            return ("map", [(e.key, e.quoted, plain(e.value)) for e in node.entries])
        case Nil():
            return ("nil",)
        case Number():
            return ("number", node.value, node.unit)
        case AttrRef():
            return ("attr-ref", node.attribute_id, node.name)
        case Symbol():
            return ("symbol", node.name)
        case String() | Boolean():
            return (type(node).__name__.lower(), node.value)
    raise TypeError(type(node).__name__)
