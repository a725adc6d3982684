"""Files on the local disk: written whole or not at all, below one folder, under names of our own.

A file lies at `<root>/<area>/<tenant id>/<name>`. Names are made of ids and hashes by the service
(`NAME` is all they may hold), never of what a caller sent. It is written as a draft whose name ends
in `.part`, brought to the disk, and then renamed, so that under its final name there is never half
a file. Processes that share work must share the folder.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar
from uuid import UUID

from service.settings import Settings

P = ParamSpec("P")
T = TypeVar("T")

EXPORTS, UPLOADS = "exports", "uploads"  # areas

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,199}\Z")
DRAFT = ".part"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BUFFER = 256 * 1024


class DiskError(Exception):
    """The disk said no. Not an OSError, which a unit of work takes for a lost connection."""


class DiskFull(DiskError):
    """There is no room for the file. Nothing of it is left."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as found on the disk; `age` is seconds since it was last written."""

    tenant_id: UUID
    name: str
    age: float


async def in_thread(work: Callable[P, T], /, *args: P.args, **kw: P.kwargs) -> T:
    """`work` in a thread. A cancelled caller still waits for its end, so that nobody takes away
    from a thread what it works on."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **kw))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


class Draft:
    """A file that is being written. Its methods are for one thread at a time.

    `write` cannot be undone and there is no seeking, so that size and hash are known at the end
    without reading anything again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self.size = 0
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=_BUFFER)

    @property
    def sha256(self) -> bytes:
        """The hash of what was written so far."""
        return self._hash.digest()

    def write(self, data: bytes) -> int:
        """Append. Raises OSError."""
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """For those who write to it as to a file."""

    def reopen(self) -> BinaryIO:
        """What was written so far, to read from the beginning. Raises OSError."""
        self._file.flush()
        return self._path.open("rb")

    def keep(self, name: str) -> None:
        """Bring it to the disk and give it its final name. Raises OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.rename(self._path.with_name(_sound(name)))
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        """Remove what was not kept."""
        try:
            self._file.close()
        except OSError:  # what could not be written at the last moment does not matter any more
            pass
        finally:
            self._path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class FileStore:
    """The files below `root`. Every method waits in a thread for the disk."""

    root: Path

    @classmethod
    def of(cls, settings: Settings) -> FileStore:
        """The store that the settings name."""
        return cls((settings.files_dir or settings.data_dir / "files").absolute())

    def path(self, area: str, tenant_id: UUID, name: str) -> Path:
        """Where a file lies. Raises ValueError for a name that is not of our making."""
        return self.root / _sound(area) / str(tenant_id) / _sound(name)

    async def draft(self, area: str, tenant_id: UUID, name: str) -> Draft:
        """A new file under `name` and the ending of drafts. Raises DiskError."""
        with disk_errors():
            return await in_thread(Draft, self.path(area, tenant_id, name + DRAFT))

    async def open(self, area: str, tenant_id: UUID, name: str) -> BinaryIO:
        """A file to read from; it stays readable when it is removed. Raises FileNotFoundError."""
        path = self.path(area, tenant_id, name)
        return await in_thread(path.open, "rb")

    async def remove(self, area: str, tenant_id: UUID, name: str) -> bool:
        """Remove a file; whether it was there."""
        return await in_thread(_unlink, self.path(area, tenant_id, name))

    async def remove_all(
        self, area: str, tenant_id: UUID, beginning: str, keep: str | None = None
    ) -> int:
        """Remove the files whose names begin so, drafts too, but for one; how many there were."""
        beginning = str(self.path(area, tenant_id, beginning))
        return await in_thread(_remove_all, Path(beginning), keep)

    async def stored(self, area: str) -> list[Stored]:
        """All files of an area, drafts too; what does not look like ours is left out.

        Raises OSError when a folder cannot be read.
        """
        return await in_thread(lambda: list(_walk(self.root / _sound(area))))


class disk_errors:  # noqa: N801  (reads as what it does)
    """Turns an OSError into DiskError, and into DiskFull where it means "no room"."""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError):
            full = error.errno in _FULL
            raise (DiskFull if full else DiskError)(error.strerror) from error


def _sound(name: str) -> str:
    if not NAME.match(name) or ".." in name:
        raise ValueError("a file's name may hold lower-case letters, digits, dots and hyphens")
    return name


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _remove_all(beginning: Path, keep: str | None) -> int:
    found = beginning.parent.glob(beginning.name + "*")
    return sum(_unlink(path) for path in found if path.name != keep)


def _walk(area: Path) -> Iterator[Stored]:
    """A folder that is not there has no files; one that cannot be read raises OSError."""
    now = time.time()
    for folder in _listed(area):
        try:
            tenant_id = UUID(folder.name)
        except ValueError:
            continue
        for path in _listed(folder):
            try:
                if NAME.match(path.name) and path.is_file():
                    yield Stored(tenant_id, path.name, now - path.stat().st_mtime)
            except FileNotFoundError:  # removed meanwhile
                continue


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
