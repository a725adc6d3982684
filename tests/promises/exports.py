"""Exports as tests look at them: their files, their downloads, and projects that take a while."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.promises.helpers import Json
from tests.support.cluster import Database
from tests.support.server import Server


def files(server: Server) -> list[str]:
    """The names of all files of exports, drafts too."""
    folder = Path(server.environment["QUARRY_DATA_DIR"]) / "files"
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def files_of(server: Server, export: Json) -> list[str]:
    return [name for name in files(server) if name.startswith(export["id"])]


def path_of(export: Json) -> str:
    return f"/projects/{export['project_id']}/exports/{export['id']}"


def fetch(client: httpx.Client, export: Json, **headers: str) -> httpx.Response:
    return client.get(path_of(export) + "/download", headers=headers)


def fill(database: Database, project: str, mebibytes: int) -> None:
    """Documents of 1 MiB each, straight into the table: text that a zip makes half of."""
    database.psql(
        "ALTER TABLE workspace.document_versions DISABLE TRIGGER document_versions_complete,"
        " ALTER content SET STORAGE external"
    )
    database.psql(
        """
        WITH words AS MATERIALIZED (
            SELECT string_agg(md5(n::text), ' ') AS text FROM generate_series(1, 31750) AS n
        ), filled AS (
            INSERT INTO workspace.document_versions
                   (tenant_id, project_id, document_type, version, content, content_sha256, search)
            SELECT p.tenant_id, p.id, 'filling', n, c.content,
                   sha256(convert_to(c.content, 'UTF8')), ''
              FROM workspace.projects AS p, words AS w, generate_series(1, %s) AS n,
                   LATERAL (SELECT lpad(n::text, 10, '0') || w.text AS content OFFSET 0) AS c
             WHERE p.id = %s
            RETURNING tenant_id, project_id, document_type, version
        )
        INSERT INTO workspace.document_counters
        SELECT tenant_id, project_id, document_type, max(version) FROM filled GROUP BY 1, 2, 3
        """,
        mebibytes, project,
    )  # fmt: skip
    database.psql(
        "ALTER TABLE workspace.document_versions ENABLE TRIGGER document_versions_complete"
    )
