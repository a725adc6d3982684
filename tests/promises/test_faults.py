"""The database goes away and comes back: 503 within a second meanwhile, never a wrong answer."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson
import psycopg
import pytest

from service.database.embedded import Embedded
from service.operations import migrations
from tests.conftest import Served
from tests.promises.helpers import make_project, ok, problem
from tests.support.cluster import FAST, MIGRATIONS, Cluster, Database, socket_path
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.wait import wait_until

AT_ONCE = 1.0  # seconds: the longest that anyone waits for bad news
HEALED = 5.0  # seconds from the database's return to the first good answer


class Seen(NamedTuple):
    """What a client saw of one request; status 0: nothing came back, -1: it was not let in."""

    at: float  # seconds, monotonic, when it was sent
    took: float
    status: int
    path: str
    body: bytes
    error: str = ""


class Load:
    """Clients that ask for these paths in turn, until the block ends; each in a thread of its own.

    An answer of 200 must name the id that was asked for: `wrong` holds those that do not.
    """

    def __init__(
        self, server: Server, key: str, paths: Sequence[str], *, clients: int = 6,
        keep_alive: bool = True, pause: float = 0.005, timeout_ms: int | None = None,
    ) -> None:  # fmt: skip
        self.seen: list[Seen] = []
        self._port = server.port
        self._paths = itertools.cycle(paths)
        self._headers = {"Authorization": f"Bearer {key}"}
        if timeout_ms is not None:
            self._headers["X-Request-Timeout-Ms"] = str(timeout_ms)
        self._keep_alive, self._pause = keep_alive, pause
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(40)

    def since(self, moment: float) -> list[Seen]:
        """What was sent after a moment and has ended."""
        return [seen for seen in tuple(self.seen) if seen.at >= moment]

    @property
    def wrong(self) -> list[Seen]:
        """Good answers to another question."""
        good = (seen for seen in tuple(self.seen) if seen.status == 200)
        return [seen for seen in good if _id(seen.body) != seen.path.rpartition("/")[2]]

    def await_more(self, count: int, seconds: float = 10.0) -> None:
        """Wait until that many further requests have ended."""
        goal = len(self.seen) + count
        wait_until(lambda: len(self.seen) >= goal, seconds, f"{count} more answers")

    def _run(self) -> None:
        link: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            link = link or http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            seen = _ask(link, next(self._paths), self._headers)
            self.seen.append(seen)
            if seen.status <= 0 or not self._keep_alive:
                link.close()
                link = None
            time.sleep(self._pause if seen.status > 0 else 0.02)
        if link is not None:
            link.close()


def _ask(link: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> Seen:
    began = time.monotonic()

    def seen(status: int, body: bytes = b"", error: str = "") -> Seen:
        return Seen(began, time.monotonic() - began, status, path, body, error)

    try:
        if link.sock is None:
            link.connect()
    except OSError as error:
        return seen(-1, error=repr(error))
    try:
        link.request("GET", path, headers=headers)
        answer = link.getresponse()
        return seen(answer.status, answer.read())
    except (OSError, http.client.HTTPException) as error:
        return seen(0, error=repr(error))


def _id(body: bytes) -> Any:
    return orjson.loads(body).get("id")


def statuses(seen: Sequence[Seen]) -> dict[int, int]:
    """How often each status came."""
    return {status: sum(s.status == status for s in seen) for status in {s.status for s in seen}}


class OwnPostgres:
    """A PostgreSQL of a module's own, migrated, that may be stopped and killed."""

    def __init__(self, folder: Path) -> None:
        # A killed server must still know what it said was kept.
        self.server = Embedded(folder, options=FAST | {"synchronous_commit": "on"})
        self.server.start()
        self.owner_dsn = self.server.dsn()
        self.app_dsn = self.server.dsn(user="quarry_app")
        migrations.apply(self.owner_dsn, MIGRATIONS)

    def stop(self) -> None:
        """As an operator does: clients are cut."""
        self.server.stop()

    def kill(self) -> None:
        """As the kernel's out-of-memory killer does."""
        assert self.server.pid
        os.kill(self.server.pid, signal.SIGKILL)
        wait_until(lambda: not self.server.running())

    def start(self) -> None:
        """Again, whatever happened."""
        self.server.start()


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    """The module's own PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="quarry-pg-") as name:
        Path(name).chmod(0o755)
        own = OwnPostgres(Path(name))
        yield own
        own.start()
        own.stop()


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    """The link between a service and the shared cluster."""
    with Proxy(socket_path(cluster)) as link:
        yield link


def served_by_way_of(proxy: Proxy, served: Served, database: Database, **settings: Any) -> Server:
    """A server whose every way to the database goes through the proxy."""
    dsn = proxy.dsn(database.app_dsn)
    return served(database, database_url=dsn, database_direct_url=dsn, **settings)


def some_paths(client: httpx.Client, count: int = 5) -> list[str]:
    """Paths of new projects."""
    return [f"/projects/{make_project(client)['id']}" for _ in range(count)]


def assert_bad_news_is_quick(seen: Sequence[Seen], *allowed: int, within: float = AT_ONCE) -> None:
    """Nothing but 200 and the allowed statuses, each in time, each error a whole problem."""
    assert {s.status for s in seen} <= {200, *allowed}, statuses(seen)
    slowest = max(seen, key=lambda s: s.took)
    assert slowest.took <= within, slowest
    for each in seen:
        if each.status != 200:
            body = orjson.loads(each.body)
            assert body["code"] in ("database_unavailable", "pool_exhausted", "deadline_exceeded")


def assert_heals(client: httpx.Client, path: str) -> None:
    """Good answers again, by itself, in time; and then no bad one any more."""

    def good() -> bool:
        return client.get(path).status_code == 200

    wait_until(good, HEALED)
    wait_until(lambda: client.get("/ready").status_code == 200, 5)
    assert all(good() for _ in range(50))


def metric(server: Server, name: str) -> float:
    """A gauge without labels."""
    text = httpx.get(f"{server.admin_url}/metrics", timeout=10).text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")))


@pytest.mark.xdist_group("faults")
@pytest.mark.parametrize("fault", ["stop", "kill"])
def test_a_dead_postgresql_is_503_at_once_and_is_found_again(
    postgres: OwnPostgres, served: Served, fault: str
) -> None:
    server = served(postgres)
    key = server.key()
    client = server.client(key)
    paths = some_paths(client)
    with Load(server, key, paths) as load:
        load.await_more(50)
        died = time.monotonic()
        getattr(postgres, fault)()
        while time.monotonic() < died + 2:
            assert client.get("/health").status_code == 200
            unready = client.get("/ready")
            problem(unready, 503, "database_unavailable")
            assert unready.json()["component"] == "database"
            assert 1 <= int(unready.headers["retry-after"]) <= 5
            time.sleep(0.1)
        postgres.start()
        assert_heals(client, paths[0])
        healed = time.monotonic()
        load.await_more(50)
    assert not load.wrong
    assert_bad_news_is_quick(load.seen, 503)
    assert statuses(load.since(died))[503] > 20
    assert statuses(load.since(healed)).keys() == {200}
    assert "Traceback" not in server.log()


@pytest.mark.xdist_group("faults")
def test_while_the_circuit_is_open_answers_come_at_once_and_nobody_knocks(
    postgres: OwnPostgres, served: Served
) -> None:
    server = served(postgres)
    client = server.client(server.key())
    path = some_paths(client, 1)[0]
    assert metric(server, "quarry_pool_circuit_open") == 0
    postgres.stop()
    for _ in range(20):
        problem(client.get(path), 503, "database_unavailable")
    failures = server.log().count("pool.connect_failed")
    assert 5 <= failures <= 8  # five open it, then one after each growing pause
    wait_until(lambda: client.get(path) and metric(server, "quarry_pool_circuit_open") == 1)
    began = time.monotonic()
    refused = client.get(path)
    assert time.monotonic() - began < AT_ONCE
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    postgres.start()
    assert_heals(client, path)
    assert metric(server, "quarry_pool_circuit_open") == 0


def test_a_severed_link_is_503_at_once_and_is_found_again(
    proxy: Proxy, served: Served, module_database: Database
) -> None:
    server = served_by_way_of(proxy, served, module_database)
    key = server.key()
    client = server.client(key)
    paths = some_paths(client)
    with Load(server, key, paths) as load:
        load.await_more(50)
        cut = time.monotonic()
        proxy.sever()
        unready = client.get("/ready")
        problem(unready, 503, "database_unavailable")
        time.sleep(1)
        proxy.restore()
        assert_heals(client, paths[0])
        healed = time.monotonic()
        load.await_more(50)
    assert not load.wrong
    assert_bad_news_is_quick(load.seen, 503)
    assert 503 in statuses(load.since(cut))
    assert statuses(load.since(healed)).keys() == {200}


def test_a_stalled_link_costs_no_more_than_the_deadline_and_is_found_again(
    proxy: Proxy, served: Served, module_database: Database
) -> None:
    """A black hole says nothing, so the deadline of the request must."""
    server = served_by_way_of(proxy, served, module_database)
    key = server.key()
    client = server.client(key)
    paths = some_paths(client)
    with Load(server, key, paths, timeout_ms=700) as load:
        load.await_more(50)
        stalled = time.monotonic()
        proxy.stall()
        began = time.monotonic()
        problem(client.get("/ready"), 503, "database_unavailable")
        assert time.monotonic() - began < 2 * AT_ONCE
        assert client.get("/health").status_code == 200
        time.sleep(2)
        assert statuses(load.since(stalled)).keys() <= {503, 504}
        proxy.restore()
        assert_heals(client, paths[0])
        healed = time.monotonic()
        load.await_more(50)
    assert not load.wrong
    assert_bad_news_is_quick(load.seen, 503, 504)
    assert statuses(load.since(healed)).keys() == {200}


def test_when_all_backends_are_ended_only_what_runs_then_fails(
    served: Served, module_database: Database
) -> None:
    clients = 6
    server = served(module_database)
    key = server.key()
    paths = some_paths(server.client(key), 8)
    rounds = 5
    with Load(server, key, paths, clients=clients, pause=0.001) as load:
        load.await_more(100)
        for _ in range(rounds):
            module_database.psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = 'quarry_app' AND datname = current_database()"
            )
            load.await_more(100)
    assert not load.wrong
    assert_bad_news_is_quick(load.seen, 503)
    assert statuses(load.seen).get(503, 0) <= rounds * clients
    assert server.client(key).get(paths[0]).status_code == 200


def test_a_write_whose_connection_is_lost_is_503_and_leaves_nothing(
    served: Served, module_database: Database
) -> None:
    server = served(module_database)
    client = server.client(server.key())
    made = make_project(client)
    path = f"/projects/{made['id']}"
    answers: list[httpx.Response] = []

    def write() -> None:
        answers.append(client.put(path, json={"name": "new"}, headers={"If-Match": "*"}))

    with locked_row(module_database, made["id"]):
        writer = threading.Thread(target=write)
        writer.start()
        wait_until(lambda: waiting(module_database))
        module_database.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        writer.join(10)
    problem(answers[0], 503, "database_unavailable")
    assert ok(client.get(path)) == made


@contextlib.contextmanager
def locked_row(database: Database, project_id: str) -> Iterator[psycopg.Connection[Any]]:
    """Nobody else can change this project meanwhile."""
    with psycopg.connect(database.owner_dsn) as superuser:
        superuser.execute("SELECT FROM workspace.projects WHERE id = %s FOR UPDATE", [project_id])
        yield superuser


@contextlib.contextmanager
def locked_table(database: Database, table: str = "workspace.projects") -> Iterator[None]:
    """Nobody else can even read the table meanwhile."""
    with psycopg.connect(database.owner_dsn) as superuser:
        superuser.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield


def waiting(database: Database) -> int:
    """How many statements of the service wait for a lock."""
    return int(
        database.psql(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND usename = 'quarry_app' AND datname = current_database()"
        )[0][0]
    )


def running(database: Database) -> int:
    """How many statements or transactions of the service are open."""
    return int(
        database.psql(
            "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle'"
            " AND usename = 'quarry_app' AND datname = current_database()"
        )[0][0]
    )


def in_background(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """The call, begun in a thread, and where its result will be."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return thread, results
