"""What every OpenAPI operation of the service shares: types, problems, headers, credentials."""

from __future__ import annotations

from typing import Any

from service.http.problems import CODES

Json = dict[str, Any]

ABOUT = """\
Every answer that is no success is `application/problem+json` (RFC 9457) with a stable `code`.

**Lists** answer `items` and `next_cursor`; send it as `cursor` for the next page. With
`Accept: application/x-ndjson` a list streams its whole result, one item per line; `limit` and
`cursor` mean nothing then.

**Versions**: `ETag` is the version of a resource. Send it as `If-Match` to change what you have
seen, as `If-None-Match` to be told 304 when nothing changed.

**Idempotency-Key** on a POST makes it safe to send again: the stored answer comes back with
`Idempotency-Replayed: true`.

Besides the problems listed with each operation, any request may be answered `not_found` (no such
path), `method_not_allowed` or `too_large`.\
"""


def schema_ref(name: str) -> Json:
    """A reference to a schema among the components."""
    return {"$ref": f"#/components/schemas/{name}"}


def _integer(bits: int) -> Json:
    most = 2 ** (bits - 1)
    return {"type": "integer", "minimum": -most, "maximum": most - 1}


# PostgreSQL's type → the JSON that row_to_json makes of it; any JSON where it is not known
_TYPES: dict[str, Json] = {
    "uuid": {"type": "string", "format": "uuid"},
    "text": {"type": "string"},
    "smallint": _integer(16),
    "int": _integer(32) | {"format": "int32"},
    "bigint": _integer(64) | {"format": "int64"},
    "numeric": {"type": "number"},
    "float8": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "timestamptz": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "interval": {"type": "string"},
    "inet": {"type": "string"},
    "bytea": {"type": "string"},
    "enum": {"type": "string"},
}


def of_type(kind: str, *, json_is_object: bool = False) -> Json:
    """The schema of a PostgreSQL type as the contract writes it: `uuid`, `text?`, `uuid[]`."""
    base = kind.removesuffix("?")
    if base.endswith("[]"):
        schema: Json = {"type": "array", "items": _TYPES.get(base[:-2], {})}
    elif base in ("json", "jsonb") and json_is_object:
        schema = {"type": "object"}
    else:
        schema = _TYPES.get(base, {})
    if kind.endswith("?") and "type" in schema:
        return schema | {"type": [schema["type"], "null"]}
    return schema


def _problem() -> Json:
    meanings = "\n".join(f"- `{name}` ({c.status}): {c.meaning}" for name, c in CODES.items())
    text: Json = {"type": "string"}
    return {
        "type": "object",
        "description": "An answer that is no success (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": text | {"format": "uri"},
            "title": text,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": text,
            "code": text | {"enum": list(CODES), "description": meanings},
            "request_id": text,
            "errors": {"type": "array", "items": schema_ref("FieldError")},
            "findings": {"type": "array", "items": schema_ref("Finding")},
            "case_id": text | {"description": "The case whose version is another."},
            "current_version": {"type": "integer"},
            "constraint": text | {"description": "The rule of the database that refused it."},
            "component": text | {"description": "What is not ready."},
            "components": {"type": "object", "additionalProperties": text},
        },
    }


SCHEMAS: dict[str, Json] = {
    "Problem": _problem(),
    "Finding": {
        "type": "object",
        "description": "Something in a document of the case language.",
        "required": [
            "severity",
            "code",
            "message",
            "line",
            "column",
            "offset",
            "length",
            "form",
        ],
        "properties": {
            "severity": {"enum": ["error", "warning"]},
            "code": {"type": "string"},
            "message": {"type": "string"},
            "line": {"type": "integer", "description": "From 1."},
            "column": {"type": "integer", "description": "From 1, in characters."},
            "offset": {"type": "integer", "description": "From 0, in characters."},
            "length": {"type": "integer"},
            "form": {"type": ["integer", "null"], "description": "From 0; null: outside of all."},
            "expected": {"type": "string"},
            "suggestion": {"type": "string"},
        },
    },
    "FieldError": {
        "type": "object",
        "description": "One part of the request that is at fault.",
        "required": ["pointer", "code", "detail"],
        "properties": {
            "pointer": {
                "type": "string",
                "description": "JSON pointer into the body, or `query:name`.",
            },
            "code": {"type": "string"},
            "detail": {"type": "string"},
        },
    },
}


def _parameter(name: str, meaning: str, required: bool = False, **schema: Any) -> Json:
    return {
        "name": name, "in": "header", "required": required, "description": meaning,
        "schema": {"type": "string"} | schema,
    }  # fmt: skip


PARAMETERS: dict[str, Json] = {
    "IfMatch": _parameter(
        "If-Match", "The ETag of what you have seen; `*` for whatever is there.", required=True,
        pattern=r'^(\*|"[0-9]{1,18}(-gzip)?")$',
    ),
    "IfMatchOptional": _parameter(
        "If-Match", "The ETag of what you have seen: 412 when it is another by now.",
        pattern=r'^(\*|"[0-9]{1,18}")$',
    ),
    "IfMatchVersion": _parameter(
        "If-Match", "The version of the case that you have seen: 409 when it is another by now.",
        pattern=r'^(\*|"[0-9]{1,18}(-gzip)?")$',
    ),
    "IfNoneMatch": _parameter(
        "If-None-Match", "The ETag of what you have: 304 when it is current."
    ),
    "Range": _parameter(
        "Range", "`bytes=100-199`, `bytes=100-` or `bytes=-100`: only this part.",
    ),
    "IfRange": _parameter(
        "If-Range", "The ETag of the file that you have a part of; for another one, all is sent.",
    ),
    "IdempotencyKey": _parameter(
        "Idempotency-Key", "Makes it safe to send the same request again.",
        pattern=r"^[\x21-\x7e]{1,255}$",
    ),
    "CorrelationId": _parameter(
        "X-Correlation-ID", "What this belongs to beyond the service; 1 to 128 visible ASCII "
        "characters. Where it is absent: the trace id of traceparent, else a new uuid.",
        pattern=r"^[\x21-\x7e]{1,128}$",
    ),
    "LastEventId": _parameter(
        "Last-Event-ID", "The `id` of the last event that you have seen: go on behind it.",
        pattern="^[0-9]{1,18}$",
    ),
    "RequestId": _parameter(
        "X-Request-ID", "Found again in the answer and in every log line. Where it is absent, or "
        "not 1 to 128 of the characters `A-Za-z0-9_.:@/+=-`, one is made.",
    ),
    "RequestTimeout": _parameter(
        "X-Request-Timeout-Ms", "Answer within so many ms, or not at all.",
        type="integer", minimum=1, maximum=999_999_999,
    ),
    "TraceParent": _parameter(
        "traceparent", "W3C trace context, noted in every log line; another value is ignored."
    ),
}  # fmt: skip


def _header(meaning: str, *, required: bool = False, **schema: Any) -> Json:
    return {"description": meaning, "required": required, "schema": {"type": "string"} | schema}


HEADERS: dict[str, Json] = {
    "Accept-Ranges": _header("Parts can be asked for.", const="bytes"),
    "Content-Disposition": _header("What to call the file."),
    "Content-Range": _header("Which part, of how many bytes.", required=True, pattern="^bytes "),
    "ETag": _header("The version.", required=True, pattern='^"[^"]+"$'),
    "Idempotency-Replayed": _header(
        "`true`: the stored answer to an earlier request.", const="true"
    ),
    "Link": _header('The next page: `<…>; rel="next"`.'),
    "Location": _header("The path of what was made.", required=True, pattern="^/"),
    "RateLimit": _header("What is left."),
    "RateLimit-Policy": _header("How much there is, and in how many seconds."),
    "Retry-After": _header("Seconds to wait.", required=True, pattern="^[0-9]+$"),
    "WWW-Authenticate": _header("What to send.", required=True),
    "X-Request-ID": _header("The id of the request.", required=True),
}

SECURITY: dict[str, Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`qk_…`) or a JWT. An operation names the scope that it needs.",
    }
}
