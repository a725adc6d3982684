"""Every kind of broken document: all its findings, each with its place and what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.dsl.findings import CODES, Finding
from service.dsl.validation import check, understand
from tests.dsl.vocabulary import FACTS, REGISTRY

_CASE = re.compile(r"^== (.+)\n((?:.*\n)*?)--\n((?:.+\n)*)", re.MULTILINE)
CORPUS = {
    match[1]: (match[2][:-1], match[3].splitlines())
    for match in _CASE.finditer((Path(__file__).parent / "broken.txt").read_text())
}
# told by limits, by text that no file can hold, or by values held against the database
_ELSEWHERE = {"TOO_LARGE", "TOO_MANY_FORMS", "TOO_MANY_VALUES", "TOO_DEEP"}


def found_in(text: str) -> list[Finding]:
    return check(understand(text, REGISTRY), FACTS)


def told(finding: Finding) -> str:
    mark = "?" if finding.severity == "warning" else ""
    hint = f" > {finding.suggestion}" if isinstance(finding.suggestion, str) else ""
    return f"{finding.code}{mark} {finding.line}:{finding.column}{hint}"


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_found(name: str) -> None:
    text, expected = CORPUS[name]
    assert [told(finding) for finding in found_in(text)] == expected
    assert expected


def test_the_corpus_is_large_and_knows_every_code() -> None:
    assert len(CORPUS) >= 90
    codes = {f.code for text, _ in CORPUS.values() for f in found_in(text)}
    assert codes | _ELSEWHERE == set(CODES)


def test_a_finding_points_at_what_is_wrong() -> None:
    text = '(case.create :case-id "A")\n(workflow.transition :to-state "activ")'
    (found,) = found_in(text)
    assert text[found.offset : found.offset + found.length] == '"activ"'
    assert (found.code, found.form, found.line, found.column) == ("BAD_ENUM", 1, 2, 32)
    assert "collecting" in str(found.expected)


def test_at_most_100_errors_and_no_more_are_told() -> None:
    text = "(case.craete)\n" * 500
    findings = found_in(text)
    assert len(findings) == 100
    assert findings[-1].line == 100


def test_an_unknown_verb_is_a_warning_when_that_is_asked() -> None:
    understood = understand("(spaceship.launch :speed 9)", REGISTRY, strict=False)
    findings = check(understood, FACTS)
    assert [told(f) for f in findings] == ["UNKNOWN_VERB? 1:2"]
    assert understood.bound[0].extras == {"speed": 9}


def test_the_manual_has_every_code_with_its_meaning() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cases.md").read_text()
    table = page.partition("| code | meaning |\n|---|---|\n")[2]
    assert table == "".join(f"| `{code}` | {meaning} |\n" for code, meaning in CODES.items())
