"""An export is asked for, watched, downloaded whole or in parts, and gone when its time is over."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import Served
from tests.promises.exports import fetch, files, files_of, fill, path_of
from tests.promises.helpers import (
    ANY_VERSION,
    Json,
    Tenant,
    absent,
    at_once,
    events,
    make_document,
    make_export,
    make_project,
    make_user,
    ok,
    problem,
    unique,
    walk,
)  # fmt: skip
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("exports")


@pytest.fixture(scope="module")
def project(mine: httpx.Client) -> str:
    """Three versions of a report, two types with strange names, one deleted version."""
    made: str = make_project(mine, name="Fünf Steine: Report")["id"]
    for content in ("first\n", "second\r\nwith ☃\n", "third\n"):
        make_document(mine, made, content=content, metadata={"n": 1})
    for kind in ("../../etc/passwd", "Réport"):
        make_document(mine, made, document_type=kind, content=kind)
    gone = make_document(mine, made, document_type="gone")["id"]
    deleted = mine.delete(f"/projects/{made}/documents/{gone}", headers=ANY_VERSION)
    assert deleted.status_code == 204
    return made


@pytest.fixture(scope="module")
def export(mine: httpx.Client, project: str) -> Json:
    """A completed zip of all versions."""
    return make_export(mine, project, versions="all")


# ---------------------------------------------------------------- asking and watching


def test_it_is_accepted_at_once_and_told_where(mine: httpx.Client, project: str) -> None:
    answer = mine.post(f"/projects/{project}/exports", json={"format": "zip"})
    made = ok(answer, 202)
    assert answer.headers["location"] == path_of(made)
    assert (made["status"], made["progress"], made["manifest"]) == ("pending", 0, {})
    assert (made["versions"], made["document_types"], made["download_count"]) == ("latest", None, 0)
    assert "etag" not in answer.headers
    wait_until(lambda: ok(mine.get(path_of(made)))["status"] == "completed")
    done = ok(mine.get(answer.headers["location"]))
    assert done["progress"] == 100
    assert done["completed_at"] and done["expires_at"] > done["completed_at"]
    assert done["file_name"] == "funf-steine-report.zip"


def test_the_zip_holds_what_its_manifest_says(
    mine: httpx.Client, project: str, export: Json
) -> None:
    answer = fetch(mine, export)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-length"] == str(len(answer.content)) == str(export["file_size"])
    sha256 = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["etag"] == f'"{sha256}"' == f'"{export["file_sha256"]}"'
    assert 'filename="funf-steine-report.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        assert set(archive.namelist()) == {f["name"] for f in manifest["files"]} | {"manifest.json"}
        for entry in manifest["files"]:
            content = archive.read(entry["name"])
            assert len(content) == entry["bytes"]
            assert hashlib.sha256(content).hexdigest() == entry["sha256"]
            document = ok(mine.get(f"/projects/{project}/documents/{entry['id']}"))
            assert document["content"].encode() == content
            assert (document["document_type"], document["version"], document["content_sha256"]) == (
                entry["type"], entry["version"], entry["sha256"],
            )  # fmt: skip
    assert manifest == export["manifest"]
    assert [(f["type"], f["version"]) for f in manifest["files"] if f["type"] == "report"] == [
        ("report", 3), ("report", 2), ("report", 1),
    ]  # fmt: skip
    assert manifest["documents"] == 5
    assert manifest["project"]["name"] == "Fünf Steine: Report"


def test_only_what_was_asked_for_is_in_it(mine: httpx.Client, project: str) -> None:
    def contents(**asked: Any) -> list[tuple[str, int]]:
        done = make_export(mine, project, **asked)
        return [(f["type"], f["version"]) for f in done["manifest"]["files"]]

    assert contents() == [("../../etc/passwd", 1), ("Réport", 1), ("report", 3)]
    assert contents(document_types=["report"]) == [("report", 3)]
    assert contents(document_types=["report"], versions="all") == [
        ("report", 3), ("report", 2), ("report", 1),
    ]  # fmt: skip
    assert contents(document_types=["none such"]) == []


def test_ndjson_has_a_line_for_each_document(mine: httpx.Client, project: str) -> None:
    done = make_export(mine, project, format="ndjson", versions="all")
    answer = fetch(mine, done)
    assert answer.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in answer.text.split("\n") if line]
    listed = walk(mine, f"/projects/{project}/documents", include="content")
    assert rows == listed
    assert done["manifest"]["documents"] == len(rows) == 5
    empty = make_export(mine, project, format="ndjson", document_types=["none"])
    assert (empty["file_size"], fetch(mine, empty).content) == (0, b"")


def test_the_same_documents_make_the_same_file(mine: httpx.Client, project: str) -> None:
    first, second = (make_export(mine, project) for _ in range(2))
    assert first["file_sha256"] == second["file_sha256"]
    assert fetch(mine, first).content == fetch(mine, second).content


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/format"),
        ({"format": "tar"}, "/format"),
        ({"format": "zip", "versions": "some"}, "/versions"),
        ({"format": "zip", "document_types": []}, "/document_types"),
        ({"format": "zip", "document_types": ["a", "a"]}, "/document_types"),
        ({"format": "zip", "document_types": ["x" * 51]}, "/document_types/0"),
        ({"format": "zip", "document_types": ["x"] * 101}, "/document_types"),
        ({"format": "zip", "document_types": None}, "/document_types"),
        ({"format": "zip", "path": "/etc"}, "/path"),
    ],
)
def test_what_makes_no_sense_is_refused(
    mine: httpx.Client, project: str, body: Json, pointer: str
) -> None:
    answer = mine.post(f"/projects/{project}/exports", json=body)
    refused = problem(answer, 422, "validation")
    assert any(error["pointer"].startswith(pointer.rstrip("/0")) for error in refused["errors"])


def test_a_type_with_a_nul_is_refused(mine: httpx.Client, project: str) -> None:
    answer = mine.post(
        f"/projects/{project}/exports", json={"format": "zip", "document_types": ["a\0"]}
    )
    problem(answer, 422, "validation")


def test_a_repeated_request_makes_one_export(mine: httpx.Client, tenant: Tenant) -> None:
    client = tenant.client
    project = make_project(client)["id"]
    key = {"Idempotency-Key": unique()}
    answers = at_once(
        (lambda: client.post(f"/projects/{project}/exports", json={"format": "zip"}, headers=key))
        for _ in range(5)
    )
    assert len({ok(answer, 202)["id"] for answer in answers}) == 1
    assert len(walk(client, f"/projects/{project}/exports")) == 1


def test_they_are_listed_newest_first(tenant: Tenant) -> None:
    client = tenant.client
    project = make_project(client)["id"]
    made = [make_export(client, project, done=False)["id"] for _ in range(5)]
    listed = walk(client, f"/projects/{project}/exports", limit=2)
    assert [row["id"] for row in listed] == made[::-1]
    assert "manifest" not in listed[0]
    problem(client.get(f"/projects/{absent()}/exports"), 404, "not_found")


def test_progress_can_be_watched(served: Served, database: Database, tmp_path: Path) -> None:
    """Who asks again and again sees how far it is. Notes are half a second apart, so that a quick
    machine may be done between two of them: then another export is watched."""
    server = served(database)
    client = server.client(server.key("progress"))
    project = make_project(client)["id"]
    fill(database, project, 80)
    seen: set[tuple[str, bool]] = set()
    for _ in range(8):
        made = make_export(client, project, done=False)

        def done(path: str = path_of(made)) -> bool:
            row = ok(client.get(path))
            seen.add((row["status"], 0 < row["progress"] < 100))
            return bool(row["status"] == "completed")

        wait_until(done, 30)
        if ("running", True) in seen:
            break
    assert ("running", True) in seen, seen


# ---------------------------------------------------------------- downloading


def test_a_download_can_be_resumed(mine: httpx.Client, export: Json) -> None:
    whole = fetch(mine, export)
    etag, size = whole.headers["etag"], len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    first = fetch(mine, export, Range="bytes=0-99")
    rest = fetch(mine, export, Range="bytes=100-", **{"If-Range": etag})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.headers["content-range"] == f"bytes 0-99/{size}"
    assert rest.headers["content-range"] == f"bytes 100-{size - 1}/{size}"
    assert (first.headers["etag"], rest.headers["content-length"]) == (etag, str(size - 100))
    joined = first.content + rest.content
    assert hashlib.sha256(joined).hexdigest() == export["file_sha256"]
    tail = fetch(mine, export, Range="bytes=-7")
    assert (tail.status_code, tail.content) == (206, whole.content[-7:])


def test_a_range_of_another_file_is_answered_with_the_whole(
    mine: httpx.Client, export: Json
) -> None:
    other = '"' + "0" * 64 + '"'
    for unless in (other, f'W/"{export["file_sha256"]}"', "Sat, 21 Nov 2026 09:55:58 GMT"):
        answer = fetch(mine, export, Range="bytes=5-", **{"If-Range": unless})
        assert (answer.status_code, len(answer.content)) == (200, export["file_size"]), unless
    for strange in ("bytes=0-1,5-6", "items=0-1", "nonsense", "bytes=9-5"):
        answer = fetch(mine, export, Range=strange)
        assert (answer.status_code, len(answer.content)) == (200, export["file_size"]), strange


def test_a_range_beyond_the_end_is_416(mine: httpx.Client, export: Json) -> None:
    answer = fetch(mine, export, Range=f"bytes={export['file_size']}-")
    problem(answer, 416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{export['file_size']}"


def test_head_and_304_send_no_byte(mine: httpx.Client, export: Json) -> None:
    path = path_of(export) + "/download"
    head = mine.head(path, headers={"Range": "bytes=0-1"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(export["file_size"])
    assert head.headers["etag"] == f'"{export["file_sha256"]}"'
    for known in (head.headers["etag"], "*", f'"x", {head.headers["etag"]}'):
        answer = fetch(mine, export, **{"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == head.headers["etag"]
    assert fetch(mine, export, **{"If-None-Match": '"x"'}).status_code == 200


def test_downloads_are_counted_once_each_and_audited(
    mine: httpx.Client, project: str, module_database: Database
) -> None:
    export = make_export(mine, project)

    def count() -> int:
        return int(ok(mine.get(path_of(export)))["download_count"])

    fetch(mine, export)
    assert count() == 1
    fetch(mine, export, Range="bytes=0-9")  # broke off after ten bytes …
    fetch(mine, export, Range="bytes=10-")  # … and was resumed
    assert count() == 2
    mine.head(path_of(export) + "/download")
    fetch(mine, export, **{"If-None-Match": "*"})
    fetch(mine, export, Range="bytes=999999-")
    assert count() == 2
    at_once((lambda: fetch(mine, export)) for _ in range(10))
    assert count() == 12
    trail = events(module_database, export["id"], "workspace.exports")
    counted = [e for e in trail if "download_count" in (e["after"] or {}) and e["before"]]
    assert len(counted) == 12
    assert {e["actor"] for e in counted} == {trail[0]["actor"]}
    built = [e for e in trail if (e["after"] or {}).get("status") == "completed"]
    assert [e["actor"] for e in built] == ["job:export"]
    assert all("manifest" not in (e["after"] or {}) for e in trail)


def test_a_download_is_not_compressed_again(mine: httpx.Client, export: Json) -> None:
    answer = fetch(mine, export, **{"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("status", ["pending", "running", "failed"])
def test_there_is_no_download_before_it_is_completed(
    served: Served, database: Database, status: str
) -> None:
    server = served(database, jobs=0)
    client = server.client(server.key("waiting"))
    made = make_export(client, make_project(client)["id"], done=False)
    change = (
        "status = 'running'" if status == "running" else "status = 'failed', error_message = 'so'"
    )
    if status != "pending":
        database.psql(f"UPDATE workspace.exports SET {change} WHERE id = %s", made["id"])
    answer = fetch(client, made)
    body = problem(answer, 409, "conflict")
    assert status in body["detail"] and ("so" in body["detail"]) == (status == "failed")
    assert ok(client.get(path_of(made)))["status"] == status


# ---------------------------------------------------------------- who may


def test_a_viewer_downloads_but_does_not_ask(server: Server, mine: httpx.Client) -> None:
    user = make_user(mine)
    project = make_project(mine)["id"]
    export = make_export(mine, project)
    bound = server.client(server.key("acme", user=user["id"]))
    problem(fetch(bound, export), 404, "not_found")
    member = f"/projects/{project}/members/{user['id']}"
    ok(mine.put(member, json={"role": "viewer"}), 200)
    assert fetch(bound, export).status_code == 200
    problem(bound.post(f"/projects/{project}/exports", json={"format": "zip"}), 403, "forbidden")
    problem(bound.delete(path_of(export)), 403, "forbidden")
    ok(mine.put(member, json={"role": "editor"}), 200)
    made = make_export(bound, project)
    assert made["created_by"] == user["id"]


def test_an_export_is_of_its_project_alone(mine: httpx.Client, project: str, export: Json) -> None:
    other = make_project(mine)["id"]
    for path in (f"/projects/{other}/exports/{export['id']}",
                 f"/projects/{other}/exports/{export['id']}/download"):  # fmt: skip
        problem(mine.get(path), 404, "not_found")
    problem(mine.delete(f"/projects/{other}/exports/{export['id']}"), 404, "not_found")
    assert fetch(mine, export).status_code == 200


def test_the_files_of_two_tenants_do_not_mix(
    server: Server, mine: httpx.Client, theirs: httpx.Client
) -> None:
    """Side by side, with the same names and contents."""
    sides = []
    for client in (mine, theirs):
        project = make_project(client, name="same")["id"]
        make_document(client, project, content=f"of {client.headers['authorization'][-6:]}")
        sides.append((client, project))
    made = at_once(
        (lambda c=c, p=p: make_export(c, p))
        for c, p in sides * 3  # type: ignore[misc]
    )
    for (client, project), export in zip(sides * 3, made, strict=True):
        (file,) = export["manifest"]["files"]
        document = ok(client.get(f"/projects/{project}/documents/{file['id']}"))
        assert document["content_sha256"] == file["sha256"]
        other = theirs if client is mine else mine
        problem(fetch(other, export), 404, "not_found")


def test_a_deleted_project_hides_its_exports_and_fails_those_that_wait(
    served: Served, database: Database
) -> None:
    idle = served(database, jobs=0)
    client = idle.client(idle.key("deleted"))
    project = make_project(client)["id"]
    made = make_export(client, project, done=False)
    deleted = client.delete(f"/projects/{project}", headers=ANY_VERSION)
    assert deleted.status_code == 204
    for path in (path_of(made), path_of(made) + "/download", f"/projects/{project}/exports"):
        problem(client.get(path), 404, "not_found")
    problem(client.delete(path_of(made)), 404, "not_found")
    served(database)
    stored = "SELECT status, error_message FROM workspace.exports WHERE id = %s"
    wait_until(lambda: database.psql(stored, made["id"])[0][0] == "failed")
    assert database.psql(stored, made["id"]) == [("failed", "The project was deleted.")]


# ---------------------------------------------------------------- ending


def test_delete_removes_row_and_file(server: Server, mine: httpx.Client, project: str) -> None:
    export = make_export(mine, project)
    assert len(files_of(server, export)) == 1
    assert mine.delete(path_of(export)).status_code == 204
    assert files_of(server, export) == []
    for answer in (mine.get(path_of(export)), fetch(mine, export), mine.delete(path_of(export))):
        problem(answer, 404, "not_found")


def test_deleting_what_is_being_built_stops_it(served: Served, database: Database) -> None:
    server = served(database, jobs_lease_seconds=1)
    client = server.client(server.key("stop"))
    project = make_project(client)["id"]
    fill(database, project, 60)
    export = make_export(client, project, versions="all", done=False)
    wait_until(lambda: files_of(server, export))
    assert client.delete(path_of(export)).status_code == 204
    wait_until(lambda: not files_of(server, export))
    job = "SELECT state FROM ops.jobs WHERE id = %s"
    assert database.psql(job, export["id"]) == [("cancelled",)]
    metrics = httpx.get(f"{server.admin_url}/metrics", timeout=10)
    wait_until(lambda: "quarry_jobs_here 0" in httpx.get(metrics.url, timeout=10).text)
    assert files_of(server, export) == []


@pytest.fixture
def brief(served: Served, database: Database) -> Iterator[tuple[Server, httpx.Client]]:
    """A server whose exports live for a second, and whose upkeep is quick."""
    server = served(
        database, export_hours=1.2 / 3600, upkeep_seconds=0.2, leader_seconds=0.2,
        stray_file_seconds=0,
    )  # fmt: skip
    yield server, server.client(server.key("brief"))


def test_an_expired_export_is_gone_with_its_file(brief: tuple[Server, httpx.Client]) -> None:
    server, client = brief
    export = make_export(client, make_project(client)["id"])
    wait_until(lambda: not files_of(server, export))
    problem(fetch(client, export), 410, "gone")
    over = ok(client.get(path_of(export)))
    assert (over["status"], over["progress"]) == ("expired", 100)
    assert over["file_sha256"] == export["file_sha256"]
    assert client.delete(path_of(export)).status_code == 204


def test_a_download_that_has_begun_outlives_the_export(
    brief: tuple[Server, httpx.Client], database: Database
) -> None:
    server, client = brief
    project = make_project(client)["id"]
    fill(database, project, 12)
    export = make_export(client, project, versions="all", done=False)
    wait_until(lambda: ok(client.get(path_of(export)))["status"] == "completed", 20)
    digest = hashlib.sha256()
    with client.stream("GET", path_of(export) + "/download") as answer:
        assert answer.status_code == 200
        chunks = answer.iter_raw(1 << 16)
        digest.update(next(chunks))
        wait_until(lambda: not files_of(server, export))
        for chunk in chunks:
            digest.update(chunk)
    assert digest.hexdigest() == answer.headers["etag"].strip('"')
    problem(fetch(client, export), 410, "gone")


def test_stray_files_are_removed_and_no_other(brief: tuple[Server, httpx.Client]) -> None:
    server, client = brief
    export = make_export(client, make_project(client)["id"], done=False)
    tenant = Path(server.environment["QUARRY_DATA_DIR"]) / "files" / "exports"
    wait_until(lambda: files_of(server, export))
    folder = next(tenant.iterdir())
    strays = [f"{absent()}.{'0' * 64}", f"{absent()}.{absent()}.part", f"{export['id']}.{'1' * 64}"]
    for name in strays:
        (folder / name).write_bytes(b"stray")
    (folder / "strange name").write_bytes(b"not ours")
    wait_until(lambda: not set(strays) & set(files(server)))
    assert files(server) == ["strange name"] or files_of(server, export)
    wait_until(lambda: files(server) == ["strange name"])


def test_what_is_waited_for_is_no_stray(served: Served, database: Database) -> None:
    """A completed export keeps its file, one that is being built its draft, through many sweeps."""
    server = served(database, upkeep_seconds=0.05, leader_seconds=0.1, stray_file_seconds=0)
    client = server.client(server.key("kept"))
    project = make_project(client)["id"]
    fill(database, project, 25)
    made = [make_export(client, project, versions="all") for _ in range(2)]
    runs = (
        "SELECT count(*) FROM ops.maintenance_runs WHERE task = 'stray_files' AND started_at > %s"
    )
    now = database.psql("SELECT now()")[0][0]
    wait_until(lambda: database.psql(runs, now)[0][0] > 5)
    for export in made:
        assert hashlib.sha256(fetch(client, export).content).hexdigest() == export["file_sha256"]


def test_a_file_that_was_lost_is_told(server: Server, mine: httpx.Client, project: str) -> None:
    """Removed, or not whole any more: nobody gets half a file."""
    folder = Path(server.environment["QUARRY_DATA_DIR"]) / "files"
    for damage in (Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])):
        export = make_export(mine, project)
        damage(next(folder.rglob(export["id"] + ".*")))  # type: ignore[operator]
        problem(fetch(mine, export), 410, "gone")
        failed = ok(mine.get(path_of(export)))
        assert failed["status"] == "failed" and "lost" in failed["error_message"]
        problem(fetch(mine, export), 409, "conflict")


def test_a_cancelled_job_fails_its_export(served: Served, database: Database) -> None:
    server = served(database, jobs=0)
    client = server.client(server.key("cancelled"))
    export = make_export(client, make_project(client)["id"], done=False)
    assert server.quarry("jobs", "cancel", export["id"]).returncode == 0
    served(database, upkeep_seconds=0.2, leader_seconds=0.2)
    wait_until(lambda: ok(client.get(path_of(export)))["status"] == "failed")
    assert "cancelled" in ok(client.get(path_of(export)))["error_message"]
    # and an operator may let it run after all
    assert server.quarry("jobs", "retry", export["id"]).returncode == 0
    wait_until(lambda: ok(client.get(path_of(export)))["status"] == "completed")
    assert ok(client.get(path_of(export)))["error_message"] is None


def test_a_full_disk_fails_the_export_and_leaves_nothing(
    served: Served, database: Database
) -> None:
    """The kernel refuses to write beyond 1 MiB, as it refuses on a full disk."""
    import resource

    server = served(database)
    client = server.client(server.key("full"))
    project = make_project(client)["id"]
    fill(database, project, 8)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    export = make_export(client, project, versions="all", done=False)
    wait_until(lambda: ok(client.get(path_of(export)))["status"] == "failed")
    failed = ok(client.get(path_of(export)))
    assert failed["error_message"] == "There is no room on the disk for exports."
    assert files_of(server, export) == []
    attempts = database.psql("SELECT attempts FROM ops.jobs WHERE id = %s", export["id"])
    assert attempts == [(1,)], "another attempt would only have met the same"
    assert make_export(client, make_project(client)["id"])["status"] == "completed"


def test_a_damaged_document_fails_the_export(mine: httpx.Client, module_database: Database) -> None:
    project = make_project(mine)["id"]
    document = make_document(mine, project)
    with psycopg.connect(module_database.owner_dsn) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute(
            "UPDATE workspace.document_versions SET content = 'other' WHERE id = %s",
            (document["id"],),
        )
    export = make_export(mine, project, done=False)
    wait_until(lambda: ok(mine.get(path_of(export)))["status"] == "failed")
    assert "checksum" in ok(mine.get(path_of(export)))["error_message"]


def test_an_export_is_of_one_moment(served: Served, database: Database) -> None:
    """What is written while it is built is in the next one."""
    server = served(database)
    client = server.client(server.key("moment"))
    project = make_project(client)["id"]
    fill(database, project, 60)
    export = make_export(client, project, versions="all", done=False)
    wait_until(lambda: files_of(server, export))
    writer = threading.Thread(
        target=lambda: [make_document(client, project, document_type="zzz") for _ in range(3)]
    )
    writer.start()
    writer.join()
    assert ok(client.get(path_of(export)))["status"] == "running", "it was too quick to be seen"
    wait_until(lambda: ok(client.get(path_of(export)))["status"] == "completed", 30)
    assert ok(client.get(path_of(export)))["manifest"]["documents"] == 60
