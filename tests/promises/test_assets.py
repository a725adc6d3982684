"""Assets over HTTP: read, changed one by one or many at once, deleted, brought back, exported."""

from __future__ import annotations

import csv
import io

import httpx
import orjson
import pytest

from tests.promises.helpers import ANY_VERSION, NDJSON, Json, make_project, ok, problem, walk
from tests.promises.inventory import make_assets
from tests.support.cluster import Database

pytestmark = pytest.mark.xdist_group("assets")


class Inventory:
    """A project with assets, and its paths."""

    def __init__(self, client: httpx.Client, database: Database, count: int) -> None:
        self.project = make_project(client)["id"]
        self.flow, self.assets = make_assets(database, self.project, count)
        self.every = f"/projects/{self.project}/assets"
        self.one = f"{self.every}/{self.assets[0]['id']}"


@pytest.fixture
def inventory(mine: httpx.Client, module_database: Database) -> Inventory:
    return Inventory(mine, module_database, 8)


def test_a_list_has_all_newest_first_by_pages_and_as_lines(
    mine: httpx.Client, inventory: Inventory
) -> None:
    found = walk(mine, inventory.every, limit=3)
    assert sorted(a["id"] for a in found) == sorted(a["id"] for a in inventory.assets)
    order = [(a["created_at"], a["id"]) for a in found]
    assert order == sorted(order, reverse=True)
    assert "custom" not in found[0]
    lines = mine.get(inventory.every, headers=NDJSON).text.splitlines()
    assert [orjson.loads(line) for line in lines] == found
    assert ok(mine.get(inventory.every, params={"include_total": "true"}))["total"] == 8


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"asset_type": "database"}, 2),
        ({"environment": "production"}, 4),
        ({"environment": "production", "asset_type": "server"}, 2),
        ({"status": "migrated"}, 0),
        ({"q": "HOST 3"}, 1),
        ({"q": "10.0.0.7"}, 1),
        ({"q": "host-5."}, 1),
        ({"q": "%"}, 0),
    ],
)
def test_filters_choose(
    mine: httpx.Client, inventory: Inventory, asked: dict[str, str], count: int
) -> None:
    params = asked | {"include_total": "true"}
    page = ok(mine.get(inventory.every, params=params))
    assert (len(page["items"]), page["total"]) == (count, count)
    exported = mine.get(inventory.every + "/export", params=asked | {"format": "ndjson"})
    assert len(exported.text.splitlines()) == count


def test_a_flow_chooses_what_it_made(
    mine: httpx.Client, inventory: Inventory, module_database: Database
) -> None:
    other, more = make_assets(module_database, inventory.project, 2, "other", first=20)
    assert len(walk(mine, inventory.every)) == 10
    params = {"flow": other, "include_total": "true"}
    page = ok(mine.get(inventory.every, params=params))
    assert {a["id"] for a in page["items"]} == {a["id"] for a in more}
    assert page["total"] == 2
    assert ok(mine.get(inventory.every, params=params | {"q": "other 20"}))["total"] == 1


def test_a_change_counts_the_version_and_leaves_the_rest(
    mine: httpx.Client, inventory: Inventory
) -> None:
    before = mine.get(inventory.one)
    assert before.headers["etag"] == '"1"'
    changes = {"criticality": None, "cost": 12.5, "ip": "2001:db8::1", "custom": {"rack": [1]}}
    answer = mine.patch(inventory.one, json=changes, headers={"If-Match": '"1"'})
    after = ok(answer)
    assert answer.headers["etag"] == '"2"'
    assert after == before.json() | changes | {"version": 2, "updated_at": after["updated_at"]}
    assert ok(mine.get(inventory.one)) == after
    stale = mine.patch(inventory.one, json={"cost": 1}, headers={"If-Match": '"1"'})
    problem(stale, 412, "stale_etag")
    problem(mine.patch(inventory.one, json={"cost": 1}), 428, "precondition_required")


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", None), ("name", ""), ("asset_type", "toaster"), ("hostname", "UPPER"), ("cpu", -1),
     ("cost", 1e300), ("status", None), ("custom", []), ("id", "x"), ("debt_score", 1)],
)  # fmt: skip
def test_what_does_not_fit_names_its_field(
    mine: httpx.Client, inventory: Inventory, field: str, value: object
) -> None:
    answer = mine.patch(inventory.one, json={field: value}, headers=ANY_VERSION)
    problem(answer, 422, "validation", f"/{field}")


def test_an_address_that_is_none_is_422(mine: httpx.Client, inventory: Inventory) -> None:
    answer = mine.patch(inventory.one, json={"ip": "10.0.0.999"}, headers=ANY_VERSION)
    assert answer.status_code == 422, answer.text


def test_two_live_assets_of_a_type_share_neither_hostname_nor_ip(
    mine: httpx.Client, inventory: Inventory
) -> None:
    other = ok(mine.get(f"{inventory.every}/{inventory.assets[1]['id']}"))
    for field in ("hostname", "ip"):
        answer = mine.patch(inventory.one, json={field: other[field]}, headers=ANY_VERSION)
        problem(answer, 409, "duplicate")


def test_many_are_changed_in_one_go_or_none(mine: httpx.Client, inventory: Inventory) -> None:
    ids = [a["id"] for a in inventory.assets]
    items: list[Json] = [{"id": i, "status": "confirmed", "version": 1} for i in reversed(ids)]
    answer = ok(mine.patch(inventory.every, json=items))
    assert answer == {"ids": ids[::-1], "count": 8}
    assert ok(mine.get(inventory.every + "/summary"))["by_status"] == {"confirmed": 8}
    # one with an old version: nothing is changed
    items = [{"id": i, "status": "migrated"} for i in ids[:3]] + [{"id": ids[3], "version": 1}]
    body = problem(mine.patch(inventory.every, json=items), 412, "stale_etag")
    assert [e["pointer"] for e in body["errors"]] == ["/3/version"]
    items[1]["id"] = "01890000-0000-7000-8000-000000000000"
    problem(mine.patch(inventory.every, json=items), 422, "validation", "/1/id")
    problem(mine.patch(inventory.every, json=[items[0], items[0]]), 422, "validation", "/1/id")
    problem(mine.patch(inventory.every, json=[]), 422, "validation")
    assert ok(mine.get(inventory.every + "/summary"))["by_status"] == {"confirmed": 8}


def test_what_is_deleted_is_gone_until_it_is_restored(
    mine: httpx.Client, inventory: Inventory
) -> None:
    before = ok(mine.get(inventory.one))
    problem(mine.post(inventory.one + "/restore"), 409, "conflict")
    assert mine.delete(inventory.one, headers={"If-Match": '"1"'}).status_code == 204
    problem(mine.get(inventory.one), 404, "not_found")
    problem(mine.patch(inventory.one, json={"cost": 1}, headers=ANY_VERSION), 404, "not_found")
    problem(mine.delete(inventory.one, headers=ANY_VERSION), 404, "not_found")
    assert len(walk(mine, inventory.every)) == 7
    assert ok(mine.get(inventory.every + "/summary"))["total"] == 7
    back = ok(mine.post(inventory.one + "/restore"))
    assert back == before | {"version": 3, "updated_at": back["updated_at"]}


def test_a_restore_gives_way_to_who_has_the_name_now(
    mine: httpx.Client, inventory: Inventory
) -> None:
    hostname = ok(mine.get(inventory.one))["hostname"]
    assert mine.delete(inventory.one, headers=ANY_VERSION).status_code == 204
    other = f"{inventory.every}/{inventory.assets[1]['id']}"
    ok(mine.patch(other, json={"hostname": hostname}, headers=ANY_VERSION))
    problem(mine.post(inventory.one + "/restore"), 409, "duplicate")


def test_the_summary_counts_what_is_not_known_too(mine: httpx.Client, inventory: Inventory) -> None:
    assert ok(mine.get(inventory.every + "/summary")) == {
        "total": 8,
        "by_type": {"server": 6, "database": 2},
        "by_status": {"discovered": 8},
        "by_environment": {"": 4, "production": 4},
        "by_criticality": {"high": 8},
    }
    empty = make_project(mine)["id"]
    none = ok(mine.get(f"/projects/{empty}/assets/summary"))
    known = ("type", "status", "environment", "criticality")
    assert none == {"total": 0} | {f"by_{name}": {} for name in known}


def test_an_export_has_every_asset_and_every_column(
    mine: httpx.Client, inventory: Inventory
) -> None:
    answer = mine.get(inventory.every + "/export")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="assets.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    lines = mine.get(inventory.every + "/export", params={"format": "ndjson"}).text.splitlines()
    full = {row["id"]: row for row in map(orjson.loads, lines)}
    assert len(rows) == len(full) == 8
    for row in rows:
        whole = full[row["id"]]
        assert row.keys() == whole.keys()
        assert row["dependencies"] == "a;b;c"
        assert orjson.loads(row["custom"]) == whole["custom"]
        assert row["environment"] == (whole["environment"] or "")
    assert mine.head(inventory.every + "/export").status_code == 200


def test_integrity_shows_a_tenant_its_own_damage_alone(
    mine: httpx.Client, theirs: httpx.Client, inventory: Inventory, module_database: Database
) -> None:
    assert ok(mine.get("/integrity"))["state"] == "PASS"
    module_database.psql(
        "ALTER TABLE discovery.assets DROP CONSTRAINT assets_status_known;"
        f" UPDATE discovery.assets SET status = 'lost' WHERE id = '{inventory.assets[0]['id']}'"
    )
    found = ok(mine.get("/integrity", params={"evidence": 1}))
    failed = [c for c in found["checks"] if c["state"] != "PASS"]
    assert [(c["check"], c["count"]) for c in failed] == [("discovery_illegal_states", 1)]
    assert failed[0]["evidence"][0]["id"] == inventory.assets[0]["id"]
    assert ok(theirs.get("/integrity"))["state"] == "PASS"
    one = ok(mine.get("/integrity", params={"check": "conservation"}))
    assert [c["check"] for c in one["checks"]] == ["conservation"]
    module_database.psql("REVOKE SELECT ON discovery.asset_conflicts FROM quarry_app")
    broken = ok(mine.get("/integrity", params={"check": "discovery_illegal_states"}))
    assert (broken["state"], broken["checks"][0]["state"]) == ("ERROR", "ERROR")
    module_database.psql("GRANT SELECT ON discovery.asset_conflicts TO quarry_app")
