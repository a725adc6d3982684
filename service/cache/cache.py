"""What handlers use: an answer from the cache, or made once for all who ask at the same time."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import structlog

from service.cache.stores import MemoryStore, Store, StoreError

log = structlog.get_logger("quarry.cache")

_LENGTHS = struct.Struct("!HI")
_JITTER = 0.1
_MOST_BYTES = 1024 * 1024  # of an entry
_REMEMBERED = 10_000  # groups whose last generation is remembered
_EMPTY = b'{"items": []'


class Entry(NamedTuple):
    """An answer's bytes, with the headers that go with them ("" when there is none)."""

    body: bytes
    etag: str = ""
    link: str = ""

    def packed(self) -> bytes:
        """As it is stored."""
        etag, link = self.etag.encode(), self.link.encode()
        return _LENGTHS.pack(len(etag), len(link)) + etag + link + self.body

    @classmethod
    def unpacked(cls, value: bytes) -> Entry:
        """The reverse of `packed`."""
        etag_end = _LENGTHS.size + (lengths := _LENGTHS.unpack_from(value))[0]
        link_end = etag_end + lengths[1]
        return cls(
            value[link_end:], value[_LENGTHS.size : etag_end].decode(),
            value[etag_end:link_end].decode(),
        )  # fmt: skip


@dataclass(slots=True)
class Figures:
    """What this process has seen of one kind of entries. Seconds are those spent in the store."""

    hits: int = 0
    misses: int = 0
    joined: int = 0  # waited for the same answer, which another request was making
    skipped: int = 0  # the store was not asked: it had failed moments ago
    errors: int = 0
    stored: int = 0
    invalidations: int = 0  # groups that were found to have a new generation, or were dropped
    seconds: float = 0.0

    @property
    def hit_rate(self) -> float | None:
        """Hits of all that were looked for; None before the first."""
        asked = self.hits + self.misses + self.joined + self.skipped
        return (self.hits + self.joined) / asked if asked else None


Make = Callable[[], Awaitable[Entry]]


class Cache:
    """Kinds of entries with their seconds to live; a kind without any passes by.

    `form` tells what decides about the bytes of answers: entries of other queries are not found.

    A store that fails or is slower than its budget is not asked for `pause` seconds.
    """

    def __init__(
        self, store: Store, schema: str, seconds: Mapping[str, float], absent_seconds: float,
        pause: float = 5.0, form: Callable[[Mapping[str, Any]], str] = lambda _: "",
    ) -> None:  # fmt: skip
        self.store = store
        self.figures = {kind: Figures() for kind in seconds}
        self._prefix = f"quarry:{schema}"
        self._seconds = seconds
        self._absent_seconds = absent_seconds
        self._pause = pause
        self._form = form
        self._forms: list[tuple[Mapping[str, Any], str]] = []
        self._open_until = 0.0
        self._loop = asyncio.get_running_loop()
        self._flights: dict[tuple[str, str], asyncio.Task[Entry]] = {}
        self._generations: OrderedDict[str, str] = OrderedDict()
        self._memory = store if isinstance(store, MemoryStore) else None

    def form_of(self, queries: Mapping[str, Any]) -> str:
        """What entries made by these queries have in their names."""
        for known, form in self._forms:
            if known is queries:
                return form
        self._forms = [(queries, self._form(queries)), *self._forms[:1]]
        return self._forms[0][1]

    def on(self, kind: str) -> bool:
        """Whether answers of this kind are kept."""
        return kind in self._seconds

    @property
    def open(self) -> bool:
        """Whether the store is not asked for the moment."""
        return self._loop.time() < self._open_until

    async def through(
        self, kind: str, tenant: Any, group_id: Any, generation: str, name: str, make: Make
    ) -> Entry:
        """The answer `name` of a group at this generation, which the database has just told.

        `make` is called when it is not there, once for all who ask meanwhile; it is run in a task
        of its own, so that a client who hangs up takes nothing from the others.
        """
        figures = self.figures[kind]
        group, name = self._group(kind, tenant, group_id), f"{generation}:{name}"
        if self._memory is not None and (found := self._memory.find(group, name)) is not None:
            figures.hits += 1
            return Entry.unpacked(found)
        flight = self._flights.get((group, name))
        if flight is not None:
            figures.joined += 1
            try:
                return await asyncio.shield(flight)
            except Exception:  # it was another request's failure, such as a short deadline
                return await make()
        flight = self._loop.create_task(self._load(kind, group, generation, name, make))
        self._flights[group, name] = flight
        flight.add_done_callback(lambda done: self._landed((group, name), done))
        return await asyncio.shield(flight)

    async def drop(self, kind: str, tenant: Any, group_ids: Sequence[Any]) -> int:
        """Remove groups from the store, after the commit that ended them; how many entries."""
        groups = [self._group(kind, tenant, each) for each in group_ids]
        if kind not in self._seconds or not groups:
            return 0
        self.figures[kind].invalidations += len(groups)
        return await self._asked(kind, self.store.drop(groups)) or 0

    async def ping(self) -> bool:
        """Whether the store answers; while it rests it is not asked."""
        if self.open:
            return False
        try:
            await self.store.ping()
        except StoreError as error:
            self._rest(error)
            return False
        return True

    async def close(self) -> None:
        """End what is under way and let go of the store."""
        for flight in self._flights.values():
            flight.cancel()
        await asyncio.gather(*self._flights.values(), return_exceptions=True)
        await self.store.close()

    async def _load(self, kind: str, group: str, generation: str, name: str, make: Make) -> Entry:
        figures = self.figures[kind]
        found: bytes | None = None
        if self.open:
            figures.skipped += 1
        else:
            found = await self._asked(kind, self.store.get(group, name))
            if found is not None:
                figures.hits += 1
                return Entry.unpacked(found)
            figures.misses += 1
        made = await make()
        value = made.packed()
        if len(value) <= _MOST_BYTES and not self.open:
            afresh = self._is_new(kind, group, generation)
            seconds = self._absent_seconds if made.body.startswith(_EMPTY) else self._seconds[kind]
            seconds *= random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
            await self._asked(kind, self.store.put(group, name, value, seconds, afresh=afresh))
            figures.stored += 1
        return made

    async def _asked(self, kind: str, call: Awaitable[Any]) -> Any:
        """The store's answer, or None when it fails."""
        figures = self.figures[kind]
        began = perf_counter()
        try:
            return await call
        except StoreError as error:
            figures.errors += 1
            self._rest(error)
            return None
        finally:
            figures.seconds += perf_counter() - began

    def _rest(self, error: StoreError) -> None:
        if not self.open:
            log.warning("cache.rests", seconds=self._pause, reason=str(error))
        self._open_until = self._loop.time() + self._pause

    def _is_new(self, kind: str, group: str, generation: str) -> bool:
        """Whether the group had another generation before, as far as this process knows."""
        before = self._generations.pop(group, None)
        self._generations[group] = generation
        if len(self._generations) > _REMEMBERED:
            self._generations.popitem(last=False)
        is_new = before is not None and before != generation
        self.figures[kind].invalidations += is_new
        return is_new

    def _landed(self, key: tuple[str, str], flight: asyncio.Task[Entry]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # seen, even when nobody waits any more

    def _group(self, kind: str, tenant: Any, group_id: Any) -> str:
        return f"{self._prefix}:{tenant}:{kind}:{group_id}"


def summary(cache: Cache) -> dict[str, object]:
    """For /health/cache: what each kind has seen."""
    return {
        kind: {
            "hits": seen.hits, "misses": seen.misses, "joined": seen.joined,
            "skipped": seen.skipped, "errors": seen.errors, "invalidations": seen.invalidations,
            "hit_rate": None if seen.hit_rate is None else round(seen.hit_rate, 4),
            "mean_ms": round(
                seen.seconds * 1000 / max(1, seen.hits + seen.misses + seen.stored), 4
            ),
        }
        for kind, seen in cache.figures.items()
    }  # fmt: skip


def exposition(cache: Cache) -> Iterator[str]:
    """The metrics in Prometheus' text format, line by line."""
    yield "# HELP quarry_cache_lookups_total Answers looked for, by outcome.\n"
    yield "# TYPE quarry_cache_lookups_total counter\n"
    for kind, seen in cache.figures.items():
        for outcome in ("hits", "misses", "joined", "skipped"):
            labels = f'kind="{kind}",outcome="{outcome}"'
            yield f"quarry_cache_lookups_total{{{labels}}} {getattr(seen, outcome)}\n"
    for name in ("errors", "stored", "invalidations"):
        yield f"# TYPE quarry_cache_{name}_total counter\n"
        for kind, seen in cache.figures.items():
            yield f'quarry_cache_{name}_total{{kind="{kind}"}} {getattr(seen, name)}\n'
    yield "# TYPE quarry_cache_store_seconds_total counter\n"
    for kind, seen in cache.figures.items():
        yield f'quarry_cache_store_seconds_total{{kind="{kind}"}} {seen.seconds:.6f}\n'
    yield "# TYPE quarry_cache_hit_rate gauge\n"
    for kind, seen in cache.figures.items():
        if seen.hit_rate is not None:
            yield f'quarry_cache_hit_rate{{kind="{kind}"}} {seen.hit_rate:.4f}\n'
    yield f"# TYPE quarry_cache_resting gauge\nquarry_cache_resting {int(cache.open)}\n"
