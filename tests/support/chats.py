"""A chat export as other systems give it: conversations in many languages, tools, images.

The same for the same seed. `python -m tests.support.chats URL KEY CONVERSATIONS MESSAGES` loads one
into a server by bulk appends, reads it back and compares it byte for byte.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson

Json = dict[str, Any]

MOST = 500
SAYINGS = (
    "Tôi muốn uống cà phê sữa đá, không đường.",
    "Thời tiết ở Đà Nẵng hôm nay thế nào?",
    "How do I bake a loaf of rye bread?",
    "¿Dónde está la estación más próxima, señor?",
    "Où se trouve la bibliothèque ? C'est fermé…",
    "Größe, Übermut und Straßenbahn: was heißt das?",
    "東京の天気はどうですか。",
    "我想学习编程,从哪里开始?",
    "Как приготовить борщ?",
    "كيف حالك اليوم؟",
    "שלום, מה שלומך?",
    "नमस्ते, आप कैसे हैं?",
    "Zażółć gęślą jaźń",
    "한국어로 대답해 주세요.",
    "👩‍👩‍👧‍👦 and 🇻🇳 and \U0001f9ca",
    'Tab\there, quote " and backslash \\ and </script>',
    "Line one\r\nLine two\n\n    indented\u00a0\u200b",
    "e\u0301 is not é",
    "100 % _under_ 'quoted' -- ; DROP",
)
MODELS = ("gpt-5", "claude-4", "llama-4-70b", None)


def conversations(seed: int, how_many: int, messages: int) -> Iterator[tuple[Json, list[Json]]]:
    """Conversations with their messages, `messages` in all."""
    rng = random.Random(seed)
    lengths = [1] * how_many
    for _ in range(messages - how_many):
        lengths[min(int(rng.expovariate(4 / how_many)), how_many - 1)] += 1
    for number, length in enumerate(lengths):
        head = {
            "title": f"{number}: {rng.choice(SAYINGS)}"[:255], "tags": [rng.choice("abc")],
            "metadata": {"imported_from": {"line": number, "score": rng.random()}},
        }  # fmt: skip
        yield head, [_message(rng, n) for n in range(length)]


def _message(rng: random.Random, number: int) -> Json:
    text = " ".join(rng.choice(SAYINGS) for _ in range(rng.choice((1, 1, 2, 5, 20))))
    if number % 2 == 0:
        message: Json = {"role": "user", "content": text}
        if rng.random() < 0.1:
            message["images"] = [{"url": f"https://x.example/{rng.random()}.png", "detail": "low"}]
        return message
    message = {"role": "assistant", "content": text, "token_count": len(text) // 4}
    if model := rng.choice(MODELS):
        message["model"] = model
    if rng.random() < 0.2:
        message["content"] = rng.choice(("", text))
        arguments = {"q": rng.choice(SAYINGS), "n": rng.randrange(2**60), "deep": [[{"x": None}]]}
        message["tool_calls"] = [
            {"id": f"call_{rng.random()}", "name": "f", "arguments": arguments}
        ]
    elif rng.random() < 0.1:
        message |= {"role": "tool", "tool_results": [{"ok": True, "rows": [1.5, -2e-7, "x"]}]}
    return message


def canonical(messages: list[Json]) -> bytes:
    """What was said, as bytes: the same for what was sent and for what came back."""
    fields = ("role", "content", "model", "tool_calls", "tool_results", "images", "token_count")
    told = [{name: m.get(name) for name in fields} for m in messages]
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


class Loader:
    """Loads an export for one user, and compares it with what the server gives back."""

    def __init__(self, client: httpx.Client, user: str) -> None:
        self._client, self._user = client, user

    def load(self, head: Json, messages: list[Json]) -> tuple[str, str]:
        """The id of the new conversation, and the hash of what it holds."""
        made = self._ok(self._client.post("/conversations", json=head | {"user_id": self._user}))
        path = f"/conversations/{made['id']}/messages"
        for start in range(0, len(messages), MOST):
            body = orjson.dumps(messages[start : start + MOST])
            headers = {
                "Content-Type": "application/json", "Idempotency-Key": f"{made['id']}-{start}",
            }  # fmt: skip
            answer = self._ok(self._client.post(path, content=body, headers=headers))
            assert answer["first_seq"] == start + 1
        return made["id"], hashlib.sha256(canonical(messages)).hexdigest()

    def is_as_sent(self, conversation: str, sent: str) -> bool:
        """Whether what comes back is what was sent, numbered 1, 2, 3 …"""
        messages: list[Json] = []
        while True:
            query = {"limit": "200", "after_seq": str(len(messages))}
            path = f"/conversations/{conversation}/messages"
            page = self._ok(self._client.get(path, params=query))["items"]
            messages += page
            if len(page) < 200:
                break
        assert [m["seq"] for m in messages] == list(range(1, len(messages) + 1))
        return hashlib.sha256(canonical(messages)).hexdigest() == sent

    def _ok(self, answer: httpx.Response) -> Any:
        assert answer.status_code in (200, 201), answer.text
        return answer.json()


def main(url: str, key: str, how_many: int, messages: int) -> int:
    """Load, read back, compare; how many conversations differ."""
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60, limits=limits
    ) as client, ThreadPoolExecutor(8) as pool:  # fmt: skip
        user = client.post(
            "/users", json={"email": f"import{time.time()}@example.org", "name": "Import"}
        ).json()["id"]  # fmt: skip
        loader = Loader(client, user)
        began = time.monotonic()
        loaded = list(pool.map(lambda c: loader.load(*c), conversations(1, how_many, messages)))
        wrote = time.monotonic() - began
        same = list(pool.map(lambda pair: loader.is_as_sent(*pair), loaded))
        back = time.monotonic() - began - wrote
        print(f"{how_many} conversations, {messages} messages of user {user}:")
        print(f"{wrote:.1f} s in, {back:.1f} s back, {same.count(False)} differ")
        return same.count(False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])) != 0)
