"""The same promises through PgBouncer in transaction mode, where each transaction may run on
another connection than the one before it.

Twice: with prepared statements, as from 1.21 on, and without, as before (QUARRY_STATEMENT_CACHE
off). The tests of the modules below are collected here again, with a server behind PgBouncer.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import Served
from tests.promises import test_idempotency, test_members, test_projects
from tests.promises.helpers import (
    ANY_VERSION,
    NDJSON,
    Tenant,
    absent,
    actor_of,
    events,
    lines,
    make_project,
    ok,
    problem,
    unique,
)  # fmt: skip
from tests.support import pgbouncer
from tests.support.cluster import Database
from tests.support.pgbouncer import SERVERS, PgBouncer
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = [
    pytest.mark.xdist_group("pgbouncer"),
    pytest.mark.skipif(not pgbouncer.program(), reason="there is no pgbouncer on the PATH"),
]


def _collect(module: ModuleType) -> None:
    """The module's fixtures here, and its tests that do not start servers of their own."""
    for name, value in vars(module).items():
        is_fixture = type(value).__name__ == "FixtureFunctionDefinition"
        is_test = name.startswith("test_") and not (
            inspect.signature(value).parameters.keys() & {"served", "module_served"}
        )
        if is_fixture or is_test:
            assert name not in globals(), name
            globals()[name] = value


@pytest.fixture(scope="module", params=["prepared statements", "none prepared"])
def pooler(module_database: Database, request: pytest.FixtureRequest) -> Iterator[PgBouncer]:
    """PgBouncer in front of the module's database, as new and as old versions are."""
    prepared = request.param == "prepared statements"
    if prepared and pgbouncer.version() < pgbouncer.PREPARES:
        pytest.skip("PgBouncer keeps prepared statements from 1.21 on")
    running = PgBouncer(module_database, prepared=prepared)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def server(module_served: Served, module_database: Database, pooler: PgBouncer) -> Server:
    """The server of every test here, with more connections than PgBouncer has."""
    return module_served(
        module_database, database_url=pooler.dsn, pool_init_size=8, pool_min_size=8,
        statement_cache=pooler.prepared,
    )  # fmt: skip


for each in (test_projects, test_members, test_idempotency):
    _collect(each)


def test_statements_change_between_the_connections_of_the_pooler(
    server: Server, tenant: Tenant, pooler: PgBouncer
) -> None:
    """So what is proved here is proved of transactions, not of connections."""
    for _ in range(20):
        ok(tenant.client.get("/projects"))
    servers, clients = pooler.show("servers"), pooler.show("clients")
    assert len([s for s in servers if s["database"] != "pgbouncer"]) == SERVERS
    assert len([c for c in clients if c["database"] != "pgbouncer"]) > SERVERS
    assert "guard_failed" not in server.log()


def test_tenants_on_the_same_connections_never_see_each_other(
    server: Server, module_database: Database
) -> None:
    both = [Tenant(server, unique("pooled")) for _ in range(2)]
    own = [make_project(tenant.client, name=tenant.name)["id"] for tenant in both]

    def ask(number: int) -> None:
        side, other = number % 2, (number + 1) % 2
        client = both[side].client
        if number % 5 == 0:  # a statement that fails must not leave its tenant behind
            email = {"email": "taken@example.org", "name": "x"}
            assert client.post("/users", json=email).status_code in (201, 409)
        listed = client.get("/projects")
        assert [item["id"] for item in ok(listed)["items"]] == [own[side]]
        problem(client.get(f"/projects/{own[other]}"), 404, "not_found")
        change = {"metadata": {"n": number}}
        ok(client.put(f"/projects/{own[side]}", headers=ANY_VERSION, json=change))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(120)))
    for tenant, project in zip(both, own, strict=True):
        actors = {event["actor"] for event in events(module_database, project)}
        assert actors == {actor_of(tenant.client)}


def test_streams_documents_and_the_trail_work(tenant: Tenant) -> None:
    project = make_project(tenant.client)["id"]
    base = f"/projects/{project}/documents"
    body = {"document_type": "report", "content": "words and stones"}
    made = [ok(tenant.client.post(base, json=body), 201)["version"] for _ in range(3)]
    assert made == [1, 2, 3]
    assert len(ok(tenant.client.get(f"{base}/search?q=stone"))["items"]) == 3
    assert len(lines(tenant.client.get(base, headers=NDJSON))) == 3
    assert len(lines(tenant.client.get("/audit", headers=NDJSON))) >= 4
    unknown = {"name": "x", "language": "en", "created_by": absent()}
    problem(tenant.client.post("/projects", json=[unknown]), 422, "foreign_key")


def test_a_pooler_that_was_restarted_is_found_again(tenant: Tenant, pooler: PgBouncer) -> None:
    project = f"/projects/{make_project(tenant.client)['id']}"
    pooler.stop()
    answer = tenant.client.get(project)
    problem(answer, 503, "database_unavailable")
    pooler.start()
    wait_until(lambda: tenant.client.get(project).status_code == 200)
    for number in range(20):
        change: dict[str, Any] = {"metadata": {"n": number}}
        ok(tenant.client.put(project, headers=ANY_VERSION, json=change))
