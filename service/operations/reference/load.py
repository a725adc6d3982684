"""Fills a migrated database with a scale's rows by COPY."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.copy import LibpqWriter

from service.operations.reference import cases, chats, data, inventory

__all__ = ["GENERATOR", "Progress", "load"]

GENERATOR = 6  # counts up when the data changes
_PARTS = 8  # of the documents
_LINES = 100  # in one write of COPY
_VECTORS = Path(__file__).parents[1] / "catalog" / "vectors.sql"

Progress = Callable[[int, int], None]  # how many more rows are loaded, of how many


class _Table(NamedTuple):
    """What COPY takes: table and columns, the lines, how many there are."""

    columns: str
    lines: Iterator[str]
    total: int


def load(owner: str, scale: data.Scale, progress: Progress) -> None:
    """COPY everything over two connections, then VACUUM and ANALYZE. Raises psycopg.Error.

    No trigger runs and no foreign key is checked, for which it takes a superuser: the rows are
    right as they are.
    """
    with psycopg.connect(owner, autocommit=True) as connection:
        tables = _tables(data.Layout(scale), _vectors(connection, scale.sentences))
        total = sum(table.total for table in tables)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda t: _copy(owner, t, lambda n: progress(n, total)), tables))
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def _tables(layout: data.Layout, made: list[data.Content]) -> list[_Table]:
    """What is loaded, the longest first. The documents come in parts."""
    scale, each = layout.scale, range(layout.scale.projects)
    users = sum(map(len, layout.users))
    part = max(1, scale.projects // _PARTS)
    parts = [range(n, min(n + part, scale.projects)) for n in range(0, scale.projects, part)]
    documents = (
        "workspace.document_versions (tenant_id, id, project_id, document_type, version, content,"
        " content_sha256, search, created_at, updated_at)"
    )
    tables = [
        *(_Table(documents, data.documents(layout, made, some),
                 sum(len(layout.versions(n)) for n in some))
          for some in parts if scale.documents_each),
        _Table("workspace.projects (tenant_id, id, name, status, language, current_step, metadata,"
               " created_by, created_at, updated_at, deleted_at)",
               data.projects(layout), scale.projects),
        _Table("workspace.project_members (tenant_id, id, project_id, user_id, role)",
               data.members(layout), sum(1 + len(layout.viewers(n)) for n in each)),
        _Table("workspace.document_counters (tenant_id, project_id, document_type, last_version)",
               data.counters(layout), 2 * scale.projects if scale.documents_each else 0),
        _Table("workspace.users (tenant_id, id, email, name)", data.users(layout), users),
        _Table("core.tenants (id, name)", data.tenants(layout), scale.tenants),
    ]  # fmt: skip
    if not scale.skewed:
        return tables
    counts = chats.totals(layout)
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return [
        *tables,
        *(_Table(*table) for table in cases.tables(layout)),
        *(_Table(*table) for table in inventory.tables(layout)),
        _Table("audit.events (tenant_id, at, id, actor, table_name, row_id, action, after)",
               data.events(layout, month), users + scale.projects // data.EVENTS),
        _Table("workspace.agent_executions (tenant_id, id, project_id, agent_type, correlation_id,"
               " status, requested_by, started_at, heartbeat_at, completed_at, created_at)",
               data.executions(layout, month), sum(map(layout.executions, each))),
        _Table("core.topic_events (tenant_id, topic, topic_id, sequence, event, data)",
               data.topic_events(layout), sum(map(layout.executions, each))),
        _Table("core.idempotency (tenant_id, actor, key, request_hash, status, headers, body,"
               " expires_at)", data.answers(layout), scale.projects // data.ANSWERS),
        _Table("assistant.messages (tenant_id, id, conversation_id, user_id, seq, role, content,"
               " created_at, updated_at)", chats.messages(layout), counts.messages),
        _Table("assistant.memories (tenant_id, id, user_id, question, answer, importance,"
               " created_at, updated_at)", chats.memories(layout), counts.memories),
        _Table("assistant.conversations (tenant_id, id, user_id, title, message_count,"
               " last_message_at, created_at, updated_at)",
               chats.conversations(layout), counts.conversations),
        _Table("assistant.files (tenant_id, id, user_id, conversation_id, original_name,"
               " stored_name, mime_type, size, sha256, path, created_at, updated_at)",
               chats.files(layout), counts.files),
        _Table("assistant.memory_generations (tenant_id, user_id)",
               chats.generations(layout), users),
        _Table("core.api_keys (tenant_id, id, secret_hash, scopes, user_id)",
               data.keys(layout), users),
    ]  # fmt: skip


def _vectors(connection: psycopg.Connection[Any], sentences: int) -> list[data.Content]:
    """The texts with their search vectors, made once instead of once per document."""
    made = data.contents(sentences)
    rows = psycopg.RawCursor(connection).execute(
        _VECTORS.read_bytes(), [[c.language for c in made], [c.text for c in made]]
    ).fetchall()  # fmt: skip
    return [
        data.Content(c.language, c.text, c.sha256, vector)
        for c, (vector,) in zip(made, rows, strict=True)
    ]


def _copy(owner: str, table: _Table, loaded: Callable[[int], None]) -> None:
    command = f"COPY {table.columns} FROM STDIN"
    with psycopg.connect(owner) as connection, connection.cursor() as cursor:
        connection.execute("SET session_replication_role = replica")
        writer = LibpqWriter(cursor, flush_threshold=0)  # a long buffer of libpq's is a slow one
        with cursor.copy(command.encode(), writer=writer) as copy:
            while lines := list(itertools.islice(table.lines, _LINES)):
                copy.write("".join(lines))
                loaded(len(lines))
