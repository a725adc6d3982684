"""Who may do what, and the trail of who did: keys, scopes, tokens, events of every change."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from psycopg import errors

from service.resources import ENDPOINTS
from tests.conftest import Served
from tests.promises.helpers import (
    ANY_VERSION,
    Json,
    Tenant,
    absent,
    actor_of,
    events,
    make_document,
    make_project,
    make_user,
    ok,
    problem,
    same_refusal,
    tenant_id,
    unique,
)  # fmt: skip
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("access")

SECRET = "a secret of at least sixty-four bytes, which is what HS512 wants of one"


# ---------------------------------------------------------------- who is asking


def test_without_good_credentials_every_endpoint_is_401(server: Server, mine: httpx.Client) -> None:
    key = server.key("acme")
    head, _, secret = key.rpartition("_")
    other = server.key("globex").rpartition("_")[2]
    bad = [
        "", "Bearer", f"Basic {key}", key, "Bearer qk_", f"Bearer {key}x", f"Bearer {key[:-1]}",
        f"Bearer {head}_{secret[::-1]}", f"Bearer {head}_{other}", f"Bearer qk_{'0' * 32}_{secret}",
        f"Bearer {head}_", "Bearer a.b.c", "Bearer " + "x" * 9000, f"Bearer {key} x",
        f"Bearer {key.upper()}",
    ]  # fmt: skip
    client = server.client()
    refusals = [client.get("/projects")]
    refusals += [client.get("/projects", headers={"Authorization": each}) for each in bad]
    for refusal in refusals:
        problem(refusal, 401, "unauthenticated")
        assert refusal.headers["www-authenticate"].startswith("Bearer")
    for endpoint in ENDPOINTS:
        if endpoint.scope is not None:
            answer = client.request(
                endpoint.method, endpoint.path.replace("{", "").replace("}", "")
            )
            problem(answer, 401, "unauthenticated")
    ok(client.get("/projects", headers={"Authorization": f"bearer  {key}"}))


def test_health_is_open_and_tells_nothing_of_a_bad_key(server: Server) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.scope is None:
            answer = server.client("qk_nonsense").get(endpoint.path)
            assert answer.status_code == 200, endpoint.path


def test_a_wrong_secret_cannot_be_told_from_an_unknown_key(server: Server) -> None:
    head, _, secret = server.key("acme").rpartition("_")
    wrong = server.client(f"{head}_{secret[::-1]}").get("/projects")
    unknown = server.client(f"qk_{'0' * 32}_{secret}").get("/projects")
    assert same_refusal(wrong, unknown)


def test_a_revoked_key_is_refused_at_once_in_every_process(
    server: Server, module_served: Served, module_database: Database
) -> None:
    other = module_served(module_database)
    key = server.key("acme", name=unique("revoked"))
    clients = [each.client(key) for each in (server, other)]
    for client in clients:
        ok(client.get("/projects"))
    assert server.quarry("key", "revoke", key).returncode == 0
    wait_until(lambda: all(c.get("/projects").status_code == 401 for c in clients), 2.0)


def test_an_expired_key_is_refused(server: Server) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    client = server.client(server.key("acme", expires_at=soon))
    ok(client.get("/projects"))
    wait_until(lambda: client.get("/projects").status_code == 401, 5.0)
    past = datetime.now(UTC) - timedelta(seconds=1)
    problem(server.client(server.key("acme", expires_at=past)).get("/projects"), 401,
            "unauthenticated")  # fmt: skip


def test_a_disabled_tenant_is_refused_and_let_in_again(server: Server, tenant: Tenant) -> None:
    ok(tenant.client.get("/projects"))
    assert server.quarry("tenant", "remove", tenant.name, "--yes").returncode == 0
    wait_until(lambda: tenant.client.get("/projects").status_code == 401, 1.0)
    assert server.quarry("tenant", "enable", tenant.name).returncode == 0
    wait_until(lambda: tenant.client.get("/projects").status_code == 200, 1.0)


# ---------------------------------------------------------------- scopes


@pytest.mark.parametrize(
    "scopes",
    [("projects:read",), ("projects:write",), ("projects:*",), ("admin",), ("audit",), ("cases:*",),
     ("projects:read", "admin")],
    ids="+".join,
)  # fmt: skip
def test_a_key_reaches_exactly_the_endpoints_of_its_scopes(
    tenant: Tenant, scopes: tuple[str, ...]
) -> None:
    client = tenant.caller(*scopes)
    for endpoint in ENDPOINTS:
        if endpoint.scope is None:
            continue
        area = endpoint.scope.partition(":")[0]
        allowed = endpoint.scope in scopes or f"{area}:*" in scopes
        path = re.sub(r"\{\w+\}", absent(), endpoint.path.replace("{email}", "no address"))
        answer = client.request(endpoint.method, path, json={}, headers=ANY_VERSION)
        assert (answer.status_code == 403) == (not allowed), (endpoint.method, path, answer.text)
        if not allowed:
            problem(answer, 403, "forbidden")


# ---------------------------------------------------------------- tokens


@pytest.fixture(scope="module")
def token_server(module_served: Served, module_database: Database) -> Server:
    return module_served(
        module_database, jwt_secret=SECRET, jwt_issuer="https://issuer", jwt_audience="quarry"
    )


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    stated = {
        "iss": "https://issuer", "aud": "quarry", "exp": time.time() + 60, "sub": "someone",
        "tenant": "acme", "scope": "projects:read projects:write",
    } | claims  # fmt: skip
    return jwt.encode({n: v for n, v in stated.items() if v is not None}, secret, algorithm)


def test_a_good_token_is_let_in_with_its_scopes(
    token_server: Server, mine: httpx.Client, module_database: Database
) -> None:
    project = make_project(mine)["id"]
    ok(token_server.client(token()).get(f"/projects/{project}"))
    by_id = token(tenant=tenant_id(module_database, "acme"), sub="a@b.cd")
    made = make_project(token_server.client(by_id))["id"]
    assert events(module_database, made)[0]["actor"] == "sub:a@b.cd"
    reader = token_server.client(token(scope="projects:read"))
    problem(reader.post("/projects", json={}), 403, "forbidden")
    problem(token_server.client(token(scope="")).get("/projects"), 403, "forbidden")


@pytest.mark.parametrize(
    "claims",
    [{"exp": 1}, {"exp": None}, {"sub": None}, {"tenant": None}, {"tenant": "nobody"},
     {"tenant": ""}, {"iss": "x"}, {"iss": None}, {"aud": "x"}, {"aud": None},
     {"nbf": 4102444800}, {"sub": "a\nb"}, {"sub": "x" * 300}, {"secret": SECRET.swapcase()},
     {"algorithm": "HS512"}],
    ids=lambda claims: " ".join(f"{n}={str(v)[:9]!r}" for n, v in claims.items()),
)  # fmt: skip
def test_a_bad_token_is_refused(token_server: Server, claims: Json) -> None:
    answer = token_server.client(token(**claims)).get("/projects")
    problem(answer, 401, "unauthenticated")


def test_a_token_without_a_signature_is_refused(token_server: Server) -> None:
    stated = jwt.decode(token(), options={"verify_signature": False})
    for unsigned in (jwt.encode(stated, None, "none"), token().rpartition(".")[0] + "."):
        problem(token_server.client(unsigned).get("/projects"), 401, "unauthenticated")


def test_a_token_is_no_good_where_none_is_configured(server: Server) -> None:
    problem(server.client(token()).get("/projects"), 401, "unauthenticated")


# ---------------------------------------------------------------- the trail


class Trail:
    """A caller whose requests can be told in the audit trail."""

    def __init__(self, tenant: Tenant, database: Database) -> None:
        self.client, self.database = tenant.client, database
        self.tenant = tenant_id(database, tenant.name)
        self.actor = actor_of(tenant.client)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[Any, str]:
        """The answer's body, and the request id that its events must have."""
        answer = self.client.request(
            method, path, json=body, headers=ANY_VERSION | {"X-Request-ID": unique("request")}
        )
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None, answer.headers["x-request-id"]

    def last(self, row_id: str, request_id: str, table: str, action: str) -> Json:
        """The row's newest event, which must be whole and of this request alone."""
        told = events(self.database, row_id, table)
        assert [event["request_id"] for event in told].count(request_id) == 1
        event = told[-1]
        assert (event["tenant"], event["actor"], event["user"]) == (self.tenant, self.actor, None)
        assert (event["request_id"], event["table"], event["action"]) == (request_id, table, action)
        return event

    def changed(self, row_id: str, request_id: str, table: str) -> dict[str, tuple[Any, Any]]:
        """What an update changed, before and after, without the columns that triggers keep."""
        event = self.last(row_id, request_id, table, "update")
        assert event["before"].keys() == event["after"].keys()
        assert "updated_at" in event["after"]
        return {
            name: (event["before"][name], event["after"][name])
            for name in event["after"].keys() - {"updated_at"}
        }


@pytest.fixture
def trail(tenant: Tenant, module_database: Database) -> Trail:
    return Trail(tenant, module_database)


def test_every_change_of_a_user_leaves_an_event(trail: Trail) -> None:
    table = "workspace.users"
    user, request = trail.ask("POST", "/users", {"email": "a@b.cd", "name": "Ada"})
    made = trail.last(user["id"], request, table, "insert")
    assert made["before"] is None and made["after"]["email"] == "a@b.cd"
    path = f"/users/{user['id']}"
    _, request = trail.ask("PATCH", path, {"name": "Eve", "profile": {"a": 1}})
    assert trail.changed(user["id"], request, table) == {
        "name": ("Ada", "Eve"), "profile": ({}, {"a": 1}),
    }  # fmt: skip
    _, request = trail.ask("PUT", "/users/by-email/A@b.cd")
    assert trail.changed(user["id"], request, table).keys() == {"last_login_at"}
    _, request = trail.ask("DELETE", path)
    assert trail.changed(user["id"], request, table).keys() == {"deleted_at"}
    _, request = trail.ask("POST", f"{path}/erase")
    told = [e for e in events(trail.database, user["id"]) if e["request_id"] == request]
    assert [e["action"] for e in told] == ["update", "redact"]
    assert {e["actor"] for e in told} == {trail.actor}
    made, request = trail.ask("PUT", "/users/by-email/new@b.cd")
    trail.last(made["id"], request, table, "insert")


def test_every_change_of_a_project_leaves_an_event(trail: Trail) -> None:
    table = "workspace.projects"
    project, request = trail.ask("POST", "/projects", {"name": "x", "language": "en"})
    assert trail.last(project["id"], request, table, "insert")["after"]["name"] == "x"
    path = f"/projects/{project['id']}"
    _, request = trail.ask("PUT", path, {"name": "y", "metadata": {"a": 1}})
    assert trail.changed(project["id"], request, table) == {
        "name": ("x", "y"), "metadata": ({}, {"a": 1}), "version": (1, 2),
    }  # fmt: skip
    _, request = trail.ask("DELETE", path)
    assert trail.changed(project["id"], request, table).keys() == {"deleted_at", "version"}
    _, request = trail.ask("POST", f"{path}/restore")
    assert trail.changed(project["id"], request, table)["deleted_at"][1] is None


def test_every_change_of_a_member_leaves_an_event(trail: Trail) -> None:
    table = "workspace.project_members"
    user, _ = trail.ask("POST", "/users", {"email": "a@b.cd", "name": "Ada"})
    other, _ = trail.ask("POST", "/users", {"email": "e@b.cd", "name": "Eve"})
    project, request = trail.ask(
        "POST", "/projects", {"name": "x", "language": "en", "created_by": user["id"]}
    )
    member = "SELECT id FROM workspace.project_members WHERE project_id = %s AND user_id = %s"
    first = trail.database.psql(member, project["id"], user["id"])[0][0]
    assert trail.last(first, request, table, "insert")["after"]["role"] == "owner"
    path = f"/projects/{project['id']}/members/{other['id']}"
    _, request = trail.ask("PUT", path, {"role": "viewer"})
    second = trail.database.psql(member, project["id"], other["id"])[0][0]
    assert trail.last(second, request, table, "insert")["after"]["user_id"] == other["id"]
    _, request = trail.ask("PUT", path, {"role": "editor"})
    assert trail.changed(second, request, table) == {"role": ("viewer", "editor")}
    _, request = trail.ask("DELETE", path)
    gone = trail.last(second, request, table, "delete")
    assert gone["after"] is None and gone["before"]["role"] == "editor"


def test_every_change_of_a_document_leaves_an_event_without_the_text(trail: Trail) -> None:
    table = "workspace.document_versions"
    project = make_project(trail.client)["id"]
    base = f"/projects/{project}/documents"
    body = {"document_type": "report", "content": "unmistakable"}
    document, request = trail.ask("POST", base, body)
    made = trail.last(document["id"], request, table, "insert")
    assert made["after"]["version"] == 1 and "content" not in made["after"]
    assert made["after"]["content_sha256"] == f"\\x{document['content_sha256']}"
    path = f"{base}/{document['id']}"
    _, request = trail.ask("PATCH", path, {"grammar_score": 5, "metadata": {"a": 1}})
    assert trail.changed(document["id"], request, table) == {
        "grammar_score": (None, 5), "metadata": ({}, {"a": 1}), "revision": (1, 2),
    }  # fmt: skip
    revised, request = trail.ask("PUT", path, {"content": "unmistakable too"})
    assert (
        trail.last(revised["id"], request, table, "insert")["after"]["based_on"] == document["id"]
    )
    restored, request = trail.ask("POST", f"{path}/restore")
    assert trail.last(restored["id"], request, table, "insert")["after"]["version"] == 3
    _, request = trail.ask("DELETE", path)
    assert trail.changed(document["id"], request, table).keys() == {"deleted_at"}
    texts = trail.database.psql(
        "SELECT count(*) FROM audit.events WHERE position('unmistakable' IN"
        " concat(before::text, after::text)) > 0"
    )
    assert texts == [(0,)]


def test_a_purge_leaves_an_event_of_everything_that_went(trail: Trail) -> None:
    user = make_user(trail.client)["id"]
    project = make_project(trail.client, created_by=user)["id"]
    documents = [make_document(trail.client, project)["id"] for _ in range(3)]
    trail.ask("DELETE", f"/projects/{project}")
    _, request = trail.ask("POST", f"/projects/{project}/purge")
    for row_id, table in (
        (project, "workspace.projects"), *((d, "workspace.document_versions") for d in documents)
    ):  # fmt: skip
        gone = trail.last(row_id, request, table, "delete")
        assert gone["after"] is None and gone["before"]["id"] == row_id
    told = trail.database.psql(
        "SELECT table_name, count(*) FROM audit.events WHERE request_id = %s GROUP BY 1", request
    )
    assert dict(told) == {
        "workspace.projects": 1, "workspace.project_members": 1, "workspace.document_versions": 3,
    }  # fmt: skip


def test_a_bulk_leaves_an_event_for_each_row(trail: Trail) -> None:
    user = make_user(trail.client)["id"]
    items = [{"name": f"{n}", "language": "en", "created_by": user} for n in range(50)]
    made, request = trail.ask("POST", "/projects/bulk", items)
    for number in (0, 49):
        event = trail.last(made["ids"][number], request, "workspace.projects", "insert")
        assert event["after"]["name"] == str(number)
    told = trail.database.psql(
        "SELECT count(*) FROM audit.events WHERE request_id = %s GROUP BY table_name", request
    )
    assert told == [(50,), (50,)]  # the projects, and their owners' memberships


def test_a_change_with_an_idempotency_key_leaves_the_same_event(trail: Trail) -> None:
    headers = {"Idempotency-Key": unique("key"), "X-Request-ID": unique("request")}
    body = {"name": "x", "language": "en"}
    first = ok(trail.client.post("/projects", json=body, headers=headers), 201)
    again = trail.client.post(
        "/projects", json=body, headers=headers | {"X-Request-ID": unique("request")}
    )
    assert ok(again, 201) == first
    trail.last(first["id"], headers["X-Request-ID"], "workspace.projects", "insert")
    assert len(events(trail.database, first["id"])) == 1


def test_what_is_refused_or_only_read_leaves_no_event(trail: Trail) -> None:
    project = make_project(trail.client)["id"]
    document = make_document(trail.client, project)["id"]
    count = "SELECT count(*) FROM audit.events WHERE tenant_id = %s"
    before = trail.database.psql(count, trail.tenant)
    path = f"/projects/{project}"
    for method, target, body in (
        ("GET", path, None), ("GET", "/projects", None),
        ("GET", f"{path}/documents/{document}", None),
        ("PUT", path, {"language": "de"}), ("PUT", path, {"current_step": 7}),
        ("POST", "/projects", {"name": "x", "language": "en", "created_by": absent()}),
        ("POST", f"{path}/purge", None), ("PUT", f"{path}/members/{absent()}", {"role": "owner"}),
    ):  # fmt: skip
        trail.client.request(method, target, json=body, headers=ANY_VERSION)
    assert trail.database.psql(count, trail.tenant) == before


def test_a_key_of_a_user_leaves_the_user(tenant: Tenant, module_database: Database) -> None:
    user = make_user(tenant.client)
    client = tenant.caller(user=user["email"])
    event = events(module_database, make_project(client)["id"])[0]
    assert (event["actor"], event["user"]) == (actor_of(client), user["id"])


def test_the_service_can_neither_change_nor_remove_events(
    mine: httpx.Client, module_database: Database
) -> None:
    make_project(mine)
    for statement in ("UPDATE audit.events SET actor = 'x'", "DELETE FROM audit.events",
                      "TRUNCATE audit.events", "SELECT * FROM audit.events_default"):  # fmt: skip
        with pytest.raises(errors.InsufficientPrivilege):
            module_database.psql(statement, dsn=module_database.app_dsn)
