"""The migration files: what they are, and the rules that they keep.

A migration is a pair, `NNNN-words.sql` and `NNNN-words.rollback.sql`, plain yoyo. The rules below
are yoyo's traps turned into findings before anything touches a database.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from yoyo.migrations import parse_metadata_from_sql_comments, read_sql_migration

ROLLBACK = ".rollback.sql"
_NAME = re.compile(r"^(\d{4})-[a-z0-9]+(-[a-z0-9]+)*$")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_INDEX = re.compile(
    r"\bINDEX\s+(?P<how>CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>[\w.]+)\s+ON\s+"
    r"(?:ONLY\s+)?(?P<table>[\w.]+)",
    re.IGNORECASE,
)
_CREATED = re.compile(r"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w.]+)", re.IGNORECASE)
_TIMEOUTS = ("lock_timeout", "statement_timeout")

HEADER = """\
{depends}-- {words}

SET LOCAL lock_timeout = '3s';

SET LOCAL statement_timeout = '60s';

SET LOCAL ROLE quarry_owner;

"""
# One statement that no transaction may hold: longer time-outs, and settings of the session.
ALONE_HEADER = """\
{depends}-- {words}

SET lock_timeout = '30s';

SET statement_timeout = '1h';

SET ROLE quarry_owner;

"""


class MigrationError(Exception):
    """Migrations cannot go on; the message says which one, why, and what to do."""


@dataclass(frozen=True, slots=True)
class File:
    """One migration as it lies in the folder."""

    id: str
    path: Path
    depends: tuple[str, ...]
    transactional: bool
    statements: tuple[str, ...]  # without comments
    rollback: tuple[str, ...]  # without comments; empty when the pair is missing

    @property
    def rollback_path(self) -> Path:
        return self.path.with_name(self.id + ROLLBACK)

    def checksums(self) -> tuple[str, str]:
        """SHA-256 of both files (line ends do not count)."""
        return _sha256(self.path), _sha256(self.rollback_path)

    def index_name(self) -> str | None:
        """Bare name of the index that a non-transactional file makes."""
        found = _INDEX.search(" ".join(self.statements)) if not self.transactional else None
        return found["name"].rpartition(".")[2] if found else None


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a file breaks."""

    file: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.message} [{self.code}]"


def read(directory: Path) -> list[File]:
    """The folder's migrations in order; MigrationError when there is none."""
    names = sorted(known(directory))
    if not names:
        raise MigrationError(f"no migrations in {directory}")
    return [_file(directory / f"{name}.sql") for name in names]


def head(directory: Path) -> str:
    """Id of the newest migration in the folder: the schema that this service knows."""
    return max(known(directory))


def known(directory: Path) -> set[str]:
    """Ids of all migrations in the folder."""
    return {p.stem for p in directory.glob("*.sql") if not p.name.endswith(ROLLBACK)}


def find(files: list[File], name: str) -> str:
    """The id that a full id, a number or `zero` (answered as '') means."""
    if name == "zero":
        return ""
    number = f"{int(name):04}" if name.isdecimal() else name
    matches = [f.id for f in files if f.id == name or f.id.startswith(f"{number}-")]
    if len(matches) != 1:
        raise MigrationError(f"no migration is called {name}")
    return matches[0]


def require_sound(directory: Path, files: list[File]) -> None:
    """MigrationError that lists every broken rule."""
    findings = lint(directory, files)
    if findings:
        raise MigrationError("\n".join(str(f) for f in findings))


def lint(directory: Path, files: list[File]) -> list[Finding]:
    """Every rule that a file of the folder breaks."""
    findings = [
        Finding(p.name, "orphan", f"has no {p.name.removesuffix(ROLLBACK)}.sql")
        for p in sorted(directory.glob("*" + ROLLBACK))
        if not p.with_name(p.name.removesuffix(ROLLBACK) + ".sql").exists()
    ]
    before: str | None = None
    for file in files:
        findings += _lint_chain(file, before)
        findings += _lint_pair(file)
        findings += _lint_statements(file)
        before = file.id
    return findings


def create(directory: Path, words: str, *, alone: bool = False) -> File:
    """A new pair with its header, after the newest migration; both lack their statements.

    `alone`: for one CONCURRENTLY statement, without a transaction.
    """
    slug = "-".join(re.findall(r"[a-z0-9]+", words.lower()))
    if not slug:
        raise MigrationError("a migration needs a name: words of letters and digits")
    existing = sorted(known(directory))
    number = int(existing[-1][:4]) + 1 if existing else 1
    depends = f"-- depends: {existing[-1]}\n" if existing else ""
    header = ALONE_HEADER if alone else HEADER
    depends += "-- transactional: false\n" if alone else ""
    path = directory / f"{number:04}-{slug}.sql"
    up = header.format(depends=depends, words=f"{words}: what changes, and why.")
    down = header.format(depends="", words=f"Everything of {number:04} in reverse order.")
    path.write_text(up, encoding="utf-8")
    path.with_name(path.stem + ROLLBACK).write_text(down, encoding="utf-8")
    return _file(path)


def _file(path: Path) -> File:
    return _parsed(path, _sha256(path), _sha256(path.with_name(path.stem + ROLLBACK)))


@functools.lru_cache(maxsize=512)
def _parsed(path: Path, _apply_sha256: str, _rollback_sha256: str) -> File:
    """A pair with these checksums, taken apart: slow, so once for each text."""
    directives, _, statements = read_sql_migration(str(path))
    _, _, rollback = read_sql_migration(str(path.with_name(path.stem + ROLLBACK)))
    return File(
        id=path.stem,
        path=path,
        depends=tuple(directives.get("depends", "").split()),
        transactional=directives.get("transactional", "true").lower() != "false",
        statements=_bare(statements),
        rollback=_bare(rollback),
    )


def _bare(statements: list[str]) -> tuple[str, ...]:
    texts = (" ".join(_COMMENT.sub(" ", s).split()) for s in statements)
    return tuple(t for t in texts if t and t != ";")


def _sha256(path: Path) -> str:
    text = path.read_bytes().replace(b"\r\n", b"\n") if path.exists() else b""
    return hashlib.sha256(text).hexdigest()


def _lint_chain(file: File, before: str | None) -> list[Finding]:
    found = []
    if not _NAME.match(file.id):
        found.append(Finding(file.path.name, "name", "is not called NNNN-words.sql"))
    if before and before[:4] == file.id[:4]:
        found.append(Finding(file.path.name, "number", f"has the number of {before}"))
    if file.depends != ((before,) if before else ()):
        wanted = f"`-- depends: {before}`" if before else "no `-- depends:`"
        found.append(Finding(file.path.name, "depends", f"must have {wanted} as its first line"))
    return found


def _lint_pair(file: File) -> list[Finding]:
    name = file.rollback_path.name
    found = []
    if _does_nothing(file.statements):
        found.append(Finding(file.path.name, "empty", "does nothing yet: write its statements"))
    if _does_nothing(file.rollback):
        return [*found, Finding(file.path.name, "pair", f"needs a {name} that undoes it")]
    directives, _, _ = parse_metadata_from_sql_comments(file.rollback_path.read_text("utf-8"))
    if directives:
        message = f"yoyo reads directives only in {file.path.name}"
        found.append(Finding(name, "directive", message))
    return found


def _does_nothing(statements: tuple[str, ...]) -> bool:
    return all(statement.upper().startswith("SET ") for statement in statements)


def _lint_statements(file: File) -> list[Finding]:
    found = []
    for name, statements in (
        (file.path.name, file.statements),
        (file.rollback_path.name, file.rollback),
    ):
        if not statements:
            continue
        local = " LOCAL" if file.transactional else ""
        found += [
            Finding(name, "timeout", f"needs `SET{local} {setting} = '…';` before other statements")
            for setting in _TIMEOUTS
            if not _sets(statements, local, setting)
        ]
        found += [Finding(name, code, message) for code, message in _shape(file, statements)]
    if file.transactional:
        found += _lint_indexes(file)
    elif len(file.rollback) != len(file.statements):
        found.append(
            Finding(file.path.name, "balance", "and its rollback must have as many statements")
        )
    return found


def _sets(statements: tuple[str, ...], local: str, setting: str) -> bool:
    start = f"SET{local} {setting} ".upper()
    return any(s.upper().startswith(start) for s in statements[:2])


def _shape(file: File, statements: tuple[str, ...]) -> list[tuple[str, str]]:
    found = []
    verbs = [s.split()[0].rstrip(";").upper() for s in statements]
    if {"BEGIN", "COMMIT", "ROLLBACK", "START", "END", "SAVEPOINT"} & set(verbs):
        found.append(("transaction", "yoyo opens and ends the transaction, not the file"))
    if "SELECT" in verbs:
        found.append(("select", "yoyo prints the rows of a SELECT: use PERFORM in a DO block"))
    work = [s for s in statements if not s.upper().startswith("SET ")]
    concurrent = [s for s in work if re.search(r"\bCONCURRENTLY\b", s, re.IGNORECASE)]
    if file.transactional and concurrent:
        found.append(("concurrently", "needs `-- transactional: false` in a file of its own"))
    if not file.transactional and (len(work) != 1 or work != concurrent):
        found.append(("alone", "without a transaction: one CONCURRENTLY statement alone"))
    if any(not re.search(r"\bIF (NOT )?EXISTS\b", s, re.IGNORECASE) for s in concurrent):
        found.append(("repeatable", "CONCURRENTLY needs IF [NOT] EXISTS, to be safe to repeat"))
    return found


def _lint_indexes(file: File) -> list[Finding]:
    text = "\n".join(s for s in file.statements if not s.upper().startswith("DO "))
    created = set(_CREATED.findall(text))
    return [
        Finding(
            file.path.name,
            "index",
            f"index {m['name']} on {m['table']}, which may be full: CONCURRENTLY in its own file",
        )
        for m in _INDEX.finditer(text)
        if not m["how"] and m["table"] not in created
    ]
