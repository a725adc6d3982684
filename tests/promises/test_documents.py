"""Documents: numbers without gaps that are never used twice, and texts that never change."""

from __future__ import annotations

import difflib
import hashlib
import itertools
from typing import Any

import httpx
import pytest
from psycopg import errors

from tests.promises.helpers import (
    ANY_VERSION,
    NDJSON,
    Json,
    Tenant,
    absent,
    at_once,
    lines,
    make_document,
    make_project,
    make_user,
    ok,
    pages,
    problem,
    walk,
)  # fmt: skip
from tests.support.cluster import Database

pytestmark = pytest.mark.xdist_group("documents")


@pytest.fixture
def project(mine: httpx.Client) -> str:
    return str(make_project(mine)["id"])


def at(document: Json) -> str:
    """The path of a version."""
    return f"/projects/{document['project_id']}/documents/{document['id']}"


def put(client: httpx.Client, document: Json, etag: str = '"1"', **fields: Any) -> httpx.Response:
    return client.put(at(document), headers={"If-Match": etag}, json=fields)


def patch(client: httpx.Client, document: Json, etag: str = "*", **fields: Any) -> httpx.Response:
    return client.patch(at(document), headers={"If-Match": etag}, json=fields)


def latest(client: httpx.Client, project: str, kind: str = "report") -> httpx.Response:
    return client.get(f"/projects/{project}/documents/latest", params={"document_type": kind})


def search(client: httpx.Client, project: str, q: str, **query: Any) -> list[Json]:
    found = client.get(f"/projects/{project}/documents/search", params={"q": q} | query)
    return ok(found)["items"]  # type: ignore[no-any-return]


# ---------------------------------------------------------------- numbers


def test_ten_parallel_creates_of_one_type_give_versions_1_to_10(
    mine: httpx.Client, project: str
) -> None:
    made = at_once([lambda: make_document(mine, project) for _ in range(10)])
    assert sorted(document["version"] for document in made) == list(range(1, 11))


def test_parallel_creates_and_revisions_leave_no_gap(mine: httpx.Client, project: str) -> None:
    first = make_document(mine, project)

    def work(number: int) -> None:
        for _ in range(5):
            if number % 2:
                make_document(mine, project)
            else:
                newest = latest(mine, project)
                revised = put(mine, ok(newest), newest.headers["etag"], content="revised")
                assert revised.status_code in (201, 412), revised.text

    at_once([lambda number=number: work(number) for number in range(8)])
    numbers = [d["version"] for d in walk(mine, f"/projects/{project}/documents")]
    assert numbers == list(range(len(numbers), 0, -1)) and len(numbers) > 20
    assert first["version"] == 1


def test_each_type_and_each_project_counts_by_itself(mine: httpx.Client, project: str) -> None:
    other = make_project(mine)["id"]
    assert [make_document(mine, project)["version"] for _ in range(2)] == [1, 2]
    assert make_document(mine, project, document_type="letter")["version"] == 1
    assert make_document(mine, project, document_type="Report")["version"] == 1
    assert make_document(mine, other)["version"] == 1


def test_a_number_is_never_used_again_after_a_delete(mine: httpx.Client, project: str) -> None:
    one, two, three = (make_document(mine, project) for _ in range(3))
    for document in (three, two):
        assert mine.delete(at(document), headers=ANY_VERSION).status_code == 204
    assert ok(latest(mine, project))["id"] == one["id"]
    assert make_document(mine, project)["version"] == 4
    for document in ok(mine.get(f"/projects/{project}/documents"))["items"]:
        assert mine.delete(at(document), headers=ANY_VERSION).status_code == 204
    problem(latest(mine, project), 404, "not_found")
    assert make_document(mine, project)["version"] == 5


def test_a_refused_create_takes_no_number(mine: httpx.Client, project: str) -> None:
    make_document(mine, project)
    path = f"/projects/{project}/documents"
    body = {"document_type": "report", "content": "x", "created_by": absent()}
    for _ in range(3):
        problem(mine.post(path, json=body), 422, "foreign_key", "/created_by")
    assert make_document(mine, project)["version"] == 2


def test_the_database_refuses_a_number_that_it_did_not_hand_out(
    mine: httpx.Client, project: str, module_database: Database
) -> None:
    document = make_document(mine, project)
    insert = (
        "INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, version,"
        " content) SELECT tenant_id, project_id, document_type, %s, 'x'"
        " FROM workspace.document_versions WHERE id = %s"
    )
    for number in (1, 2, 7):
        with pytest.raises((errors.CheckViolation, errors.UniqueViolation)):
            module_database.psql(insert, number, document["id"])
    with pytest.raises(errors.CheckViolation):
        module_database.psql("UPDATE workspace.document_counters SET last_version = 1")


# ---------------------------------------------------------------- one version


def test_a_version_is_answered_as_it_is_stored(mine: httpx.Client, project: str) -> None:
    user = make_user(mine)["id"]
    content = "Grüße\r\n\ttab \\ \" ' 漢字 👩‍🚀\n\n"
    fields = {
        "document_type": "Bericht/Größe", "content": content, "metadata": {"a": [1]},
        "readability_score": 55.25, "grammar_score": 100, "created_by": user,
    }  # fmt: skip
    created = mine.post(f"/projects/{project}/documents", json=fields)
    body = ok(created, 201)
    assert {name: body[name] for name in fields} == fields
    assert body["content_sha256"] == hashlib.sha256(content.encode()).hexdigest()
    assert body["bytes"] == len(content.encode())
    assert (body["version"], body["revision"], body["based_on"]) == (1, 1, None)
    assert created.headers["location"] == at(body) and created.headers["etag"] == '"1"'
    read = mine.get(at(body))
    assert (ok(read), read.headers["etag"]) == (body, '"1"')
    assert mine.get(at(body), headers={"If-None-Match": '"1"'}).status_code == 304


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("document_type", ["", "x" * 51, None, 1]),
        ("content", ["", "x" * (1024 * 1024 + 1), "é" * (512 * 1024 + 1), None, 1]),
        ("metadata", [[], "x", None]),
        ("readability_score", [-0.01, 100.01, "50", None, True]),
        ("grammar_score", [-1, 101, 10**30]),
        ("version", [7]),
    ],
)
def test_fields_have_bounds(mine: httpx.Client, project: str, field: str, bad: list[Any]) -> None:
    for value in bad:
        body = {"document_type": "report", "content": "x"} | {field: value}
        answer = mine.post(f"/projects/{project}/documents", json=body)
        problem(answer, 422, "validation", f"/{field}")


def test_a_text_may_have_1_mib_of_ever_new_words(mine: httpx.Client, project: str) -> None:
    words = "".join(f"{number:x}q " for number in range(200_000))[: 1024 * 1024]
    body = make_document(mine, project, content=words, document_type="x" * 50)
    assert body["bytes"] == 1024 * 1024
    assert ok(mine.get(at(body)))["content"] == words


def test_content_never_changes(mine: httpx.Client, project: str, module_database: Database) -> None:
    document = make_document(mine, project)
    problem(patch(mine, document, content="other"), 422, "validation", "/content")
    problem(patch(mine, document, document_type="other"), 422, "validation", "/document_type")
    for column, value in {
        "content": "'x'", "content_sha256": "sha256('x')", "version": "7", "document_type": "'x'",
        "project_id": "uuidv7()", "created_at": "now()",
    }.items():  # fmt: skip
        with pytest.raises((errors.CheckViolation, errors.ForeignKeyViolation)):
            module_database.psql(
                f"UPDATE workspace.document_versions SET {column} = {value} WHERE id = %s",
                document["id"],
            )
    put(mine, document, content="other")
    assert ok(mine.get(at(document))) == document


def test_latest_and_search_are_no_document_ids(mine: httpx.Client, project: str) -> None:
    for kind in ("latest", "search", "report"):
        make_document(mine, project, document_type=kind)
    newest = make_document(mine, project)
    answer = latest(mine, project)
    assert ok(answer) == newest and answer.headers["etag"] == '"1"'
    assert ok(latest(mine, project, "latest"))["document_type"] == "latest"
    problem(latest(mine, project, "unknown"), 404, "not_found")
    problem(mine.get(f"/projects/{project}/documents/latest"), 422, "validation",
            "query:document_type")  # fmt: skip
    problem(mine.get(f"/projects/{project}/documents/search"), 422, "validation", "query:q")


# ---------------------------------------------------------------- revising


def test_a_put_makes_a_new_version_and_carries_over_what_is_left_out(
    mine: httpx.Client, project: str
) -> None:
    first = make_document(mine, project, metadata={"a": 1}, grammar_score=7)
    answer = put(mine, first, content="second")
    second = ok(answer, 201)
    assert (second["version"], second["based_on"], second["revision"]) == (2, first["id"], 1)
    assert (second["content"], second["metadata"], second["grammar_score"]) == (
        "second", {"a": 1}, 7,
    )  # fmt: skip
    assert answer.headers["location"] == at(second) != at(first)
    assert answer.headers["etag"] == '"1"'
    third = ok(put(mine, second, metadata={}, readability_score=0), 201)
    assert (third["content"], third["metadata"], third["readability_score"]) == ("second", {}, 0)
    assert ok(mine.get(at(first))) == first


def test_a_put_on_an_older_version_is_refused(mine: httpx.Client, project: str) -> None:
    first, second = (make_document(mine, project) for _ in range(2))
    for etag in ('"1"', "*"):
        problem(put(mine, first, etag, content="x"), 412, "stale_etag")
    problem(mine.put(at(second), json={"content": "x"}), 428, "precondition_required")
    problem(put(mine, second, '"2"', content="x"), 412, "stale_etag")
    assert mine.delete(at(second), headers=ANY_VERSION).status_code == 204
    problem(put(mine, second, content="x"), 404, "not_found")
    assert ok(put(mine, first, content="x"), 201)["version"] == 3


@pytest.mark.parametrize("etag", ['"1"', "*"])
def test_of_two_parallel_puts_on_one_version_one_wins(
    mine: httpx.Client, project: str, etag: str
) -> None:
    document = make_document(mine, project)
    for number in range(10):
        answers = at_once([lambda newest=document: put(mine, newest, etag, content="x")] * 2)
        assert sorted(a.status_code for a in answers) == [201, 412], number
        document = next(a.json() for a in answers if a.status_code == 201)
        assert document["version"] == number + 2


def test_a_put_and_a_create_at_once_never_hide_each_other(mine: httpx.Client, project: str) -> None:
    """Either the PUT came first and both are there, or it found a newer version and was refused."""
    document = make_document(mine, project)
    for _ in range(10):
        revised, created = at_once([
            lambda newest=document: put(mine, newest, content="revised"),
            lambda: mine.post(f"/projects/{project}/documents",
                              json={"document_type": "report", "content": "created"}),
        ])  # fmt: skip
        assert created.status_code == 201 and revised.status_code in (201, 412)
        if revised.status_code == 201:
            assert revised.json()["version"] == created.json()["version"] - 1
        document = ok(latest(mine, project))
        assert document["content"] == "created"


def test_a_patch_counts_the_revision_and_never_the_version(
    mine: httpx.Client, project: str
) -> None:
    document = make_document(mine, project)
    answer = patch(mine, document, '"1"', grammar_score=99.5, metadata={"checked": True})
    after = ok(answer)
    assert (after["version"], after["revision"], answer.headers["etag"]) == (1, 2, '"2"')
    assert (after["grammar_score"], after["metadata"]) == (99.5, {"checked": True})
    assert after["content"] == document["content"] and after["readability_score"] is None
    problem(patch(mine, document, '"1"', grammar_score=1), 412, "stale_etag")
    problem(mine.patch(at(document), json={"grammar_score": 1}), 428, "precondition_required")
    problem(put(mine, document, '"1"', content="x"), 412, "stale_etag")
    assert ok(put(mine, document, '"2"', content="x"), 201)["grammar_score"] == 99.5
    assert ok(patch(mine, document, '"2"', readability_score=5))["revision"] == 3  # older, too


def test_a_delete_wants_the_revision_and_no_number_is_too_large_for_it(
    mine: httpx.Client, project: str
) -> None:
    document = make_document(mine, project)
    problem(mine.delete(at(document)), 428, "precondition_required")
    for etag in ('"2"', '"17384951657"', '"999999999999999999"', '"9999999999999999999"'):
        problem(mine.delete(at(document), headers={"If-Match": etag}), 412, "stale_etag")
        problem(put(mine, document, etag, content="x"), 412, "stale_etag")
        problem(patch(mine, document, etag, grammar_score=1), 412, "stale_etag")
    assert mine.delete(at(document), headers={"If-Match": '"1"'}).status_code == 204
    problem(mine.get(at(document)), 404, "not_found")
    problem(mine.delete(at(document), headers={"If-Match": '"1"'}), 404, "not_found")


def test_a_restore_makes_an_old_version_the_newest(mine: httpx.Client, project: str) -> None:
    first = make_document(mine, project, content="old", metadata={"a": 1})
    make_document(mine, project, content="new")
    answer = mine.post(f"{at(first)}/restore")
    restored = ok(answer, 201)
    assert (restored["version"], restored["content"], restored["based_on"]) == (
        3,
        "old",
        first["id"],
    )
    assert restored["metadata"] == {"a": 1}
    assert answer.headers["location"] == at(restored) and answer.headers["etag"] == '"1"'
    assert ok(latest(mine, project)) == restored
    problem(mine.post(f"/projects/{project}/documents/{absent()}/restore"), 404, "not_found")


def test_a_document_is_found_in_its_own_project_only(mine: httpx.Client, project: str) -> None:
    document, other = make_document(mine, project), make_project(mine)["id"]
    path = at(document | {"project_id": other})
    for method, suffix, body in (
        ("GET", "", None), ("GET", "/diff", None), ("POST", "/restore", None),
        ("PUT", "", {"content": "x"}), ("PATCH", "", {"grammar_score": 1}), ("DELETE", "", None),
    ):  # fmt: skip
        answer = mine.request(method, path + suffix, headers=ANY_VERSION, json=body)
        problem(answer, 404, "not_found")


# ---------------------------------------------------------------- comparing


def unified(old: Json, new: Json) -> str:
    sides = [side["content"].splitlines(keepends=True) for side in (old, new)]
    names = [f"v{side['version']}" for side in (old, new)]
    return "".join(difflib.unified_diff(*sides, *names))


def test_a_diff_shows_what_changed_since_the_previous_version(
    mine: httpx.Client, project: str
) -> None:
    texts = ["".join(f"line {n}\n" for n in range(40)), "", ""]
    texts[1] = texts[0].replace("line 20\n", "line twenty\n")
    texts[2] = texts[1].replace("line 3\n", "") + "end\n"
    one, two, three = (make_document(mine, project, content=text) for text in texts)
    assert ok(mine.get(f"{at(two)}/diff")) == {
        "from": one["id"], "to": two["id"], "diff": unified(one, two),
    }  # fmt: skip
    asked = ok(mine.get(f"{at(three)}/diff", params={"against": one["id"]}))
    assert asked == {"from": one["id"], "to": three["id"], "diff": unified(one, three)}
    back = ok(mine.get(f"{at(one)}/diff", params={"against": three["id"]}))
    assert back["diff"] == unified(three, one)
    mine.delete(at(two), headers=ANY_VERSION)
    assert ok(mine.get(f"{at(three)}/diff")) == asked  # the previous live one


def test_a_diff_of_equal_texts_is_empty_and_of_a_first_version_shows_all(
    mine: httpx.Client, project: str
) -> None:
    one, two = (make_document(mine, project, content="same\nno newline") for _ in range(2))
    assert ok(mine.get(f"{at(two)}/diff"))["diff"] == ""
    first = ok(mine.get(f"{at(one)}/diff"))
    assert first["from"] is None
    assert first["diff"].splitlines()[-3:] == [
        "+same", "+no newline", "\\ No newline at end of file",
    ]  # fmt: skip


def test_versions_of_different_types_are_not_compared(mine: httpx.Client, project: str) -> None:
    report, letter = (make_document(mine, project, document_type=t) for t in ("report", "letter"))
    elsewhere = make_document(mine, make_project(mine)["id"])
    for other in (letter["id"], elsewhere["id"], absent()):
        answer = mine.get(f"{at(report)}/diff", params={"against": other})
        problem(answer, 422, "validation", "query:against")
    problem(mine.get(f"{at(report)}/diff", params={"against": "x"}), 422, "validation",
            "query:against")  # fmt: skip


# ---------------------------------------------------------------- lists and search


def test_the_list_is_by_type_and_newest_first_without_content(
    mine: httpx.Client, project: str
) -> None:
    made = [make_document(mine, project, document_type=t) for t in "bcabca"]
    base = f"/projects/{project}/documents"
    wanted = sorted(made, key=lambda d: (d["document_type"], -d["version"]))
    plain = [{k: v for k, v in d.items() if k != "content"} for d in wanted]
    assert walk(mine, base) == walk(mine, base, limit=1) == walk(mine, base, limit=4) == plain
    assert walk(mine, base, include="content", limit=2) == wanted
    assert walk(mine, base, document_type="b") == plain[2:4]
    assert walk(mine, base, latest_only="true", limit=2) == plain[::2]
    for query, expected in (({}, plain), ({"latest_only": "true"}, plain[::2])):
        counted = ok(mine.get(base, params=query | {"include_total": "true"}))
        assert (counted["items"], counted["total"]) == (expected, len(expected))
    assert lines(mine.get(base, headers=NDJSON)) == plain
    assert (
        lines(mine.get(f"{base}?include=content&latest_only=true", headers=NDJSON)) == wanted[::2]
    )
    mine.delete(at(wanted[0]), headers=ANY_VERSION)
    assert walk(mine, base, latest_only="true")[0] == plain[1]
    problem(mine.get(f"{base}?include=everything"), 422, "validation", "query:include")


def test_search_finds_words_in_the_projects_language(tenant: Tenant) -> None:
    texts = {
        "en": ("The houses were running", "house run"),
        "de": ("Die Häuser liefen", "haus"),
        "fr": ("Les chevaux mangeaient", "cheval"),
        "es": ("Las canciones más bonitas", "cancion bonita"),
        "ru": ("красивые дома", "дом"),
        "xx": ("Sphinx of black quartz", "quartz"),
    }
    for language, (text, q) in texts.items():
        project = make_project(tenant.client, language=language)["id"]
        document = make_document(tenant.client, project, content=text)
        found = search(tenant.client, project, q)
        assert [f["id"] for f in found] == [document["id"]], (language, q)
        assert "<mark>" in found[0]["fragments"] and found[0]["rank"] > 0
    simple = make_project(tenant.client, language="xx")["id"]
    make_document(tenant.client, simple, content="houses")
    assert search(tenant.client, simple, "house") == []


@pytest.mark.parametrize("language", ["en", "de", "fr", "xx"])
def test_search_does_not_mind_accents_or_case(mine: httpx.Client, language: str) -> None:
    project = make_project(mine, language=language)["id"]
    make_document(mine, project, content="Das Café in Bogotá und Ångström")
    for q in ("cafe", "CAFÉ", "café", "bogota", "Bogotá", "angstrom"):
        found = search(mine, project, q)
        assert len(found) == 1, (language, q)
    assert "<mark>Café</mark>" in search(mine, project, "cafe")[0]["fragments"]


def test_search_knows_phrases_exclusion_and_alternatives(mine: httpx.Client, project: str) -> None:
    for text in ("quick brown fox", "brown quick dog", "lazy cat"):
        make_document(mine, project, content=text)

    def found(q: str) -> set[str]:
        return {item["version"] for item in search(mine, project, q)}

    assert found("quick brown") == {1, 2}
    assert found('"quick brown"') == {1}
    assert found("quick -dog") == {1}
    assert found("dog or cat") == {2, 3}
    assert found("nothing") == set()


def test_search_takes_metacharacters_as_text(mine: httpx.Client, project: str) -> None:
    make_document(mine, project, content="plain words")
    for q in ("'", "''", '"', "\\", "%", "_", "&", "|", "!", "<->", ":*", "(", ")", "a & (b",
              "';--", "*", "-", "$1", ":q", "{}", "\n", "漢字", "🙂", "the",
              "x" * 255):  # fmt: skip
        assert search(mine, project, q) == [], q
    for q in (
        "plain & words",
        "plain:*",
        "(plain)",
        "plain'",
        "<plain>",
        "plain; words --",
        "plain\\",
    ):
        assert len(search(mine, project, q)) == 1, q
    for q in ("", "x" * 256, "\0"):
        answer = mine.get(f"/projects/{project}/documents/search", params={"q": q})
        problem(answer, 422, "validation", "query:q")


def test_search_ranks_the_better_match_first_and_can_be_paged(
    mine: httpx.Client, project: str
) -> None:
    for count in (1, 3, 2, 3, 1, 2):
        make_document(mine, project, content="gold " * count + "filler " * 20)
    path = f"/projects/{project}/documents/search"
    whole = search(mine, project, "gold")
    ranks = [item["rank"] for item in whole]
    assert ranks == sorted(ranks, reverse=True) and len(set(ranks)) == 3
    assert {item["version"] for item in whole[:2]} == {2, 4}
    for limit in (1, 2, 4, 6):
        assert walk(mine, path, q="gold", limit=limit) == whole
        assert all(len(page["items"]) <= limit for page in pages(mine, path, q="gold", limit=limit))
    assert lines(mine.get(f"{path}?q=gold", headers=NDJSON)) == whole


def test_search_can_be_narrowed(mine: httpx.Client, project: str) -> None:
    for kind, text in itertools.product(("a", "b"), ("gold one", "gold two")):
        make_document(mine, project, document_type=kind, content=text)
    make_document(mine, project, document_type="b", content="silver")
    gone = make_document(mine, project, document_type="c", content="gold")
    mine.delete(at(gone), headers=ANY_VERSION)

    def found(**query: Any) -> set[tuple[str, int]]:
        items = search(mine, project, "gold", **query)
        asked = {"q": "gold", "limit": 1, "include_total": "true"} | query
        counted = ok(mine.get(f"/projects/{project}/documents/search", params=asked))
        assert counted["total"] == len(items)
        return {(item["document_type"], item["version"]) for item in items}

    assert found() == {("a", 1), ("a", 2), ("b", 1), ("b", 2)}
    assert found(document_type="b") == {("b", 1), ("b", 2)}
    assert found(latest_only="true") == {("a", 2)}
