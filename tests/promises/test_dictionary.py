"""The dictionary: attributes of a tenant's own, found by words; and values that keep to them."""
# ruff: noqa: E501

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.promises.helpers import (
    ANY_VERSION,
    Json,
    Tenant,
    absent,
    make_project,
    ok,
    problem,
    unique,
    walk,
)
from tests.support.cluster import Database


def make(client: httpx.Client, **fields: Any) -> Json:
    body = {"name": unique("own").replace("-", "_"), "mask": "string"} | fields
    return ok(client.post("/dictionary", json=body), 201)


def refused(answer: httpx.Response, *pointers: str) -> list[str]:
    return [e["detail"] for e in problem(answer, 422, "validation", *pointers)["errors"]]


# attributes


def test_every_tenant_begins_with_at_least_80_attributes_over_the_groups(tenant: Tenant) -> None:
    found = walk(tenant.client, "/dictionary", limit=40)
    assert len(found) >= 80
    assert [a["name"] for a in found] == sorted(a["name"] for a in found)
    groups = {a["group_id"] for a in found}
    assert groups >= {
        "identity",
        "address",
        "ownership",
        "tax",
        "banking",
        "risk",
        "product",
        "document",
    }
    assert all(a["long_description"] and a["mask"] for a in found)
    assert {a["mask"] for a in found} >= {
        "string",
        "integer",
        "decimal",
        "date",
        "boolean",
        "enum",
        "money",
        "percent",
    }


def test_an_attribute_from_its_making_to_its_end(mine: httpx.Client) -> None:
    answer = mine.post("/dictionary", json={
        "name": "fund.nav_currency", "mask": "string", "group_id": "fund", "rules": {"format": "ISO-4217"},
        "long_description": "Currency of the net asset value.", "sensitivity": "public",
        "source": {"system": "ledger"}, "sink": {}, "domain": "funds",
    })  # fmt: skip
    made = ok(answer, 201)
    one = answer.headers["location"]
    assert (one, answer.headers["etag"]) == (f"/dictionary/{made['id']}", '"1"')
    assert ok(mine.get(one)) == made
    assert mine.get(one, headers={"If-None-Match": '"1"'}).status_code == 304
    changed = ok(mine.put(one, json={"sensitivity": "internal"}, headers={"If-Match": '"1"'}))
    assert (changed["sensitivity"], changed["rules"], changed["version"]) == (
        "internal",
        {"format": "ISO-4217"},
        2,
    )
    problem(mine.put(one, json={"mask": "date"}, headers={"If-Match": '"1"'}), 412, "stale_etag")
    problem(mine.put(one, json={"mask": "date"}), 428, "precondition_required")
    assert mine.delete(one, headers={"If-Match": '"2"'}).status_code == 204
    for method in ("GET", "PUT", "DELETE"):
        problem(mine.request(method, one, json={}, headers=ANY_VERSION), 404, "not_found")
        problem(
            mine.request(method, "/dictionary/no-uuid", json={}, headers=ANY_VERSION),
            404,
            "not_found",
        )


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "two words"}, "/name"), ({"name": "a..b"}, "/name"), ({"name": ""}, "/name"),
        ({"mask": "colour"}, "/mask"), ({"mask": "enum"}, "/rules"), ({"rules": {"colour": 1}}, "/rules"),
        ({"rules": {"pattern": "("}}, "/rules"), ({"rules": {"format": "ISO-1"}}, "/rules"), ({"rules": []}, "/rules"),
        ({"sensitivity": "secret"}, "/sensitivity"), ({"group_id": ""}, "/group_id"),
        ({"source": 1}, "/source"), ({"colour": "red"}, "/colour"),
    ],
)  # fmt: skip
def test_an_attribute_that_cannot_be_is_refused_at_its_field(
    mine: httpx.Client, fields: Json, pointer: str
) -> None:
    body = {"name": unique("x").replace("-", "_"), "mask": "string"} | fields
    answer = mine.post("/dictionary", json=body)
    if answer.json().get("errors"):
        refused(answer, pointer)
    else:
        problem(answer, 422, "validation")
        assert fields == {"rules": {"pattern": "("}}  # PostgreSQL says so, and not which column


def test_a_name_is_there_once_in_a_tenant(mine: httpx.Client, theirs: httpx.Client) -> None:
    name = make(mine)["name"]
    taken = mine.post("/dictionary", json={"name": name, "mask": "date"})
    assert problem(taken, 409, "duplicate", "/name")["constraint"] == "dictionary_name_key"
    ok(theirs.post("/dictionary", json={"name": name, "mask": "date"}), 201)


def test_words_find_attributes_best_first(mine: httpx.Client) -> None:
    assert (
        ok(mine.get("/dictionary", params={"q": "date of birth"}))["items"][0]["name"]
        == "identity.date_of_birth"
    )
    assert ok(mine.get("/dictionary", params={"q": "iban"}))["items"][0]["name"] == "banking.iban"
    make(mine, name="zz.plain", long_description="Mentions the zircon once.")
    make(mine, name="zz.zircon", long_description="The zircon itself.")
    found = ok(mine.get("/dictionary", params={"q": "zircon"}))["items"]
    assert [a["name"] for a in found] == ["zz.zircon", "zz.plain"]
    assert found[0]["rank"] > found[1]["rank"]
    pages = walk(mine, "/dictionary", q="country", limit=2)
    assert len({a["id"] for a in pages}) == len(pages) >= 3
    ranks = [a["rank"] for a in pages]
    assert ranks == sorted(ranks, reverse=True)
    only = walk(mine, "/dictionary", q="country", group_id="address")
    assert only and {a["group_id"] for a in only} == {"address"}
    assert ok(mine.get("/dictionary", params={"q": '"unfindable\'; --" (&'}))["items"] == []


def test_groups_and_masks_narrow_the_list(mine: httpx.Client) -> None:
    banking = walk(mine, "/dictionary", group_id="banking", limit=3)
    assert len(banking) >= 4 and {a["group_id"] for a in banking} == {"banking"}
    dates = walk(mine, "/dictionary", mask="date", limit=3)
    assert {a["mask"] for a in dates} == {"date"}
    assert {a["name"] for a in walk(mine, "/dictionary", group_id="identity", mask="date")} == {
        a["name"] for a in dates if a["group_id"] == "identity"
    }
    problem(mine.get("/dictionary", params={"mask": "colour"}), 422, "validation", "query:mask")


def test_a_key_of_a_project_reads_the_dictionary_and_does_not_change_it(tenant: Tenant) -> None:
    project = make_project(tenant.client)["id"]
    bound = tenant.caller(projects=[UUID(project)])
    assert ok(bound.get("/dictionary"))["items"]
    problem(bound.post("/dictionary", json={"name": "x", "mask": "date"}), 403, "forbidden")


# values


@pytest.fixture(scope="module")
def subject(mine: httpx.Client) -> str:
    project = make_project(mine)["id"]
    text = '(case.create :case-id "C-1") (entity.register :entity-id "E/1 ä" :entity-type trust) (document.catalog :document-id "D-1" :document-type "passport")'
    ok(mine.post(f"/projects/{project}/dsl/execute", json={"dsl": text}))
    return f"/projects/{project}/subjects"


ENTITY = "entity/E%2F1%20%C3%A4"


def stored(client: httpx.Client, path: str) -> dict[str, Any]:
    return {v["name"]: v["value"] for v in walk(client, path, limit=2)}


@pytest.mark.parametrize("kind", [ENTITY, "case/C-1", "document/D-1"])
def test_values_are_stored_by_name_or_id_and_read_back(
    mine: httpx.Client, subject: str, kind: str
) -> None:
    path = f"{subject}/{kind}/values"
    (iban,) = (
        a for a in walk(mine, "/dictionary", group_id="banking") if a["name"] == "banking.iban"
    )
    values = {
        iban["id"]: "GB33BUKB20201555555555", "identity.date_of_birth": "1971-04-09",
        "ownership.direct_percent": 12.5, "entity.regulated": True, "identity.legal_name": None,
    }  # fmt: skip
    sent = {"values": values, "source": "passport", "observed_at": "2026-01-31T12:00:00Z"}
    assert mine.put(path, json=sent).status_code == 204
    assert stored(mine, path) == {
        "banking.iban": values[iban["id"]], "identity.date_of_birth": "1971-04-09",
        "ownership.direct_percent": 12.5, "entity.regulated": True, "identity.legal_name": None,
    }  # fmt: skip
    found = {v["name"]: v for v in walk(mine, path)}
    assert (found["identity.legal_name"]["state"], found["banking.iban"]["state"]) == (
        "pending",
        "resolved",
    )
    assert found["banking.iban"]["source"] == "passport"
    assert mine.put(path, json={"values": {"identity.legal_name": "Ada Ltd"}}).status_code == 204
    again = {v["name"]: v for v in walk(mine, path)}
    assert (again["identity.legal_name"]["value"], again["identity.legal_name"]["version"]) == (
        "Ada Ltd",
        2,
    )
    assert len(again) == 5


MISFITS = [
    ("banking.iban", "GB33BUKB20201555555556", "the check digits of the IBAN are wrong"),
    ("banking.iban", "DE8937040044053201300", "an IBAN of DE has 22 characters"),
    ("banking.iban", 5, "must be a string"),
    ("identity.date_of_birth", "1971-02-30", "must be a date such as 2026-01-31"),
    ("identity.date_of_birth", "1871-02-01", "must be from 1900-01-01"),
    ("identity.nationality", "XX", "not a country of ISO 3166-1, such as LU"),
    ("identity.gender", "blue", "must be one of female, male, other, undisclosed"),
    ("identity.passport_number", "no!", "must be of the form [A-Z0-9]{5,15}"),
    ("identity.first_name", "", "must have 1 to 100 characters"),
    ("contact.email", "ada@example", "not an e-mail address"),
    ("contact.phone", "0049123", "not a telephone number of E.164, such as +352123456"),
    ("entity.lei", "529900T8BM49AURSDO56", "the check digits of the LEI are wrong"),
    ("entity.employees", 1.5, "must be a whole number"),
    ("entity.employees", -1, "must be from 0"),
    ("ownership.direct_percent", 100.5, "must be from 0 to 100"),
    ("entity.regulated", "yes", "must be true or false"),
    ("identity.shoe_size", 44, "the dictionary has no such attribute"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "why"), MISFITS)
def test_a_value_that_does_not_fit_is_refused_with_its_reason_and_nothing_is_stored(
    mine: httpx.Client, subject: str, name: str, value: Any, why: str
) -> None:
    path = f"{subject}/case/C-1/values"
    before = stored(mine, path)
    fits = {"identity.trading_name": unique("name")}
    assert refused(mine.put(path, json={"values": fits | {name: value}}), f"/values/{name}") == [
        why
    ]
    assert stored(mine, path) == before


def test_all_misfits_are_told_at_once(mine: httpx.Client, subject: str) -> None:
    wrong = {name: value for name, value, _ in MISFITS}
    answer = mine.put(f"{subject}/case/C-1/values", json={"values": wrong})
    assert len(refused(answer, *(f"/values/{name}" for name in wrong))) == len(wrong)


def test_the_tenants_own_rules_hold_as_well(mine: httpx.Client, subject: str) -> None:
    own = make(mine, mask="decimal", rules={"range": {"min": 1, "max": 2.5}})["name"]
    path = f"{subject}/case/C-1/values"
    assert mine.put(path, json={"values": {own: 2.5}}).status_code == 204
    assert refused(mine.put(path, json={"values": {own: 2.51}})) == ["must be from 1 to 2.5"]


def test_numbers_keep_every_digit(
    mine: httpx.Client, subject: str, module_database: Database
) -> None:
    own = make(mine, mask="decimal")
    body = f'{{"values": {{"{own["name"]}": 12345678901234567890.12345678901234567890}}}}'
    headers = {"Content-Type": "application/json"}
    assert mine.put(f"{subject}/case/C-1/values", content=body, headers=headers).status_code == 204
    rows = module_database.psql(
        "SELECT value::text FROM cases.attribute_values WHERE attribute_id = %s", own["id"]
    )
    assert rows == [("12345678901234567890.12345678901234567890",)]


@pytest.mark.parametrize("values", [{}, [], "x", None, {"\0": 1}, {"banking.iban": "\0"}])
def test_what_are_no_values_is_refused(mine: httpx.Client, subject: str, values: Any) -> None:
    answer = mine.put(f"{subject}/case/C-1/values", json={"values": values})
    assert answer.status_code == 422, answer.text


def test_an_attribute_twice_is_refused(mine: httpx.Client, subject: str) -> None:
    own = make(mine)
    sent = {"values": {own["name"]: "x", own["id"]: "y"}}
    refused(mine.put(f"{subject}/case/C-1/values", json=sent), "/values")


@pytest.mark.parametrize("kind", ["case/C-2", "entity/C-1", "document/C-1", "person/C-1"])
def test_values_are_of_what_there_is(
    mine: httpx.Client, theirs: httpx.Client, subject: str, kind: str
) -> None:
    sent = {"values": {"identity.legal_name": "x"}}
    for client, path in (
        (mine, f"{subject}/{kind}"),
        (theirs, f"{subject}/case/C-1"),
        (mine, f"/projects/{absent()}/subjects/case/C-1"),
    ):
        problem(client.get(f"{path}/values"), 404, "not_found")
        problem(client.put(f"{path}/values", json=sent), 404, "not_found")


def test_an_attribute_that_values_have_stays(mine: httpx.Client, subject: str) -> None:
    own = make(mine)
    assert (
        mine.put(f"{subject}/case/C-1/values", json={"values": {own["name"]: "x"}}).status_code
        == 204
    )
    problem(mine.delete(f"/dictionary/{own['id']}", headers=ANY_VERSION), 409, "conflict")
    assert json.dumps(own) == json.dumps(ok(mine.get(f"/dictionary/{own['id']}")))
