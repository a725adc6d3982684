"""Projects: nobody's change is lost, what is deleted comes back, what is purged is gone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.promises.helpers import (
    ANY_VERSION,
    Json,
    Tenant,
    absent,
    at_once,
    make_document,
    make_project,
    make_user,
    ok,
    problem,
    unique,
)  # fmt: skip
from tests.support.cluster import Database

pytestmark = pytest.mark.xdist_group("projects")

WRITERS = 50


def put(client: httpx.Client, project: str, etag: str | None, **changes: Any) -> httpx.Response:
    headers = {} if etag is None else {"If-Match": etag}
    return client.put(f"/projects/{project}", headers=headers, json=changes)


def delete(client: httpx.Client, project: str, etag: str = "*") -> httpx.Response:
    return client.delete(f"/projects/{project}", headers={"If-Match": etag})


# ---------------------------------------------------------------- creating


def test_a_project_is_answered_as_it_is_stored(mine: httpx.Client) -> None:
    user = make_user(mine)["id"]
    fields = {
        "name": "Größe & Maß 漢字 👩‍🚀", "language": "de-AT", "status": "active", "current_step": 3,
        "metadata": {"a": [1, 2.50, None, {"b": "é"}], "": ""}, "created_by": user,
    }  # fmt: skip
    created = mine.post("/projects", json=fields)
    body = ok(created, 201)
    assert {name: body[name] for name in fields} == fields
    assert created.headers["location"] == f"/projects/{body['id']}"
    assert created.headers["etag"] == '"1"' and body["version"] == 1
    read = mine.get(created.headers["location"])
    assert (ok(read), read.headers["etag"]) == (body, '"1"')
    assert set(body) == fields.keys() | {"id", "version", "created_at", "updated_at"}


def test_what_is_left_out_has_the_documented_default(mine: httpx.Client) -> None:
    body = make_project(mine)
    assert (body["status"], body["current_step"], body["metadata"]) == ("draft", 1, {})
    assert body["created_by"] is None


def test_metadata_keeps_numbers_exact(mine: httpx.Client) -> None:
    sent = b'{"name":"n","language":"en","metadata":{"n":12345678901234567890123.450,"s":1.10}}'
    created = mine.post("/projects", content=sent)
    assert ok(created, 201) and b"12345678901234567890123.450" in created.content
    assert b"1.10" in created.content


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("name", ["x", "x" * 255, "漢" * 255], ["", "x" * 256, None, 1, ["x"]]),
        ("status", ["draft", "active", "in_review", "completed", "archived"],
         ["Draft", "deleted", "", None, 1]),
        ("current_step", [1, 4], [0, 5, -1, 1.5, "1", None, True, 10**30, 2**31, 2**63]),
        ("language", ["en", "deu", "en-GB", "zh-Hant-CN", "pt-BR"],
         ["e", "e-en", "en_GB", "english", "en-", "12", "zh-Hant-CN1", "en GB", "", None, "ën"]),
        ("metadata", [{}, {"a": {"b": []}}], [[], "x", 1, None, True]),
        ("created_by", [], ["x", "", None, 1]),
    ],
)  # fmt: skip
def test_fields_have_bounds(
    mine: httpx.Client, field: str, good: list[Any], bad: list[Any]
) -> None:
    fields = {"name": "x", "language": "en"}
    for value in good:
        assert ok(mine.post("/projects", json=fields | {field: value}), 201)[field] == value
    for value in bad:
        problem(
            mine.post("/projects", json=fields | {field: value}), 422, "validation", f"/{field}"
        )
    if field in ("language", "created_by"):
        return
    project = make_project(mine)["id"]
    for value in good:
        assert ok(put(mine, project, "*", **{field: value}))[field] == value
    for value in bad:
        problem(put(mine, project, "*", **{field: value}), 422, "validation", f"/{field}")


def test_all_faults_of_a_body_are_told_at_once(mine: httpx.Client) -> None:
    sent = {"language": "?", "current_step": 9, "status": "x", "metadata": 1, "created_by": "x",
            "surprise": 1}  # fmt: skip
    problem(
        mine.post("/projects", json=sent), 422, "validation", "/name", "/language",
        "/current_step", "/status", "/metadata", "/created_by", "/surprise",
    )  # fmt: skip


# ---------------------------------------------------------------- changing


def test_what_a_put_leaves_out_stays(mine: httpx.Client) -> None:
    before = make_project(mine, status="active", current_step=2, metadata={"a": 1})
    answer = put(mine, before["id"], '"1"', name="new")
    after = ok(answer)
    assert answer.headers["etag"] == '"2"'
    assert after["version"] == 2 and after["updated_at"] > before["updated_at"]
    changed = ("name", "version", "updated_at")
    assert {k: v for k, v in after.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }
    assert after["name"] == "new"


def test_the_language_never_changes(mine: httpx.Client) -> None:
    project = make_project(mine, language="de")["id"]
    problem(put(mine, project, "*", language="en"), 422, "validation", "/language")
    problem(put(mine, project, "*", language="DE"), 422, "validation", "/language")
    assert ok(put(mine, project, "*", language="de", name="y"))["name"] == "y"
    assert ok(mine.get(f"/projects/{project}"))["language"] == "de"


def test_a_write_without_if_match_is_refused(mine: httpx.Client) -> None:
    project = make_project(mine)["id"]
    problem(put(mine, project, None, name="y"), 428, "precondition_required")
    problem(mine.delete(f"/projects/{project}"), 428, "precondition_required")
    assert ok(mine.get(f"/projects/{project}"))["version"] == 1


@pytest.mark.parametrize("etag", ['"0"', '"2"', '"99999999999999999999"', '"x"', 'W/"1"', '"-1"'])
def test_a_write_with_another_etag_is_refused(mine: httpx.Client, etag: str) -> None:
    project = make_project(mine)["id"]
    problem(put(mine, project, etag, name="y"), 412, "stale_etag")
    problem(delete(mine, project, etag), 412, "stale_etag")
    assert ok(mine.get(f"/projects/{project}"))["version"] == 1


@pytest.mark.parametrize("etag", ["1", "", '"', '""', '"1', "'1'", '"1" x', "é"])
def test_a_malformed_if_match_is_refused(mine: httpx.Client, etag: str) -> None:
    project = make_project(mine)["id"]
    answer = mine.put(
        f"/projects/{project}", headers={"If-Match": etag.encode()}, json={"name": "y"}
    )
    problem(answer, 400, "bad_header")
    assert ok(mine.get(f"/projects/{project}"))["version"] == 1


def test_a_star_matches_every_version_but_no_absent_project(mine: httpx.Client) -> None:
    project = make_project(mine)["id"]
    assert ok(put(mine, project, "*", name="y"))["version"] == 2
    assert delete(mine, project).status_code == 204
    problem(put(mine, project, "*", name="y"), 404, "not_found")
    problem(delete(mine, project), 404, "not_found")
    problem(put(mine, absent(), '"1"', name="y"), 404, "not_found")


@pytest.mark.parametrize(
    ("known", "status"),
    [('"1"', 304), ('W/"1"', 304), ('"7", "1"', 304), ("*", 304), ('"2"', 200), ("1", 200)],
)
def test_a_read_of_a_known_version_answers_304(mine: httpx.Client, known: str, status: int) -> None:
    project = make_project(mine)["id"]
    answer = mine.get(f"/projects/{project}", headers={"If-None-Match": known})
    assert (answer.status_code, answer.headers["etag"]) == (status, '"1"')
    assert bool(answer.content) == (status == 200)
    ok(put(mine, project, "*", name="y"))
    changed = mine.get(f"/projects/{project}", headers={"If-None-Match": '"1"'})
    assert (ok(changed)["name"], changed.headers["etag"]) == ("y", '"2"')


def test_50_parallel_read_modify_writes_lose_no_update(mine: httpx.Client) -> None:
    project = make_project(mine, metadata={"counter": 0})["id"]
    refused: list[int] = []

    def count_up() -> None:
        while True:
            read = mine.get(f"/projects/{project}")
            counter = ok(read)["metadata"]["counter"] + 1
            written = put(mine, project, read.headers["etag"], metadata={"counter": counter})
            if written.status_code == 200:
                return
            problem(written, 412, "stale_etag")
            refused.append(counter)

    at_once([count_up] * WRITERS)
    after = ok(mine.get(f"/projects/{project}"))
    assert after["metadata"] == {"counter": WRITERS}
    assert after["version"] == WRITERS + 1
    assert refused, "the writers never met, so nothing was proved"


def test_of_parallel_deletes_with_one_etag_one_wins(mine: httpx.Client) -> None:
    project = make_project(mine)["id"]
    answers = at_once([lambda: delete(mine, project, '"1"').status_code] * 10)
    assert sorted(answers) == [204] + [404] * 9


# ---------------------------------------------------------------- deleting, restoring, purging


def below(project: str, document: str, user: str) -> list[str]:
    """What is inside of a project."""
    base = f"/projects/{project}"
    return [
        base, f"{base}/members", f"{base}/members/{user}", f"{base}/documents",
        f"{base}/documents/{document}", f"{base}/documents/latest?document_type=report",
        f"{base}/documents/search?q=words", f"{base}/documents/{document}/diff",
    ]  # fmt: skip


def test_what_is_inside_of_a_deleted_project_is_unreachable_and_comes_back(
    mine: httpx.Client,
) -> None:
    user = make_user(mine)["id"]
    project = make_project(mine, created_by=user)["id"]
    document = make_document(mine, project)["id"]
    paths = below(project, document, user)
    before = [ok(mine.get(path)) for path in paths]

    assert delete(mine, project, '"1"').status_code == 204
    for path in paths:
        problem(mine.get(path), 404, "not_found")
    one = f"/projects/{project}/documents/{document}"
    for method, path, body in (
        ("POST", f"/projects/{project}/documents", {"document_type": "report", "content": "x"}),
        ("PUT", one, {"content": "x"}),
        ("PATCH", one, {"grammar_score": 1}),
        ("DELETE", one, None),
        ("POST", f"{one}/restore", None),
        ("PUT", f"/projects/{project}/members/{user}", {"role": "owner"}),
        ("DELETE", f"/projects/{project}/members/{user}", None),
    ):
        answer = mine.request(method, path, headers=ANY_VERSION, json=body)
        problem(answer, 404, "not_found")

    restored = mine.post(f"/projects/{project}/restore")
    assert ok(restored)["version"] == 3 and restored.headers["etag"] == '"3"'
    after = [ok(mine.get(path)) for path in paths]
    assert after[1:] == before[1:]
    assert after[0] | {"version": 1, "updated_at": ""} == before[0] | {"updated_at": ""}
    assert ok(put(mine, project, '"3"', name="after"))["version"] == 4
    assert make_document(mine, project)["version"] == 2


def test_a_live_project_cannot_be_restored_or_purged(mine: httpx.Client) -> None:
    project = make_project(mine)["id"]
    problem(mine.post(f"/projects/{project}/restore"), 409, "conflict")
    problem(mine.post(f"/projects/{project}/purge"), 409, "conflict")
    for action in ("restore", "purge"):
        problem(mine.post(f"/projects/{absent()}/{action}"), 404, "not_found")
    ok(mine.get(f"/projects/{project}"))


def test_a_deleted_project_is_in_no_list(tenant: Tenant) -> None:
    kept, gone = make_project(tenant.client), make_project(tenant.client)
    delete(tenant.client, gone["id"])
    listed = ok(tenant.client.get("/projects?include_total=true"))
    assert [item["id"] for item in listed["items"]] == [kept["id"]] and listed["total"] == 1


def rows_of(database: Database, project: str) -> Json:
    """How many rows of each table belong to a project, read as superuser."""
    tables = {"projects": "id", "project_members": "project_id", "document_versions": "project_id",
              "document_counters": "project_id"}  # fmt: skip
    return {
        table: database.psql(
            f"SELECT count(*) FROM workspace.{table} WHERE {column} = %s", project
        )[0][0]
        for table, column in tables.items()
    }


def test_a_purge_leaves_nothing_of_the_project_and_all_of_the_others(
    mine: httpx.Client, module_database: Database
) -> None:
    user = make_user(mine)["id"]
    doomed, other = (make_project(mine, created_by=user)["id"] for _ in range(2))
    for project in (doomed, other):
        first = make_document(mine, project)
        ok(mine.post(f"/projects/{project}/documents/{first['id']}/restore"), 201)  # based_on
        make_document(mine, project, document_type="letter")
    full = {"projects": 1, "project_members": 1, "document_versions": 3, "document_counters": 2}
    assert rows_of(module_database, doomed) == full
    delete(mine, doomed)
    assert mine.post(f"/projects/{doomed}/purge").status_code == 204
    assert rows_of(module_database, doomed) == dict.fromkeys(full, 0)
    assert rows_of(module_database, other) == full
    problem(mine.post(f"/projects/{doomed}/restore"), 404, "not_found")
    problem(mine.post(f"/projects/{doomed}/purge"), 404, "not_found")


def test_a_purge_needs_the_scope_admin(tenant: Tenant, module_database: Database) -> None:
    project = make_project(tenant.client)["id"]
    delete(tenant.client, project)
    writer, admin = tenant.caller("projects:*"), tenant.caller("admin")
    problem(writer.post(f"/projects/{project}/purge"), 403, "forbidden")
    assert rows_of(module_database, project)["projects"] == 1
    assert admin.post(f"/projects/{project}/purge").status_code == 204


def test_a_failed_change_changes_nothing(mine: httpx.Client) -> None:
    before = make_project(mine, name=unique())
    problem(put(mine, before["id"], '"1"', name="new", language="fr"), 422, "validation")
    problem(put(mine, before["id"], '"1"', name="new", current_step=9), 422, "validation")
    problem(put(mine, before["id"], '"5"', name="new"), 412, "stale_etag")
    assert ok(mine.get(f"/projects/{before['id']}")) == before
