"""The store in a server of Valkey's (or Redis') protocol, through redis-py.

A group is a hash, so that it can be counted and dropped without a search. It expires so long after
its first entry, which is never later than any of its entries should.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from service.cache.stores import StoreError

T = TypeVar("T")

_CONNECTIONS = 16
_SEAL_BYTES = 12


class ServerStore:
    """Answers within `budget` seconds or raises StoreError.

    A value carries a seal over its own place: should a connection ever give out another one's
    answer, it is refused instead of shown.
    """

    kind = "server"

    def __init__(self, url: str, budget: float) -> None:
        self._budget = budget
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, timeout=budget, socket_timeout=budget,
            socket_connect_timeout=budget, retry=Retry(NoBackoff(), 0), health_check_interval=0,
        )  # fmt: skip
        self._pool = pool
        self._client: Any = redis.asyncio.Redis(connection_pool=pool)

    async def get(self, group: str, name: str) -> bytes | None:
        """The value, or None."""
        found = await self._within(self._client.hget(group, name))
        if found is None:
            return None
        if found[:_SEAL_BYTES] != _seal(group, name):
            raise StoreError("an answer that belongs to another question")
        return found[_SEAL_BYTES:]  # type: ignore[no-any-return]

    async def put(
        self, group: str, name: str, value: bytes, seconds: float, *, afresh: bool
    ) -> None:
        """Keep a value."""
        pipeline = self._client.pipeline(transaction=False)
        if afresh:
            pipeline.unlink(group)
        pipeline.hset(group, name, _seal(group, name) + value)
        pipeline.expire(group, max(1, int(seconds)), nx=True)
        await self._within(pipeline.execute())

    async def drop(self, groups: Sequence[str]) -> int:
        """Remove groups; how many entries there were."""
        counted = 0
        for start in range(0, len(groups), 1000):
            some = groups[start : start + 1000]
            pipeline = self._client.pipeline(transaction=False)
            for group in some:
                pipeline.hlen(group)
            pipeline.unlink(*some)
            counted += sum((await self._within(pipeline.execute()))[:-1])
        return counted

    async def ping(self) -> None:
        """Whether it answers."""
        await self._within(self._client.ping())

    async def close(self) -> None:
        """Let go of connections."""
        await self._pool.disconnect(inuse_connections=True)

    async def _within(self, call: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._budget):
                return await call
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreError(type(error).__name__) from error


def _seal(group: str, name: str) -> bytes:
    return hashlib.blake2b(f"{group}\n{name}".encode(), digest_size=_SEAL_BYTES).digest()
