"""Building an export: a job that may be killed at any moment and ends in one whole file.

The file's final name holds its hash, and the row learns that hash in the transaction that finishes
the job. So an attempt that was overtaken can leave a file that nobody knows, which upkeep removes,
but never one in the place of another.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import aclosing
from typing import Any

from service.database.session import Session
from service.database.tree import sql
from service.files import EXPORTS, DiskFull, FileStore, disk_errors, in_thread
from service.jobs.queue import Attempt, GiveUp, Kind
from service.resources.archive import FORMATS, Archive, Damaged
from service.settings import Settings

_CHUNK_BYTES = 4 * 1024 * 1024  # of content that is in memory at a time
_MOST_ROWS = 500
_WRITTEN = 99  # percent, when all that is left is to store it


def file_name(export_id: Any, sha256: str) -> str:
    """The name of an export's file on the disk."""
    return f"{export_id}.{sha256}"


def kind(settings: Settings, files: FileStore) -> Kind:
    """Jobs of kind `export`, whose id is that of the export."""

    async def run(attempt: Attempt) -> None:
        rows = await attempt.session().fetch(sql.exports.begin, export_id=attempt.job_id)
        if not rows:
            return  # deleted, or built by an attempt that could not say so any more
        if not rows[0]["is_live"]:
            raise GiveUp("The project was deleted.")
        try:
            await _build(attempt, rows[0], files, settings.export_hours * 3600)
        except DiskFull:
            raise GiveUp("There is no room on the disk for exports.") from None
        except Damaged:
            raise GiveUp("A document is damaged: it does not match its checksum.") from None

    return Kind(run, _bury, settings.job_seconds)


async def _bury(attempt: Attempt, db: Session, reason: str) -> None:
    await db.execute(sql.exports.fail, export_id=attempt.job_id, error_message=_told(reason))


def _told(reason: str) -> str:
    """What a caller may read: our own sentences, else nothing of what went on inside."""
    return reason if reason.endswith(".") else "It could not be built; ask the operator."


async def _build(attempt: Attempt, asked: Any, files: FileStore, keep_seconds: float) -> None:
    """Write the file, give it its name, store that it is there. Raises DiskError, Damaged."""
    draft = await files.draft(EXPORTS, attempt.tenant_id, f"{attempt.job_id}.{attempt.claim}")
    archive = FORMATS[asked["format"]](draft, _about(asked))
    try:
        await _write(attempt, asked, archive)
        name = file_name(attempt.job_id, draft.sha256.hex())
        with disk_errors():
            await in_thread(draft.keep, name)
        db = attempt.session()
        async with db.transaction():
            stored = await db.execute(
                sql.exports.complete,
                export_id=attempt.job_id, manifest=archive.summary(),
                file_name=_download_name(asked), file_size=draft.size, file_sha256=draft.sha256,
                seconds=keep_seconds,
            )  # fmt: skip
            await attempt.finish(db)
    finally:
        archive.abandon()
        await in_thread(draft.discard)
    # What earlier attempts left, or all, where the export went meanwhile. Nobody else writes for it
    # any more: whoever still tries can neither finish nor find its draft.
    keep = name if stored else None
    await files.remove_all(EXPORTS, attempt.tenant_id, f"{attempt.job_id}.", keep)


async def _write(attempt: Attempt, asked: Any, archive: Archive) -> None:
    """All documents as of one moment, with as many in memory as a chunk may hold."""
    chosen: dict[str, Any] = {
        "project_id": asked["project_id"], "document_types": asked["document_types"],
        "latest_only": asked["versions"] == "latest",
    }  # fmt: skip
    db = attempt.session()
    async with db.transaction(read_only=True):
        (size,) = await db.fetch(sql.exports.measure, **chosen)
        db.stream_rows = max(1, min(_MOST_ROWS, _CHUNK_BYTES // max(1, size["largest"])))
        async with aclosing(db.stream(sql.exports.documents, **chosen)) as chunks:
            async for chunk in chunks:
                with disk_errors():
                    await in_thread(archive.add, chunk)
                await attempt.progress(_WRITTEN * archive.bytes / max(1, size["bytes"]))
    with disk_errors():
        await in_thread(archive.close)


def _about(asked: Any) -> dict[str, Any]:
    return {
        "project": {
            "id": str(asked["project_id"]),
            "name": asked["project_name"],
            "language": asked["language"],
        },
        "versions": asked["versions"],
        "document_types": asked["document_types"],
    }


def _download_name(asked: Any) -> str:
    plain = unicodedata.normalize("NFKD", asked["project_name"]).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60].strip("-")
    return f"{slug or 'project'}.{asked['format']}"
