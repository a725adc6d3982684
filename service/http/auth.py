"""Who is asking: API keys and JWTs, kept for a while in a bounded cache that NOTIFY empties.

An API key is `qk_<id>_<secret>`: looked up by its id, its secret's SHA-256 compared in constant
time. A revocation reaches every process through the channel `quarry_keys`; while a process is not
listening it keeps nothing for longer than a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import jwt
import structlog
from asyncpg.pgproto.pgproto import UUID

from service.database.listen import Listener
from service.database.queries import Query
from service.database.session import Engine, Identity
from service.database.tree import sql
from service.http.context import NOBODY, Principal
from service.http.inputs import parse_uuid
from service.http.keys import KEY
from service.http.problems import Problem
from service.settings import Settings

log = structlog.get_logger("quarry.auth")

Queries: TypeAlias = Mapping[str, Query] | None  # None: those that are served now

CHANNEL = "quarry_keys"
_SUBJECT = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,200}\Z")
_TENANT = re.compile(r"[A-Za-z0-9-]{1,63}\Z")  # a name or an id
_DEAF_SECONDS = 1.0  # how long a caller is remembered while no listener is connected
_SILENT_SECONDS = 5.0  # a JWKS URL that failed is left alone for so long
_MAX_TOKEN = 8192
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def unauthenticated(detail: str = "") -> Problem:
    """The 401."""
    return Problem("unauthenticated", detail, headers=dict(_CHALLENGE))


class Authenticator:
    """Bearer credentials → Principal."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._engine = engine
        self._seconds = settings.auth_cache_seconds
        self._size = settings.auth_cache_size
        self._kept: dict[bytes, tuple[Principal, float]] = {}
        self._changes = 0  # how often something was forgotten
        self._tokens = Tokens(settings)
        self.listener: Listener | None = None

    async def __call__(
        self, header: bytes | None, seconds: float, queries: Queries = None
    ) -> Principal:
        """The caller behind an Authorization header, found within `seconds` by these queries.

        Raises Problem unauthenticated, deadline_exceeded; Failure.
        """
        if header is None:
            raise unauthenticated("Send Authorization: Bearer <key or token>.")
        digest = hashlib.blake2b(header, digest_size=16).digest()
        kept = self._kept.get(digest)
        if kept is not None:
            found, made = kept
            now = time.time()
            limit = self._seconds if self._listening() else min(self._seconds, _DEAF_SECONDS)
            if now - made < limit and (found.expires_at is None or now < found.expires_at):
                return found
            self._kept.pop(digest, None)
        changes = self._changes
        found = await self._look_up(header, seconds, queries)
        if changes == self._changes:  # else it may be what was revoked meanwhile
            if len(self._kept) >= self._size:
                self._kept.pop(next(iter(self._kept)))
            self._kept[digest] = (found, time.time())
        return found

    def _listening(self) -> bool:
        return self.listener is not None and self.listener.connected

    async def _look_up(self, header: bytes, seconds: float, queries: Queries) -> Principal:
        scheme, _, token = header.partition(b" ")
        token = token.strip()
        if scheme.lower() != b"bearer" or not token or len(token) > _MAX_TOKEN:
            raise unauthenticated("Send Authorization: Bearer <key or token>.")
        match = KEY.match(token)
        if match is not None:
            return await self._by_key(UUID(match[1].decode()), match[2], seconds, queries)
        if token.count(b".") == 2 and self._tokens.accepted:
            return await self._by_token(token, seconds, queries)
        raise unauthenticated()

    async def _by_key(
        self, key_id: UUID, secret: bytes, seconds: float, queries: Queries
    ) -> Principal:
        async with self._engine.session(NOBODY, "auth", seconds, queries) as db:
            rows = await db.fetch(sql.keys.find, key_id=key_id)
        row: Any = rows[0] if rows else None
        stored = row["secret_hash"] if row else bytes(32)
        good = hmac.compare_digest(hashlib.sha256(secret).digest(), stored)
        if row is None or not good or row["revoked_at"] or row["tenant_disabled"]:
            raise unauthenticated()
        expires = row["expires_at"].timestamp() if row["expires_at"] else None
        if expires is not None and expires <= time.time():
            raise unauthenticated()
        user, projects = row["user_id"], row["project_ids"]
        return Principal(
            Identity(row["tenant_id"], f"key:{key_id}", str(user or "")),
            frozenset(row["scopes"]),
            key_id=str(key_id),
            user_id=user,
            projects=None if projects is None else tuple(projects),
            rate_limit=row["rate_limit"],
            expires_at=expires,
        )

    async def _by_token(self, token: bytes, seconds: float, queries: Queries) -> Principal:
        deadline = time.monotonic() + seconds
        claims = await self._claims(token, seconds)
        subject, tenant = str(claims["sub"]), str(claims["tenant"])
        if not _SUBJECT.match(subject):
            raise unauthenticated("The token's sub has characters that cannot be recorded.")
        tenant_id = None
        if _TENANT.match(tenant):
            left = deadline - time.monotonic()
            async with self._engine.session(NOBODY, "auth", left, queries) as db:
                tenant_id = await db.value(sql.keys.tenant, tenant=tenant)
        if tenant_id is None:
            raise unauthenticated("The token's tenant is unknown or disabled.")
        named = claims.get("user_id")
        user = None if named is None else parse_uuid(str(named))
        identity = Identity(tenant_id, f"sub:{subject}", str(user or ""))
        if named is not None and not await self._lives(user, identity, deadline - time.monotonic()):
            raise unauthenticated("The token's user is unknown or deleted.")
        return Principal(
            identity,
            frozenset(_words(claims.get("scope"))),
            user_id=user,
            expires_at=float(claims["exp"]),
        )

    async def _lives(self, user: UUID | None, identity: Identity, seconds: float) -> bool:
        """Whether it is a live user of the identity's tenant."""
        if user is None:
            return False
        async with self._engine.session(identity, "auth", seconds) as db:
            return await db.one(sql.users.get, user_id=user) is not None

    async def _claims(self, token: bytes, seconds: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                return await self._tokens.claims(token.decode("ascii"))
        except TimeoutError:
            raise Problem("deadline_exceeded") from None
        except KeysUnavailable as error:
            log.warning("auth.keys_unavailable", reason=str(error))
            retry_after = str(int(_SILENT_SECONDS))
            raise Problem("auth_unavailable", headers={"Retry-After": retry_after}) from None
        except (jwt.PyJWTError, ValueError) as error:
            log.info("auth.token_refused", reason=type(error).__name__)
            raise unauthenticated("The token is not valid.") from None

    # invalidation

    def forget(self, what: str) -> None:
        """Drop a key (its id), or every key of a tenant (`tenant:<id>`)."""
        self._changes += 1
        tenant = what.removeprefix("tenant:")
        for digest, (found, _) in list(self._kept.items()):
            if what in (found.key_id,) or (
                tenant != what and str(found.identity.tenant_id) == tenant
            ):
                self._kept.pop(digest, None)

    def forget_all(self) -> None:
        """Drop everything: notifications may have been missed."""
        self._changes += 1
        self._kept.clear()


def _words(scope: Any) -> list[str]:
    """The scopes of a claim: words in a text (RFC 8693), or a list of them; anything else: none."""
    if isinstance(scope, str):
        return scope.split()
    return [str(word) for word in scope] if isinstance(scope, list) else []


class KeysUnavailable(Exception):
    """The JWKS URL cannot be reached, or does not answer with keys."""


class PublishedKeys(jwt.PyJWKClient):
    """The keys at a JWKS URL. Runs in threads; after a failure it does not ask again for a moment,
    or each token would hold a thread for as long as the URL hangs."""

    silent_until = 0.0

    def fetch_data(self) -> Any:
        """Raises jwt.PyJWKClientConnectionError, whatever went wrong."""
        if time.monotonic() < self.silent_until:
            raise jwt.PyJWKClientConnectionError("the last attempt failed a moment ago")
        try:
            return super().fetch_data()
        except (jwt.PyJWTError, ValueError, OSError) as error:
            self.silent_until = time.monotonic() + _SILENT_SECONDS
            raise jwt.PyJWKClientConnectionError(f"{type(error).__name__}: {error}") from error


class Tokens:
    """Verifies JWTs: HS256 by a secret, RS256 and ES256 by a JWKS file or URL, never mixed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret = settings.jwt_secret
        self._keys: PublishedKeys | None = None
        self._file: jwt.PyJWKSet | None = None
        if self._secret is not None and len(self._secret.encode()) < 32:
            raise ValueError("QUARRY_JWT_SECRET must have at least 32 bytes")
        if settings.jwt_jwks_file is not None:
            self._file = jwt.PyJWKSet.from_json(settings.jwt_jwks_file.read_text())
        if settings.jwt_jwks_url is not None:
            parts = urlsplit(settings.jwt_jwks_url)
            local = parts.hostname in ("localhost", "127.0.0.1", "::1")
            if parts.scheme != "https" and not (parts.scheme == "http" and local):
                raise ValueError("QUARRY_JWT_JWKS_URL must be https")
            self._keys = PublishedKeys(settings.jwt_jwks_url, timeout=5, lifespan=300)

    @property
    def accepted(self) -> bool:
        """Whether any kind of token is configured."""
        return self._secret is not None or self._file is not None or self._keys is not None

    async def claims(self, token: str) -> dict[str, Any]:
        """The verified claims. Raises jwt.PyJWTError, ValueError, KeysUnavailable."""
        algorithm = jwt.get_unverified_header(token).get("alg")
        key: Any
        if algorithm == "HS256" and self._secret is not None:
            key = self._secret
        elif algorithm in ("RS256", "ES256") and (self._file or self._keys):
            key = await self._public_key(token, algorithm)
        else:
            raise jwt.InvalidAlgorithmError("this algorithm is not accepted")
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._settings.jwt_audience,
            issuer=self._settings.jwt_issuer,
            options={
                "require": ["exp", "sub", "tenant"],
                "verify_aud": self._settings.jwt_audience is not None,
            },
        )

    async def _public_key(self, token: str, algorithm: str) -> Any:
        """The key that the token names, if it is one of this algorithm.

        Raises jwt.PyJWTError, KeysUnavailable.
        """
        if self._file is not None:
            wanted = jwt.get_unverified_header(token).get("kid")
            keys = [k for k in self._file.keys if wanted in (None, k.key_id)]
        else:
            assert self._keys is not None  # noqa: S101  (claims() checked)
            try:
                keys = [await asyncio.to_thread(self._keys.get_signing_key_from_jwt, token)]
            except jwt.PyJWKClientConnectionError as error:
                raise KeysUnavailable(str(error)) from None
        for found in keys:
            if found.algorithm_name == algorithm:
                return found.key
        raise jwt.InvalidKeyError("no such key")
