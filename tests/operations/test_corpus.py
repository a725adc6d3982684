"""Edits that people make of query files: what is wrong is found where it is, the rest passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.cli.sql_files import callers
from service.database import contract
from service.database.queries import Finding, load
from service.operations import snapshot
from service.operations.check import check, contract_path
from tests.operations.edits import CORPUS, Expected, apply, copied
from tests.support.cluster import Database

SQL = Path(__file__).parents[2] / "sql"
WRONG = sorted((CORPUS / "wrong").glob("*.edit"))
RIGHT = sorted((CORPUS / "right").glob("*.edit"))


def found(edit: Path, folder: Path, database: Database) -> tuple[list[Finding], list[Expected]]:
    """What the check finds after an edit, and what it should."""
    edited = copied(SQL, folder, edit)
    expected, taken = apply(edit, edited)
    if taken:
        queries = load(edited)
        described = contract.describe(database.app_dsn, queries)
        contract_path(edited).write_bytes(snapshot.render(described, queries))
    return check(database.app_dsn, edited, callers), expected


@pytest.mark.parametrize("edit", WRONG, ids=lambda edit: edit.stem)
def test_a_wrong_edit_is_found_where_it_is(
    edit: Path, tmp_path: Path, module_database: Database
) -> None:
    findings, expected = found(edit, tmp_path, module_database)
    seen = [(str(f.path.relative_to(tmp_path / "sql")), f.line, f.column, f.code) for f in findings]
    assert sorted(seen) == [each[:4] for each in expected], "\n".join(map(str, findings))
    for _, line, _, code, text in expected:
        told = [str(f) for f in findings if (f.line, f.code) == (line, code)]
        assert any(text in each for each in told), f"{text!r} is not in {told}"
    for finding in findings:
        assert finding.excerpt and finding.suggestion


@pytest.mark.parametrize("edit", RIGHT, ids=lambda edit: edit.stem)
def test_a_right_edit_passes(edit: Path, tmp_path: Path, module_database: Database) -> None:
    findings, expected = found(edit, tmp_path, module_database)
    assert not expected
    assert not findings, "\n".join(map(str, findings))


def test_the_corpus_is_large_enough_and_its_codes_are_many() -> None:
    codes = {
        line.strip("^ ").partition(":")[0]
        for edit in WRONG
        for line in edit.read_text().splitlines()
        if line.lstrip().startswith("^")
    }
    assert len(WRONG) >= 40 and len(RIGHT) >= 20
    assert len(codes) >= 40
