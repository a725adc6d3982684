"""Too much of anything is refused with a time to come back, and is over when its cause is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import Served
from tests.promises.helpers import ANY_VERSION, make_project, ok, problem, unique
from tests.promises.test_faults import in_background, locked_row, metric, waiting
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("limits")

WAIT = 0.4  # seconds of QUARRY_POOL_WAIT_MS
MARGIN = 1.0  # seconds for a busy machine, on top of a bound


# the pool


@pytest.fixture(scope="module")
def small(module_served: Served, module_database: Database) -> Server:
    """A server with two connections."""
    return module_served(module_database, pool_max_size=2, pool_wait_ms=int(WAIT * 1000))


@contextlib.contextmanager
def exhausted(small: Server, client: httpx.Client, database: Database) -> Iterator[None]:
    """Both connections wait for a lock; at the end both writes must have succeeded."""
    project = make_project(client)["id"]

    def write() -> httpx.Response:
        path = f"/projects/{project}"
        return small.client(small.key()).put(path, json={"name": "x"}, headers=ANY_VERSION)

    with locked_row(database, project):
        writers = [in_background(write) for _ in range(2)]
        wait_until(lambda: waiting(database) == 2)
        yield
    for thread, results in writers:
        thread.join(10)
        ok(results[0])


def test_without_a_free_connection_a_request_is_503_within_the_bound(
    small: Server, module_database: Database
) -> None:
    client = small.client(small.key())
    path = f"/projects/{make_project(client)['id']}"
    with exhausted(small, client, module_database):
        for _ in range(2):
            began = time.monotonic()
            refused = client.get(path)
            took = time.monotonic() - began
            problem(refused, 503, "pool_exhausted")
            assert WAIT * 0.9 <= took < WAIT + MARGIN
            assert 1 <= int(refused.headers["retry-after"]) <= 5
        began = time.monotonic()
        assert client.get("/health").status_code == 200
        assert client.get("/health/live").status_code == 200
        assert time.monotonic() - began < MARGIN
        unready = client.get("/ready")
        problem(unready, 503, "pool_exhausted")
        assert unready.json()["component"] == "pool"
        assert metric(small, "quarry_pool_connections") == 2
        assert metric(small, "quarry_pool_exhausted_total") >= 2
    for _ in range(20):  # at once, every time
        ok(client.get(path))
    assert client.get("/ready").status_code == 200
    assert metric(small, "quarry_pool_waiting") == 0


def test_who_waits_for_a_connection_gets_the_next_that_is_free(
    served: Served, module_database: Database
) -> None:
    server = served(module_database, pool_max_size=2, pool_wait_ms=10_000)
    client = server.client(server.key())
    path = f"/projects/{make_project(client)['id']}"

    def read() -> httpx.Response:
        return server.client(server.key()).get(path)

    with exhausted(server, client, module_database):
        patient = [in_background(read) for _ in range(8)]
        wait_until(lambda: metric(server, "quarry_pool_waiting") == 8)
    for thread, results in patient:
        thread.join(10)
        ok(results[0])


def test_bad_requests_use_no_connection(small: Server, module_database: Database) -> None:
    client = small.client(small.key())
    ok(client.get("/projects"))  # the key is known now
    with exhausted(small, client, module_database):
        began = time.monotonic()
        problem(client.get("/nowhere"), 404, "not_found")
        problem(client.get("/projects/no-uuid"), 404, "not_found")
        problem(client.patch("/projects"), 405, "method_not_allowed")
        problem(client.get("/projects?limit=0"), 422, "validation")
        problem(client.get("/projects?cursor=x"), 400, "bad_cursor")
        problem(client.post("/projects", content=b"{"), 400, "malformed_json")
        problem(client.post("/projects", json={}), 422, "validation")
        problem(small.client().get("/projects"), 401, "unauthenticated")
        problem(small.client("qk_nonsense").get("/projects"), 401, "unauthenticated")
        assert time.monotonic() - began < WAIT + MARGIN


# the rate


@pytest.fixture(scope="module")
def limited(module_served: Served, module_database: Database) -> Server:
    """Two requests a second for everyone who has no limit of his own; a burst of four."""
    return module_served(module_database, rate_limit=2, rate_burst=2)


def new_client(server: Server, **options: Any) -> httpx.Client:
    """A caller with a key of its own."""
    return server.client(server.key("acme", name=unique("key"), **options))


def use_up(client: httpx.Client) -> list[httpx.Response]:
    """Requests until one is refused."""
    answers = [client.get("/projects?limit=1")]
    while answers[-1].status_code == 200 and len(answers) < 50:
        answers.append(client.get("/projects?limit=1"))
    return answers


def member(field: str, name: str) -> int:
    """The value of a member in a header such as `"key";q=4;w=2`."""
    return int(next(part[len(name) + 1 :] for part in field.split(";") if part.startswith(name)))


def test_over_the_rate_is_429_with_a_time_after_which_it_is_not(limited: Server) -> None:
    client = new_client(limited)
    answers = use_up(client)
    assert len(answers) in (5, 6)  # a burst of four, and one that grew meanwhile
    for before, answer in enumerate(answers[:-1]):
        assert member(answer.headers["ratelimit-policy"], "q") == 4
        assert member(answer.headers["ratelimit"], "r") <= 3 - before + 1
    refused = answers[-1]
    problem(refused, 429, "rate_limited")
    assert member(refused.headers["ratelimit"], "r") == 0
    assert member(refused.headers["ratelimit-policy"], "q") == 4
    wait = int(refused.headers["retry-after"])
    assert wait == member(refused.headers["ratelimit"], "t") == 1
    problem(client.post("/projects", json={"name": "x", "language": "en"}), 429, "rate_limited")
    time.sleep(wait)
    ok(client.get("/projects"))


def test_a_caller_over_its_rate_is_no_harm_to_others(limited: Server) -> None:
    greedy, modest = new_client(limited), new_client(limited)
    problem(use_up(greedy)[-1], 429, "rate_limited")
    ok(modest.get("/projects"))
    assert limited.client().get("/health").status_code == 200
    assert limited.client().get("/ready").status_code == 200


def test_a_key_may_have_a_rate_of_its_own(limited: Server) -> None:
    answers = use_up(new_client(limited, rate_limit=5))
    assert len(answers) >= 11
    refused = answers[-1]
    problem(refused, 429, "rate_limited")
    assert member(refused.headers["ratelimit-policy"], "q") == 10


def test_a_rate_of_a_key_holds_where_there_is_none_for_all(small: Server) -> None:
    problem(use_up(new_client(small, rate_limit=1))[-1], 429, "rate_limited")
    free = new_client(small)
    for _ in range(30):
        assert "ratelimit" not in free.get("/projects").headers


def test_what_is_refused_does_not_push_the_time_out(limited: Server) -> None:
    """Whoever keeps knocking gets in as soon as whoever waits."""
    client = new_client(limited)
    use_up(client)
    deadline = time.monotonic() + 1 + MARGIN
    while client.get("/projects").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_request_without_a_scope_counts_as_well(limited: Server) -> None:
    client = new_client(limited, scopes=["audit"])
    statuses = [client.get("/projects").status_code for _ in range(8)]
    assert statuses[:4] == [403] * 4
    assert statuses[-1] == 429
