"""What is open while a document is read: opening, closing, keys that wait for their value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from service.dsl.findings import Findings, Full, shown
from service.dsl.nodes import Argument, Comment, Entry, Form, List, Map, Value

CLOSES = {"(": ")", "[": "]", "{": "}"}
_OPENS = {")": "(", "]": "[", "}": "{"}
_UNCLOSED = {"(": "UNCLOSED_FORM", "[": "UNCLOSED_LIST", "{": "UNCLOSED_MAP"}
_CALLED = {"(": "form", "[": "list", "{": "map"}
_NEXT_FORM = re.compile(r"^\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may be: bytes in UTF-8, levels of brackets, forms, values."""

    size: int = 1024 * 1024
    depth: int = 64
    forms: int = 10_000
    values: int = 100_000  # comments count as well


@dataclass(slots=True)
class Open:
    """A bracket that is open, and what was read in it so far."""

    bracket: str
    line: int
    column: int
    offset: int
    form: int | None  # the form that findings belong to
    keep: bool = True  # False: stands where no value can, is read for its errors only
    started: bool = False  # form: the verb was read, or told to be missing
    broken: bool = False
    verb: str = ""
    verb_offset: int = 0
    key: tuple[str, bool, int, int, int, int] | None = None  # waits for its value
    keys: dict[str, int] | None = None  # key → line
    items: list[Any] = field(default_factory=list)  # arguments, entries or values


class Brackets:
    """The stack, the place in the text, and what has been read."""

    def __init__(self, text: str, limits: Limits) -> None:
        self.text = text
        self.limits = limits
        self.findings = Findings(text)
        self.items: list[Form | Comment] = []
        self.comments: list[Comment] = []  # inside the form that is open
        self.stack: list[Open] = []
        self.pos = 1 if text.startswith("\ufeff") else 0
        self.forms = self.values = 0
        self.line, self.line_start, self.mark = 1, self.pos, 0
        self.last_end = 0  # where the last token ended
        self.form_line = 0  # where the last form ended
        self.nested = False

    def _at(self, start: int, length: int) -> tuple[int, int, int, int]:
        return self.line, start - self.line_start + 1, start, length

    @property
    def _form(self) -> int | None:
        return self.stack[-1].form if self.stack else None

    def _error(self, code: str, message: str, at: int, length: int, **more: str) -> None:
        """Note an error; the forms around it are broken from here on."""
        for opened in self.stack:
            if opened.bracket == "(":
                opened.broken = True
        self.findings.error(code, message, at, length, self._form, **more)

    def _count(self) -> None:
        self.values += 1
        if self.values > self.limits.values:
            what = f"more than {self.limits.values} values"
            self._error("TOO_MANY_VALUES", what, self.pos - 1, 1)
            raise Full

    # brackets

    def _open(self, bracket: str, start: int) -> None:
        if bracket == "(":
            self._open_form(start)
        else:
            keep = self._expects_value(start, shown(self.text[start : start + 20]))
            self._count()
            self._push(Open(bracket, *self._at(start, 0)[:3], self._form, keep))

    def _open_form(self, start: int) -> None:
        if self.stack and self._begins_line(start):
            self._unclosed(0)
        if self.forms >= self.limits.forms:
            what = f"more than {self.limits.forms} forms"
            self.findings.error("TOO_MANY_FORMS", what, start, 1)
            raise Full
        if self.stack:
            self.nested = True
            top = self.stack[-1]
            if not top.started and top.bracket == "(":
                self._no_verb(top, start, "(")
            else:
                self._error("NESTED_FORM", "a form cannot stand inside a form", start, 1,
                            suggestion="close the outer form first")  # fmt: skip
        self._push(Open("(", *self._at(start, 0)[:3], self.forms))
        self.forms += 1

    def _begins_line(self, start: int) -> bool:
        """Whether a "(" stands where a new form would: first on its line, no deeper than ours."""
        column = start - self.line_start + 1
        first = not self.text[self.line_start : start].strip(" \t")
        return first and self.line > self.stack[0].line and column <= self.stack[0].column

    def _push(self, opened: Open) -> None:
        if len(self.stack) >= self.limits.depth:
            what = f"more than {self.limits.depth} levels of brackets"
            self._error("TOO_DEEP", what, opened.offset, 1)
            self._give_up()
            return
        self.stack.append(opened)

    def _give_up(self) -> None:
        """Leave what is open and go on at the next form that begins a line."""
        self.stack.clear()
        found = _NEXT_FORM.search(self.text, self.pos)
        self.pos = found.start() if found else len(self.text)

    def _close(self, token: str, start: int) -> None:
        wanted = _OPENS[token]
        if all(opened.bracket != wanted for opened in self.stack):
            self._error("UNEXPECTED_CLOSE", f"{token} closes no {_CALLED[wanted]}", start, 1,
                        suggestion="remove it")  # fmt: skip
            return
        while (top := self.stack[-1]).bracket != wanted:
            where = f"{top.line}:{top.column}"
            closer = CLOSES[top.bracket]
            self._error(
                _UNCLOSED[top.bracket], f"{token} comes before the {_CALLED[top.bracket]} at "
                f"{where} is closed", start, 1, expected=closer,
                suggestion=f"add {closer} before {token}",
            )  # fmt: skip
            self._finish(start)
        self._finish(self.pos)

    def _unclosed(self, keep: int) -> None:
        """Close what is open down to `keep` brackets; the missing ones are told as one error."""
        top = self.stack[-1]
        missing = "".join(CLOSES[opened.bracket] for opened in reversed(self.stack[keep:]))
        what = f"the {_CALLED[top.bracket]} at {top.line}:{top.column} is not closed"
        at = self.last_end
        self._error(_UNCLOSED[top.bracket], what, at, 0, expected=missing,
                    suggestion=f"add {missing} here")  # fmt: skip
        while len(self.stack) > keep:
            self._finish(at)

    def _end(self) -> None:
        if self.stack:
            self._unclosed(0)
        if not self.forms and not self.findings.errors:
            self.findings.error("EMPTY_DOCUMENT", "there is no form", 0, 0,
                                expected="(verb :key value …)")  # fmt: skip

    def _finish(self, end: int) -> None:
        """Take the innermost bracket off and put what it held in its place."""
        top = self.stack[-1]
        if top.key is not None:
            self._missing_value(top)
        if top.bracket == "(" and not top.started:
            self._no_verb(top, top.offset, "()")
        self.stack.pop()
        place = (top.line, top.column, top.offset, end - top.offset)
        if top.bracket == "(":
            self.items += self.comments
            self.comments.clear()
            self.form_line = self.line
            if top.verb:
                form = Form(*place, self.line, top.verb, top.verb_offset, top.form or 0, top.items,
                            top.broken)  # fmt: skip
                self.items.append(form)
        elif top.keep:
            made = List(*place, top.items) if top.bracket == "[" else Map(*place, top.items)
            self._settle(made)

    def _in_order(self) -> None:
        """Forms by their place, though an inner one was closed first."""
        self.items.sort(key=lambda item: item.offset)

    # keys and values

    def _pend(self, top: Open, name: str, quoted: bool, start: int, length: int) -> None:
        """A key waits for its value."""
        if top.key is not None:
            self._missing_value(top)
        if top.keys is None:
            top.keys = {}
        elif name in top.keys:
            what = f"{shown(name)} is given twice; first in row {top.keys[name]}"
            self._error("DUPLICATE_KEY", what, start, length, suggestion="keep one of the two")
        top.keys.setdefault(name, self.line)
        top.key = (name, quoted, *self._at(start, length))

    def _missing_value(self, top: Open) -> None:
        assert top.key is not None  # noqa: S101  (the callers ask)
        name, _, _, _, at, length = top.key
        top.key = None
        written = shown(self.text[at : at + length])
        self._error("MISSING_VALUE", f"{shown(name)} has no value", at, length,
                    expected="a value", suggestion=f"{written} nil")  # fmt: skip

    def _no_verb(self, top: Open, start: int, seen: str) -> None:
        top.started = True
        self._error("EXPECTED_VERB", f"{seen} stands where the verb should", start, 1,
                    expected="a verb such as case.create")  # fmt: skip

    def _expects_value(self, start: int, seen: str, length: int = 1, hint: str = "") -> bool:
        """Whether a value may stand here; if not, that is noted."""
        top = self.stack[-1]
        if top.bracket == "[" or top.key is not None:
            return True
        if top.bracket == "(" and not top.started:
            self._no_verb(top, start, seen)
            return False
        self._error("EXPECTED_KEY", f"{seen} has no key", start, length, expected=":key value",
                    suggestion=hint)  # fmt: skip
        return False

    def _settle(self, node: Value) -> None:
        """Put a value where one is awaited."""
        top = self.stack[-1]
        if top.bracket == "[":
            top.items.append(node)
            return
        if top.key is None:
            return  # its key was lost to an error
        name, quoted, line, column, at, length = top.key
        top.key = None
        if top.bracket == "{":
            top.items.append(Entry(line, column, at, length, name, quoted, node))
        else:
            top.items.append(Argument(line, column, at, length, name, node))
