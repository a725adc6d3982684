"""Files: whole under their name or not there, and never where a name could lead."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from service.files import DiskError, DiskFull, Draft, FileStore, disk_errors, in_thread

TENANT = uuid4()


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_a_draft_is_no_file_until_it_is_kept(tmp_path: Path) -> None:
    store = FileStore(tmp_path)

    async def check() -> None:
        draft = await store.draft("area", TENANT, "one")
        draft.write(b"some ")
        draft.write(b"bytes")
        assert names(tmp_path) == ["one.part"]
        draft.keep("whole")
        draft.discard()
        assert names(tmp_path) == ["whole"]
        assert (draft.size, draft.sha256) == (10, hashlib.sha256(b"some bytes").digest())
        with await store.open("area", TENANT, "whole") as opened:
            assert await store.remove("area", TENANT, "whole")
            assert opened.read() == b"some bytes"
        assert not await store.remove("area", TENANT, "whole")
        with pytest.raises(FileNotFoundError):
            await store.open("area", TENANT, "whole")

    asyncio.run(check())


def test_a_discarded_draft_leaves_nothing(tmp_path: Path) -> None:
    async def check() -> None:
        draft = await FileStore(tmp_path).draft("area", TENANT, "one")
        draft.write(b"x" * 1_000_000)
        draft.discard()
        draft.discard()
        assert names(tmp_path) == []

    asyncio.run(check())


def test_files_are_for_the_service_alone(tmp_path: Path) -> None:
    async def check() -> None:
        draft = await FileStore(tmp_path).draft("area", TENANT, "one")
        draft.keep("one")
        path = FileStore(tmp_path).path("area", TENANT, "one")
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700

    asyncio.run(check())


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/x", "a/b", ".hidden", "A", "a b", "a\n", "a\0", "x" * 300, "a..b"],
)
def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    store = FileStore(tmp_path)
    for area, file in ((name, "file"), ("area", name)):
        with pytest.raises(ValueError, match="name"):
            store.path(area, TENANT, file)


def test_all_that_begins_so_is_removed_but_one(tmp_path: Path) -> None:
    store = FileStore(tmp_path)

    async def check() -> None:
        for name in ("a.1", "a.2", "a.3", "b.1"):
            (await store.draft("area", TENANT, name)).keep(name)
        draft = await store.draft("area", TENANT, "a.4")
        assert await store.remove_all("area", TENANT, "a.", keep="a.2") == 3
        draft.discard()
        assert names(tmp_path) == ["a.2", "b.1"]
        (tmp_path / "area" / "no-tenant").mkdir()
        (tmp_path / "area" / "no-tenant" / "file").touch()
        found = await store.stored("area")
        assert {(file.tenant_id, file.name) for file in found} == {(TENANT, "a.2"), (TENANT, "b.1")}
        assert await store.stored("nothing") == []

    asyncio.run(check())


LIMITED = """
import resource, sys, uuid
from pathlib import Path
from service.files import DiskFull, Draft, disk_errors
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
draft = Draft(Path(sys.argv[1]) / "x.part")
try:
    with disk_errors():
        for _ in range(100):
            draft.write(b"x" * 10_000)
        draft.keep("x")
except DiskFull:
    print("full")
finally:
    draft.discard()
"""


def test_no_room_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """The kernel refuses to write further, as it does on a full disk."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("full\n", 0), done.stderr
    assert names(tmp_path) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100_000


def test_another_error_is_no_full_disk() -> None:
    with pytest.raises(DiskError) as refused, disk_errors():
        raise PermissionError(13, "no")
    assert not isinstance(refused.value, DiskFull)
    with pytest.raises(DiskFull), disk_errors():
        raise OSError(28, "no space")
    with pytest.raises(ValueError), disk_errors():
        raise ValueError


def test_who_is_cancelled_waits_for_its_thread(tmp_path: Path) -> None:
    """So that a file is not closed under the hands of a thread that writes it."""
    ended = []

    def slow() -> None:
        import time

        time.sleep(0.3)
        ended.append(True)

    async def check() -> None:
        task = asyncio.ensure_future(in_thread(slow))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == [True]

    asyncio.run(check())


def test_two_drafts_of_one_name_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "x.part"
    first = Draft(path)
    with pytest.raises(FileExistsError):
        Draft(path)
    first.discard()
    assert os.listdir(tmp_path) == []  # noqa: PTH208
