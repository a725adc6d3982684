"""Memories: found by words, without accents, misspelt; kept when their conversation goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests.promises.assistant import make_conversation, path_of, say
from tests.promises.helpers import (
    ANY_VERSION,
    Json,
    Tenant,
    absent,
    make_user,
    ok,
    problem,
    same_refusal,
    tenant_id,
    unique,
    walk,
)  # fmt: skip
from tests.support.cluster import Database
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("memories")


@pytest.fixture
def user(tenant: Tenant) -> str:
    return str(make_user(tenant.client)["id"])


def keep(client: httpx.Client, user: str, answer: str, **fields: Any) -> Json:
    body = {"user_id": user, "question": "?", "answer": answer} | fields
    return ok(client.post("/memories", json=body), 201)  # type: ignore[no-any-return]


def found(client: httpx.Client, user: str, **query: Any) -> list[str]:
    return [m["answer"] for m in walk(client, "/memories", user_id=user, **query)]


# ---------------------------------------------------------------- the resource


def test_a_memory_is_kept_changed_and_removed(tenant: Tenant, user: str) -> None:
    made = keep(tenant.client, user, "tea", tags=["a"], metadata={"k": [1.50]}, importance=7)
    assert (made["importance"], made["use_count"], made["last_used_at"]) == (7, 0, None)
    path = f"/memories/{made['id']}"
    assert ok(tenant.client.get(path)) == made
    problem(tenant.client.patch(path, json={"answer": "x"}), 428, "precondition_required")
    first = {"If-Match": '"1"'}
    changed = ok(tenant.client.patch(path, json={"answer": "coffee"}, headers=first))
    assert (changed["answer"], changed["question"]) == ("coffee", "?")
    problem(tenant.client.patch(path, json={"answer": "x"}, headers=first), 412, "stale_etag")
    used = ok(tenant.client.patch(path, json={"used": True}, headers=ANY_VERSION))
    assert used["use_count"] == 1 and used["last_used_at"] is not None
    assert found(tenant.client, user, q="coffee") == ["coffee"]
    assert found(tenant.client, user, q="tea") == []
    problem(tenant.client.delete(path, headers=first), 412, "stale_etag")
    assert tenant.client.delete(path, headers=ANY_VERSION).status_code == 204
    problem(tenant.client.get(path), 404, "not_found")


def test_sizes_and_bounds(tenant: Tenant, user: str) -> None:
    keep(tenant.client, user, "é" * (16 * 1024))
    body = {"user_id": user, "question": "", "answer": "x" * 32769, "importance": 11,
            "tags": ["x"] * 33, "expires_at": "2026-01-01T00:00:00"}  # fmt: skip
    problem(tenant.client.post("/memories", json=body), 422, "validation", "/question", "/answer",
            "/importance", "/tags", "/expires_at")  # fmt: skip
    long = {"user_id": user, "question": "?", "answer": "é" * (16 * 1024) + "x"}
    problem(tenant.client.post("/memories", json=long), 422, "validation", "/answer")


def test_an_expired_memory_is_gone_for_everybody(tenant: Tenant, user: str) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    made = keep(tenant.client, user, "until soon", expires_at=soon)
    path = f"/memories/{made['id']}"
    kept = keep(tenant.client, user, "for ever", expires_at=soon)
    never = {"expires_at": None}
    ok(tenant.client.patch(f"/memories/{kept['id']}", json=never, headers=ANY_VERSION))
    wait_until(lambda: tenant.client.get(path).status_code == 404, 5)
    assert found(tenant.client, user) == ["for ever"]
    assert found(tenant.client, user, q="until") == []
    problem(tenant.client.patch(path, json={}, headers=ANY_VERSION), 404, "not_found")


def test_memories_stay_when_their_conversation_goes(tenant: Tenant, user: str) -> None:
    conversation = make_conversation(tenant.client, user, messages=1)
    made = keep(tenant.client, user, "stays", conversation_id=conversation["id"])
    path = f"/conversations/{conversation['id']}"
    assert tenant.client.delete(path, headers=ANY_VERSION).status_code == 204
    assert ok(tenant.client.get(f"/memories/{made['id']}")) == made
    purge = {"purge": "true"}
    assert tenant.client.delete(path, params=purge, headers=ANY_VERSION).status_code == 204
    left = ok(tenant.client.get(f"/memories/{made['id']}"))
    assert (left["answer"], left["conversation_id"]) == ("stays", None)


def test_a_memory_is_of_a_live_user_and_of_that_users_conversation(
    tenant: Tenant, user: str, theirs: httpx.Client
) -> None:
    other = make_user(tenant.client)["id"]
    foreign = make_conversation(theirs, make_user(theirs)["id"])["id"]
    body = {"question": "?", "answer": "x"}
    answers = [
        tenant.client.post("/memories", json=body | {"user_id": user, "conversation_id": named})
        for named in (absent(), make_conversation(tenant.client, other)["id"], foreign)
    ]
    problem(answers[0], 422, "foreign_key", "/conversation_id")
    assert same_refusal(*answers[:2]) and same_refusal(*answers[::2])
    nobody = tenant.client.post("/memories", json=body | {"user_id": absent()})
    problem(nobody, 422, "foreign_key", "/user_id")


def test_a_key_that_is_bound_to_a_user_sees_only_what_is_about_that_user(
    tenant: Tenant, user: str
) -> None:
    other = make_user(tenant.client)["id"]
    keep(tenant.client, user, "mine")
    foreign = keep(tenant.client, other, "not mine")
    bound = tenant.caller(user=user)
    assert [m["answer"] for m in walk(bound, "/memories")] == ["mine"]
    problem(bound.get("/memories", params={"user_id": other, "q": "mine"}), 403, "forbidden")
    path = f"/memories/{foreign['id']}"
    for answer in (bound.get(path), bound.patch(path, json={}, headers=ANY_VERSION),
                   bound.delete(path, headers=ANY_VERSION)):  # fmt: skip
        problem(answer, 404, "not_found")


# ---------------------------------------------------------------- lists and searches


def test_importance_then_newest_on_every_page_size(tenant: Tenant, user: str) -> None:
    for number, importance in enumerate((5, 9, 5, 1, 9)):
        keep(tenant.client, user, f"m{number}", importance=importance, tags=["odd"] * (number % 2))
    expected = ["m4", "m1", "m2", "m0", "m3"]
    for limit in (1, 2, 3, 200):
        assert found(tenant.client, user, limit=limit) == expected
    assert found(tenant.client, user, min_importance=5) == expected[:4]
    assert found(tenant.client, user, tag="odd") == ["m1", "m3"]


VIETNAMESE = ("cà phê sữa đá", "ca phe sua da", "CÀ PHÊ", "cafe sua", "caphe sua da", "sữa đa",
              "ca\u0300 phe\u0302 su\u031b\u0303a \u0111a\u0301")  # fmt: skip


@pytest.mark.parametrize("q", VIETNAMESE)
def test_vietnamese_is_found_with_and_without_accents_and_misspelt(
    tenant: Tenant, user: str, q: str
) -> None:
    keep(tenant.client, user, "Thích uống cà phê sữa đá buổi sáng")
    keep(tenant.client, user, "Plays the violin on Sundays")
    keep(tenant.client, make_user(tenant.client)["id"], "cà phê sữa đá")
    assert found(tenant.client, user, q=q) == ["Thích uống cà phê sữa đá buổi sáng"]


def test_misspelt_words_are_found_behind_right_ones(tenant: Tenant, user: str) -> None:
    keep(tenant.client, user, "likes cofee", importance=10)
    keep(tenant.client, user, "likes coffee", importance=1)
    assert found(tenant.client, user, q="coffee") == ["likes coffee", "likes cofee"]
    assert sorted(found(tenant.client, user, q="cofffee")) == ["likes coffee", "likes cofee"][::-1]


def test_equal_matches_come_by_importance(tenant: Tenant, user: str) -> None:
    for importance in (3, 9, 6):
        keep(tenant.client, user, f"granite {importance}", importance=importance)
    for limit in (1, 200):
        got = found(tenant.client, user, q="granite", limit=limit)
        assert got == ["granite 9", "granite 6", "granite 3"]
    assert found(tenant.client, user, q="granite", min_importance=6) == ["granite 9", "granite 6"]
    answer = ok(tenant.client.get("/memories", params={"user_id": user, "q": "granite"}))
    ranks = [m["rank"] for m in answer["items"]]
    assert ranks == sorted(ranks, reverse=True) and ranks[0] / ranks[2] == pytest.approx(1.4 / 0.8)


def test_nothing_in_a_search_is_an_operator(tenant: Tenant, user: str) -> None:
    strange = "100% wool_socks (size 42) & 'quotes' -- C:\\temp"
    keep(tenant.client, user, strange)
    keep(tenant.client, user, "plain")
    for q in (
        "100%",
        "wool_socks",
        "socks -wool",
        "42)",
        "wool & socks",
        "!wool",
        "%",
        "\\",
        "'",
        "--",
    ):
        assert found(tenant.client, user, q=q) == [strange], q
    for q in ("*", "&&&", "<->", "((", "%%", ":*"):
        assert found(tenant.client, user, q=q) == [], q


def test_a_common_word_is_ranked_over_all_that_match(tenant: Tenant, user: str) -> None:
    """More matches than a page: then only words count."""
    client = tenant.client
    for number in range(60):
        keep(client, user, f"slate {'x' * (number % 7 + 1)}", importance=1 + number % 10)
    got = walk(client, "/memories", user_id=user, q="slate", limit=7)
    assert len(got) == 60 == len({m["id"] for m in got})
    ranks = [m["rank"] for m in got]
    assert ranks == sorted(ranks, reverse=True)


# ---------------------------------------------------------------- the index

PLAN = """
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_level = notice;
SET auto_explain.log_analyze = on;
SET auto_explain.log_timing = off;
SET SESSION AUTHORIZATION quarry_app;
"""
FIND = "SELECT count(*) FROM assistant.find_memories(%s, %s, NULL, NULL, NULL, NULL, 51)"


def plans(database: Database, tenant: str, user: str, q: str) -> tuple[int, str]:
    """How many a search finds as the service's role, and the plans of what runs inside of it."""
    told: list[str] = []
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.add_notice_handler(lambda note: told.append(note.message_primary or ""))
        for command in PLAN.strip().splitlines():
            connection.execute(command.encode())
        connection.execute("SELECT set_config('app.tenant_id', %s, false)", [tenant])
        row = connection.execute(FIND, [user, q]).fetchone()
        assert row
        return row[0], "\n".join(told)


def test_a_search_uses_its_index_as_the_services_role(
    tenant: Tenant, user: str, module_database: Database
) -> None:
    """By words and by trigrams alike, below forced row-level security."""
    acme = tenant_id(module_database, tenant.name)
    keep(tenant.client, user, "Thích uống cà phê sữa đá")
    module_database.psql(
        "INSERT INTO assistant.memories (tenant_id, user_id, question, answer)"
        " SELECT %s, %s, md5(g::text), md5((g * 7)::text) FROM generate_series(1, 20000) AS g",
        acme, user,
    )  # fmt: skip
    with psycopg.connect(module_database.owner_dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE assistant.memories")
    for q in ("ca phe sua da", "cafe sua"):
        count, plan = plans(module_database, acme, user, q)
        assert count == 1, plan
        assert "Bitmap Index Scan on memories_search_idx" in plan, plan
        assert "Seq Scan" not in plan, plan
        assert "memories_important_idx" not in plan, plan


def test_the_search_sees_the_settings_tenant_and_no_other(
    tenant: Tenant, user: str, module_database: Database
) -> None:
    keep(tenant.client, user, "granite")
    acme = tenant_id(module_database, tenant.name)
    other = tenant_id(module_database, Tenant(tenant.server, unique("other")).name)
    with psycopg.connect(module_database.app_dsn) as service:
        for setting, expected in ((acme, 1), (other, 0), ("", 0)):
            service.execute("SELECT set_config('app.tenant_id', %s, true)", [setting])
            assert service.execute(FIND, [user, "granite"]).fetchone() == (expected,)
            assert service.execute(FIND, [user, "granitt"]).fetchone() == (expected,)


# ---------------------------------------------------------------- context


def context(client: httpx.Client, conversation: Json, **query: Any) -> Json:
    path = f"/conversations/{conversation['id']}/context"
    return ok(client.get(path, params=query))  # type: ignore[no-any-return]


def test_a_context_is_the_newest_messages_that_fit(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user)
    for number, tokens in enumerate((10, 20, 30, 40)):
        say(tenant.client, made, f"m{number}", token_count=tokens)
    say(tenant.client, made, "x" * 17)  # not counted: 5 tokens
    whole = context(tenant.client, made)
    assert [m["seq"] for m in whole["messages"]] == [1, 2, 3, 4, 5] and whole["tokens"] == 105
    for budget, seqs in (
        (0, []),
        (4, []),
        (5, [5]),
        (44, [5]),
        (45, [4, 5]),
        (105, [1, 2, 3, 4, 5]),
    ):
        got = context(tenant.client, made, max_tokens=budget)
        assert [m["seq"] for m in got["messages"]] == seqs, budget
    assert [m["seq"] for m in context(tenant.client, made, max_messages=2)["messages"]] == [4, 5]
    ok(tenant.client.patch(path_of(made, 5), json={"content": "edited", "token_count": 1}))
    assert context(tenant.client, made, max_messages=1)["messages"][0]["content"] == "edited"


def test_a_context_has_the_memories_that_match_what_was_said(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user)
    assert context(tenant.client, made)["memories"] == []
    keep(tenant.client, user, "Thích cà phê sữa đá")
    keep(tenant.client, user, "Plays the violin")
    say(tenant.client, made, "How do I tune a violin?")
    say(tenant.client, made, "First, …", role="assistant")
    assert [m["answer"] for m in context(tenant.client, made)["memories"]] == ["Plays the violin"]
    say(tenant.client, made, "Toi muon uong ca phe sua")
    answers = [m["answer"] for m in context(tenant.client, made)["memories"]]
    assert answers == ["Thích cà phê sữa đá"]


def test_a_read_of_a_context_changes_nothing(
    tenant: Tenant, user: str, module_database: Database
) -> None:
    made = make_conversation(tenant.client, user, messages=2)
    keep(tenant.client, user, "m1 m2")
    stored = "SELECT to_jsonb(m) FROM assistant.memories AS m WHERE user_id = %s"
    before = module_database.psql(stored, user)
    context(tenant.client, made)
    assert module_database.psql(stored, user) == before
