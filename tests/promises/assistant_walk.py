"""The walk of test_contract_of_answers.py through the assistant's operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ABSENT = "01890000-0000-7000-8000-000000000000"
ONE = "/conversations/{conversation_id}"
MESSAGES, MESSAGE = ONE + "/messages", ONE + "/messages/{seq}"
Call = Callable[..., Any]


def walk_assistant(call: Any, lists: Call, unchanged: Call) -> None:
    """Every operation of the assistant; a conversation with a message stays."""
    walk_conversations(call, lists, unchanged)
    walk_messages(call, lists)
    walk_memories(call, lists, unchanged)
    walk_files(call, lists, unchanged)
    walk_possessions(call)


def walk_conversations(call: Any, lists: Call, unchanged: Call) -> None:
    user = call.known["user_id"]
    whose = {"params": {"user_id": user}}
    new = {"user_id": user, "title": "Café", "tags": ["a"], "metadata": {"b": [1, None]}}
    kept = call("POST", "/conversations", status=201, json=new)["id"]
    call.known |= {"conversation_id": kept, "seq": "1"}
    call("POST", "/conversations", status=422, json=new | {"user_id": ABSENT})
    lists(call, "/conversations", total=False, **whose)
    call("GET", "/conversations", status=200, params=whose["params"] | {"include_total": "true"})
    call("GET", "/conversations", status=422)
    turns = [{"role": "user", "content": "Café?"}, {"role": "assistant", "content": "Café!"}]
    call("POST", MESSAGES, kept, status=201, json=turns)
    unchanged(call, ONE, kept)
    unchanged(call, ONE, kept, params={"include": "messages"})
    match = {"If-Match": "*"}
    call("PATCH", ONE, kept, status=200, headers=match, json={"is_pinned": True})
    call("PATCH", ONE, kept, status=412, headers={"If-Match": '"1"'}, json={"is_pinned": True})
    call("POST", ONE + "/restore", kept, status=409)
    child = call("POST", ONE + "/branch", kept, status=201, json={"at_seq": 1})["id"]
    call("POST", ONE + "/branch", kept, status=422, json={"at_seq": 99})
    call("DELETE", ONE, child, status=204, headers=match)
    call("POST", ONE + "/restore", child, status=200)
    purge = {"params": {"purge": "true"}}
    call("DELETE", ONE, child, status=412, headers={"If-Match": '"1"'}, **purge)
    call("DELETE", ONE, child, status=204, headers=match, **purge)


def walk_messages(call: Any, lists: Call) -> None:
    kept, user = call.known["conversation_id"], call.known["user_id"]
    tools = {
        "role": "assistant", "tool_calls": [{"id": "1", "name": "look"}], "model": "m",
        "images": [{"url": "x"}], "token_count": 3, "metadata": {},
    }  # fmt: skip
    call("POST", MESSAGES, kept, status=201, json=tools)
    call("POST", MESSAGES, kept, status=422, json={"role": "user", "content": ""})
    call("POST", MESSAGES + "/bulk", kept, status=201, json=[tools])
    call("POST", MESSAGES + "/bulk", kept, status=422, json=[{}] * 2)
    lists(call, MESSAGES, kept)
    call("GET", MESSAGES, kept, status=200, params={"before_seq": 3})
    call("GET", MESSAGE, kept, "1", status=200)
    call("GET", MESSAGE, kept, "99", status=404)
    call("PATCH", MESSAGE, kept, "1", status=200, json={"content": "Tea?"})
    foreign = {"role": "user", "content": "x", "files": [ABSENT]}
    call("POST", MESSAGES, kept, status=422, json=foreign)
    call("POST", MESSAGES + "/bulk", kept, status=422, json=[foreign])
    call("PATCH", MESSAGE, kept, "1", status=422, json={"files": [ABSENT]})
    call("POST", MESSAGE + "/regenerate", kept, "2", status=201, json={"content": "Tea!"})
    call("POST", MESSAGE + "/regenerate", kept, "1", status=409, json={"content": "Tea!"})
    lists(call, MESSAGE + "/variants", kept, "2")
    call("PUT", MESSAGE + "/active", kept, "2", status=200, json={"variant": 1})
    call("PUT", MESSAGE + "/active", kept, "2", status=422, json={"variant": 7})
    lists(call, "/messages/search", params={"user_id": user, "q": "cafe"})


def walk_memories(call: Any, lists: Call, unchanged: Call) -> None:
    user = call.known["user_id"]
    new = {"user_id": user, "question": "Drinks?", "answer": "Cà phê", "tags": ["a"]}
    kept = call.known["memory_id"] = call("POST", "/memories", status=201, json=new)["id"]
    call("POST", "/memories", status=422, json=new | {"user_id": ABSENT})
    call("POST", "/memories", status=422, json=new | {"conversation_id": ABSENT})
    one, match = "/memories/{memory_id}", {"If-Match": "*"}
    unchanged(call, one, kept)
    call("PATCH", one, kept, status=200, headers=match, json={"used": True, "importance": 9})
    lists(call, "/memories", params={"user_id": user})
    lists(call, "/memories", params={"user_id": user, "q": "ca phe"})
    gone = call("POST", "/memories", status=201, json=new)["id"]
    call("DELETE", one, gone, status=204, headers=match)
    conversation = call.known["conversation_id"]
    call("GET", ONE + "/context", conversation, status=200, params={"max_tokens": 100})


def walk_files(call: Any, lists: Call, unchanged: Call) -> None:
    user, conversation = call.known["user_id"], call.known["conversation_id"]
    sent: Any = {"files": {"file": ("a.txt", b"stone", "text/plain")}, "data": {"user_id": user}}
    kept = call.known["file_id"] = call("POST", "/files", status=201, **sent)["id"]
    call("POST", "/files", status=200, **sent)
    call("POST", "/files", status=422, files=sent["files"], data={"user_id": "x"})
    call("POST", "/files", status=422, files=sent["files"], data={"user_id": ABSENT})
    call("POST", "/files", status=413, files={"file": ("big", b"x" * 60_000)}, data=sent["data"])
    elsewhere = {
        "user_id": user, "conversation_id": conversation, "original_name": "b.png",
        "mime_type": "image/png", "size": 7, "path": "s3://bucket/b.png",
    }  # fmt: skip
    other = call("POST", "/files", status=201, json=elsewhere)["id"]
    one = "/files/{file_id}"
    call("GET", one, kept, status=200)
    lists(call, "/files", params={"user_id": user})
    lists(call, "/files", params={"user_id": user, "conversation_id": conversation})
    content = one + "/content"
    unchanged(call, content, kept)
    call("GET", content, kept, status=206, headers={"Range": "bytes=1-2"})
    call("GET", content, kept, status=416, headers={"Range": "bytes=99-"})
    call("GET", content, other, status=409)
    call("POST", one + "/processed", other, status=200, json={"analysis": {"words": 1}})
    call("POST", one + "/processed", other, status=409, json={"error": "unreadable"})
    call("POST", one + "/processed", kept, status=422, json={})
    call("DELETE", one, other, status=204)


def walk_possessions(call: Any) -> None:
    user = call.known["user_id"]
    call("GET", "/users/{user_id}/storage", user, status=200)
    call("GET", "/users/{user_id}/export", user, status=200)
