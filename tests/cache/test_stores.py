"""The stores: bounded, expiring, and never another one's answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from service.cache.cache import Cache, Entry
from service.cache.server import ServerStore
from service.cache.stores import MemoryStore, StoreError
from tests.support.valkey import Valkey


class Clock:
    """A clock that stands until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    server = Valkey()
    yield server
    server.resume()
    server.kill()


def test_memory_is_bounded_and_forgets_what_was_not_used_for_longest() -> None:
    async def run() -> None:
        store = MemoryStore(100_000, Clock())
        for number in range(200):
            await store.put(f"g{number}", "n", b"x" * 1000, 60, afresh=False)
            assert store.find("g0", "n") is not None  # used all the time
            assert store.bytes <= 100_000
        assert store.find("g1", "n") is None and store.find("g199", "n") is not None
        assert len(store) == 100_000 // 1200
        await store.put("big", "n", b"x" * 50_000, 60, afresh=False)
        assert store.find("big", "n") is None
        assert await store.drop(["g0", "g199", "nobody"]) == 2
        await store.close()
        assert (store.bytes, len(store)) == (0, 0)

    asyncio.run(run())


def test_memory_counts_what_it_holds_whatever_happens() -> None:
    async def run() -> None:
        clock, rng = Clock(), random.Random(3)
        store = MemoryStore(40_000, clock)
        for _ in range(3000):
            group, name = f"g{rng.randrange(9)}", f"n{rng.randrange(9)}"
            if rng.random() < 0.5:
                value = b"x" * rng.randrange(2000)
                await store.put(group, name, value, rng.randrange(1, 9), afresh=rng.random() < 0.1)
            elif rng.random() < 0.1:
                await store.drop([group])
            else:
                store.find(group, name)
            clock.now += rng.random()
            held = [value for g in store._groups.values() for _, value in g.values()]
            assert store.bytes == sum(len(value) + 200 for value in held) <= 40_000

    asyncio.run(run())


def test_an_entry_expires() -> None:
    async def run() -> None:
        clock = Clock()
        store = MemoryStore(10_000, clock)
        await store.put("g", "n", b"x", 60, afresh=False)
        clock.now = 59.9
        assert store.find("g", "n") == b"x"
        clock.now = 60.0
        assert store.find("g", "n") is None and store.bytes == 0

    asyncio.run(run())


def test_what_is_cancelled_never_gives_its_answer_to_another(valkey: Valkey) -> None:
    """Thousands of questions, many of them given up half-way: every answer is its own."""

    async def run() -> int:
        store, rng, right = ServerStore(valkey.url, 2.0), random.Random(5), 0
        for number in range(50):
            await store.put("g", f"n{number}", b"%d" % number, 600, afresh=False)

        async def ask(number: int) -> None:
            nonlocal right
            assert await store.get("g", f"n{number}") == b"%d" % number
            right += 1

        for _ in range(150):
            asked = [asyncio.ensure_future(ask(rng.randrange(50))) for _ in range(20)]
            for _ in range(rng.randrange(6)):
                await asyncio.sleep(0)
            for task in rng.sample(asked, 8):
                task.cancel()
            for outcome in await asyncio.gather(*asked, return_exceptions=True):
                if isinstance(outcome, AssertionError | StoreError):
                    raise outcome
        await store.close()
        return right

    assert asyncio.run(run()) >= 150 * 12


def test_a_value_under_another_name_is_refused(valkey: Valkey) -> None:
    async def run() -> None:
        store = ServerStore(valkey.url, 2.0)
        await store.put("g", "one", b"x", 600, afresh=False)
        with valkey.client() as looking:
            looking.hset("g", "two", looking.hget("g", "one"))
        assert await store.get("g", "one") == b"x"
        with pytest.raises(StoreError):
            await store.get("g", "two")
        await store.close()

    asyncio.run(run())


def test_a_stalled_server_is_given_up_within_the_budget(valkey: Valkey) -> None:
    async def run() -> None:
        store = ServerStore(valkey.url, 0.05)
        await store.ping()
        valkey.pause()
        try:
            for call in (
                store.get("g", "n"),
                store.put("g", "n", b"", 1, afresh=True),
                store.ping(),
            ):
                with pytest.raises(StoreError):
                    await asyncio.wait_for(call, 5)
        finally:
            valkey.resume()
        await store.close()

    asyncio.run(run())


def test_a_client_who_leaves_takes_nothing_from_those_who_wait() -> None:
    async def run() -> None:
        cache = Cache(MemoryStore(100_000, Clock()), "s", {"page": 60.0}, 10.0)
        made, gate = 0, asyncio.Event()

        async def make() -> Entry:
            nonlocal made
            made += 1
            await gate.wait()
            return Entry(b"body", "1", "link")

        asked = [
            asyncio.ensure_future(cache.through("page", "t", "g", "1", "n", make)) for _ in range(5)
        ]
        await asyncio.sleep(0)
        asked[0].cancel()
        gate.set()
        rest = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(rest[0], asyncio.CancelledError)
        assert rest[1:] == [Entry(b"body", "1", "link")] * 4 and made == 1
        assert await cache.through("page", "t", "g", "1", "n", make) == rest[1]
        await cache.through("page", "t", "g", "2", "n", make)
        assert made == 2 and cache.figures["page"].invalidations == 1
        await cache.close()

    asyncio.run(run())


def test_who_waits_for_anothers_failure_tries_for_himself() -> None:
    async def run() -> None:
        cache = Cache(MemoryStore(100_000, Clock()), "s", {"page": 60.0}, 10.0)
        gate = asyncio.Event()

        async def fail() -> Entry:
            await gate.wait()
            raise ValueError

        async def succeed() -> Entry:
            return Entry(b"body")

        first = asyncio.ensure_future(cache.through("page", "t", "g", "1", "n", fail))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(cache.through("page", "t", "g", "1", "n", succeed))
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(ValueError):
            await first
        assert await second == Entry(b"body")
        await cache.close()

    asyncio.run(run())
