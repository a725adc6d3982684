"""Text to nodes, with every error of the text and not only the first.

One loop over tokens with a stack of what is open: no recursion, one pass. A string whose closing
quote is missing swallows the quotes of others up to the end of the document, so that it is found
where it ends and not where it began; such a document is read a second time by a reader that
distrusts strings which run over a line into something that looks like code.
"""

from __future__ import annotations

import re

from msgspec import Struct

from service.dsl.brackets import Brackets, Limits, Open
from service.dsl.findings import Finding, Full, shown
from service.dsl.lexer import (
    CURRENCIES,
    NAME,
    STRANGE,
    TOKEN,
    Wrong,
    read_attr,
    read_number,
    read_string,
)  # fmt: skip
from service.dsl.nodes import (
    AttrRef,
    Boolean,
    Comment,
    Nil,
    Number,
    Program,
    String,
    Symbol,
    Value,
)  # fmt: skip

_CONSTANTS = {"true": True, "false": False}
_NIL = "nil"

_PARTS = re.compile(r"(?<![\w-])[^\W\d][\w-]*+")
_OUTSIDE = re.compile(r"[^(;)]*+")
_CLOSING = re.compile(r"[)\s,]*+")
_VALUE_AHEAD = re.compile(r'[\s,]*+["\d\[{@\w-]')
# a string that runs over a line into a form or a key, or that ends as a key's name would
_INTO_CODE = re.compile(r"\n[ \t]*+(?:\([^\W\d]|:[^\W\d])")
_INTO_KEY = re.compile(r'[ \t]:[^\W\d][\w.-]*+[ \t]*+"\Z')
_MOST_UNENDED = 10
_CLOSERS = " \t\r\n,)]}"


class Parsed(Struct):
    """A document as far as it could be read, and what is wrong with it, by place."""

    program: Program
    findings: list[Finding]


class _Again(Exception):
    """A string without an end: read again, distrusting strings."""


def parse(text: str, limits: Limits | None = None) -> Parsed:
    """Read a document. Never raises; a document without error findings is well-formed."""
    limits = limits or Limits()
    try:
        return _Parser(text, limits, careful=False).run()
    except _Again:
        return _Parser(text, limits, careful=True).run()


class _Parser(Brackets):
    def __init__(self, text: str, limits: Limits, *, careful: bool) -> None:
        super().__init__(text, limits)
        self.careful = careful
        self.unended = 0

    # the loop

    def run(self) -> Parsed:
        try:
            if self._acceptable():
                self._strange()
                self._read()
                self._end()
        except Full:
            pass
        if self.nested:  # an inner form was closed before its outer one
            self.items.sort(key=lambda item: item.offset)
        return Parsed(Program(self.items), self.findings.sorted)

    def _acceptable(self) -> bool:
        size = len(self.text)
        if size <= self.limits.size:
            size = len(self.text.encode("utf-8", "surrogatepass"))
        if size > self.limits.size:
            what = f"{size} bytes; at most {self.limits.size} are accepted"
            self.findings.error("TOO_LARGE", what, 0, 0)
            return False
        return True

    def _strange(self) -> None:
        for match in STRANGE.finditer(self.text):
            what = f"U+{ord(match[0]):04X} cannot be stored"
            self.findings.error("BAD_CHARACTER", what, match.start(), 1)

    def _read(self) -> None:
        text, match_at = self.text, TOKEN.match
        handlers = {
            "key": self._key, "string": self._string, "word": self._word, "number": self._number,
            "open": self._open, "close": self._close, "comment": self._comment, "attr": self._attr,
            "unended": self._unended, "quoted": self._quoted, "bad": self._bad,
        }  # fmt: skip
        while match := match_at(text, self.pos):
            kind = match.lastgroup or ""
            start, self.pos = match.span(kind)
            newlines = text.count("\n", self.mark, start)
            if newlines:
                self.line += newlines
                self.line_start = text.rfind("\n", self.mark, start) + 1
            self.mark = start
            if not self.stack and kind != "comment" and text[start] != "(":
                self._outside(start)
            else:
                handlers[kind](match[kind], start)
            self.last_end = self.pos

    # outside of forms

    def _outside(self, start: int) -> None:
        text = self.text
        if text[start] == ")":
            found = _CLOSING.match(text, start)
            assert found is not None  # noqa: S101  (it can match nothing)
            length = len(found[0].rstrip(" \t\r\n,"))
            self.pos = start + length
            self._error(
                "UNEXPECTED_CLOSE", "this closes no form", start, length,
                suggestion="remove it, or look for a form that was closed too early",
            )  # fmt: skip
            return
        found = _OUTSIDE.match(text, start)
        assert found is not None  # noqa: S101
        self.pos = max(found.end(), start + 1)
        seen = found[0].rstrip() or text[start]
        word = TOKEN.match(seen)
        looks = word is not None and word.lastgroup == "word" and "." in word[0]
        self._error(
            "EXPECTED_FORM", f'"{shown(seen)}" stands outside of any form', start, len(seen),
            expected="(verb :key value …)",
            suggestion=f"({shown(seen)})" if looks else "text stands behind ; or in a string",
        )  # fmt: skip

    def _comment(self, token: str, start: int) -> None:
        trailing = not self.stack and self.form_line == self.line
        comment = Comment(*self._at(start, len(token)), token[1:].rstrip(), trailing)
        # one inside a form is kept before it, so that none is lost by printing
        if self.stack:
            self.comments.append(comment)
        else:
            self.items.append(comment)
        self._count()

    # what stands inside

    def _key(self, token: str, start: int) -> None:
        name, top = token[1:], self.stack[-1]
        if not NAME.match(name):
            self._bad_name(token, start, name, ":" if name else "")
        if top.bracket == "[":
            self._error("EXPECTED_KEY", f"{shown(token)} is a key, and a list holds values",
                        start, len(token), suggestion=f'"{shown(name)}"')  # fmt: skip
            return
        if top.bracket == "(" and not top.started:
            self._no_verb(top, start, shown(token))
        self._pend(top, name, False, start, len(token))

    def _value(self, node: Value, start: int, length: int, hint: str = "") -> None:
        self._count()
        if self._expects_value(start, shown(self.text[start : start + length]), length, hint):
            self._settle(node)

    def _string(self, token: str, start: int) -> None:
        if self.careful and (cut := _suspicious(token)):
            self._cut(start, start + cut)
            return
        value, wrong = read_string(token[1:-1])
        self._wrong(wrong, start + 1)
        if self._is_map_key():
            self._pend(self.stack[-1], value, True, start, len(token))
            return
        self._value(String(*self._at(start, len(token)), value), start, len(token))

    def _is_map_key(self) -> bool:
        top = self.stack[-1]
        return top.bracket == "{" and top.key is None

    def _unended(self, token: str, start: int) -> None:
        if not self.careful:
            raise _Again
        self._cut(start, start + len(token))
        self.unended += 1
        if self.unended == _MOST_UNENDED:  # each is looked for up to the end of the document
            self._give_up()

    def _cut(self, start: int, end: int) -> None:
        """A string whose end is missing ends here, before what closes the form on its line."""
        body = self.text[start + 1 : end].rstrip(_CLOSERS)
        self.pos = start + 1 + len(body)
        self._error("UNTERMINATED_STRING", f'the string "{shown(body, 20)}" has no end', start,
                    self.pos - start, expected='"', suggestion='add " at its end')  # fmt: skip
        value, _ = read_string(body)
        self._count()
        if self.stack[-1].bracket == "[" or self.stack[-1].key is not None:
            self._settle(String(*self._at(start, self.pos - start), value))

    def _quoted(self, token: str, start: int) -> None:
        inner = shown(token[1:-1])
        self._error("BAD_CHARACTER", "a string stands in straight double quotes", start,
                    len(token), suggestion=f'"{inner}"')  # fmt: skip
        if not self._is_map_key():
            self._value(String(*self._at(start, len(token)), token[1:-1]), start, len(token))

    def _word(self, token: str, start: int) -> None:
        top = self.stack[-1]
        if not NAME.match(token):
            self._bad_name(token, start, token, "")
        if top.bracket == "(" and not top.started:
            top.started, top.verb, top.verb_offset = True, token, start
            return
        if top.key is None and top.bracket != "[" and self._word_for_key(top, token, start):
            return
        place = self._at(start, len(token))
        node: Value
        if token in _CONSTANTS:
            node = Boolean(*place, _CONSTANTS[token])
        else:
            node = Nil(*place) if token == _NIL else Symbol(*place, token)
        self._value(node, start, len(token))

    def _word_for_key(self, top: Open, token: str, start: int) -> bool:
        """A word where a key should be: a guess at what was meant, so that reading can go on."""
        seen = shown(token)
        if top.bracket == "(" and not top.items and "." not in top.verb + token:
            hint = f"{shown(top.verb)}.{seen}"
            top.verb = f"{top.verb}.{token}"  # as it was meant, most likely
        elif token in CURRENCIES and (number := self._number_before(top)):
            hint = number + token
        elif _VALUE_AHEAD.match(self.text, self.pos):
            self._error("EXPECTED_KEY", f"{seen} is no key", start, len(token),
                        expected=":key value", suggestion=f":{seen}")  # fmt: skip
            self._pend(top, token, False, start, len(token))
            return True
        else:
            hint = ""
        self._count()
        self._error("EXPECTED_KEY", f"{seen} has no key", start, len(token),
                    expected=":key value", suggestion=hint)  # fmt: skip
        return True

    def _number(self, token: str, start: int) -> None:
        place = self._at(start, len(token))
        read = read_number(token)
        if isinstance(read, Wrong):
            self._wrong([read], start)
            self._value(String(*place, token), start, len(token))
            return
        before = self.text[start - 1] == "," and self._number_before(self.stack[-1])
        hint = f"{before}{token} (a comma is white space)" if before else ""
        self._value(Number(*place, *read), start, len(token), hint)

    @staticmethod
    def _number_before(top: Open) -> str:
        last = top.items[-1].value if top.bracket != "[" and top.items else None
        return last.value if isinstance(last, Number) and not last.unit else ""

    def _attr(self, token: str, start: int) -> None:
        place = self._at(start, len(token))
        read = read_attr(token)
        if isinstance(read, Wrong):
            self._wrong([read], start)
            self._value(Nil(*place), start, len(token))
        else:
            self._value(AttrRef(*place, *read), start, len(token))

    def _bad(self, token: str, start: int) -> None:
        hint = {"'": "strings stand in double quotes", "\\": 'backslashes stand in "strings"'}
        what = f"U+{ord(token):04X}" if len(token) == 1 and not token.isprintable() else token
        self._error("BAD_CHARACTER", f"{shown(what)} has no meaning here", start, len(token),
                    suggestion=hint.get(token[0], ""))  # fmt: skip

    def _bad_name(self, token: str, start: int, name: str, before: str) -> None:
        parts = _PARTS.findall(name[:200])
        hint = before + ".".join(parts) if parts else ""
        self._error("BAD_NAME", f"{shown(token)} is no name", start, len(token),
                    expected="letters, digits, _ and -, in parts joined by single dots",
                    suggestion=shown(hint))  # fmt: skip

    def _wrong(self, wrong: list[Wrong], start: int) -> None:
        for code, message, at, length, hint in wrong:
            self._error(code, message, start + at, length, suggestion=hint)


def _suspicious(token: str) -> int:
    """Where a string seems to have run into code; 0 when it does not."""
    if "\n" in token:
        found = _INTO_CODE.search(token)
        return token.index("\n") if found else 0
    found = _INTO_KEY.search(token)
    return found.start() if found else 0
