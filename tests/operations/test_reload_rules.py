"""Which edits a running service takes, and which it refuses, each with its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.database.queries import load
from service.operations import parse_tree, workbench
from service.operations.usage import Usage, find
from service.operations.workbench import Candidate
from service.resources import ADMIN_ENDPOINTS, ENDPOINTS
from tests.support.cluster import Database

SQL = Path(__file__).parents[2] / "sql"

Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def usage() -> Usage:
    return find(ENDPOINTS, ADMIN_ENDPOINTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(SQL, tmp_path / "sql")


def edited(file: str, old: str, new: str) -> Edit:
    """Put something else in the place of a text that stands once."""

    def edit(folder: Path) -> None:
        path = folder / file
        text = path.read_text()
        assert text.count(old) == 1, (file, old)
        path.write_text(text.replace(old, new))

    return edit


def both(*edits: Edit) -> Edit:
    def edit(folder: Path) -> None:
        for each in edits:
            each(folder)

    return edit


def removed(file: str) -> Edit:
    return lambda folder: (folder / file).unlink()


def examined(folder: Path, database: Database, usage: Usage) -> Candidate:
    """What a service that serves the shipped files says of a folder."""
    return workbench.examine(folder, database.app_dsn, load(SQL), usage)


REFUSED = {
    "a query that is asked": (removed("projects/purge.sql"), "query_gone", "purge.sql:1:1"),
    "another kind": (
        edited("projects/count.sql", ":value", ":many"), "kind_changed", "count.sql:1:10",
    ),
    "a parameter less": (
        both(edited("projects/list.sql",
                    "-- param: language text?        only this language\n", ""),
             edited("projects/list.sql",
                    "   AND CASE WHEN :language::text IS NULL THEN true"
                    " ELSE p.language = :language END\n", "")),
        "param_gone", "list.sql:1:10",
    ),
    "a parameter more": (
        both(edited("projects/get.sql", "-- param: project_id uuid",
                    "-- param: project_id uuid\n-- param: step int"),
             edited("projects/get.sql", "p.id = :project_id",
                    "p.id = :project_id AND p.current_step = :step")),
        "param_needed", "get.sql:4:11",
    ),
    "a parameter of another type": (
        both(edited("projects/version.sql", "project_id uuid", "project_id text"),
             edited("projects/version.sql", "= :project_id", "= :project_id::text::uuid")),
        "param_changed", "version.sql:3:11",
    ),
    "a parameter that may no longer be NULL": (
        edited("documents/pair.sql", "against uuid?", "against uuid"), "param_changed", "pair.sql:",
    ),
    "no etag any more": (
        edited("projects/get.sql", "-- etag: version\n", ""), "etag_gone", "get.sql:1:10",
    ),
    "an etag of another type": (
        edited("projects/get.sql", "p.version, p.created_at", "p.version::text, p.created_at"),
        "etag_gone", "get.sql:",
    ),
    "a column less that Python reads": (
        both(edited("keys/find.sql", "k.expires_at,\n", "\n"),
             edited("keys/find.sql", "rate_limit, expires_at", "rate_limit")),
        "column_gone", "find.sql:",
    ),
    "a column of another type that Python reads": (
        edited("keys/find.sql", "k.expires_at,\n", "k.expires_at::text AS expires_at,\n"),
        "column_changed", "find.sql:",
    ),
    "another value": (
        edited("members/role.sql", "SELECT m.role", "SELECT length(m.role)"),
        "column_changed", "role.sql:",
    ),
    "no id where there is a Location": (
        edited("users/create.sql", "RETURNING u.id,", "RETURNING u.id AS user_id,"),
        "column_gone", "create.sql:",
    ),
    "no SQL": (
        edited("projects/get.sql", "SELECT p.id", "SELEKT p.id"), "not_a_query", "get.sql:7:1",
    ),
    "a table that is not there": (
        edited("projects/get.sql", "workspace.projects", "workspace.project"),
        "prepare_failed", "get.sql:9:8",
    ),
    "another tenant's rows": (
        edited("projects/get.sql", "p.tenant_id = :tenant_id\n   AND ", ""),
        "tenant_predicate", "get.sql:9:8",
    ),
    "an answer that nobody has written down": (
        edited("projects/get.sql", "SELECT p.id", "SELECT 1 AS one, p.id"),
        "snapshot_differs", "contract.json:1:1",
    ),
    "no snapshot": (removed("contract.json"), "snapshot_missing", "contract.json:1:1"),
    "nothing at all": (shutil.rmtree, "query_gone", "get.sql:1:1"),
}  # fmt: skip


@pytest.mark.parametrize("change", REFUSED)
def test_it_is_refused_with_its_place(
    change: str, folder: Path, module_database: Database, usage: Usage
) -> None:
    edit, code, place = REFUSED[change]
    edit(folder)
    found = examined(folder, module_database, usage)
    assert code in {finding.code for finding in found.findings}, found.findings
    assert any(place in str(f) for f in found.findings if f.code == code), found.findings


TAKEN = {
    "nothing": lambda _folder: None,
    "another condition": edited(
        "projects/get.sql", "p.deleted_at IS NULL", "p.deleted_at IS NULL AND p.name <> ''"
    ),
    "a parameter that may be left out": both(
        edited("projects/get.sql", "-- param: project_id uuid",
               "-- param: project_id uuid\n-- param: step int?"),
        edited("projects/get.sql", "p.id = :project_id",
               "p.id = :project_id AND (:step::int IS NULL OR p.current_step = :step)"),
    ),
    "a wider number": edited("upkeep/idempotency.sql", "batch int", "batch int   how many"),
    "a query that nobody asks yet": lambda folder: (folder / "users/more.sql").write_text(
        "-- name: users.more :value\n-- More.\nSELECT 1\n"
    ),
    "a column more": edited("projects/get.sql", "SELECT p.id", "SELECT p.id, 1 AS one"),
    "a column less that only callers see": edited(
        "projects/get.sql", "p.metadata, p.created_by", "p.created_by"
    ),
    "what only commands ask": removed("tenants/list.sql"),
}  # fmt: skip


@pytest.mark.parametrize("change", TAKEN)
def test_it_is_taken(change: str, folder: Path, module_database: Database, usage: Usage) -> None:
    TAKEN[change](folder)
    found = examined(folder, module_database, usage)
    assert {f.code for f in found.findings} <= {"snapshot_differs"}, found.findings
    (folder / "contract.json").write_bytes(workbench_contract(folder, module_database, usage))
    assert examined(folder, module_database, usage).findings == ()


def workbench_contract(folder: Path, database: Database, usage: Usage) -> bytes:
    """The snapshot as `quarry sql snapshot` writes it."""
    return examined(folder, database, usage).contract


def test_without_the_parser_the_other_rules_still_hold(
    folder: Path, module_database: Database, usage: Usage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pglast", None)
    parse_tree._parsed.cache_clear()  # what an earlier test has parsed
    found = examined(folder, module_database, usage)
    assert not found.findings
    assert "pglast" in found.not_checked[0]
    edited("projects/get.sql", "workspace.projects", "workspace.project")(folder)
    assert {f.code for f in examined(folder, module_database, usage).findings} == {"prepare_failed"}


def test_a_database_that_is_away_is_no_finding(folder: Path, usage: Usage) -> None:
    with pytest.raises(ConnectionError):
        workbench.examine(folder, "host=/nowhere", load(SQL), usage)


def test_the_fingerprint_is_of_the_texts_alone(folder: Path) -> None:
    before = workbench.fingerprint(load(SQL))
    assert workbench.fingerprint(load(folder)) == before
    edited("projects/get.sql", "live", "living")(folder)
    assert workbench.fingerprint(load(folder)) != before
