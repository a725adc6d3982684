"""Edited query files are served whole or refused whole, while requests run."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.database.queries import load
from service.operations.workbench import fingerprint
from tests.conftest import Served
from tests.promises.helpers import make_project
from tests.promises.test_workers import ask_all, workers_of
from tests.support.cluster import Database
from tests.support.server import SQL_DIR, Server, free_ports
from tests.support.wait import wait_until

RELOADS = 20
BROKEN = "SELECT p.id, p.nonsense FROM workspace.projects AS p"


class Files:
    """A folder of query files, for a server of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = shutil.copytree(SQL_DIR, folder)
        self._shipped = {p: p.read_text() for p in self.folder.rglob("*.*")}

    def edit(self, name: str, old: str, new: str) -> None:
        """Put a text in the place of one that stands once in a shipped file."""
        path = self.folder / f"{name.replace('.', '/')}.sql"
        text = self._shipped[path]
        assert text.count(old) == 1, (name, old)
        path.write_text(text.replace(old, new))

    def restore(self) -> None:
        """As shipped."""
        for path, text in self._shipped.items():
            path.write_text(text)

    @property
    def fingerprint(self) -> str:
        return fingerprint(load(self.folder))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("files") / "sql")


@pytest.fixture(scope="module")
def pair(module_served: Served, module_database: Database, files: Files) -> Server:
    """Two workers with an admin listener each, on ports that follow each other."""
    port = neighbours()
    server = module_served(
        module_database, workers=2, admin_port=port, sql_dir=files.folder, pool_max_size=6
    )
    server.admin_url = f"http://127.0.0.1:{port}"
    ask_all(server, server.key())
    return server


@pytest.fixture(autouse=True)
def shipped(pair: Server, files: Files) -> Iterator[None]:
    """Each test begins and ends with the files as shipped, in both workers."""
    yield
    files.restore()
    assert reload(pair).status_code == 200


def neighbours() -> int:
    """A free port whose successor is free as well."""
    while True:
        port, other = free_ports(2)
        if abs(port - other) == 1:
            return min(port, other)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for each in (port, port + 1):
                stack.enter_context(socket.create_server(("127.0.0.1", each)))
            return port


def reload(server: Server, worker: int = 0, **options: Any) -> httpx.Response:
    """Ask the admin listener of one worker."""
    port = int(server.admin_url.rpartition(":")[2]) + worker
    return httpx.post(f"http://127.0.0.1:{port}/admin/sql/reload", timeout=60, **options)


def served_by(server: Server) -> set[str]:
    """The fingerprints that the two workers tell."""
    port = int(server.admin_url.rpartition(":")[2])
    return {
        httpx.get(f"http://127.0.0.1:{each}/health/detailed").json()["sql"]["fingerprint"]
        for each in (port, port + 1)
    }


class Callers:
    """Threads that ask the same all the time, over connections of their own."""

    def __init__(self, server: Server, ask: Callable[[httpx.Client], Any], count: int = 6) -> None:
        self.seen: list[Any] = []
        self._ask, self._server, self._key = ask, server, server.key()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(40)

    def await_more(self, count: int) -> None:
        """Wait for so many further answers."""
        goal = len(self.seen) + count
        wait_until(lambda: len(self.seen) >= goal, 20, f"{count} more answers")

    def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        while not self._stop.is_set():
            with httpx.Client(base_url=self._server.url, headers=headers, timeout=30) as client:
                for _ in range(10):  # then by a new connection: to the other worker, maybe
                    try:
                        self.seen.append(self._ask(client))
                    except httpx.HTTPError as error:
                        self.seen.append(error)


# under load


def test_under_load_each_answer_is_of_one_version(pair: Server, files: Files) -> None:
    """A page and its total are two queries; each tells its version, and they always agree."""
    make_project(pair.client(pair.key()))

    def ask(client: httpx.Client) -> tuple[int, Any, Any]:
        answer = client.get("/projects", params={"limit": 1, "include_total": "true"})
        body = answer.json()
        return answer.status_code, body["items"][0]["language"], body["total"]

    versions = itertools.cycle([("aa", 1001), ("bb", 1002)])
    expected = {(200, "aa", 1001), (200, "bb", 1002)}

    def become(language: str, total: int) -> None:
        files.edit("projects.list", "p.status, p.language,", f"p.status, '{language}' AS language,")
        files.edit("projects.count", "SELECT count(*)", f"SELECT {total}::bigint AS count")
        answer = reload(pair, worker=total % 2)
        assert answer.status_code == 200, answer.text
        assert answer.json()["status"] == "reloaded"

    become(*next(versions))
    with Callers(pair, ask) as callers:
        callers.await_more(20)
        for _ in range(RELOADS):
            become(*next(versions))
            callers.await_more(10)
    assert set(callers.seen) == expected, set(callers.seen) - expected


def test_a_request_of_two_sessions_never_sees_a_mix(pair: Server, files: Files) -> None:
    """Members are listed in a second session, behind the question whether there is a project.

    The first version says so after a while and lists; the second one says that there is none and
    would list something else, which therefore nobody may ever see.
    """
    client = pair.client(pair.key())
    user = client.post("/users", json={"email": "mix@example.org", "name": "Mix"}).json()["id"]
    path = f"/projects/{make_project(client, created_by=user)['id']}/members"
    slow = "AND pg_sleep(0.05) IS NOT NULL"

    def ask(client: httpx.Client) -> tuple[int, tuple[str, ...]]:
        answer = client.get(path)
        return answer.status_code, tuple(i["role"] for i in answer.json().get("items", ()))

    def become(version: str, there: str) -> None:
        files.edit("projects.version", "p.id = :project_id", f"p.id = :project_id {slow} {there}")
        files.edit("members.list", "m.role,", f"'{version}' AS role,")
        assert reload(pair).status_code == 200

    become("one", "")
    expected = {(200, ("one",)), (404, ())}
    with Callers(pair, ask, 8) as callers:
        for _ in range(RELOADS // 4):
            become("two", "AND false")
            callers.await_more(4)
            become("one", "")
            callers.await_more(4)
    assert set(callers.seen) == expected


# refused


def test_a_broken_set_is_refused_whole_and_the_old_one_serves(pair: Server, files: Files) -> None:
    client = pair.client(pair.key())
    project = make_project(client)["id"]
    before = served_by(pair)
    files.edit("projects.list", "SELECT p.id,", "SELECT p.id, p.nonsense,")
    files.edit("projects.get", "SELECT p.id,", "SELECT p.version AS id,")  # this one alone is fine
    answer = reload(pair)
    body = answer.json()
    assert answer.status_code == 422 and body["code"] == "validation"
    (finding,) = (f for f in body["findings"] if f["code"] == "prepare_failed")
    assert finding["path"].endswith("projects/list.sql")
    assert (finding["line"], finding["column"]) == (13, 14)
    assert any("projects/list.sql:13:14" in error["pointer"] for error in body["errors"])
    assert served_by(pair) == before and len(before) == 1
    assert client.get(f"/projects/{project}").json()["id"] == project
    files.restore()
    assert reload(pair).json()["status"] == "unchanged"


def test_the_description_follows_what_is_served_and_nothing_else(
    pair: Server, files: Files
) -> None:
    def described() -> set[bool]:
        answers = {httpx.get(f"{pair.url}/openapi.json").text for _ in range(12)}
        return {'"one":' in text for text in answers}

    assert described() == {False}
    files.edit("projects.get", "SELECT p.id,", "SELECT p.id, 1 AS one,")
    assert reload(pair).json()["findings"][0]["code"] == "snapshot_differs"
    assert pair.quarry("sql", "snapshot").returncode == 0
    assert described() == {False}
    assert reload(pair).json()["contract"] == [
        "projects.get", "  compatible  column one is new (int, never NULL)"
    ]  # fmt: skip
    assert described() == {True}
    client = pair.client(pair.key())
    assert client.get(f"/projects/{make_project(client)['id']}").json()["one"] == 1
    assert "1 AS one" in httpx.get(f"{pair.admin_url}/sql/docs").text.replace(
        '<span class="n">1</span> <span class="k">AS</span>', "1 AS"
    )


def test_no_page_of_a_browser_may_ask(pair: Server) -> None:
    answer = reload(pair, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert reload(pair, headers={"Idempotency-Key": "one"}).status_code == 200
    assert httpx.post(f"{pair.url}/admin/sql/reload").status_code == 404


# signals and commands


def test_sighup_reaches_all_workers(pair: Server, files: Files) -> None:
    processes = workers_of(pair)
    files.edit("projects.get", "AND p.deleted_at IS NULL", "AND p.deleted_at  IS NULL")
    os.kill(pair.pid, signal.SIGHUP)
    wait_until(lambda: served_by(pair) == {files.fingerprint})
    files.edit("projects.get", "SELECT p.id", BROKEN)
    logged = pair.log().count("sql.refused")
    os.kill(pair.pid, signal.SIGHUP)
    wait_until(lambda: pair.log().count("sql.refused") == logged + 2)
    files.restore()
    for process in processes:
        os.kill(process, signal.SIGHUP)
    wait_until(lambda: served_by(pair) == {files.fingerprint})
    assert workers_of(pair) == processes


def test_the_command_tells_what_became_of_it(pair: Server, files: Files) -> None:
    def command(*more: str) -> subprocess.CompletedProcess[str]:
        return pair.quarry("sql", "reload", "--url", pair.admin_url, *more)

    files.edit("projects.get", "AND p.deleted_at IS NULL", "AND p.deleted_at  IS NULL")
    done = command()
    assert (done.returncode, done.stdout) == (0, "~ projects.get\n")
    assert "served in 2 workers" in done.stderr
    assert "nothing has changed" in command().stderr
    files.edit("projects.get", "p.deleted_at IS NULL", "p.deleted_on IS NULL")
    done = command()
    assert done.returncode == 1
    assert (
        "projects/get.sql:12:8: prepare_failed: column p.deleted_on does not exist" in done.stdout
    )
    assert '"prepare_failed"' in command("--json").stdout
    away = pair.quarry("sql", "reload", "--url", "http://127.0.0.1:1")
    assert away.returncode == 2 and "does not answer" in away.stderr


def test_a_replaced_worker_takes_no_broken_files_and_the_other_serves(
    pair: Server, files: Files
) -> None:
    key = pair.key()
    files.edit("projects.get", "SELECT p.id", BROKEN)
    victim = min(workers_of(pair))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: "worker.cannot_start" in pair.log(), 20)
    assert ask_all(pair, key, 1)
    assert pair.process.poll() is None
    files.restore()
    wait_until(lambda: len(workers_of(pair)) == 2 and pair.log().count("worker.died") >= 1, 20)
    assert all(statuses == {200} for statuses in ask_all(pair, key).values())
    wait_until(lambda: len(served_by_or_nothing(pair)) == 1, 10)


def served_by_or_nothing(server: Server) -> set[str]:
    try:
        return served_by(server)
    except httpx.HTTPError:
        return set()


def test_one_process_reloads_by_signal_and_ends_with_its_terminal(
    served: Served, module_database: Database, tmp_path: Path
) -> None:
    files = Files(tmp_path / "sql")
    server = served(module_database, sql_dir=files.folder)
    files.edit("projects.get", "AND p.deleted_at IS NULL", "AND p.deleted_at  IS NULL")
    os.kill(server.pid, signal.SIGHUP)
    wait_until(lambda: "sql.reloaded" in server.log())
    assert server.client(server.key()).get("/projects").status_code == 200
    server.stop()

    mine, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve"], env=server.environment, cwd=server.folder,
        stdin=its, stdout=its, stderr=its, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
    )  # fmt: skip
    os.close(its)
    try:
        wait_until(lambda: _answers(server.url), 20)
        os.kill(process.pid, signal.SIGHUP)  # while the terminal is there: a reload
        time.sleep(0.5)
        assert process.poll() is None and _answers(server.url)
        os.close(mine)
        assert process.wait(20) in {0, 120}  # 120: it had still something to say
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/ready").status_code == 200
    return False
