"""Whether the answers are right: status and shape of each, and the same meaning from everybody."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from bench.calls import VERSION, Call, Operation, calls
from bench.contestants import Contestant
from bench.database import Database
from bench.plan import BULK_ROWS, LIST_ROWS, BenchError
from service.operations.reference import data

SAMPLE = 20  # requests per operation that everybody answers before anything is measured
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)\Z")
_PROJECT = {
    "id", "name", "status", "language", "current_step", "metadata", "created_by", "version",
    "created_at", "updated_at",
}  # fmt: skip
_DOCUMENT = {
    "id", "project_id", "document_type", "version", "revision", "content_sha256", "bytes",
    "content", "metadata", "readability_score", "grammar_score", "created_by", "based_on",
    "created_at", "updated_at",
}  # fmt: skip
_METRICS = {
    "days", "since", "total", "by_status", "success_rate", "duration_ms", "by_agent_type",
    "per_day", "recent",
}  # fmt: skip
_HIT = {"id", "project_id", "document_type", "version", "bytes", "rank", "fragments"}
# What is another each time that one writes.
_FRESH = {"id", "created_at", "updated_at", "version"}


def verify(
    operation: Operation, contestants: Iterable[Contestant], database: Database
) -> dict[str, float]:
    """Ask everybody a sample; the mean size of a body by contestant.

    Raises BenchError on a wrong status, on a wrong shape, and on a different meaning.
    """
    asked = list(itertools.islice(calls(operation, database.scale, seed=-1), SAMPLE))
    if operation.name == "bulk":
        asked = asked[:2]
    sizes: dict[str, float] = {}
    first: list[Any] = []
    for turn, contestant in enumerate(contestants, 1):
        answers = _ask(contestant, operation, asked, database.keys, turn)
        sizes[contestant.name] = sum(size for size, _ in answers) / len(answers)
        meanings = [meaning for _, meaning in answers]
        for call, mine, other in zip(asked, meanings, first or meanings, strict=True):
            if mine != other:
                raise BenchError(
                    f"{operation.name}: {contestant.name} answers {call.path} otherwise:\n"
                    f"{mine}\n{other}"
                )
        first = first or meanings
    return sizes


def _ask(
    contestant: Contestant, operation: Operation, asked: list[Call], keys: list[str], version: int
) -> list[tuple[int, Any]]:
    """Size and meaning of each answer. A PUT names the version that the last contestant left."""
    connection = http.client.HTTPConnection("127.0.0.1", contestant.port, timeout=30)
    found = []
    with contextlib.closing(connection):
        for call in asked:
            headers = {"Authorization": f"Bearer {keys[call.tenant]}"}
            if call.body:
                headers["Content-Type"] = "application/json"
            if call.versioned:
                headers["If-Match"] = f'"{VERSION}"'.replace(VERSION, str(version))
            connection.request(call.method, call.path, call.body or None, headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != operation.status:
                raise BenchError(
                    f"{operation.name}: {contestant.name} answered {call.method} {call.path} with "
                    f"{answer.status}: {body[:500].decode(errors='replace')}\n{contestant.said()}"
                )
            try:
                said = orjson.loads(body)
                found.append((len(body), meaning(operation, call, said)))
                if operation.name == "bulk":
                    _check_order(connection, headers, orjson.loads(call.body), said["ids"])
            except (AssertionError, KeyError, ValueError, TypeError) as error:
                raise BenchError(
                    f"{operation.name}: {contestant.name} answered {call.path} with another shape "
                    f"({error!r}): {body[:500].decode(errors='replace')}"
                ) from error
    return found


def _check_order(
    connection: http.client.HTTPConnection, headers: dict[str, str], sent: list[Any], ids: list[str]
) -> None:
    """The ids of a bulk answer are those of the items, one by one. Raises AssertionError."""
    for at in range(0, len(ids), 97):
        connection.request("GET", f"/projects/{ids[at]}", headers=headers)
        found = orjson.loads(connection.getresponse().read())
        assert {name: found[name] for name in sent[at]} == sent[at], f"item {at}"


def meaning(operation: Operation, call: Call, body: Any) -> Any:
    """What an answer says, apart from how. Raises AssertionError when the shape is wrong."""
    if operation.name == "bulk":
        assert len(set(body["ids"])) == BULK_ROWS and min(body["ids"]) >= data.FENCE
        return len(body["ids"])
    if operation.name in ("list", "search"):
        items = body["items"]
        assert set(body) == {"items", "next_cursor"}
        assert all(set(item) == (_PROJECT if operation.name == "list" else _HIT) for item in items)
        if operation.name == "list":
            assert len(items) == LIST_ROWS and isinstance(body["next_cursor"], str)
        return [_same(item) for item in items]
    if operation.name == "metrics":
        assert set(body) == _METRICS and body["total"] == 250 and len(body["recent"]) == 10
        return _same({name: value for name, value in body.items() if name != "since"})
    assert set(body) == (_DOCUMENT if operation.name == "document" else _PROJECT)
    if not operation.writes:
        return _same(body)
    sent = orjson.loads(call.body)
    assert {name: body[name] for name in sent} == sent
    return {name: value for name, value in _same(body).items() if name not in _FRESH}


def _same(value: Any) -> Any:
    """Times as moments, whole floats as numbers: two ways to write one thing become one."""
    if isinstance(value, dict):
        return {name: _same(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_same(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, str) and _TIME.match(value):
        return datetime.fromisoformat(value)
    return value
