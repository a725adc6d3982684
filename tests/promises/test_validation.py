"""What validation finds in the columns and rows of an import, and the command that imports a file."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from tests.promises.helpers import Json, make_project, ok, tenant_id
from tests.support.cluster import Database
from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("validation")

QUERY = Path(__file__).parents[2] / "sql/pipeline/validate.sql"
HEAD = "name;ip;cores;cost;seen;note"
ROWS = [f"host{n};10.0.0.{n};{n % 4};1,20{n % 10}.5;2024-01-{n % 28 + 1:02};N/A" for n in range(40)]
DIRT = ["host40;not an address;many;;;x", "host1;10.0.0.1;1;1,201.5;2024-01-02;N/A", "(blank); ;;-;null;"]  # fmt: skip


@pytest.fixture(scope="module")
def project(mine: httpx.Client) -> str:
    return str(make_project(mine)["id"])


def validate(database: Database, made: Json) -> Any:
    """Run the phase's statement as the service would; its answer."""
    text = re.sub(r"(?m)^--.*$", "", QUERY.read_text()).replace("%", "%%")
    text = re.sub(r"(?<!:):(tenant_id|project_id|import_id)\b", r"%(\1)s::uuid", text)
    tenant = tenant_id(database, "acme")
    values = {"tenant_id": str(tenant), "project_id": made["project_id"], "import_id": made["id"]}
    with psycopg.connect(database.app_dsn) as service:
        service.execute("SELECT set_config('app.tenant_id', %s, true)", (str(tenant),))
        return service.execute(text, values).fetchall()


def test_the_profile_and_the_findings(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    data = "\n".join((HEAD, *ROWS, *DIRT)).encode()
    made = ok(mine.post(f"/projects/{project}/imports", content=data), 202)
    path = f"/projects/{project}/imports/{made['id']}"
    for _ in range(2):  # the second run finds the same
        assert validate(module_database, made) == [(3,)]
        told = ok(mine.get(path + "/profile"))
        assert told["findings"] == {"unlike_column": 1, "duplicate_row": 1, "empty_row": 1}
        columns = {c["name"]: c for c in told["columns"]}
        assert list(columns) == HEAD.split(";")
        figures = {n: (c["type"], c["nulls"], c["distinct"], c["min"]) for n, c in columns.items()}
        assert figures == {
            "name": ("text", 1, 41, "host0"),
            "ip": ("ip", 1, 41, "10.0.0.0"),
            "cores": ("integer", 1, 5, "0"),
            "cost": ("number", 2, 10, "1200.5"),
            "seen": ("date", 2, 28, "2024-01-01"),
            "note": ("text", 42, 1, "x"),
        }
        assert columns["cores"]["max"] == "3"
        assert columns["cores"]["top"][0] == {"value": "1", "count": 11}
    rows = ok(mine.get(path + "/records", params={"limit": "200"}))["items"]
    found = {r["row_number"]: [(f["code"], f["field"]) for f in r["findings"]] for r in rows if r["findings"]}  # fmt: skip
    assert found == {
        41: [("unlike_column", "cores"), ("unlike_column", "ip")],
        42: [("duplicate_row", None)],
        43: [("empty_row", None)],
    }


def test_only_rows_with_a_finding_are_written(
    mine: httpx.Client, module_database: Database, project: str
) -> None:
    data = "\n".join((HEAD, *ROWS, "again;" + DIRT[0].partition(";")[2])).encode()
    made = ok(mine.post(f"/projects/{project}/imports", content=data), 202)
    places = "SELECT row_number, ctid::text FROM discovery.raw_records WHERE data_import_id = %s"
    before = dict(module_database.psql(places, UUID(made["id"])))
    assert validate(module_database, made) == [(1,)]
    after = dict(module_database.psql(places, UUID(made["id"])))
    assert {n for n in before if before[n] != after[n]} == {41}


def command(server: Server, file: Path, project: str, key: str, *more: str) -> Any:
    (file.parent / "key").write_text(key)
    return server.quarry(
        "import", str(file), "--project", project, "--url", server.url,
        "--key-file", str(file.parent / "key"), *more,
    )  # fmt: skip


def test_the_command_imports_a_file(server: Server, mine: httpx.Client, tmp_path: Path) -> None:
    project, key = str(make_project(mine)["id"]), server.key("acme")
    file = tmp_path / "servers.csv"
    file.write_text("Host Name,IP Address\nweb-1,10.0.0.1\nweb-2,10.0.0.2\n")
    done = command(server, file, project, key, "--source", "CMDB", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["name"], made["source_system"], made["loaded_rows"]) == ("servers.csv", "CMDB", 2)
    assert ok(mine.get(f"/projects/{project}/imports/{made['id']}"))["id"] == made["id"]
    again = command(server, file, project, key, "--json")
    assert json.loads(again.stdout)["id"] == made["id"] and "already" in again.stderr


def test_the_command_tells_why_not(server: Server, mine: httpx.Client, tmp_path: Path) -> None:
    project, key = str(make_project(mine)["id"]), server.key("acme")
    file = tmp_path / "data.csv"
    file.write_text("10.0.0.1,10.0.0.2\n1,2\n")
    refused = command(server, file, project, key)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "looks like data" in refused.stderr
    stranger = command(server, file, project, "qk_wrong")
    assert stranger.returncode == 1 and "401" in stranger.stderr
    away = server.quarry("import", str(file), "--project", project, "--url", "http://127.0.0.1:9",
                         "--key-file", str(tmp_path / "key"))  # fmt: skip
    assert away.returncode == 2 and "does not answer" in away.stderr
