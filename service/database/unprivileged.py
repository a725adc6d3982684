"""Programs of PostgreSQL run by a user that PostgreSQL accepts: it refuses uid 0.

Anyone but root runs them as himself. Root runs them as the owner of what they work on; for a new
folder that is `quarry-postgres` (made by useradd), else `postgres`, else `nobody`. Where that user
may not pass a directory on the way to the binaries or the data, the program gets the one capability
that passes it, by setpriv: no directory that is not ours changes its mode. The price is that a
database superuser can then read what root can; a data folder that others may enter avoids it.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

USER = "quarry-postgres"
# Bits of the capability sets; the first one held is taken, the weaker one first.
_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


class UnprivilegedError(Exception):
    """No way to run PostgreSQL as another user than root; the message says what to do."""


class User(NamedTuple):
    """Whom a program runs as."""

    uid: int
    gid: int


def user_for(folder: Path) -> User:
    """The user that runs the programs on `folder`. Raises UnprivilegedError when that cannot be."""
    ours = User(os.geteuid(), os.getegid())
    found = folder.stat() if folder.exists() else None
    if ours.uid != 0:
        if found and found.st_uid != ours.uid:
            raise UnprivilegedError(
                f"{folder} belongs to uid {found.st_uid}: run this as that user"
            )
        return ours
    if found and found.st_uid != 0:
        return User(found.st_uid, found.st_gid)
    return _server_user()


def _server_user() -> User:
    if not _known(USER) and (useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")):
        arguments = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")
        subprocess.run((useradd, *arguments, USER), capture_output=True, check=False)
    for user in filter(None, map(_known, (USER, "postgres", "nobody"))):
        return user
    raise UnprivilegedError(
        f"PostgreSQL refuses to run as root: make a user for it (`useradd --system {USER}`)"
    )


def _known(name: str) -> User | None:
    with contextlib.suppress(KeyError):
        entry = pwd.getpwnam(name)
        return User(entry.pw_uid, entry.pw_gid)
    return None


def command(user: User, paths: Iterable[Path], *arguments: str) -> dict[str, Any]:
    """Arguments of subprocess for a program run as `user`, who must reach all of `paths`."""
    # No PGHOST, PGOPTIONS or working directory of the caller's may reach the server.
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    common: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "cwd": "/",
        "env": {**environment, "TZ": "UTC", "LC_ALL": "C.UTF-8"},
    }
    if os.geteuid() == user.uid:
        return {"args": arguments, **common}
    closed = next(filter(None, (_closed(path, user) for path in paths)), None)
    setpriv, capability = shutil.which("setpriv"), _capability()
    if closed and not (setpriv and capability):
        raise UnprivilegedError(
            f"PostgreSQL must run as uid {user.uid} ({USER} or the data's owner), and {closed} is "
            "closed to it: choose a QUARRY_DATA_DIR (or a place of the virtual environment) that "
            "others may enter, install setpriv (util-linux), or do not run as root"
        )
    if not setpriv:
        return {
            "args": arguments, "user": user.uid, "group": user.gid, "extra_groups": [], **common
        }  # fmt: skip
    prefix = [setpriv, f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups"]
    if closed:
        prefix += [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
    return {"args": (*prefix, *arguments), **common}


def _closed(path: Path, user: User) -> Path | None:
    """The first directory on the way to `path` that `user` may not pass."""
    for folder in reversed((path, *path.parents)):
        found = folder.stat()
        bit = 0o100 if found.st_uid == user.uid else 0o010 if found.st_gid == user.gid else 0o001
        if not found.st_mode & bit:
            return folder
    return None


def _capability() -> str | None:
    """The name of a capability of ours that passes closed directories."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapEff:"):
                held = int(line.split()[1], 16)
                return next((name for name, bit in _CAPABILITIES.items() if held >> bit & 1), None)
    return None


def private(folder: Path, user: User) -> Path:
    """`folder`, made if absent, 0700 and `user`'s. Raises UnprivilegedError if it is otherwise."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        os.chown(folder, *user)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user.uid or found.st_mode & 0o077:
        raise UnprivilegedError(f"{folder} is not a private directory of uid {user.uid}: remove it")
    return folder
