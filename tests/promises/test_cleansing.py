"""What cleansing makes of a value: one spelling each, or nothing and a finding that says so."""

from __future__ import annotations

import csv
import io

import httpx
import pytest

from tests.conftest import Served
from tests.promises.discovery import Discovery
from tests.promises.helpers import Json, make_project, walk
from tests.support.cluster import Database
from tests.support.server import Server

# field: (column, {value: what it becomes; None: nothing})
FIELDS: dict[str, tuple[str, dict[str, str | None]]] = {
    "hostname": ("hostname", {
        "WEB01.": "web01", "https://a.example.org/x?y=1": "a.example.org", "db_1:5432": "db_1",
        "*.wild.example.org": "*.wild.example.org", "two words": None, "-dash": None, "dash-": None,
        "x" * 255: "x" * 255, "x" * 256: None, "münchen": None, "(blank)": None,
    }),
    "ip": ("ip address", {
        "10.0.0.7": "10.0.0.7", "10.0.0.8, 10.0.0.9": "10.0.0.8", "fe80::1%eth0": "fe80::1",
        "2001:DB8::1": "2001:db8::1", "10.0.0.300": None, "none": None,
    }),
    "memory_gb": ("memory", {
        "16": "16", "16 GB": "16", "16384 MB": "16", "1.5tb": "1536", "1,5 TiB": "1536",
        "1,024 MB": "1", "512kb": "0", "2 gbytes": "2", "8 apples": None, "-4": None,
        "1" * 21: None, "99999999999999999999": None, "4.": None,
    }),
    "storage_gb": ("storage (TB)", {"2": "2048", "500 GB": "500", "0": "0", "?": None}),
    "cpu": ("cpu cores", {
        "4": "4", "8 vCPU": "8", "2 cores": "2", "16x": "16", "1,5": "1.5",
        "four": None, "-1": None,
    }),
    "cost": ("annual cost", {
        "1,234.50": "1234.5", "$99": "99", "EUR 1.234,50": "1234.5", "12,5": "12.5", "7 USD": "7",
        "-5": None, "free of charge": None, "12 of 13": None, "1" * 26: None,
    }),
    "dependencies": ("depends on", {
        "db01;cache": "db01, cache", "a|b , a": "a, b", "n/a, x": "x", "none;-": None,
    }),
    "environment": ("environment", {"PRD": "production", "uat": "test", "moon": "other"}),
    "criticality": ("criticality", {"Tier 1": "critical", "P4": "low", "soon": None}),
    "location": ("location", {"  Rack  4 ": "Rack  4", "null": None}),
    "department": ("department", {"A \t B": "A B", "  C": "C", "d" * 300: "d" * 255}),
}  # fmt: skip


@pytest.fixture(scope="module")
def server(module_served: Served, module_database: Database) -> Server:
    """A server that looks for jobs often."""
    return module_served(module_database, jobs_poll_seconds=0.2)


@pytest.fixture
def cleansed(mine: httpx.Client) -> list[Json]:
    """The records of an import that has one row per value, in the order of FIELDS."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["name", *(column for column, _ in FIELDS.values())])
    for place, (_, values) in enumerate(FIELDS.values(), 1):
        for value in values:
            row = [f"row {value}"[:50], *[""] * len(FIELDS)]
            row[place] = value
            writer.writerow(row)
    one = Discovery(mine, str(make_project(mine)["id"]), text.getvalue().encode())
    one.rest()
    one.approve(name="name", **{column: field for field, (column, _) in FIELDS.items()})
    one.go_on()
    return walk(mine, f"{one.import_path}/records")


def test_each_value_has_one_spelling(cleansed: list[Json]) -> None:
    found, expected = {}, {}
    records = iter(cleansed)
    for field, (column, values) in FIELDS.items():
        for value, clean in values.items():
            record = next(records)
            codes = {f["code"] for f in record["findings"]
                     if f["phase"] == "cleansing" and f["field"] == column}  # fmt: skip
            found[field, value] = (record["cleansed"].get(field), codes)
            blank = value in ("(blank)", "none", "?", "null")
            code = "blank" if blank else "unreadable" if clean is None else "changed"
            expected[field, value] = (clean, set() if clean == value else {code})
    assert found == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("h1,,Virtual_Machine", "server"),
        ("h1,,SAN", "storage"),
        ("h1,,Quantum thing", "other"),
        ("h1,,", "server"),
        (",a.example.org,", "domain"),
        (",a.example.org,State or territory", "domain"),
        (",,State or territory", "other"),
        ("h1,a.example.org,web app", "application"),
    ],
)
def test_a_type_is_told_by_its_name_or_by_what_a_row_has(
    mine: httpx.Client, row: str, expected: str
) -> None:
    one = Discovery(
        mine, str(make_project(mine)["id"]), f"hostname,fqdn,type,note\n{row},x\n".encode()
    )
    one.rest()
    one.approve(hostname="hostname", fqdn="fqdn", type="asset_type", note="custom")
    one.go_on()
    (record,) = walk(mine, f"{one.import_path}/records")
    assert record["cleansed"]["asset_type"] == expected
    told = [f["code"] for f in record["findings"] if f.get("target") == "asset_type"]
    odd = row.endswith(("thing", "territory"))
    assert told == (["unreadable"] if odd else [] if row.endswith(",") else ["changed"])
