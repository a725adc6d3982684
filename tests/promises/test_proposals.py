"""From an instruction to rows: proposed, approved, carried out; by rules and by a language model."""
# ruff: noqa: E501

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dsl.nodes import String
from service.dsl.parser import parse
from tests.conftest import Served
from tests.promises.helpers import (
    Json,
    absent,
    actor_of,
    at_once,
    events,
    make_project,
    ok,
    problem,
    unique,
    walk,
)
from tests.support.cluster import Database
from tests.support.model import Model, Reply, instruction_of, proposes, says
from tests.support.server import Server
from tests.support.wait import wait_until

SECRET = "sk-never-shown"
CREATE: Json = {"verb": "case.create", "arguments": {"case-id": "M-1", "title": "x"}}


@pytest.fixture
def project(mine: httpx.Client) -> str:
    return f"/projects/{make_project(mine)['id']}"


def generate(client: httpx.Client, project: str, instruction: str, **more: Any) -> httpx.Response:
    return client.post(f"{project}/dsl/generate", json={"instruction": instruction} | more)


def rows(database: Database, project: str, table: str) -> int:
    found = database.psql(
        f"SELECT count(*) FROM cases.{table} WHERE project_id = %s", project.rpartition("/")[2]
    )
    return int(found[0][0])


# by rules


def test_an_instruction_becomes_rows(
    mine: httpx.Client, project: str, module_database: Database
) -> None:
    said = (
        "Onboard Meridian Global Macro as a hedge fund in Luxembourg under case CBU-1."
        " Register \u201cEve (\\) Adams\u201d with id EVE as a person; EVE owns 60% of Meridian Global Macro."
        " Then collect the passport of EVE and then set the date of birth of EVE to 9 April 1971."
    )
    answer = generate(mine, project, said)
    proposal = ok(answer, 201)
    assert (proposal["status"], proposal["generator"], proposal["model"]) == (
        "proposed",
        "rules",
        None,
    )
    assert proposal["instruction"] == said
    assert 0.8 <= proposal["confidence"] < 0.95  # the fund's id was made of its name
    assert [f for f in proposal["findings"] if f["severity"] == "error"] == []
    assert proposal["execution"] is None
    one = answer.headers["location"]
    assert ok(mine.get(one)) == {k: v for k, v in proposal.items() if k != "execution"}
    assert rows(module_database, project, "entities") == 0

    approved = ok(mine.post(f"{one}/approve"))
    assert (approved["status"], approved["decided_by"]) == ("executed", actor_of(mine))
    done = approved["execution"]
    assert (done["committed"], done["operation_id"]) == (True, approved["operation_id"])
    assert done["cases"] == [{"case_id": "CBU-1", "version": 1}]
    for table, changed in done["rows"].items():
        assert rows(module_database, project, table) == changed["inserted"], table
    assert ok(mine.get(f"{project}/entities/EVE"))["name"] == "Eve (\\) Adams"
    owners = ok(mine.get(f"{project}/entities/MERIDIAN-GLOBAL-MACRO/ownership"))["owners"]
    assert [(o["entity_id"], o["direct_percent"]) for o in owners] == [("EVE", 60)]
    (born,) = walk(mine, f"{project}/subjects/entity/EVE/values")
    assert (born["name"], born["value"]) == ("identity.date_of_birth", "1971-04-09")
    (operation,) = walk(mine, f"{project}/dsl/operations")
    assert (operation["id"], operation["kind"], operation["outcome"]) == (
        done["operation_id"], "generate", "committed",
    )  # fmt: skip
    version = ok(mine.get(f"{project}/cases/CBU-1/versions/1"))
    assert version["dsl"] == proposal["dsl"]
    told = [
        (e["action"], (e["after"] or {}).get("status"))
        for e in events(module_database, proposal["id"])
    ]
    assert told == [("insert", "proposed"), ("update", "executed")]


def test_what_it_cannot_is_kept_with_the_reason(mine: httpx.Client, project: str) -> None:
    answer = generate(mine, project, "make me rich")
    told = ok(answer, 201)
    assert (told["dsl"], told["status"], told["confidence"]) == (None, "rejected", 0)
    assert told["reason"].startswith("Cannot: ")
    problem(mine.post(f"{answer.headers['location']}/approve"), 409, "conflict")


def test_what_does_not_validate_is_rejected_with_its_findings(
    mine: httpx.Client, project: str, module_database: Database
) -> None:
    told = ok(generate(mine, project, "close case NOWHERE", auto=True), 201)
    assert (told["status"], told["execution"]) == ("rejected", None)
    assert [f["code"] for f in told["findings"]] == ["CASE_NOT_FOUND"]
    assert rows(module_database, project, "dsl_operations") == 0


def test_a_sure_one_runs_at_once_when_that_is_asked(mine: httpx.Client, project: str) -> None:
    waits = ok(generate(mine, project, "open case A-1 for Acme"), 201)
    assert (waits["confidence"] >= 0.95, waits["status"]) == (True, "proposed")
    answer = generate(mine, project, "open case A-2 for Acme", auto=True)
    ran = ok(answer, 201)
    assert (ran["status"], ran["execution"]["cases"]) == (
        "executed",
        [{"case_id": "A-2", "version": 1}],
    )
    assert answer.headers["etag"].replace("-gzip", "") == f'"{ran["version"]}"'
    unsure = ok(generate(mine, project, "open a case for Acme Ltd", auto=True), 201)
    assert (unsure["status"], unsure["execution"]) == ("proposed", None)
    assert {c["case_id"] for c in walk(mine, f"{project}/cases")} == {"A-2"}


def test_the_case_may_be_named_beside_the_instruction(mine: httpx.Client, project: str) -> None:
    ok(generate(mine, project, "open case C-1 for Acme", auto=True), 201)
    ran = ok(generate(mine, project, "start enhanced KYC", case_id="C-1", auto=True), 201)
    assert ran["execution"]["cases"] == [{"case_id": "C-1", "version": 2}]


def test_a_proposal_is_turned_down(mine: httpx.Client, project: str) -> None:
    one = generate(mine, project, "open case C-1 for Acme").headers["location"]
    told = ok(mine.post(f"{one}/reject", json={"reason": "not ours"}))
    assert (told["status"], told["reason"], told["decided_by"]) == (
        "rejected",
        "not ours",
        actor_of(mine),
    )
    problem(mine.post(f"{one}/approve"), 409, "conflict")
    problem(mine.post(f"{one}/reject"), 409, "conflict")
    again = generate(mine, project, "open case C-1 for Acme").headers["location"]
    assert ok(mine.post(f"{again}/reject"))["status"] == "rejected"
    statuses = [p["status"] for p in walk(mine, f"{project}/dsl/proposals", limit=1)]
    assert statuses == ["rejected", "rejected"]
    assert walk(mine, f"{project}/dsl/proposals", status="proposed") == []


def test_what_is_not_valid_any_more_is_refused_and_goes_on_waiting(
    mine: httpx.Client, project: str
) -> None:
    one = generate(mine, project, "open case C-1 for Acme").headers["location"]
    ok(generate(mine, project, "open case C-1 for Acme", auto=True), 201)
    refused = problem(mine.post(f"{one}/approve"), 422, "invalid_document")
    assert [f["code"] for f in refused["findings"]] == ["CASE_EXISTS"]
    assert ok(mine.get(one))["status"] == "proposed"
    outcomes = [o["outcome"] for o in walk(mine, f"{project}/dsl/operations")]
    assert outcomes == ["refused", "committed"]


def test_of_many_who_approve_at_once_one_runs_it(
    mine: httpx.Client, project: str, module_database: Database
) -> None:
    one = generate(mine, project, "open case C-1 for Acme").headers["location"]
    statuses = [a.status_code for a in at_once([lambda: mine.post(f"{one}/approve")] * 6)]
    assert sorted(statuses) == [200, 409, 409, 409, 409, 409]
    assert rows(module_database, project, "case_versions") == 1


def test_nobody_elses_proposals(mine: httpx.Client, theirs: httpx.Client, project: str) -> None:
    one = generate(mine, project, "open case C-1 for Acme").headers["location"]
    other = f"{project}/dsl/proposals/{absent()}"
    for client, path in (
        (theirs, one),
        (mine, other),
        (mine, one.replace(project, f"/projects/{make_project(mine)['id']}")),
    ):
        problem(client.get(path), 404, "not_found")
        for verdict in ("approve", "reject"):
            problem(client.post(f"{path}/{verdict}"), 404, "not_found")
    problem(generate(theirs, project, "open case C-1 for Acme"), 404, "not_found")
    problem(generate(mine, f"/projects/{absent()}", "open case C-1 for Acme"), 404, "not_found")


@pytest.mark.parametrize("body", [{}, {"instruction": ""}, {"instruction": "x" * 20_001}, {"instruction": "\0"},
                                  {"instruction": "x", "auto": "yes"}, {"instruction": "x", "case_id": ""}])  # fmt: skip
def test_what_is_no_instruction_is_refused(mine: httpx.Client, project: str, body: Json) -> None:
    problem(mine.post(f"{project}/dsl/generate", json=body), 422, "validation")


@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters='\0"\ue000\ue001'), max_size=60
    )
)
@settings(max_examples=25, deadline=None)
def test_what_was_said_never_leaves_its_string(mine: httpx.Client, said: str) -> None:
    path = f"/projects/{known_project(mine)}"
    told = ok(generate(mine, path, f'create case "{unique("C")}" title "{said}"', auto=True), 201)
    assert told["status"] == "executed", told
    assert [f["verb"] for f in told["execution"]["forms"]] == ["case.create"]
    title = ok(mine.get(f"{path}/cases/{told['execution']['cases'][0]['case_id']}"))["title"]
    assert title == said


_PROJECTS: dict[str, str] = {}


def known_project(client: httpx.Client) -> str:
    """One project for all examples of a property."""
    key = str(client.base_url)
    if key not in _PROJECTS:
        _PROJECTS[key] = make_project(client)["id"]
    return _PROJECTS[key]


# by a language model


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    made = Model()
    yield made
    made.close()


@pytest.fixture(scope="module")
def modelled(module_served: Served, module_database: Database, model: Model) -> Server:
    return module_served(
        module_database, llm_url=model.url, llm_model="parrot", llm_api_key=SECRET, llm_timeout_seconds=0.5,
        llm_backoff_seconds=0.001, llm_breaker_failures=1000,
    )  # fmt: skip


@pytest.fixture(scope="module")
def asking(modelled: Server) -> httpx.Client:
    return modelled.client(modelled.key("acme"))


@pytest.fixture
def place(asking: httpx.Client) -> str:
    return f"/projects/{make_project(asking)['id']}"


def test_a_model_proposes_and_the_rows_follow(
    asking: httpx.Client, place: str, model: Model
) -> None:
    model.reply(proposes(CREATE, {"verb": "kyc.start", "arguments": {}}, confidence=0.9))
    told = ok(generate(asking, place, "open M-1"), 201)
    assert (told["generator"], told["model"], told["status"], told["confidence"]) == (
        "llm",
        "parrot-1",
        "proposed",
        0.9,
    )
    done = ok(asking.post(f"{place}/dsl/proposals/{told['id']}/approve"))["execution"]
    assert [f["verb"] for f in done["forms"]] == ["case.create", "kyc.start"]
    assert model.keys == [f"Bearer {SECRET}"]
    prompt = model.calls[0]["messages"][0]["content"]
    assert "case.create(case-id! string" in prompt and "banking.iban (string)" in prompt


@pytest.mark.parametrize(("confidence", "status"), [
    (1, "executed"), (0.95, "executed"), (0.9499, "proposed"), (0.8, "proposed"), (0.7999, "rejected"), (0, "rejected"),
])  # fmt: skip
def test_how_sure_it_is_decides(
    asking: httpx.Client, place: str, model: Model, confidence: float, status: str
) -> None:
    model.reply(proposes(CREATE, confidence=confidence))
    told = ok(generate(asking, place, "open M-1", auto=True), 201)
    assert told["status"] == status
    if status == "rejected":
        assert told["reason"].startswith("Rejected by policy") and told["dsl"]
    assert len(walk(asking, f"{place}/cases")) == (status == "executed")


def test_nothing_that_does_not_validate_runs_however_sure(
    asking: httpx.Client, place: str, model: Model
) -> None:
    for forms in ([{"verb": "database.drop", "arguments": {}}], [{"verb": "case.close", "arguments": {"case-id": "X"}}],
                  [{"verb": "case.create", "arguments": {}}]):  # fmt: skip
        model.reply(proposes(*forms, confidence=1))
        told = ok(generate(asking, place, "do it", auto=True), 201)
        assert (told["status"], told["execution"]) == ("rejected", None)
        assert told["findings"]
    assert walk(asking, f"{place}/dsl/operations") == []


def echo(asked: Json) -> bytes:
    said = instruction_of(asked)
    made = {
        "verb": "case.create",
        "arguments": {"case-id": unique("E"), "title": said, "tags": [said]},
    }
    return proposes(made, confidence=1).body  # type: ignore[return-value]


@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60
    )
)
@settings(max_examples=25, deadline=None)
def test_what_a_model_repeats_never_leaves_its_string(
    asking: httpx.Client, model: Model, said: str
) -> None:
    model.reply(Reply(echo))
    told = ok(generate(asking, f"/projects/{known_project(asking)}", said), 201)
    (form,) = parse(told["dsl"]).program.forms
    title = form.arguments[1].value
    assert isinstance(title, String) and title.value == said


FAULTS = {
    "429": Reply(b"{}", 429), "500": Reply(b"Traceback (most recent call last)", 500),
    "slow": Reply(b"", seconds=0.7), "not JSON": Reply(b"<html>"), "prose": says("I cannot do that."),
    "drops": Reply(drop=True), "401": Reply(b'{"error": "bad key"}', 401),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_model_that_fails_is_told_and_nothing_is_stored(
    asking: httpx.Client, place: str, model: Model, modelled: Server, name: str
) -> None:
    model.reply(FAULTS[name])
    answer = generate(asking, place, "open M-1", auto=True)
    problem(answer, 503, "generator_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert len(model.calls) == (1 if name == "401" else 4)
    assert walk(asking, f"{place}/dsl/proposals") == []
    assert SECRET not in modelled.log() + answer.text
    model.reply(FAULTS[name] if name != "401" else proposes(CREATE), proposes(CREATE))
    assert ok(generate(asking, place, "open M-1"), 201)["status"] == "proposed"


def test_what_cannot_be_stored_of_an_answer_is_left_out(
    asking: httpx.Client, place: str, model: Model
) -> None:
    content = '{"forms": [], "confidence": 0, "reason": "no\\u0000thing \\ud800"}'
    model.reply(says(content, model="par\0rot"))
    told = ok(generate(asking, place, "open M-1"), 201)
    assert (told["model"], told["reason"]) == ("parrot", "Cannot: nothing ")


def test_prose_around_the_answer_does_no_harm(
    asking: httpx.Client, place: str, model: Model
) -> None:
    model.reply(
        says(
            "Sure:\n```json\n" + json.dumps({"forms": [CREATE], "confidence": 0.9}) + "\n```\nDone."
        )
    )
    assert ok(generate(asking, place, "open M-1"), 201)["status"] == "proposed"


def test_the_same_key_asks_the_model_once(asking: httpx.Client, place: str, model: Model) -> None:
    model.reply(proposes(CREATE, confidence=1))
    key = {"Idempotency-Key": unique("key")}
    body = {"instruction": "open M-1", "auto": True}
    first, again = (asking.post(f"{place}/dsl/generate", json=body, headers=key) for _ in range(2))
    assert ok(first, 201) == ok(again, 201)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(model.calls) == 1
    assert len(walk(asking, f"{place}/dsl/proposals")) == 1
    other = asking.post(f"{place}/dsl/generate", json=body | {"auto": False}, headers=key)
    problem(other, 422, "idempotency_mismatch")
    assert len(model.calls) == 1


@pytest.fixture(scope="module")
def patient(module_served: Served, module_database: Database, model: Model) -> Server:
    """Few connections, much time, and thresholds of its own."""
    return module_served(
        module_database, llm_url=model.url, llm_timeout_seconds=10, llm_retries=0, pool_max_size=2,
        pool_wait_ms=500, jobs="false", llm_breaker_failures=2, llm_breaker_seconds=0.3,
        generate_auto_confidence=0.5, generate_propose_confidence=0.4,
    )  # fmt: skip


def test_no_connection_is_held_while_a_model_thinks(patient: Server, model: Model) -> None:
    """More who wait than there are connections, each with a key, and others are served."""
    client = patient.client(patient.key("acme"))
    place = f"/projects/{make_project(client)['id']}"
    model.reply(Reply(proposes(CREATE, confidence=0.4).body, seconds=0.4))
    body = {"instruction": "open M-1"}
    asked = [
        lambda number=number: client.post(
            f"{place}/dsl/generate", json=body, headers={"Idempotency-Key": unique(f"k{number}")}
        )
        for number in range(8)
    ]
    answers = at_once([*asked, lambda: client.get(place)])
    assert [a.status_code for a in answers] == [201] * 8 + [200]


def test_after_failures_in_a_row_the_model_is_left_alone(patient: Server, model: Model) -> None:
    client = patient.client(patient.key("acme"))
    path = f"/projects/{make_project(client)['id']}"
    model.reply(proposes(CREATE, confidence=0.5))  # the thresholds are settings
    assert ok(generate(client, path, "open", auto=True), 201)["status"] == "executed"
    model.reply(Reply(b"", 500))
    for _ in range(3):
        problem(generate(client, path, "open"), 503, "generator_unavailable")
    assert len(model.calls) == 2
    model.reply(proposes({"verb": "kyc.start", "arguments": {"case-id": "M-1"}}))
    wait_until(lambda: generate(client, path, "go on").status_code == 201)
