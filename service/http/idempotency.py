"""Idempotency-Key: claim, work and stored answer in one transaction.

The claim is a row whose uniqueness makes a second request with the same key wait until the first
has ended; in one process it waits without holding a connection. Then it finds the stored answer,
or, when the first failed and left nothing, does the work itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.database.errors import Failure, Kind
from service.database.tree import sql
from service.http.answers import Answer
from service.http.context import Context, context, principal
from service.http.inputs import raw_body
from service.http.problems import Problem
from service.http.routing import Endpoint
from service.http.uploads import is_multipart, receive

HEADER = b"idempotency-key"
WAIT_SECONDS = 5.0  # for a first request that still runs; then 409
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_STORED_HEADERS = (b"content-type", b"etag", b"location")


class _Refused(Exception):
    """Carries an answer that is not stored, so that the transaction rolls back."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answer = answer


class InFlight:
    """Keys that run in this process: one at a time, the others wait without a connection."""

    def __init__(self) -> None:
        self._locks: OrderedDict[tuple[str, ...], tuple[asyncio.Lock, int]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, key: tuple[str, ...], timeout: float) -> AsyncIterator[None]:
        """Hold the key. Raises Problem idempotency_in_progress after `timeout` seconds."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            try:
                async with asyncio.timeout(timeout):
                    await lock.acquire()
            except TimeoutError:
                raise _in_progress() from None
            try:
                yield
            finally:
                lock.release()
        finally:
            users = self._locks[key][1] - 1
            if users:
                self._locks[key] = (lock, users)
            else:
                del self._locks[key]


def _in_progress() -> Problem:
    return Problem("idempotency_in_progress", headers={"Retry-After": "1"})


async def once(request: Request, here: Context, endpoint: Endpoint) -> Response:
    """Run a POST that carries an Idempotency-Key, or give its stored answer again.

    Raises Problem bad_header, idempotency_mismatch, idempotency_in_progress.
    """
    key = here.header(HEADER) or ""
    if not _KEY.match(key):
        raise Problem("bad_header", "Idempotency-Key must have 1 to 255 visible ASCII characters.")
    fingerprint = await _fingerprint(request)
    identity = principal(request).identity
    name = (str(identity.tenant_id), identity.actor, key)
    async with here.process.in_flight.turn(name, min(WAIT_SECONDS, here.remaining())):
        if endpoint.prepare is not None and not await _known(here, identity.actor, key):
            await endpoint.prepare(request)  # no transaction may be open for so long
        try:
            return await _in_one_transaction(request, here, endpoint, key, fingerprint)
        except _Refused as refused:
            return refused.answer


async def _known(here: Context, actor: str, key: str) -> bool:
    """Whether a request with the key has been answered, or is being answered."""
    return bool(await here.session().fetch(sql.idempotency.find, actor=actor, key=key))


async def _fingerprint(request: Request) -> bytes:
    scope = request.scope
    head = f"{request.method} {scope['path']}?".encode() + scope["query_string"] + b"\n"
    endpoint = context(request).endpoint
    if endpoint is not None and endpoint.upload and (endpoint.bare or is_multipart(request)):
        return hashlib.sha256(head + (await receive(request)).fingerprint).digest()
    return hashlib.sha256(head + await raw_body(request)).digest()


async def _in_one_transaction(
    request: Request, here: Context, endpoint: Endpoint, key: str, fingerprint: bytes
) -> Response:
    db = here.session()
    actor = principal(request).identity.actor
    until = datetime.now(UTC) + timedelta(hours=here.process.settings.idempotency_hours)
    async with db.transaction():
        try:
            claimed = await db.execute(
                sql.idempotency.claim,
                actor=actor, key=key, request_hash=fingerprint, expires_at=until,
            )  # fmt: skip
        except Failure as failure:
            if failure.kind is Kind.LOCKED:
                raise _in_progress() from None
            raise
        if not claimed:
            rows = await db.fetch(sql.idempotency.find, actor=actor, key=key)
            return _replay(rows[0] if rows else None, fingerprint)
        here.unit = db
        try:
            answer = await endpoint.handler(request)
        finally:
            here.unit = None
        if answer.status_code >= 400:
            raise _Refused(answer)
        await db.execute(
            sql.idempotency.store,
            actor=actor, key=key, status=answer.status_code,
            headers=_headers_to_store(answer), body=bytes(answer.body),
        )  # fmt: skip
        return answer


def _headers_to_store(answer: Response) -> bytes:
    kept = [
        (n.decode(), v.decode("latin-1")) for n, v in answer.raw_headers if n in _STORED_HEADERS
    ]
    return orjson.dumps(kept)


def _replay(stored: Any, fingerprint: bytes) -> Response:
    if stored is None or stored["status"] is None:
        raise _in_progress()
    if stored["request_hash"] != fingerprint:
        raise Problem("idempotency_mismatch")
    answer = Answer(stored["body"] or b"", stored["status"])
    answer.raw_headers = [
        *((n.encode(), v.encode("latin-1")) for n, v in stored["headers"]),
        (b"idempotency-replayed", b"true"),
    ]
    if stored["body"]:
        answer.raw_headers.append((b"content-length", b"%d" % len(stored["body"])))
    return answer
