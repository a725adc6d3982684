"""Documents that are only read: every error with its place, over HTTP, in time whatever is sent."""
# ruff: noqa: E501  (documents in one line)

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
import pytest

from service.dsl.findings import MOST
from tests.conftest import Served
from tests.dsl.test_broken_documents import CORPUS
from tests.dsl.test_limits import HOSTILE, MIB
from tests.dsl.test_limits import document as hostile
from tests.promises.helpers import Tenant, ok, problem
from tests.support.cluster import Database

PLAIN = {"Content-Type": "text/plain"}
FINDING = {"severity", "code", "message", "line", "column", "offset", "length", "form"}
SAMPLES = sorted((Path(__file__).parents[2] / "docs" / "cases").glob("*.dsl"))
SYNTAX = {"EMPTY_DOCUMENT", "EXPECTED_FORM", "EXPECTED_VERB", "EXPECTED_KEY", "MISSING_VALUE",
          "DUPLICATE_KEY", "NESTED_FORM", "UNCLOSED_FORM", "UNCLOSED_LIST", "UNCLOSED_MAP",
          "UNEXPECTED_CLOSE", "UNTERMINATED_STRING", "BAD_ESCAPE", "BAD_NUMBER", "BAD_UNIT",
          "BAD_NAME", "BAD_ATTR_REF", "BAD_CHARACTER"}  # fmt: skip


def test_a_document_becomes_a_tree_with_places(mine: httpx.Client) -> None:
    text = '; first\n(case.create :case-id "A" :aum 10.50EUR)'
    told = ok(mine.post("/dsl/parse", json={"dsl": text}))
    assert (told["valid"], told["findings"]) == (True, [])
    comment, form = told["ast"]
    assert (comment["type"], comment["text"]) == ("comment", " first")
    assert (form["type"], form["verb"], form["line"], form["column"], form["offset"]) == (
        "form", "case.create", 2, 1, 8,
    )  # fmt: skip
    value = form["arguments"][1]["value"]
    assert (value["type"], value["value"], value["unit"]) == ("number", "10.50", "EUR")
    assert text[value["offset"] : value["offset"] + value["length"]] == "10.50EUR"


@pytest.mark.parametrize("path", ["/dsl/parse", "/dsl/format", "/dsl/validate"])
def test_text_is_as_good_as_json(mine: httpx.Client, path: str) -> None:
    text = '(case.create :case-id "Ä" :title "x")'
    as_json = ok(mine.post(path, json={"dsl": text}))
    for media in ("text/plain", "text/plain; charset=utf-8", "TEXT/PLAIN"):
        sent = mine.post(path, content=text.encode(), headers={"Content-Type": media})
        assert ok(sent) == as_json
    problem(mine.post(path, content=b"\xff", headers=PLAIN), 400, "malformed_json")
    problem(
        mine.post(path, content=b"x", headers={"Content-Type": "text/csv"}),
        415,
        "unsupported_media_type",
    )
    problem(mine.post(path, json={"text": "x"}), 422, "validation", "/dsl", "/text")
    problem(
        mine.post(path, json={"dsl": "x", "options": {"strikt": 1}}), 422, "validation", "/options"
    )


def test_the_canonical_form_is_its_own(mine: httpx.Client) -> None:
    text = '(  case.create,:case-id   "A"\n\n ; why\n :tags ["x","y"])'
    once = ok(mine.post("/dsl/format", json={"dsl": text}))["dsl"]
    assert once == '; why\n(case.create :case-id "A" :tags ["x" "y"])\n'
    assert ok(mine.post("/dsl/format", json={"dsl": once}))["dsl"] == once


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_real_documents_are_valid_and_stay_so_when_printed(mine: httpx.Client, path: Path) -> None:
    for text in (
        path.read_text(),
        ok(mine.post("/dsl/format", json={"dsl": path.read_text()}))["dsl"],
    ):
        told = ok(mine.post("/dsl/validate", json={"dsl": text}))
        assert told["valid"], told["findings"]


def test_broken_documents_are_told_all_their_errors_over_http(mine: httpx.Client) -> None:
    """The corpus, as far as its errors show without a project."""
    for name, (text, expected) in CORPUS.items():
        shown = all(line.split()[0].rstrip("?") in SYNTAX for line in expected)
        if not shown or name == "key and its alias":  # the verbs' business
            continue
        refused = problem(mine.post("/dsl/format", json={"dsl": text}), 422, "invalid_document")
        told = ok(mine.post("/dsl/parse", json={"dsl": text}))
        assert told["valid"] is False
        assert told["findings"] == refused["findings"]
        for finding, line in zip(told["findings"], expected, strict=True):
            assert finding.keys() - {"expected", "suggestion"} == FINDING, name
            place = f"{finding['code']} {finding['line']}:{finding['column']}"
            assert line.split(" > ")[0] == place, name
            assert line.partition(" > ")[2] == finding.get("suggestion", ""), name
        assert {e["pointer"] for e in refused["errors"]} == {"/dsl"}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", ["EMPTY_DOCUMENT"]),
        ("Please onboard Acme.", ["EXPECTED_FORM"]),
        ('(case.create :case-id "A"', ["UNCLOSED_FORM"]),
        ('(case.craete :case-id "A")', ["UNKNOWN_VERB"]),
        ("(case.create :case-id)", ["MISSING_VALUE"]),
        ("(case.create)", ["MISSING_ARGUMENT"]),
        ('(case.create :case-id "A" :priority "soon")', ["BAD_ENUM"]),
        ('(case.create :case-id 4)', ["WRONG_TYPE"]),
        ('(case.create :case-id "A") (values.bind :attribute "banking.ibna" :value "x")', ["UNKNOWN_ATTRIBUTE"]),
        ('(case.create :case-id "A") (values.bind :attribute "banking.iban" :value "GB33BUKB20201555555556")', ["VALUE_MISMATCH"]),
        ('(case.create :case-id "A") (values.bind :bindings {"identity.nationality" "XX"})', ["VALUE_MISMATCH"]),
        ('(case.create :case-id "A") (workflow.transition :to "approved")', ["ILLEGAL_TRANSITION"]),
        ('(entity :id "A" :type trust) (entity :id "B" :type trust) (edge :from "A" :to "B" :type "o" :percent 100.1)', ["INVALID_OWNERSHIP_PERCENTAGE"]),
    ],
)  # fmt: skip
def test_nothing_broken_is_called_valid(mine: httpx.Client, text: str, codes: list[str]) -> None:
    told = ok(mine.post("/dsl/validate", json={"dsl": text}))
    assert told["valid"] is False
    assert [f["code"] for f in told["findings"] if f["severity"] == "error"] == codes


def test_what_may_be_elsewhere_is_not_held_against_a_document(mine: httpx.Client) -> None:
    text = '(case.update :case-id "ELSEWHERE" :title "x") (role.assign :entity "E" :role "client")'
    told = ok(mine.post("/dsl/validate", json={"dsl": text}))
    assert told == {"valid": True, "findings": []}


def test_an_unknown_verb_is_a_warning_when_that_is_asked(mine: httpx.Client) -> None:
    loose = {"dsl": "(spaceship.launch :speed 9)", "options": {"strict": False}}
    told = ok(mine.post("/dsl/validate", json=loose))
    assert (told["valid"], [f["severity"] for f in told["findings"]]) == (True, ["warning"])
    by_query = mine.post("/dsl/validate?strict=false", content=loose["dsl"], headers=PLAIN)
    assert ok(by_query) == told
    assert not ok(mine.post("/dsl/validate", json={"dsl": loose["dsl"]}))["valid"]


def test_the_verbs_are_served_as_data(mine: httpx.Client) -> None:
    verbs = ok(mine.get("/dsl/verbs"))["items"]
    names = [verb["name"] for verb in verbs]
    assert len(verbs) >= 85
    assert names == sorted(names)
    for verb in verbs:
        one = ok(mine.get(f"/dsl/verbs/{verb['name']}"))
        assert (one["name"], one["effect"], len(one["arguments"])) == (
            verb["name"], verb["effect"], len(verb["arguments"]),
        )  # fmt: skip
    problem(mine.get("/dsl/verbs/case.craete"), 404, "not_found")
    problem(mine.get("/dsl/verbs/%00"), 404, "not_found")


def test_a_verb_that_a_migration_adds_is_known_without_a_restart(
    mine: httpx.Client, module_database: Database
) -> None:
    added = (
        '[{"name": "spv.form", "domain": "spv", "summary": "Forms a vehicle.", "effect": "entity.upsert",'
        ' "preset": {"entity_type": "spv"}, "arguments": [{"name": "vehicle", "type": "string",'
        ' "required": true, "slot": "entity_id"}]}]'
    )
    text = '(spv.form :vehicle "V-1")'
    assert not ok(mine.post("/dsl/validate", json={"dsl": text}))["valid"]
    module_database.psql("SELECT cases.seed_verbs(%s::jsonb)", added)
    deadline = time.monotonic() + 20
    while not ok(mine.post("/dsl/validate", json={"dsl": text}))["valid"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert ok(mine.get("/dsl/verbs/spv.form"))["preset"] == {"entity_type": "spv"}
    assert "spv.form" in mine.get("/docs/verbs").text
    module_database.psql("DELETE FROM cases.verbs WHERE name = 'spv.form'")


def test_the_verbs_and_the_dictionary_have_a_page_each(mine: httpx.Client, tenant: Tenant) -> None:
    nobody = tenant.server.client()
    verbs, attributes = (nobody.get(f"/docs/{name}") for name in ("verbs", "dictionary"))
    for page in (verbs, attributes):
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert "script-src" in page.headers["content-security-policy"]
        known = {"If-None-Match": page.headers["etag"]}
        assert nobody.get(page.url.path, headers=known).status_code == 304
    for verb in ok(mine.get("/dsl/verbs"))["items"]:
        assert f"<code>{verb['name']}</code>" in verbs.text
        for argument in verb["arguments"]:
            assert f"<code>:{argument['name']}</code>" in verbs.text
    for attribute in ok(tenant.client.get("/dictionary", params={"limit": 200}))["items"]:
        assert f"<code>{attribute['name']}</code>" in attributes.text
    assert "docs/verbs" in nobody.get("/docs").text


# what is too much


def test_a_document_that_is_too_large_is_413(mine: httpx.Client) -> None:
    whole = "(a.b)" + " " * (MIB - 5)
    for path in ("/dsl/parse", "/dsl/format", "/dsl/validate"):
        ok(mine.post(path, content=whole, headers=PLAIN)) if path == "/dsl/parse" else None
        problem(mine.post(path, content=whole + " ", headers=PLAIN), 413, "too_large")
        problem(mine.post(path, json={"dsl": "é" * (MIB // 2 + 1)}), 413, "too_large")


def test_limits_are_settings(module_database: Database, module_served: Served) -> None:
    server = module_served(module_database, dsl_max_bytes=40, dsl_max_depth=3, dsl_max_forms=2)
    client = server.client(server.key("acme"))
    problem(client.post("/dsl/parse", json={"dsl": " " * 41}), 413, "too_large")
    for text, code in (("(a :k [[[1]]])", "TOO_DEEP"), ("(a) (a) (a)", "TOO_MANY_FORMS")):
        told = ok(client.post("/dsl/parse", json={"dsl": text}))
        assert [f["code"] for f in told["findings"]] == [code]
        problem(client.post("/dsl/format", json={"dsl": text}), 422, "invalid_document")
    assert ok(client.post("/dsl/parse", json={"dsl": "(a :k [[1]]) (a)"}))["valid"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_mebibyte_of_anything_ends_in_errors(mine: httpx.Client, name: str) -> None:
    """Each kind, as the whole of the service meets it; the time is the parser's own test."""
    text = hostile(name, MIB).encode()
    told = ok(mine.post("/dsl/validate", content=text, headers=PLAIN))
    assert told["valid"] is False
    errors = [f for f in told["findings"] if f["severity"] == "error"]
    assert 0 < len(errors) <= MOST


def test_others_are_served_while_a_mebibyte_is_read(mine: httpx.Client, tenant: Tenant) -> None:
    """One process: a request that came later ends earlier."""
    text = hostile("forms never closed", MIB).encode()
    ended: list[str] = []

    def read() -> None:
        ok(tenant.client.post("/dsl/validate", content=text, headers=PLAIN))
        ended.append("long")

    thread = threading.Thread(target=read)
    thread.start()
    while thread.is_alive() and len(ended) < 3:
        ok(mine.get("/dsl/verbs/case.create"))
        ended.append("short")
    thread.join()
    assert "short" in ended[: ended.index("long")]
