"""An inventory is uploaded in any of its forms, is recognised, read again, and removed."""
# ruff: noqa: E501 (SQL and rows in one line)

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from tests.promises.discovery import real
from tests.promises.helpers import (
    Json,
    absent,
    at_once,
    make_project,
    ok,
    problem,
)  # fmt: skip
from tests.support.cluster import Database
from tests.support.inventory import HEADER, write
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("imports")

RAGGED = b"a;b\r\n1;2\r\n3\r\n4;5;6\r\n"


@pytest.fixture(scope="module")
def project(mine: httpx.Client) -> str:
    return str(make_project(mine)["id"])


def upload(client: httpx.Client, project: str, data: Any, **query: str) -> httpx.Response:
    """The answer to an upload as a bare body."""
    return client.post(f"/projects/{project}/imports", content=data, params=query)


def rows_of(client: httpx.Client, path: str, **query: str) -> list[Json]:
    """All rows of an import, page by page."""
    found: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = ok(client.get(path + "/records", params=query | cursor | {"limit": "200"}))
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def counted(database: Database, project: str) -> tuple[int, ...]:
    """How many flows, imports, discovery flows and rows a project has."""
    ((found),) = database.psql(
        "SELECT (SELECT count(*) FROM discovery.master_flows WHERE project_id = %(p)s::uuid),"
        " (SELECT count(*) FROM discovery.data_imports WHERE project_id = %(p)s::uuid),"
        " (SELECT count(*) FROM discovery.discovery_flows WHERE project_id = %(p)s::uuid),"
        " (SELECT count(*) FROM discovery.raw_records WHERE project_id = %(p)s::uuid)".replace(
            "%(p)s", f"'{project}'"
        )
    )
    return tuple(found)


def test_ragged_rows_are_kept_and_marked(mine: httpx.Client, project: str) -> None:
    answer = upload(mine, project, RAGGED, name="small", category="infrastructure")
    found = ok(answer, 202)
    assert answer.headers["location"] == f"/projects/{project}/imports/{found['id']}"
    told = {"name": "small", "category": "infrastructure", "delimiter": ";", "encoding": "utf-8",
            "header": ["a", "b"], "total_rows": 3, "loaded_rows": 3, "rejected_rows": 0,
            "sha256": hashlib.sha256(RAGGED).hexdigest(), "size": len(RAGGED)}  # fmt: skip
    assert found.items() >= told.items()
    assert ok(mine.get(answer.headers["location"])) | {"status": "", "version": 0} == found | {
        "status": "", "version": 0, "updated_at": ok(mine.get(answer.headers["location"]))["updated_at"],
    }  # fmt: skip
    rows = rows_of(mine, answer.headers["location"])
    assert [r["raw"] for r in rows] == [
        {"a": "1", "b": "2"},
        {"a": "3"},
        {"a": "4", "b": "5", "": ["6"]},
    ]
    assert [[f["code"] for f in r["findings"]] for r in rows] == [
        [],
        ["missing_cells"],
        ["extra_cells"],
    ]
    assert [r["row_number"] for r in rows] == [1, 2, 3]


@pytest.mark.parametrize("name", ["gov_domains.csv", "gov_websites.csv"])
def test_the_real_files_go_in_whole(
    mine: httpx.Client, database_of: Database, project: str, name: str
) -> None:
    sent = {"file": (name, real(name), "text/csv")}
    found = ok(mine.post(f"/projects/{project}/imports", files=sent), 202)
    assert (found["name"], found["file_name"], found["content_type"]) == (name, name, "text/csv")
    assert found["loaded_rows"] == {"gov_domains.csv": 16539, "gov_websites.csv": 24638}[name]
    ((stored,),) = database_of.psql(
        "SELECT count(*) FROM discovery.raw_records WHERE data_import_id = %s", found["id"]
    )
    assert stored == found["loaded_rows"]


@pytest.fixture(scope="module")
def database_of(module_database: Database) -> Database:
    return module_database


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_every_encoding_gives_the_same_words(
    mine: httpx.Client, project: str, encoding: str
) -> None:
    data = 'name|place\r\nhost|"München | „Süd“\nline two"\r\n'.encode(encoding)
    found = ok(upload(mine, project, data), 202)
    assert found["encoding"] == encoding.removesuffix("-sig")
    (row,) = rows_of(mine, f"/projects/{project}/imports/{found['id']}")
    assert row["raw"] == {"name": "host", "place": "München | „Süd“\nline two"}


@pytest.mark.parametrize("lines", [False, True])
def test_json_stays_as_it_is_written(mine: httpx.Client, project: str, lines: bool) -> None:
    objects = [{"host": "ä", "cpu": 2, "tags": ["x", {"y": None}]}, {"host": "b", "os": "AIX"}]
    data = "\n".join(map(json.dumps, objects)) if lines else json.dumps(objects, indent=2)
    found = ok(upload(mine, project, data.encode()), 202)
    assert (found["delimiter"], found["header"]) == (None, ["host", "cpu", "tags", "os"])
    rows = rows_of(mine, f"/projects/{project}/imports/{found['id']}")
    assert [r["raw"] for r in rows] == objects


def test_the_same_file_is_the_same_import(mine: httpx.Client, database_of: Database) -> None:
    project = str(make_project(mine)["id"])
    data = b"host,os\r\n" + b"".join(b"h%d,aix\r\n" % n for n in range(20_000))
    answers = at_once([lambda: upload(mine, project, data) for _ in range(4)])
    assert sorted(a.status_code for a in answers) == [200, 200, 200, 202]
    assert len({a.json()["id"] for a in answers}) == 1
    again = ok(mine.post(f"/projects/{project}/imports", files={"file": ("x.csv", data)}), 200)
    assert again["id"] == answers[0].json()["id"]
    assert counted(database_of, project) == (1, 1, 1, 20_000)
    other = str(make_project(mine)["id"])
    assert ok(upload(mine, other, data), 202)["id"] != again["id"]


def test_a_repeated_request_gives_the_stored_answer(mine: httpx.Client, project: str) -> None:
    keyed = {"Idempotency-Key": f"import-{absent()}"}
    send = lambda data: mine.post(f"/projects/{project}/imports", content=data, headers=keyed)  # noqa: E731
    first = send(b"once,x\r\na,b\r\n")
    again = send(b"once,x\r\na,b\r\n")
    assert (first.status_code, again.status_code, again.content) == (202, 202, first.content)
    problem(send(b"other,x\r\na,b\r\n"), 422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"a,b\r\n", "empty"),
        (b"10.0.0.1,web\r\n10.0.0.2,db\r\n", "header"),
        (b"name,x\r\nok,\x81\x8d\r\n", "encoding"),
        (b"a,b\r\n" * 30_000 + b'"' + b"x" * 200_000 + b'",1\r\n', "malformed"),
        (b'[{"a": 1}, 2]', "malformed"),
    ],
    ids=["empty", "no rows", "header", "encoding", "late", "json"],
)
def test_what_cannot_be_read_leaves_nothing(
    mine: httpx.Client, database_of: Database, data: bytes, code: str
) -> None:
    project = str(make_project(mine)["id"])
    answer = problem(upload(mine, project, data), 422, "validation")
    assert [(e["pointer"], e["code"]) for e in answer["errors"]] == [("/file", code)]
    assert counted(database_of, project) == (0, 0, 0, 0)


def test_whoever_hangs_up_leaves_nothing(
    server: Server, mine: httpx.Client, database_of: Database
) -> None:
    project = str(make_project(mine)["id"])
    at = urlsplit(str(mine.base_url))
    with socket.create_connection((at.hostname, at.port)) as link:
        link.sendall(
            f"POST /projects/{project}/imports HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {mine.headers['authorization']}\r\n"
            "Content-Length: 5000000\r\n\r\n".encode()
            + b"host,os\r\n" * 100_000
        )
    ok(upload(mine, project, b"host,os\r\nlater,aix\r\n"), 202)
    assert counted(database_of, project) == (1, 1, 1, 1)
    uploads = Path(server.environment["QUARRY_DATA_DIR"]) / "files" / "uploads"
    assert uploads.is_dir()
    wait_until(lambda: not list(uploads.rglob("*.part")), what="no draft is left")


def test_others_are_answered_during_an_upload(mine: httpx.Client, tmp_path: Path) -> None:
    project = str(make_project(mine)["id"])
    write(tmp_path / "big.csv", 30_000)
    done = threading.Event()
    answers: list[httpx.Response] = []

    def send() -> None:
        with (tmp_path / "big.csv").open("rb") as file:
            answers.append(upload(mine, project, file))
        done.set()

    thread = threading.Thread(target=send)
    thread.start()
    others = 0
    while not done.is_set():
        ok(mine.get("/projects", params={"limit": "1"}))
        others += 1
        time.sleep(0.005)
    thread.join()
    assert ok(answers[0], 202)["header"] == list(HEADER)
    assert others > 5


def test_lists_filter_and_outcomes(mine: httpx.Client, database_of: Database) -> None:
    project = str(make_project(mine)["id"])
    found = ok(upload(mine, project, RAGGED, category="sensitive_data"), 202)
    every = f"/projects/{project}/imports"
    assert [i["id"] for i in ok(mine.get(every))["items"]] == [found["id"]]
    assert ok(mine.get(every, params={"category": "cmdb_export"}))["items"] == []
    path = f"{every}/{found['id']}"
    database_of.psql(
        "UPDATE discovery.raw_records SET outcome = 'rejected' WHERE row_number = 2 AND data_import_id = %s",
        found["id"],
    )
    assert [r["row_number"] for r in rows_of(mine, path, outcome="rejected")] == [2]
    assert {r["row_number"] for r in rows_of(mine, path, outcome="pending")} <= {1, 3}
    assert ok(mine.get(path + "/profile"))["total_rows"] == 3


def test_removal_takes_what_it_says(mine: httpx.Client, database_of: Database) -> None:
    project = str(make_project(mine)["id"])
    found = ok(upload(mine, project, RAGGED), 202)
    path = f"/projects/{project}/imports/{found['id']}"
    impact = ok(mine.get(path + "/deletion-impact"))
    assert (impact["raw_records"], impact["discovery_flows"], impact["assets_kept"]) == (3, 1, 0)
    assert counted(database_of, project) == (1, 1, 1, 3)
    assert mine.delete(path).status_code == 204
    problem(mine.get(path), 404, "not_found")
    problem(mine.delete(path), 404, "not_found")
    assert counted(database_of, project) == (1, 0, 0, 0)
    ((status,),) = database_of.psql(
        "SELECT status FROM discovery.master_flows WHERE id = %s", found["master_flow_id"]
    )
    assert status == "cancelled"
    ok(upload(mine, project, RAGGED), 202)


def test_a_project_of_another_tenant_is_not_there(theirs: httpx.Client, project: str) -> None:
    problem(upload(theirs, project, RAGGED), 404, "not_found")
    problem(upload(theirs, absent(), RAGGED), 404, "not_found")


def test_unknown_fields_are_told(mine: httpx.Client, project: str) -> None:
    sent = mine.post(
        f"/projects/{project}/imports", files={"file": ("a.csv", RAGGED)},
        data={"category": "none", "colour": "red"},
    )  # fmt: skip
    errors = problem(sent, 422, "validation")["errors"]
    assert {e["pointer"] for e in errors} == {"/category", "/colour"}


def test_the_wall_of_the_partition(mine: httpx.Client, database_of: Database, project: str) -> None:
    """What the upload writes to can be neither read nor used for another tenant."""
    found = ok(upload(mine, project, b"wall,x\r\na,b\r\n"), 202)
    ((tenant, leaf),) = database_of.psql(
        "SELECT tenant_id, tableoid::regclass::text FROM discovery.raw_records WHERE data_import_id = %s",
        found["id"],
    )
    with psycopg.connect(database_of.app_dsn, autocommit=True) as service:
        service.execute("SELECT set_config('app.tenant_id', %s, false)", (str(tenant),))
        for statement in (
            f"SELECT 1 FROM {leaf}", f"UPDATE {leaf} SET outcome = 'skipped'", f"DELETE FROM {leaf}",
            f"COPY {leaf} TO STDOUT", f"INSERT INTO {leaf} (tenant_id) VALUES ('{tenant}')",
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute(statement)
