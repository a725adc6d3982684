"""`quarry sql bench`: what is measured, and that nothing is left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.operations.query_bench import BenchError, python_value
from tests.conftest import Served
from tests.promises.helpers import make_project
from tests.support.cluster import Database
from tests.support.server import Server

BRIEFLY = ("--seconds", "1", "--clients", "2", "--json")


@pytest.fixture(scope="module")
def server(module_served: Served, module_database: Database) -> Server:
    server = module_served(module_database)
    server.key("acme")
    return server


def measured(server: Server, *arguments: str) -> dict[str, dict[str, Any]]:
    done = server.quarry("sql", "bench", *arguments, *BRIEFLY)
    assert done.returncode == 0, done.stderr
    return {row["way"]: row for row in json.loads(done.stdout)}


def test_a_query_is_measured_beside_the_engine_and_its_endpoint(server: Server) -> None:
    project = make_project(server.client(server.key("acme")))["id"]
    rows = measured(server, "projects.get", "--tenant", "acme", "-p", f"project_id={project}")
    assert [*rows] == ["pgbench", "the engine, in this process", "GET /projects/{project_id}"]
    for row in rows.values():
        assert row["calls"] > 1 and row["per_second"] > 0 and row["cpu_us"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
    keys = server.quarry("key", "list", "--tenant", "acme", "--json")
    assert len(json.loads(keys.stdout)) == 1, "no key is left behind"


def test_what_writes_is_rolled_back(server: Server, module_database: Database) -> None:
    count = "SELECT count(*) FROM workspace.projects"
    before = module_database.psql(count)
    rows = measured(
        server,
        "projects.create",
        "--tenant",
        "acme",
        "-p",
        "name=It's: a test",
        "-p",
        "language=en",
    )
    assert [*rows] == ["pgbench", "the engine, in this process"]
    assert module_database.psql(count) == before
    assert module_database.psql("SELECT count(*) FROM audit.events WHERE actor = 'bench'") == [(0,)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("no.such",), "no query no.such"),
        (("projects.get", "--tenant", "acme"), "-p project_id=… is missing"),
        (("projects.get", "-p", "project_id=x"), "--tenant NAME is missing"),
        (("projects.get", "--tenant", "acme", "-p", "project_id=x"), "'x' is no uuid"),
    ],
)
def test_what_cannot_be_measured_is_told(
    server: Server, arguments: tuple[str, ...], says: str
) -> None:
    done = server.quarry("sql", "bench", *arguments, *BRIEFLY)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "7", 7), ("boolean", "true", True), ("text", "x", "x"), ("text", None, None),
        ("uuid[]", "{00000000-0000-0000-0000-000000000001}", 1), ("jsonb", '{"a": 1}', {"a": 1}),
    ],
)  # fmt: skip
def test_a_text_becomes_what_the_engine_takes(kind: str, text: str | None, value: object) -> None:
    found = python_value(kind, text)
    assert (found[0].int if kind == "uuid[]" else found) == value
    with pytest.raises(BenchError, match="is no int"):
        python_value("int", "seven")
