"""Edits of the query files, as the files of `corpus/` show them, made to a copy of `sql/`.

An edit is a headline and hunks like those of a diff, without line numbers:

    @@ projects/get.sql          the file; also: @@ new FILE, @@ delete FILE, @@ rename OLD NEW,
                                 and @@ snapshot: then `quarry sql snapshot` is run
     -- One live project.        a line that stays,
    -SELECT p.id, p.name         one that goes,
    +SELECT p.id, p.nmae         one that comes,
                  ^ code: text   and below it where a finding is expected, with some of its words

Files are below `sql/`; what stays and goes must be in the file once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

CORPUS = Path(__file__).parent / "corpus"


class Expected(NamedTuple):
    """A finding; `text` is in its message or suggestion."""

    path: str
    line: int
    column: int
    code: str
    text: str


@dataclass(slots=True)
class Hunk:
    """What is done, to which file, with which lines, and what is expected at them."""

    words: list[str]
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    carets: list[tuple[int, int, str, str]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.words[-1]

    def read(self, line: str) -> None:
        """One line of the edit."""
        if line.lstrip().startswith("^"):
            code, _, text = line.strip("^ \n").partition(": ")
            self.carets.append((len(self.new) - 1, line.index("^"), code.strip(), text))
        elif line:
            self.old += [line[1:]] if line[0] in " -" else []
            self.new += [line[1:]] if line[0] in " +" else []
            assert line[0] in " -+", line
        else:
            self.new.append("")  # an empty line that comes


def apply(edit: Path, folder: Path) -> tuple[list[Expected], bool]:
    """Make an edit to the files in `folder`: what is expected, and whether to take a snapshot."""
    hunks = list(_hunks(edit))
    for hunk in hunks:
        _make(hunk, folder)
    expected = [found for hunk in hunks for found in _expected(hunk, folder)]
    return sorted(expected), any(hunk.words == ["snapshot"] for hunk in hunks)


def copied(source: Path, folder: Path, edit: Path | None = None) -> Path:
    """A copy of the query files; for an edit, of the folders that it touches."""
    copy = Path(shutil.copytree(source, folder / "sql"))
    if edit is not None:
        paths = [word for hunk in _hunks(edit) for word in hunk.words if "/" in word]
        touched = {path.partition("/")[0] for path in paths}
        for other in copy.iterdir():
            if other.is_dir() and other.name not in touched:
                shutil.rmtree(other)
        contract = json.loads((copy / "contract.json").read_text())
        kept = {name: what for name, what in contract.items() if name.partition(".")[0] in touched}
        (copy / "contract.json").write_text(json.dumps(kept, indent=2))
    return copy


def _hunks(edit: Path) -> Iterator[Hunk]:
    hunk: Hunk | None = None
    for line in edit.read_text().splitlines():
        if line.startswith("@@ "):
            if hunk is not None:
                yield hunk
            hunk = Hunk(line[3:].split())
        elif hunk is not None:
            hunk.read(line)
    assert hunk is not None, edit
    yield hunk


def _make(hunk: Hunk, folder: Path) -> None:
    match hunk.words:
        case ["snapshot"]:
            return
        case ["new", name]:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text("\n".join(hunk.new) + "\n")
        case ["delete", name]:
            (folder / name).unlink()
        case ["rename", name, other]:
            (folder / name).rename(folder / other)
        case [name]:
            path = folder / name
            text, old = path.read_text(), "".join(f"{line}\n" for line in hunk.old)
            assert text.count(old) == 1, f"{text.count(old)} times in {name}:\n{old}"
            path.write_text(text.replace(old, "".join(f"{line}\n" for line in hunk.new)))


def _expected(hunk: Hunk, folder: Path) -> Iterator[Expected]:
    if not hunk.carets:
        return
    text, new = (folder / hunk.path).read_text(), "\n".join(hunk.new)
    assert text.count(new) == 1, f"{text.count(new)} times in the edited {hunk.path}:\n{new}"
    first = text[: text.index(new)].count("\n") + 1
    for line, column, code, told in hunk.carets:
        yield Expected(hunk.path, first + line, column, code, told)
