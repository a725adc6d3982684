"""The interface described: as OpenAPI for programs, as a page for people. Open without credentials.

The page is one file of our own: it asks nobody but this service, so it works without internet, and
its Content-Security-Policy lets run only what is in it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service import resources
from service.http import openapi
from service.http.answers import Answer, Headers, is_known, quoted, unchanged
from service.http.context import context
from service.http.routing import Endpoint

_PAGE = Path(openapi.__file__).with_name("docs.html")
_INLINE = r"<{0}>(.*?)</{0}>"
_HTML = (b"content-type", b"text/html; charset=utf-8")
_JSON = (b"content-type", b"application/json")
_HARDENING: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


async def description(request: Request) -> Response:
    """This document: OpenAPI 3.1 of everything that this listener serves."""
    body, etag = _description(context(request).process.contract)
    return _unless_known(request, body, etag, _JSON, [])


async def page(request: Request) -> Response:
    """The same for people: a page to search and to try requests in."""
    return html(request, _page())


def html(request: Request, body: bytes) -> Response:
    """A page of ours, which may run and load nothing but what is in it."""
    etag, policy = _sealed(body)
    headers = [*_HARDENING, (b"content-security-policy", policy)]
    return _unless_known(request, body, etag, _HTML, headers)


def _unless_known(
    request: Request, body: bytes, etag: str, content_type: tuple[bytes, bytes], headers: Headers
) -> Response:
    """The body, or 304 when the caller has it."""
    headers = [(b"cache-control", b"no-cache"), *headers]
    if is_known(request, etag):
        return unchanged(request, etag, body, headers)
    return Answer(body, 200, [(b"etag", etag.encode()), *headers], content_type)


@functools.lru_cache(maxsize=2)
def _description(contract: bytes) -> tuple[bytes, str]:
    body = orjson.dumps(openapi.document(resources.ENDPOINTS, contract))
    return body, _etag(body)


@functools.cache
def _page() -> bytes:
    return _PAGE.read_bytes()


@functools.lru_cache(maxsize=8)
def _sealed(body: bytes) -> tuple[str, bytes]:
    """A page's ETag, and the policy that allows its own script and style by their hashes."""
    policy = (
        f"default-src 'none'; script-src {_hashed(body, 'script')}; "
        f"style-src {_hashed(body, 'style')}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return _etag(body), policy.encode()


def _hashed(page: bytes, tag: str) -> str:
    """CSP sources of the inline elements of one kind (CSP 3, 8.3)."""
    contents = re.findall(_INLINE.format(tag).encode(), page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(text).digest()).decode() for text in contents)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def _etag(body: bytes) -> str:
    return quoted(hashlib.blake2b(body, digest_size=12).hexdigest())


ENDPOINTS = [
    Endpoint("GET", "/openapi.json", description, None, "This description", "docs", etag=True,
             schema={"type": "object", "required": ["openapi", "info", "paths"]}),
    Endpoint("GET", "/docs", page, None, "This description, to be read and tried", "docs",
             etag=True, schema={"type": "string"}, media_type="text/html"),
]  # fmt: skip
