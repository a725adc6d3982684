"""Holding answers against a description: `Judge(openapi).faults(exchange)`."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import jsonschema  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.promises.helpers import Json

JSON, NDJSON = {"application/json", "application/problem+json"}, "application/x-ndjson"


class Exchange(NamedTuple):
    """One request to an operation, and what came back."""

    method: str
    path: str  # as in the description
    response: httpx.Response

    @property
    def operation(self) -> str:
        return f"{self.method} {self.path}"

    def __str__(self) -> str:
        body = self.response.text[:300]
        return f"{self.operation} → {self.response.status_code} {body}"


def media_type(response: httpx.Response) -> str:
    """The Content-Type without its parameters."""
    return str(response.headers.get("content-type", "")).partition(";")[0]


def resolved(described: Json, part: Json) -> Json:
    """What a reference within the description refers to."""
    for key in part.get("$ref", "#").split("/")[1:]:
        described = described[key]
    return described if "$ref" in part else part


class Judge:
    """Holds answers against a description whose schemas are closed: a field too many is a fault."""

    def __init__(self, described: Json) -> None:
        self._described = copy.deepcopy(described)
        for schema in self._described["components"]["schemas"].values():
            if "properties" in schema:
                schema.setdefault("additionalProperties", False)
        self._registry: Registry[Any] = Registry().with_resource(
            "urn:described", DRAFT202012.create_resource(self._described)
        )

    def faults(self, exchange: Exchange) -> Iterator[str]:
        """What the answer does not have in common with its description."""
        answer, status = exchange.response, str(exchange.response.status_code)
        place = ["paths", exchange.path, exchange.method.lower(), "responses", status]
        response = self._at(place)
        if response is None:
            yield "this status is not described"
            return
        yield from self._header_faults(response, answer.headers)
        media = media_type(answer)
        content = response.get("content", {})
        if not content:
            if answer.content:
                yield "a body where none is described"
        elif media not in content and "*/*" in content:
            return
        elif media not in content:
            yield f"{media} is not described"
        elif media in JSON:
            yield from self._schema_faults(content[media]["schema"], answer.json())
        elif media == NDJSON:
            for line in answer.text.splitlines():
                yield from self._schema_faults(
                    content[media].get("x-line-schema", {}), json.loads(line)
                )

    def _at(self, place: list[str]) -> Json | None:
        found = self._described
        for key in place:
            if key not in found:
                return None
            found = found[key]
        return resolved(self._described, found)

    def _header_faults(self, response: Json, given: httpx.Headers) -> Iterator[str]:
        for name, reference in response["headers"].items():
            header = resolved(self._described, reference)
            if name in given:
                yield from self._schema_faults(header["schema"], given[name])
            elif header["required"]:
                yield f"there is no {name}"

    def _schema_faults(self, schema: Json, value: Any) -> Iterator[str]:
        absolute = json.loads(json.dumps(schema).replace('"#/', '"urn:described#/'))
        validator = jsonschema.Draft202012Validator(
            absolute, registry=self._registry, format_checker=FORMATS
        )
        for error in validator.iter_errors(value):
            yield f"{error.json_path}: {error.message}"


def is_uuid(value: object) -> bool:
    return not isinstance(value, str) or str(UUID(value)) == value


def is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


FORMATS = jsonschema.FormatChecker(formats=())
FORMATS.checks("uuid", ValueError)(is_uuid)
FORMATS.checks("date-time", ValueError)(is_moment)
