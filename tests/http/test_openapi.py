"""The description of the interface: valid, complete, and made of nothing but what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from openapi_spec_validator import validate
from starlette.requests import Request
from starlette.responses import Response

from service.database.queries import load
from service.http.inputs import Body, JsonObject, number, text
from service.http.openapi import document, problem_codes
from service.http.openapi_parts import Json, of_type
from service.http.paging import PAGING, TOTAL
from service.http.problems import CODES
from service.http.routing import Endpoint
from service.resources import ADMIN_ENDPOINTS, ENDPOINTS, docs

ROOT = Path(__file__).parents[2]
SQL = ROOT / "sql"
METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def described() -> Json:
    return document(ENDPOINTS, SQL)


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((SQL / "contract.json").read_bytes())
    return found


# the real one


def test_it_is_valid_openapi(described: Json) -> None:
    validate(described)


def test_the_admin_listener_can_be_described_as_well() -> None:
    validate(document(ADMIN_ENDPOINTS, SQL))


def test_it_holds_every_endpoint_and_nothing_else(described: Json) -> None:
    listed = {(m.upper(), path) for path, item in described["paths"].items() for m in item}
    assert listed == {(e.method, e.path) for e in ENDPOINTS}


def test_every_operation_says_what_it_is(described: Json) -> None:
    for path, method, operation in _operations(described):
        assert operation["summary"], (method, path)
        assert operation["description"], f"{method} {path}: its handler has no docstring"
    names = [operation["operationId"] for *_, operation in _operations(described)]
    assert len(names) == len(set(names))
    assert all(tag["description"] for tag in described["tags"])


def test_every_problem_is_in_the_table_of_problems(described: Json) -> None:
    for response in described["components"]["responses"].values():
        known = response["content"]["application/problem+json"]["schema"]["properties"]
        assert {CODES[code].status for code in known["code"]["enum"]} == {known["status"]["const"]}
    for endpoint in [*ENDPOINTS, *ADMIN_ENDPOINTS]:
        assert set(endpoint.problems) <= CODES.keys(), endpoint.path


def test_every_answer_is_a_query_of_the_contract(contract: dict[str, Any]) -> None:
    queries = load(SQL)
    for endpoint in ENDPOINTS:
        if endpoint.answers is not None:
            assert endpoint.answers in queries, endpoint.path
            assert endpoint.answers in contract, f"run quarry sql snapshot: {endpoint.answers}"


def test_an_etag_is_promised_where_the_query_has_one(contract: dict[str, Any]) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.answers is not None and not endpoint.ranges:  # a file's ETag is its hash
            promised, made = endpoint.etag, contract[endpoint.answers]["etag"] is not None
            assert promised == made, f"{endpoint.method} {endpoint.path}"


def test_every_answer_is_described(described: Json) -> None:
    """An answer with a body has a schema that says something."""
    for path, method, operation in _operations(described):
        for status, response in operation["responses"].items():
            for media in response.get("content", {}).values():
                assert media["schema"], f"{method} {path} {status}"


@pytest.mark.parametrize("secret", ["SELECT ", "core.", "workspace.", "postgres", "127.0.0.1"])
def test_it_tells_no_versions_hosts_or_sql(described: Json, secret: str) -> None:
    assert secret.lower() not in orjson.dumps(described).decode().lower()
    assert described["info"]["version"] == "1"
    assert described["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_it_is_the_same_in_every_process(described: Json, seed: str) -> None:
    program = (
        "import sys, orjson, pathlib; from service.http.openapi import document;"
        "from service.resources import ENDPOINTS;"
        "sys.stdout.buffer.write(orjson.dumps(document(ENDPOINTS, pathlib.Path(sys.argv[1]))))"
    )
    made = subprocess.run(
        [sys.executable, "-c", program, str(SQL)],
        env={"PYTHONHASHSEED": seed}, cwd=ROOT, capture_output=True, check=True,
    )  # fmt: skip
    assert made.stdout == orjson.dumps(described)


# how it is made


class StoneCreate(Body):
    """A new stone."""

    name: str
    notes: JsonObject


async def handler(request: Request) -> Response:
    """What it does."""
    raise NotImplementedError


STONES = {
    "stones.get": {
        "kind": "one",
        "columns": {"id": "uuid", "name": "text", "notes": "jsonb", "found": "timestamptz?"},
        "etag": "id",
    },
    "stones.create": {
        "kind": "one",
        "columns": {"id": "uuid", "name": "text", "notes": "jsonb", "found": "timestamptz"},
        "etag": "id",
    },
    "stones.create_many": {"kind": "one", "columns": {"ids": "uuid[]"}, "etag": None},
    "stones.list": {"kind": "page", "columns": {"id": "uuid", "size": "int"}, "etag": None},
    "stones.list_full": {
        "kind": "page", "columns": {"id": "uuid", "size": "int", "picture": "text"}, "etag": None,
    },
    "stones.heavy": {"kind": "many", "columns": {"weight": "numeric?", "raw": "json?"},
                     "etag": None},
}  # fmt: skip


def quarry(tmp_path: Path, *endpoints: Endpoint) -> Json:
    """The description of these endpoints with the contract of the stones."""
    (tmp_path / "contract.json").write_bytes(orjson.dumps(STONES))
    made = document(endpoints, tmp_path)
    validate(made)
    return made


def endpoint(method: str, path: str, **more: Any) -> Endpoint:
    return Endpoint(method, path, handler, "stones:x", "Do it", "stones", **more)


CREATE = endpoint(
    "POST", "/stones", status=201, answers="stones.create", body=StoneCreate, etag=True
)
BULK = endpoint(
    "POST", "/stones/bulk", status=201, answers="stones.create_many", body=list[StoneCreate]
)


def test_rows_that_look_like_get_share_its_schema(tmp_path: Path) -> None:
    made = quarry(tmp_path, CREATE, endpoint("GET", "/stones/{stone_id}", answers="stones.get"))
    create, get = made["paths"]["/stones"]["post"], made["paths"]["/stones/{stone_id}"]["get"]
    reference = {"$ref": "#/components/schemas/Stone"}
    assert create["responses"]["201"]["content"]["application/json"]["schema"] == reference
    assert get["responses"]["200"]["content"]["application/json"]["schema"] == reference
    assert made["components"]["schemas"]["Stone"] == {
        "type": "object",
        "required": ["id", "name", "notes", "found"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "name": {"type": "string"},
            "notes": {"type": "object"},
            "found": {"type": ["string", "null"], "format": "date-time"},
        },
    }


def test_what_can_be_made_in_bulk_takes_one_or_many(tmp_path: Path) -> None:
    create = quarry(tmp_path, CREATE, BULK)["paths"]["/stones"]["post"]
    one = {"$ref": "#/components/schemas/StoneCreate"}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": 10_000}
    assert create["requestBody"]["content"]["application/json"]["schema"]["oneOf"] == [one, many]
    created = create["responses"]["201"]
    assert created["content"]["application/json"]["schema"]["oneOf"] == [
        {"$ref": "#/components/schemas/Stone"},
        {"$ref": "#/components/schemas/StoneCreateMany"},
    ]
    assert created["headers"]["Location"]["required"] is False
    alone = quarry(tmp_path, CREATE)["paths"]["/stones"]["post"]
    assert alone["requestBody"]["content"]["application/json"]["schema"] == one
    assert alone["responses"]["201"]["headers"]["Location"] == {
        "$ref": "#/components/headers/Location"
    }


def test_a_list_is_a_page_or_lines(tmp_path: Path) -> None:
    made = quarry(tmp_path, endpoint("GET", "/stones", answers="stones.list", query=PAGING | TOTAL))
    answer = made["paths"]["/stones"]["get"]["responses"]["200"]
    page, item = made["components"]["schemas"]["StoneListPage"], {
        "$ref": "#/components/schemas/StoneListItem"
    }  # fmt: skip
    assert page["properties"]["items"]["items"] == item
    assert page["required"] == ["items", "next_cursor"]
    assert page["properties"].keys() == {"items", "next_cursor", "total"}
    assert answer["content"]["application/x-ndjson"]["x-line-schema"] == item
    assert "Link" in answer["headers"]


def test_what_only_the_full_list_has_may_be_absent(tmp_path: Path) -> None:
    made = quarry(tmp_path, endpoint("GET", "/stones", answers="stones.list_full", query=PAGING))
    item = made["components"]["schemas"]["StoneListItem"]
    assert item["required"] == ["id", "size"]
    assert item["properties"].keys() == {"id", "size", "picture"}


def test_many_rows_are_an_array(tmp_path: Path) -> None:
    made = quarry(tmp_path, endpoint("GET", "/stones/heavy", answers="stones.heavy"))
    answer = made["paths"]["/stones/heavy"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"]["type"] == "array"
    heavy = made["components"]["schemas"]["StoneHeavyItem"]
    assert heavy["properties"] == {"weight": {"type": ["number", "null"]}, "raw": {}}


def test_a_name_is_given_to_one_schema_only(tmp_path: Path) -> None:
    class Stone(Body):
        """A body that has the name of an answer."""

        colour: str

    schemas = quarry(
        tmp_path, endpoint("PUT", "/stones/{stone_id}", answers="stones.get", body=Stone)
    )
    assert {"Stone", "Stone2"} <= schemas["components"]["schemas"].keys()


def test_an_answer_that_the_contract_does_not_know_yet_is_any_object(tmp_path: Path) -> None:
    made = document([endpoint("GET", "/stones/{stone_id}", answers="stones.get")], tmp_path)
    validate(made)
    answer = made["paths"]["/stones/{stone_id}"]["get"]["responses"]["200"]
    assert answer["content"]["application/json"]["schema"] == {"type": "object"}


def test_parameters_come_from_path_query_and_kind(tmp_path: Path) -> None:
    query = {"q": text("What.", required=True), "depth": number("How deep.", 1, 9, 3)}
    made = quarry(
        tmp_path,
        endpoint("GET", "/stones/{stone_id}/{name}", answers="stones.get", etag=True, query=query),
        endpoint("PUT", "/stones/{stone_id}/{name}", answers="stones.get", precondition=True),
    )
    operations = made["paths"]["/stones/{stone_id}/{name}"]
    stone, name, q, depth = operations["get"]["parameters"][:4]
    assert stone["schema"] == {"type": "string", "format": "uuid"}
    assert name["schema"] == {"type": "string"}
    assert (q["required"], depth["required"]) == (True, False)
    assert depth["schema"] == {"type": "integer", "minimum": 1, "maximum": 9, "default": 3}
    assert _shared(operations["get"]) >= {"IfNoneMatch", "RequestId"}
    assert _shared(operations["put"]) >= {"IfMatch"}
    assert made["components"]["parameters"]["IfMatch"]["required"]


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        (endpoint("GET", "/stones"), {"unauthenticated", "forbidden", "deadline_exceeded"}),
        (endpoint("GET", "/stones/{stone_id}"), {"not_found"}),
        (endpoint("GET", "/stones", query=PAGING), {"validation", "bad_cursor"}),
        (endpoint("POST", "/stones"), {"idempotency_in_progress", "idempotency_mismatch"}),
        (CREATE, {"malformed_json", "too_large", "unsupported_media_type", "validation"}),
        (endpoint("PUT", "/stones", precondition=True), {"stale_etag", "precondition_required"}),
        (endpoint("POST", "/stones", problems=("gone",)), {"gone"}),
    ],
)
def test_problems_follow_from_what_an_endpoint_is(given: Endpoint, codes: set[str]) -> None:
    assert codes <= set(problem_codes(given))


def test_an_open_endpoint_asks_for_no_credentials(tmp_path: Path) -> None:
    made = quarry(
        tmp_path, Endpoint("GET", "/open", handler, None, "Open", schema={"type": "null"})
    )
    operation = made["paths"]["/open"]["get"]
    assert operation["security"] == []
    assert operation["responses"].keys() == {"200", "400", "500"}
    asking = quarry(tmp_path, CREATE)["paths"]["/stones"]["post"]
    assert asking["security"] == [{"bearer": ["stones:x"]}]
    assert "`stones:x`" in asking["description"]


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("smallint", {"type": "integer", "minimum": -32768, "maximum": 32767}),
        ("text?", {"type": ["string", "null"]}),
        ("uuid[]", {"type": "array", "items": {"type": "string", "format": "uuid"}}),
        ("int[]?", {"type": ["array", "null"], "items": of_type("int")}),
        ("jsonb?", {}),
        ("tsvector", {}),
    ],
)
def test_types_of_postgresql(kind: str, schema: Json) -> None:
    assert of_type(kind) == schema


# the page


def test_the_page_asks_nobody_else_and_parses_no_data_as_html() -> None:
    page = Path(docs.__file__).parents[1].joinpath("http", "docs.html").read_text()
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//|@import|\burl\(", page)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page)
    assert not re.search(r"<[^>]+\s(?:on\w+|style)=", page), "the policy would refuse it"


def _operations(described: Json) -> list[tuple[str, str, Json]]:
    return [
        (path, method, operation)
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def _shared(operation: Json) -> set[str]:
    return {p["$ref"].rpartition("/")[2] for p in operation["parameters"] if "$ref" in p}
