"""Nothing of another tenant can be seen, counted, guessed, linked or changed, by three walls.

Every endpoint that carries an id is asked for a foreign row and for an absent one, and the answers
must be the same. The walls are then taken away one by one: the predicates of the query files,
row-level security, both.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from psycopg import errors

from service.resources import ENDPOINTS
from tests.conftest import Served
from tests.promises.assistant import make_conversation
from tests.promises.helpers import (
    ANY_VERSION,
    NDJSON,
    Json,
    Tenant,
    absent,
    events,
    make_document,
    make_execution,
    make_export,
    make_import,
    make_project,
    make_user,
    ok,
    pages,
    problem,
    same_refusal,
    tenant_id,
    unique,
    walk,
)  # fmt: skip
from tests.promises.inventory import make_assets, make_flow
from tests.support.cluster import Database
from tests.support.server import SQL_DIR, Server

pytestmark = pytest.mark.xdist_group("isolation")

MARK = "amethyst"  # in every text of the tenant that must not be seen

# What a request needs besides its path, so that nothing but the ids decides its answer.
NEEDS: dict[tuple[str, str], Json] = {
    ("GET", "/users/{user_id}"): {},
    ("PATCH", "/users/{user_id}"): {"json": {"name": "taken over"}},
    ("DELETE", "/users/{user_id}"): {},
    ("POST", "/users/{user_id}/erase"): {},
    ("GET", "/projects/{project_id}"): {},
    ("PUT", "/projects/{project_id}"): {"json": {"name": "taken over"}},
    ("DELETE", "/projects/{project_id}"): {},
    ("POST", "/projects/{project_id}/restore"): {},
    ("POST", "/projects/{project_id}/purge"): {},
    ("GET", "/projects/{project_id}/members"): {},
    ("GET", "/projects/{project_id}/members/{user_id}"): {},
    ("PUT", "/projects/{project_id}/members/{user_id}"): {"json": {"role": "editor"}},
    ("DELETE", "/projects/{project_id}/members/{user_id}"): {},
    ("POST", "/projects/{project_id}/documents"): {
        "json": {"document_type": "report", "content": "smuggled in"}
    },
    ("GET", "/projects/{project_id}/documents"): {"params": {"include": "content"}},
    ("GET", "/projects/{project_id}/documents/latest"): {"params": {"document_type": "report"}},
    ("GET", "/projects/{project_id}/documents/search"): {"params": {"q": MARK}},
    ("GET", "/projects/{project_id}/documents/{document_id}"): {},
    ("PUT", "/projects/{project_id}/documents/{document_id}"): {"json": {"content": "changed"}},
    ("PATCH", "/projects/{project_id}/documents/{document_id}"): {"json": {"grammar_score": 1}},
    ("DELETE", "/projects/{project_id}/documents/{document_id}"): {},
    ("GET", "/projects/{project_id}/documents/{document_id}/diff"): {},
    ("POST", "/projects/{project_id}/documents/{document_id}/restore"): {},
    ("POST", "/projects/{project_id}/agents/executions"): {"json": {"agent_type": MARK}},
    ("GET", "/projects/{project_id}/agents/executions"): {"params": {"status": "running"}},
    ("GET", "/projects/{project_id}/agents/executions/{execution_id}"): {},
    ("PUT", "/projects/{project_id}/agents/executions/{execution_id}"): {"json": {"progress": 9}},
    ("POST", "/projects/{project_id}/agents/executions/{execution_id}/heartbeat"): {},
    ("GET", "/projects/{project_id}/agents/executions/{execution_id}/events"): {},
    ("GET", "/projects/{project_id}/agents/metrics"): {},
    ("POST", "/projects/{project_id}/exports"): {"json": {"format": "zip"}},
    ("GET", "/projects/{project_id}/exports"): {},
    ("GET", "/projects/{project_id}/exports/{export_id}"): {},
    ("DELETE", "/projects/{project_id}/exports/{export_id}"): {},
    ("GET", "/projects/{project_id}/exports/{export_id}/download"): {},
    ("POST", "/projects/{project_id}/dsl/execute"): {"json": {"dsl": "(audit.log :event x)"}},
    ("GET", "/projects/{project_id}/dsl/operations"): {},
    ("POST", "/projects/{project_id}/dsl/generate"): {"json": {"instruction": "open case N-1"}},
    ("GET", "/projects/{project_id}/dsl/proposals"): {},
    ("GET", "/projects/{project_id}/dsl/proposals/{proposal_id}"): {},
    ("POST", "/projects/{project_id}/dsl/proposals/{proposal_id}/approve"): {},
    ("POST", "/projects/{project_id}/dsl/proposals/{proposal_id}/reject"): {},
    ("GET", "/dictionary/{attribute_id}"): {},
    ("PUT", "/dictionary/{attribute_id}"): {"json": {"domain": "taken over"}},
    ("DELETE", "/dictionary/{attribute_id}"): {},
    ("GET", "/projects/{project_id}/subjects/{subject_kind}/{subject_id}/values"): {},
    ("PUT", "/projects/{project_id}/subjects/{subject_kind}/{subject_id}/values"): {
        "json": {"values": {"identity.legal_name": "taken over"}}
    },
    ("GET", "/projects/{project_id}/cases"): {},
    ("GET", "/projects/{project_id}/cases/{case_id}"): {},
    ("POST", "/projects/{project_id}/cases/{case_id}/dsl"): {
        "json": {"dsl": "(audit.log :event x)"}
    },
    ("GET", "/projects/{project_id}/cases/{case_id}/versions"): {},
    ("GET", "/projects/{project_id}/cases/{case_id}/versions/{version}"): {},
    ("GET", "/projects/{project_id}/cases/{case_id}/diff"): {},
    ("POST", "/projects/{project_id}/cases/{case_id}/rollback"): {"json": {"version": 1}},
    ("GET", "/projects/{project_id}/cases/{case_id}/events"): {},
    ("GET", "/projects/{project_id}/entities"): {},
    ("GET", "/projects/{project_id}/entities/{entity_id}"): {},
    ("GET", "/projects/{project_id}/entities/{entity_id}/ownership"): {},
    ("GET", "/conversations/{conversation_id}"): {"params": {"include": "messages"}},
    ("PATCH", "/conversations/{conversation_id}"): {"json": {"title": "taken over"}},
    ("DELETE", "/conversations/{conversation_id}"): {},
    ("POST", "/conversations/{conversation_id}/restore"): {},
    ("POST", "/conversations/{conversation_id}/branch"): {"json": {"at_seq": 1}},
    ("POST", "/conversations/{conversation_id}/messages"): {
        "json": {"role": "user", "content": "smuggled in"}
    },
    ("POST", "/conversations/{conversation_id}/messages/bulk"): {
        "json": [{"role": "user", "content": "smuggled in"}]
    },
    ("GET", "/conversations/{conversation_id}/messages"): {},
    ("GET", "/conversations/{conversation_id}/messages/{seq}"): {},
    ("PATCH", "/conversations/{conversation_id}/messages/{seq}"): {"json": {"content": "changed"}},
    ("POST", "/conversations/{conversation_id}/messages/{seq}/regenerate"): {
        "json": {"content": "changed"}
    },
    ("GET", "/conversations/{conversation_id}/messages/{seq}/variants"): {},
    ("PUT", "/conversations/{conversation_id}/messages/{seq}/active"): {"json": {"variant": 1}},
    ("GET", "/conversations/{conversation_id}/context"): {},
    ("GET", "/memories/{memory_id}"): {},
    ("PATCH", "/memories/{memory_id}"): {"json": {"answer": "changed"}},
    ("DELETE", "/memories/{memory_id}"): {},
    ("GET", "/files/{file_id}"): {},
    ("GET", "/files/{file_id}/content"): {},
    ("DELETE", "/files/{file_id}"): {},
    ("POST", "/files/{file_id}/processed"): {"json": {"analysis": {"taken": "over"}}},
    ("GET", "/users/{user_id}/storage"): {},
    ("GET", "/users/{user_id}/export"): {},
    ("POST", "/projects/{project_id}/imports"): {"content": b"Host Name\nsmuggled in\n"},
    ("GET", "/projects/{project_id}/imports"): {},
    ("GET", "/projects/{project_id}/imports/{import_id}"): {},
    ("GET", "/projects/{project_id}/imports/{import_id}/records"): {},
    ("GET", "/projects/{project_id}/imports/{import_id}/profile"): {},
    ("GET", "/projects/{project_id}/imports/{import_id}/deletion-impact"): {},
    ("DELETE", "/projects/{project_id}/imports/{import_id}"): {},
    ("GET", "/projects/{project_id}/imports/{import_id}/mappings"): {},
    ("PUT", "/projects/{project_id}/imports/{import_id}/mappings"): {
        "json": {
            "mappings": [
                {"source_field": "Host Name", "target_field": "custom", "status": "rejected"}
            ]
        }
    },
    ("GET", "/projects/{project_id}/flows"): {},
    ("GET", "/projects/{project_id}/flows/active"): {},
    ("GET", "/projects/{project_id}/flows/{flow_id}"): {},
    ("DELETE", "/projects/{project_id}/flows/{flow_id}"): {"params": {"purge": "true"}},
    ("GET", "/projects/{project_id}/flows/{flow_id}/summary"): {},
    ("GET", "/projects/{project_id}/flows/{flow_id}/preview"): {},
    ("GET", "/projects/{project_id}/flows/{flow_id}/events"): {},
    ("POST", "/projects/{project_id}/flows/{flow_id}/pause"): {},
    ("POST", "/projects/{project_id}/flows/{flow_id}/resume"): {},
    ("POST", "/projects/{project_id}/flows/{flow_id}/retry"): {},
    ("POST", "/projects/{project_id}/flows/{flow_id}/cancel"): {},
    ("POST", "/projects/{project_id}/flows/{flow_id}/archive"): {},
    ("POST", "/projects/{project_id}/flows/{flow_id}/phases/{phase}/run"): {},
    ("GET", "/projects/{project_id}/conflicts"): {},
    ("POST", "/projects/{project_id}/conflicts/resolve"): {
        "json": {"resolutions": [{"id": absent(), "action": "keep_existing"}]}
    },
    ("GET", "/projects/{project_id}/assets"): {"params": {"q": MARK}},
    ("PATCH", "/projects/{project_id}/assets"): {"json": [{"id": absent(), "cost": 1}]},
    ("GET", "/projects/{project_id}/assets/summary"): {},
    ("GET", "/projects/{project_id}/assets/export"): {},
    ("GET", "/projects/{project_id}/assets/{asset_id}"): {},
    ("PATCH", "/projects/{project_id}/assets/{asset_id}"): {"json": {"cost": 1}},
    ("DELETE", "/projects/{project_id}/assets/{asset_id}"): {},
    ("POST", "/projects/{project_id}/assets/{asset_id}/restore"): {},
}
# Endpoints without an id: lists, and those that make rows; each has a test below.
WITHOUT_ID = {
    ("GET", "/users"), ("POST", "/users"), ("POST", "/users/bulk"),
    ("PUT", "/users/by-email/{email}"),
    ("GET", "/projects"), ("POST", "/projects"), ("POST", "/projects/bulk"),
    ("GET", "/audit"), ("GET", "/dictionary"), ("POST", "/dictionary"),
    # of no tenant: the vocabulary, and documents that nothing is stored of
    ("GET", "/dsl/verbs"), ("GET", "/dsl/verbs/{verb}"), ("POST", "/dsl/parse"),
    ("POST", "/dsl/format"), ("POST", "/dsl/validate"),
    ("GET", "/conversations"), ("POST", "/conversations"), ("GET", "/messages/search"),
    ("GET", "/memories"), ("POST", "/memories"), ("GET", "/files"), ("POST", "/files"),
    ("GET", "/integrity"),
}  # fmt: skip
LISTS = ("/users", "/projects")
# These are about a deleted project.
DELETED = {"/projects/{project_id}/restore", "/projects/{project_id}/purge",
           "/conversations/{conversation_id}/restore"}  # fmt: skip
# These are about what has ended: the events of anything else never do.
ENDED = {
    "/projects/{project_id}/agents/executions/{execution_id}/events": "ended",
    "/projects/{project_id}/flows/{flow_id}/events": "ended_flow",
}
# Parts of a path that name nothing of a tenant.
PLAIN = {"seq": "2", "phase": "validation"}
# A foreign user in one's own project is a bad reference, as an absent one is.
REFERENCES = {("PUT", "/projects/{project_id}/members/{user_id}")}

TABLES = (
    "workspace.users", "workspace.projects", "workspace.project_members",
    "workspace.document_versions", "workspace.agent_executions", "workspace.exports",
    "workspace.document_counters", "cases.cases", "cases.case_versions", "cases.case_events",
    "cases.entities", "cases.dsl_operations", "cases.dsl_proposals", "cases.dictionary",
    "cases.attribute_values",
    "assistant.conversations", "assistant.messages",
    "assistant.memories", "assistant.files",
    "discovery.master_flows", "discovery.data_imports", "discovery.discovery_flows",
    "discovery.field_mappings", "discovery.raw_records", "discovery.assets",
    "discovery.asset_conflicts", "discovery.asset_dependencies", "discovery.flow_transitions",
)  # fmt: skip


class Rows(NamedTuple):
    """Ids of what a tenant has."""

    user_id: str
    project_id: str
    document_id: str
    execution_id: str
    ended: str
    export_id: str
    conversation_id: str
    memory_id: str
    file_id: str
    import_id: str
    deleted: str
    deleted_conversation: str
    case_id: str
    entity_id: str
    version: str  # of the case, and of no other tenant's
    subject_kind: str  # another one than the other tenant's
    subject_id: str
    attribute_id: str
    proposal_id: str
    asset_id: str = ""
    flow_id: str = ""
    ended_flow: str = ""
    conflict_id: str = ""

    def ids(self) -> list[str]:
        return [row_id for row_id in self if row_id]


class World(NamedTuple):
    """A server, and the clients of the tenant that looks and of the one that must not be seen."""

    database: Database
    looker: httpx.Client
    owner: httpx.Client


def furnish(client: httpx.Client, word: str = "plain") -> Rows:
    """A user, a project of his with two versions of a document, an export, an execution that runs
    and one that has ended, and a deleted project."""
    user = make_user(client, email=f"{unique(word)}@example.org", name=word)["id"]
    project = make_project(client, name=f"{word} {unique()}", created_by=user)["id"]
    make_document(client, project, content=f"{word} first")
    document = make_document(client, project, content=f"{word} second")["id"]
    running = make_execution(client, project, "running", agent_type=word)["id"]
    ended = make_execution(client, project, "cancelled", agent_type=word)["id"]
    export = make_export(client, project)["id"]
    inventory = make_import(client, project, word, unique("host"))
    # no job takes it further while somebody compares
    ok(client.post(f"/projects/{project}/flows/{inventory['master_flow_id']}/cancel"))
    deleted = make_project(client, name=f"{word} deleted", created_by=user)["id"]
    assert client.delete(f"/projects/{deleted}", headers=ANY_VERSION).status_code == 204
    case, entity = unique(f"{word}-case"), unique(f"{word}-entity")
    text = f'(case.create :case-id "{case}") (entity.register :id "{entity}" :type trust)'
    execute = f"/projects/{project}/dsl/execute"
    ok(client.post(execute, json={"dsl": text}))
    subject = ("case", case)
    if word == MARK:
        ok(client.post(execute, json={"dsl": f'(case.update :case-id "{case}" :title "{word}")'}))
        subject = ("entity", entity)
    attribute = ok(client.post("/dictionary", json={"name": unique(word), "mask": "string"}), 201)
    values = {"values": {attribute["name"]: word}}
    path = f"/projects/{project}/subjects/{'/'.join(subject)}/values"
    assert client.put(path, json=values).status_code == 204
    asked = {"instruction": f'open case {unique("N")} for "{word}"'}
    proposal = ok(client.post(f"/projects/{project}/dsl/generate", json=asked), 201)
    conversation = make_conversation(client, user, title=f"{word} {unique()}")
    turns = [{"role": r, "content": f"{word} {r}"} for r in ("user", "assistant")]
    ok(client.post(f"/conversations/{conversation['id']}/messages", json=turns), 201)
    gone = make_conversation(client, user, title=f"{word} deleted")["id"]
    assert client.delete(f"/conversations/{gone}", headers=ANY_VERSION).status_code == 204
    kept = {"user_id": user, "question": f"{word}?", "answer": f"{word} memory"}
    memory = ok(client.post("/memories", json=kept), 201)["id"]
    upload = {"file": (f"{word}.txt", f"{word} {unique()}".encode())}
    file = ok(client.post("/files", files=upload, data={"user_id": user}), 201)
    return Rows(
        user, project, document, running, ended, export, conversation["id"], memory, file["id"],
        inventory["id"], deleted, gone, case, entity, "2" if word == MARK else "1", *subject,
        attribute["id"], proposal["id"], ended_flow=inventory["master_flow_id"],
    )  # fmt: skip


def with_assets(world: World, own: Rows, foreign: Rows) -> tuple[Rows, Rows]:
    """The same with assets, flows and a conflict in each project, the foreign one's marked."""

    def furnished(rows: Rows, word: str) -> Rows:
        still = make_flow(world.database, rows.project_id, "initialized", word=word)
        asset = make_assets(world.database, rows.project_id, word=word)[1][0]["id"]
        return rows._replace(asset_id=asset, flow_id=still.flow, conflict_id=still.conflict)

    return furnished(own, "plain"), furnished(foreign, MARK)


def attempts(method: str, path: str, own: Rows, foreign: Rows) -> Iterator[tuple[str, str, bool]]:
    """Paths with a foreign id in each place and with an absent one there; whether all are."""
    names = re.findall(r"{(\w+)}", path)
    for places in itertools.product((True, False), repeat=len(names)):
        if not any(p for n, p in zip(names, places, strict=True) if n not in PLAIN):
            continue
        ids: list[dict[str, str]] = [{}, {}]
        for name, is_foreign in zip(names, places, strict=True):
            if name in PLAIN:
                ids[0][name] = ids[1][name] = PLAIN[name]
                continue
            theirs, mine = (id_of(rows, path, name) for rows in (foreign, own))
            ids[0][name] = theirs if is_foreign else mine
            ids[1][name] = absent() if is_foreign else mine
        yield path.format(**ids[0]), path.format(**ids[1]), all(places)


def id_of(rows: Rows, path: str, name: str) -> str:
    """The id of the row that a path is about."""
    if path in DELETED:
        return rows.deleted_conversation if name == "conversation_id" else rows.deleted
    name = ENDED.get(path, name) if name in ("execution_id", "flow_id") else name
    return str(getattr(rows, name))


def both_furnished(world: World) -> tuple[Rows, Rows]:
    """What the tenant that looks has, and what the other one has."""
    return with_assets(world, furnish(world.looker), furnish(world.owner, MARK))


def leaks_by_id(world: World, method: str, path: str, rows: tuple[Rows, Rows]) -> list[str]:
    """The places in which an endpoint tells a foreign id from an absent one, or changes its row.

    Where it finds none, the rows are as they were: every request names what is not there.
    """
    own, foreign = rows
    before = contents(world.database, foreign)
    found = []
    for theirs, nobodys, everywhere in attempts(method, path, own, foreign):
        asked: dict[str, Any] = {"headers": ANY_VERSION} | NEEDS[method, path]
        foreign_answer = world.looker.request(method, theirs, **asked)
        absent_answer = world.looker.request(method, nobodys, **asked)
        reference = (method, path) in REFERENCES and not everywhere and own.project_id in theirs
        expected = (422, "foreign_key") if reference else (404, "not_found")
        problem(absent_answer, *expected)
        if not same_refusal(foreign_answer, absent_answer) or MARK in foreign_answer.text:
            found.append(f"{method} {theirs}: {foreign_answer.status_code} {foreign_answer.text}")
    if contents(world.database, foreign) != before:
        found.append(f"{method} {path} changed a foreign row")
    return found


def leaks_in_lists(world: World) -> list[str]:
    """What of a foreign tenant can be seen in the lists that carry no id."""
    own, foreign = both_furnished(world)
    asked: list[tuple[str, Json]] = [
        (path, query)
        for path in LISTS
        for query in ({}, {"q": MARK}, {"limit": 200, "include_total": "true"})
    ]
    asked += [
        ("/projects", {"created_by": foreign.user_id}),
        *(("/audit", query) for query in ({"limit": 200}, {"row_id": foreign.project_id})),
        ("/conversations", {"user_id": foreign.user_id}),
        ("/messages/search", {"user_id": foreign.user_id, "q": MARK}),
        ("/memories", {"user_id": foreign.user_id}),
        ("/memories", {"user_id": foreign.user_id, "q": MARK}),
        ("/files", {"user_id": foreign.user_id}),
        (f"/projects/{own.project_id}/members", {}),
        (f"/projects/{own.project_id}/documents", {"include": "content"}),
        (f"/projects/{own.project_id}/agents/executions", {}),
        (f"/projects/{own.project_id}/agents/executions", {"status": "running"}),
        (f"/projects/{own.project_id}/exports", {}),
        (f"/projects/{own.project_id}/cases", {}),
        (f"/projects/{own.project_id}/entities", {}),
        (f"/projects/{own.project_id}/dsl/operations", {}),
        (f"/projects/{own.project_id}/dsl/proposals", {}),
        (f"/projects/{own.project_id}/subjects/case/{own.case_id}/values", {}),
        *(
            ("/dictionary", query)
            for query in ({"limit": 200}, {"q": MARK}, {"group_id": "general"})
        ),
        (f"/projects/{own.project_id}/imports", {}),
        (f"/projects/{own.project_id}/imports/{own.import_id}/records", {}),
        (f"/projects/{own.project_id}/flows", {}),
        (f"/projects/{own.project_id}/flows", {"status": "initialized"}),
        (f"/projects/{own.project_id}/flows/active", {}),
        (f"/projects/{own.project_id}/flows/{own.flow_id}/preview", {}),
        (f"/projects/{own.project_id}/conflicts", {}),
        (f"/projects/{own.project_id}/conflicts", {"flow_id": foreign.flow_id}),
        *(
            (f"/projects/{own.project_id}/{name}", query)
            for name in ("assets", "assets/export")
            for query in ({}, {"flow": foreign.flow_id})
        ),
        ("/integrity", {}),
        (f"/projects/{own.project_id}/documents/search", {"q": f"{MARK} or plain"}),
    ]
    found = []
    for path, query in asked:
        answers = [world.looker.get(path, params=query).text]
        answers.append(world.looker.get(path, params=query, headers=NDJSON).text)
        secrets = (MARK, *(known for known in foreign.ids() if len(known) > 8))
        if any(secret in text for secret in secrets for text in answers):
            found.append(f"GET {path} {query}")
    for path in (*LISTS, "/audit"):
        total = ok(world.looker.get(path, params={"include_total": "true"}))["total"]
        if total != len(walk(world.looker, path, limit=200)):
            found.append(f"GET {path} counts {total}")
    return found


def leaks(world: World) -> dict[tuple[str, str], list[str]]:
    """All leaks by endpoint."""
    rows, found = both_furnished(world), {}
    for endpoint in NEEDS:
        found[endpoint] = leaks_by_id(world, *endpoint, rows)
        if found[endpoint] and endpoint[0] != "GET":  # and has changed them
            rows = both_furnished(world)
    found["GET", "lists"] = leaks_in_lists(world)
    return {endpoint: what for endpoint, what in found.items() if what}


def contents(database: Database, rows: Rows) -> list[Any]:
    """Everything that is stored about a tenant's rows, read as superuser."""
    each = " UNION ALL ".join(
        f"SELECT '{table}' AS name, to_jsonb(t) AS kept FROM {table} AS t" for table in TABLES
    )
    return database.psql(
        f"SELECT a.name, a.kept FROM ({each}) AS a"
        " WHERE ARRAY[a.kept ->> 'id', a.kept ->> 'project_id', a.kept ->> 'conversation_id']"
        "       && %s::text[]"
        " ORDER BY a.name, a.kept::text",
        rows.ids(),
    )


def world_of(server: Server, database: Database) -> World:
    return World(database, server.client(server.key("globex")), server.client(server.key("acme")))


def without_predicates(folder: Path) -> Path:
    """A copy of the query files whose tenant predicates are always true."""
    copy = folder / "sql"
    shutil.copytree(SQL_DIR, copy)
    changed = 0
    for file in copy.rglob("*.sql"):
        text, count = re.subn(
            r"\b\w+\.tenant_id = :tenant_id\b", ":tenant_id::uuid = :tenant_id::uuid",
            file.read_text(),
        )  # fmt: skip
        text = text.replace("u.tenant_id = p.tenant_id AND ", "")
        file.write_text(text)
        changed += count
    assert changed > 20
    return copy


def without_row_security(database: Database) -> None:
    tables = database.psql("SELECT c.oid::regclass::text FROM pg_class AS c WHERE c.relrowsecurity")
    assert len(tables) >= len(TABLES)
    for (table,) in tables:
        database.psql(
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
        )


@pytest.fixture(scope="module")
def world(server: Server, module_database: Database) -> World:
    return world_of(server, module_database)


@pytest.fixture(scope="module")
def shared(world: World) -> list[tuple[Rows, Rows]]:
    """Rows of both; a test that has found a leak, and so may have changed them, puts others in."""
    return [both_furnished(world)]


# ---------------------------------------------------------------- every endpoint


def test_every_endpoint_has_a_case_here() -> None:
    """An endpoint that is new must be added above, or nobody knows whether it leaks."""
    guarded = {(e.method, e.path) for e in ENDPOINTS if e.scope is not None}
    assert guarded == NEEDS.keys() | WITHOUT_ID
    assert all("{" in path for _, path in NEEDS)


def test_only_health_is_open_without_credentials() -> None:
    open_paths = {e.path for e in ENDPOINTS if e.scope is None}
    assert all(
        path.startswith(("/health", "/ready", "/openapi.json", "/docs")) for path in open_paths
    )


@pytest.mark.parametrize("endpoint", NEEDS, ids=" ".join)
def test_a_foreign_id_is_answered_like_an_absent_one(
    world: World, endpoint: tuple[str, str], shared: list[tuple[Rows, Rows]]
) -> None:
    found = leaks_by_id(world, *endpoint, shared[0])
    if found:
        shared[0] = both_furnished(world)
    assert found == []


def test_lists_counts_and_searches_show_nothing_foreign(world: World) -> None:
    assert leaks_in_lists(world) == []


def test_an_id_that_is_no_uuid_is_answered_like_an_absent_one(world: World) -> None:
    for path in ("/users/{}", "/projects/{}", "/projects/{}/members", "/projects/{}/documents"):
        for strange in ("1", "latest", "x" * 300, "%00", "{}", absent().replace("-", "")):
            answer = world.looker.get(path.format(strange))
            assert same_refusal(answer, world.looker.get(path.format(absent()))), answer.text


# ---------------------------------------------------------------- bodies, queries, cursors


def test_the_same_address_in_two_tenants_is_no_conflict(
    mine: httpx.Client, theirs: httpx.Client
) -> None:
    address = f"{unique()}@example.org"
    first = make_user(mine, email=address)
    second = make_user(theirs, email=address)
    assert first["id"] != second["id"]
    bulk = [{"email": f"{unique()}@example.org", "name": "Ada"}]
    ok(mine.post("/users/bulk", json=bulk), 201)
    ok(theirs.post("/users/bulk", json=bulk), 201)


def test_get_or_create_by_address_never_finds_a_foreign_user(
    mine: httpx.Client, theirs: httpx.Client, module_database: Database
) -> None:
    user = make_user(mine, name=MARK, profile={"secret": MARK})
    stored = "SELECT to_jsonb(u) FROM workspace.users AS u WHERE id = %s"
    before = module_database.psql(stored, user["id"])
    found = ok(theirs.put(f"/users/by-email/{user['email']}", json={"name": "Eve"}))
    assert found["id"] != user["id"]
    assert found["name"] == "Eve" and found["profile"] == {}
    assert module_database.psql(stored, user["id"]) == before


def test_a_foreign_user_in_a_body_is_refused_like_an_absent_one(
    mine: httpx.Client, theirs: httpx.Client
) -> None:
    user, own = make_user(mine)["id"], furnish(theirs)
    project = {"name": "x", "language": "en"}
    document = {"document_type": "report", "content": "x"}
    version = f"/projects/{own.project_id}/documents/{own.document_id}"
    for method, path, body in (
        ("POST", "/projects", project),
        ("POST", "/projects/bulk", project),
        ("POST", f"/projects/{own.project_id}/documents", document),
        ("PUT", version, {"content": "y"}),
    ):
        answers = []
        for named in (user, absent()):
            made = body | {"created_by": named}
            answers.append(
                theirs.request(
                    method, path, headers=ANY_VERSION, json=[made] if "bulk" in path else made
                )
            )
        pointer = "/0/created_by" if "bulk" in path else "/created_by"
        problem(answers[0], 422, "foreign_key", pointer)
        assert same_refusal(*answers)


def test_a_foreign_document_to_compare_with_is_refused_like_an_absent_one(
    mine: httpx.Client, theirs: httpx.Client
) -> None:
    foreign, own = furnish(mine), furnish(theirs)
    path = f"/projects/{own.project_id}/documents/{own.document_id}/diff"
    answers = [
        theirs.get(path, params={"against": other}) for other in (foreign.document_id, absent())
    ]
    problem(answers[0], 422, "validation", "query:against")
    assert same_refusal(*answers)


def test_a_foreign_conflict_in_a_body_is_refused_like_an_absent_one(world: World) -> None:
    own, foreign = both_furnished(world)
    before = contents(world.database, foreign)
    path = f"/projects/{own.project_id}/conflicts/resolve"
    answers = [
        world.looker.post(path, json={"resolutions": [{"id": named, "action": "replace"}]})
        for named in (foreign.conflict_id, absent())
    ]
    problem(answers[0], 422, "validation", "/resolutions/0/id")
    assert same_refusal(*answers)
    assert contents(world.database, foreign) == before


def test_a_cursor_of_another_tenant_is_refused(mine: httpx.Client, theirs: httpx.Client) -> None:
    for client in (mine, theirs):
        for _ in range(3):
            furnish(client)
    for path in LISTS:
        cursor = next(pages(mine, path, limit=1))["next_cursor"]
        ok(mine.get(path, params={"cursor": cursor, "limit": 1}))
        problem(theirs.get(path, params={"cursor": cursor, "limit": 1}), 400, "bad_cursor")


def test_a_key_bound_to_a_foreign_project_sees_nothing(server: Server, mine: httpx.Client) -> None:
    foreign = furnish(mine)
    bound = server.client(server.key("globex", projects=[foreign.project_id]))
    problem(bound.get(f"/projects/{foreign.project_id}"), 404, "not_found")
    assert ok(bound.get("/projects"))["items"] == []


def test_events_are_written_for_the_tenant_of_the_row(
    mine: httpx.Client, theirs: httpx.Client, module_database: Database
) -> None:
    for client, name in ((mine, "acme"), (theirs, "globex")):
        written = events(module_database, make_project(client)["id"])
        assert [e["tenant"] for e in written] == [tenant_id(module_database, name)]


def test_tenants_that_share_two_connections_never_see_each_other(
    module_served: Served, module_database: Database
) -> None:
    """600 requests of two tenants, with failures among them, each answered with its own rows."""
    server = module_served(module_database, pool_max_size=2, pool_wait_ms=10_000)
    both = [Tenant(server, unique("shared")) for _ in range(2)]
    rows = [furnish(tenant.client, tenant.name) for tenant in both]

    def ask(number: int) -> bool:
        side, other = number % 2, (number + 1) % 2
        client, own = both[side].client, rows[side]
        if number % 5 == 0:  # a statement that fails must not leave its tenant behind
            body = {"name": "x", "language": "en", "created_by": absent()}
            problem(client.post("/projects", json=body), 422, "foreign_key")
        text = client.get("/projects").text + client.get(f"/projects/{own.project_id}").text
        foreign = client.get(f"/projects/{rows[other].project_id}")
        return own.project_id in text and both[other].name not in text and (
            foreign.status_code == 404
        )  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(200)))


# ---------------------------------------------------------------- the walls


def test_isolation_holds_in_explicit_transactions(
    module_served: Served, module_database: Database
) -> None:
    server = module_served(module_database, isolation="transaction")
    assert leaks(world_of(server, module_database)) == {}


def test_isolation_holds_when_the_query_files_forget_the_tenant(
    module_served: Served, module_database: Database, tmp_path: Path
) -> None:
    server = module_served(module_database, sql_dir=without_predicates(tmp_path))
    assert leaks(world_of(server, module_database)) == {}


def test_isolation_holds_when_row_level_security_is_off(served: Served, database: Database) -> None:
    without_row_security(database)
    assert leaks(world_of(served(database), database)) == {}


def test_with_both_walls_down_every_endpoint_leaks(
    served: Served, database: Database, tmp_path: Path
) -> None:
    """So each case above can fail, and would tell."""
    without_row_security(database)
    server = served(database, sql_dir=without_predicates(tmp_path))
    found = leaks(world_of(server, database))
    assert found.keys() == NEEDS.keys() | {("GET", "lists")}


FOREIGN_LINKS = {
    "a project of a foreign user":
        "INSERT INTO workspace.projects (tenant_id, name, language, created_by)"
        " VALUES (%(own)s, 'x', 'en', %(user)s)",
    "a project handed to a foreign user":
        "UPDATE workspace.projects SET created_by = %(user)s WHERE id = %(own_project)s",
    "a member of a foreign project":
        "INSERT INTO workspace.project_members (tenant_id, project_id, user_id, role)"
        " VALUES (%(own)s, %(project)s, %(own_user)s, 'editor')",
    "a foreign member":
        "INSERT INTO workspace.project_members (tenant_id, project_id, user_id, role)"
        " VALUES (%(own)s, %(own_project)s, %(user)s, 'editor')",
    "a document in a foreign project":
        "INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, content)"
        " VALUES (%(own)s, %(project)s, 'report', 'x')",
    "a document of a foreign user":
        "INSERT INTO workspace.document_versions"
        " (tenant_id, project_id, document_type, content, created_by)"
        " VALUES (%(own)s, %(own_project)s, 'report', 'x', %(user)s)",
    "a document based on a foreign one":
        "INSERT INTO workspace.document_versions"
        " (tenant_id, project_id, document_type, content, based_on)"
        " VALUES (%(own)s, %(own_project)s, 'report', 'x', %(document)s)",
    "an execution in a foreign project":
        "INSERT INTO workspace.agent_executions"
        " (tenant_id, project_id, agent_type, correlation_id)"
        " VALUES (%(own)s, %(project)s, 'a', 'c')",
    "an execution for a foreign user":
        "INSERT INTO workspace.agent_executions"
        " (tenant_id, project_id, agent_type, correlation_id, requested_by)"
        " VALUES (%(own)s, %(own_project)s, 'a', 'c', %(user)s)",
    "an export of a foreign project":
        "INSERT INTO workspace.exports (tenant_id, project_id, format)"
        " VALUES (%(own)s, %(project)s, 'zip')",
    "an export of a foreign user":
        "INSERT INTO workspace.exports (tenant_id, project_id, format, created_by)"
        " VALUES (%(own)s, %(own_project)s, 'zip', %(user)s)",
    "a flow in a foreign project":
        "INSERT INTO discovery.master_flows (tenant_id, project_id, flow_name)"
        " VALUES (%(own)s, %(project)s, 'x')",
    "a row of a foreign import":
        "INSERT INTO discovery.raw_records"
        " (tenant_id, project_id, data_import_id, master_flow_id, row_number, raw)"
        " SELECT %(own)s, i.project_id, i.id, i.master_flow_id, 9, '{}'"
        "   FROM discovery.data_imports AS i WHERE i.id = %(import)s",
    "a counter of a foreign project":
        "INSERT INTO workspace.document_counters VALUES (%(own)s, %(project)s, 'x', 1)",
    "a key of a foreign user":
        "INSERT INTO core.api_keys (tenant_id, secret_hash, name, scopes, user_id)"
        " VALUES (%(own)s, sha256('x'), 'x', '{*}', %(user)s)",
}  # fmt: skip


@pytest.mark.parametrize("statement", FOREIGN_LINKS.values(), ids=FOREIGN_LINKS)
def test_a_link_across_tenants_cannot_be_stored_even_by_a_superuser(
    world: World, statement: str
) -> None:
    own, foreign = furnish(world.looker), furnish(world.owner)
    values = {
        "own": tenant_id(world.database, "globex"), "own_project": own.project_id,
        "own_user": own.user_id, "user": foreign.user_id, "project": foreign.project_id,
        "document": foreign.document_id, "import": foreign.import_id,
    }  # fmt: skip
    with (
        psycopg.connect(world.database.owner_dsn) as superuser,
        pytest.raises(errors.ForeignKeyViolation),
    ):
        superuser.execute(statement, values)


@pytest.mark.parametrize("table", TABLES[:5])
def test_a_row_cannot_be_moved_to_another_tenant_even_by_a_superuser(
    world: World, table: str
) -> None:
    furnish(world.owner)
    acme, globex = (tenant_id(world.database, name) for name in ("acme", "globex"))
    with pytest.raises(errors.CheckViolation):
        world.database.psql(f"UPDATE {table} SET tenant_id = %s WHERE tenant_id = %s", globex, acme)


def test_every_reference_between_tenants_rows_carries_the_tenant(world: World) -> None:
    """Read from the catalogue, so that a table that is new cannot be forgotten."""
    without = world.database.psql(
        """SELECT f.conrelid::regclass::text, f.conname
             FROM pg_constraint AS f
            WHERE f.contype = 'f'
              AND 2 = (SELECT count(*) FROM pg_attribute AS a
                        WHERE a.attname = 'tenant_id' AND a.attrelid IN (f.conrelid, f.confrelid))
              AND NOT EXISTS (SELECT FROM unnest(f.conkey, f.confkey) AS k (one, other)
                                JOIN pg_attribute AS a
                                  ON a.attrelid = f.conrelid AND a.attnum = k.one
                                JOIN pg_attribute AS b
                                  ON b.attrelid = f.confrelid AND b.attnum = k.other
                               WHERE a.attname = 'tenant_id' AND b.attname = 'tenant_id')"""
    )
    assert without == []


def test_row_level_security_is_forced_on_every_table_with_a_tenant(world: World) -> None:
    """Save on the partitions that COPY loads: there the service may add rows, and nothing else."""
    without = world.database.psql(
        """SELECT c.oid::regclass::text
             FROM pg_class AS c
             JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
            WHERE c.relkind IN ('r', 'p')
              AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
              AND (has_any_column_privilege('quarry_app', c.oid, 'SELECT, UPDATE')
                   OR has_table_privilege('quarry_app', c.oid, 'INSERT, DELETE, TRUNCATE')
                   OR has_column_privilege('quarry_app', c.oid, 'tenant_id', 'INSERT')
                   OR has_any_column_privilege('quarry_readonly', c.oid, 'SELECT')
                   OR NOT c.relispartition)"""
    )
    assert without == []


def test_a_connection_without_a_tenant_sees_and_writes_nothing(world: World) -> None:
    furnish(world.owner)
    acme = tenant_id(world.database, "acme")
    for table in TABLES:
        count = world.database.psql(f"SELECT count(*) FROM {table}", dsn=world.database.app_dsn)
        assert count == [(0,)], table
    with pytest.raises(errors.InsufficientPrivilege):
        world.database.psql(
            "INSERT INTO workspace.projects (tenant_id, name, language) VALUES (%s, 'x', 'en')",
            acme, dsn=world.database.app_dsn,
        )  # fmt: skip


def test_a_connection_cannot_write_for_another_tenant(world: World) -> None:
    acme, globex = (tenant_id(world.database, name) for name in ("acme", "globex"))
    with (
        psycopg.connect(world.database.app_dsn) as service,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        service.execute("SELECT set_config('app.tenant_id', %s, true)", [globex])
        service.execute(
            "INSERT INTO workspace.projects (tenant_id, name, language) VALUES (%s, 'x', 'en')",
            [acme],
        )
