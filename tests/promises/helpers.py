"""What the promises are told in: makers of rows, calls side by side, what every error owes."""

from __future__ import annotations

import itertools
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
import orjson

from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

T = TypeVar("T")
Json = dict[str, Any]

NDJSON = {"Accept": "application/x-ndjson"}
ANY_VERSION = {"If-Match": "*"}
JSON_TYPES = ("application/json", "application/problem+json")
# What no caller may learn from an error: SQL, names of tables, code, hosts, paths, versions.
REVEALING = re.compile(
    r"\bSELECT\b|\bINSERT INTO\b|\bUPDATE\b|\bWHERE\b|\$[0-9]|workspace\.|core\.|audit\."
    r"|Traceback|\.py\b|line [0-9]+|asyncpg|psycopg|msgspec|uvicorn|starlette|postgres|quarry_app"
    r"|127\.0\.0\.1|localhost|/tmp|/work|/home|[Pp]ython",
)
_numbers = itertools.count(1)


def unique(prefix: str = "x") -> str:
    """A name that no other test, module or process uses."""
    return f"{prefix}-{os.getpid()}-{next(_numbers)}"


def absent() -> str:
    """An id that nothing has."""
    return str(uuid4())


def connect(server: Server, key: str) -> httpx.Client:
    """A client that many threads may share: it closes no idle connection behind another's back."""
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=None, keepalive_expiry=None
    )
    return server.client(key, limits=limits)


class Tenant:
    """A tenant of a server, with callers of all kinds."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.client = self.caller()

    def caller(self, *scopes: str, **options: Any) -> httpx.Client:
        """A client with a key for these scopes (default: all); options as of `Server.key`."""
        return connect(self.server, self.server.key(self.name, scopes or ("*",), **options))


def make_user(client: httpx.Client, **fields: Any) -> Json:
    """A new user."""
    body = {"email": f"{unique('user')}@example.org", "name": "Ada"} | fields
    return ok(client.post("/users", json=body), 201)


def make_project(client: httpx.Client, **fields: Any) -> Json:
    """A new project."""
    return ok(
        client.post("/projects", json={"name": unique("project"), "language": "en"} | fields), 201
    )


def make_document(client: httpx.Client, project: str, **fields: Any) -> Json:
    """A new document version."""
    body = {"document_type": "report", "content": "some words"} | fields
    return ok(client.post(f"/projects/{project}/documents", json=body), 201)


def make_execution(client: httpx.Client, project: str, *steps: str, **fields: Any) -> Json:
    """A new execution, taken through these states."""
    path = f"/projects/{project}/agents/executions"
    made: Json = ok(client.post(path, json={"agent_type": "writer"} | fields), 201)
    for status in steps:
        made = ok(client.put(f"{path}/{made['id']}", json={"status": status}))
    return made


def make_export(client: httpx.Client, project: str, *, done: bool = True, **fields: Any) -> Json:
    """A new export, completed unless it shall not be waited for."""
    body = {"format": "zip"} | fields
    made: Json = ok(client.post(f"/projects/{project}/exports", json=body), 202)
    path = f"/projects/{project}/exports/{made['id']}"
    if done:
        wait_until(lambda: ok(client.get(path))["status"] == "completed", 20)
        made = ok(client.get(path))
    return made


def make_import(client: httpx.Client, project: str, *values: str) -> Json:
    """An inventory of one column, uploaded; a file like no other unless values are given."""
    data = "\n".join(("Host Name", *(values or (unique("host"),)))).encode()
    made: Json = ok(client.post(f"/projects/{project}/imports", content=data), 202)
    return made


def ok(response: httpx.Response, status: int = 200) -> Any:
    """The JSON of an answer that must have this status."""
    assert response.status_code == status, f"{response.status_code} {response.text}"
    return response.json() if response.content else None


def problem(response: httpx.Response, status: int, code: str, *pointers: str) -> Json:
    """The body of an error that must be a whole problem document; `pointers` must all be named."""
    assert (response.status_code, response.headers["content-type"]) == (
        status, "application/problem+json",
    ), f"{response.status_code} {response.text}"  # fmt: skip
    body: Json = response.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["type"] == f"urn:quarry:problem:{code}"
    assert body["title"] and body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    for error in body.get("errors", []):
        assert set(error) == {"pointer", "code", "detail"} and error["code"] and error["detail"]
    named = [error["pointer"] for error in body.get("errors", [])]
    assert set(pointers) <= set(named), body
    assert not REVEALING.search(response.text), response.text
    return body


def calls(server: Server) -> dict[str, int]:
    """How often a server has run each query."""
    text = httpx.get(f"{server.admin_url}/metrics", timeout=10).text
    found = re.findall(r'^quarry_query_seconds_count{query="(.+)"} (\d+)$', text, re.MULTILINE)
    return {name: int(count) for name, count in found}


def same_refusal(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether two refusals cannot be told apart by anything but the request's own id."""
    return _refusal(one) == _refusal(other)


def _refusal(response: httpx.Response) -> tuple[int, Json, Json]:
    headers = {
        n: v for n, v in response.headers.items()
        if n not in ("date", "x-request-id", "content-length")
    }  # fmt: skip
    is_json = response.headers.get("content-type", "") in JSON_TYPES
    body = response.json() if is_json else {"text": response.text}
    return response.status_code, {k: v for k, v in body.items() if k != "request_id"}, headers


def at_once(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Make the calls side by side, begun at one moment; their results in order."""
    waiting = list(calls)
    gate = threading.Barrier(len(waiting))

    def run(call: Callable[[], T]) -> T:
        gate.wait(30)
        return call()

    with ThreadPoolExecutor(len(waiting)) as pool:
        return list(pool.map(run, waiting))


def pages(client: httpx.Client, path: str, **query: Any) -> Iterator[Json]:
    """The pages of a list, first to last."""
    after: dict[str, str] = {}
    for _ in range(1000):
        page = ok(client.get(path, params=query | after))
        yield page
        if page["next_cursor"] is None:
            return
        after = {"cursor": page["next_cursor"]}
    raise AssertionError("the list does not end")


def walk(client: httpx.Client, path: str, **query: Any) -> list[Json]:
    """All items of a list, page by page."""
    return [item for page in pages(client, path, **query) for item in page["items"]]


def lines(response: httpx.Response) -> list[Json]:
    """The rows of an NDJSON answer."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == NDJSON["Accept"]
    assert not response.content or response.content.endswith(b"\n")
    return [orjson.loads(line) for line in response.content.splitlines()]


def actor_of(client: httpx.Client) -> str:
    """The client's key as the audit trail names it."""
    return f"key:{UUID(client.headers['authorization'].split('_')[1])}"


def tenant_id(database: Database, name: str) -> str:
    """The id of a tenant."""
    return str(database.psql("SELECT id FROM core.tenants WHERE name = %s", name)[0][0])


def events(database: Database, row_id: str, table: str | None = None) -> list[Json]:
    """The audit events of a row in their order, read as superuser."""
    names = ("tenant", "actor", "user", "request_id", "table", "action", "before", "after")
    rows = database.psql(
        "SELECT tenant_id::text, actor, user_id::text, request_id, table_name, action, before,"
        "       after FROM audit.events WHERE row_id = %s AND (%s::text IS NULL OR table_name = %s)"
        " ORDER BY at, id",
        row_id, table, table,
    )  # fmt: skip
    return [dict(zip(names, row, strict=True)) for row in rows]
