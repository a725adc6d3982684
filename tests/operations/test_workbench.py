"""`quarry sql run|show|explain|snapshot` as a DBA types them, on the project's own queries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.database.embedded import BINARIES
from service.database.queries import load
from service.operations import snapshot
from tests.operations.edits import copied
from tests.support.cluster import Database

SQL = Path(__file__).parents[2] / "sql"
ACME = "0198c5a0-0000-7000-8000-000000000001"
OTHER = "0198c5a0-0000-7000-8000-000000000002"
PROJECT = "0198c5a0-0000-7000-8000-00000000000a"
GET = ("run", "projects.get", "--tenant", "acme", "-p", f"project_id={PROJECT}")


class Workbench:
    """`quarry sql` on a copy of the query files."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.settings = {
            "QUARRY_SQL_DIR": str(folder),
            "QUARRY_DATABASE_URL": database.app_dsn,
            "COLUMNS": "80",
        }

    def __call__(self, *words: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, ["sql", *words], input=answer, env=self.settings)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def filled(module_database: Database) -> Database:
    module_database.psql(
        "INSERT INTO core.tenants (id, name) VALUES (%s, 'acme'), (%s, 'globex')", ACME, OTHER
    )
    module_database.psql(
        "INSERT INTO workspace.projects (tenant_id, id, name, language)"
        " VALUES (%s, %s, 'One', 'en')",
        ACME, PROJECT,
    )  # fmt: skip
    return module_database


@pytest.fixture
def workbench(filled: Database, tmp_path: Path) -> Workbench:
    return Workbench(copied(SQL, tmp_path), filled)


def test_run_shows_what_the_service_would_answer(workbench: Workbench) -> None:
    done = workbench(*GET, "--json")
    assert done.exit_code == 0, done.output
    [row] = json.loads(done.stdout)
    assert (row["id"], row["name"], row["created_by"]) == (PROJECT, "One", None)
    wide = workbench(*GET)
    assert "-[ 1 ]" in wide.stdout and "name         | One\n" in wide.stdout
    assert wide.stderr == "1 row\n"
    narrow = workbench("run", "projects.version", *GET[2:])
    assert [line.strip() for line in narrow.stdout.splitlines()] == ["version", "1"]


def test_run_sees_its_tenant_alone(workbench: Workbench) -> None:
    done = workbench("run", "projects.get", "--tenant", "globex", "-p", f"project_id={PROJECT}")
    assert (done.exit_code, done.stderr) == (0, "0 rows\n")
    workbench.edit("projects/get.sql", "p.tenant_id = :tenant_id\n   AND ", "")
    workbench.edit("projects/version.sql", "p.tenant_id = :tenant_id\n   AND ", "")
    forgetful = workbench("run", "projects.version", "-p", f"project_id={PROJECT}")
    assert forgetful.stderr == "0 rows\n", "row-level security holds what the predicate does not"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("projects.get",),
         ["--tenant NAME is missing", "-p project_id=… is missing: project_id (uuid)"]),
        (("projects.get", "--tenant", "nobody"), ["there is no tenant 'nobody'"]),
        (("projects.get", "--tenant", ACME, "-p", "project_id=7"),
         ['-p project_id=7: invalid input syntax for type uuid: "7"', "project_id (uuid)"]),
        (("projects.list", "--tenant", ACME, "-p", "limit=many"),
         ["-p limit=many: invalid input syntax for type ", "limit (int, may be left out)"]),
        (("projects.list", "--tenant", ACME, "-p", "stauts=draft"),
         ['has no parameter stauts; did you mean "status"?']),
        (("projects.get", "-p", "project_id"), ["write project_id=VALUE; project_id (uuid)"]),
        (("projects.get", "-p", f"tenant_id={ACME}"), ["tenant_id is given by --tenant NAME"]),
        (("projects.gte",), ['there is no query projects.gte; did you mean "projects.get"?']),
        (("projects.purge", "--tenant", ACME, "-p", f"project_id={PROJECT}"),
         ["changes or locks rows: give --commit to run it, --explain to see its plan"]),
        (("projects.list", "--explain", "--tenant", ACME, "-p", "after_id=1"),
         ["-p after_id=1: invalid input syntax for type uuid", "after_id (uuid, may be left out)"]),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_told(
    workbench: Workbench, words: tuple[str, ...], says: list[str]
) -> None:
    done = workbench("run", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    for text in says:
        assert text in done.stderr


def test_a_value_may_be_null_or_empty(workbench: Workbench) -> None:
    def names(*given: str) -> list[str]:
        words = [word for item in given for word in ("-p", item)]
        done = workbench("run", "projects.list", "--tenant", ACME, "--json", *words)
        return [row["name"] for row in json.loads(done.stdout)]

    assert names("status") == names() == ["One"]
    assert names("status=") == []


def test_run_explains_the_call_and_keeps_nothing(workbench: Workbench, filled: Database) -> None:
    read = workbench(*GET, "--explain")
    assert "Index Scan using projects_" in read.stdout and "actual time" in read.stdout
    assert "rolled back" in read.stderr
    write = workbench(
        "run", "projects.update", "--explain", *GET[2:], "-p", "name=Two", "-p", "status=active"
    )
    assert "Update on workspace.projects" in write.stdout, write.output
    assert filled.psql("SELECT name FROM workspace.projects") == [("One",)]


def test_explain_looks_at_the_configured_database(workbench: Workbench) -> None:
    plan = workbench("explain", "projects.get", "--live")
    assert "using projects_" in plan.stdout and "actual" not in plan.stdout, plan.output
    ran = workbench("explain", "projects.get", "--live", "--tenant", "acme", "--json",
                    "-p", f"project_id={PROJECT}")  # fmt: skip
    [row] = json.loads(ran.stdout)
    assert row["name"] == "projects.get" and row["budget"] == 20
    assert row["runs"][0]["values"] == {"project_id": PROJECT}
    assert 0 < row["buffers"] < 20
    assert workbench("explain").exit_code == 2
    assert workbench("explain", "projects.get", "--all").exit_code == 2
    assert workbench("explain", "projects.get", "--live", "--analyze").exit_code == 2
    assert workbench("explain", "projects.get", "projects.list", "-p", "a=1").exit_code == 2


def test_show_names_the_file_and_who_uses_it(workbench: Workbench) -> None:
    done = workbench("show", "projects.get")
    assert done.stdout == (workbench.folder / "projects/get.sql").read_text()
    assert "projects/get.sql; used by GET /projects/{project_id}" in done.stderr


def test_the_printed_form_gives_in_psql_what_run_gives(
    workbench: Workbench, filled: Database
) -> None:
    """For every query that reads, with values of one's own and as the service's role."""
    [member] = filled.psql(
        "INSERT INTO workspace.users (tenant_id, email, name) VALUES (%s, 'a@b.cd', 'It''s me')"
        " ON CONFLICT DO NOTHING RETURNING id::text", ACME,
    ) or [("",)]  # fmt: skip
    known = {
        "project_id": PROJECT, "user_id": member[0], "user": "a@b.cd", "tenant": "acme",
        "q": "it's", "limit": "5", "latest_only": "false", "document_type": "brief",
        "document_id": PROJECT, "key_id": PROJECT, "actor": "key:x", "key": r"back\slash",
    }  # fmt: skip
    psql = [str(BINARIES / "psql"), "-XqAt", "--csv", "-v", "ON_ERROR_STOP=1", filled.app_dsn]
    seen = 0
    for name, query in load(SQL).items():
        wanted = {param.name for param in query.params if not param.nullable}
        if query.writes or not wanted <= known.keys() or "uuidv7()" in query.sql:
            continue  # and a new id is another one each time
        given = [f"{p.name}={known[p.name]}" for p in query.params if p.name in known
                 and (p.name in wanted or p.name in {"limit", "q"})]  # fmt: skip
        words = [word for item in given for word in ("-p", item)]
        tenant = ["--tenant", ACME] if "tenant_id" in query.order else []
        ran = workbench("run", name, *words, *tenant, "--json")
        assert ran.exit_code == 0, ran.output
        form = workbench("show", name, "--psql", *words, *tenant).stdout
        done = subprocess.run(psql, input=form, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}: {done.stderr}"
        rows = json.loads(ran.stdout)
        assert done.stdout.count("\n") == len(rows), f"{name}: {done.stdout} {rows}"
        for row in rows:
            for value in row.values():
                assert value is None or value.replace('"', '""') in done.stdout
        seen += 1
    assert seen >= 15


def test_a_snapshot_prints_the_change_of_the_api(workbench: Workbench) -> None:
    workbench.edit("projects/get.sql", "p.name, p.status", "p.name AS title, p.status")
    workbench.edit("users/get.sql", "u.updated_at", "u.updated_at, u.deleted_at")
    workbench.edit("users/get.sql", "-- null: last_login_at", "-- null: last_login_at, deleted_at")
    before = workbench("snapshot", "--check")
    assert before.exit_code == 1 and "out of date: quarry sql snapshot" in before.stderr
    done = workbench("snapshot")
    assert done.exit_code == 0
    assert done.stdout == before.stdout
    lines = done.stdout.splitlines()
    assert lines[0].startswith("projects.get  (GET /projects/{project_id}, service/resources/")
    assert lines[1:3] == [
        "  BREAKING    column name is gone (text)",
        "  compatible  column title is new (text, never NULL)",
    ]
    assert lines[4] == "  compatible  column deleted_at is new (timestamptz, may be NULL)"
    assert "1 breaking, 2 compatible" in done.stderr
    assert workbench("snapshot", "--check").exit_code == 0
    assert workbench("check").exit_code == 0


A = {"kind": "one", "params": {"id": "int", "q": "text?"}, "columns": {"a": "int", "b": "text?"},
     "etag": None, "cursor": []}  # fmt: skip
CHANGES = [
    ({"params": {"id": "bigint", "q": "text?"}}, ["param id int → bigint"], False),
    ({"params": {"id": "smallint", "q": "text?"}}, ["param id int → smallint"], True),
    ({"params": {"id": "int", "q": "text"}}, ["param q is required now"], True),
    ({"params": {"id": "int?", "q": "text?"}}, ["param id may be NULL now"], False),
    ({"params": {"id": "int"}}, ["param q is gone (text?)"], True),
    ({"params": {**A["params"], "z": "int?"}}, ["param z is new (int, may be NULL)"], False),
    ({"params": {**A["params"], "z": "int"}}, ["param z is new (int, required)"], True),
    ({"columns": {"a": "int"}}, ["column b is gone (text)"], True),
    ({"columns": {**A["columns"], "c": "int"}}, ["column c is new (int, never NULL)"], False),
    ({"columns": {"a": "bigint", "b": "text?"}}, ["column a int → bigint"], True),
    ({"columns": {"a": "int?", "b": "text?"}}, ["column a may be NULL now"], True),
    ({"columns": {"a": "int", "b": "text"}}, ["column b is never NULL now"], False),
    ({"columns": {"b": "text?", "a": "int"}}, ["order of columns is now b, a"], False),
    ({"kind": "many"}, ["kind one → many"], True),
    ({"etag": "a"}, ["etag none → a"], True),
    ({"cursor": ["a desc"]}, ["cursor none → a desc"], True),
    ({}, [], False),
]


@pytest.mark.parametrize(("changed", "lines", "breaking"), CHANGES, ids=str)
def test_what_breaks_callers_and_what_does_not(
    changed: dict[str, object], lines: list[str], breaking: bool
) -> None:
    found = snapshot.changes({"x.y": A}, {"x.y": {**A, **changed}})
    assert [str(change) for change in found] == lines
    assert any(change.breaking for change in found) == breaking


def test_the_shell_completes_names_and_parameters(filled: Database) -> None:
    def completed(line: str) -> list[str]:
        words = line.split(" ")
        environment = {
            **os.environ, "_QUARRY_COMPLETE": "complete_bash", "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1), "QUARRY_DATABASE_URL": filled.app_dsn,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "service"], env=environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        return done.stdout.split()

    assert completed("quarry sql show projects.re") == ["projects.restore"]
    assert completed("quarry sql explain users.get members.g") == ["members.get"]
    assert completed("quarry sql run projects.count -p s") == ["status="]
