"""The operations that are measured, and the requests that they are made of.

Requests are made once, written to a file and replayed by wrk and by the open-loop generator: what
makes them costs no load, and every contestant gets the same ones in the same order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.plan import BULK_CONNECTIONS, BULK_ROWS, LIST_ROWS, METRICS_DAYS, SEED, Scale
from service.operations.reference import data

VERSION = "@VERSION@"  # in an If-Match: 1 in the first pass over the requests, 2 in the second, …


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a tenant."""

    method: str
    path: str
    tenant: int
    body: bytes = b""
    versioned: bool = False

    def wire(self, keys: list[str]) -> bytes:
        """The request's bytes; VERSION stands for the version that If-Match wants."""
        head = (
            f"{self.method} {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {keys[self.tenant]}\r\n"
        )
        if self.versioned:
            head += f'If-Match: "{VERSION}"\r\n'
        if self.body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(self.body)}\r\n"
        return head.encode() + b"\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Operation:
    """What is measured: how it is called, how it is answered, what it leaves behind."""

    name: str
    title: str
    status: int
    calls: Callable[[Scale, random.Random], Iterator[Call]]
    count: int  # different requests in a file
    table: str = ""  # a write: the table whose audit events show it
    rows: int = 1  # a write: how many of them
    connections: int | None = None  # at most so many

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return bool(self.table)


def _project(scale: Scale, number: int) -> tuple[str, int]:
    """A project's path and its tenant."""
    return f"/projects/{data.identifier(data.PROJECT, number)}", number % scale.tenants


def _anywhere(scale: Scale, chance: random.Random) -> Iterator[tuple[str, int]]:
    while True:
        yield _project(scale, chance.randrange(scale.projects))


def _get(scale: Scale, chance: random.Random) -> Iterator[Call]:
    return (Call("GET", path, tenant) for path, tenant in _anywhere(scale, chance))


def _list(scale: Scale, chance: random.Random) -> Iterator[Call]:
    while True:
        yield Call("GET", f"/projects?limit={LIST_ROWS}", chance.randrange(scale.tenants))


def new_project(chance: random.Random) -> dict[str, object]:
    """The body of a POST: no creator, as by a key that is bound to no user."""
    return {
        "name": data.project_name(chance),
        "language": chance.choice(data.LANGUAGES),
        "status": "active",
        "metadata": data.metadata(chance),
    }


def new_document(chance: random.Random) -> dict[str, object]:
    """The body of a document's next version."""
    return {"document_type": "brief", "content": data.text(chance), "readability_score": 61.5}


def changed_project(chance: random.Random) -> dict[str, object]:
    """The body of a PUT."""
    return {"name": data.project_name(chance), "status": "in_review", "current_step": 2}


def _create(scale: Scale, chance: random.Random) -> Iterator[Call]:
    while True:
        body = orjson.dumps(new_project(chance))
        yield Call("POST", "/projects", chance.randrange(scale.tenants), body)


def _update(scale: Scale, chance: random.Random) -> Iterator[Call]:
    """Each row once in a pass, so that its version is the number of the pass."""
    while True:
        for number in chance.sample(range(scale.projects), scale.projects):
            path, tenant = _project(scale, number)
            yield Call("PUT", path, tenant, orjson.dumps(changed_project(chance)), versioned=True)


def _bulk(scale: Scale, chance: random.Random) -> Iterator[Call]:
    while True:
        body = orjson.dumps([new_project(chance) for _ in range(BULK_ROWS)])
        yield Call("POST", "/projects/bulk", chance.randrange(scale.tenants), body)


def _document(scale: Scale, chance: random.Random) -> Iterator[Call]:
    for path, tenant in _anywhere(scale, chance):
        yield Call("POST", f"{path}/documents", tenant, orjson.dumps(new_document(chance)))


def _search(scale: Scale, chance: random.Random) -> Iterator[Call]:
    for path, tenant in _anywhere(scale, chance):
        yield Call("GET", f"{path}/documents/search?q={chance.choice(data.SEARCHED)}", tenant)


def _metrics(scale: Scale, chance: random.Random) -> Iterator[Call]:
    """Of the projects that have executions: the first one of each tenant."""
    while True:
        path, tenant = _project(scale, chance.randrange(min(scale.tenants, scale.projects)))
        yield Call("GET", f"{path}/agents/metrics?days={METRICS_DAYS}", tenant)


def _mix(scale: Scale, chance: random.Random) -> Iterator[Call]:
    """For the soak: what a service sees in a day."""
    kinds = [make(scale, chance) for make in (_get, _list, _search, _create, _document)]
    while True:
        yield next(chance.choices(kinds, (70, 15, 5, 5, 5))[0])


_PROJECTS, _DOCUMENTS = "workspace.projects", "workspace.document_versions"
OPERATIONS = {
    each.name: each
    for each in (
        Operation("get", "GET one", 200, _get, 40_000),
        Operation("list", f"list of {LIST_ROWS}", 200, _list, 10_000),
        Operation("create", "POST", 201, _create, 20_000, _PROJECTS),
        Operation("update", "PUT with version", 200, _update, 40_000, _PROJECTS),
        Operation("bulk", f"bulk of {BULK_ROWS:,}", 201, _bulk, 16, _PROJECTS, BULK_ROWS,
                  BULK_CONNECTIONS),
        Operation("document", "document POST", 201, _document, 20_000, _DOCUMENTS),
        Operation("search", "document search", 200, _search, 20_000),
        Operation("metrics", "execution metrics", 200, _metrics, 2_000),
    )
}  # fmt: skip
MIX = Operation("mix", "mixed", 200, _mix, 100_000)


def calls(operation: Operation, scale: Scale, seed: int = 0) -> Iterator[Call]:
    """The operation's requests; another order and other rows for each seed."""
    return operation.calls(scale, random.Random(f"{SEED} {operation.name} {seed}"))


def write_requests(
    operation: Operation, scale: Scale, keys: list[str], path: Path, seed: int = 0
) -> Path:
    """A file of requests: before each, its length on a line."""
    count = min(operation.count, scale.projects) if operation.name == "update" else operation.count
    with path.open("wb") as file:
        for call, _ in zip(calls(operation, scale, seed), range(count), strict=False):
            wire = call.wire(keys)
            file.write(b"%d\n" % len(wire) + wire)
    return path


def read_requests(path: Path) -> list[bytes]:
    """What `write_requests` wrote."""
    found = []
    with path.open("rb") as file:
        while line := file.readline():
            found.append(file.read(int(line)))
    return found
