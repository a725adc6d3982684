"""Compressed answers: when asked, under an ETag of their own that is as good as the plain one."""

from __future__ import annotations

import gzip
import json

import httpx
import psycopg
import pytest

from tests.promises.helpers import NDJSON, make_project, ok, problem
from tests.support.cluster import Database

pytestmark = pytest.mark.xdist_group("coding")


def test_a_large_answer_is_compressed_when_asked(mine: httpx.Client) -> None:
    made = [make_project(mine, metadata={"text": "x" * size}) for size in (10, 5000)]
    for project, large in zip(made, (False, True), strict=True):
        for asked in ("gzip", "br, gzip;q=0.8", "identity", "", "gzip;q=0", "gzipped"):
            with mine.stream(
                "GET", f"/projects/{project['id']}", headers={"Accept-Encoding": asked}
            ) as answer:
                raw = b"".join(answer.iter_raw())
            packed = large and asked in ("gzip", "br, gzip;q=0.8")
            assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
            assert int(answer.headers["content-length"]) == len(raw)
            assert json.loads(gzip.decompress(raw) if packed else raw) == project
            assert answer.headers["etag"] == ('"1-gzip"' if packed else '"1"')
            assert answer.headers.get("vary") == ("accept-encoding" if large else None)
            if packed:
                assert len(raw) < 1000


def test_the_etag_of_a_compressed_answer_is_good_wherever_one_is(mine: httpx.Client) -> None:
    """A cache must not take one for the other; a caller need not know that there are two."""
    path = f"/projects/{make_project(mine, metadata={'text': 'x' * 5000})['id']}"
    gzipped, identity = {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}
    both = ['"1"', '"1-gzip"']
    for etag in both:
        for coding, own in ((gzipped, '"1-gzip"'), (identity, '"1"')):
            for method in ("GET", "HEAD"):
                known = coding | {"If-None-Match": etag}
                answer = mine.request(method, path, headers=known)
                assert (answer.status_code, answer.headers["etag"]) == (304, own)
    for version, etag in enumerate(both, start=2):
        answer = mine.put(path, json={"name": "x"}, headers=gzipped | {"If-Match": etag})
        assert ok(answer)["version"] == version
        both[:] = [f'"{version}"', f'"{version}-gzip"']
        assert answer.headers["etag"] == both[1]
    problem(mine.put(path, json={}, headers={"If-Match": '"1-gzip"'}), 412, "stale_etag")
    two = {"If-Match": '"3", "2"'}
    problem(mine.put(path, json={"name": "x"}, headers=two), 400, "bad_header")


def test_a_stream_is_compressed_when_asked(mine: httpx.Client) -> None:
    made = {make_project(mine)["id"] for _ in range(30)}
    for asked, packed in (("gzip", True), ("identity", False), ("gzip;q=0", False)):
        headers = NDJSON | {"Accept-Encoding": asked}
        with mine.stream("GET", "/projects", headers=headers) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
        assert answer.headers["vary"] == "accept-encoding"
        rows = [json.loads(line) for line in (gzip.decompress(raw) if packed else raw).splitlines()]
        assert made <= {row["id"] for row in rows}
    refused = mine.get("/projects?q=%00", headers=NDJSON | {"Accept-Encoding": "gzip"})
    problem(refused, 422, "validation")


def test_a_head_of_a_stream_reads_nothing(mine: httpx.Client, module_database: Database) -> None:
    ok(mine.get("/projects?limit=1"))
    asked = NDJSON | {"X-Request-Timeout-Ms": "3000"}
    with psycopg.connect(module_database.owner_dsn) as locker:
        locker.execute("LOCK TABLE workspace.projects IN ACCESS EXCLUSIVE MODE")
        answer = mine.head("/projects", headers=asked)
        problem(mine.get("/projects", headers=asked | {"X-Request-Timeout-Ms": "100"}), 504,
                "deadline_exceeded")  # fmt: skip
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == NDJSON["Accept"]
