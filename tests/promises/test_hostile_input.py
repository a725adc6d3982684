"""Whatever is sent, the answer is no 5xx, every error is a problem, and the server serves on."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import Served
from tests.promises.helpers import make_document, make_project, make_user, ok, problem, unique, walk
from tests.support.cluster import Database
from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("hostile")

hostile = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SAFE_ID = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,128}\Z")
SQL = [
    "'", "''", "'; DROP TABLE workspace.projects; --", "' OR '1'='1", '" OR ""="',
    "\\'; SELECT 1; --",
    "$$; SELECT pg_sleep(10); $$", "%", "_", "\\", "*/ /*", "-- x", ":tenant_id", "$1", "{0}", "%s",
    "%(name)s", "NULL", "E'\\x00'", "';SELECT set_config('app.tenant_id','x',false);--", "a\u2028b",
    "\u202e", "${jndi:ldap://x}", "{{7*7}}", "<script>alert(1)</script>", "../../etc/passwd",
]  # fmt: skip
QUERIES = [
    "", "limit=", "cursor=", "q=", "status=", "include_total=", "document_type=", "against=",
]  # fmt: skip
# What may stand in a header's value (RFC 9110): anything but control characters.
header_values = st.binary(max_size=200).map(
    lambda raw: bytes(b for b in raw if b >= 32 and b != 127).strip()
)


class Stage:
    """A server, a caller, and a row of each kind."""

    def __init__(self, server: Server, client: httpx.Client) -> None:
        self.server, self.client = server, client
        self.project = make_project(client)["id"]
        self.user = make_user(client)["id"]
        self.document = make_document(client, self.project)["id"]
        self.paths = [
            "/projects", f"/projects/{self.project}", f"/projects/{self.project}/documents",
            f"/projects/{self.project}/documents/{self.document}",
            f"/projects/{self.project}/documents/latest",
            f"/projects/{self.project}/documents/search", f"/projects/{self.project}/members",
            f"/projects/{self.project}/members/{self.user}", "/users", f"/users/{self.user}",
        ]  # fmt: skip


@pytest.fixture(scope="module")
def stage(server: Server, mine: httpx.Client) -> Stage:
    """Shared: nothing that these tests send does any harm."""
    return Stage(server, mine)


@pytest.fixture(autouse=True)
def _serves_on(server: Server) -> Iterator[None]:
    """Afterwards the same process serves, and nothing went wrong that it did not tell."""
    yield
    assert server.process.poll() is None
    assert httpx.get(f"{server.url}/ready", timeout=10).status_code == 200
    assert "Traceback" not in server.log()
    assert "request.failed" not in server.log()


def good_or_a_problem(answer: httpx.Response) -> None:
    """No 5xx; an error is a whole problem document; nothing was let into the headers."""
    assert answer.status_code < 500, f"{answer.status_code} {answer.text}"
    if answer.status_code >= 400:
        problem(answer, answer.status_code, answer.json()["code"])
    assert SAFE_ID.match(answer.headers["x-request-id"])
    assert "set-cookie" not in answer.headers
    assert "x-injected" not in answer.headers


# bodies, headers, cursors, keys, paths, queries


@hostile
@given(data=st.data())
def test_random_bytes_as_a_body(stage: Stage, data: st.DataObject) -> None:
    words = st.sampled_from([
        b'{"', b'":', b'"', b"}", b"[", b"]", b"{", b",", b"name", b"language", b"en", b"null",
        b"1e999",
        b"-", b"\\u0000", b"\\ud800", b"\xff", b"\x00", b"content", b"email", b"role", b"metadata",
        b"0" * 30, b"true", b"items", b" ", b"\n",
    ])  # fmt: skip
    body = data.draw(st.binary(max_size=300) | st.lists(words, max_size=25).map(b"".join))
    path = data.draw(st.sampled_from(stage.paths))
    for method in ("POST", "PUT", "PATCH"):
        answer = stage.client.request(method, path, content=body, headers={"If-Match": "*"})
        good_or_a_problem(answer)


@hostile
@given(data=st.data(), value=header_values)
def test_random_bytes_as_a_header(stage: Stage, data: st.DataObject, value: bytes) -> None:
    names = [
        b"Authorization", b"Accept", b"Accept-Encoding", b"Accept-Language", b"Content-Type",
        b"Content-Encoding", b"If-Match", b"If-None-Match", b"If-Modified-Since", b"Range",
        b"Idempotency-Key", b"X-Request-ID", b"X-Correlation-ID", b"X-Request-Timeout-Ms",
        b"traceparent", b"tracestate", b"Cookie", b"Host", b"Origin", b"Referer", b"User-Agent",
        b"X-Forwarded-For", b"Forwarded", b"X-HTTP-Method-Override", b"Prefer", b"Upgrade",
        b"Connection", b"TE", b"Via",
    ]  # fmt: skip
    name = data.draw(st.sampled_from(names))
    key = stage.client.headers["authorization"].encode()
    headers = [(b"Authorization", key)] if name != b"Authorization" else []
    headers.append((name, value))
    path = data.draw(st.sampled_from(stage.paths))
    for method in ("GET", "PUT"):
        body = b'{"name": "x"}' if method == "PUT" else None
        good_or_a_problem(
            httpx.request(method, f"{stage.server.url}{path}", headers=headers, content=body)
        )


@hostile
@given(
    key=st.binary(max_size=120), prefix=st.sampled_from([b"qk_", b"", b"qk_" + b"0" * 32 + b"_"])
)
def test_random_bytes_as_a_key(stage: Stage, key: bytes, prefix: bytes) -> None:
    value = bytes(b for b in prefix + key if b >= 32 and b != 127).strip()
    for credentials in (b"Bearer " + value, value):
        answer = httpx.get(
            f"{stage.server.url}/projects", headers=[(b"Authorization", credentials.strip())]
        )
        assert answer.status_code == 401
        problem(answer, 401, "unauthenticated")


@hostile
@given(cursor=st.text(max_size=300) | st.binary(max_size=60).map(
    lambda raw: base64.urlsafe_b64encode(raw).decode()))  # fmt: skip
def test_random_text_as_a_cursor(stage: Stage, cursor: str) -> None:
    for path in ("/projects", "/users", f"/projects/{stage.project}/documents"):
        answer = stage.client.get(path, params={"cursor": cursor.encode("utf-8", "surrogatepass")})
        assert answer.status_code in (400, 422)
        good_or_a_problem(answer)


@hostile
@given(data=st.data())
def test_a_cursor_of_which_anything_was_changed_is_refused(
    stage: Stage, data: st.DataObject
) -> None:
    for _ in range(3 - len(walk(stage.client, "/projects", limit=200)[:3])):
        make_project(stage.client)
    good = ok(stage.client.get("/projects?limit=1"))["next_cursor"]
    ok(stage.client.get("/projects", params={"limit": 1, "cursor": good}))
    at = data.draw(st.integers(1, len(good) - 2))  # the last one may hold bits that nobody reads
    other = data.draw(st.sampled_from("ABCXYZabcxyz0189-_").filter(lambda c: c != good[at]))
    changed = data.draw(
        st.sampled_from([good[:at] + other + good[at + 1 :], good[:at], good + other, good * 2])
    )
    problem(stage.client.get("/projects", params={"cursor": changed}), 400, "bad_cursor")
    problem(stage.client.get("/users", params={"cursor": good}), 400, "bad_cursor")
    problem(stage.client.get("/projects", params={"cursor": good, "q": "x"}), 400, "bad_cursor")


@hostile
@given(path=st.binary(max_size=100), escaped=st.booleans())
@example(b"projects/../../../../etc/passwd", False)
@example(b"projects/..;/admin", False)
@example(b"%00", False)
@example(b"projects//users", False)
def test_random_bytes_as_a_path(stage: Stage, path: bytes, escaped: bool) -> None:
    safe = "" if escaped else "/;.,:%-_~!$&'()*+=@"
    target = "/" + quote(path, safe=safe)
    for method in ("GET", "DELETE"):
        good_or_a_problem(stage.client.request(method, target, headers={"If-Match": "*"}))


@pytest.mark.parametrize(
    "path",
    [
        "/..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/docs/../../etc/passwd",
        "/docs/%2e%2e%2f%2e%2e%2fpyproject.toml", "/docs/..%5c..%5csettings.py", "/.git/config",
        "/docs/%252e%252e/x", "/openapi.json/..%2f..", "/static/../service/settings.py",
        "//etc/passwd",
        "/projects/%2e%2e/users", "/projects/..%2fusers", "/health/../metrics", "/%2fmetrics",
    ],
)  # fmt: skip
def test_no_path_leads_out(stage: Stage, path: str) -> None:
    """Sent as it stands: no client tidies it up."""
    key = stage.client.headers["authorization"]
    for status, head, body in exchange(
        stage.server, f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n".encode()
    ):
        assert status in (400, 404), body
        assert b"application/problem+json" in head
        assert b"root:" not in body


@hostile
@given(query=st.binary(max_size=150), known=st.sampled_from(QUERIES))
def test_random_bytes_as_a_query(stage: Stage, query: bytes, known: str) -> None:
    for safe in ("", "&=;%+"):
        for path in ("/projects", f"/projects/{stage.project}/documents/search", "/users"):
            good_or_a_problem(stage.client.get(f"{path}?{known}{quote(query, safe=safe)}"))


# what must not be read as something else


@pytest.mark.parametrize("text", SQL)
def test_sql_in_a_text_is_a_text(stage: Stage, text: str) -> None:
    """It comes back as it was sent, is found as what it is, and finds nothing else."""
    client = stage.client
    name = f"{unique('sql')} {text}"
    made = make_project(client, name=name, metadata={text: [text]})
    assert ok(client.get(f"/projects/{made['id']}"))["name"] == name
    assert made["metadata"] == {text: [text]}
    found = ok(client.get("/projects", params={"q": name}))["items"]
    assert [item["id"] for item in found] == [made["id"]]
    document = make_document(client, made["id"], document_type=text[:50], content=text)
    assert document["content"] == text
    latest = client.get(
        f"/projects/{made['id']}/documents/latest", params={"document_type": text[:50]}
    )
    assert ok(latest)["id"] == document["id"]
    for params in ({"q": text}, {"q": text, "document_type": text[:50]}):
        good_or_a_problem(client.get(f"/projects/{made['id']}/documents/search", params=params))
    for params in (
        {"status": text},
        {"language": text[:10]},
        {"created_by": text},
        {"limit": text},
    ):
        good_or_a_problem(client.get("/projects", params=params))
    good_or_a_problem(client.put(f"/users/by-email/{quote(text, safe='')}", json={}))
    for header in (b"If-None-Match", b"X-Request-ID", b"traceparent"):
        good_or_a_problem(client.get("/projects", headers=[(header, text.encode())]))
    key = [(b"Idempotency-Key", text.encode())]
    good_or_a_problem(client.post("/projects", json={}, headers=key))


def test_sql_in_an_idempotency_key_is_a_key(stage: Stage, module_database: Database) -> None:
    for text in SQL:
        if text.isascii() and " " not in text:
            key = {"Idempotency-Key": text + unique()}
            body = {"name": "x", "language": "en"}
            first = ok(stage.client.post("/projects", json=body, headers=key), 201)
            assert ok(stage.client.post("/projects", json=body, headers=key), 201) == first
    assert module_database.psql("SELECT count(*) > 0 FROM workspace.projects") == [(True,)]


@pytest.mark.parametrize(
    "value",
    [b"a\r\nX-Injected: 1", b"a\nX-Injected: 1", b"a\rX-Injected: 1", b"a\r\n X-Injected: 1",
     b"a\x00b", b"x" * 129, b"a b", b"<script>", "é".encode(), b"", b"%0d%0aX-Injected:%201",
     b"a\x0bb"],
)  # fmt: skip
@pytest.mark.parametrize("name", [b"X-Request-ID", b"X-Correlation-ID", b"traceparent"])
def test_nothing_gets_into_the_headers_of_an_answer(
    stage: Stage, name: bytes, value: bytes
) -> None:
    key = stage.client.headers["authorization"].encode()
    sent = (
        b"GET /projects?limit=1 HTTP/1.1\r\nHost: x\r\nAuthorization: " + key + b"\r\n"
        + name + b": " + value + b"\r\nConnection: close\r\n\r\n"
    )  # fmt: skip
    for status, head, _ in exchange(stage.server, sent):
        assert status < 500
        lines = head.lower().split(b"\r\n")
        assert not any(line.startswith((b"x-injected", b"set-cookie")) for line in lines)
        for line in lines:
            if line.startswith(b"x-request-id: "):
                assert SAFE_ID.match(line[14:].decode())
                assert line[14:] != value


def test_nothing_gets_out_of_a_link_or_a_location(stage: Stage) -> None:
    make_project(stage.client), make_project(stage.client)
    strange = "\r\nX-Injected: 1\r\n\r\n<b>>;\"'\u00e9"
    made = [make_project(stage.client, name=strange) for _ in range(2)]
    answer = stage.client.get("/projects", params={"limit": 1, "q": strange})
    good_or_a_problem(answer)
    link = answer.headers["link"]
    assert re.fullmatch(r'<[!-;=?-~]+>; rel="next"', link)
    following = ok(stage.client.get(link[1 : link.index(">")]))
    assert {ok(answer)["items"][0]["id"], following["items"][0]["id"]} == {m["id"] for m in made}
    created = stage.client.post("/projects", json={"name": strange, "language": "en"})
    assert re.fullmatch(r"/projects/[0-9a-f-]{36}", created.headers["location"])
    found = stage.client.put(f"/users/by-email/{quote(strange, safe='')}@example.org", json={})
    good_or_a_problem(found)


# what is no HTTP, or hardly


def exchange(
    server: Server, sent: bytes, *, half_close: bool = False
) -> list[tuple[int, bytes, bytes]]:
    """Status, head and body of every answer to raw bytes, until the server is silent or closes."""
    received = b""
    link = socket.create_connection(("127.0.0.1", server.port), timeout=0.5)
    with link, contextlib.suppress(OSError):
        link.sendall(sent)
        if half_close:
            link.shutdown(socket.SHUT_WR)
        while data := link.recv(65536):
            received += data
            if _complete(received):
                link.settimeout(0.02)
    return _answers(received)


def _answers(received: bytes) -> list[tuple[int, bytes, bytes]]:
    answers = []
    while received.startswith(b"HTTP/1.1 "):
        head, _, rest = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        size = int(length[1]) if length else 0
        answers.append((int(head[9:12]), head, rest[:size]))
        received = rest[size:]
    assert not received, f"neither head nor body: {received[:200]!r}"
    return answers


def _complete(received: bytes) -> bool:
    with contextlib.suppress(AssertionError):
        return bool(_answers(received))
    return False


def nothing_bad(answers: list[tuple[int, bytes, bytes]]) -> None:
    """No 5xx, no plain text; an answer to what cannot be read is a problem as well."""
    for status, head, body in answers:
        assert status < 500, (head, body)
        assert b"text/plain" not in head
        if status >= 400:
            assert b"application/problem+json" in head
            assert json.loads(body)["status"] == status


GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /projects HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
GARBAGE: dict[str, bytes] = {
    "nothing but line ends": b"\r\n" * 50,
    "a TLS hello": bytes.fromhex("16030100a5010000a10303") + bytes(range(160)),
    "a preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /health\r\n",
    "HTTP/1.0": b"GET /health HTTP/1.0\r\n\r\n",
    "HTTP/3.7": b"GET /health HTTP/3.7\r\nHost: x\r\n\r\n",
    "a method of our own": b"FROBNICATE /projects HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method without end": b"G" * 10_000,
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "a target with a host": b"GET http://evil.example.org/health HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that is a star": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "a target of raw bytes": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target with a space": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header without colon": GET + b"X\r\n\r\n",
    "a header that is folded": GET + b"X-A: b\r\n c\r\n\r\n",
    "a header with a space in its name": GET + b"X : x\r\n\r\n",
    "a header with NUL": GET + b"X-A: a\x00b\r\n\r\n",
    "bare line feeds": b"GET /health HTTP/1.1\nHost: x\n\n",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length that overflows": POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}",
    "a length that is no number": POST + b"Content-Length: x\r\n\r\n{}",
    "length and chunks": (
        POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
    ),
    "chunks that are not the last coding": (
        POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"
    ),
    "an unknown coding": POST + b"Transfer-Encoding: x\r\n\r\n{}",
    "a chunk without a size": CHUNKED + b"zz\r\n",
    "a chunk that overflows": CHUNKED + b"F" * 40 + b"\r\n",
    "a chunk longer than it says": CHUNKED + b"1\r\nabc\r\n0\r\n\r\n",
    "a chunk with endless extensions": CHUNKED + b"1;" + b"a" * 20_000 + b"\r\n",
    "an upgrade": (
        GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n\r\n"
    ),
    "an upgrade to HTTP/2": (
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n"
    ),
    "a thousand headers": (
        GET + b"".join(b"X-%d: %s\r\n" % (n, b"v" * 80) for n in range(1000)) + b"\r\n"
    ),
    "a header of 60 KB": GET + b"X-A: " + b"v" * 60_000 + b"\r\n\r\n",
    "a target of 60 KB": b"GET /" + b"v" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_hardly_http(server: Server, name: str) -> None:
    for half_close in (False, True):
        nothing_bad(exchange(server, GARBAGE[name], half_close=half_close))


@hostile
@given(data=st.data())
def test_requests_of_which_anything_was_changed(stage: Stage, data: st.DataObject) -> None:
    key = stage.client.headers["authorization"].encode()
    body = b'{"name": "x", "language": "en"}'
    good = (
        b"POST /projects HTTP/1.1\r\nHost: x\r\nAuthorization: " + key + b"\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    raw = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw)))
        piece = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"\r\n", b"\0", b":", b" ", good])
        )
        raw[at : at + data.draw(st.integers(0, 4))] = piece
    nothing_bad(exchange(stage.server, bytes(raw), half_close=True))


@hostile
@given(sent=st.binary(max_size=400), begin=st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"POST /"]))
def test_random_bytes_on_the_socket(server: Server, sent: bytes, begin: bytes) -> None:
    nothing_bad(exchange(server, begin + sent, half_close=True))


def test_many_requests_in_one_write_are_answered_in_their_order(stage: Stage) -> None:
    key = stage.client.headers["authorization"]
    sent = "".join(
        f"GET /projects?limit={number % 3} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n"
        f"X-Request-ID: n{number}\r\n\r\n"
        for number in range(60)
    )
    with socket.create_connection(("127.0.0.1", stage.server.port), timeout=10) as link:
        link.sendall(sent.encode())
        received = b""
        while received.lower().count(b"x-request-id: n") < 60 or not _complete(received):
            received += link.recv(65536)
    answers = _answers(received)
    assert [status for status, _, _ in answers] == [422, 200, 200] * 20
    ids = [re.search(rb"(?i)x-request-id: (n\d+)", head) for _, head, _ in answers]
    assert [found and found[1] for found in ids] == [b"n%d" % number for number in range(60)]


# sizes


@pytest.mark.parametrize("way", ["all of it", "expecting 100", "in chunks"])
def test_a_body_of_10_mb_is_refused_early(stage: Stage, way: str) -> None:
    """Before it has been sent, let alone held in memory."""
    size = 10 * 1024 * 1024
    head = (
        f"POST /projects HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: {stage.client.headers['authorization']}\r\n"
    )
    head += (
        "Transfer-Encoding: chunked\r\n" if way == "in chunks" else f"Content-Length: {size}\r\n"
    )
    head += "Expect: 100-continue\r\n" if way == "expecting 100" else ""
    sent, received = 0, b""
    with socket.create_connection(("127.0.0.1", stage.server.port), timeout=10) as link:
        link.sendall(head.encode() + b"\r\n")
        link.settimeout(0.05)
        piece = b" " * 65536
        piece = b"10000\r\n" + piece + b"\r\n" if way == "in chunks" else piece
        while b"\r\n\r\n" not in received:
            with contextlib.suppress(TimeoutError):
                received += link.recv(65536)
            if way != "expecting 100" and not received:
                with contextlib.suppress(OSError):
                    sent += link.send(piece)
    assert received.startswith(b"HTTP/1.1 413 "), received[:200]
    assert b"application/problem+json" in received
    assert sent < size / 2


def test_an_unread_body_does_not_become_the_next_request(stage: Stage) -> None:
    """A request within the body of one that was refused is not obeyed."""
    key = stage.client.headers["authorization"]
    inner = (
        f"DELETE /projects/{stage.project} HTTP/1.1\r\nHost: x\r\nIf-Match: *\r\n"
        f"Authorization: {key}\r\n\r\n"
    ).encode()
    outer = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner
    answers = exchange(stage.server, outer)
    assert [status for status, _, _ in answers] == [404]
    ok(stage.client.get(f"/projects/{stage.project}"))


def test_silent_connections_stop_nobody(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(300):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
            if number % 2:
                link.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        began = time.monotonic()
        for _ in range(20):
            assert httpx.get(f"{server.url}/health", timeout=10).status_code == 200
        assert time.monotonic() - began < 5


def test_odd_json_in_odd_places_is_never_a_500(stage: Stage) -> None:
    """Every field of every body, with values of every type."""
    values: list[Any] = [
        None, True, 0, -1, 2**31, 2**63, 2**64, 1e308, 0.1, "", " ", "x" * 300, "\u0000", [], {},
        [[]], {"a": {}}, ["x"], "2026-13-45", "00000000-0000-0000-0000-000000000000",
        "\U0001f600" * 60,
    ]  # fmt: skip
    bodies: dict[str, dict[str, Any]] = {
        "/projects": {"name": "x", "language": "en", "status": "draft", "current_step": 1,
                      "metadata": {}, "created_by": None},
        "/users": {"email": "a@b.cd", "name": "x", "profile": {}},
        f"/projects/{stage.project}/documents": {
            "document_type": "t", "content": "x", "metadata": {}, "readability_score": 1,
            "grammar_score": 1, "created_by": None},
    }  # fmt: skip
    for path, fields in bodies.items():
        for name in fields:
            for value in values:
                body = {k: v for k, v in fields.items() if v is not None} | {name: value}
                good_or_a_problem(stage.client.post(path, content=json.dumps(body)))
                good_or_a_problem(stage.client.post(path, content=json.dumps([body])))


def test_an_endless_head_is_cut_off(served: Served, module_database: Database) -> None:
    """Nobody may fill the memory before a request has even begun."""
    server = served(module_database)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
        link.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        answer = b""
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                link.sendall(b"x-filler: " + b"y" * 8000 + b"\r\n")
                time.sleep(0.005)
            answer = link.recv(4096)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
    assert httpx.get(f"{server.url}/health").status_code == 200
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as link:
        link.sendall(b"GET /health HTTP/1.1\r\nx-filler: " + b"y" * 40_000 + b"\r\n\r\n")
        assert link.recv(4096).startswith(b"HTTP/1.1 200 ")
