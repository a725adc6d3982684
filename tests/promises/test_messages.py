"""Messages: 1, 2, 3 … without a gap whatever happens; edits overwrite nothing; found again."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import psycopg
import pytest

from tests.promises.assistant import contents, make_conversation, path_of, say
from tests.promises.helpers import (
    ANY_VERSION,
    Json,
    Tenant,
    at_once,
    lines,
    make_user,
    ok,
    problem,
    tenant_id,
    walk,
)  # fmt: skip
from tests.support.cluster import Database
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("messages")


@pytest.fixture
def user(tenant: Tenant) -> str:
    return str(make_user(tenant.client)["id"])


def numbers(database: Database, conversation: Json) -> list[int]:
    """What is stored of a conversation: the seqs of first variants."""
    rows = database.psql(
        "SELECT seq FROM assistant.messages"
        " WHERE conversation_id = %s AND variant = 1 ORDER BY seq",
        conversation["id"],
    )
    return [row[0] for row in rows]


def turn(content: str) -> Json:
    return {"role": "user", "content": content}


def count(client: httpx.Client, conversation: Json) -> int:
    return int(ok(client.get(f"/conversations/{conversation['id']}"))["message_count"])


def post_and_hang_up(client: httpx.Client, path: str, body: Json) -> None:
    """Send a whole request and close the connection without reading."""
    url, data = urlsplit(str(client.base_url)), orjson.dumps(body)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection((url.hostname, url.port)) as link:
        link.sendall(head.encode() + data)


def write_and_roll_back(database: Database, tenant: str, conversation: Json) -> None:
    """Take the next number, hold it for a moment, and let it go."""
    with psycopg.connect(database.app_dsn) as service:
        service.execute("SELECT set_config('app.tenant_id', %s, true)", [tenant])
        service.execute(
            "WITH counted AS (UPDATE assistant.conversations SET message_count = message_count + 1"
            " WHERE id = %s RETURNING tenant_id, id, user_id, message_count)"
            " INSERT INTO assistant.messages"
            "     (tenant_id, conversation_id, user_id, seq, role, content)"
            " SELECT tenant_id, id, user_id, message_count, 'user', 'rolled back' FROM counted",
            [conversation["id"]],
        )
        time.sleep(0.02)
        service.rollback()


# ---------------------------------------------------------------- numbers


def test_80_at_once_get_the_numbers_1_to_80(
    tenant: Tenant, user: str, module_database: Database
) -> None:
    made = make_conversation(tenant.client, user)
    written = at_once([lambda n=n: say(tenant.client, made, f"m{n}") for n in range(80)])
    assert sorted(m["seq"] for m in written) == list(range(1, 81))
    assert count(tenant.client, made) == 80
    assert numbers(module_database, made) == list(range(1, 81))
    told = {m["seq"]: m["content"] for m in written}
    assert contents(tenant.client, made) == [told[n] for n in range(1, 81)]


def test_neither_rollbacks_nor_hang_ups_leave_a_gap(
    tenant: Tenant, user: str, module_database: Database
) -> None:
    made = make_conversation(tenant.client, user)
    acme = tenant_id(module_database, tenant.name)
    written: list[Json] = []
    bad = {"role": "user", "content": "x", "tool_calls": [{"a": "\0"}]}  # jsonb refuses it
    calls: list[Callable[[], Any]] = [
        *[lambda n=n: written.append(say(tenant.client, made, f"m{n}")) for n in range(80)],
        *[lambda: write_and_roll_back(module_database, acme, made) for _ in range(5)],
        *[lambda: problem(tenant.client.post(path_of(made), json=bad), 422, "validation")] * 5,
        *[lambda n=n: post_and_hang_up(tenant.client, path_of(made), turn(f"h{n}"))
          for n in range(10)],
    ]  # fmt: skip
    random.Random(8).shuffle(calls)
    at_once(calls)
    # what was sent whole is written, even if nobody waits for the answer
    wait_until(lambda: count(tenant.client, made) == 90)
    assert numbers(module_database, made) == list(range(1, 91))
    stored = {m["seq"]: m["content"] for m in walk(tenant.client, path_of(made))}
    assert all(stored[m["seq"]] == m["content"] for m in written)
    assert sum(text.startswith("h") for text in stored.values()) == 10


def test_bulks_and_singles_side_by_side_are_each_in_one_piece(
    tenant: Tenant, user: str, module_database: Database
) -> None:
    made = make_conversation(tenant.client, user)

    def bulk(number: int) -> Json:
        turns = [{"role": "user", "content": f"b{number}-{n}"} for n in range(50)]
        return ok(tenant.client.post(path_of(made), json=turns), 201)  # type: ignore[no-any-return]

    answers = at_once(
        [lambda n=n: bulk(n) for n in range(6)]
        + [lambda n=n: say(tenant.client, made, f"s{n}") for n in range(20)]
    )
    assert numbers(module_database, made) == list(range(1, 321))
    texts = contents(tenant.client, made, limit=200)
    for number, answer in enumerate(answers[:6]):
        piece = texts[answer["first_seq"] - 1 : answer["last_seq"]]
        assert piece == [f"b{number}-{n}" for n in range(50)]
        assert len(answer["ids"]) == 50


def test_a_bulk_is_all_or_nothing(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user, messages=1)
    good = {"role": "user", "content": "x"}
    for bad, pointer in (
        ({"role": "robot", "content": "x"}, "/1/role"), ({"role": "user"}, "/1/content"),
        (good | {"tool_calls": {}}, "/1/tool_calls"), (good | {"unknown": 1}, "/1/unknown"),
    ):  # fmt: skip
        answer = tenant.client.post(path_of(made), json=[good, bad])
        problem(answer, 422, "validation", pointer)
    problem(
        tenant.client.post(path_of(made), json=[good, good | {"images": ["\0"]}]), 422, "validation"
    )
    problem(tenant.client.post(path_of(made), json=[good] * 501), 422, "validation")
    problem(tenant.client.post(path_of(made), json=[]), 422, "validation")
    assert count(tenant.client, made) == 1
    ok(tenant.client.post(path_of(made), json=[good] * 500), 201)
    assert count(tenant.client, made) == 501


def test_a_re_sent_append_adds_nothing(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user)
    bodies: tuple[Any, ...] = (turn("x"), [turn("y")] * 3)
    for number, body in enumerate(bodies):
        key = {"Idempotency-Key": f"append-{made['id']}-{number}"}

        def send(body: Any = body, key: dict[str, str] = key) -> httpx.Response:
            return tenant.client.post(path_of(made), json=body, headers=key)

        answers = at_once([send] * 6)
        assert len({a.content for a in answers}) == 1
        assert [a.status_code for a in answers] == [201] * 6
        assert sum("idempotency-replayed" in a.headers for a in answers) == 5
    assert contents(tenant.client, made) == ["x", "y", "y", "y"]


# ---------------------------------------------------------------- content


def test_what_is_written_comes_back_as_it_was(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user)
    full = {
        "role": "assistant", "content": "Cà phê\tsữa đá \u0301 🧊\r\n", "model": "m-1",
        "tool_calls": [{"id": "c1", "args": {"n": 12345678901234567890, "x": 1.10}}],
        "tool_results": [None, "text"], "images": [{"url": "https://x/y.png"}],
        "metadata": {"a": {"b": []}}, "token_count": 7,
    }  # fmt: skip
    answer = tenant.client.post(path_of(made), json=full)
    stored = ok(answer, 201)
    assert {name: stored[name] for name in full} == full
    assert b"12345678901234567890" in answer.content and b"1.1" in answer.content
    assert answer.headers["location"] == path_of(made, 1)
    assert ok(tenant.client.get(answer.headers["location"])) == stored
    assert lines(tenant.client.get(path_of(made), headers={"Accept": "application/x-ndjson"})) == [
        stored
    ]


def test_content_has_a_size(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user)
    assert say(tenant.client, made, "é" * (512 * 1024))["seq"] == 1
    for content in ("é" * (512 * 1024) + "x", "x" * (1024 * 1024 + 1)):
        answer = tenant.client.post(path_of(made), json={"role": "user", "content": content})
        problem(answer, 422, "validation", "/content")
    for body in ({"content": ""}, {"tool_calls": []}, {}):
        answer = tenant.client.post(path_of(made), json={"role": "assistant"} | body)
        problem(answer, 422, "validation", "/content")
    called = say(tenant.client, made, "", role="assistant", tool_calls=[{"id": "1"}])
    assert called["content"] == ""


def test_pages_forward_and_backward(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user, messages=10)

    def ask(**query: int) -> list[int]:
        page = ok(tenant.client.get(path_of(made), params=query))
        return [m["seq"] for m in page["items"]]

    assert ask(limit=3) == [1, 2, 3]
    assert ask(after_seq=8) == [9, 10]
    assert ask(before_seq=8, limit=3) == [5, 6, 7]
    assert ask(before_seq=5, after_seq=2) == [3, 4]
    assert ask(before_seq=1) == [] and ask(after_seq=10) == []
    assert contents(tenant.client, made, limit=3) == [f"m{n}" for n in range(1, 11)]
    assert [
        m["seq"] for m in walk(tenant.client, path_of(made), limit=2, after_seq=3, before_seq=8)
    ] == [4, 5, 6, 7]


# ---------------------------------------------------------------- variants


def test_an_edit_keeps_the_old_variant_and_later_messages(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user, messages=3)
    edited = ok(tenant.client.patch(path_of(made, 1), json={"content": "new"}))
    assert (edited["variant"], edited["edited_from"], edited["role"]) == (2, 1, "user")
    assert contents(tenant.client, made) == ["new", "m2", "m3"]
    all_of_it = walk(tenant.client, path_of(made, 1, "variants"), limit=1)
    assert [(v["content"], v["is_active"]) for v in all_of_it] == [("m1", False), ("new", True)]
    chosen = ok(tenant.client.put(path_of(made, 1, "active"), json={"variant": 1}))
    assert chosen["content"] == "m1" and chosen["is_active"]
    again = ok(tenant.client.put(path_of(made, 1, "active"), json={"variant": 1}))
    assert again == chosen | {"updated_at": again["updated_at"]}
    assert contents(tenant.client, made) == ["m1", "m2", "m3"]
    problem(tenant.client.put(path_of(made, 1, "active"), json={"variant": 3}), 422, "validation",
            "/variant")  # fmt: skip
    assert count(tenant.client, made) == 3


def test_an_edit_that_truncates_takes_what_came_later(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user, messages=6)
    path = path_of(made, 3)
    ok(tenant.client.patch(path, json={"content": "new"}, params={"truncate": "true"}))
    assert contents(tenant.client, made) == ["m1", "m2", "new"] and count(tenant.client, made) == 3
    assert say(tenant.client, made, "m4")["seq"] == 4
    problem(tenant.client.patch(path_of(made, 5), json={"content": "x"}), 404, "not_found")


def test_regenerate_makes_another_answer_of_the_assistant_only(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user, messages=2)
    other = {"content": "other", "model": "m", "token_count": 3}
    first = ok(tenant.client.post(path_of(made, 2, "regenerate"), json=other), 201)
    assert (first["variant"], first["edited_from"], first["role"]) == (2, 1, "assistant")
    problem(
        tenant.client.post(path_of(made, 1, "regenerate"), json={"content": "x"}), 409, "conflict"
    )
    again = ok(tenant.client.post(path_of(made, 2, "regenerate"), json={"content": "third"}), 201)
    assert (again["variant"], again["model"], again["token_count"]) == (3, None, None)
    empty = tenant.client.post(path_of(made, 2, "regenerate"), json={})
    problem(empty, 422, "validation", "/content")
    assert contents(tenant.client, made) == ["m1", "third"]


def test_twenty_edits_and_choices_at_once_leave_one_active(
    tenant: Tenant, user: str, module_database: Database
) -> None:
    made = make_conversation(tenant.client, user, messages=2)
    edits = [
        lambda n=n: ok(tenant.client.patch(path_of(made, 1), json={"content": f"e{n}"}))
        for n in range(12)
    ]
    choices = [
        lambda: ok(tenant.client.put(path_of(made, 1, "active"), json={"variant": 1}))
        for _ in range(8)
    ]
    appends = [lambda n=n: say(tenant.client, made, f"a{n}") for n in range(8)]
    answers = at_once([*edits, *choices, *appends])
    assert sorted(a["variant"] for a in answers[:12]) == list(range(2, 14))
    rows = module_database.psql(
        "SELECT seq, count(*) FILTER (WHERE is_active), array_agg(variant::int ORDER BY variant)"
        "  FROM assistant.messages WHERE conversation_id = %s GROUP BY seq ORDER BY seq",
        made["id"],
    )
    assert [row[1] for row in rows] == [1] * 10
    assert rows[0][2] == list(range(1, 14))


# ---------------------------------------------------------------- search


def search(client: httpx.Client, user: str, q: str, **query: Any) -> list[Json]:
    return walk(client, "/messages/search", user_id=user, q=q, **query)


def test_messages_are_found_with_and_without_accents(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user)
    say(tenant.client, made, "Một ly cà phê sữa đá, cảm ơn!")
    say(tenant.client, made, "Không đường.")
    say(tenant.client, make_conversation(tenant.client, make_user(tenant.client)["id"]), "cà phê")
    for q in ("cà phê sữa đá", "ca phe sua da", "CA PHE", '"sua da"', "phe -duong"):
        found = search(tenant.client, user, q)
        assert [m["seq"] for m in found] == [1], q
    assert "<mark>cà</mark>" in search(tenant.client, user, "ca phe")[0]["fragments"]
    for q in ("%", "tea", "sua' AND 1=1 --", '"da sua"'):
        assert search(tenant.client, user, q) == [], q


def test_only_active_messages_of_live_conversations_are_found(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user)
    say(tenant.client, made, "an obsidian stone")
    ok(tenant.client.patch(path_of(made, 1), json={"content": "a granite stone"}))
    assert search(tenant.client, user, "obsidian") == []
    assert len(search(tenant.client, user, "granite")) == 1
    path = f"/conversations/{made['id']}"
    assert tenant.client.delete(path, headers=ANY_VERSION).status_code == 204
    assert search(tenant.client, user, "granite") == []


def test_the_best_match_comes_first_on_every_page_size(tenant: Tenant, user: str) -> None:
    made = make_conversation(tenant.client, user)
    texts = [f"stone {'stone ' * n}{'filler ' * 20}" for n in range(7)]
    ok(tenant.client.post(path_of(made), json=[{"role": "user", "content": t} for t in texts]), 201)
    for limit in (1, 3, 200):
        found = search(tenant.client, user, "stone", limit=limit)
        assert [m["seq"] for m in found] == [7, 6, 5, 4, 3, 2, 1]
        assert [m["rank"] for m in found] == sorted((m["rank"] for m in found), reverse=True)
