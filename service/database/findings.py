"""What is wrong with a query file, told with its place in the file and what to do."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

__all__ = ["Fault", "Finding", "Source", "SqlFilesError"]

# Offset in the file, code, message, what to do about it ("" when the message says it).
Fault: TypeAlias = tuple[int, str, str, str]

_FOREIGN: Final = {
    "\0": "a NUL character",
    "\ufeff": "a byte order mark",
    "\ufffd": "a byte that is not UTF-8",  # decoding leaves this character in its place
}


class Finding(NamedTuple):
    """Something wrong with a query file; line and column count from 1."""

    path: Path
    line: int
    column: int
    code: str
    message: str
    excerpt: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        text = f"{self.path}:{self.line}:{self.column}: {self.code}: {self.message}"
        if self.excerpt:
            before = "".join(c if c == "\t" else " " for c in self.excerpt[: self.column - 1])
            text += f"\n    {self.excerpt}\n    {before}^"
        return f"{text}\n    {self.suggestion}" if self.suggestion else text


class SqlFilesError(Exception):
    """Some query files are refused; `findings` holds everything that is wrong with all of them.

    `queries` are those of the other files by name, for who wants to look at them all the same.
    """

    def __init__(self, findings: Sequence[Finding], queries: Any = None) -> None:
        self.findings, self.queries = sorted(findings), queries or {}
        super().__init__("\n".join(map(str, self.findings)))


class Source:
    """A query file's text, and what loading found wrong in it. Places are character offsets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = ""
        self.findings: list[Finding] = []
        try:
            self.text = path.read_bytes().decode(errors="replace")
        except OSError as error:
            self.find(0, "unreadable", f"the file cannot be read: {error.strerror}")
        for character, name in _FOREIGN.items():
            if character in self.text:
                self.find(self.text.index(character), "not_utf8", f"{name} in the file")

    def find(self, at: int, code: str, message: str, suggestion: str = "") -> None:
        """Note one thing that is wrong."""
        self.note([(at, code, message, suggestion)])

    def note(self, faults: Iterable[Fault]) -> None:
        """Note what is wrong."""
        self.findings += map(self.finding, faults)

    def finding(self, fault: Fault) -> Finding:
        """A fault with its line and column."""
        at, code, message, suggestion = fault
        before = self.text[:at]
        line, column = before.count("\n") + 1, at - before.rfind("\n")
        excerpt = self.text.split("\n")[line - 1].rstrip()
        return Finding(self.path, line, column, code, message, excerpt, suggestion)
