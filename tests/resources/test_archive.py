"""The file of an export: the same bytes for the same documents, and safe to unpack anywhere."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import PurePosixPath
from typing import Any

import orjson
import pytest

from service.resources.archive import LISTED, Archive, Damaged, Lines, Zip, name_of

ABOUT = {"project": {"id": "p", "name": "n", "language": "en"}, "versions": "all"}


class Unseekable(io.RawIOBase):
    """Takes bytes and nothing else, as a draft does."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)

    def tell(self) -> int:
        raise OSError


def document(kind: str = "report", version: int = 1, content: str = "text\n") -> dict[str, Any]:
    return {
        "id": f"{kind}-{version}", "document_type": kind, "version": version, "content": content,
        "content_sha256": hashlib.sha256(content.encode()).hexdigest(),
        "created_at": "2026-11-21T09:55:59.044079+00:00",
    }  # fmt: skip


def lines(*documents: dict[str, Any]) -> bytes:
    return b"\n".join(map(orjson.dumps, documents)) + b"\n"


def made(form: type[Archive], *documents: dict[str, Any]) -> tuple[bytes, Archive]:
    sink = Unseekable()
    archive = form(sink, ABOUT)
    for each in documents:
        archive.add(lines(each))
    archive.close()
    return bytes(sink.data), archive


def test_the_same_documents_make_the_same_bytes() -> None:
    documents = [document(version=n, content=f"Fünf {n} Steine ☃\r\n\u2028") for n in (3, 2, 1)]
    assert made(Zip, *documents)[0] == made(Zip, *documents)[0]
    data, archive = made(Zip, *documents)
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.testzip() is None
        manifest = json.loads(read.read("manifest.json"))
        assert manifest == archive.summary()
        for entry, each in zip(manifest["files"], documents, strict=True):
            content = read.read(entry["name"])
            assert content.decode() == each["content"]
            assert entry["sha256"] == hashlib.sha256(content).hexdigest()
            assert (entry["bytes"], entry["version"]) == (len(content), each["version"])
        assert all(info.date_time == (2026, 11, 21, 9, 55, 58) for info in read.infolist())


def test_lines_are_as_the_database_made_them() -> None:
    documents = [document(version=n) for n in (2, 1)]
    data, archive = made(Lines, *documents)
    assert data == lines(*documents)
    assert archive.summary()["bytes"] == 10


def test_nothing_makes_an_empty_archive() -> None:
    data, _ = made(Zip)
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.namelist() == ["manifest.json"]
        assert json.loads(read.read("manifest.json"))["files"] == []
    assert made(Lines)[0] == b""


HOSTILE = (
    "../../etc/passwd", "/etc/passwd", "..", ".", "C:\\x", "a/b", "a\\b", "con", "NUL", "lpt1",
    "Report", "report", " report", "report ", "ré", "日本", "-rf", "~", "*", "x" * 50, "X" * 50,
    "a\nb", "a:b", "documents", "manifest.json", "a.b",
)  # fmt: skip


def test_no_type_leads_out_of_the_folder_and_no_two_meet() -> None:
    names = [name_of(document(kind)) for kind in HOSTILE]
    assert len({name.lower() for name in names}) == len(HOSTILE)
    for name in names:
        path = PurePosixPath(name)
        assert not path.is_absolute() and ".." not in path.parts and len(path.parts) == 3
        assert path.parts[0] == "documents"
        assert name.isascii() and not set(name) & set('\\:*?"<>|\n~ ')
        assert path.parts[1].split(".")[0] not in ("con", "nul", "lpt1") or "." in path.parts[1]
    assert name_of(document("report", 7)) == "documents/report/v0007.txt"
    assert name_of(document("report", 12345)) == "documents/report/v12345.txt"


def test_a_document_that_does_not_match_its_checksum_is_refused() -> None:
    damaged = document() | {"content": "another text"}
    with pytest.raises(Damaged):
        made(Zip, damaged)


def test_a_very_long_manifest_is_in_the_file_alone() -> None:
    documents = [document(version=n, content="x") for n in range(1, LISTED + 2)]
    data, archive = made(Zip, *documents)
    assert "files" not in archive.summary()
    assert archive.summary()["documents"] == LISTED + 1
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert len(json.loads(read.read("manifest.json"))["files"]) == LISTED + 1


def test_more_entries_than_an_old_zip_can_count() -> None:
    """65,536 and more make it a zip64."""
    sink = Unseekable()
    archive = Zip(sink, ABOUT)
    count = 65_600
    text = "x"
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    row = '{"id":"i","document_type":"t","version":%d,"content":"x","content_sha256":"%s",'
    row += '"created_at":"2026-11-21T09:55:59"}\n'
    archive.add("".join(row % (n, sha256) for n in range(1, count + 1)).encode())
    archive.close()
    with zipfile.ZipFile(io.BytesIO(bytes(sink.data))) as read:
        assert len(read.namelist()) == count + 1
        assert read.read(f"documents/t/v{count:04}.txt") == b"x"


def test_an_archive_that_is_given_up_writes_nothing_more() -> None:
    sink = Unseekable()
    archive = Zip(sink, ABOUT)
    archive.add(lines(document()))
    before = len(sink.data)
    archive.abandon()
    del archive
    assert len(sink.data) == before
