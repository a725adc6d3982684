"""One PostgreSQL per test run, a fresh database per test, real server processes.

The controller makes the run's folder and a reaper that cleans it up when the run ends, however it
ends. The first worker whose test needs PostgreSQL starts it there; a run without such tests never
starts it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.cluster import Cluster, Database
from tests.support.reaper import Reaper
from tests.support.server import Server

RUN_FOLDER = "QUARRY_TEST_RUN_FOLDER"
_REAPER = pytest.StashKey[Reaper]()

# About how many seconds the longest files take; the others: a hundredth of one for each test.
SECONDS = {
    "promises/test_schemathesis.py": 80, "promises/test_isolation.py": 80,
    "operations/test_migrations.py": 80, "operations/test_explain.py": 60,
    "promises/test_exports_killed.py": 60, "promises/test_exports.py": 60,
    "promises/test_hostile_input.py": 60, "operations/test_corpus.py": 50,
    "operations/test_reference_commands.py": 50, "promises/test_faults.py": 50,
    "promises/test_workers.py": 50, "promises/test_reload.py": 50,
    "promises/test_embedded_default.py": 50, "schema/test_executions.py": 50,
    "promises/test_cache.py": 40, "promises/test_auth.py": 40, "promises/test_audit.py": 40,
    "promises/test_contract_of_answers.py": 40, "dsl/test_printer.py": 40,
    "operations/test_migration_plan.py": 40, "operations/test_workbench.py": 30,
    "operations/test_reload.py": 30, "operations/test_reload_rules.py": 30,
    "cli/test_commands.py": 30, "database/test_embedded.py": 30, "schema/test_workspace.py": 30,
    "promises/test_drain.py": 30, "promises/test_deadlines.py": 30, "promises/test_events.py": 30,
    "promises/test_idempotency.py": 30, "promises/test_errors.py": 30, "promises/test_files.py": 30,
    "promises/test_possessions.py": 30, "promises/test_cases.py": 30,
    "schema/test_assistant.py": 25, "schema/test_cases.py": 20, "jobs/test_worker.py": 20,
}  # fmt: skip

Served = Callable[..., Server]
Tenants = Callable[[Server], tuple[httpx.Client, httpx.Client]]


def pytest_configure(config: pytest.Config) -> None:
    """In the controller: the folder that all workers share, and who removes it."""
    if not hasattr(config, "workerinput"):
        folder = Path(tempfile.mkdtemp(prefix="quarry-tests-", dir=_memory()))
        folder.chmod(0o755)  # PostgreSQL may run as another user, who must pass
        os.environ[RUN_FOLDER] = str(folder)
        # A folder without certificates: HTTPX reads those of the whole world for each client.
        os.environ.pop("SSL_CERT_FILE", None)
        os.environ["SSL_CERT_DIR"] = str(folder)
        config.stash[_REAPER] = Reaper(folder)


def _memory() -> str | None:
    """Where a database is made and dropped five times as fast, if there is room for all of them."""
    shared = "/dev/shm"
    roomy = os.access(shared, os.W_OK | os.X_OK) and shutil.disk_usage(shared).free >= 6 * 2**30
    return shared if roomy else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """In the controller: end the cluster."""
    if (reaper := config.stash.get(_REAPER, None)) is not None:
        reaper.reap()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first: no worker shall be alone with one at the end."""
    counted = Counter(item.path for item in items)
    weights = {
        path: SECONDS.get(f"{path.parent.name}/{path.name}", count / 100)
        for path, count in counted.items()
    }
    items.sort(key=lambda item: -weights[item.path])


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The run's PostgreSQL, started by whoever needs it first."""
    shared = Cluster(Path(os.environ[RUN_FOLDER]), os.environ.get("PYTEST_XDIST_WORKER", "main"))
    shared.start()
    yield shared
    shared.close()


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[Database]:
    """A database with nothing in it."""
    yield from _lent(cluster, migrated=False)


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A migrated database of this test's own."""
    yield from _lent(cluster, migrated=True)


@pytest.fixture(scope="module")
def module_database(cluster: Cluster) -> Iterator[Database]:
    """A migrated database that the tests of a module share."""
    yield from _lent(cluster, migrated=True)


def _lent(cluster: Cluster, *, migrated: bool) -> Iterator[Database]:
    lent = cluster.create(migrated=migrated)
    yield lent
    cluster.drop(lent.name)


@pytest.fixture
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Starts server processes: `served(database, setting=value)`; killed when the test ends."""
    yield from _servers(tmp_path_factory)


@pytest.fixture(scope="module")
def module_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same for servers that the tests of a module share."""
    yield from _servers(tmp_path_factory)


def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    started: list[Server] = []

    def serve(database: Database | None, *, ready: bool = True, **settings: object) -> Server:
        server = Server(database, tmp_path_factory.mktemp("server"), **settings)
        started.append(server)
        if ready:
            server.await_ready()
        return server

    yield serve
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def tenants() -> Tenants:
    """Two tenants' clients of a server: `mine, theirs = tenants(server)`."""

    def two(server: Server) -> tuple[httpx.Client, httpx.Client]:
        return server.client(server.key("acme")), server.client(server.key("globex"))

    return two
