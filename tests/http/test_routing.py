"""Which handler answers a path."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from service.http.problems import Problem
from service.http.routing import Endpoint, RouteTable


async def handler(_request: Request) -> Response:
    return Response()


def endpoint(method: str, path: str) -> Endpoint:
    return Endpoint(method, path, handler, None, path)


TABLE = RouteTable(
    [
        endpoint("GET", "/things"),
        endpoint("POST", "/things"),
        endpoint("GET", "/things/{thing_id}"),
        endpoint("GET", "/things/latest"),
        endpoint("DELETE", "/things/{thing_id}"),
        endpoint("GET", "/things/{thing_id}/parts/{part_id}"),
        endpoint("GET", "/things/latest/only"),
    ]
)


def found(method: str, path: str) -> tuple[str, dict[str, str]]:
    endpoint, parameters = TABLE.find(method, path)
    return endpoint.path, parameters


def test_a_literal_wins_over_a_parameter() -> None:
    assert found("GET", "/things/latest") == ("/things/latest", {})
    assert found("GET", "/things/7") == ("/things/{thing_id}", {"thing_id": "7"})


def test_a_literal_that_leads_nowhere_gives_way() -> None:
    assert found("GET", "/things/latest/parts/9") == (
        "/things/{thing_id}/parts/{part_id}", {"thing_id": "latest", "part_id": "9"},
    )  # fmt: skip


def test_head_is_answered_where_get_is() -> None:
    assert found("HEAD", "/things")[0] == "/things"


@pytest.mark.parametrize(
    "path", ["/", "", "/thing", "/things/", "/things//parts/1", "/things/1/2", "*"]
)
def test_an_unknown_path_is_not_found(path: str) -> None:
    with pytest.raises(Problem) as caught:
        TABLE.find("GET", path)
    assert caught.value.code == "not_found"


def test_another_method_is_told_what_is_allowed() -> None:
    with pytest.raises(Problem) as caught:
        TABLE.find("PUT", "/things")
    assert caught.value.headers == {"Allow": "GET, HEAD, POST"}


def test_two_endpoints_for_one_path_are_refused() -> None:
    with pytest.raises(ValueError, match="two endpoints"):
        RouteTable([endpoint("GET", "/a"), endpoint("GET", "/a")])
    with pytest.raises(ValueError, match="elsewhere"):
        RouteTable([endpoint("GET", "/a/{x}"), endpoint("GET", "/a/{y}/b")])
