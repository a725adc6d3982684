"""Conversations: pinned first, branched, deleted and restored; versions for all that they show."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.promises.assistant import contents, etag, make_conversation, path_of, say
from tests.promises.helpers import (
    ANY_VERSION,
    Json,
    Tenant,
    absent,
    at_once,
    events,
    make_user,
    ok,
    problem,
    same_refusal,
    walk,
)  # fmt: skip
from tests.support.cluster import Database

pytestmark = pytest.mark.xdist_group("conversations")


@pytest.fixture
def user(tenant: Tenant) -> str:
    return str(make_user(tenant.client)["id"])


def titles(client: httpx.Client, user: str, **query: Any) -> list[str]:
    return [c["title"] for c in walk(client, "/conversations", user_id=user, **query)]


def change(client: httpx.Client, conversation: Json, **fields: Any) -> Json:
    path = f"/conversations/{conversation['id']}"
    return ok(client.patch(path, json=fields, headers=ANY_VERSION))  # type: ignore[no-any-return]


def test_a_new_conversation_has_what_was_given_and_defaults(tenant: Tenant, user: str) -> None:
    plain = ok(tenant.client.post("/conversations", json={"user_id": user}), 201)
    assert (plain["title"], plain["tags"], plain["message_count"]) == ("New conversation", [], 0)
    assert plain["last_message_at"] is None and plain["active_at"] == plain["created_at"]
    given = {"title": "Trà đá", "template": "chat", "tags": ["a", "b"], "metadata": {"k": 1}}
    full = make_conversation(tenant.client, user, **given)
    assert {name: full[name] for name in given} == given
    assert ok(tenant.client.get(f"/conversations/{full['id']}")) == full


def test_pinned_first_then_last_activity_on_every_page_size(tenant: Tenant, user: str) -> None:
    made = [make_conversation(tenant.client, user, title=f"c{n}") for n in range(6)]
    say(tenant.client, made[0], "hello")
    change(tenant.client, made[2], is_pinned=True)
    change(tenant.client, made[4], is_pinned=True)
    expected = ["c4", "c2", "c0", "c5", "c3", "c1"]
    for limit in (1, 2, 4, 200):
        assert titles(tenant.client, user, limit=limit) == expected
    say(tenant.client, made[2], "again")
    assert titles(tenant.client, user)[:2] == ["c2", "c4"]


def test_filters(tenant: Tenant, user: str) -> None:
    first = make_conversation(tenant.client, user, title="Cà phê 100%", tags=["drinks"])
    make_conversation(tenant.client, user, title="Tea", tags=["drinks", "hot"])
    change(tenant.client, first, is_archived=True, is_pinned=True)
    for query, found in (
        ({"archived": "true"}, ["Cà phê 100%"]), ({"archived": "false"}, ["Tea"]),
        ({"pinned": "false"}, ["Tea"]), ({"tag": "hot"}, ["Tea"]),
        ({"q": "CA PHE"}, ["Cà phê 100%"]),
        ({"q": "0%"}, ["Cà phê 100%"]), ({"q": "_ea"}, []), ({"tag": "drin"}, []),
    ):  # fmt: skip
        assert titles(tenant.client, user, **query) == found, query
        asked = {"user_id": user, "include_total": "true"} | query
        answer = ok(tenant.client.get("/conversations", params=asked))
        assert answer["total"] == len(found)


def test_bad_fields_are_all_told(tenant: Tenant, user: str) -> None:
    body = {"title": "", "template": "x" * 101, "tags": ["x"] * 33, "metadata": []}
    problem(
        tenant.client.post("/conversations", json=body | {"user_id": user}), 422, "validation",
        "/title", "/template", "/tags", "/metadata",
    )  # fmt: skip
    problem(tenant.client.post("/conversations", json={"user_id": user, "tags": ["x" * 65]}),
            422, "validation", "/tags/0")  # fmt: skip
    problem(tenant.client.post("/conversations", json={}), 422, "validation", "/user_id")
    problem(tenant.client.get("/conversations"), 422, "validation", "query:user_id")


def test_of_two_who_rename_at_once_one_is_told(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user)
    path, match = f"/conversations/{made['id']}", {"If-Match": '"1"'}
    answers = at_once(
        [lambda n=n: tenant.client.patch(path, json={"title": f"t{n}"}, headers=match)
         for n in range(8)]
    )  # fmt: skip
    assert sorted(a.status_code for a in answers) == [200] + [412] * 7


def test_the_version_covers_everything_that_is_shown(tenant: Tenant, user: str) -> None:
    """With its messages: a client that has the ETag has what there is."""
    made = make_conversation(tenant.client, user, messages=2)
    path, seen = f"/conversations/{made['id']}", set[str]()
    steps = (
        lambda: say(tenant.client, made, "m3"),
        lambda: ok(tenant.client.patch(path_of(made, 1), json={"content": "edited"})),
        lambda: ok(tenant.client.put(path_of(made, 1, "active"), json={"variant": 1})),
        lambda: ok(tenant.client.post(path_of(made, 2, "regenerate"), json={"content": "x"}), 201),
        lambda: change(tenant.client, made, title="t"),
    )
    for step in steps:
        before = etag(tenant.client, path, include="messages")
        step()
        answer = tenant.client.get(path, params={"include": "messages"},
                                   headers={"If-None-Match": before})  # fmt: skip
        assert answer.status_code == 200
        seen |= {before, answer.headers["etag"]}
        again = tenant.client.get(path, params={"include": "messages"},
                                  headers={"If-None-Match": answer.headers["etag"]})  # fmt: skip
        assert again.status_code == 304
    assert len(seen) == len(steps) + 1


def test_the_newest_messages_come_oldest_first_and_a_read_changes_nothing(
    tenant: Tenant, user: str, module_database: Database
) -> None:
    made = make_conversation(tenant.client, user, messages=9)
    path = f"/conversations/{made['id']}"
    stored = "SELECT to_jsonb(c) FROM assistant.conversations AS c WHERE id = %s"
    before = module_database.psql(stored, made["id"])
    for limit, expected in ((3, ["m7", "m8", "m9"]), (200, [f"m{n}" for n in range(1, 10)])):
        answer = ok(tenant.client.get(path, params={"include": "messages", "message_limit": limit}))
        assert [m["content"] for m in answer["messages"]] == expected
        assert answer["message_count"] == 9
    assert module_database.psql(stored, made["id"]) == before
    assert len(contents(tenant.client, made)) == 9


def test_a_branch_takes_the_messages_up_to_there(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user, messages=5, tags=["t"])
    ok(tenant.client.patch(path_of(made, 2), json={"content": "m2 edited"}))
    path = f"/conversations/{made['id']}/branch"
    child = ok(tenant.client.post(path, json={"at_seq": 3, "title": "child"}), 201)
    assert (child["parent_conversation_id"], child["branched_at_seq"]) == (made["id"], 3)
    assert (child["message_count"], child["tags"], child["title"]) == (3, ["t"], "child")
    assert contents(tenant.client, child) == ["m1", "m2 edited", "m3"]
    assert say(tenant.client, child, "m4 other")["seq"] == 4
    assert contents(tenant.client, made) == ["m1", "m2 edited", "m3", "m4", "m5"]
    problem(tenant.client.post(path, json={"at_seq": 6}), 422, "validation", "/at_seq")
    purge = {"purge": "true"}
    assert tenant.client.delete(
        f"/conversations/{made['id']}", params=purge, headers=ANY_VERSION
    ).status_code == 204  # fmt: skip
    left = ok(tenant.client.get(f"/conversations/{child['id']}"))
    assert (left["parent_conversation_id"], left["branched_at_seq"]) == (None, 3)
    assert len(contents(tenant.client, child)) == 4


def test_delete_is_soft_and_purge_is_for_good(
    tenant: Tenant, user: str, module_database: Database
) -> None:
    made = make_conversation(tenant.client, user, messages=3)
    path = f"/conversations/{made['id']}"
    problem(tenant.client.delete(path), 428, "precondition_required")
    problem(tenant.client.delete(path, headers={"If-Match": '"1"'}), 412, "stale_etag")
    assert tenant.client.delete(path, headers=ANY_VERSION).status_code == 204
    for gone in (tenant.client.get(path), tenant.client.get(path_of(made)),
                 tenant.client.post(path_of(made), json={"role": "user", "content": "x"}),
                 tenant.client.delete(path, headers=ANY_VERSION)):  # fmt: skip
        problem(gone, 404, "not_found")
    assert titles(tenant.client, user) == []
    ok(tenant.client.post(f"{path}/restore"))
    problem(tenant.client.post(f"{path}/restore"), 409, "conflict")
    assert contents(tenant.client, made) == ["m1", "m2", "m3"]
    assert tenant.client.delete(path, headers=ANY_VERSION).status_code == 204
    purge = {"purge": "true"}
    assert tenant.client.delete(path, params=purge, headers=ANY_VERSION).status_code == 204
    problem(tenant.client.post(f"{path}/restore"), 404, "not_found")
    left = "SELECT count(*) FROM assistant.messages WHERE conversation_id = %s"
    assert module_database.psql(left, made["id"]) == [(0,)]
    written = [e["action"] for e in events(module_database, made["id"])]
    assert written[0] == "insert" and written[-1] == "delete"


def test_a_foreign_or_deleted_user_is_refused_like_an_absent_one(
    tenant: Tenant, theirs: httpx.Client
) -> None:
    gone = make_user(tenant.client)["id"]
    assert tenant.client.delete(f"/users/{gone}").status_code == 204
    answers = [
        tenant.client.post("/conversations", json={"user_id": named})
        for named in (absent(), gone, make_user(theirs)["id"])
    ]
    problem(answers[0], 422, "foreign_key", "/user_id")
    assert same_refusal(answers[0], answers[1]) and same_refusal(answers[0], answers[2])


def test_a_key_that_is_bound_to_a_user_sees_only_that_users_conversations(
    tenant: Tenant, user: str
) -> None:
    other = make_user(tenant.client)["id"]
    own = make_conversation(tenant.client, user, messages=1)
    foreign = make_conversation(tenant.client, other, messages=1)
    bound = tenant.caller(user=user)
    assert [c["id"] for c in walk(bound, "/conversations")] == [own["id"]]
    assert ok(bound.post("/conversations", json={}), 201)["user_id"] == user
    problem(bound.post("/conversations", json={"user_id": other}), 403, "forbidden")
    problem(bound.get("/conversations", params={"user_id": other}), 403, "forbidden")
    problem(bound.get("/messages/search", params={"user_id": other, "q": "m1"}), 403, "forbidden")
    body, path = {"role": "user", "content": "x"}, f"/conversations/{foreign['id']}"
    for answer in (
        bound.get(path), bound.get(path, params={"include": "messages"}),
        bound.patch(path, json={"title": "x"}, headers=ANY_VERSION),
        bound.delete(path, headers=ANY_VERSION), bound.post(f"{path}/branch", json={"at_seq": 1}),
        bound.delete(path, params={"purge": "true"}, headers=ANY_VERSION),
        bound.get(path_of(foreign)), bound.post(path_of(foreign), json=body),
        bound.post(path_of(foreign), json=[body]), bound.get(path_of(foreign, 1)),
        bound.patch(path_of(foreign, 1), json={"content": "x"}),
        bound.get(path_of(foreign, 1, "variants")),
        bound.put(path_of(foreign, 1, "active"), json={"variant": 1}),
    ):  # fmt: skip
        problem(answer, 404, "not_found")
    assert contents(bound, own) == ["m1"]
    for projects in tenant.caller(projects=[absent()]), tenant.caller(projects=[]):
        problem(projects.get("/conversations", params={"user_id": user}), 403, "forbidden")
