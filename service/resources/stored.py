"""Content on the disk, removed after the commit that made it nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request

from service.files import UPLOADS
from service.http.context import context, principal


async def remove_content(request: Request, rows: Iterable[Mapping[str, Any]]) -> int:
    """Remove what rows with a `stored_name` lay claim to; how many files there were.

    What a crash leaves is found by the upkeep: no row knows it any more.
    """
    files = context(request).process.files
    tenant_id = principal(request).identity.tenant_id
    names = [row["stored_name"] for row in rows if row["stored_name"] is not None]
    return sum([await files.remove(UPLOADS, tenant_id, name) for name in names])
