"""Which handler answers a path: declared by resources, found by a tree of path segments.

A request costs one dictionary look-up per segment, however many routes there are; a literal segment
wins over a parameter (`/documents/latest` over `/documents/{document_id}`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from service.http.inputs import MAX_ITEMS, Q
from service.http.problems import Problem

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path, with all that OpenAPI and the outermost layer need to know.

    `answers` names the query whose columns are the answer (the contract knows their types); `body`
    is a struct or list of structs; `timeout_ms` overrides the default deadline; `scope` None means
    open without credentials.
    """

    method: str
    path: str
    handler: Handler
    scope: str | None
    summary: str
    tag: str = ""
    status: int = 200
    answers: str | None = None
    body: Any = None
    query: Q = field(default_factory=dict)
    precondition: bool = False
    etag: bool = False
    timeout_ms: int | None = None
    problems: tuple[str, ...] = ()
    admin: bool = False
    owner: bool = False  # of the project, where the key acts as a user
    prepare: Callable[[Request], Awaitable[None]] | None = None  # slow work without the database
    schema: dict[str, Any] | None = None  # of the answer, where no query gives it
    media_type: str = "application/json"
    accepts: tuple[str, ...] = ("application/json",)  # media types of the body
    headers: tuple[str, ...] = ()  # of PARAMETERS, besides those that follow from the rest
    nothing_more: bool = False  # may also answer 204: whoever asks has seen the end
    most_items: int = MAX_ITEMS  # of a list body
    upload: tuple[str, ...] = ()  # takes multipart/form-data too: the fields beside the file
    bare: bool = False  # an upload takes the file as the bare body, too
    upload_limit: str = "upload_max_bytes"  # the setting that bounds the file
    ranges: bool = False  # answers a file, or a part of it; as x-ndjson, lines of `answers`

    @property
    def writes(self) -> bool:
        """Whether the method may change something."""
        return self.method not in ("GET", "HEAD")


class _Node:
    __slots__ = ("endpoints", "literals", "parameter", "parameter_name")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.parameter_name = ""
        self.endpoints: dict[str, Endpoint] = {}


class RouteTable:
    """All endpoints of a listener. Raises ValueError on two endpoints for one method and path."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._root = _Node()
        self.endpoints = tuple(endpoints)
        for endpoint in self.endpoints:
            self._add(endpoint)

    def _add(self, endpoint: Endpoint) -> None:
        node = self._root
        for segment in endpoint.path.split("/")[1:]:
            if not segment.startswith("{"):
                node = node.literals.setdefault(segment, _Node())
                continue
            if node.parameter is None:
                node.parameter, node.parameter_name = _Node(), segment[1:-1]
            if node.parameter_name != segment[1:-1]:
                raise ValueError(f"{endpoint.path}: {segment} is {node.parameter_name} elsewhere")
            node = node.parameter
        if endpoint.method in node.endpoints:
            raise ValueError(f"two endpoints for {endpoint.method} {endpoint.path}")
        node.endpoints[endpoint.method] = endpoint
        if endpoint.method == "GET":
            node.endpoints["HEAD"] = endpoint

    def find(self, method: str, path: str, raw: bytes = b"") -> tuple[Endpoint, dict[str, str]]:
        """The endpoint and the path's parameters. Raises Problem not_found, method_not_allowed.

        `raw` is the path before unescaping: with it, an escaped slash stays inside its segment.
        """
        segments = path.split("/")
        if b"%2" in raw:
            segments = [unquote(part) for part in raw.decode("latin-1").split("/")]
        parameters: dict[str, str] = {}
        node = _walk(self._root, segments, 1, parameters)
        if node is None:
            raise Problem("not_found")
        endpoint = node.endpoints.get(method)
        if endpoint is None:
            allow = ", ".join(sorted(node.endpoints))
            raise Problem("method_not_allowed", headers={"Allow": allow})
        return endpoint, parameters


def _walk(node: _Node, segments: list[str], at: int, found: dict[str, str]) -> _Node | None:
    """The node with endpoints that the segments lead to; literals first, then parameters."""
    if at == len(segments):
        return node if node.endpoints else None
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None:
        end = _walk(literal, segments, at + 1, found)
        if end is not None:
            return end
    if node.parameter is None or not segment:
        return None
    end = _walk(node.parameter, segments, at + 1, found)
    if end is not None:
        found[node.parameter_name] = segment
    return end
