"""Documents of the case language as requests: read, checked, printed; nothing is stored."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.dsl.effects import EFFECTS
from service.dsl.parser import parse
from service.dsl.printer import print_program
from service.dsl.registry import Registry
from service.dsl.validation import check
from service.http.answers import Answer, json_answer
from service.http.context import context, session
from service.http.inputs import (
    Body,
    Q,
    body,
    flag,
    media_type,
    number,
    one_of,
    path_text,
    query,
    raw_body,
)
from service.http.openapi_parts import schema_ref
from service.http.problems import Problem
from service.http.routing import Endpoint
from service.resources import gateway

READ, WRITE = "cases:read", "cases:write"
ACCEPTS = ("application/json", "text/plain")
_REGISTRY_SECONDS = 2.0  # a verb that a migration adds is known so soon
_NO_PROJECT = UUID(int=0)

Version = Annotated[int, Meta(ge=0, le=2_147_483_647)]


class DslOptions(Body):
    """How a document is treated. `strict`: unknown verbs are errors."""

    strict: bool = True
    dry_run: bool = False
    replace: bool = False
    expected_version: Version | UnsetType = UNSET
    timeout_ms: Annotated[int, Meta(ge=1, le=60_000)] | UnsetType = UNSET


class DslDocument(Body):
    """A document of the case language."""

    dsl: str
    options: DslOptions | UnsetType = UNSET


OPTIONS: Q = {
    "strict": one_of("Whether unknown verbs are errors (the default).", "true", "false"),
    "dry_run": flag("Run everything and roll back."),
    "expected_version": number("The case's version that this is about.", 0, 2_147_483_647),
    "timeout_ms": number("Deadline of the transaction.", 1, 60_000),
}


async def document(request: Request) -> tuple[str, DslOptions]:
    """The document and its options: from JSON, or as text with options in the query.

    Raises Problem too_large for a document beyond the limit, validation.
    """
    asked = query(request)
    here = context(request)
    if media_type(here.headers) == "text/plain":
        try:
            text = (await raw_body(request)).decode()
        except UnicodeDecodeError:
            raise Problem("malformed_json", "The document is not UTF-8.") from None
        found = DslOptions()
    else:
        sent = await body(request, DslDocument)
        text, found = sent.dsl, sent.options if sent.options is not UNSET else DslOptions()
    if asked.get("strict") is not None:
        found.strict = asked["strict"] == "true"
    found.dry_run = found.dry_run or bool(asked.get("dry_run"))
    for name in ("expected_version", "timeout_ms"):
        if asked.get(name) is not None:
            setattr(found, name, asked[name])
    most = here.process.settings.dsl_max_bytes
    if len(text) > most or len(text.encode("utf-8", "surrogatepass")) > most:
        raise Problem("too_large", f"A document has at most {most} bytes.")
    return text, found


async def registry(request: Request) -> Registry:
    """The verbs as the database has them, kept for a moment."""
    extras = context(request).process.extras
    now = asyncio.get_running_loop().time()
    until, data, known = extras.get("dsl.registry", (0.0, b"", None))
    if known is not None and now < until:
        return known  # type: ignore[no-any-return]
    async with session(request) as db:
        fresh = await db.many(sql.dsl.verbs)
    if known is None or fresh != data:
        known = Registry.from_json(fresh)
    extras["dsl.registry"] = (now + _REGISTRY_SECONDS, fresh, known)
    return known  # type: ignore[no-any-return]


# stateless


async def parse_document(request: Request) -> Response:
    """The syntax tree and every syntax error; 200 also for a document with errors."""
    text, _ = await document(request)
    bounds = gateway.limits(context(request).process.settings)

    def work() -> bytes:
        parsed = parse(text, bounds)
        valid = all(f.severity != "error" for f in parsed.findings)
        told = {"valid": valid, "ast": parsed.program.items, "findings": parsed.findings}
        return msgspec.json.encode(told)

    return Answer(await asyncio.to_thread(work))


async def format_document(request: Request) -> Response:
    """The canonical text; a document with syntax errors is refused."""
    text, _ = await document(request)
    bounds = gateway.limits(context(request).process.settings)

    def work() -> str:
        parsed = parse(text, bounds)
        if any(f.severity == "error" for f in parsed.findings):
            raise gateway.refusal(parsed.findings)
        return print_program(parsed.program)

    return json_answer({"dsl": await asyncio.to_thread(work)})


async def validate(request: Request) -> Response:
    """Syntax, vocabulary, dictionary and the rules that a document shows by itself."""
    text, options = await document(request)
    bounds = gateway.limits(context(request).process.settings)
    checked = await gateway.read(text, await registry(request), bounds, strict=options.strict)
    async with session(request) as db:
        facts = await gateway.ask(db, _NO_PROJECT, checked.needs)
    facts.stateless = True
    findings = await asyncio.to_thread(check, checked, facts)
    return Answer(msgspec.json.encode({"valid": not checked.errors, "findings": findings}))


async def verbs(request: Request) -> Response:
    """All verbs with their arguments."""
    async with session(request) as db:
        return Answer(b'{"items": ' + await db.many(sql.dsl.verbs) + b"}")


async def verb(request: Request) -> Response:
    """One verb."""
    found = (await registry(request)).verbs.get(path_text(request, "verb"))
    if found is None:
        raise Problem("not_found")
    return Answer(msgspec.json.encode(found))


FINDINGS = {"type": "array", "items": schema_ref("Finding")}
_PARSED: dict[str, Any] = {
    "type": "object", "required": ["valid", "ast", "findings"],
    "properties": {"valid": {"type": "boolean"}, "ast": {"type": "array"}, "findings": FINDINGS},
}  # fmt: skip
_VALID: dict[str, Any] = {
    "type": "object", "required": ["valid", "findings"],
    "properties": {"valid": {"type": "boolean"}, "findings": FINDINGS},
}  # fmt: skip
_TEXT: dict[str, Any] = {
    "type": "object", "required": ["dsl"], "properties": {"dsl": {"type": "string"}},
}  # fmt: skip
_ARGUMENT = {
    "type": "object",
    "required": ["name", "type"],
    "properties": {
        "name": {"type": "string"},
        "type": {"type": "string"},
        "required": {"type": "boolean"},
        "aliases": {"type": "array", "items": {"type": "string"}},
        "slot": {"type": "string"},
        "summary": {"type": "string"},
        "of_case": {"type": "boolean"},
        "deprecated": {"type": "boolean"},
    },
}
_VERB: dict[str, Any] = {
    "type": "object", "required": ["name", "domain", "summary", "effect", "arguments"],
    "properties": {
        "name": {"type": "string"}, "domain": {"type": "string"}, "summary": {"type": "string"},
        "effect": {"enum": list(EFFECTS)}, "arguments": {"type": "array", "items": _ARGUMENT},
        "preset": {"type": "object"}, "stage": {"type": ["integer", "null"]},
        "at_least": {"type": "integer"}, "deprecated": {"type": "boolean"},
        "replacement": {"type": ["string", "null"]},
    },
}  # fmt: skip
_STRICT: Q = {"strict": OPTIONS["strict"]}
ENDPOINTS = [
    Endpoint("POST", "/dsl/parse", parse_document, READ, "The syntax tree of a document", "dsl",
             body=DslDocument, schema=_PARSED, accepts=ACCEPTS),
    Endpoint("POST", "/dsl/format", format_document, READ, "The canonical text of a document",
             "dsl", body=DslDocument, schema=_TEXT, problems=("invalid_document",),
             accepts=ACCEPTS),
    Endpoint("POST", "/dsl/validate", validate, READ, "What is wrong with a document", "dsl",
             body=DslDocument, schema=_VALID, query=_STRICT, accepts=ACCEPTS),
    Endpoint("GET", "/dsl/verbs", verbs, READ, "The verbs of the case language", "dsl",
             schema={"type": "object", "required": ["items"],
                     "properties": {"items": {"type": "array", "items": _VERB}}}),
    Endpoint("GET", "/dsl/verbs/{verb}", verb, READ, "One verb", "dsl", schema=_VERB),
]  # fmt: skip
