"""What a user has: counted, given out whole, and erased without a rest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.promises.assistant import make_conversation, path_of, say
from tests.promises.helpers import Json, Tenant, absent, lines, make_user, ok, problem, walk
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("possessions")

MARK = "chrysoprase"
TABLES = ("conversations", "messages", "memories", "files", "memory_generations")


def furnish(tenant: Tenant, user: str) -> tuple[Json, Json, Json]:
    """Two conversations with messages, a memory, a file: all of them full of the mark."""
    client, keyed = tenant.client, {"Idempotency-Key": f"first-{user}"}
    body = {"user_id": user, "title": MARK, "tags": [MARK], "metadata": {"k": MARK}}
    conversation = ok(client.post("/conversations", json=body, headers=keyed), 201)
    say(client, conversation, f"{MARK} one", metadata={"k": MARK})
    keyed = {"Idempotency-Key": f"second-{user}"}
    turn = {"role": "assistant", "content": f"{MARK} two"}
    ok(client.post(path_of(conversation), json=turn, headers=keyed), 201)
    ok(client.patch(path_of(conversation, 1), json={"content": f"{MARK} edited"}))
    ok(client.patch(f"/conversations/{conversation['id']}", json={"title": f"{MARK} 2"},
                    headers={"If-Match": "*"}))  # fmt: skip
    ok(client.post(f"/conversations/{conversation['id']}/branch", json={"at_seq": 1}), 201)
    kept = {"user_id": user, "question": MARK, "answer": MARK, "tags": [MARK]}
    memory = ok(client.post("/memories", json=kept, headers={"Idempotency-Key": f"3-{user}"}), 201)
    upload: Any = {"file": (f"{MARK}.txt", MARK.encode() + user.encode())}
    file = ok(client.post("/files", files=upload, data={"user_id": user},
                          headers={"Idempotency-Key": f"4-{user}"}), 201)  # fmt: skip
    return conversation, memory, file


def test_storage_counts_what_there_is(tenant: Tenant) -> None:
    user = make_user(tenant.client)["id"]
    path = f"/users/{user}/storage"
    nothing = {"count": 0, "bytes": 0}
    assert ok(tenant.client.get(path)) == {
        "user_id": user, "conversations": 0, "messages": nothing, "memories": nothing,
        "files": nothing,
    }  # fmt: skip
    _, _, file = furnish(tenant, user)
    had = ok(tenant.client.get(path))
    assert had["conversations"] == 2
    assert had["messages"] == {"count": 4, "bytes": 4 * (len(MARK) + 4) + 3 + 3}
    assert had["memories"] == {"count": 1, "bytes": 2 * len(MARK)}
    assert had["files"] == {"count": 1, "bytes": file["size"]}
    problem(tenant.caller(user=make_user(tenant.client)["id"]).get(path), 404, "not_found")
    assert ok(tenant.caller(user=user).get(path)) == had


def test_an_export_holds_everything_of_a_user_and_nothing_of_another(tenant: Tenant) -> None:
    user, other = (make_user(tenant.client, name=MARK)["id"] for _ in range(2))
    conversation, memory, file = furnish(tenant, user)
    furnish(tenant, other)
    found = lines(tenant.client.get(f"/users/{user}/export"))
    by_kind: dict[str, list[Json]] = {}
    for line in found:
        assert line.keys() == {"kind", "data"}
        by_kind.setdefault(line["kind"], []).append(line["data"])
    assert {kind: len(rows) for kind, rows in by_kind.items()} == {
        "user": 1, "conversation": 2, "message": 4, "memory": 1, "file": 1,
    }  # fmt: skip
    assert by_kind["user"][0]["id"] == user
    assert [by_kind[k][0]["id"] for k in ("memory", "file")] == [memory["id"], file["id"]]
    told = [(m["seq"], m["variant"], m["content"]) for m in by_kind["message"]
            if m["conversation_id"] == conversation["id"]]  # fmt: skip
    assert told == [(1, 1, f"{MARK} one"), (1, 2, f"{MARK} edited"), (2, 1, f"{MARK} two")]
    assert other not in str(found)
    problem(tenant.client.get(f"/users/{absent()}/export"), 404, "not_found")


def test_an_export_streams_with_flat_memory(
    server: Server, tenant: Tenant, module_database: Database
) -> None:
    """40,000 messages of 2,000 characters: 80 MB go through, and the process stays as it was."""
    user = make_user(tenant.client)["id"]
    conversation = make_conversation(tenant.client, user)
    module_database.psql(
        "WITH counted AS (UPDATE assistant.conversations SET message_count = 40000 WHERE id = %s"
        "                 RETURNING tenant_id, id, user_id)"
        " INSERT INTO assistant.messages (tenant_id, conversation_id, user_id, seq, role, content)"
        " SELECT tenant_id, id, user_id, s, 'user', repeat('x', 2000)"
        "   FROM counted CROSS JOIN generate_series(1, 40000) AS s",
        conversation["id"],
    )
    before, most, count = resident(server.pid), 0, 0
    with tenant.client.stream("GET", f"/users/{user}/export") as answer:
        for number, chunk in enumerate(answer.iter_bytes(1_000_000)):
            count += chunk.count(b"\n")
            if number % 10 == 0:
                most = max(most, resident(server.pid))
    assert count == 40_002
    assert most - before < 40_000_000, (before, most)


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def test_erasing_a_user_leaves_nothing_and_says_how_many(
    server: Server, tenant: Tenant, module_database: Database
) -> None:
    user, other = (make_user(tenant.client, name=MARK, profile={"k": MARK})["id"] for _ in range(2))
    conversation, memory, file = furnish(tenant, user)
    kept = furnish(tenant, other)
    folder = Path(server.environment["QUARRY_DATA_DIR"]) / "files"
    stored = {path.name for path in folder.rglob("*") if path.is_file()}
    assert file["stored_name"] in stored
    counts = ok(tenant.client.post(f"/users/{user}/erase"))
    assert counts["user_id"] == user
    rows = {"conversations": 2, "messages": 4, "memories": 1, "files": 1, "stored_files": 1}
    assert {name: counts[name] for name in rows} == rows
    assert counts["audit_events"] >= 5 and counts["stored_answers"] == 4
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert stored - left == {file["stored_name"]}
    for table in TABLES[:4]:
        rows = module_database.psql(
            f"SELECT count(*) FROM assistant.{table} WHERE user_id = %s", user
        )
        assert rows == [(0,)], table
    ids = [user, conversation["id"], memory["id"], file["id"]]
    for query in (
        "SELECT count(*) FROM audit.events WHERE row_id = ANY (%s) AND events::text LIKE %s",
        "SELECT count(*) FROM core.idempotency AS i"
        " WHERE headers::text ~ array_to_string(%s::text[], '|')"
        "   AND convert_from(body, 'UTF8') LIKE %s",
    ):
        assert module_database.psql(query, ids, f"%{MARK}%") == [(0,)]
    rows_of = (
        f"conversations/{conversation['id']}",
        f"memories/{memory['id']}",
        f"files/{file['id']}",
    )
    gone = (*rows_of, f"users/{user}", f"users/{user}/export", f"users/{user}/storage")
    for path in (f"/{each}" for each in gone):
        problem(tenant.client.get(path), 404, "not_found")
    again = tenant.client.post("/conversations", json={"user_id": user})
    problem(again, 422, "foreign_key", "/user_id")
    assert len(walk(tenant.client, path_of(kept[0]))) == 2
    assert ok(tenant.client.get(f"/users/{other}/storage"))["files"]["count"] == 1
    twice = ok(tenant.client.post(f"/users/{user}/erase"))
    assert (twice["conversations"], twice["messages"], twice["files"]) == (0, 0, 0)


@pytest.mark.parametrize("what", ["conversations", "branch", "memories", "files"])
def test_nothing_is_made_beside_an_erasure(
    tenant: Tenant, module_database: Database, what: str
) -> None:
    """What begins while the user goes waits for it, and then finds no such user."""
    user = make_user(tenant.client)["id"]
    kept = make_conversation(tenant.client, user, messages=1)["id"]
    make: dict[str, Callable[[], httpx.Response]] = {
        "conversations": lambda: tenant.client.post("/conversations", json={"user_id": user}),
        "branch": lambda: tenant.client.post(f"/conversations/{kept}/branch", json={"at_seq": 1}),
        "memories": lambda: tenant.client.post(
            "/memories", json={"user_id": user, "question": "?", "answer": "x"}
        ),
        "files": lambda: tenant.client.post(
            "/files", files={"file": ("a", user.encode())}, data={"user_id": user}
        ),
    }
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
    with psycopg.connect(module_database.owner_dsn) as erasing, ThreadPoolExecutor(1) as other:
        erasing.execute("UPDATE workspace.users SET deleted_at = now() WHERE id = %s", [user])
        making = other.submit(make[what])
        wait_until(lambda: making.done() or module_database.psql(waits))
        erasing.commit()
        answer = making.result(30)
    assert answer.status_code in (404, 422), answer.text
