"""Reads and writes in no order through all workers, each read held against the writes before it.

A write that was acknowledged raises a floor: no read that begins later, through whichever worker,
may show less. `python -m tests.support.checker URL KEY USER COUNT` runs it against a server.
"""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx

CONVERSATIONS, MEMORIES, THREADS = 6, 3, 12
_WRITES = 0.25


class Checker:
    """Clients of a server, things that change, and what each has certainly come to."""

    def __init__(self, url: str, key: str, user: str, seed: int = 1) -> None:
        self._url, self._key, self._user = url, key, user
        self._seed = seed
        self._locks: dict[str, threading.Lock] = {}
        self.floor: dict[str, int] = {}
        self.stale: list[str] = []
        self.seen: Counter[str] = Counter()
        self._left = 0
        self._counting = threading.Lock()
        with self._client() as client:
            self.conversations = [
                client.post("/conversations", json={"user_id": user}).json()["id"]
                for _ in range(CONVERSATIONS)
            ]
            self.memories = [self._keep(client, n) for n in range(MEMORIES)]
        for each in [*self.conversations, *self.memories]:
            self._locks[each], self.floor[each] = threading.Lock(), 0

    def run(self, count: int, between: Callable[[int], None] | None = None) -> None:
        """So many reads and writes; `between` is told now and then how many are left."""
        self._left = count
        threads = [
            threading.Thread(target=self._work, args=(random.Random(self._seed * 1000 + n),))
            for n in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            if between is not None:
                between(self._left)
            threads[0].join(0.05)
        for thread in threads:
            thread.join()

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self._key}"}
        return httpx.Client(base_url=self._url, headers=headers, timeout=30)

    def _keep(self, client: httpx.Client, number: int) -> str:
        body = {"user_id": self._user, "question": f"stone{number}", "answer": "count 0 end"}
        made: str = client.post("/memories", json=body).json()["id"]
        return made

    def _work(self, rng: random.Random) -> None:
        """A new connection now and then, so that every worker is asked and told."""
        while True:
            with self._client() as client:
                for _ in range(rng.randrange(5, 40)):
                    with self._counting:
                        if self._left <= 0:
                            return
                        self._left -= 1
                    try:
                        self._step(client, rng)
                    except Exception as error:
                        self.stale.append(f"{type(error).__name__}: {error}")

    def _step(self, client: httpx.Client, rng: random.Random) -> None:
        if rng.random() < 0.3:
            number = rng.randrange(MEMORIES)
            memory = self.memories[number]
            if rng.random() < _WRITES:
                self._change_memory(client, memory)
            else:
                self._search(client, number, memory)
            return
        conversation = rng.choice(self.conversations)
        if rng.random() < _WRITES:
            self._append(client, conversation)
        else:
            self._read(client, conversation, rng.random() < 0.5)

    def _append(self, client: httpx.Client, conversation: str) -> None:
        made = self._ok(
            client.post(f"/conversations/{conversation}/messages",
                        json={"role": "user", "content": "x"}), 201,
        )  # fmt: skip
        self._raise(conversation, made["seq"])
        self.seen["write"] += 1

    def _read(self, client: httpx.Client, conversation: str, with_head: bool) -> None:
        floor = self.floor[conversation]
        if with_head:
            asked = {"include": "messages", "message_limit": 3}
            got = self._ok(client.get(f"/conversations/{conversation}", params=asked))
            newest = max([m["seq"] for m in got["messages"]], default=0)
            shown = min(got["message_count"], newest)
        else:
            path = f"/conversations/{conversation}/messages"
            got = self._ok(client.get(path, params={"before_seq": 1_000_000, "limit": 3}))
            shown = max([m["seq"] for m in got["items"]], default=0)
        self._hold("messages", conversation, shown, floor)

    def _change_memory(self, client: httpx.Client, memory: str) -> None:
        with self._locks[memory]:  # one writer at a time, so that its number only grows
            value = self.floor[memory] + 1
            self._ok(
                client.patch(f"/memories/{memory}", json={"answer": f"count {value} end"},
                             headers={"If-Match": "*"})
            )  # fmt: skip
            self.floor[memory] = value
        self.seen["write"] += 1

    def _search(self, client: httpx.Client, number: int, memory: str) -> None:
        floor = self.floor[memory]
        asked = {"user_id": self._user, "q": f"stone{number}"}
        got = self._ok(client.get("/memories", params=asked))
        found = [m for m in got["items"] if m["id"] == memory]
        shown = int(found[0]["answer"].split()[1]) if found else -1
        self._hold("search", memory, shown, floor)

    def _hold(self, what: str, thing: str, shown: int, floor: int) -> None:
        self.seen[what] += 1
        if shown < floor:
            self.stale.append(f"{what} of {thing}: {shown} was shown after {floor}")

    def _raise(self, thing: str, value: int) -> None:
        with self._locks[thing]:
            self.floor[thing] = max(self.floor[thing], value)

    def _ok(self, answer: httpx.Response, status: int = 200) -> Any:
        if answer.status_code != status:
            raise AssertionError(f"{answer.status_code} {answer.text[:200]}")
        return answer.json()


if __name__ == "__main__":
    checker = Checker(*sys.argv[1:4])
    checker.run(int(sys.argv[4]))
    print(dict(checker.seen), f"{len(checker.stale)} wrong", checker.stale[:5])
    sys.exit(1 if checker.stale else 0)
