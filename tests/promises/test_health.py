"""What a balancer and an operator ask: cheap, open, true, and no help for anybody else."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Served
from tests.promises.helpers import REVEALING, ok, problem
from tests.promises.test_faults import locked_table, metric, served_by_way_of
from tests.support.cluster import Cluster, Database, socket_path
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("health")

LIVE = ("/health", "/health/live")
READY = ("/ready", "/health/ready")
DATABASE = ("/health/database", "/health/db")
REST = ("/health/cache", "/health/detailed")
ALL = (*LIVE, *READY, *DATABASE, *REST)
HEALTHY = {"database": "ok", "migrations": "ok", "pool": "ok"}


@pytest.fixture
def link(cluster: Cluster) -> Iterator[Proxy]:
    """The link between a service and the shared cluster."""
    with Proxy(socket_path(cluster)) as proxy:
        yield proxy


def get(server: Server, path: str, **headers: str) -> httpx.Response:
    """A request without credentials."""
    return httpx.get(f"{server.url}{path}", headers=headers, timeout=10)


@pytest.mark.parametrize("path", ALL)
def test_everyone_may_ask_and_learns_nothing_else(server: Server, path: str) -> None:
    answer = get(server, path)
    assert ok(answer)["status"] in ("ok", "ready")
    assert answer.headers["content-type"] == "application/json"
    assert not REVEALING.search(answer.text), answer.text
    assert "18." not in answer.text
    assert "server" not in answer.headers
    for credentials in ("Bearer nonsense", "Basic eDp5", "x"):
        assert get(server, path, Authorization=credentials).status_code == 200
    head = httpx.head(f"{server.url}{path}", timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    problem(httpx.post(f"{server.url}{path}", timeout=10), 405, "method_not_allowed")


def test_ready_names_its_components(server: Server) -> None:
    for path in READY:
        assert ok(get(server, path)) == {"status": "ready", "components": HEALTHY}
    assert ok(get(server, "/health/detailed")) == {"status": "ok", "components": HEALTHY}
    for path in DATABASE:
        assert 0 < ok(get(server, path))["ms"] < 1000


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM public._yoyo_migration WHERE migration_id ="
        " (SELECT max(migration_id) FROM public._yoyo_migration)",
        "INSERT INTO public._yoyo_migration (migration_hash, migration_id, applied_at_utc)"
        " VALUES ('x', '9999-later', now())",
    ],
    ids=["older", "newer"],
)
def test_another_schema_than_expected_is_not_ready(
    served: Served, database: Database, change: str
) -> None:
    server = served(database)
    database.psql(change)
    for path in READY:
        unready = get(server, path)
        problem(unready, 503, unready.json()["code"])
        assert unready.json()["component"] == "migrations"
        assert unready.json()["components"]["database"] == "ok"
        assert int(unready.headers["retry-after"]) >= 1
    assert get(server, "/health").status_code == 200
    assert get(server, "/health/detailed").status_code == 503


def test_without_a_database_the_process_lives_but_is_not_ready(
    link: Proxy, served: Served, module_database: Database
) -> None:
    server = served_by_way_of(link, served, module_database)
    link.sever()
    for path in (*READY, *DATABASE):
        down = get(server, path)
        problem(down, 503, "database_unavailable")
        assert down.json()["component"] == "database"
        assert int(down.headers["retry-after"]) >= 1
    detailed = get(server, "/health/detailed")
    assert detailed.status_code == 503
    assert detailed.json()["components"]["database"] == "unavailable"
    for path in (*LIVE, "/health/cache"):
        assert get(server, path).status_code == 200
    assert metric(server, "quarry_pool_limit") == 20  # the admin listener tells as well
    link.restore()
    wait_until(lambda: get(server, "/ready").status_code == 200, 5)


def test_a_database_that_hangs_is_told_within_its_bound(
    server: Server, module_database: Database
) -> None:
    with locked_table(module_database, "public._yoyo_migration"):
        began = time.monotonic()
        unready = get(server, "/ready")
        assert time.monotonic() - began < 3
        problem(unready, 503, "database_unavailable")
        assert get(server, "/health").status_code == 200
    assert get(server, "/ready").status_code == 200


def test_figures_are_for_the_admin_listener_alone(server: Server) -> None:
    problem(get(server, "/metrics"), 404, "not_found")
    figures = ok(httpx.get(f"{server.admin_url}/health/detailed", timeout=10))
    assert figures["pool"]["limit"] == 20
    assert figures["pool"]["circuit_open"] is False
    assert figures["queries"] > 10
    assert figures["migrations"]["expected"]
    for path in ("/projects", "/users", "/openapi.json"):
        answer = httpx.get(f"{server.admin_url}{path}", timeout=10)
        problem(answer, 404, "not_found")
    assert httpx.get(f"{server.admin_url}/ready", timeout=10).status_code == 200


def test_without_an_admin_port_there_is_no_admin_listener(
    served: Served, module_database: Database
) -> None:
    server = served(module_database, admin_port=0)
    assert get(server, "/ready").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.admin_url}/metrics", timeout=5)


def test_metrics_count_requests_by_route_and_queries_by_name(server: Server) -> None:
    client = server.client(server.key())
    for _ in range(3):
        client.get("/projects/00000000-0000-0000-0000-000000000000")
    text = httpx.get(f"{server.admin_url}/metrics", timeout=10).text
    labels = 'method="GET",route="/projects/{project_id}",status="404"'
    assert f"quarry_request_seconds_count{{{labels}}} 3" in text
    assert 'quarry_query_seconds_count{query="projects.get"} 3' in text
    for line in text.splitlines():
        assert line.startswith("# ") or len(line.rsplit(" ", 1)) == 2, line
