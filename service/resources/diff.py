"""Unified diffs in bounded time."""

from __future__ import annotations

import difflib
import re

# difflib takes time in the product of both sides' lines; past this many pairs the changed middle is
# shown as replaced in one piece, which is a correct diff, only not a minimal one.
_MOST_PAIRS = 4_000_000
_CONTEXT = 3
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def unified(before: tuple[str, str], after: tuple[str, str]) -> str:
    """The unified diff of two (name, text); empty when the texts are equal."""
    old, new = _LINES.findall(before[1]), _LINES.findall(after[1])
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    changed_old, changed_new = len(old) - head - tail, len(new) - head - tail
    if not changed_old and not changed_new:
        return ""
    if changed_old * changed_new > _MOST_PAIRS:
        return _replaced(before[0], after[0], old, new, head, tail)
    first, last = max(0, head - _CONTEXT), max(0, tail - _CONTEXT)
    lines = difflib.unified_diff(
        old[first : len(old) - last], new[first : len(new) - last], before[0], after[0], n=_CONTEXT
    )
    return "".join(_finished(_shifted(line, first)) for line in lines)


def _common(left: list[str], right: list[str]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _finished(line: str) -> str:
    return line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _shifted(line: str, by: int) -> str:
    """A hunk header moved by the lines that were left out before it."""
    if not by or not line.startswith("@@ "):
        return line
    old, new = line.split(" ")[1:3]
    return f"@@ {_moved(old, by)} {_moved(new, by)} @@\n"


def _moved(span: str, by: int) -> str:
    start, comma, length = span[1:].partition(",")
    return f"{span[0]}{int(start) + by}{comma}{length}"


def _replaced(name: str, other: str, old: list[str], new: list[str], head: int, tail: int) -> str:
    out = [f"--- {name}\n+++ {other}\n"]
    out.append(f"@@ -{head + 1},{len(old) - head - tail} +{head + 1},{len(new) - head - tail} @@\n")
    out += [_finished("-" + line) for line in old[head : len(old) - tail]]
    out += [_finished("+" + line) for line in new[head : len(new) - tail]]
    return "".join(out)
