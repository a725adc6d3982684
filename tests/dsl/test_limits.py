"""Hostile documents end in errors, in linear time: measured as growth, not against a clock."""

from __future__ import annotations

import time

import pytest

from service.dsl.brackets import Limits
from service.dsl.findings import MOST
from service.dsl.parser import parse

MIB = 1024 * 1024
HOSTILE = {
    "parentheses": ("", "("),
    "one word": ("", "x"),
    "quotes": ("", '"'),
    "brackets": ("", "["),
    "nested lists": ("(a.b :k ", "["),
    "nested maps": ("(a.b :k ", "{:a "),
    "lists closed again": ("", "(a.b :k " + "[" * 60 + "]" * 60 + ")\n"),
    "closing": ("", ")"),
    "forms without verbs": ("", "()"),
    "forms never closed": ("", "(a.b :k \n"),
    "forms in forms": ("", "(a.b "),
    "keys": ("(a.b ", ":k "),
    "colons": ("(a.b ", ":"),
    "empty lists": ("(a.b :k [", "[]"),
    "empty strings": ("(a.b :k [", '""'),
    "numbers": ("(a.b :k [", "1 "),
    "one number": ("(a.b :k ", "1"),
    "one string that never ends": ('(a.b :k "', "y"),
    "strings that never end": ("", '(a.b :k "x)\n'),
    "escaped quotes in lines": ('(a.b :k "', '\\"\n'),
    "backslashes": ('(a.b :k "', "\\"),
    "bad escapes": ('(a.b :k "', "\\q"),
    "half surrogate pairs": ('(a.b :k "', "\\ud83d"),
    "string over lines of almost code": ('(a.b :k "', "\n: "),
    "string of spaces": ('(a.b :k "', " "),
    "references": ("(a.b :k ", "@attr{"),
    "apostrophes": ("(a.b :k ", "'"),
    "comments": ("", ";\n"),
    "white space": ("", " "),
    "dots": ("(a.b :k ", "a."),
    "too deep in every line": ("(a.b :k " + "[" * 70, "\n(a.b :k " + "[" * 70),
    "NUL": ("", "\0"),
}


def document(name: str, size: int) -> str:
    start, unit = HOSTILE[name]
    return start + unit * ((size - len(start)) // len(unit))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_mebibyte_ends_in_errors(name: str) -> None:
    found = parse(document(name, MIB)).findings
    assert found
    assert any(f.severity == "error" for f in found)
    assert sum(f.severity == "error" for f in found) <= MOST
    assert all(len(f.message) < 300 for f in found)


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_document_and_not_with_its_square(name: str) -> None:
    """Eight times the text may take eight times as long, and three times that for noise."""
    small, large = document(name, MIB // 8), document(name, MIB)

    def took(text: str) -> float:
        started = time.process_time()
        parse(text)
        return time.process_time() - started

    quick = min(took(small) for _ in range(2))
    assert min(took(large) for _ in range(2)) < max(quick, 0.01) * 8 * 3


@pytest.mark.parametrize(
    ("text", "limits", "code"),
    [
        ("(a.b :k 1)", Limits(size=9), "TOO_LARGE"),
        ('(a.b :k "é")', Limits(size=12), "TOO_LARGE"),
        ("(a.b :k [[1]])", Limits(depth=2), "TOO_DEEP"),
        ("(a.b)(a.b)(a.b)", Limits(forms=2), "TOO_MANY_FORMS"),
        ("(a.b :k [1 2 3])", Limits(values=3), "TOO_MANY_VALUES"),
    ],
)
def test_each_limit_is_told(text: str, limits: Limits, code: str) -> None:
    assert [f.code for f in parse(text, limits).findings] == [code]


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("(a.b :k 1)", Limits(size=10)),
        ('(a.b :k "é")', Limits(size=13)),
        ("(a.b :k [[1]])", Limits(depth=3)),
        ("(a.b)(a.b)", Limits(forms=2)),
        ("(a.b :k [1 2 3])", Limits(values=4)),
    ],
)
def test_what_just_fits_is_read(text: str, limits: Limits) -> None:
    assert not parse(text, limits).findings


def test_the_default_depth_is_64() -> None:
    inside = "[" * 63 + "]" * 63
    assert not parse(f"(a.b :k {inside})").findings
    assert [f.code for f in parse(f"(a.b :k [{inside}])").findings] == ["TOO_DEEP"]


def test_reading_goes_on_after_a_form_that_was_too_deep() -> None:
    parsed = parse("(a.b :k " + "[" * 70 + "]" * 70 + ")\n(c.d :x 1)\n(e.f :y)")
    assert [(f.code, f.line) for f in parsed.findings] == [("TOO_DEEP", 1), ("MISSING_VALUE", 3)]
    assert [form.verb for form in parsed.program.forms] == ["c.d", "e.f"]
