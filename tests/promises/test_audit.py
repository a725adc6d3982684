"""The audit trail: each change leaves its events, the tenant's auditor finds them, nobody else does
and nobody changes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from psycopg import errors

from service.resources import ENDPOINTS
from service.resources.audit import TABLES
from tests.promises.assistant import make_conversation, path_of
from tests.promises.helpers import (
    ANY_VERSION,
    NDJSON,
    Json,
    Tenant,
    absent,
    actor_of,
    lines,
    make_document,
    make_export,
    make_project,
    make_user,
    ok,
    pages,
    problem,
    tenant_id,
    unique,
    walk,
)  # fmt: skip
from tests.promises.inventory import make_assets, make_flow
from tests.support.cluster import Database
from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("audit")

ASSETS = "discovery.assets"
USERS, PROJECTS, MEMBERS, DOCUMENTS, EXECUTIONS, EXPORTS = (
    f"workspace.{name}"
    for name in (
        "users", "projects", "project_members", "document_versions", "agent_executions", "exports",
    )
)  # fmt: skip
CASES, DICTIONARY, PROPOSALS, VALUES = (
    f"cases.{name}" for name in ("cases", "dictionary", "dsl_proposals", "attribute_values")
)
CONVERSATIONS, MESSAGES, MEMORIES, FILES = (
    f"assistant.{name}" for name in ("conversations", "messages", "memories", "files")
)
FLOWS, IMPORTS, DISCOVERIES, MAPPINGS, CONFLICTS = (
    f"discovery.{name}"
    for name in (
        "master_flows", "data_imports", "discovery_flows", "field_mappings", "asset_conflicts",
    )
)  # fmt: skip
INSERT, UPDATE, DELETE, REDACT = "insert", "update", "delete", "redact"


# ---------------------------------------------------------------- every change


class Stage(NamedTuple):
    """A tenant with a row of each kind, and who changes them."""

    tenant: Tenant
    client: httpx.Client
    user: str
    other: str
    project: str
    deleted: str
    document: str
    execution: str
    export: str
    case: str
    attribute: str
    proposal: str
    conversation: str
    deleted_conversation: str
    memory: str
    file: str
    inventory: str
    asset: str
    gone_asset: str
    flow: str = ""
    conflict: str = ""

    def path(self, template: str) -> str:
        return template.format(
            user_id=self.other, project_id=self.project, document_id=self.document,
            execution_id=self.execution, export_id=self.export, import_id=self.inventory,
            asset_id=self.asset, flow_id=self.flow, phase="validation",
            case_id=self.case,
            attribute_id=self.attribute, proposal_id=self.proposal, subject_kind="case",
            subject_id=self.case,
            email=f"{unique()}@example.org",
            conversation_id=self.conversation, seq=2, memory_id=self.memory, file_id=self.file,
        )  # fmt: skip


class Change(NamedTuple):
    """What a request is sent with, and the events that it must leave."""

    events: dict[tuple[str, str], int]
    body: Callable[[Stage], Any] = lambda _: None
    deleted: bool = False  # it is about the project or conversation that is deleted
    gone: bool = False  # it is about the asset that is deleted
    flow: str = "paused"  # the status of the flow that it is about


def person() -> Json:
    return {"email": f"{unique()}@example.org", "name": "Ada"}


def project(stage: Stage) -> Json:
    return {"name": "x", "language": "en", "created_by": stage.user}


def memory(stage: Stage) -> Json:
    return {"user_id": stage.user, "question": "Drinks?", "answer": "Tea"}


def stored(stage: Stage) -> Json:
    """A file that lies elsewhere."""
    return {"user_id": stage.user, "original_name": "a", "mime_type": "a/b", "size": 1, "path": "x"}


_ONE = "/projects/{project_id}"
_MEMBER = _ONE + "/members/{user_id}"
_DOCUMENT = _ONE + "/documents/{document_id}"
_CASE = _ONE + "/cases/{case_id}"
_PROPOSAL = _ONE + "/dsl/proposals/{proposal_id}"
_RUNS = _ONE + "/agents/executions"
_RUN = _RUNS + "/{execution_id}"
_CHAT = "/conversations/{conversation_id}"
_SAID = _CHAT + "/messages/{seq}"
_FLOW = _ONE + "/flows/{flow_id}"
CHANGES = {
    ("POST", "/users"): Change({(USERS, INSERT): 1}, lambda _: person()),
    ("POST", "/users/bulk"): Change({(USERS, INSERT): 3}, lambda _: [person() for _ in range(3)]),
    ("PATCH", "/users/{user_id}"): Change({(USERS, UPDATE): 1}, lambda _: {"name": "Eve"}),
    ("DELETE", "/users/{user_id}"): Change({(USERS, UPDATE): 1}),
    ("POST", "/users/{user_id}/erase"): Change({(USERS, UPDATE): 1, (USERS, REDACT): 1}),
    ("PUT", "/users/by-email/{email}"): Change({(USERS, INSERT): 1}, lambda _: {}),
    ("POST", "/projects"): Change({(PROJECTS, INSERT): 1, (MEMBERS, INSERT): 1}, project),
    ("POST", "/projects/bulk"): Change(
        {(PROJECTS, INSERT): 3, (MEMBERS, INSERT): 3}, lambda stage: [project(stage)] * 3
    ),
    ("PUT", _ONE): Change({(PROJECTS, UPDATE): 1}, lambda _: {"name": "y"}),
    ("DELETE", _ONE): Change({(PROJECTS, UPDATE): 1}),
    ("POST", _ONE + "/restore"): Change({(PROJECTS, UPDATE): 1}, deleted=True),
    ("POST", _ONE + "/purge"): Change(
        {(PROJECTS, DELETE): 1, (MEMBERS, DELETE): 1, (DOCUMENTS, DELETE): 2}, deleted=True
    ),
    ("PUT", _MEMBER): Change({(MEMBERS, UPDATE): 1}, lambda _: {"role": "viewer"}),
    ("DELETE", _MEMBER): Change({(MEMBERS, DELETE): 1}),
    ("POST", _ONE + "/documents"): Change(
        {(DOCUMENTS, INSERT): 1}, lambda _: {"document_type": "report", "content": "x"}
    ),
    ("PUT", _DOCUMENT): Change({(DOCUMENTS, INSERT): 1}, lambda _: {"content": "y"}),
    ("PATCH", _DOCUMENT): Change({(DOCUMENTS, UPDATE): 1}, lambda _: {"grammar_score": 7}),
    ("DELETE", _DOCUMENT): Change({(DOCUMENTS, UPDATE): 1}),
    ("POST", _DOCUMENT + "/restore"): Change({(DOCUMENTS, INSERT): 1}),
    ("POST", _RUNS): Change({(EXECUTIONS, INSERT): 1}, lambda _: {"agent_type": "writer"}),
    ("PUT", _RUN): Change({(EXECUTIONS, UPDATE): 1}, lambda _: {"progress": 5}),
    ("POST", _RUN + "/heartbeat"): Change({}),
    ("POST", _ONE + "/exports"): Change({(EXPORTS, INSERT): 1}, lambda _: {"format": "zip"}),
    ("DELETE", _ONE + "/exports/{export_id}"): Change({(EXPORTS, DELETE): 1}),
    ("POST", "/dsl/parse"): Change({}, lambda _: {"dsl": "(kyc.start)"}),
    ("POST", "/dsl/format"): Change({}, lambda _: {"dsl": "(kyc.start)"}),
    ("POST", "/dsl/validate"): Change({}, lambda _: {"dsl": "(kyc.start)"}),
    ("POST", _ONE + "/dsl/execute"): Change(
        {(CASES, INSERT): 1, (CASES, UPDATE): 1}, lambda _: {"dsl": '(case.create :case-id "N")'}
    ),
    ("POST", _CASE + "/dsl"): Change({(CASES, UPDATE): 1}, lambda _: {"dsl": "(kyc.start)"}),
    ("POST", _ONE + "/dsl/generate"): Change(
        {(PROPOSALS, INSERT): 1}, lambda _: {"instruction": "open case N-1 for Acme"}
    ),
    ("POST", _PROPOSAL + "/approve"): Change(
        {(PROPOSALS, UPDATE): 1, (CASES, INSERT): 1, (CASES, UPDATE): 1}
    ),
    ("POST", _PROPOSAL + "/reject"): Change({(PROPOSALS, UPDATE): 1}, lambda _: {}),
    ("POST", "/dictionary"): Change(
        {(DICTIONARY, INSERT): 1}, lambda _: {"name": unique("a"), "mask": "date"}
    ),
    ("PUT", "/dictionary/{attribute_id}"): Change(
        {(DICTIONARY, UPDATE): 1}, lambda _: {"domain": "funds"}
    ),
    ("DELETE", "/dictionary/{attribute_id}"): Change({(DICTIONARY, DELETE): 1}),
    ("PUT", _ONE + "/subjects/{subject_kind}/{subject_id}/values"): Change(
        {(VALUES, INSERT): 2},
        lambda _: {"values": {"identity.legal_name": "x", "banking.iban": None}},
    ),
    ("POST", _CASE + "/rollback"): Change({(CASES, UPDATE): 3}, lambda _: {"version": 1}),
    ("POST", "/conversations"): Change({(CONVERSATIONS, INSERT): 1}, lambda _: {}),
    ("PATCH", _CHAT): Change({(CONVERSATIONS, UPDATE): 1}, lambda _: {"title": "y"}),
    ("DELETE", _CHAT): Change({(CONVERSATIONS, UPDATE): 1}),
    ("POST", _CHAT + "/restore"): Change({(CONVERSATIONS, UPDATE): 1}, deleted=True),
    ("POST", _CHAT + "/branch"): Change(
        {(CONVERSATIONS, INSERT): 1, (MESSAGES, INSERT): 2}, lambda _: {"at_seq": 2}
    ),
    ("POST", _CHAT + "/messages"): Change(
        {(MESSAGES, INSERT): 1}, lambda _: {"role": "user", "content": "x"}
    ),
    ("POST", _CHAT + "/messages/bulk"): Change(
        {(MESSAGES, INSERT): 3}, lambda _: [{"role": "user", "content": "x"}] * 3
    ),
    ("PATCH", _SAID): Change(
        {(MESSAGES, UPDATE): 1, (MESSAGES, INSERT): 1}, lambda _: {"content": "y"}
    ),
    ("POST", _SAID + "/regenerate"): Change(
        {(MESSAGES, UPDATE): 1, (MESSAGES, INSERT): 1}, lambda _: {"content": "y"}
    ),
    ("PUT", _SAID + "/active"): Change({(MESSAGES, UPDATE): 2}, lambda _: {"variant": 1}),
    ("POST", "/memories"): Change({(MEMORIES, INSERT): 1}, memory),
    ("PATCH", "/memories/{memory_id}"): Change({(MEMORIES, UPDATE): 1}, lambda _: {"used": True}),
    ("DELETE", "/memories/{memory_id}"): Change({(MEMORIES, DELETE): 1}),
    ("POST", "/files"): Change({(FILES, INSERT): 1}, stored),
    ("DELETE", "/files/{file_id}"): Change({(FILES, UPDATE): 1}),
    ("POST", "/files/{file_id}/processed"): Change(
        {(FILES, UPDATE): 1}, lambda _: {"analysis": {"words": 1}}
    ),
    ("POST", _ONE + "/imports"): Change(
        {(FLOWS, INSERT): 1, (FLOWS, UPDATE): 1, (IMPORTS, INSERT): 1, (IMPORTS, UPDATE): 1,
         (DISCOVERIES, INSERT): 1},
        lambda _: [{"Host Name": unique("host")}],
    ),
    ("DELETE", _ONE + "/imports/{import_id}"): Change(
        {(IMPORTS, DELETE): 1, (DISCOVERIES, DELETE): 1, (FLOWS, UPDATE): 1, (MAPPINGS, DELETE): 1,
         (CONFLICTS, DELETE): 1}
    ),
    ("PUT", _ONE + "/imports/{import_id}/mappings"): Change(
        {(MAPPINGS, UPDATE): 1, (MAPPINGS, INSERT): 1}, lambda _: {"mappings": [
            {"source_field": name, "target_field": "custom", "status": "approved"}
            for name in ("Host Name", "note")
        ]},
    ),
    ("POST", _FLOW + "/pause"): Change({(FLOWS, UPDATE): 1}, flow="running"),
    ("POST", _FLOW + "/resume"): Change({(FLOWS, UPDATE): 1}),
    ("POST", _FLOW + "/retry"): Change({(FLOWS, UPDATE): 1}, flow="failed"),
    ("POST", _FLOW + "/cancel"): Change({(FLOWS, UPDATE): 1}),
    ("POST", _FLOW + "/archive"): Change({(FLOWS, UPDATE): 1}, flow="cancelled"),
    ("POST", _FLOW + "/phases/{phase}/run"): Change({(FLOWS, UPDATE): 1, (DISCOVERIES, UPDATE): 1}),
    ("DELETE", _FLOW): Change({(FLOWS, UPDATE): 1}, flow="cancelled"),
    ("POST", _ONE + "/conflicts/resolve"): Change(
        {(CONFLICTS, UPDATE): 1, (ASSETS, UPDATE): 1},
        lambda stage: {"resolutions": [{"id": stage.conflict, "action": "replace"}]},
    ),
    ("PATCH", _ONE + "/assets"): Change(
        {(ASSETS, UPDATE): 1}, lambda stage: [{"id": stage.asset, "cost": 1}]
    ),
    ("PATCH", _ONE + "/assets/{asset_id}"): Change({(ASSETS, UPDATE): 1}, lambda _: {"cost": 1}),
    ("DELETE", _ONE + "/assets/{asset_id}"): Change({(ASSETS, UPDATE): 1}),
    ("POST", _ONE + "/assets/{asset_id}/restore"): Change({(ASSETS, UPDATE): 1}, gone=True),
}  # fmt: skip


def test_every_endpoint_that_writes_has_a_case_here() -> None:
    writing = {(e.method, e.path) for e in ENDPOINTS if e.writes}
    assert writing == CHANGES.keys()


@pytest.fixture
def stage(tenant: Tenant, module_database: Database) -> Stage:
    user, other = (make_user(tenant.client) for _ in range(2))
    mine = make_project(tenant.client, created_by=user["id"])["id"]
    member = tenant.client.put(f"/projects/{mine}/members/{other['id']}", json={"role": "editor"})
    ok(member)
    deleted = make_project(tenant.client, created_by=user["id"])["id"]
    for _ in range(2):
        make_document(tenant.client, deleted)
    assert tenant.client.delete(f"/projects/{deleted}", headers=ANY_VERSION).status_code == 204
    runs = f"/projects/{mine}/agents/executions"
    run = ok(tenant.client.post(runs, json={"agent_type": "writer"}), 201)["id"]
    ok(tenant.client.put(f"{runs}/{run}", json={"status": "running"}))
    asset, gone_asset = (a["id"] for a in make_assets(module_database, mine, 2)[1])
    path = f"/projects/{mine}/assets/{gone_asset}"
    assert tenant.client.delete(path, headers=ANY_VERSION).status_code == 204
    case = {"dsl": '(case.create :case-id "C" :title "Case")'}
    ok(tenant.client.post(f"/projects/{mine}/dsl/execute", json=case))
    attribute = {"name": unique("a"), "mask": "string"}
    attribute = ok(tenant.client.post("/dictionary", json=attribute), 201)
    asked = {"instruction": "open case P-1 for Acme"}
    proposal = ok(tenant.client.post(f"/projects/{mine}/dsl/generate", json=asked), 201)
    chat = make_conversation(tenant.client, user["id"], messages=2)
    ok(tenant.client.patch(path_of(chat, 2), json={"content": "m2 again"}))
    gone = make_conversation(tenant.client, user["id"])["id"]
    assert tenant.client.delete(f"/conversations/{gone}", headers=ANY_VERSION).status_code == 204
    made = Stage(
        tenant, tenant.caller(user=user["email"]), user["id"], other["id"], mine, deleted,
        make_document(tenant.client, mine)["id"], run, make_export(tenant.client, mine)["id"],
        "C", attribute["id"], proposal["id"], chat["id"], gone, "", "",
        make_flow(module_database, mine, "initialized", "upload").inventory,
        asset, gone_asset,
    )  # fmt: skip
    return made._replace(
        memory=ok(tenant.client.post("/memories", json=memory(made)), 201)["id"],
        file=ok(tenant.client.post("/files", json=stored(made)), 201)["id"],
    )


@pytest.mark.parametrize("endpoint", CHANGES, ids=" ".join)
def test_a_change_leaves_exactly_its_events(
    stage: Stage, module_database: Database, endpoint: tuple[str, str]
) -> None:
    method, template = endpoint
    change = CHANGES[endpoint]
    place = stage
    if change.deleted:
        place = stage._replace(project=stage.deleted, conversation=stage.deleted_conversation)
    if change.gone:
        place = place._replace(asset=stage.gone_asset)
    still = make_flow(module_database, stage.project, change.flow)
    place = place._replace(flow=still.flow, conflict=still.conflict)
    whole_tenant = any(e.admin for e in ENDPOINTS if (e.method, e.path) == endpoint)
    client = stage.tenant.client if whole_tenant else stage.client
    request_id = unique("request")
    answer = client.request(
        method, place.path(template), json=change.body(place),
        headers=ANY_VERSION | {"X-Request-ID": request_id},
    )  # fmt: skip
    assert answer.status_code < 300, answer.text

    # a job that the request asked for names the request too
    told = [e for e in walk(stage.tenant.client, "/audit")
            if e["request_id"] == request_id and not e["actor"].startswith("job:")]  # fmt: skip
    assert Counter((e["table"], e["action"]) for e in told) == change.events
    who = (actor_of(client), None if whole_tenant else stage.user)
    assert all((e["actor"], e["user_id"]) == who for e in told)
    for event in told:
        images = {name for name in ("before", "after") if event[name] is not None}
        assert images == {
            INSERT: {"after"}, UPDATE: {"before", "after"}, DELETE: {"before"}, REDACT: {"after"},
        }[event["action"]]  # fmt: skip
    tenants = module_database.psql(
        "SELECT DISTINCT tenant_id::text FROM audit.events WHERE request_id = %s", request_id
    )
    assert tenants == ([(tenant_id(module_database, stage.tenant.name),)] if told else [])
    if answer.status_code == 201:
        made = answer.json().get("ids") or [answer.json()["id"]]
        assert set(made) <= {event["row_id"] for event in told}


def test_the_operators_work_on_keys_leaves_events_without_the_secret(
    server: Server, tenant: Tenant
) -> None:
    key = server.key(tenant.name, ("projects:read",), name="robot")
    assert server.quarry("key", "revoke", key).returncode == 0
    robot = actor_of(server.client(key)).removeprefix("key:")
    revoked, added = ok(tenant.client.get("/audit", params={"row_id": robot}))["items"]
    assert (added["action"], added["table"]) == (INSERT, "core.api_keys")
    assert added["after"]["name"] == "robot" and "secret_hash" not in added["after"]
    assert revoked["action"] == UPDATE and revoked["after"].keys() == {"revoked_at"}
    assert added["actor"].startswith("operator:") and added["request_id"] is None


# ---------------------------------------------------------------- reading it


@pytest.fixture(scope="module")
def busy(server: Server) -> Tenant:
    """A tenant with some sixty events of several actors, tables and rows."""
    busy = Tenant(server, unique("busy"))
    for client in (busy.client, busy.caller(name="second")):
        for _ in range(4):
            user = make_user(client)["id"]
            made = make_project(client, created_by=user)["id"]
            document = make_document(client, made)["id"]
            path = f"/projects/{made}"
            ok(client.put(path, headers=ANY_VERSION, json={"name": "y"}))
            ok(client.patch(f"{path}/documents/{document}", headers=ANY_VERSION,
                            json={"grammar_score": 1}))  # fmt: skip
        bulk = [{"name": "x", "language": "en"}] * 5  # of one instant
        ok(client.post("/projects", json=bulk), 201)
    return busy


def test_the_newest_event_comes_first_and_each_once(busy: Tenant) -> None:
    whole = walk(busy.client, "/audit", limit=7)
    order = [(event["at"], event["id"]) for event in whole]
    assert len(order) > 50 and order == sorted(order, reverse=True)
    assert len({event["id"] for event in whole}) == len(whole)
    assert lines(busy.client.get("/audit", headers=NDJSON)) == whole
    assert ok(busy.client.get("/audit", params={"include_total": "true"}))["total"] == len(whole)


def at_its_own_time(event: Json, name: str) -> list[tuple[Json, Callable[[Json], bool]]]:
    """What is asked about an event with its own time as a bound, and what fits."""
    at, query = event["at"], {name: event[name]}
    return [
        (query | {"since": at}, lambda e: e[name] == event[name] and e["at"] >= at),
        (query | {"until": at}, lambda e: e[name] == event[name] and e["at"] < at),
    ]


def test_filters_find_exactly_their_events(busy: Tenant) -> None:
    whole = walk(busy.client, "/audit", limit=200)
    middle, late = whole[len(whole) // 2]["at"], whole[5]["at"]
    row, actor, user = whole[3]["row_id"], whole[-4]["actor"], whole[-4]["row_id"]

    def since(moment: str) -> Callable[[Json], bool]:
        return lambda event: event["at"] >= moment

    def until(moment: str) -> Callable[[Json], bool]:
        return lambda event: event["at"] < moment

    def same(**wanted: str) -> Callable[[Json], bool]:
        return lambda event: all(event[name] == value for name, value in wanted.items())

    for query, fits in (
        ({"table": USERS}, same(table=USERS)),
        ({"table": "core.api_keys"}, same(table="core.api_keys")),
        ({"row_id": row}, same(row_id=row)),
        ({"row_id": row, "table": USERS}, same(row_id=row, table=USERS)),
        ({"row_id": user, "actor": actor}, same(row_id=user, actor=actor)),
        ({"row_id": absent()}, same(row_id="")),
        ({"actor": actor}, same(actor=actor)),
        ({"actor": actor, "table": PROJECTS}, same(actor=actor, table=PROJECTS)),
        ({"actor": "key:nobody"}, same(actor="key:nobody")),
        ({"since": middle}, since(middle)),
        ({"until": middle}, until(middle)),
        ({"since": middle, "until": late}, lambda e: middle <= e["at"] < late),
        ({"since": late, "until": middle}, lambda _: False),
        ({"actor": actor, "since": middle}, lambda e: same(actor=actor)(e) and since(middle)(e)),
        *at_its_own_time(whole[-4], "row_id"), *at_its_own_time(whole[-4], "actor"),
        ({"since": "2000-01-01T00:00:00+01:00"}, lambda _: True),
    ):  # fmt: skip
        expected = [event for event in whole if fits(event)]
        assert walk(busy.client, "/audit", limit=4, **query) == expected, query
        assert lines(busy.client.get("/audit", params=query, headers=NDJSON)) == expected
        counted = ok(busy.client.get("/audit", params=query | {"include_total": "true"}))
        assert counted["total"] == len(expected), query


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("table=workspace.nothing", "query:table"), ("table=projects", "query:table"),
        ("table=", "query:table"), ("row_id=7", "query:row_id"), ("row_id=", "query:row_id"),
        ("actor=", "query:actor"), ("actor=" + "x" * 256, "query:actor"),
        ("actor=%00", "query:actor"), ("since=yesterday", "query:since"),
        ("since=2026-01-01", "query:since"), ("since=2026-01-01T00:00:00", "query:since"),
        ("until=7", "query:until"), ("action=insert", "query:action"), ("limit=0", "query:limit"),
        ("table=workspace.users&table=workspace.users", "query:table"),
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_is_refused(mine: httpx.Client, query: str, pointer: str) -> None:
    problem(mine.get(f"/audit?{query}"), 422, "validation", pointer)


def test_a_cursor_holds_for_its_filters_only(busy: Tenant) -> None:
    cursor = next(pages(busy.client, "/audit", limit=1))["next_cursor"]
    for other in ({"table": USERS}, {"since": "2020-01-01T00:00:00Z"}, {"row_id": absent()}):
        answer = busy.client.get("/audit", params=other | {"cursor": cursor})
        problem(answer, 400, "bad_cursor")


# ---------------------------------------------------------------- who may


def test_only_the_scope_audit_reads_it(tenant: Tenant) -> None:
    ok(tenant.caller("audit").get("/audit"))
    problem(tenant.caller("projects:*", "admin").get("/audit"), 403, "forbidden")


def test_a_restricted_key_reads_none_of_it(stage: Stage) -> None:
    """Not even of its own projects: the trail names all users and keys of the tenant."""
    for client in (
        stage.client,
        stage.tenant.caller("audit", projects=[stage.project]),
        stage.tenant.caller("audit", user=stage.user, projects=[stage.project]),
    ):
        for query in ({}, {"row_id": stage.project}, {"table": PROJECTS}):
            problem(client.get("/audit", params=query), 403, "forbidden")


def test_nothing_of_another_tenant_is_found(mine: httpx.Client, theirs: httpx.Client) -> None:
    made = make_project(mine, name=unique("hidden"))
    for query in ({"row_id": made["id"]}, {"actor": actor_of(mine)}):
        found = ok(theirs.get("/audit", params=query | {"include_total": "true"}))
        assert found == {"items": [], "next_cursor": None, "total": 0}
        assert ok(mine.get("/audit", params=query))["items"]
    for answer in (theirs.get("/audit?limit=200"), theirs.get("/audit", headers=NDJSON)):
        assert made["id"] not in answer.text and made["name"] not in answer.text


# ---------------------------------------------------------------- what is erased stays erased


def test_erased_personal_data_is_nowhere_in_the_trail(tenant: Tenant) -> None:
    secrets = ["agatha", "miller", "torquay", "westmacott"]
    user = make_user(
        tenant.client, email="Agatha@example.org", name="Miss Miller", profile={"from": "Torquay"}
    )["id"]
    ok(tenant.client.patch(f"/users/{user}", json={"name": "Mary Westmacott"}))
    ok(tenant.client.put("/users/by-email/agatha@example.org"))
    make_project(tenant.client, created_by=user)
    before = tenant.client.get("/audit", params={"row_id": user, "include_total": "true"})
    assert all(word in before.text.lower() for word in secrets)

    assert tenant.client.post(f"/users/{user}/erase").status_code == 200
    for query in ({}, {"row_id": user}, {"table": USERS}, {"actor": actor_of(tenant.client)}):
        for headers in ({}, NDJSON):
            answer = tenant.client.get("/audit", params=query, headers=headers)
            assert user in answer.text
            assert not [word for word in secrets if word in answer.text.lower()], query
    after = walk(tenant.client, "/audit", row_id=user)
    assert [e["action"] for e in after] == [REDACT, UPDATE, UPDATE, UPDATE, INSERT]
    assert len(after) == ok(before)["total"] + 2
    assert after[-1]["after"]["email"] == "[erased]" and after[-1]["after"]["id"] == user


# ---------------------------------------------------------------- nobody changes it

ROLES = ("quarry_app", "quarry_readonly", "quarry_monitor", "quarry_backup")
TAMPERING = {
    "update": "UPDATE audit.events SET actor = 'x'",
    "delete": "DELETE FROM audit.events",
    "truncate": "TRUNCATE audit.events",
    "merge": "MERGE INTO audit.events AS e USING (SELECT 1) AS s ON true"
             " WHEN MATCHED THEN UPDATE SET actor = 'x'",
    "upsert": "INSERT INTO audit.events (tenant_id, actor, table_name, row_id, action)"
              " VALUES (current_setting('app.tenant_id')::uuid, 'x', 'x', uuidv7(), 'insert')"
              " ON CONFLICT (tenant_id, at, id) DO UPDATE SET actor = 'x'",
    "lock": "SELECT id FROM audit.events FOR UPDATE",
    "a partition": "DELETE FROM audit.events_default",
    "no trigger": "ALTER TABLE workspace.projects DISABLE TRIGGER projects_audit_update",
    "no policy": "ALTER TABLE audit.events DISABLE ROW LEVEL SECURITY",
    "a dropped partition": "DROP TABLE audit.events_default",
    "replica": "SET LOCAL session_replication_role = replica",
    "another role": "SET LOCAL ROLE quarry_owner",
}  # fmt: skip


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING)
@pytest.mark.parametrize("role", ROLES)
def test_no_role_that_logs_in_can_change_events(
    mine: httpx.Client, module_database: Database, role: str, statement: str
) -> None:
    make_project(mine)
    dsn = module_database.cluster.server.dsn(user=role, database=module_database.name)
    acme = tenant_id(module_database, "acme")
    said = (
        "SET TRANSACTION READ WRITE; "
        f"SELECT set_config('app.tenant_id', '{acme}', true); {statement}"
    )
    with pytest.raises(errors.InsufficientPrivilege):
        module_database.psql(said, dsn=dsn)


def test_the_readonly_role_reads_one_tenants_events(
    mine: httpx.Client, theirs: httpx.Client, module_database: Database
) -> None:
    made = {make_project(client)["id"] for client in (mine, theirs)}
    dsn = module_database.cluster.server.dsn(user="quarry_readonly", database=module_database.name)
    asked = "SELECT row_id::text FROM audit.events WHERE tenant_id <> %s OR row_id::text = ANY (%s)"
    acme = tenant_id(module_database, "acme")
    assert module_database.psql("SELECT count(*) FROM audit.events", dsn=dsn) == [(0,)]
    seen = f"SELECT set_config('app.tenant_id', '{acme}', false); "
    found = module_database.psql(seen + asked.replace("%s", f"'{acme}'", 1).replace(
        "%s", f"'{{{','.join(made)}}}'"), dsn=dsn)  # fmt: skip
    assert len(found) == 1


def test_the_tables_of_the_filter_are_those_of_the_trail(module_database: Database) -> None:
    """Read from the catalogue, so that a table that is new cannot be forgotten."""
    audited = module_database.psql(
        "SELECT DISTINCT t.tgrelid::regclass::text"
        "  FROM pg_trigger AS t JOIN pg_proc AS f ON f.oid = t.tgfoid"
        " WHERE f.pronamespace = 'audit'::regnamespace AND NOT t.tgisinternal"
        "   AND t.tgparentid = 0 ORDER BY 1"
    )
    assert [name for (name,) in audited] == sorted(TABLES)
