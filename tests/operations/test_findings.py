"""Findings: every code is explained, every format says file, line, column, code and what to do."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.database.queries import Finding
from service.operations.finding_formats import FORMATS
from service.operations.rules import RULES, advised, exceptable
from tests.operations.edits import copied
from tests.support.cluster import Database

SERVICE = Path(__file__).parents[2] / "service"
SQL = Path(__file__).parents[2] / "sql"
MAKERS = (
    "database/findings.py", "database/header.py", "database/queries.py", "database/contract.py",
    "operations/sqlcheck.py", "operations/statement_rules.py", "operations/page_rules.py",
    "operations/check.py", "operations/plan_rules.py",
)  # fmt: skip
FOUND = Finding(
    Path("sql/projects/get.sql"), 7, 14, "star", "columns: 100 % named,\nnever *",
    "SELECT p.id, p.*, 'é' AS e", "write them",
)  # fmt: skip


def codes(module: ast.Module) -> Iterator[str]:
    """What stands second in a fault, or in what notes one."""
    for node in ast.walk(module):
        match node:
            case ast.Tuple([_, ast.Constant(str(code)), _, _]):
                yield code
            case ast.Call(ast.Attribute(_, "find" | "_find"), [_, ast.Constant(str(code)), *_]):
                yield code
            case ast.Call(ast.Name("Finding"), [_, _, _, ast.Constant(str(code)), *_]):
                yield code


def test_every_code_is_explained() -> None:
    found = {code for name in MAKERS for code in codes(ast.parse((SERVICE / name).read_text()))}
    assert len(found) >= 50
    assert found <= RULES.keys()


def test_no_code_is_explained_that_nothing_makes() -> None:
    text = "".join(
        path.read_text()
        for room in ("database", "operations")
        for path in (SERVICE / room).rglob("*.py")
        if path.name != "rules.py"
    )
    for code in RULES:
        word, _, rest = code.partition("_")
        assert f'"{code}"' in text or f'{{word}}_{rest}"' in text, code
        assert word


def test_what_would_fail_cannot_be_excepted() -> None:
    assert exceptable("tenant_predicate") and exceptable("seq_scan") and exceptable("star")
    for code in ("prepare_failed", "param_unused", "snapshot_breaks", "allow_unused", "no_such"):
        assert not exceptable(code)


def test_a_finding_without_a_suggestion_gets_its_rules() -> None:
    [advised_] = advised([FOUND._replace(suggestion="")])
    assert advised_.suggestion == RULES["star"].advice


def test_text_has_a_caret_below_the_place() -> None:
    lines = FORMATS["text"]([FOUND._replace(message="never *")]).splitlines()
    assert lines[0] == "sql/projects/get.sql:7:14: star: never *"
    assert lines[1][4 + 13 :].startswith("p.*")
    assert lines[2].index("^") == 4 + 13
    tabbed = FOUND._replace(excerpt="\tSELECT *", column=9, message="x")
    _, line, caret, _ = FORMATS["text"]([tabbed]).splitlines()
    assert line.expandtabs().index("*") == caret.expandtabs().index("^")


def test_github_annotations_are_escaped() -> None:
    assert FORMATS["github"]([FOUND]) == (
        "::error file=sql/projects/get.sql,line=7,col=14,title=star::"
        "columns: 100 %25 named,%0Anever *%0Awrite them\n"
    )
    odd = FOUND._replace(path=Path("a,b:c.sql"))
    assert "file=a%2Cb%3Ac.sql," in FORMATS["github"]([odd])


def test_sarif_names_rule_place_and_text() -> None:
    log = json.loads(FORMATS["sarif"]([FOUND, FOUND._replace(code="sort", path=Path("/x/y.sql"))]))
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json")
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["sort", "star"]
    assert rules[1]["help"]["text"] == RULES["star"].advice
    first, second = run["results"]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("star", 1, "error")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "sql/projects/get.sql", "uriBaseId": "ROOT"}
    assert place["region"] == {
        "startLine": 7, "startColumn": 14, "endColumn": 16, "snippet": {"text": FOUND.excerpt},
    }  # fmt: skip
    assert run["columnKind"] == "unicodeCodePoints"
    assert set(run["originalUriBaseIds"]) == {"ROOT"}
    away = second["locations"][0]["physicalLocation"]["artifactLocation"]
    assert away == {"uri": "file:///x/y.sql"}
    assert json.loads(FORMATS["sarif"]([]))["runs"][0]["results"] == []


def test_json_is_an_array_of_findings() -> None:
    [row] = json.loads(FORMATS["json"]([FOUND]))
    assert row == {**FOUND._asdict(), "path": "sql/projects/get.sql"}


@pytest.mark.parametrize("format_", ["text", "json", "github", "sarif"])
def test_check_prints_each_format_and_finds_what_is_wrong_in_every_file(
    format_: str, module_database: Database, tmp_path: Path
) -> None:
    """A file that is refused does not hide what the schema says of the others."""
    folder = copied(SQL, tmp_path)
    refused, wrong = folder / "users/get.sql", folder / "projects/version.sql"
    refused.write_text(refused.read_text().replace(":one", ":onw"))
    wrong.write_text(wrong.read_text().replace("SELECT p.version", "SELECT p.versoin"))
    settings = {"QUARRY_SQL_DIR": str(folder), "QUARRY_DATABASE_URL": module_database.app_dsn}
    done = CliRunner().invoke(app, ["sql", "check", "--format", format_], env=settings)
    assert done.exit_code == 1
    assert done.stderr == "2 findings\n"
    assert "prepare_failed" in done.stdout and "unknown_kind" in done.stdout
    if format_ in ("json", "sarif"):
        json.loads(done.stdout)
