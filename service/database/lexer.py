"""SQL cut into tokens exactly where PostgreSQL's own scanner cuts it.

Only what a query file needs is told apart: strings, quoted identifiers, comments,
words, numbers, brackets, semicolons, and our own `:name` placeholders. The rules are
those of PostgreSQL's `scan.l` (standard_conforming_strings on); a property test
holds them against the real scanner. The time taken is linear in the length: every
repetition below is possessive, so nothing is ever tried twice.

A colon is a placeholder's unless it belongs to `::`, to `:=` or to an array slice.
PostgreSQL cannot tell us which, as it knows no `:name`, so one rule of ours decides:
directly inside square brackets, a colon that touches the operand before it is a slice.

    a[1:n]      slice, n is a column          a[:n]       placeholder n
    a[lo:hi]    slice                         ARRAY[:a, :b]   two placeholders
    a[1: :n]    slice up to placeholder n     a[: n]      slice up to column n
"""

import re
from enum import StrEnum
from typing import Final, NamedTuple

__all__ = ["Kind", "LexError", "Token", "scan"]


class Kind(StrEnum):
    """What a token is."""

    PLACEHOLDER = "placeholder"  # :name
    POSITIONAL = "positional"  # $1
    STRING = "string"  # '…' with any prefix and all its continuations
    DOLLAR = "dollar"  # $tag$…$tag$
    QUOTED = "quoted"  # "…" and U&"…"
    COMMENT = "comment"  # -- and nested /* */
    SEMICOLON = "semicolon"
    WORD = "word"  # keyword or bare identifier
    NUMBER = "number"
    OPEN = "open"  # ( or [
    CLOSE = "close"  # ) or ]
    OTHER = "other"  # operators, commas, dots, colons that are no placeholder


class Token(NamedTuple):
    """One token; `start` and `end` are character offsets, `end` exclusive."""

    kind: Kind
    start: int
    end: int
    text: str


class LexError(ValueError):
    """Something opened at `offset` (characters) never ends."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


# PostgreSQL scans bytes and takes every byte above 127 as a letter, hence every character.
_LETTER: Final = r"A-Za-z_\x80-\U0010ffff"
_INTEGER: Final = r"[0-9](?:_?[0-9])*+"
_TAG: Final = rf"\$(?:[{_LETTER}][{_LETTER}0-9]*+)?\$"
# 'a' newline 'b' is one string; comments may stand in between, a newline must.
_AGAIN: Final = (
    r"(?:[ \t\f\v]++|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]++|--[^\n\r]*+[\n\r])*+'"
)  # fmt: skip


def _string(body: str) -> str:
    """A string of such bodies; none at all if the last of them never ends."""
    return rf"'{body}'(?:{_AGAIN}{body}')*+(?!{_AGAIN})"


_PLAIN: Final = _string(r"[^']*+(?:''[^']*+)*+")
_ESCAPED: Final = _string(r"[^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+")
_BITS: Final = _string(r"[^']*+")  # b'' and x'' know no doubled quote

# Groups are named after kinds; "space", "block" and "unclosed" are treated apart.
_TOKEN: Final = re.compile(
    rf"""
    (?P<space>[ \t\n\r\f\v]++)
  | (?P<comment>--[^\n\r]*+)
  | (?P<block>/\*)
  | (?P<string>(?:[Uu]&)?{_PLAIN} | [Ee]{_ESCAPED} | [BbXx]{_BITS})
  | (?P<quoted>(?:[Uu]&)?"[^"]*+(?:""[^"]*+)*+")
  | (?P<dollar>(?P<tag>{_TAG}).*?(?P=tag))
  | (?P<unclosed>(?:[EeBbXx]|[Uu]&)?' | (?:[Uu]&)?" | {_TAG})
  | (?P<positional>\$[0-9]++)
  | (?P<word>[{_LETTER}][{_LETTER}0-9$]*+)
  | (?P<number>0[xX](?:_?[0-9A-Fa-f])++ | 0[oO](?:_?[0-7])++ | 0[bB](?:_?[01])++
      | (?:{_INTEGER}(?:\.(?!\.)(?:{_INTEGER})?)?+ | \.{_INTEGER})(?:[eE][+-]?{_INTEGER})?+)
  | (?P<placeholder>:[{_LETTER}][{_LETTER}0-9]*+)
  | (?P<open>[(\[])
  | (?P<close>[)\]])
  | (?P<semicolon>;)
  | (?P<other>::|:=|\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")
_NO_OPERANDS: Final = frozenset({Kind.COMMENT, Kind.SEMICOLON, Kind.OPEN, Kind.OTHER})


def scan(sql: str) -> list[Token]:
    """All tokens of `sql` in order, white space left out. Raises LexError."""
    tokens: list[Token] = []
    brackets: list[str] = []
    at = 0
    while match := _TOKEN.match(sql, at):  # it takes any character, so it fails at the end only
        group, end = match.lastgroup or "", match.end()
        if group == "unclosed":
            raise LexError(f"what {match[0]} opens never ends", at)
        if group == "block":
            group, end = Kind.COMMENT, _comment_end(sql, at)
        elif group == "placeholder" and _is_slice(tokens, brackets, at):
            group, end = Kind.OTHER, at + 1
        elif group == "open":
            brackets.append(match[0])
        elif group == "close" and brackets:
            brackets.pop()
        if group != "space":
            tokens.append(Token(Kind(group), at, end, sql[at:end]))
        at = end
    return tokens


def _is_slice(tokens: list[Token], brackets: list[str], at: int) -> bool:
    if not brackets or brackets[-1] != "[":
        return False
    before = tokens[-1]
    return before.end == at and before.kind not in _NO_OPERANDS


def _comment_end(sql: str, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise LexError("what /* opens never ends", start)
