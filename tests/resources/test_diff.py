"""Unified diffs: what `patch` would make of them, and in bounded time."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from service.resources.diff import unified

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "long line é", "\x0bodd "]), max_size=30)
TEXTS = st.builds(lambda lines, end: "\n".join(lines) + end, LINES, st.sampled_from(["", "\n"]))


HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n\Z")


def patched(before: str, diff: str) -> str:
    """What applying the diff makes of the text; AssertionError when it does not fit."""
    old = re.findall(r"[^\n]*\n|[^\n]+", before)
    lines = re.findall(r"[^\n]*\n", diff)[2:]
    new: list[str] = []
    at = 0
    for number, line in enumerate(lines):
        text = line[1:]
        if number + 1 < len(lines) and lines[number + 1].startswith("\\"):
            text = text.removesuffix("\n")
        if hunk := HUNK.match(line):
            start = int(hunk[1]) - (hunk[2] != "0")
            new += old[at:start]
            at = start
            assert len(new) == int(hunk[3]) - (hunk[4] != "0")
        elif line[0] in " -":
            assert old[at] == text
            at += 1
        if line[0] in " +" and not hunk:
            new.append(text)
    return "".join(new + old[at:])


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_the_diff_turns_one_text_into_the_other(one: str, two: str) -> None:
    diff = unified(("v1", one), ("v2", two))
    assert (diff == "") == (one == two)
    assert patched(one, diff) == two


def test_a_change_deep_inside_has_the_right_line_numbers() -> None:
    one = "".join(f"{n}\n" for n in range(1000))
    diff = unified(("v1", one), ("v2", one.replace("500\n", "five hundred\n")))
    assert "@@ -498,7 +498,7 @@" in diff
    assert "-500\n+five hundred\n" in diff


def test_hostile_texts_take_no_quadratic_time() -> None:
    one = "".join(f"{n}\n" for n in range(100_000))
    two = "".join(f"{n}\n" for n in reversed(range(100_000)))
    diff = unified(("v1", one), ("v2", two))
    assert diff.startswith("--- v1\n+++ v2\n@@ -1,100000 +1,100000 @@\n")
