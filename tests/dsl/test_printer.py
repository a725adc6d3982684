"""Printing is the inverse of reading, and always gives the same text."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.dsl.nodes import (
    Argument,
    AttrRef,
    Boolean,
    Comment,
    Entry,
    Form,
    List,
    Map,
    Nil,
    Number,
    Program,
    String,
    Symbol,
    plain,
)
from service.dsl.parser import parse
from service.dsl.printer import WIDTH, print_program, quote

_RESERVED = {"true", "false", "nil"}
_IDENT = st.from_regex(r"\A[a-zA-Z_é][a-zA-Z0-9_-]{0,12}\Z")
_NAME = st.lists(_IDENT, min_size=1, max_size=3).map(".".join)
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=150)
_NUMBER = st.builds(
    lambda whole, fraction, unit: Number(
        value=str(whole) + (f".{fraction}" if fraction else ""), unit=unit
    ),
    st.integers(-(10**40), 10**40),
    st.from_regex(r"\A[0-9]{0,30}\Z"),
    st.sampled_from(["", "%", "USD", "EUR", "JPY"]),
)
_ATOM = st.one_of(
    _TEXT.map(lambda text: String(value=text)),
    _NUMBER,
    st.booleans().map(lambda value: Boolean(value=value)),
    st.just(Nil()),
    _NAME.filter(lambda name: name not in _RESERVED).map(lambda name: Symbol(name=name)),
    st.builds(
        lambda one, name: AttrRef(attribute_id=str(one), name=name), st.uuids(), st.just("") | _NAME
    ),
)


def _entries(values: st.SearchStrategy[object]) -> st.SearchStrategy[Map]:
    named = st.dictionaries(_NAME, values, max_size=4).map(
        lambda found: [Entry(key=key, value=value) for key, value in found.items()]
    )
    quoted = st.dictionaries(_TEXT, values, max_size=4).map(
        lambda found: [Entry(key=key, quoted=True, value=value) for key, value in found.items()]
    )
    return (named | quoted).map(lambda entries: Map(entries=entries))


_VALUE = st.recursive(
    _ATOM,
    lambda inner: (
        st.lists(inner, max_size=6).map(lambda items: List(items=items)) | _entries(inner)
    ),
    max_leaves=12,
)
_FORM = st.builds(
    lambda verb, found: Form(verb=verb, arguments=[Argument(key=k, value=v) for k, v in found]),
    _NAME,
    st.dictionaries(_NAME, _VALUE, max_size=6).map(lambda found: list(found.items())),
)
_COMMENT = st.from_regex(r"\A[^\n\r\x00\ud800-\udfff]{0,40}\Z").map(
    lambda text: Comment(text=text.rstrip())
)
_PROGRAM = st.lists(_FORM | _COMMENT, max_size=6).map(lambda items: Program(items=items))


@given(_PROGRAM)
@settings(max_examples=300, deadline=None)
def test_what_is_printed_reads_as_it_was(program: Program) -> None:
    text = print_program(program)
    parsed = parse(text)
    assert [f.code for f in parsed.findings] == ([] if program.forms else ["EMPTY_DOCUMENT"])
    assert plain(parsed.program) == plain(program)
    assert print_program(parsed.program) == text


# pieces that open, close, quote and separate, in any order
_PIECES = st.lists(
    st.sampled_from(
        ["(", ")", "[", "]", "{", "}", '"', "\\", ":k", ":", " ", "\n", ",", ";", "a.b", "case",
         "é", "1", "-2.5", "3%", "4USD", "nil", "true", "@attr{", "'", "“", "#", "a..b", "(a.b ",
         ":k 1 ", '"text" ', "; note\n", "\t", "\r\n", "\ufeff", "\u2028", "\\u00e9", "\\ud83d"]
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(_PIECES | st.text(max_size=200))
@settings(max_examples=600, deadline=None)
@example('(a.b :k "x\n(c.d :y "z")')
@example("(a.b :k 1 ; inside\n) ; behind\n; before\n(c.d)")
def test_whatever_is_sent_is_read_or_told(text: str) -> None:
    """No text makes the parser raise; what it accepts prints to itself; places are in the text."""
    parsed = parse(text)
    for found in parsed.findings:
        assert 0 <= found.offset <= found.offset + found.length <= len(text)
        before = text[: found.offset]
        assert found.line == before.count("\n") + 1
        assert found.column == len(before) - before.rfind("\n")
    errors = [f for f in parsed.findings if f.severity == "error"]
    again = parse(print_program(parsed.program))
    if not errors:
        assert plain(again.program) == plain(parsed.program)
        assert print_program(again.program) == print_program(parsed.program)


def test_the_canonical_form() -> None:
    text = """; onboarding
(case.create,:case-id "A"   :title   "x")   ; first


(a.long-verb :names ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" 'x]
"""
    text = text.replace(" 'x]", ' "ccccccccccccccccccccccccccccccccc"] :share 007.50% :none nil)')
    assert print_program(parse(text).program) == (
        "; onboarding\n"
        '(case.create :case-id "A" :title "x") ; first\n'
        "\n"
        "(a.long-verb\n"
        "  :names [\n"
        '    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"\n'
        '    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"\n'
        '    "ccccccccccccccccccccccccccccccccc"\n'
        "  ]\n"
        "  :share 7.50%\n"
        "  :none nil)\n"
    )


def test_a_comment_inside_a_form_comes_to_stand_before_it() -> None:
    text = "(a.b :x 1 ; why\n :y 2)\n"
    assert print_program(parse(text).program) == "; why\n(a.b :x 1 :y 2)\n"


@given(_VALUE)
@settings(max_examples=100, deadline=None)
def test_lines_break_where_they_can(value: object) -> None:
    form = Form(verb="a.b", arguments=[Argument(key="k", value=value)])  # type: ignore[arg-type]
    for line in print_program(Program(items=[form])).split("\n"):
        assert len(line) <= WIDTH or line.count('"') >= 2 or len(line.split()) <= 3


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
@example('") (case.close :case-id "X')
@example("\\")
@settings(max_examples=300, deadline=None)
def test_quoted_text_never_leaves_its_string(text: str) -> None:
    parsed = parse(f"(a.b :k {quote(text)} :after 1)")
    assert not parsed.findings
    (form,) = parsed.program.forms
    assert [a.key for a in form.arguments] == ["k", "after"]
    first = form.arguments[0].value
    assert isinstance(first, String)
    assert first.value == text
