"""Who owns whom: sums per owned entity, and cycles."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct


class Link(Struct, frozen=True):
    """`owner` holds `percent` of `owned`."""

    owner: str
    owned: str
    relationship_type: str
    percent: Decimal

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two links the same one, the later in place of the earlier."""
        return self.owner, self.owned, self.relationship_type


def merged(earlier: Iterable[Link], later: Iterable[Link]) -> dict[tuple[str, str, str], Link]:
    """All links; a later one replaces an earlier one of the same key."""
    return {link.key: link for link in (*earlier, *later)}


def totals(links: Iterable[Link]) -> dict[str, Decimal]:
    """Owned entity → the sum of what its owners hold."""
    sums: dict[str, Decimal] = {}
    for link in links:
        sums[link.owned] = sums.get(link.owned, Decimal(0)) + link.percent
    return sums


def cycles(links: Iterable[Link]) -> list[list[str]]:
    """The groups of entities that own each other in a circle (Tarjan, without recursion)."""
    graph: dict[str, list[str]] = {}
    for link in links:
        graph.setdefault(link.owner, []).append(link.owned)
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    on_path: set[str] = set()
    found: list[list[str]] = []
    for root in list(graph):
        if root in number:
            continue
        work = [(root, iter(graph[root]))]
        _enter(root, number, low, path, on_path)
        while work:
            node, following = work[-1]
            for other in following:
                if other not in number:
                    _enter(other, number, low, path, on_path)
                    work.append((other, iter(graph.get(other, ()))))
                    break
                if other in on_path:
                    low[node] = min(low[node], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    group = _leave(node, path, on_path)
                    if len(group) > 1:
                        found.append(group)
    return found


def _enter(
    node: str, number: dict[str, int], low: dict[str, int], path: list[str], on_path: set[str]
) -> None:
    number[node] = low[node] = len(number)
    path.append(node)
    on_path.add(node)


def _leave(node: str, path: list[str], on_path: set[str]) -> list[str]:
    group: list[str] = []
    while not group or group[-1] != node:
        group.append(path.pop())
    on_path.difference_update(group)
    return group[::-1]
