"""What the promises about the assistant have in common: conversations with messages."""

from __future__ import annotations

from typing import Any

import httpx

from tests.promises.helpers import Json, ok, walk


def make_conversation(client: httpx.Client, user: str, messages: int = 0, **fields: Any) -> Json:
    """A new conversation, with so many messages `m1`, `m2` … of user and assistant in turn."""
    made: Json = ok(client.post("/conversations", json={"user_id": user} | fields), 201)
    if messages:
        turns = [
            {"role": ("assistant", "user")[n % 2], "content": f"m{n}"}
            for n in range(1, messages + 1)
        ]
        ok(client.post(path_of(made), json=turns), 201)
    return made


def path_of(conversation: Json, *rest: object) -> str:
    """The path of its messages, or of what is below them."""
    return "/".join(map(str, (f"/conversations/{conversation['id']}/messages", *rest)))


def say(client: httpx.Client, conversation: Json, content: str, **fields: Any) -> Json:
    """Append a message."""
    body = {"role": "user", "content": content} | fields
    made: Json = ok(client.post(path_of(conversation), json=body), 201)
    return made


def contents(client: httpx.Client, conversation: Json, **query: Any) -> list[str]:
    """The active messages' texts, in order."""
    return [m["content"] for m in walk(client, path_of(conversation), **query)]


def etag(client: httpx.Client, path: str, **query: Any) -> str:
    """The ETag of a resource."""
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]
