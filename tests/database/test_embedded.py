"""The embedded server: found or made, whatever happened to it before."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service.database import embedded, unprivileged
from service.database.embedded import Embedded, EmbeddedError
from tests.support.server import free_ports
from tests.support.wait import wait_until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
NOBODY = unprivileged.User(65534, 65534)
# As a user who may not read the interpreter's folders: drop root once everything is imported.
START = """
import os, pathlib, sys
from service.database.embedded import Embedded
if len(sys.argv) > 2:
    os.setgroups([]), os.setgid(int(sys.argv[2])), os.setuid(int(sys.argv[2]))
server = Embedded(pathlib.Path(sys.argv[1]))
server.start()
print(server.pid)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that others may enter; its server is stopped and it is removed."""
    with tempfile.TemporaryDirectory(prefix="quarry-embedded-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"
        for cluster in Path(name).rglob("postgres.lock"):
            Embedded(cluster.parent).stop()


@pytest.fixture(scope="module")
def server() -> Iterator[Embedded]:
    """One started server for the tests that do not need a new one."""
    with tempfile.TemporaryDirectory(prefix="quarry-embedded-") as name:
        Path(name).chmod(0o755)
        shared = Embedded(Path(name))
        shared.start()
        yield shared
        shared.start()
        shared.stop()


def ask(server: Embedded, statement: str) -> object:
    """One value from the server's database."""
    with psycopg.connect(server.dsn()) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall()[0][0] if cursor.description else None


def in_process(folder: Path, *uid: int) -> subprocess.Popen[str]:
    """Another process that starts the server of this folder and prints the postmaster's pid."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(folder), *map(str, uid)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_first_and_second_start(folder: Path) -> None:
    server = Embedded(folder)
    assert not server.running()
    began = time.monotonic()
    server.start()
    assert time.monotonic() - began < 5  # 0.5 s on an idle machine
    assert server.started_here
    assert ask(server, "SELECT current_database()") == "quarry"
    ask(server, "CREATE TABLE kept ()")
    server.stop()
    assert not server.running()

    again = Embedded(folder)
    began = time.monotonic()
    again.start()
    assert time.monotonic() - began < 2  # 0.05 s
    assert ask(again, "SELECT to_regclass('kept')::text") == "kept"


def test_settings_are_ours_and_durable(server: Embedded) -> None:
    wanted = {
        "cluster_name": "quarry",
        "jit": "off",
        "TimeZone": "UTC",
        "shared_preload_libraries": "pg_stat_statements",
        "data_checksums": "on",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "server_encoding": "UTF8",
        "listen_addresses": "",
    }
    found = {name: ask(server, f"SELECT current_setting('{name}')") for name in wanted}
    assert found == wanted
    locale = "SELECT datlocale || datcollate || datctype FROM pg_database WHERE datname = 'quarry'"
    assert ask(server, locale) == "C.UTF-8" * 3
    assert list((server.cluster / "log").glob("postgresql-*.log"))


def test_socket_is_private(server: Embedded) -> None:
    assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    assert server.socket_dir.stat().st_uid == server.cluster.stat().st_uid != 0


def test_start_finds_a_running_server(server: Embedded) -> None:
    other = Embedded(server.root)
    other.start()
    assert (other.pid, other.started_here) == (server.pid, False)


def test_port_of_a_running_server_cannot_change(server: Embedded) -> None:
    with pytest.raises(EmbeddedError, match="quarry db stop"):
        Embedded(server.root, port=5999).start()


def test_dropped_database_is_made_again(server: Embedded) -> None:
    with psycopg.connect(server.dsn(database="postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE quarry")
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_killed_postmaster_is_replaced(server: Embedded) -> None:
    ask(server, "CREATE TABLE survivor ()")
    with psycopg.connect(server.dsn()):  # a backend that still holds the shared memory
        pid = server.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        server.start()
    assert server.pid not in (None, pid)
    assert ask(server, "SELECT to_regclass('survivor')::text") == "survivor"


def test_stale_pid_of_another_process_is_ignored(server: Embedded) -> None:
    server.stop()
    stale = server.cluster / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{server.cluster}\n0\n5432\n{server.root}/socket\n\n\nready\n")
    assert not server.running()
    server.start()
    assert server.pid != os.getpid()


def test_server_outlives_the_process_that_started_it(folder: Path) -> None:
    starter = in_process(folder)
    printed, _ = starter.communicate(timeout=60)
    with pytest.raises(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGKILL)  # Ctrl-C, SIGHUP: it is in another group
    assert Embedded(folder).pid == int(printed)


def test_killed_initdb_leaves_nothing_half_made(folder: Path) -> None:
    starter = in_process(folder)
    wait_until((folder / "postgres.new" / "base").exists)
    starter.kill()  # initdb, its child, goes on and still holds the lock
    starter.communicate()
    assert not (folder / "postgres").exists()

    starter = in_process(folder)
    wait_until((folder / "postgres.new" / "base").exists)
    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate()
    assert not (folder / "postgres").exists()

    server = Embedded(folder)
    server.start()
    assert ask(server, "SELECT 1") == 1
    assert not (folder / "postgres.new").exists()


def test_processes_that_start_at_once_share_one_server(folder: Path) -> None:
    starters = [in_process(folder) for _ in range(4)]
    said = [starter.communicate(timeout=60) for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 4, said
    assert len({pid for pid, _ in said}) == 1


def test_other_major_version_is_refused(server: Embedded) -> None:
    server.stop()
    version = server.cluster / "PG_VERSION"
    version.write_text("15\n")
    try:
        with pytest.raises(EmbeddedError, match=r"PostgreSQL 15, and this is 18.*pg_dump.*move"):
            server.start()
    finally:
        version.write_text("18\n")
    server.start()


def test_a_server_that_cannot_start_says_why(server: Embedded) -> None:
    server.stop()
    conf = server.cluster / "postgresql.conf"
    before = conf.read_text()
    conf.write_text(before + "no_such_setting = 1\n")
    try:
        with pytest.raises(EmbeddedError, match="no_such_setting"):
            server.start()
    finally:
        conf.write_text(before)
    server.start()


def test_loopback_port_asks_for_a_password(server: Embedded) -> None:
    server.stop()
    (port,) = free_ports(1)
    open_server = Embedded(server.root, port=port)
    try:
        open_server.start()
        assert f"port={port}" in open_server.dsn()
        assert ask(open_server, "SELECT 1") == 1
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="quarry").close()
    finally:
        open_server.stop()
        server.start()


def test_long_and_odd_folder_gets_a_short_socket(folder: Path) -> None:
    server = Embedded(folder / ("é, \"'%& " + "x" * 120))
    server.start()
    short = server.socket_dir
    assert len(os.fsencode(short)) < 60
    assert short.stat().st_mode & 0o777 == 0o700
    assert ask(server, "SELECT 1") == 1
    server.stop()
    shutil.rmtree(short)


def test_odd_folder(folder: Path) -> None:
    server = Embedded(folder / "é \"'%&?=+")
    server.start()
    assert server.socket_dir == server.root / "socket"
    assert ask(server, "SELECT 1") == 1


def test_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.symlink_to(tmp_path)
    with pytest.raises(unprivileged.UnprivilegedError, match="remove it"):
        unprivileged.private(taken, unprivileged.User(os.geteuid(), os.getegid()))
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(unprivileged.UnprivilegedError, match="remove it"):
        unprivileged.private(tmp_path / "open", unprivileged.User(os.geteuid(), os.getegid()))


@as_root
def test_root_runs_it_as_another_user_without_more_rights_than_needed(server: Embedded) -> None:
    status = Path(f"/proc/{server.pid}/status").read_text()
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in lines["Uid"].split()
    assert lines["Groups"].strip() == ""
    assert int(lines["CapEff"], 16) == 0


@as_root
def test_folder_below_a_closed_directory(folder: Path) -> None:
    folder.parent.chmod(0o700)
    server = Embedded(folder)
    server.start()
    assert ask(server, "SELECT 1") == 1
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    status = Path(f"/proc/{server.pid}/status").read_text()
    assert "CapEff:\t0000000000000004\n" in status  # dac_read_search, and nothing else


@as_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_root_of_a_container(folder: Path) -> None:
    few = "--bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap"
    folder.parent.chmod(0o700)
    command = ["setpriv", few, sys.executable, "-c", START, str(folder)]
    for _ in range(2):  # starts it, finds it
        started = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert started.returncode == 0, started.stderr
        assert Embedded(folder).pid == int(started.stdout)


@as_root
def test_closed_directory_without_setpriv_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unprivileged, "_capability", lambda: None)
    folder.parent.chmod(0o700)
    with pytest.raises(EmbeddedError, match=r"closed to it: choose a QUARRY_DATA_DIR"):
        Embedded(folder).start()


@as_root
def test_without_setpriv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, **kw: None if name == "setpriv" else found(name, **kw)
    )
    server = Embedded(folder)
    server.start()
    assert ask(server, "SELECT 1") == 1


@as_root
def test_not_root(folder: Path) -> None:
    folder.mkdir()
    os.chown(folder, *NOBODY)
    starter = in_process(folder, NOBODY.uid)
    _, said = starter.communicate(timeout=60)
    if "Permission denied" in said:
        pytest.skip("this checkout is closed to other users")
    assert starter.returncode == 0, said
    assert (folder / "postgres").stat().st_uid == NOBODY.uid
    server = Embedded(folder)  # root finds it, uses it, and runs it as its owner again
    assert ask(server, "SELECT 1") == 1
    server.stop()
    server.start()
    assert Path(f"/proc/{server.pid}").stat().st_uid == NOBODY.uid


@as_root
def test_cluster_of_another_user_is_refused(server: Embedded) -> None:
    starter = in_process(server.root, NOBODY.uid)
    _, said = starter.communicate(timeout=60)
    assert starter.returncode == 1
    assert "EmbeddedError" in said and "run this as its owner" in said


def test_version(server: Embedded) -> None:
    assert server.version.split(".")[0] == "18"
    assert (embedded.BINARIES / "psql").exists()
