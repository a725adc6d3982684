"""OpenAPI 3.1, made from what there is: endpoints, request structs and the SQL contract.

Nothing is described twice. What an endpoint takes comes from its struct and query parameters, what
it answers from the columns of the query that it names (`sql/contract.json`), and which problems it
may answer from what it is: who needs a scope can be refused, what is posted can be posted twice.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, get_origin

import msgspec
import orjson

from service.http.openapi_parts import (
    ABOUT,
    HEADERS,
    PARAMETERS,
    SCHEMAS,
    SECURITY,
    Json,
    of_type,
    schema_ref,
)  # fmt: skip
from service.http.problems import CODES
from service.http.routing import Endpoint

JSON, NDJSON, PROBLEM = "application/json", "application/x-ndjson", "application/problem+json"
MULTIPART = "multipart/form-data"

_TEXT_IDS = {"case_id", "entity_id"}  # given by documents, not by the database
_PATTERNS = {"verb": r"^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)?$", "version": "^[0-9]{1,9}$"}
_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_PROBLEM_HEADERS = {
    401: ("WWW-Authenticate",),
    416: ("Content-Range",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}


def document(endpoints: Sequence[Endpoint], contract: Path | bytes) -> Json:
    """The description of these endpoints; equal for equal endpoints and contract.

    `contract` is what contract.json holds, or the folder that it is in. An answer whose query is
    not in the contract yet is described as any object.
    """
    written = contract if isinstance(contract, bytes) else contract_of(contract)
    writer = _Writer(endpoints, orjson.loads(written))
    paths: dict[str, Json] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = writer.operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Quarry", "version": "1", "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": _tags(endpoints),
        "paths": paths,
        "components": {
            "schemas": dict(sorted(writer.schemas.items())),
            "responses": dict(sorted(writer.responses.items())),
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "securitySchemes": SECURITY,
        },
    }


def problem_codes(endpoint: Endpoint) -> list[str]:
    """The codes of all problems that an endpoint may answer, in the order of CODES."""
    found = {"bad_header", "internal", *endpoint.problems}
    if endpoint.scope is not None:
        found |= {
            "unauthenticated", "forbidden", "rate_limited", "auth_unavailable",
            "database_unavailable", "pool_exhausted", "deadline_exceeded",
        }  # fmt: skip
        if endpoint.writes:
            found.add("conflict")  # a lock that was not given in time
    if "{" in endpoint.path:
        found.add("not_found")
    if endpoint.query:
        found.add("validation")
    if "cursor" in endpoint.query:
        found.add("bad_cursor")
    if endpoint.body is not None:
        found |= {"malformed_json", "validation", "too_large", "unsupported_media_type"}
    if endpoint.method == "POST":  # Idempotency-Key: the body is read, if only to be compared
        found |= {
            "idempotency_in_progress", "idempotency_mismatch",
            "too_large", "unsupported_media_type",
        }  # fmt: skip
    if endpoint.ranges:
        found.add("range_not_satisfiable")
    if endpoint.precondition:
        found |= {"stale_etag", "precondition_required"}
    return [code for code in CODES if code in found]


def contract_of(sql_dir: Path) -> bytes:
    """What the folder's contract.json holds; an empty contract where there is none."""
    path = sql_dir / "contract.json"
    return path.read_bytes() if path.is_file() else b"{}"


class _Writer:
    """Writes operations, and gathers the schemas and responses that they share."""

    def __init__(self, endpoints: Sequence[Endpoint], contract: Mapping[str, Any]) -> None:
        taking = [e for e in endpoints if e.body is not None]
        refs, structs = msgspec.json.schema_components(
            [e.body for e in taking], ref_template=schema_ref("{name}")["$ref"]
        )
        self._contract = contract
        self._bodies = {(e.method, e.path): r for e, r in zip(taking, refs, strict=True)}
        self._bulk = {e.path: e for e in taking if get_origin(e.body) is list}
        self._objects = _object_fields(structs.values())
        self._operation_ids: set[str] = set()
        self.responses: dict[str, Json] = {}
        self.schemas: dict[str, Json] = SCHEMAS | structs

    def operation(self, endpoint: Endpoint) -> Json:
        """One operation object."""
        many = self._bulk.get(endpoint.path + "/bulk") if endpoint.method == "POST" else None
        operation: Json = {
            "operationId": self._operation_id(endpoint),
            "tags": [endpoint.tag],
            "summary": endpoint.summary,
            "description": _description(endpoint),
            "security": [] if endpoint.scope is None else [{"bearer": [endpoint.scope]}],
            "parameters": _parameters(endpoint),
        }
        if endpoint.body is not None or endpoint.bare:
            operation["requestBody"] = self._body(endpoint, many)
        operation["responses"] = self._responses(endpoint, many)
        return operation

    def _operation_id(self, endpoint: Endpoint) -> str:
        name = f"{endpoint.tag}_{getattr(endpoint.handler, '__name__', 'answer')}"
        if name in self._operation_ids:
            words = re.findall(r"[a-z0-9]+", endpoint.path)
            name = "_".join([endpoint.method.lower(), *words])
        self._operation_ids.add(name)
        return name

    def _body(self, endpoint: Endpoint, many: Endpoint | None) -> Json:
        if endpoint.bare:
            whole: Json = {"schema": {"type": "string", "format": "binary"}}
            form: Json = {"schema": _form(endpoint)}
            return {"required": True, "content": {"*/*": whole, MULTIPART: form}}
        schema = self._body_schema(endpoint)
        if many is not None:
            schema = {"oneOf": [schema, self._body_schema(many)]}
        content: Json = {JSON: {"schema": schema}}
        for media in endpoint.accepts:
            content.setdefault(media, {"schema": {"type": "string"}})
        if endpoint.upload:
            content[MULTIPART] = {"schema": _form(endpoint)}
        return {"required": True, "content": content}

    def _body_schema(self, endpoint: Endpoint) -> Json:
        schema = self._bodies[endpoint.method, endpoint.path]
        bounds = {"minItems": 1, "maxItems": endpoint.most_items}
        return schema | bounds if schema.get("type") == "array" else schema

    # answers

    def _responses(self, endpoint: Endpoint, many: Endpoint | None) -> Json:
        found: Json = {str(endpoint.status): self._success(endpoint, many)}
        if endpoint.etag and not endpoint.writes:
            found["304"] = {
                "description": "If-None-Match names the current version.",
                "headers": _headers("X-Request-ID", "ETag"),
            }
        if endpoint.nothing_more:
            found["204"] = {
                "description": "Whoever asks has seen the end: do not come back.",
                "headers": _headers("X-Request-ID"),
            }
        if endpoint.upload:
            found["200"] = found[str(endpoint.status)] | {"description": "It was there already."}
        if endpoint.ranges:
            whole = found[str(endpoint.status)]
            found["206"] = whole | {
                "description": HTTPStatus(206).phrase,
                "headers": whole["headers"] | _headers("Content-Range"),
            }
        by_status: dict[int, list[str]] = {}
        for code in problem_codes(endpoint):
            by_status.setdefault(CODES[code].status, []).append(code)
        for status, codes in by_status.items():
            found[str(status)] = self._problem(status, codes)
        return dict(sorted(found.items()))

    def _success(self, endpoint: Endpoint, many: Endpoint | None) -> Json:
        response: Json = {"description": HTTPStatus(endpoint.status).phrase}
        if endpoint.status != HTTPStatus.NO_CONTENT:
            response["content"] = self._content(endpoint, many)
        response["headers"] = self._success_headers(endpoint)
        if many is not None:  # what many have in common is no single resource
            for name in response["headers"].keys() & {"ETag", "Location"}:
                response["headers"][name] = HEADERS[name] | {"required": False}
        return response

    def _content(self, endpoint: Endpoint, many: Endpoint | None) -> Json:
        if endpoint.ranges:
            content: Json = {
                endpoint.media_type: {"schema": {"type": "string", "format": "binary"}}
            }
            if endpoint.answers is not None:
                line = self._row(endpoint.answers)
                content[NDJSON] = {"schema": {"type": "string"}, "x-line-schema": line}
            return content
        if endpoint.schema is not None or endpoint.answers is None:
            content = {endpoint.media_type: {"schema": endpoint.schema or {}}}
        else:
            schema = self._answer(endpoint)
            if many is not None:
                schema = {"oneOf": [schema, self._answer(many)]}
            content = {endpoint.media_type: {"schema": schema}}
        if endpoint.answers is not None and self._kind(endpoint.answers) in ("page", "stream"):
            line = self._row(endpoint.answers)
            content[NDJSON] = {"schema": {"type": "string"}, "x-line-schema": line}
        return content

    def _success_headers(self, endpoint: Endpoint) -> Json:
        query = endpoint.answers or ""
        wanted = {
            "X-Request-ID": True,
            "ETag": endpoint.etag,
            "Location": endpoint.status in (201, 202) and "id" in self._columns(query),
            "Accept-Ranges": endpoint.ranges,
            "Content-Disposition": endpoint.ranges,
            "Link": self._kind(query) == "page",
            "Idempotency-Replayed": endpoint.method == "POST",
            "RateLimit": endpoint.scope is not None,
            "RateLimit-Policy": endpoint.scope is not None,
        }
        return _headers(*(name for name, is_wanted in wanted.items() if is_wanted))

    def _problem(self, status: int, codes: list[str]) -> Json:
        """A reference to the response with exactly these codes."""
        name = "Or".join(map(_camel, codes))
        self.responses[name] = {
            "description": "\n".join(f"`{code}`: {CODES[code].meaning}" for code in codes),
            "headers": _headers("X-Request-ID", *_PROBLEM_HEADERS.get(status, ())),
            "content": {PROBLEM: {"schema": schema_ref("Problem") | {
                "properties": {"code": {"enum": codes}, "status": {"const": status}},
            }}},
        }  # fmt: skip
        return {"$ref": f"#/components/responses/{name}"}

    # schemas of queries

    def _kind(self, query: str) -> str:
        found: str = self._contract.get(query, {}).get("kind", "")
        return found

    def _columns(self, query: str) -> dict[str, str]:
        """Column → type, with `?` when it may be NULL."""
        found: dict[str, str] = self._contract.get(query, {}).get("columns", {})
        return found

    def _answer(self, endpoint: Endpoint) -> Json:
        query = endpoint.answers or ""
        if query not in self._contract:
            return {"type": "object"}
        row = self._row(query)
        match self._kind(query):
            case "many":
                return {"type": "array", "items": row}
            case "page":
                total = "include_total" in endpoint.query
                return self._shared(self._noun(query).removesuffix("Item") + "Page",
                                    _page(row, total=total))  # fmt: skip
        return row

    def _row(self, query: str) -> Json:
        """A reference to the schema of one row.

        `list_full` is `list` with more columns, of which the caller chooses: those may be absent.
        """
        columns, model = self._columns(query), self._model(query)
        if model:
            columns = model
        always = columns
        if query.endswith("_full"):
            always = self._columns(query.removesuffix("_full")) or columns
        schema = {
            "type": "object",
            "required": [name for name in columns if name in always],
            "properties": {
                name: of_type(kind, json_is_object=name in self._objects)
                for name, kind in columns.items()
            },
        }
        return self._shared(self._noun(query), schema)

    def _model(self, query: str) -> dict[str, str]:
        """The columns of the folder's `get` where this query's rows look the same, else none."""
        model = self._columns(query.partition(".")[0] + ".get")
        same = not query.endswith("_full") and _is_shape_of(self._columns(query), model)
        return model if same else {}

    def _noun(self, query: str) -> str:
        """Project for what projects.get answers, else ProjectCreateMany, DocumentSearchItem."""
        folder, _, file = query.partition(".")
        noun = _camel(folder[:-3] + "y" if folder.endswith("ies") else folder.removesuffix("s"))
        if self._model(query):
            return noun
        item = "Item" if self._kind(query) in ("page", "many") else ""
        return noun + _camel(file.removesuffix("_full")) + item

    def _shared(self, name: str, schema: Json) -> Json:
        """A reference to a schema of this name; where another one has it, with a number."""
        free, number = name, 2
        while self.schemas.setdefault(free, schema) != schema:
            free, number = f"{name}{number}", number + 1
        return schema_ref(free)


def _form(endpoint: Endpoint) -> Json:
    """An upload: the file, and the fields beside it."""
    file: Json = {"type": "string", "contentMediaType": "application/octet-stream"}
    fields: Json = {
        name: of_type("uuid") if name.endswith("_id") else {"type": "string"}
        for name in endpoint.upload
    }
    return {"type": "object", "required": ["file"], "properties": {"file": file} | fields}


def _page(row: Json, *, total: bool) -> Json:
    properties: Json = {
        "items": {"type": "array", "items": row},
        "next_cursor": {"type": ["string", "null"], "description": "`cursor` of the next page."},
    }
    if total:
        properties["total"] = {"type": "integer", "minimum": 0}
    return {"type": "object", "required": ["items", "next_cursor"], "properties": properties}


def _is_shape_of(columns: dict[str, str], model: dict[str, str]) -> bool:
    """Whether rows with these columns fit the model, whose columns may be NULL more often."""
    return columns.keys() == model.keys() and all(
        kind in (model[name], model[name].removesuffix("?")) for name, kind in columns.items()
    )


def _object_fields(structs: Iterable[Json]) -> set[str]:
    """Fields that bodies declare as JSON objects: columns of that name hold objects as well."""
    return {
        name
        for struct in structs
        for name, schema in struct.get("properties", {}).items()
        if schema.get("type") == "object"
    }


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _description(endpoint: Endpoint) -> str:
    parts = [inspect.getdoc(endpoint.handler) or ""]
    if endpoint.scope is not None:
        parts.append(f"Needs the scope `{endpoint.scope}`.")
    if endpoint.admin:
        parts.append("Refused to keys that are bound to a user or to projects.")
    if endpoint.owner:
        parts.append("A key that acts as a user does this as an owner of the project only.")
    return "\n\n".join(filter(None, parts))


def _tags(endpoints: Sequence[Endpoint]) -> list[Json]:
    """Each tag, with the opening line of the module that has it first."""
    modules: dict[str, Any] = {}
    for endpoint in endpoints:
        modules.setdefault(endpoint.tag, inspect.getmodule(endpoint.handler))
    return [
        {"name": tag, "description": (inspect.getdoc(module) or "").partition("\n")[0]}
        for tag, module in modules.items()
    ]


def _path_schema(name: str) -> Json:
    if name in _PATTERNS:
        return of_type("text") | {"pattern": _PATTERNS[name]}
    return of_type("uuid" if name.endswith("_id") and name not in _TEXT_IDS else "text")


def _parameters(endpoint: Endpoint) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": _path_schema(name)}
        for name in _PATH_PARAMETER.findall(endpoint.path)
    ]  # fmt: skip
    found += [
        {"name": name, "in": "query", "required": parameter.required,
         "description": parameter.meaning, "schema": parameter.schema}
        for name, parameter in endpoint.query.items()
    ]  # fmt: skip
    wanted = {
        "IfMatch": endpoint.precondition,
        "IfNoneMatch": endpoint.etag and not endpoint.writes,
        "Range": endpoint.ranges,
        "IfRange": endpoint.ranges,
        "IdempotencyKey": endpoint.method == "POST",
        "RequestId": True, "RequestTimeout": True, "TraceParent": True,
    }  # fmt: skip
    wanted |= dict.fromkeys(endpoint.headers, True)
    return found + [
        {"$ref": f"#/components/parameters/{name}"}
        for name, is_wanted in wanted.items() if is_wanted
    ]  # fmt: skip


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
