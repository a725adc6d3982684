"""A POST with an Idempotency-Key is done once, however often it is sent and whatever breaks."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import Served
from tests.promises.helpers import (
    ANY_VERSION,
    Tenant,
    absent,
    at_once,
    connect,
    make_document,
    make_project,
    make_user,
    ok,
    problem,
    unique,
)  # fmt: skip
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("idempotency")

CALLS = 100


def post(
    client: httpx.Client, key: str, path: str = "/projects", body: Any = None
) -> httpx.Response:
    if body is None and path == "/projects":
        body = {"name": key, "language": "en"}
    return client.post(path, json=body, headers={"Idempotency-Key": key})


def count(database: Database, name: str) -> int:
    """How many projects have this name, read as superuser."""
    rows = database.psql("SELECT count(*) FROM workspace.projects WHERE name = %s", name)
    return int(rows[0][0])


def answer_of(response: httpx.Response) -> tuple[Any, ...]:
    """What every replay must repeat."""
    headers = (response.headers.get(name) for name in ("location", "etag", "content-type"))
    return (response.status_code, response.content, *headers)


def replayed(response: httpx.Response) -> bool:
    return response.headers.get("idempotency-replayed") == "true"


# ---------------------------------------------------------------- once


def test_100_parallel_posts_with_one_key_make_one_row_and_get_one_answer(
    mine: httpx.Client, module_database: Database
) -> None:
    key = unique("key")
    answers = at_once([lambda: post(mine, key)] * CALLS)
    assert {answer_of(answer) for answer in answers} == {answer_of(answers[0])}
    assert answers[0].status_code == 201 and answers[0].headers["etag"] == '"1"'
    assert answers[0].headers["location"] == f"/projects/{answers[0].json()['id']}"
    assert sorted(map(replayed, answers)) == [False] + [True] * (CALLS - 1)
    assert all(set(a.headers) - {"idempotency-replayed"} == set(answers[0].headers) - {
        "idempotency-replayed"} for a in answers)  # fmt: skip
    assert count(module_database, key) == 1


def test_every_post_can_be_replayed(mine: httpx.Client, module_database: Database) -> None:
    user = make_user(mine)
    project = make_project(mine, created_by=user["id"])["id"]
    document = make_document(mine, project)["id"]
    deleted = [make_project(mine)["id"] for _ in range(2)]
    for gone in deleted:
        mine.delete(f"/projects/{gone}", headers=ANY_VERSION)
    body = {"name": unique(), "language": "en"}
    person = {"email": f"{unique()}@example.org", "name": "x"}
    for path, sent in {
        "/projects": body,
        "/projects/bulk": [body, body],
        "/users": person,
        "/users/bulk": [person | {"email": f"{unique()}@example.org"}],
        f"/projects/{project}/documents": {"document_type": "report", "content": "x"},
        f"/projects/{project}/documents/{document}/restore": None,
        f"/projects/{deleted[0]}/restore": None,
        f"/projects/{deleted[1]}/purge": None,
        f"/users/{user['id']}/erase": None,
    }.items():
        key = unique("key")
        first, second = post(mine, key, path, sent), post(mine, key, path, sent)
        assert first.status_code < 300, (path, first.text)
        assert (replayed(first), replayed(second)) == (False, True), path
        if "erase" not in path:
            assert answer_of(first) == answer_of(second), path
    assert count(module_database, body["name"]) == 3
    numbers = module_database.psql(
        "SELECT max(version) FROM workspace.document_versions WHERE project_id = %s", project
    )
    assert numbers == [(3,)]


def test_an_array_body_is_replayed_as_well(mine: httpx.Client, module_database: Database) -> None:
    key, name = unique("key"), unique()
    items = [{"name": name, "language": "en"}] * 500
    answers = at_once([lambda: post(mine, key, "/projects", items)] * 10)
    assert {answer_of(answer) for answer in answers} == {answer_of(answers[0])}
    assert len(ok(answers[0], 201)["ids"]) == 500 and count(module_database, name) == 500


def test_another_request_with_the_same_key_is_refused(mine: httpx.Client) -> None:
    key, project = unique("key"), make_project(mine)["id"]
    ok(post(mine, key), 201)
    body = {"name": key, "language": "en"}
    for path, other in (
        ("/projects", body | {"language": "de"}),
        ("/projects", [body]),
        ("/projects/bulk", [body]),
        (f"/projects/{project}/restore", None),
    ):
        problem(post(mine, key, path, other), 422, "idempotency_mismatch")
    assert replayed(post(mine, key))


def test_the_same_key_of_another_caller_is_another_key(
    tenant: Tenant, theirs: httpx.Client, module_database: Database
) -> None:
    key = unique("key")
    colleague = tenant.caller(name="a second key")
    answers = [post(client, key) for client in (tenant.client, colleague, theirs)]
    assert not any(map(replayed, answers))
    assert len({ok(answer, 201)["id"] for answer in answers}) == 3
    assert count(module_database, key) == 3
    ok(post(colleague, unique("key"), body={"name": "other", "language": "en"}), 201)


def test_a_refused_attempt_stores_nothing(mine: httpx.Client, module_database: Database) -> None:
    """Neither what fails before the database nor what fails in it, nor half of it."""
    key, user = unique("key"), make_user(mine)
    good = {"email": f"{unique()}@example.org", "name": "x"}
    for path, body, status, code in (
        ("/users", {"name": "x"}, 422, "validation"),
        ("/users", {"email": user["email"], "name": "x"}, 409, "duplicate"),
        ("/users", [good, {"email": user["email"], "name": "x"}], 409, "duplicate"),
        ("/projects", {"name": key, "language": "en", "created_by": absent()}, 422, "foreign_key"),
        (f"/projects/{absent()}/restore", None, 404, "not_found"),
        (f"/users/{absent()}/erase", None, 404, "not_found"),
    ):
        for _ in range(2):
            answer = post(mine, key, path, body)
            problem(answer, status, code)
            assert not replayed(answer)
    stored = "SELECT count(*) FROM core.idempotency WHERE key = %s"
    assert module_database.psql(stored, key) == [(0,)]
    assert not replayed(post(mine, key, "/users", good))
    assert module_database.psql(stored, key) == [(1,)]


def test_a_key_without_the_scope_gets_no_stored_answer(tenant: Tenant) -> None:
    reader = tenant.caller("projects:read")
    problem(post(reader, unique("key")), 403, "forbidden")


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é", "\xff", "a\tb"])
def test_a_key_that_cannot_be_kept_is_refused(mine: httpx.Client, key: str) -> None:
    answer = mine.post(
        "/projects", json={"name": "x", "language": "en"},
        headers={"Idempotency-Key": key.encode("latin-1")},
    )  # fmt: skip
    problem(answer, 400, "bad_header")


def test_the_longest_and_strangest_keys_work(mine: httpx.Client) -> None:
    strange = "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~\\" + unique()
    for key in ("x" * 200 + unique("k").ljust(55, "x")[:55], strange):
        body = {"name": "x", "language": "en"}
        assert not replayed(post(mine, key, body=body)) and replayed(post(mine, key, body=body))


def test_a_stored_answer_can_be_used_anew_when_it_has_expired(
    mine: httpx.Client, module_database: Database
) -> None:
    key = unique("key")
    first = ok(post(mine, key), 201)
    stored = "SELECT expires_at - now() > interval '23 hours' FROM core.idempotency WHERE key = %s"
    assert module_database.psql(stored, key) == [(True,)]
    expire = "UPDATE core.idempotency SET expires_at = now() - interval '1 s' WHERE key = %s"
    module_database.psql(expire, key)
    again = post(mine, key, body={"name": key, "language": "de"})
    assert not replayed(again) and ok(again, 201)["id"] != first["id"]


# ---------------------------------------------------------------- while the first still runs


@contextmanager
def projects_locked(database: Database) -> Iterator[None]:
    """Nobody can write projects meanwhile."""
    with psycopg.connect(database.owner_dsn) as superuser:
        superuser.execute("LOCK TABLE workspace.projects IN SHARE MODE")
        yield


def waiting(database: Database) -> int:
    """How many statements of the service wait for a lock."""
    return int(
        database.psql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            "   AND usename = 'quarry_app' AND wait_event_type = 'Lock'"
        )[0][0]
    )


def test_while_the_first_still_runs_the_second_is_told_so(
    mine: httpx.Client, module_database: Database
) -> None:
    key = unique("key")
    answers: list[httpx.Response] = []
    first = threading.Thread(target=lambda: answers.append(post(mine, key)))
    with projects_locked(module_database):
        first.start()
        wait_until(lambda: waiting(module_database))
        second = mine.post(
            "/projects", json={"name": key, "language": "en"},
            headers={"Idempotency-Key": key, "X-Request-Timeout-Ms": "200"},
        )  # fmt: skip
        problem(second, 409, "idempotency_in_progress")
        assert int(second.headers["retry-after"]) >= 1
    first.join()
    assert answers[0].status_code == 201
    assert answer_of(post(mine, key)) == answer_of(answers[0])
    assert count(module_database, key) == 1


# ---------------------------------------------------------------- several processes


@pytest.fixture(scope="module")
def second_server(module_served: Served, module_database: Database) -> Server:
    """Another service on the same database."""
    return module_served(module_database)


def test_two_servers_make_one_row_for_one_key(
    server: Server, second_server: Server, module_database: Database
) -> None:
    secret = server.key("acme")
    clients = [connect(each, secret) for each in (server, second_server)]
    for _ in range(3):
        key = unique("key")
        answers = at_once([lambda n=n, key=key: post(clients[n % 2], key) for n in range(60)])
        assert {answer_of(answer) for answer in answers} == {answer_of(answers[0])}
        assert answers[0].status_code == 201
        assert sorted(map(replayed, answers)) == [False] + [True] * 59
        assert count(module_database, key) == 1


def test_two_workers_of_one_server_make_one_row_for_one_key(
    module_served: Served, module_database: Database
) -> None:
    server = module_served(module_database, workers=2, admin_port=0)
    secret, key = server.key("acme"), unique("key")
    clients = [connect(server, secret) for _ in range(8)]  # connections of their own
    answers = at_once([lambda n=n: post(clients[n % 8], key) for n in range(64)])
    assert {answer_of(answer) for answer in answers} == {answer_of(answers[0])}
    assert sorted(map(replayed, answers)) == [False] + [True] * 63
    assert count(module_database, key) == 1


def test_a_server_that_waits_too_long_for_another_says_so(
    server: Server, second_server: Server, module_database: Database
) -> None:
    secret, key = server.key("acme"), unique("key")
    clients = [connect(each, secret) for each in (server, second_server)]
    answers: list[httpx.Response] = []
    first = threading.Thread(target=lambda: answers.append(post(clients[0], key)))
    with projects_locked(module_database):
        first.start()
        wait_until(lambda: waiting(module_database))
        second = clients[1].post(
            "/projects", json={"name": key, "language": "en"},
            headers={"Idempotency-Key": key, "X-Request-Timeout-Ms": "300"},
        )  # fmt: skip
        assert (second.status_code, second.json()["code"]) in (
            (409, "idempotency_in_progress"), (504, "deadline_exceeded"),
        )  # fmt: skip
    first.join()
    assert answer_of(post(clients[1], key)) == answer_of(answers[0])
    assert count(module_database, key) == 1


# ---------------------------------------------------------------- a server that is killed


SLOW = """
CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM pg_catalog.pg_sleep(0.7); RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER dawdle AFTER {event} ON {table} DEFERRABLE INITIALLY {when}
   FOR EACH ROW EXECUTE FUNCTION public.dawdle();
"""


def lost(client: httpx.Client, key: str) -> bool:
    """Whether a keyed POST got no answer."""
    try:
        return post(client, key).status_code != 201
    except httpx.TransportError:
        return True


@pytest.mark.parametrize(
    ("trigger", "done"),
    [
        (("UPDATE", "core.idempotency", "DEFERRED"), True),  # in the COMMIT: done, but never told
        (("INSERT", "workspace.projects", "IMMEDIATE"), False),  # in the work: rolled back
    ],
    ids=["while it commits", "while it works"],
)
def test_what_a_killed_server_was_doing_is_done_once(
    served: Served, database: Database, trigger: tuple[str, str, str], done: bool
) -> None:
    server = served(database)
    client, key = connect(server, server.key()), unique("key")
    event, table, when = trigger
    ok(client.get("/projects"))
    database.psql(SLOW.format(event=event, table=table, when=when))
    answers: list[bool] = []
    call = threading.Thread(target=lambda: answers.append(lost(client, key)))
    call.start()
    asleep = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        "   AND datname = current_database()"
    )
    wait_until(lambda: database.psql(asleep) == [(1,)])
    server.stop(signal.SIGKILL)
    call.join()
    assert answers == [True], "the client had its answer before the server was killed"
    wait_until(lambda: database.psql(asleep) == [(0,)])
    assert count(database, key) == int(done)
    database.psql(f"DROP TRIGGER dawdle ON {table}")
    server.restart()
    again = post(client, key)
    assert (again.status_code, replayed(again)) == (201, done)
    assert count(database, key) == 1
    assert answer_of(post(client, key)) == answer_of(again)


def test_a_server_that_is_killed_at_random_leaves_one_row_per_key(
    served: Served, database: Database
) -> None:
    server = served(database)
    secret = server.key()
    told: dict[str, bytes] = {}
    tried: list[str] = []
    for _ in range(4):
        over = threading.Event()

        def work(over: threading.Event = over) -> None:
            client = connect(server, secret)
            with contextlib.suppress(httpx.TransportError):
                while not over.is_set():
                    key = unique("key")
                    tried.append(key)
                    told[key] = ok(post(client, key), 201) and post(client, key).content

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        done = len(told)
        wait_until(lambda done=done: len(told) > done)
        time.sleep(random.uniform(0, 0.15))
        server.stop(signal.SIGKILL)
        over.set()
        for thread in threads:
            thread.join()
        server.restart()
    client = connect(server, secret)
    untold = [key for key in tried if key not in told]
    assert untold and told
    for key in tried:
        answer = post(client, key)
        assert answer.status_code == 201
        assert key not in told or (answer.content == told[key] and replayed(answer))
    assert {count(database, key) for key in tried} == {1}
