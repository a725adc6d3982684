"""The peers' wall: a bearer key, checked in the process against hashes that were read at start."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import orjson


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    tenant: UUID
    actor: str


class Keys:
    """Every key's hash, by its id. The file has key → tenant id."""

    def __init__(self, path: Path) -> None:
        self._known: dict[str, tuple[bytes, Caller]] = {}
        for key, tenant in orjson.loads(path.read_bytes()).items():
            _, key_id, secret = key.split("_", 2)
            digest = hashlib.sha256(secret.encode()).digest()
            self._known[key_id] = digest, Caller(UUID(tenant), f"key:{UUID(key_id)}")

    def caller(self, header: str | None) -> Caller | None:
        """The caller behind an Authorization header; None when it is not known."""
        if header is None or not header.startswith("Bearer qk_"):
            return None
        key_id, _, secret = header[10:].partition("_")
        found = self._known.get(key_id)
        if found is None:
            return None
        digest = hashlib.sha256(secret.encode()).digest()
        return found[1] if hmac.compare_digest(digest, found[0]) else None
