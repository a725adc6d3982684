"""Every error is a whole problem document, nothing that is sent makes a 500, and no error tells."""

from __future__ import annotations

import gzip
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from service.http.problems import CODES, field_of
from service.resources import ENDPOINTS
from tests.conftest import Served
from tests.promises.helpers import (
    REVEALING,
    Json,
    Tenant,
    absent,
    make_document,
    make_execution,
    make_export,
    make_project,
    make_user,
    ok,
    problem,
)  # fmt: skip
from tests.support.cluster import Database, socket_path
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("errors")

LIMIT = 2 * 1024 * 1024
# No endpoint of this version can answer them; an endpoint that can must be added to CASES.
NOT_YET: set[str] = set()


class Stage:
    """What the cases need: a server, a tenant, some rows."""

    def __init__(self, server: Server, database: Database) -> None:
        self.server, self.database = server, database
        self.tenant = Tenant(server, "errors")
        self.client = self.tenant.client
        self.user = make_user(self.client, email="taken@example.org")
        self.project: str = make_project(self.client)["id"]
        self.path = f"/projects/{self.project}"

    def post(self, body: Any, path: str = "/projects", **headers: str) -> httpx.Response:
        return self.client.post(path, json=body, headers=headers)

    def put(self, **headers: str) -> httpx.Response:
        return self.client.put(self.path, json={"name": "x"}, headers=headers)


@pytest.fixture(scope="module")
def stage(server: Server, module_database: Database) -> Stage:
    return Stage(server, module_database)


@contextmanager
def locked(database: Database, table: str = "workspace.projects") -> Iterator[None]:
    """Nobody else can read or write the table meanwhile."""
    with psycopg.connect(database.owner_dsn) as superuser:
        superuser.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def mismatch(stage: Stage) -> httpx.Response:
    key = {"Idempotency-Key": "mismatch"}
    ok(stage.post({"name": "x", "language": "en"}, **key), 201)
    return stage.post({"name": "y", "language": "en"}, **key)


def timeout(stage: Stage) -> httpx.Response:
    with locked(stage.database):
        return stage.client.get(stage.path, headers={"X-Request-Timeout-Ms": "150"})


def in_progress(stage: Stage) -> httpx.Response:
    body, key = (
        {"name": "x", "language": "en"},
        {"Idempotency-Key": "in progress".replace(" ", "-")},
    )
    first = threading.Thread(target=lambda: stage.post(body, **key))
    waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
    with locked(stage.database):
        first.start()
        wait_until(lambda: stage.database.psql(waits))
        answer = stage.post(body, **key, **{"X-Request-Timeout-Ms": "150"})
    first.join()
    return answer


def illegal_step(stage: Stage) -> httpx.Response:
    ended = make_execution(stage.client, stage.project, "cancelled")["id"]
    path = f"{stage.path}/agents/executions/{ended}"
    return stage.client.put(path, json={"status": "pending"})


def version_conflict(stage: Stage) -> httpx.Response:
    execute = f"{stage.path}/dsl/execute"
    ok(stage.post({"dsl": '(case.create :case-id "C")'}, execute))
    change = {"dsl": '(case.update :case-id "C" :title "x")'}
    return stage.post(change, execute, **{"If-Match": '"7"'})


def rate_limited(stage: Stage) -> httpx.Response:
    client = stage.tenant.caller(rate_limit=1)
    return [client.get("/projects") for _ in range(4)][-1]


def expired(stage: Stage) -> httpx.Response:
    export = make_export(stage.client, stage.project)
    stage.database.psql(
        "UPDATE workspace.exports SET expires_at = now() WHERE id = %s", export["id"]
    )
    return stage.client.get(f"{stage.path}/exports/{export['id']}/download")


def beyond(stage: Stage) -> httpx.Response:
    export = make_export(stage.client, stage.project)
    path = f"{stage.path}/exports/{export['id']}/download"
    return stage.client.get(path, headers={"Range": "bytes=1000000-"})


CASES: dict[str, tuple[int, Callable[[Stage], httpx.Response]]] = {
    "malformed_json": (400, lambda s: s.client.post("/projects", content=b"{")),
    "bad_cursor": (400, lambda s: s.client.get("/projects?cursor=x")),
    "bad_header": (400, lambda s: s.put(**{"If-Match": "1"})),
    "unauthenticated": (401, lambda s: s.server.client().get("/projects")),
    "forbidden": (403, lambda s: s.tenant.caller("audit").get("/projects")),
    "not_found": (404, lambda s: s.client.get(f"/projects/{absent()}")),
    "method_not_allowed": (405, lambda s: s.client.patch("/projects")),
    "conflict": (409, lambda s: s.post(None, f"{s.path}/restore")),
    "duplicate": (409, lambda s: s.post({"email": "TAKEN@example.org", "name": "x"}, "/users")),
    "illegal_transition": (409, illegal_step),
    "idempotency_in_progress": (409, in_progress),
    "version_conflict": (409, version_conflict),
    "invalid_document": (422, lambda s: s.post({"dsl": "(case"}, f"{s.path}/dsl/execute")),
    "gone": (410, expired),
    "stale_etag": (412, lambda s: s.put(**{"If-Match": '"77"'})),
    "too_large": (413, lambda s: s.client.post("/projects", content=b" " * (LIMIT + 1))),
    "unsupported_media_type": (
        415,
        lambda s: s.client.post("/projects", content=b"x", headers={"Content-Type": "text/csv"}),
    ),
    "range_not_satisfiable": (416, beyond),
    "validation": (422, lambda s: s.post({})),
    "idempotency_mismatch": (422, mismatch),
    "foreign_key": (422, lambda s: s.post({"name": "x", "language": "en", "created_by": absent()})),
    "precondition_required": (428, lambda s: s.put()),
    "rate_limited": (429, rate_limited),
    "deadline_exceeded": (504, timeout),
}  # fmt: skip
# These need a server of their own; each has a test below, the last one in test_auth.py.
MORE = {"invalid_document": {"findings"}, "version_conflict": {"case_id", "current_version"}}
APART = {
    "internal", "database_unavailable", "pool_exhausted", "draining", "auth_unavailable",
    "generator_unavailable",
}  # fmt: skip


def test_every_code_has_a_case() -> None:
    assert CASES.keys() | APART | NOT_YET == CODES.keys()


@pytest.mark.parametrize("code", CASES)
def test_every_code_is_a_whole_problem_document(stage: Stage, code: str) -> None:
    status, make = CASES[code]
    answer = make(stage)
    body = problem(answer, status, code)
    allowed = {"type", "title", "status", "detail", "code", "request_id", "errors", "constraint"}
    assert body.keys() <= allowed | MORE.get(code, set())
    assert answer.headers["cache-control"] == "no-store"
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if status == 429 or code == "idempotency_in_progress":
        assert int(answer.headers["retry-after"]) >= 1
    if status == 429:
        assert "ratelimit" in answer.headers and "ratelimit-policy" in answer.headers
    ok(stage.client.get(stage.path))  # and the server serves on


# ---------------------------------------------------------------- servers of their own


def test_an_error_of_ours_is_a_500_that_tells_nothing(served: Served, database: Database) -> None:
    server = served(database)
    client = server.client(server.key())
    ok(client.get("/users"))
    database.psql("ALTER TABLE workspace.users RENAME TO gone")
    database.psql("REVOKE ALL ON workspace.projects FROM quarry_app")
    for path in ("/users", f"/users/{absent()}", "/projects"):
        answer = client.get(path)
        body = problem(answer, 500, "internal")
        assert body.keys() == {"type", "title", "status", "detail", "code", "request_id"}
        wait_until(lambda answer=answer: answer.headers["x-request-id"] in server.log())


def test_no_database_and_no_connection_are_503(served: Served, module_database: Database) -> None:
    with Proxy(socket_path(module_database.cluster)) as proxy:
        server = served(
            module_database, database_url=proxy.dsn(module_database.app_dsn), pool_max_size=1,
            pool_init_size=1, pool_min_size=1, pool_wait_ms=100,
        )  # fmt: skip
        client = server.client(server.key("apart"))
        ok(client.get("/projects"))
        slow = threading.Thread(
            target=lambda: client.get("/projects", headers={"X-Request-Timeout-Ms": "1500"})
        )
        waits = "SELECT 1 FROM pg_locks WHERE NOT granted"
        with locked(module_database):
            slow.start()
            wait_until(lambda: module_database.psql(waits))
            answer = client.get("/users")
            problem(answer, 503, "pool_exhausted")
            assert int(answer.headers["retry-after"]) >= 1
        slow.join()
        ok(client.get("/users"))
        proxy.sever()
        for path in ("/users", "/projects"):
            answer = client.get(path)
            problem(answer, 503, "database_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        assert problem(client.get("/ready"), 503, "database_unavailable")["component"] == "database"
        ok(client.get("/health"))
        proxy.restore()
        wait_until(lambda: client.get("/users").status_code == 200)


def test_a_server_that_drains_is_not_ready(served: Served, module_database: Database) -> None:
    server = served(module_database, drain_seconds=2)
    client = server.client(server.key("apart"))
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: client.get("/ready").status_code == 503, 1.5)
    problem(client.get("/ready"), 503, "draining")
    ok(client.get("/projects"))  # it still serves
    assert server.process.wait(10) == 0


# ---------------------------------------------------------------- bodies


def nested(levels: int, where: bytes = b"metadata") -> bytes:
    """A project's body that is nested so deep in all."""
    inner = b'{"a":' * (levels - 2) + b"{}" + b"}" * (levels - 2)
    return b'{"name":"x","language":"en","' + where + b'":' + inner + b"}"


def with_name(value: bytes) -> bytes:
    return b'{"language":"en","name":' + value + b"}"


def with_metadata(value: bytes) -> bytes:
    return b'{"language":"en","name":"x","metadata":{"a":' + value + b"}}"


def with_step(value: bytes) -> bytes:
    return b'{"language":"en","name":"x","current_step":' + value + b"}"


STRANGE: dict[str, tuple[bytes, set[tuple[int, str]]]] = {
    name: (body, {(status, code)})
    for name, body, status, code in (
        ("nothing", b"", 400, "malformed_json"),
        ("white space", b" \n", 400, "malformed_json"),
        ("half an object", b'{"name": "x"', 400, "malformed_json"),
        ("half an object after a fault", b'{"name": 1, "language"', 400, "malformed_json"),
        ("two documents", b'{"name":"x","language":"en"} {}', 400, "malformed_json"),
        ("no JSON", b"name=x", 400, "malformed_json"),
        ("single quotes", b"{'name': 'x'}", 400, "malformed_json"),
        ("a comment", b'{"name":"x", /* */ "language":"en"}', 400, "malformed_json"),
        ("a comma too many", b'{"name":"x","language":"en",}', 400, "malformed_json"),
        ("a byte order mark", b'\xef\xbb\xbf{"name":"x","language":"en"}', 400, "malformed_json"),
        ("UTF-16", '{"name":"x","language":"en"}'.encode("utf-16"), 400, "malformed_json"),
        ("broken UTF-8", with_name(b'"\xff"'), 400, "malformed_json"),
        ("a raw control character", with_name(b'"a\x01b"'), 400, "malformed_json"),
        ("a raw NUL", with_name(b'"a\x00b"'), 400, "malformed_json"),
        ("NaN", with_step(b"NaN"), 400, "malformed_json"),
        ("Infinity", with_step(b"-Infinity"), 400, "malformed_json"),
        ("a leading zero", with_step(b"01"), 400, "malformed_json"),
        ("hexadecimal", with_step(b"0x1"), 400, "malformed_json"),
        ("65 levels", nested(65), 400, "malformed_json"),
        ("100,000 levels", b"[" * 100_000, 400, "malformed_json"),
        ("levels of an unknown field", nested(65, b"surprise"), 400, "malformed_json"),
        ("64 levels", nested(64), 201, ""),
        ("brackets in a text", with_name(b'"' + b"[{" * 100 + b'"'), 201, ""),
        ("brackets in a text with quotes", with_name(b'"\\"' + b"[" * 200 + b'\\\\"'), 201, ""),
        ("null", b"null", 422, "validation"),
        ("a text", b'"x"', 422, "validation"),
        ("a number", b"1", 422, "validation"),
        ("a lone surrogate in a name", with_name(b'"\\ud800"'), 400, "malformed_json"),
        ("a lone low surrogate", with_name(b'"\\udc00x"'), 400, "malformed_json"),
        ("an escaped pair", with_name(b'"\\ud83d\\ude42"'), 201, ""),
        ("an escaped NUL in a name", with_name(b'"a\\u0000b"'), 422, "validation"),
        ("an escaped NUL in metadata", with_metadata(b'"\\u0000"'), 422, "validation"),
        ("an escaped NUL in a key of metadata", with_metadata(b'{"\\u0000":1}'), 422, "validation"),
        ("an escaped backslash before u0000", with_metadata(b'"\\\\u0000"'), 201, ""),
        ("a lone surrogate in metadata", with_metadata(b'"\\ud800"'), 422, "validation"),
        ("broken UTF-8 in metadata", with_metadata(b'"\xff"'), 422, "validation"),
        ("NaN in metadata", with_metadata(b"NaN"), 400, "malformed_json"),
        ("a raw control character in metadata", with_metadata(b'"\x01"'), 422, "validation"),
        ("a step of 2^63", with_step(b"9223372036854775808"), 422, "validation"),
        ("a step of 30 digits", with_step(b"9" * 30), 422, "validation"),
        ("a step of 5,000 digits", with_step(b"9" * 5000), 422, "validation"),
        ("a fractional step", with_step(b"1.5"), 422, "validation"),
        ("a step of 1e400", with_step(b"1e400"), 422, "validation"),
        ("a step of 1e99999999999", with_step(b"1e99999999999"), 422, "validation"),
        ("1e400 in metadata", with_metadata(b"1e400"), 201, ""),
        ("1e200000 in metadata", with_metadata(b"1e200000"), 422, "validation"),
        ("1e-400000 in metadata", with_metadata(b"1e-400000"), 422, "validation"),
        ("1e99999999999 in metadata", with_metadata(b"1e99999999999"), 422, "validation"),
        ("5,000 digits in metadata", with_metadata(b"9" * 5000), 201, ""),
        ("a key that is empty", b'{"":1,"name":"x","language":"en"}', 422, "validation"),
        ("an endless key", b'{"' + b"k" * 100_000 + b'":1}', 422, "validation"),
        ("many unknown keys", json.dumps({str(n): n for n in range(50_000)}).encode(),
         422, "validation"),
    )
}  # fmt: skip
# Where two refusals are right: whichever fault is found first.
for _name in ("NaN in metadata", "broken UTF-8 in metadata", "a raw control character in metadata",
              "a lone surrogate in metadata", "a lone surrogate in a name", "a lone low surrogate",
              "a step of 1e99999999999", "1e99999999999 in metadata"):  # fmt: skip
    STRANGE[_name][1].update({(400, "malformed_json"), (422, "validation")})
# jsonb numbers have up to 16,383 digits behind the point; PostgreSQL rounds or refuses the rest.
STRANGE["1e-400000 in metadata"][1].add((201, ""))


@pytest.mark.parametrize("case", STRANGE)
@pytest.mark.parametrize("way", ["one", "many"])
def test_no_body_makes_a_500(stage: Stage, case: str, way: str) -> None:
    body, expected = STRANGE[case]
    if way == "many":
        if case in ("64 levels",):  # one more with the array around it
            expected = {(400, "malformed_json")}
        if not body.strip():
            expected = {(422, "validation")}  # an array of nothing
        body = b"[" + body + b"]"
    answer = stage.client.post("/projects", content=body)
    if (answer.status_code, "") in expected:
        return
    assert (answer.status_code, answer.json()["code"]) in expected, answer.text
    found = problem(answer, answer.status_code, answer.json()["code"])
    assert len(found.get("errors", [])) <= 100 and len(answer.content) < 100_000


def test_of_a_field_that_stands_twice_the_last_counts_or_all_is_refused(stage: Stage) -> None:
    twice = b'{"name":"first","language":"en","name":"last","metadata":{"a":1,"a":2}}'
    for body in (twice, b"[" + twice + b"]"):
        answer = stage.client.post("/projects", content=body)
        assert answer.status_code in (201, 400, 422), answer.text
        if answer.status_code == 201:
            made = answer.json().get("id") or answer.json()["ids"][0]
            stored = ok(stage.client.get(f"/projects/{made}"))
            assert (stored["name"], stored["metadata"]) == ("last", {"a": 2})
    bad = b'{"name":1,"language":"en","name":"last"}'
    answer = stage.client.post("/projects", content=bad)
    if answer.status_code != 201:
        assert problem(answer, answer.status_code, answer.json()["code"]).get("errors"), (
            "refused without saying why"
        )


@pytest.mark.parametrize("path", ["/users", "/projects/{}/documents", "/projects/{}/members/{}"])
def test_no_nul_or_surrogate_in_a_text_makes_a_500(stage: Stage, path: str) -> None:
    bodies = {
        "/users": (b'{"email":"a%s@example.org","name":"x"}', b'{"email":"a@b.cd","name":"%s"}',
                   b'{"email":"a@b.cd","name":"x","profile":{"%s":[]}}'),
        "/projects/{}/documents": (b'{"document_type":"%s","content":"x"}',
                                   b'{"document_type":"x","content":"%s"}'),
        "/projects/{}/members/{}": (b'{"role":"%s"}',),
    }[path]  # fmt: skip
    target = path.format(stage.project, stage.user["id"])
    for body in bodies:
        for strange in (rb"\u0000", rb"\ud800", rb"\udfff\ud800", b"\xed\xa0\x80", b"\xc0\x80"):
            answer = stage.client.request(
                "PUT" if "members" in path else "POST", target, content=body % strange
            )
            assert answer.status_code in (400, 422), (body, strange, answer.text)
            problem(answer, answer.status_code, answer.json()["code"])


def test_no_path_or_header_makes_a_500(stage: Stage) -> None:
    for path in ("/projects/%00", "/projects/%ff", "/projects/%ed%a0%80",
                 "/users/by-email/%00@b.cd", "/users/by-email/%ff@b.cd",
                 f"{stage.path}/documents/latest?document_type=%ff",
                 f"{stage.path}/documents/search?q=%00", "/projects/" + "x" * 5000, "//",
                 "/projects//", "/projects/../users", "/projects/%2e%2e/users"):  # fmt: skip
        for method in ("GET", "PUT", "POST", "DELETE"):
            body = b"{}" if method in ("PUT", "POST") else None
            answer = stage.client.request(method, path, content=body, headers={"If-Match": "*"})
            assert answer.status_code < 500, (method, path, answer.text)
            if answer.status_code >= 400:
                problem(answer, answer.status_code, answer.json()["code"])
    for name in ("If-Match", "If-None-Match", "Accept", "Accept-Encoding", "X-Request-ID",
                 "traceparent", "Content-Type", "Authorization", "X-Request-Timeout-Ms",
                 "Idempotency-Key", "Content-Encoding", "X-Correlation-ID"):  # fmt: skip
        for value in (b"", b"\xff", b"x" * 9000, b"\xc3\xa9", b',,;;=="', b"0", b"-1", b"9" * 50):
            for method in ("GET", "PUT"):
                answer = stage.client.request(
                    method, stage.path, headers={name.encode(): value}, content=b'{"name":"x"}'
                )
                assert answer.status_code < 500, (name, value, answer.text)


def test_a_hostile_body_does_not_stop_the_server(stage: Stage) -> None:
    """Escaped quotes without an end: whoever looks for the end from each of them never ends."""
    body = b"[" * 65 + b'"' + b'\\"' * 30_000
    started = time.monotonic()
    answer = stage.client.post("/projects", content=body)
    problem(answer, 400, "malformed_json")
    assert time.monotonic() - started < 1.0


def test_a_hostile_pair_of_texts_does_not_stop_the_server(stage: Stage) -> None:
    """A diff of texts whose lines repeat and are shuffled is bounded, and others are served."""
    texts = ("".join(f"{(n * step) % 149}\n" for n in range(1999)) for step in (7, 11))
    newest = [make_document(stage.client, stage.project, content=text) for text in texts][1]
    slow = threading.Thread(
        target=lambda: stage.client.get(f"{stage.path}/documents/{newest['id']}/diff")
    )
    slow.start()
    took = []
    while slow.is_alive():
        started = time.monotonic()
        ok(stage.client.get("/health"))
        took.append(time.monotonic() - started)
    assert len(took) < 3 or max(took) < 1.0
    assert sum(took) < 10.0


# ---------------------------------------------------------------- sizes and types


def exchange(server: Server, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer to raw bytes."""
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as link:
        link.sendall(sent)
        received = b""
        while b"\r\n\r\n" not in received:
            piece = link.recv(65536)
            assert piece, f"the server closed the connection after {received!r}"
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in rest)}
        while len(body) < int(headers["content-length"]):
            body += link.recv(65536)
    return int(first.split()[1]), headers, body


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(
    server: Server, stage: Stage
) -> None:
    key = stage.client.headers["authorization"]
    status, headers, body = exchange(
        server,
        f"POST /projects HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode(),
    )
    assert (status, headers["content-type"]) == (413, "application/problem+json")
    assert json.loads(body)["code"] == "too_large"


def test_a_body_that_says_nothing_of_its_size_is_refused_while_it_is_read(stage: Stage) -> None:
    def pieces(size: int) -> Iterator[bytes]:
        yield b'{"name":"x","language":"en"'
        for _ in range(size // 65536):
            yield b" " * 65536
        yield b"}"

    ok(stage.client.post("/projects", content=pieces(LIMIT - 65536)), 201)
    problem(stage.client.post("/projects", content=pieces(LIMIT)), 413, "too_large")


def test_the_largest_body_is_accepted(stage: Stage) -> None:
    body = b'{"name":"x","language":"en"}'
    ok(stage.client.post("/projects", content=body.ljust(LIMIT)), 201)
    problem(stage.client.post("/projects", content=body.ljust(LIMIT + 1)), 413, "too_large")


def test_only_json_is_accepted(stage: Stage) -> None:
    body = b'{"name":"x","language":"en"}'
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        ok(stage.client.post("/projects", content=body, headers={"Content-Type": kind}), 201)
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", "text/json",
                 "multipart/form-data; boundary=x", "application/jsonx", "json"):  # fmt: skip
        answer = stage.client.post("/projects", content=body, headers={"Content-Type": kind})
        problem(answer, 415, "unsupported_media_type")
    for encoding in ("gzip", "br", "deflate", "gzip, identity"):
        answer = stage.client.post(
            "/projects", content=gzip.compress(body), headers={"Content-Encoding": encoding}
        )
        problem(answer, 415, "unsupported_media_type")


# ---------------------------------------------------------------- routes


def test_a_method_that_a_path_does_not_have_is_405_and_names_those_it_has(stage: Stage) -> None:
    every = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
    by_path: dict[str, set[str]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, set()).add(endpoint.method)
    for path, methods in by_path.items():
        known = methods | ({"HEAD"} if "GET" in methods else set())
        target = re.sub(r"\{\w+\}", absent(), path.replace("{email}", "a@b.cd"))
        for method in every - known:
            answer = stage.client.request(method, target)
            assert answer.status_code == 405, (method, path)
            assert set(answer.headers["allow"].split(", ")) == known, path
            if method != "HEAD":
                problem(answer, 405, "method_not_allowed")


def test_a_path_that_is_unknown_is_404(stage: Stage) -> None:
    nobody = stage.server.client()
    for path in ("/", "/x", "/project", "/projects/x/y", "/projects/", f"{stage.path}/",
                 "/Projects", "/users/by-email", "/users/by-email/", "/metrics",
                 "/health/x", "/.env"):  # fmt: skip
        problem(stage.client.get(path), 404, "not_found")
        problem(nobody.get(path), nobody.get(path).status_code, nobody.get(path).json()["code"])


def test_even_what_is_no_http_is_answered_with_a_problem(server: Server) -> None:
    for sent in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\x7f HTTP/1.1\r\n\r\n",
                 b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n"):  # fmt: skip
        status, headers, body = exchange(server, sent)
        assert (status, headers["content-type"]) == (400, "application/problem+json"), (sent, body)
        assert json.loads(body)["status"] == 400


def test_requests_in_one_piece_are_answered_one_by_one(server: Server) -> None:
    asked = ["GET /health", "HEAD /health", "GET /nowhere", "GET /health/live"]
    sent = "".join(f"{line} HTTP/1.1\r\nHost: x\r\nX-Request-ID: {n}\r\n" + (
        "Connection: close\r\n\r\n" if n == len(asked) - 1 else "\r\n")
        for n, line in enumerate(asked))  # fmt: skip
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as link:
        link.sendall(sent.encode())
        received = b"".join(iter(lambda: link.recv(65536), b"")).decode()
    statuses = re.findall(r"HTTP/1.1 (\d+)", received)
    assert statuses == ["200", "200", "404", "200"], received
    ids = [line.split()[1] for line in received.splitlines() if line.startswith("x-request-id")]
    assert ids == ["0", "1", "2", "3"]


# ---------------------------------------------------------------- what every answer has


def test_the_request_id_is_echoed_or_made(stage: Stage) -> None:
    for path in (stage.path, "/health", "/nowhere", f"/projects/{absent()}"):
        for given in ("a", "x" * 128, "A-z_0.9:@/+=", "0af7651916cd43dd8448eb211c80319c"):
            answer = stage.client.get(path, headers={"X-Request-ID": given})
            assert answer.headers["x-request-id"] == given
        made = {stage.client.get(path).headers["x-request-id"] for _ in range(20)}
        assert len(made) == 20 and all(0 < len(each) <= 128 for each in made)
        for bad in (b"x" * 129, b"a b", b"", b"a;b", b"\xff", b"<x>", b"'", b'"', b"a,b"):
            answer = stage.client.get(path, headers={b"X-Request-ID": bad})
            assert answer.headers["x-request-id"].encode("latin-1") != bad
            assert answer.headers["x-request-id"].isascii()


def test_a_head_is_answered_like_a_get_without_the_body(stage: Stage) -> None:
    for path in ("/health", "/projects", "/users?limit=1", stage.path, f"/projects/{absent()}"):
        get, head = stage.client.get(path), stage.client.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        for name in ("content-type", "content-length", "etag", "link"):
            assert head.headers.get(name) == get.headers.get(name), (path, name)
    known = stage.client.get(stage.path).headers["etag"]
    assert stage.client.head(stage.path, headers={"If-None-Match": known}).status_code == 304


def test_no_answer_names_what_serves_it(stage: Stage) -> None:
    for path in (
        "/health",
        "/ready",
        "/health/detailed",
        "/health/database",
        "/nowhere",
        "/projects",
    ):
        for client in (stage.client, stage.server.client()):
            answer = client.get(path)
            assert "server" not in answer.headers and "x-powered-by" not in answer.headers
            if path != "/projects":
                assert not REVEALING.search(answer.text), answer.text


def test_a_time_out_that_is_no_time_is_refused(stage: Stage) -> None:
    for bad in ("0", "-1", "1.5", "x", "", "1" * 10):
        answer = stage.client.get("/projects", headers={"X-Request-Timeout-Ms": bad})
        problem(answer, 400, "bad_header")
    answer = stage.client.get("/users", headers={"X-Request-Timeout-Ms": "999999999"})
    ok(answer)


def test_a_bound_of_the_database_is_told_by_its_field(stage: Stage) -> None:
    """What only a constraint can see is answered with the field, not with a constraint alone."""
    content: Json = {"document_type": "x", "content": "é" * 600_000}
    for path, body, pointer in (
        (f"{stage.path}/documents", content, "/content"),
        ("/users", {"email": "a@b.c\u00a0d", "name": "x"}, "/email"),
    ):
        answer = stage.post(body, path)
        problem(answer, 422, "validation", pointer)


def test_every_constraint_that_a_caller_can_meet_has_a_field(module_database: Database) -> None:
    """The table of constraints names constraints that exist, and all CHECKs of caller's columns."""
    rows = module_database.psql(
        "SELECT conname FROM pg_constraint WHERE contype IN ('c', 'f')"
        "   AND (connamespace = 'workspace'::regnamespace"
        "        AND conname ~ '(email|name|profile|status|language|current_step|metadata|role"
        "|content|document_type|score|created_by)_(length|shape|known|range|object|fkey)$'"
        "     OR connamespace = 'discovery'::regnamespace AND conname ~"
        " '^(assets_.*_(length|shape|known|positive)|assets_custom_object|asset_conflicts_resol.*"
        "|data_imports_(name|category|source_system|file_name|content_type)_.*"
        "|field_mappings_(source_field|target_field|status|transformation)_.*"
        "|.*_(created|imported|decided|resolved)_by_fkey)$' AND conname !~ '_at_fits$')"
    )
    without = {name for (name,) in rows if field_of(name) is None}
    assert without == set()
