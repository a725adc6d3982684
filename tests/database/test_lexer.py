"""The lexer reads SQL as PostgreSQL's own scanner does."""

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast.parser import ParseError
from pglast.parser import scan as postgres_scan

from service.database.lexer import Kind, LexError, Token, scan

_POSTGRES_KINDS = {
    "SCONST": Kind.STRING,
    "USCONST": Kind.STRING,
    "BCONST": Kind.STRING,
    "XCONST": Kind.STRING,
    "SQL_COMMENT": Kind.COMMENT,
    "C_COMMENT": Kind.COMMENT,
    "PARAM": Kind.POSITIONAL,
    "ICONST": Kind.NUMBER,
    "FCONST": Kind.NUMBER,
    "UIDENT": Kind.QUOTED,
}

# Pieces that open, close, escape or look like something else.
_PIECES = st.sampled_from(
    [
        "'", "''", "\\'", "\\", '"', '""', "$", "$$", "$a$", "$b$", "$1", "a$b$", "E'", "e'", "U&'",
        'u&"', "B'", "x'", "N'", "--", "/*", "*/", "/", "*", "-", "\n", "\r", "\t", "\v", "\f", " ",
        ":", "::", ":=", ":n", ":abc", "[", "]", "(", ")", ";", ",", ".", "..", "1", "1e5", ".5",
        "0x1F", "1_000", "a", "select", "é", "名", "\u00a0", "+", "@", "<=", "|", "&", "#", "?",
        "'x'", "'a'\n'b'",
        "'a' -- c\n 'b'", '"q i"', "$t$ ' $t$", "/* /* */ */", "-- x\n", "UESCAPE '!'",
    ]
)  # fmt: skip


def _ours(sql: str) -> list[tuple[str, int, int]]:
    return [(t.kind.value, t.start, t.end) for t in scan(sql) if _compared(t)]


def _compared(token: Token) -> bool:
    return token.kind in {*_POSTGRES_KINDS.values(), Kind.DOLLAR, Kind.WORD, Kind.SEMICOLON}


def _theirs(sql: str) -> list[tuple[str, int, int]]:
    found = []
    for token in postgres_scan(sql):
        start, end = token.start, token.end + 1
        kind = _POSTGRES_KINDS.get(token.name)
        if kind is Kind.STRING and sql[start] == "$":
            kind = Kind.DOLLAR
        elif kind is None and sql[start] == '"':
            kind = Kind.QUOTED
        elif kind is None and sql[start] == ";":
            kind = Kind.SEMICOLON
        elif kind is None and (sql[start].isalpha() or sql[start] == "_" or sql[start] > "\x7f"):
            kind = Kind.WORD
        if kind is not None:
            found.append((kind.value, start, end))
    return found


def _comparable(sql: str) -> str:
    """PostgreSQL knows no placeholders: a name after a colon is a word of its own to it."""
    return sql.replace(":", ",")


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=14).map("".join))
def test_every_boundary_is_where_postgres_has_it(sql: str) -> None:
    try:
        theirs = _theirs(_comparable(sql))
    except ParseError:
        return  # PostgreSQL refuses it, so it will be refused at PREPARE
    assert _ours(_comparable(sql)) == theirs


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=14).map("".join))
def test_postgres_sees_a_parameter_wherever_we_put_one(sql: str) -> None:
    try:
        tokens = scan(sql)
    except LexError:
        return
    sent, at, expected = "", 0, []
    for token in tokens:
        if token.kind is Kind.PLACEHOLDER:
            sent += sql[at : token.start] + " "  # "LIMIT:n" must not become the name "LIMIT$1"
            expected.append(len(sent))
            sent, at = sent + "$9", token.end
    try:
        found = [t.start for t in postgres_scan(sent + sql[at:]) if t.name == "PARAM"]
    except ParseError:
        return
    assert set(expected) <= set(found)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_cut_without_gap_or_overlap(sql: str) -> None:
    try:
        tokens = scan(sql)
    except LexError as error:
        assert 0 <= error.offset < len(sql)
        return
    at = 0
    for token in tokens:
        assert not sql[at : token.start].strip(" \t\n\r\f\v")
        assert token.text == sql[token.start : token.end] != ""
        at = token.end
    assert not sql[at:].strip(" \t\n\r\f\v")


def _placeholders(sql: str) -> list[str]:
    return [token.text for token in scan(sql) if token.kind is Kind.PLACEHOLDER]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT :x, :y::int", [":x", ":y"]),
        ("SELECT a::uuid, b:=:c", [":c"]),
        ("a[1:n]", []),
        ("a[lo:hi]", []),
        ("a[f(x):n]", []),
        ("a[b[1]:n]", []),
        ("a[1: :n]", [":n"]),
        ("a[:n]", [":n"]),
        ("a[: n]", []),
        ("a[:lo:hi]", [":lo"]),
        ("ARRAY[:a, :b]", [":a", ":b"]),
        ("ARRAY[x,:y]", [":y"]),
        ("a[(1):n]", []),
        ("a[coalesce(:x, 1):n]", [":x"]),
        ("'no :x' || :y", [":y"]),
        (r"E'it\'s :no' || :yes", [":yes"]),
        ("'a'\n':no'", []),
        ("$f$ :no $f$ :yes", [":yes"]),
        ('":no" = :yes', [":yes"]),
        ("-- see :ticket\n:yes", [":yes"]),
        ("/* :no /* :no */ :no */ :yes", [":yes"]),
        ("a$b$ :yes", [":yes"]),
        ("b'1'':yes'", []),
        ("x'1' :yes", [":yes"]),
        ("U&'\\0061 :no' UESCAPE '!' || :yes", [":yes"]),
        ("1e5:yes", [":yes"]),
        ("12:30", []),
    ],
)
def test_placeholders(sql: str, names: list[str]) -> None:
    assert _placeholders(sql) == names


@pytest.mark.parametrize(
    ("sql", "offset"),
    [
        ("a 'b", 2),
        ("a 'b''", 2),
        (r"a E'b\'", 2),
        ('a "b', 2),
        ("a $x$ $y$", 2),
        ("a /* b /* */", 2),
        ("'a'\n'b", 0),
    ],
)
def test_what_never_ends_is_told_where_it_began(sql: str, offset: int) -> None:
    with pytest.raises(LexError) as caught:
        scan(sql)
    assert caught.value.offset == offset


@pytest.mark.parametrize(
    "piece",
    ["'a' -- -- -- x ", "/* ", "*/ ", "'' ", "$a$b", "a[1:n] ", "-- --", "1_0", "\\'", "E'\\'' "],
)
def test_linear_time(piece: str) -> None:
    """Sixteen times the text takes about sixteen times as long, not 256 times."""

    def seconds(times: int) -> float:
        text = piece * times
        best = 9.0
        for _ in range(3):
            begin = time.process_time()
            with contextlib.suppress(LexError):
                scan(text)
            best = min(best, time.process_time() - begin)
        return best

    assert seconds(16_000) < 60 * max(seconds(1_000), 0.0005)
