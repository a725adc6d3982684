"""What an API key looks like: apart from who checks it, as commands that make one check none."""

from __future__ import annotations

import hashlib
import re
import secrets
from uuid import UUID

KEY = re.compile(rb"qk_([0-9a-f]{32})_([A-Za-z0-9_-]{43})\Z")  # id and secret


def new_key(key_id: UUID) -> tuple[str, bytes]:
    """A fresh API key (text for its holder) and the hash that is stored."""
    secret = secrets.token_urlsafe(32)
    return f"qk_{key_id.hex}_{secret}", hashlib.sha256(secret.encode()).digest()
