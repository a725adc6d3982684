"""The file of an export, written from lines of JSON, one document version each: zip or ndjson.

Written front to back in one go, with as much in memory as one line, and the same bytes for the same
documents: no clock, no random names.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from typing import Any, Protocol

import orjson

LISTED = 1000  # documents that the manifest in the database names one by one
_PLAIN = re.compile(r"(?!(?:con|prn|aux|nul|com\d|lpt\d)\Z)[a-z0-9][a-z0-9_-]{0,49}\Z")
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip can hold
_LEVEL = 1  # of 9: the processor is for requests


class Sink(Protocol):
    """What an archive is written to."""

    def write(self, data: bytes) -> int:
        """Append."""

    def flush(self) -> None:
        """Nothing is held back."""


class Damaged(Exception):
    """A document's content has another hash than the one that was stored with it."""


class Archive:
    """Takes lines, remembers what they were."""

    media_type = "application/octet-stream"

    def __init__(self, sink: Sink, about: dict[str, Any]) -> None:
        self._sink = sink
        self._about = about
        self._files: list[bytes] = []
        self.bytes = 0

    def add(self, lines: bytes) -> None:
        """Add documents: lines of JSON as `exports.documents` makes them. Raises Damaged."""
        for line in lines.rstrip().split(b"\n"):
            document = orjson.loads(line)
            content = document["content"].encode()
            if hashlib.sha256(content).hexdigest() != document["content_sha256"]:
                raise Damaged
            self._write(document, line, content)
            self.bytes += len(content)
            self._files.append(orjson.dumps(_entry(document, len(content))))

    def close(self) -> None:
        """Write what stands at the end."""

    def abandon(self) -> None:
        """Nothing more will be written."""

    def summary(self) -> dict[str, Any]:
        """The manifest, with the documents one by one unless there are too many."""
        found = {**self._about, "documents": len(self._files), "bytes": self.bytes}
        if len(self._files) <= LISTED:
            found["files"] = [orjson.loads(entry) for entry in self._files]
        return found

    def _write(self, document: dict[str, Any], line: bytes, content: bytes) -> None:
        raise NotImplementedError


class Lines(Archive):
    """ndjson: the lines as they come."""

    media_type = "application/x-ndjson"

    def _write(self, document: dict[str, Any], line: bytes, content: bytes) -> None:
        self._sink.write(line + b"\n")


class Zip(Archive):
    """zip: a file per document version, and manifest.json at the end, which names them all."""

    media_type = "application/zip"

    def __init__(self, sink: Sink, about: dict[str, Any]) -> None:
        super().__init__(sink, about)
        self._zip = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED)  # type: ignore[call-overload]
        self._latest = _EARLIEST

    def _write(self, document: dict[str, Any], line: bytes, content: bytes) -> None:
        moment = _moment(document["created_at"])
        self._latest = max(self._latest, moment)
        self._zip.writestr(_info(name_of(document), moment), content, compresslevel=_LEVEL)

    def close(self) -> None:
        """Write the manifest and the directory."""
        head = {**self._about, "documents": len(self._files), "bytes": self.bytes}
        with self._zip.open(_info("manifest.json", self._latest), "w") as out:
            out.write(orjson.dumps(head)[:-1] + b',"files":[\n')
            for number, entry in enumerate(self._files):
                out.write((b",\n" if number else b"") + entry)
            out.write(b"\n]}\n")
        self._zip.close()

    def abandon(self) -> None:
        self._zip.fp = None  # else it would write its directory when it is thrown away


FORMATS: dict[str, type[Archive]] = {"zip": Zip, "ndjson": Lines}


def name_of(document: dict[str, Any]) -> str:
    """The path of a document inside of a zip: never one that leads out of it, never one twice.

    A type that is no plain name gets a hash of itself, so that two types cannot meet.
    """
    kind = document["document_type"]
    folder = kind
    if not _PLAIN.match(kind):
        slug = re.sub(r"[^a-z0-9]+", "-", kind.lower()).strip("-")[:40] or "type"
        folder = f"{slug}.{hashlib.sha256(kind.encode()).hexdigest()[:8]}"
    return f"documents/{folder}/v{document['version']:04}.txt"


def _entry(document: dict[str, Any], size: int) -> dict[str, Any]:
    return {
        "name": name_of(document),
        "type": document["document_type"],
        "version": document["version"],
        "bytes": size,
        "sha256": document["content_sha256"],
        "id": document["id"],
    }


def _info(name: str, moment: tuple[int, ...]) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, moment)  # type: ignore[arg-type]
    info.create_system = 3  # Unix, wherever it is made
    info.external_attr = 0o100644 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _moment(text: str) -> tuple[int, int, int, int, int, int]:
    """An RFC 3339 time in UTC as a zip holds it."""
    year, month, day, hour, minute, second = map(int, re.findall(r"\d+", text[:19]))
    return max(_EARLIEST, (min(year, 2107), month, day, hour, minute, second))
