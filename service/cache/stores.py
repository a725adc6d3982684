"""Where entries are kept: what a store promises, and the one inside of this process.

Entries belong to a group (`quarry:{schema}:{tenant}:{kind}:{id}`) and have a name in it, which
begins with the generation that they are good for. A group can be dropped as a whole.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

_OVERHEAD = 200  # bytes that an entry takes besides its value, roughly


class Store(Protocol):
    """Every method may raise StoreError, and must end soon: the caller waits for it."""

    kind: str

    async def get(self, group: str, name: str) -> bytes | None:
        """The value, or None."""

    async def put(
        self, group: str, name: str, value: bytes, seconds: float, *, afresh: bool
    ) -> None:
        """Keep a value for so long at most; `afresh`: what else is in the group is dead."""

    async def drop(self, groups: Sequence[str]) -> int:
        """Remove groups; how many entries there were."""

    async def ping(self) -> None:
        """Whether it answers."""

    async def close(self) -> None:
        """Let go of connections."""


class StoreError(Exception):
    """The store did not answer, or not what was asked."""


class MemoryStore:
    """A bounded map in this process: what was not used for longest goes first."""

    kind = "memory"

    def __init__(self, most_bytes: int, clock: Callable[[], float]) -> None:
        self._most = most_bytes
        self._clock = clock
        self._groups: OrderedDict[str, dict[str, tuple[float, bytes]]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    def find(self, group: str, name: str) -> bytes | None:
        """As `get`, without waiting."""
        entries = self._groups.get(group)
        found = None if entries is None else entries.get(name)
        if entries is None or found is None:
            return None
        if found[0] <= self._clock():
            self._forget(group, name)
            return None
        self._groups.move_to_end(group)
        return found[1]

    async def get(self, group: str, name: str) -> bytes | None:
        """The value, or None."""
        return self.find(group, name)

    async def put(
        self, group: str, name: str, value: bytes, seconds: float, *, afresh: bool
    ) -> None:
        """Keep a value, if it is small enough to leave room for others."""
        if afresh:
            self._remove(group)
        if len(value) > self._most // 16:
            return
        if name in self._groups.get(group, ()):
            self._forget(group, name)
        self._groups.setdefault(group, {})[name] = (self._clock() + seconds, value)
        self._groups.move_to_end(group)
        self.bytes += len(value) + _OVERHEAD
        while self.bytes > self._most:
            self._shrink()

    async def drop(self, groups: Sequence[str]) -> int:
        """Remove groups; how many entries there were."""
        return sum(self._remove(group) for group in groups)

    async def ping(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """Forget everything."""
        self._groups.clear()
        self.bytes = 0

    def _shrink(self) -> None:
        """One entry fewer: the oldest of the group that was not used for longest."""
        group, entries = next(iter(self._groups.items()))
        self._forget(group, next(iter(entries)))

    def _forget(self, group: str, name: str) -> None:
        entries = self._groups[group]
        self.bytes -= len(entries.pop(name)[1]) + _OVERHEAD
        if not entries:
            del self._groups[group]

    def _remove(self, group: str) -> int:
        entries = self._groups.pop(group, {})
        self.bytes -= sum(len(value) + _OVERHEAD for _, value in entries.values())
        return len(entries)
