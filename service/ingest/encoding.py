"""Rows as PostgreSQL's binary COPY wants them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from uuid import UUID

from service.ingest.readers import Record

COLUMNS = ("project_id", "data_import_id", "master_flow_id", "row_number", "raw", "findings")

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
_JSONB = b"\x01"  # the version of the format, before the text


def copy_data(ids: tuple[UUID, UUID, UUID], first: int, records: Iterable[Record]) -> bytes:
    """Records numbered from `first` as one COPY of COLUMNS; `ids` are project, import and flow."""
    constant = struct.pack(">h", len(COLUMNS)) + b"".join(
        struct.pack(">i", 16) + value.bytes for value in ids
    )
    number = struct.Struct(">iqi").pack
    length = struct.Struct(">i").pack
    none = length(3) + _JSONB + b"[]"
    parts = [_HEADER]
    for row_number, (raw, findings) in enumerate(records, first):
        parts += (
            constant, number(8, row_number, len(raw) + 1), _JSONB, raw,
            none if findings == b"[]" else length(len(findings) + 1) + _JSONB + findings,
        )  # fmt: skip
    parts.append(_TRAILER)
    return b"".join(parts)
