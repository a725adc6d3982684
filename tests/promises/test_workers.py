"""Several worker processes are one service: they start, fail, forget and end together."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.conftest import Served
from tests.promises.helpers import make_project, unique
from tests.promises.test_faults import Load, proxy, served_by_way_of, some_paths, statuses
from tests.support.cluster import Database
from tests.support.proxy import Proxy
from tests.support.server import Server, free_ports
from tests.support.wait import wait_until

__all__ = ["proxy"]

AT_ONCE = 1.0  # seconds until every worker knows of a revocation
MARGIN = 1.0  # seconds for a busy machine


def workers_of(server: Server) -> set[int]:
    """The process ids of a server's workers."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return {int(pid) for pid in children.split()}


def ask(server: Server, key: str | None = None, path: str = "/projects?limit=1") -> tuple[int, str]:
    """The status of a request over a connection of its own, and which process answered."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(link):
        link.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = link.getresponse()
        answer.read()
        return answer.status, str(answer.headers["x-request-id"])[:12]


def ask_all(server: Server, key: str, count: int = 2) -> dict[str, set[int]]:
    """The statuses that each process answers with; asks until so many processes have answered."""
    answers: dict[str, set[int]] = {}
    deadline = time.monotonic() + 10
    while len(answers) < count or sum(map(len, answers.values())) < count:
        assert time.monotonic() < deadline, f"only {len(answers)} processes answer"
        status, process = ask(server, key)
        answers.setdefault(process, set()).add(status)
    return answers


def await_refusal(server: Server, key: str, since: float, bound: float) -> None:
    """Every process refuses the key from then on, and from the bound on none accepts it."""
    while time.monotonic() < since + bound:
        time.sleep(0.01)
    for _ in range(40):
        assert ask(server, key)[0] == 401
    assert set().union(*ask_all(server, key).values()) == {401}


@pytest.fixture
def pair(served: Served, database: Database) -> Server:
    """A server of two workers; without admin listeners, whose ports another test might have."""
    server = served(database, workers=2, admin_port=0, drain_seconds=0.5)
    wait_until(lambda: len(workers_of(server)) == 2)
    return server


@pytest.fixture(scope="module")
def shared(module_served: Served, module_database: Database) -> Server:
    """A server of two workers that is not harmed."""
    server = module_served(module_database, workers=2, admin_port=0)
    ask_all(server, server.key())
    return server


def revoke(server: Server, key: str) -> float:
    """Revoke a key as an operator does; when the command had ended."""
    done = server.quarry("key", "revoke", key)
    assert done.returncode == 0, done.stderr
    return time.monotonic()


# starting and ending


def test_both_workers_serve(shared: Server) -> None:
    answers = ask_all(shared, shared.key())
    assert list(answers.values()) == [{200}, {200}]


def test_a_killed_worker_is_replaced_and_the_others_go_on(pair: Server) -> None:
    key = pair.key()
    paths = some_paths(pair.client(key))
    ask_all(pair, key)
    before = workers_of(pair)
    victim = min(before)
    with Load(pair, key, paths, keep_alive=False) as load:
        load.await_more(50)
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: len(workers_of(pair) - before) == 1, 10)
        ask_all(pair, key)
        load.await_more(50)
    assert victim not in workers_of(pair)
    assert not load.wrong
    seen = statuses(load.seen)
    assert seen.keys() <= {200, 0}
    assert seen.get(0, 0) <= 6, "no more is lost than the killed one had in its hands"
    assert statuses(load.since(killed + 0.5)).keys() == {200}
    assert "worker.died" in pair.log()


def test_workers_of_a_killed_parent_end_by_themselves(pair: Server) -> None:
    workers = workers_of(pair)
    pair.stop(signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 10)


def test_a_worker_that_is_asked_to_end_takes_nobody_with_it(pair: Server) -> None:
    """Its socket is the others' too: nothing that it does on leaving may close it to them."""
    key = pair.key()
    victim = min(workers_of(pair))
    os.kill(victim, signal.SIGTERM)
    wait_until(lambda: victim not in workers_of(pair), 10)
    assert {ask(pair, key)[0] for _ in range(30)} == {200}
    wait_until(lambda: len(workers_of(pair)) == 2, 10)
    assert all(statuses == {200} for statuses in ask_all(pair, key).values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_one_signal_stops_all_and_no_request_is_lost(
    pair: Server, database: Database, number: int
) -> None:
    key = pair.key()
    paths = some_paths(pair.client(key))
    ask_all(pair, key)
    processes = {pair.pid, *workers_of(pair)}
    with Load(pair, key, paths, keep_alive=False, pause=0.001) as load:
        load.await_more(100)
        assert pair.stop(number, 15) == 0
    assert not load.wrong
    lost = [seen for seen in load.seen if seen.status == 0]
    assert not lost, lost[:3]
    assert not [pid for pid in processes if Path(f"/proc/{pid}").exists()]
    assert database.connections() == 0


def test_workers_that_cannot_start_stop_the_parent(
    served: Served, module_database: Database
) -> None:
    """Here: a role that row-level security does not bind."""
    owner = module_database.owner_dsn
    server = served(module_database, ready=False, workers=2, admin_port=0, database_url=owner)
    assert server.process.wait(20) not in (0, None)
    assert "connect as quarry_app" in server.log()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_taken_admin_port_is_a_failure_and_no_restart_for_ever(
    served: Served, module_database: Database, workers: int
) -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        server = served(module_database, ready=False, workers=workers, admin_port=port)
        assert server.process.wait(20) not in (0, None)


def test_a_single_process_that_cannot_start_says_so(
    served: Served, module_database: Database
) -> None:
    server = served(module_database, ready=False, database_url=module_database.owner_dsn)
    assert server.process.wait(20) not in (0, None)
    assert "connect as quarry_app" in server.log()


def test_a_taken_port_is_refused_in_words(
    shared: Server, served: Served, module_database: Database
) -> None:
    server = served(module_database, ready=False, port=shared.port)
    assert server.process.wait(20) == 2
    assert f"cannot listen on 127.0.0.1:{shared.port}" in server.log()


# forgetting


def test_a_revoked_key_is_refused_by_every_worker_within_a_second(shared: Server) -> None:
    key, other = shared.key(name=unique("revoked")), shared.key(name=unique("kept"))
    for each in (key, other):
        assert set().union(*ask_all(shared, each).values()) == {200}
    await_refusal(shared, key, revoke(shared, key), AT_ONCE)
    assert set().union(*ask_all(shared, other).values()) == {200}


def test_a_disabled_tenant_is_refused_by_every_worker_within_a_second(shared: Server) -> None:
    name = unique("disabled")
    key, other = shared.key(name), shared.key()
    assert set().union(*ask_all(shared, key).values()) == {200}
    assert shared.quarry("tenant", "remove", name, "--yes").returncode == 0
    await_refusal(shared, key, time.monotonic(), AT_ONCE)
    assert set().union(*ask_all(shared, other).values()) == {200}
    assert shared.quarry("tenant", "enable", name).returncode == 0
    wait_until(lambda: set().union(*ask_all(shared, key).values()) == {200}, AT_ONCE + MARGIN)


def test_a_key_ends_at_its_time_in_every_worker(shared: Server) -> None:
    expires = datetime.now(UTC) + timedelta(seconds=2)
    key = shared.key(name=unique("ending"), expires_at=expires)
    assert set().union(*ask_all(shared, key).values()) == {200}
    time.sleep(max(0.0, (expires - datetime.now(UTC)).total_seconds()) + 0.05)
    await_refusal(shared, key, 0, 0)


@contextlib.contextmanager
def _deaf(
    link: Proxy, served: Served, database: Database, fault: str
) -> Iterator[tuple[Server, str]]:
    """A server and a key it knows, while the connection on which it listens is cut."""
    dsn = link.dsn(database.app_dsn)
    server = served(database, database_direct_url=dsn)
    key = server.key(name=unique("deaf"))
    listening = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'quarry-listen'" \
                " AND datname = current_database()"  # fmt: skip
    wait_until(lambda: database.psql(listening))
    assert ask(server, key)[0] == 200
    getattr(link, fault)()
    yield server, key
    link.restore()


def test_a_listener_that_hears_nothing_goes_on_listening(
    shared: Server, module_database: Database
) -> None:
    listeners = (
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'quarry-listen'"
        " AND datname = current_database() ORDER BY 1"
    )
    wait_until(lambda: len(module_database.psql(listeners)) >= 2)
    before = module_database.psql(listeners)
    time.sleep(2.5)  # it has asked for a sign of life twice
    assert set(before) <= set(module_database.psql(listeners))
    assert "listen.lost" not in shared.log()


def test_while_the_service_cannot_listen_a_revoked_key_lives_a_second_at_most(
    proxy: Proxy, served: Served, module_database: Database
) -> None:
    with _deaf(proxy, served, module_database, "sever") as (server, key):
        ask(server, key)
        await_refusal_of_one(server, key, revoke(server, key), AT_ONCE)


def test_a_link_that_died_silently_is_noticed(
    proxy: Proxy, served: Served, module_database: Database
) -> None:
    with _deaf(proxy, served, module_database, "stall") as (server, key):
        ask(server, key)
        await_refusal_of_one(server, key, revoke(server, key), 3 * AT_ONCE)


def await_refusal_of_one(server: Server, key: str, since: float, bound: float) -> None:
    """A single process, asked all the time, refuses the key from the bound on."""
    while time.monotonic() < since + bound:
        ask(server, key)
        time.sleep(0.02)
    for _ in range(10):
        assert ask(server, key)[0] == 401


def test_after_a_gap_the_service_listens_again_and_knows_what_it_missed(
    proxy: Proxy, served: Served, module_database: Database
) -> None:
    with _deaf(proxy, served, module_database, "sever") as (server, key):
        revoke(server, key)
    deadline = time.monotonic() + 10
    other = server.key(name=unique("after"))
    while True:  # until it listens again, a revocation takes the time of the cache
        assert ask(server, other)[0] == 200
        if module_database.psql(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'quarry-listen'"
            " AND datname = current_database()"
        ):
            break
        assert time.monotonic() < deadline
    assert ask(server, key)[0] == 401
    time.sleep(0.2)
    assert ask(server, other)[0] == 200
    await_refusal_of_one(server, other, revoke(server, other), AT_ONCE)


def test_all_links_severed_revoked_keys_are_no_way_in(
    proxy: Proxy, served: Served, module_database: Database
) -> None:
    """Without a database nobody is let in for longer than a second, whoever it was."""
    server = served_by_way_of(proxy, served, module_database)
    key = server.key()
    path = f"/projects/{make_project(server.client(key))['id']}"
    assert ask(server, key, path)[0] == 200
    proxy.sever()
    time.sleep(AT_ONCE)
    assert ask(server, key, "/projects?limit=0")[0] == 503  # not the 422 of one who is known


def key_id(key: str) -> str:
    """The id in a key."""
    return str(UUID(key.split("_")[1]))


def test_the_command_revokes_by_id_as_well(shared: Server) -> None:
    key = shared.key(name=unique("by-id"))
    assert ask(shared, key)[0] == 200
    since = revoke(shared, key_id(key))
    await_refusal(shared, key, since, AT_ONCE)
    again: Any = shared.quarry("key", "revoke", key_id(key))
    assert again.returncode == 1
