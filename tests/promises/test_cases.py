"""Documents of the case language, from the request to the rows and back."""
# ruff: noqa: E501 (documents and SQL in one line)

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from asyncpg.pgproto.pgproto import UUID

from service.app import pool_options
from service.database.pool import Pool
from service.database.queries import load
from service.database.session import Engine, Identity
from service.database.tree import sql
from service.dsl.brackets import Limits
from service.dsl.parser import parse
from service.dsl.registry import Registry
from service.resources.gateway import carry_out
from service.resources.order import Order, Outcome
from service.resources.replay import Verdict, verify
from service.settings import Settings
from tests.conftest import Served, Tenants
from tests.promises.helpers import Json, calls, make_project, ok, problem, walk
from tests.support.cluster import Database
from tests.support.server import SQL_DIR, Server
from tests.support.wait import wait_until

SAMPLES = Path(__file__).parents[2] / "docs" / "cases"
SAMPLE_NAMES = ("hedge-fund-onboarding", "ubo-five-levels", "isda", "multi-domain")
TABLES = ("cases", "case_versions", "entities", "entity_links", "case_roles", "case_documents",
          "case_products", "case_events", "attribute_values")  # fmt: skip


@pytest.fixture(scope="module")
def server(module_database: Database, module_served: Served) -> Server:
    return module_served(module_database)


@pytest.fixture(scope="module")
def client(server: Server, tenants: Tenants) -> httpx.Client:
    return tenants(server)[0]


@pytest.fixture
def project(client: httpx.Client) -> str:
    return str(make_project(client)["id"])


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.dsl").read_text()


def execute(client: httpx.Client, project: str, dsl: str, **options: Any) -> httpx.Response:
    body = {"dsl": dsl, "options": options}
    return client.post(f"/projects/{project}/dsl/execute", json=body)


def append(
    client: httpx.Client, project: str, case: str, dsl: str, headers: dict[str, str] | None = None
) -> httpx.Response:
    url = f"/projects/{project}/cases/{case}/dsl"
    return client.post(url, json={"dsl": dsl}, headers=headers or {})


def stored(database: Database, project: str) -> dict[str, int]:
    """Rows per table of a project, counted past the service."""
    return {
        table: database.psql(f"SELECT count(*) FROM cases.{table} WHERE project_id = %s", project)[
            0
        ][0]
        for table in TABLES
    }


def verdict(database: Database, project: str) -> Verdict:
    """What a replay of a project's documents says."""

    async def work() -> Verdict:
        pool = Pool(pool_options(Settings(database_url=database.app_dsn)))
        await pool.open()
        try:
            engine = Engine(pool, load(SQL_DIR))
            return await verify(engine, Identity(tenant_of(database, project), "t"), UUID(project))
        finally:
            await pool.close(5.0)

    return asyncio.run(work())


def same(database: Database, project: str, documents: int | None = None) -> bool:
    """Whether the tables are what so many documents say; the reasons when they are not."""
    found = verdict(database, project)
    assert found.same, (found.differences, found.refused)
    return documents is None or found.documents == documents


def tenant_of(database: Database, project: str) -> UUID:
    ((tenant,),) = database.psql("SELECT tenant_id FROM workspace.projects WHERE id = %s", project)
    return UUID(str(tenant))


def told_by_the_command(server: Server, project: str) -> Json:
    """What `quarry cases verify` says of a project; its exit code must agree."""
    done = server.quarry("cases", "verify", "--tenant", "acme", "--project", project, "--json")
    assert done.stdout, done.stderr
    (told,) = json.loads(done.stdout).values()
    assert done.returncode == (0 if told["same"] else 1), done.stderr
    return told  # type: ignore[no-any-return]


def codes(answer: httpx.Response) -> list[str]:
    return [f["code"] for f in problem(answer, 422, "invalid_document")["findings"]
            if f["severity"] == "error"]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_a_real_document_goes_all_the_way(
    client: httpx.Client, module_database: Database, project: str, name: str
) -> None:
    text = sample(name)
    told = ok(execute(client, project, text))
    assert told["committed"] is True
    assert [f for f in told["findings"] if f["severity"] == "error"] == []
    counted = {table: n for table, n in stored(module_database, project).items() if n}
    inserted = {t: r["inserted"] for t, r in told["rows"].items() if r["inserted"]}
    assert counted == {t: n for t, n in inserted.items() if t != "dictionary"}
    per_form: Counter[str] = Counter()
    for form in told["forms"]:
        for effect in form["effects"]:
            per_form[effect["table"]] += effect["inserted"]
    written = Counter(counted | {"dictionary": per_form["dictionary"]})
    assert +per_form == +(written - Counter(case_versions=written["case_versions"]))
    texts = []
    for case in told["cases"]:
        url = f"/projects/{project}/cases/{case['case_id']}"
        texts.append(ok(client.get(f"{url}/versions/1"))["dsl"])
        seen = ok(client.get(url))
        assert seen["current_version"] == case["version"] == 1
        assert len(walk(client, f"{url}/events")) > 5
    assert texts == [text] or len(texts) == 2
    assert same(module_database, project, 1)
    for case in told["cases"]:
        change = f'(case.update :case-id "{case["case_id"]}" :title "Changed")'
        assert ok(append(client, project, case["case_id"], change))["cases"][0]["version"] == 2
        url = f"/projects/{project}/cases/{case['case_id']}"
        assert f"+{change}" in ok(client.get(f"{url}/diff"))["diff"]
        back = ok(client.post(f"{url}/rollback", json={"version": 1}))
        assert back["rows"]["cases"]["updated"] >= 1
        assert ok(client.get(f"{url}/diff", params={"from": 1, "to": 3}))["equal"]
    after = stored(module_database, project)
    history = ("case_versions", "case_events")
    assert {t: n for t, n in after.items() if n and t not in history} == {
        t: n for t, n in counted.items() if t not in history
    }
    assert same(module_database, project)


def test_the_onboarding_of_a_fund_is_as_long_as_real_ones() -> None:
    text = sample("hedge-fund-onboarding")
    forms = parse(text).program.forms
    assert text.count("\n") > 900
    assert len(forms) > 90
    assert len({form.verb for form in forms}) > 40


def test_a_case_is_appended_to_compared_and_taken_back(
    client: httpx.Client, server: Server, module_database: Database, project: str
) -> None:
    ok(execute(client, project, sample("hedge-fund-onboarding")))
    case = "CBU-MERIDIAN-2026"
    url = f"/projects/{project}/cases/{case}"
    before = ok(client.get(url))
    change = (
        '(entity.register :entity-id "NEW" :entity-type trust :name "New")\n'
        '(role.assign :entity "NEW" :role "observer")\n'
        '(case.update :case-id "CBU-MERIDIAN-2026" :title "Other" :colour "red")\n'
        '(case.approve :case-id "CBU-MERIDIAN-2026")\n'
    )
    answer = append(
        client, project, case, change, {"If-Match": '"1"', "Accept-Encoding": "identity"}
    )
    assert answer.headers["etag"] == '"2"'
    assert ok(answer)["cases"] == [{"case_id": case, "version": 2}]
    changed = ok(client.get(url))
    assert (changed["state"], changed["title"]) == ("approved", "Other")
    diff = ok(client.get(f"{url}/diff", params={"from": 1, "to": 2}))["diff"]
    assert diff.count("\n+") == 5  # four lines and the header
    back = ok(client.post(f"{url}/rollback", json={"version": 1, "expected_version": 2}))
    assert back["cases"] == [{"case_id": case, "version": 3}]
    after = ok(client.get(url))
    ignored = ("updated_at", "current_version")
    assert {k: v for k, v in after.items() if k not in ignored} == {
        k: v for k, v in before.items() if k not in ignored
    }
    assert ok(client.get(f"{url}/diff", params={"from": 1, "to": 3}))["equal"]
    assert client.get(f"/projects/{project}/entities/NEW").status_code == 404
    kinds = [v["change_kind"] for v in ok(client.get(f"{url}/versions"))["items"]]
    assert kinds == ["rollback", "append", "new"]
    assert told_by_the_command(server, project)["same"]
    module_database.psql(
        "UPDATE cases.entities SET name = 'tampered' WHERE project_id = %s AND entity_id = 'DELACROIX'",
        project,
    )
    told = told_by_the_command(server, project)
    assert {d["table"] for d in told["differences"]} == {"entities"}
    assert len(told["differences"]) == 2


def test_ownership_through_five_levels_and_a_circle(client: httpx.Client, project: str) -> None:
    ok(execute(client, project, sample("ubo-five-levels")))
    answer = client.get(f"/projects/{project}/entities/ORCHID/ownership", params={"depth": 8})
    told = ok(answer)
    owners = {o["entity_id"]: o for o in told["owners"]}
    assert owners["LOTUS"]["direct_percent"] == 60
    assert owners["MEIER"]["effective_percent"] == 30
    assert owners["MEIER"]["path"] == ["ORCHID", "LOTUS", "CEDAR", "MEIER"]
    assert owners["TAN"]["effective_percent"] == 32
    # 0.6·0.5·0.7 through the trust, 0.6·0.5·0.3·0.55 through Harbour Re, 0.4·0.2 through Rowan
    assert owners["OKAFOR"]["effective_percent"] == 21 + 4.95 + 8
    assert {o for o, row in owners.items() if row["is_ubo"]} == {"TAN", "MEIER", "OKAFOR"}
    assert told["cycles"] == [["HARBOUR", "HARBOUR-RE", "HARBOUR"]]
    few = ok(client.get(f"/projects/{project}/entities/ORCHID/ownership?depth=1&threshold=50"))
    assert {o["entity_id"] for o in few["owners"]} == {"LOTUS", "JASMINE"}


def test_a_document_about_two_cases_gives_each_its_version(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    text = (
        '(entity.register :entity-id "E" :entity-type fund)\n'
        '(case.create :case-id "A") (role.assign :entity "E" :role "client")\n'
        '(case.create :case-id "B") (kyc.start)\n(case.update :case-id "A" :title "x")\n'
    )
    told = ok(execute(client, project, text))
    assert told["cases"] == [{"case_id": "A", "version": 1}, {"case_id": "B", "version": 1}]
    own = ok(client.get(f"/projects/{project}/cases/B/versions/1"))["dsl"]
    assert own == '(case.create :case-id "B")\n(kyc.start)\n'
    ok(execute(client, project, '(entity.register :entity-id "LOOSE" :entity-type trust)'))
    assert same(module_database, project)


REFUSED = {
    "unknown entity": ('(role.assign :case-id "OPEN" :entity "NOBODY" :role "client")', "ENTITY_NOT_FOUND"),
    "unknown case": ('(kyc.start :case-id "NOWHERE")', "CASE_NOT_FOUND"),
    "unknown document": ('(document.use :case-id "OPEN" :document-id "NONE")', "DOCUMENT_NOT_FOUND"),
    "illegal transition": ('(workflow.transition :case-id "OPEN" :to-state "active")', "ILLEGAL_TRANSITION"),
    "bad IBAN": ('(values.bind :case-id "OPEN" :attribute "banking.iban" :value "GB33BUKB20201555555556")', "VALUE_MISMATCH"),
    "bad enum": ('(values.bind :case-id "OPEN" :attribute "risk.rating" :value "enormous")', "VALUE_MISMATCH"),
    "bad date": ('(values.bind :case-id "OPEN" :bindings {"identity.date_of_birth" "1999-02-30"})', "VALUE_MISMATCH"),
    "unknown attribute": ('(values.bind :case-id "OPEN" :attribute "banking.ibn" :value 1)', "UNKNOWN_ATTRIBUTE"),
    "too much ownership": ('(entity.link :from "A" :to "B" :type "ownership" :percent 40)', "OWNERSHIP_OVER_100"),
    "unbalanced": ('(case.update :case-id "OPEN" :title "x"', "UNCLOSED_FORM"),
    "prose": ("Please open a case for Acme.", "EXPECTED_FORM"),
    "empty": ("", "EMPTY_DOCUMENT"),
    "key without value": ('(case.update :case-id "OPEN" :title)', "MISSING_VALUE"),
    "unknown verb": ('(case.paint :case-id "OPEN")', "UNKNOWN_VERB"),
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared(client: httpx.Client) -> str:
    """A project with a case and two owners of B who hold 60 % of it."""
    project = str(make_project(client)["id"])
    ok(execute(
        client, project,
        '(case.create :case-id "OPEN") (entity.register :entity-id "A" :entity-type trust)'
        '(entity.register :entity-id "B" :entity-type trust) (entity.register :entity-id "C" '
        ':entity-type trust) (entity.link :from "C" :to "B" :type "ownership" :percent 60.5)',
    ))  # fmt: skip
    return project


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_told_and_nothing_written(
    client: httpx.Client, module_database: Database, prepared: str, name: str
) -> None:
    text, code = REFUSED[name]
    before = stored(module_database, prepared)
    answer = execute(client, prepared, text)
    assert code in codes(answer)
    for finding in answer.json()["findings"]:
        assert finding["line"] >= 1
        assert finding["column"] >= 1
    assert stored(module_database, prepared) == before
    newest = ok(client.get(f"/projects/{prepared}/dsl/operations", params={"limit": 1}))["items"][0]
    assert newest["outcome"] == "refused"
    assert code in [e["code"] for e in newest["errors"]]


def test_failing_at_the_last_of_a_thousand_forms_leaves_nothing(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    forms = ['(case.create :case-id "A")'] + [
        f'(entity.register :entity-id "E{n}" :entity-type trust)' for n in range(998)
    ]
    answer = execute(client, project, "\n".join([*forms, '(role.assign :entity "X" :role "r")']))
    assert codes(answer) == ["ENTITY_NOT_FOUND"]
    assert answer.json()["findings"][0]["line"] == 1000
    # and one that only the database finds: a role that is too long
    long = f'(role.assign :entity "E5" :role "{"r" * 201}")'
    answer = execute(client, project, "\n".join([*forms, long]))
    assert codes(answer) == ["WRONG_TYPE"]
    assert answer.json()["findings"][0]["line"] == 1000
    assert set(stored(module_database, project).values()) == {0}


def test_twenty_clients_append_to_one_case(client: httpx.Client, project: str) -> None:
    ok(execute(client, project, '(case.create :case-id "A")'))

    def attempt(number: int) -> httpx.Response:
        text = f'(tasks.create :task-id "T{number}")'
        return append(client, project, "A", text, {"If-Match": '"1"'})

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(attempt, range(20)))
    won = [a for a in answers if a.status_code == 200]
    assert len(won) == 1
    for lost in answers:
        if lost not in won:
            told = problem(lost, 409, "version_conflict")
            assert told["current_version"] == 2
    with ThreadPoolExecutor(10) as pool:  # who does not ask for a version gets the next one
        rest = list(
            pool.map(
                lambda n: append(client, project, "A", f'(tasks.create :id "U{n}")'), range(10)
            )
        )
    assert sorted(ok(a)["cases"][0]["version"] for a in rest) == list(range(3, 13))


def test_a_dry_run_answers_the_same_and_writes_nothing(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    text = sample("isda")
    rehearsed = ok(execute(client, project, text, dry_run=True))
    assert set(stored(module_database, project).values()) == {0}
    done = ok(execute(client, project, text))
    assert (rehearsed.pop("committed"), done.pop("committed")) == (False, True)
    for told in (rehearsed, done):
        for varying in ("operation_id", "stages"):
            told.pop(varying)
    assert rehearsed == done


def test_a_repeated_key_executes_once(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    headers = {"Idempotency-Key": "once", "Content-Type": "text/plain"}
    url = f"/projects/{project}/dsl/execute"
    first = client.post(url, content='(case.create :case-id "A")', headers=headers)
    second = client.post(url, content='(case.create :case-id "A")', headers=headers)
    assert ok(first) == ok(second)
    assert second.headers["idempotency-replayed"] == "true"
    assert stored(module_database, project)["case_versions"] == 1


def test_a_document_as_text_takes_its_options_from_the_query(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    answer = client.post(
        f"/projects/{project}/dsl/execute?dry_run=true&strict=false",
        content='(case.create :case-id "Ä") (spaceship.launch :speed 9)',
        headers={"Content-Type": "text/plain; charset=utf-8"},
    )
    told = ok(answer)
    assert told["committed"] is False
    assert [f["code"] for f in told["findings"]] == ["UNKNOWN_VERB"]
    assert set(stored(module_database, project).values()) == {0}


def test_limits_of_size(client: httpx.Client, project: str) -> None:
    large = '(case.create :case-id "A" :title "' + "x" * 1024 * 1024 + '")'
    problem(execute(client, project, large), 413, "too_large")
    problem(client.post("/dsl/parse", json={"dsl": large}), 413, "too_large")
    deep = "(a.b :k " + "[" * 100
    assert codes(execute(client, project, deep)) == ["TOO_DEEP"]


def test_a_deadline_rolls_back(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    ok(execute(client, project, '(case.create :case-id "A")'))
    before = stored(module_database, project)
    with psycopg.connect(module_database.owner_dsn) as blocker:
        blocker.execute("SELECT 1 FROM cases.cases WHERE project_id = %s FOR UPDATE", (project,))
        answer = execute(client, project, '(case.update :case-id "A" :title "x")', timeout_ms=300)
        problem(answer, 504, "deadline_exceeded")
    assert stored(module_database, project) == before


def test_a_client_that_goes_away_cancels_its_transaction(
    client: httpx.Client, server: Server, module_database: Database, project: str
) -> None:
    ok(execute(client, project, '(case.create :case-id "A")'))
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND usename = 'quarry_app' AND wait_event_type = 'Lock'"
    )
    body = json.dumps({"dsl": '(case.update :case-id "A" :title "gone")'}).encode()
    head = (
        f"POST /projects/{project}/dsl/execute HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {client.headers['authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with psycopg.connect(module_database.owner_dsn) as blocker:
        blocker.execute("SELECT 1 FROM cases.cases WHERE project_id = %s FOR UPDATE", (project,))
        with socket.create_connection(("127.0.0.1", server.port)) as caller:
            caller.sendall(head + body)
            wait_until(lambda: module_database.psql(waiting) == [(1,)])
        wait_until(lambda: module_database.psql(waiting) == [(0,)])
    assert ok(client.get(f"/projects/{project}/cases/A"))["title"] is None
    newest = f"/projects/{project}/dsl/operations?limit=1"
    wait_until(lambda: ok(client.get(newest))["items"][0]["outcome"] == "failed")


def test_a_verb_of_a_known_effect_takes_a_row_and_no_python(
    database: Database, served: Served, tenants: Tenants
) -> None:
    verb = {
        "name": "spv.form", "domain": "spv", "summary": "Forms a vehicle.", "effect": "entity.upsert",
        "preset": {"entity_type": "spv"},
        "arguments": [{"name": "vehicle", "type": "string", "required": True, "slot": "entity_id"},
                      {"name": "purpose", "type": "text"}],
    }  # fmt: skip
    database.psql("SELECT cases.seed_verbs(%s)", json.dumps([verb]))
    client, _ = tenants(served(database))
    project = str(make_project(client)["id"])
    told = ok(execute(client, project, '(spv.form :vehicle "V1" :purpose "One ship")'))
    assert told["forms"][0]["effects"][0]["inserted"] == 1
    entity = ok(client.get(f"/projects/{project}/entities/V1"))
    assert (entity["entity_type"], entity["props"]) == ("spv", {"purpose": "One ship"})
    assert codes(execute(client, project, "(spv.form)")) == ["MISSING_ARGUMENT"]


def test_a_replacement_is_all_that_a_case_says(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    ok(execute(
        client, project,
        '(case.create :case-id "A" :title "First" :priority "high")'
        '(entity.register :entity-id "E" :entity-type trust) (role.assign :entity "E" :role "client")'
        '(entity.register :entity-id "F" :entity-type fund)',
    ))  # fmt: skip
    ok(
        execute(
            client, project, '(case.create :case-id "B") (role.assign :entity "F" :role "client")'
        )
    )
    new = {"dsl": '(case.update :case-id "A" :title "Second")', "options": {"replace": True}}
    told = ok(client.post(f"/projects/{project}/cases/A/dsl", json=new))
    assert {t: r["deleted"] for t, r in told["rows"].items() if r["deleted"]} == {
        "case_roles": 1, "entities": 1,
    }  # fmt: skip
    case = ok(client.get(f"/projects/{project}/cases/A"))
    assert (case["title"], case["priority"], case["roles"]) == ("Second", "normal", [])
    # E is gone with it; F is spoken of by another case
    assert client.get(f"/projects/{project}/entities/E").status_code == 404
    assert ok(client.get(f"/projects/{project}/entities/F"))["entity_type"] == "fund"
    versions = ok(client.get(f"/projects/{project}/cases/A/versions"))["items"]
    assert [v["change_kind"] for v in versions] == ["replace", "new"]
    assert ok(client.get(f"/projects/{project}/cases/A/diff"))["diff"].count("\n-(") == 1
    assert same(module_database, project)


def test_documents_at_once_leave_what_their_replay_leaves(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    """Cases and entities that several clients make and change at the same time."""

    def work(number: int) -> list[int]:
        statuses = []
        for turn in range(6):
            case, said = f"C{(number + turn) % 4}", f"{number}.{turn}"
            shared = [f"S{(number + turn + k) % 5}" for k in range(3)]
            forms = [f'(entity.register :entity-id "{name}" :entity-type trust :name "{said}" :k{number} {turn})'
                     for name in shared]  # fmt: skip
            forms += [f'(entity.link :from "{shared[0]}" :to "{name}" :type "adviser" :k{number} {turn})'
                      for name in shared[1:]]  # fmt: skip
            forms += [
                f'(entity.link :from "{shared[0]}" :to "{shared[1]}" :type "ownership" :percent {number + 1})',
                f'(values.bind :entity "{shared[0]}" :attribute "identity.legal_name" :value "{said}")',
            ]
            for verb in ("update", "create"):
                head = f'(case.{verb} :case-id "{case}" :title "{said}")'
                answer = execute(client, project, "\n".join([head, *forms]))
                if answer.status_code != 422 or set(codes(answer)) != {"CASE_NOT_FOUND"}:
                    break
            statuses.append(answer.status_code)
        return statuses

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(s for many in pool.map(work, range(8)) for s in many)
    assert statuses.keys() <= {200, 422}  # of those who create the same case, one does
    assert statuses[200] > 30
    assert stored(module_database, project)["case_versions"] == statuses[200]
    assert same(module_database, project, statuses[200])


def test_a_document_is_checked_when_it_has_its_turn(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    """One names an entity that another one, not committed yet, registers: it waits, and finds it."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND usename = 'quarry_app' AND wait_event_type = 'Lock'"
    )

    async def work() -> httpx.Response:
        pool = Pool(pool_options(Settings(database_url=module_database.app_dsn)))
        await pool.open()
        try:
            engine = Engine(pool, load(SQL_DIR))
            tenant = tenant_of(module_database, project)
            db = engine.session(Identity(tenant, "test"), "r", 60.0)
            registry = Registry.from_json(await db.many(sql.dsl.verbs))
            first = '(entity.register :entity-id "E" :entity-type fund :name "First")'
            second = '(entity.classify :entity-id "E" :sector "banking")'
            async with db.transaction():
                order = Order(first, UUID(project))
                await carry_out(db, order, registry, Limits(), Outcome())
                asked = asyncio.create_task(asyncio.to_thread(execute, client, project, second))
                await asyncio.to_thread(wait_until, lambda: module_database.psql(waiting) == [(1,)])
            return await asked
        finally:
            await pool.close(5.0)

    ok(asyncio.run(work()))
    entity = ok(client.get(f"/projects/{project}/entities/E"))
    assert (entity["entity_type"], entity["name"]) == ("fund", "First")
    assert entity["props"] == {"sector": "banking"}


def test_two_documents_cannot_pass_100_percent_together(
    client: httpx.Client, module_database: Database, project: str
) -> None:
    ok(execute(client, project, "".join(
        f'(entity.register :entity-id "{name}" :entity-type trust)' for name in "ABC"
    )))  # fmt: skip
    ready = threading.Barrier(2)

    def link(owner: str) -> httpx.Response:
        ready.wait(10)
        text = f'(entity.link :from "{owner}" :to "C" :type "ownership" :percent 60%)'
        return execute(client, project, text)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(link, "AB"))
    assert sorted(a.status_code for a in answers) == [200, 422]
    refused = next(a for a in answers if a.status_code == 422)
    assert codes(refused) == ["OWNERSHIP_OVER_100"]
    assert stored(module_database, project)["entity_links"] == 1


def test_the_number_of_statements_does_not_grow_with_the_forms(
    client: httpx.Client, server: Server, project: str
) -> None:
    """As the engine counts them."""

    def statements(count: int) -> dict[str, int]:
        text = f'(case.create :case-id "N{count}")' + "".join(
            f'(entity.register :entity-id "E{count}-{n}" :entity-type trust)'
            f'(role.assign :entity "E{count}-{n}" :role "client")'
            for n in range(count)
        )
        before = calls(server)
        told = ok(execute(client, project, text))
        assert told["rows"]["entities"]["inserted"] == count
        after = calls(server)
        return {
            name: after[name] - before.get(name, 0)
            for name in after
            if name.startswith(("cases.", "entities.", "dictionary.", "dsl.", "projects."))
            and name != "dsl.verbs"  # kept for some seconds
            and after[name] != before.get(name, 0)
        }

    one, many = statements(1), statements(1000)
    assert one == many
    assert set(one.values()) == {1}
    assert len(one) == 8 + 3  # one for each of three effects
