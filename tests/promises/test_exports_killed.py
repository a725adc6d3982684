"""Whenever the process that builds an export is killed, it ends in exactly one whole file."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import Served
from tests.promises.exports import fetch, files, files_of, fill, path_of
from tests.promises.helpers import Json, make_export, make_project, ok
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

QUICK = {
    "jobs_poll_seconds": 0.1, "jobs_lease_seconds": 1, "jobs_backoff_seconds": 0.1,
    "leader_seconds": 0.2, "upkeep_seconds": 0.2, "stray_file_seconds": 0,
}  # fmt: skip


class Building:
    """An export that has been asked for and waits until the test lets its job run."""

    def __init__(self, server: Server, database: Database, mebibytes: int) -> None:
        self.server, self.database = server, database
        self.client = server.client(server.key("killed"))
        project = make_project(self.client)["id"]
        fill(database, project, mebibytes)
        database.psql("ALTER TABLE ops.jobs ALTER run_at SET DEFAULT 'infinity'")
        self.export = make_export(self.client, project, versions="all", done=False)
        database.psql("ALTER TABLE ops.jobs ALTER run_at SET DEFAULT now()")

    def let_it_run(self) -> None:
        self.database.psql("UPDATE ops.jobs SET run_at = now()")

    def status(self) -> str:
        return str(self.database.psql("SELECT status FROM workspace.exports")[0][0])

    def job(self) -> tuple[str, int]:
        state, attempts = self.database.psql("SELECT state, attempts FROM ops.jobs")[0]
        return str(state), int(attempts)

    def drafts(self) -> list[str]:
        return [name for name in self.files() if name.endswith(".part")]

    def files(self) -> list[str]:
        return files_of(self.server, self.export)

    def written(self) -> int:
        """Bytes of the draft."""
        folder = Path(self.server.environment["QUARRY_DATA_DIR"])
        return sum(path.stat().st_size for path in folder.rglob("*.part"))

    @contextmanager
    def row_locked(self) -> Iterator[None]:
        """Nobody can change the export's row meanwhile."""
        with psycopg.connect(self.database.owner_dsn) as superuser:
            superuser.execute("SELECT FROM workspace.exports FOR UPDATE")
            yield

    def kill(self) -> None:
        assert self.server.stop(signal.SIGKILL) == -signal.SIGKILL


def when_claimed(building: Building) -> None:
    with building.row_locked():
        building.let_it_run()
        wait_until(lambda: building.job() == ("running", 1))
        building.kill()
    assert building.files() == []


def while_writing(building: Building) -> None:
    building.let_it_run()
    wait_until(lambda: building.drafts() and building.written())
    building.server.process.send_signal(signal.SIGSTOP)
    assert len(building.files()) == 1, "it is not written yet"
    building.kill()
    assert building.status() == "running"


def renamed_before_the_commit(building: Building) -> None:
    building.let_it_run()
    wait_until(building.drafts)
    with building.row_locked():
        wait_until(lambda: building.files() and not building.drafts())
        building.kill()
    assert building.status() == "running"
    assert len(building.files()) == 1


def right_after_the_commit(building: Building) -> None:
    building.let_it_run()
    wait_until(lambda: building.status() == "completed")
    building.kill()


STAGES = [when_claimed, while_writing, renamed_before_the_commit, right_after_the_commit]


def assert_one_whole_file(client: httpx.Client, server: Server, export: Json) -> None:
    """The export can be downloaded and nothing else lies on the disk."""
    done = ok(client.get(path_of(export)))
    content = fetch(client, export).content
    assert hashlib.sha256(content).hexdigest() == done["file_sha256"]
    assert len(content) == done["file_size"]
    wait_until(lambda: files(server) == [f"{export['id']}.{done['file_sha256']}"])


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_a_killed_export_is_taken_over(
    served: Served, database: Database, stage: Callable[[Building], None]
) -> None:
    server = served(database, **QUICK)
    building = Building(server, database, 16)
    stage(building)
    server.restart()
    client = server.client(server.key("killed"))
    wait_until(lambda: building.status() == "completed", 20)
    assert building.job() == ("succeeded", 1 if stage is right_after_the_commit else 2)
    assert_one_whole_file(client, server, building.export)


def test_who_wakes_up_late_spoils_nothing(served: Served, database: Database) -> None:
    """A process that stood still while another one took over and completed the export."""
    first = served(database, **QUICK)
    building = Building(first, database, 16)
    building.let_it_run()
    wait_until(building.written)
    first.process.send_signal(signal.SIGSTOP)
    second = served(database, **QUICK, files_dir=first.folder / "data" / "files")
    wait_until(lambda: building.status() == "completed", 20)
    stored = "SELECT encode(file_sha256, 'hex'), completed_at FROM workspace.exports"
    before = database.psql(stored)
    first.process.send_signal(signal.SIGCONT)
    wait_until(lambda: '"lost"' in first.log(), 20)
    assert database.psql(stored) == before
    assert building.job() == ("succeeded", 2)
    assert_one_whole_file(second.client(second.key("killed")), first, building.export)


def test_sigterm_gives_an_export_back_and_leaves_nothing_of_it(
    served: Served, database: Database
) -> None:
    server = served(database, **QUICK | {"jobs_lease_seconds": 60}, shutdown_seconds=0.1)
    building = Building(server, database, 40)
    building.let_it_run()
    wait_until(building.written)
    assert server.stop(signal.SIGTERM) == 0
    assert building.job() == ("queued", 0), "it was too quick to be stopped"
    assert building.files() == []
    server.restart()
    client = server.client(server.key("killed"))
    wait_until(lambda: building.status() == "completed", 20)
    assert_one_whole_file(client, server, building.export)


def test_two_processes_build_each_of_many_exports_once(served: Served, database: Database) -> None:
    first = served(database, **QUICK)
    second = served(database, **QUICK, files_dir=first.folder / "data" / "files")
    client = first.client(first.key("many"))
    other = second.client(second.key("many"))
    project = make_project(client)["id"]
    made = [make_export(who, project, done=False) for who in (client, other) * 20]
    wait_until(lambda: database.psql("SELECT 1 FROM ops.jobs WHERE state <> 'succeeded'") == [], 20)
    ran = database.psql("SELECT attempts, claimed_by FROM ops.jobs")
    assert len(ran) == 40
    assert {attempts for attempts, _ in ran} == {1}
    assert len({process for _, process in ran}) == 2
    assert len(files(first)) == 40
    for export in made[:4]:
        assert fetch(other, export).status_code == 200


MEBIBYTES = 100
MOST_GROWTH = 64 * 1024  # KiB: chunks on their way between the connection and the archive


def test_a_large_export_and_its_download_take_little_memory(
    served: Served, database: Database
) -> None:
    """100 MiB of documents; about five seconds of CPU, most of them PostgreSQL's."""
    server = served(database)
    client = server.client(server.key("large"))
    make_export(client, make_project(client)["id"])  # whatever a first one loads
    project = make_project(client)["id"]
    fill(database, project, MEBIBYTES)
    before = memory(server, "VmRSS")
    Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # forget the highest so far
    export = make_export(client, project, versions="all", done=False)
    wait_until(lambda: ok(client.get(path_of(export)))["status"] == "completed", 60)
    built = memory(server, "VmHWM")
    digest = hashlib.sha256()
    with client.stream("GET", path_of(export) + "/download") as answer:
        for chunk in answer.iter_raw():
            digest.update(chunk)
    sent = memory(server, "VmHWM")
    done = ok(client.get(path_of(export)))
    assert done["manifest"]["bytes"] >= MEBIBYTES * 1024 * 1024 * 0.99
    assert digest.hexdigest() == done["file_sha256"]
    print(f"\nRSS {before} KiB; building +{built - before}, sending +{sent - before}")
    assert built - before < MOST_GROWTH
    assert sent - before < MOST_GROWTH


def memory(server: Server, what: str) -> int:
    """A line of /proc/PID/status, in KiB."""
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise AssertionError(what)
