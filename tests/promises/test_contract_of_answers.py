"""Every answer of a running server is as /openapi.json describes it.

One walk through all operations, in every way that a caller can bring about: what was answered is
held against the description afterwards, and what the walk never saw is a finding as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service.operations.usage import find
from service.resources import ADMIN_ENDPOINTS, ENDPOINTS
from tests.conftest import Served
from tests.promises.assistant_walk import walk_assistant
from tests.promises.discovery_walk import walk_discovery
from tests.promises.helpers import Json
from tests.promises.inventory import make_assets
from tests.promises.judge import JSON, NDJSON, Exchange, Judge, media_type, resolved
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("contract_of_answers")  # one walk for all

ABSENT = "01890000-0000-7000-8000-000000000000"
LARGEST = 20_000  # bytes of a body; small, so that too large a body is soon sent
# Answers that need a broken or busy service: they are provoked where that is promised.
NOT_PROVOKED = {
    "internal", "database_unavailable", "pool_exhausted", "deadline_exceeded", "rate_limited",
    "draining", "idempotency_in_progress", "auth_unavailable",
    "generator_unavailable",
}  # fmt: skip


class Walk:
    """Calls operations by the paths of the description and keeps what came back."""

    def __init__(self, server: Server, database: Database) -> None:
        self.database = database
        self.files = server.folder / "data" / "files"
        self.key = server.client(server.key("acme"))
        self.nobody = server.client()
        self._auditor = server.client(server.key("acme", ("audit",)))
        self._reader = server.client(server.key("acme", ("discovery:read",)))
        self._metrics = f"{server.admin_url}/metrics"
        self.asked: dict[str, set[str]] = {}  # operation → queries that ran meanwhile
        self.exchanges: list[Exchange] = []
        self.surprises: list[str] = []
        self.described: Json = self.nobody.get("/openapi.json").json()
        self.known: dict[str, str] = {"email": "zoe@example.org"}

    def ids(self, path: str) -> list[str]:
        """What fills the parameters of a path so that it leads to something."""
        return [self.known[name] for name in re.findall(r"\{(\w+)\}", path)]

    def without(self, scope: str) -> httpx.Client:
        """Someone who lacks a scope."""
        return self._reader if scope == "audit" else self._auditor

    def __call__(self, method: str, path: str, *ids: str, status: int, **options: Any) -> Any:
        """Send a request as someone who may do everything; the answer's JSON, if it is some."""
        response = self.send(self.key, method, path, *ids, **options)
        if response.status_code != status:
            self.surprises.append(f"{self.exchanges[-1]}, not {status}")
        return response.json() if media_type(response) in JSON else response.text

    def send(
        self, client: httpx.Client, method: str, path: str, *ids: str, **options: Any
    ) -> httpx.Response:
        """Send a request to `path`, whose parameters are `ids`, and keep the answer."""
        values = iter(ids)
        filled = re.sub(r"\{\w+\}", lambda _: next(values), path)
        before = self._calls()
        response = client.request(method, filled, **options)
        self.asked.setdefault(f"{method} {path}", set()).update(self._calls() - before)
        self.exchanges.append(Exchange(method, path, response))
        return response

    def _calls(self) -> set[str]:
        """The queries with their numbers of calls, as the engine has counted them."""
        text = self.nobody.get(self._metrics).text
        return set(re.findall(r"quarry_query_seconds_count.*", text))

    def operations(self) -> Iterator[tuple[str, str, Json]]:
        """Method, path and description of every operation."""
        for path, item in self.described["paths"].items():
            for method, operation in item.items():
                yield method.upper(), path, operation


@pytest.fixture(scope="module")
def walk(module_database: Database, module_served: Served) -> Walk:
    """A server's description and every answer of the walk."""
    every = "user,conversation,page,search,project"
    made = Walk(
        module_served(
            module_database,
            max_body_bytes=LARGEST,
            upload_max_bytes=50_000,
            import_max_bytes=LARGEST,
            cache_kinds=every,
        ),
        module_database,
    )
    walk_open(made)
    walk_users(made)
    walk_projects(made)
    walk_members(made)
    walk_documents(made)
    walk_executions(made)
    walk_audit(made)
    walk_exports(made)
    walk_cases(made)
    walk_proposals(made)
    walk_dictionary(made)
    walk_assistant(made, lists, unchanged)
    walk_imports(made)
    walk_assets(made)
    walk_discovery(made, lists, unchanged)
    walk_refusals(made)
    return made


# the walk


def walk_open(call: Walk) -> None:
    for _, path, operation in call.operations():
        if not operation["security"]:
            call("GET", path, status=200)
    for path in ("/openapi.json", "/docs", "/docs/verbs", "/docs/dictionary"):
        unchanged(call, path)


def walk_users(call: Walk) -> None:
    """Every operation on users; one of them stays."""
    new = {"email": "ada@example.org", "name": "Ada", "profile": {"likes": ["engines"]}}
    ada = call("POST", "/users", status=201, json=new)["id"]
    call("POST", "/users", status=409, json=new)
    many = [{"email": f"u{n}@example.org", "name": f"User {n}"} for n in range(3)]
    ids = call("POST", "/users", status=201, json=many)["ids"]
    more = [{"email": f"v{n}@example.org", "name": f"User {n}"} for n in range(3)]
    call("POST", "/users/bulk", status=201, json=more)
    call("POST", "/users/bulk", status=409, json=more)
    call("POST", "/users/bulk", status=422, json=[])
    call("GET", "/users/{user_id}", ada, status=200)
    lists(call, "/users", total=True)
    call("GET", "/users", status=200, params={"q": "nobody at all"})
    call("PATCH", "/users/{user_id}", ada, status=200, json={"name": "Ada L."})
    call("PATCH", "/users/{user_id}", ada, status=409, json={"email": "u1@example.org"})
    for _ in range(2):
        call("PUT", "/users/by-email/{email}", "bob@example.org", status=200, json={})
    call("PUT", "/users/by-email/{email}", "nonsense", status=422, json={})
    call("DELETE", "/users/{user_id}", ids[0], status=204)
    call("DELETE", "/users/{user_id}", ids[0], status=404)
    call("POST", "/users/{user_id}/erase", ids[1], status=200)
    call.known["user_id"] = ada


def walk_projects(call: Walk) -> None:
    """Every operation on projects."""
    user = call.known["user_id"]
    new = {"name": "Café", "language": "fr", "metadata": {"a": [1, None]}, "created_by": user}
    project = call("POST", "/projects", status=201, json=new)["id"]
    call("POST", "/projects", status=201, json=[new, {"name": "Two", "language": "en"}])
    call("POST", "/projects", status=422, json=new | {"created_by": ABSENT})
    call("POST", "/projects/bulk", status=201, json=[{"name": "Three", "language": "en-GB"}])
    call("POST", "/projects/bulk", status=422, json=[new | {"created_by": ABSENT}])
    lists(call, "/projects", total=True)
    call("GET", "/projects", status=200, params={"status": "draft", "q": "cafe"})

    one = "/projects/{project_id}"
    replays(call, "/projects", {"name": "Once", "language": "de"})
    unchanged(call, one, project)
    match = {"If-Match": '"1"'}
    call("PUT", one, project, status=422, json={"language": "en"}, headers=match)
    call("PUT", one, project, status=200, json={"status": "active"}, headers=match)
    call("POST", one + "/restore", project, status=409)
    call("POST", one + "/purge", project, status=409)
    call("DELETE", one, project, status=204, headers={"If-Match": "*"})
    call("POST", one + "/restore", project, status=200)
    call("DELETE", one, project, status=204, headers={"If-Match": "*"})
    call("POST", one + "/purge", project, status=204)


def walk_members(call: Walk) -> None:
    """Every operation on members, in a project that stays."""
    user = call.known["user_id"]
    new = {"name": "Kept", "language": "en", "created_by": user}
    project = call.known["project_id"] = call("POST", "/projects", status=201, json=new)["id"]
    other = call("PUT", "/users/by-email/{email}", "eve@example.org", status=200, json={})["id"]
    every, one = "/projects/{project_id}/members", "/projects/{project_id}/members/{user_id}"
    call("PUT", one, project, other, status=200, json={"role": "viewer"})
    call("PUT", one, project, ABSENT, status=422, json={"role": "viewer"})
    call("GET", one, project, other, status=200)
    lists(call, every, project, total=True)
    call("DELETE", one, project, other, status=204)
    call("DELETE", one, project, user, status=409)  # the last owner
    call("PUT", one, project, user, status=409, json={"role": "viewer"})


def walk_documents(call: Walk) -> None:
    """Every operation on documents; one of them stays."""
    project = call.known["project_id"]
    every, one = (
        "/projects/{project_id}/documents",
        "/projects/{project_id}/documents/{document_id}",
    )
    new = {"document_type": "report", "content": "A stone.\nA quarry.\n", "grammar_score": 99.5}
    first = call.known["document_id"] = call("POST", every, project, status=201, json=new)["id"]
    call("POST", every, project, status=201, json=new | {"document_type": "note", "metadata": {}})
    call("POST", every, project, status=422, json=new | {"created_by": ABSENT})
    unchanged(call, one, project, first)
    match = {"If-Match": '"1"'}
    changed = {"content": "A stone.\nTwo quarries.\n"}
    second = call("PUT", one, project, first, status=201, json=changed, headers=match)["id"]
    call("PUT", one, project, second, status=422, headers=match, json={"created_by": ABSENT})
    call("PUT", one, project, first, status=412, json=changed, headers=match)
    score = {"readability_score": 12.25}
    call("PATCH", one, project, second, status=200, json=score, headers=match)
    lists(call, every, project, total=True)
    lists(call, every, project, params={"include": "content"})
    lists(call, every + "/search", project, total=True, params={"q": "stone"})
    latest = {"document_type": "report"}
    unchanged(call, every + "/latest", project, params=latest)
    call("GET", every + "/latest", project, status=404, params={"document_type": "none"})
    call("GET", every + "/latest", project, status=422)
    call("GET", one + "/diff", project, first, status=200)
    call("GET", one + "/diff", project, second, status=200, params={"against": first})
    call("GET", one + "/diff", project, second, status=422, params={"against": ABSENT})
    third = call("POST", one + "/restore", project, first, status=201)["id"]
    call("DELETE", one, project, third, status=204, headers=match)


def walk_executions(call: Walk) -> None:
    """Every operation on executions; one of them stays, and has ended."""
    project = call.known["project_id"]
    every = "/projects/{project_id}/agents/executions"
    one = every + "/{execution_id}"
    new = {"agent_type": "writer", "input": {"a": 1}, "requested_by": call.known["user_id"]}
    first = call.known["execution_id"] = call("POST", every, project, status=201, json=new)["id"]
    call("POST", every, project, status=201, json={"agent_type": "editor"},
         headers={"X-Correlation-ID": "trip-7"})  # fmt: skip
    call("POST", every, project, status=422, json=new | {"requested_by": ABSENT})
    call("POST", every, project, status=400, json=new, headers={"X-Correlation-ID": "two words"})
    call("POST", one + "/heartbeat", project, first, status=409)
    call("PUT", one, project, first, status=409, json={"status": "completed"})
    call("PUT", one, project, first, status=200, json={"status": "running"})
    call("POST", one + "/heartbeat", project, first, status=204)
    call("PUT", one, project, first, status=412, json={"progress": 1}, headers={"If-Match": '"1"'})
    call("PUT", one, project, first, status=400, json={"progress": 1}, headers={"If-Match": "1"})
    call("PUT", one, project, first, status=200, json={"progress": 50, "output": {"b": 2}},
         headers={"If-Match": '"2"'})  # fmt: skip
    call("PUT", one, project, first, status=200, json={"status": "completed"})
    unchanged(call, one, project, first)
    lists(call, every, project, total=True)
    lists(call, every, project, params={"status": "pending"}, total=True)
    lists(call, every, project, params={"correlation_id": "trip-7"}, total=True)
    stream = call("GET", one + "/events", project, first, status=200)
    assert stream.count("\nid: ") == 4
    call("GET", one + "/events", project, first, status=204, headers={"Last-Event-ID": "4"})
    call("GET", one + "/events", project, first, status=400, headers={"Last-Event-ID": "x"})
    call("GET", "/projects/{project_id}/agents/metrics", project, status=200)
    call("GET", "/projects/{project_id}/agents/metrics", project, status=422, params={"days": 366})


def walk_audit(call: Walk) -> None:
    """The trail of all that was done."""
    lists(call, "/audit", total=True)
    row = {"row_id": call.known["project_id"], "since": "2020-01-01T00:00:00Z"}
    call("GET", "/audit", status=200, params=row | {"include_total": "true"})
    call("GET", "/audit", status=200, params={"actor": "key:x", "include_total": "true"})
    call("GET", "/audit", status=422, params={"table": "nothing"})


def walk_exports(call: Walk) -> None:
    """Every operation on exports; one of them stays, with its file."""
    project = call.known["project_id"]
    every, one = "/projects/{project_id}/exports", "/projects/{project_id}/exports/{export_id}"
    file = one + "/download"

    def completed(**asked: object) -> str:
        made: str = call("POST", every, project, status=202, json=asked)["id"]
        wait_until(lambda: call("GET", one, project, made, status=200)["status"] == "completed")
        return made

    for asked in ({"format": "ndjson"}, {"format": "zip", "document_types": ["report"]}):
        export = completed(**asked)
        unchanged(call, file, project, export)
    call.known["export_id"] = export
    part = {"Range": "bytes=0-9"}
    call("GET", file, project, export, status=206, headers=part)
    call("GET", file, project, export, status=416, headers={"Range": "bytes=999999-"})
    lists(call, every, project)
    lost = completed(format="zip")
    next(call.files.rglob(f"{lost}.*")).unlink()
    call("GET", file, project, lost, status=410)
    call("GET", file, project, lost, status=409)
    removed = call("POST", every, project, status=202, json={"format": "zip"})["id"]
    call("DELETE", one, project, removed, status=204)


OF_ALL_EFFECTS = """
(case.create :case-id "C2") (case.update :case-id "C1" :title "One")
(attributes.define :name "walk.colour") (entity.register :id "E2" :type trust)
(document.catalog :document-id "D1" :document-type "passport")
(entity.link :from "E1" :to "E2" :type "x")
(role.assign :entity "E1" :role "client") (products.add :product "CUSTODY")
(values.bind :entity "E1" :bindings {"walk.colour" "red"})
(workflow.transition :case-id "C2" :to-state "in_review")
"""


def walk_cases(call: Walk) -> None:
    """Every operation of the case language."""
    project = call.known["project_id"]
    text = '(case.create :case-id "C1") (entity.register :id "E1" :type trust) (kyc.start)'
    for path in ("/dsl/parse", "/dsl/format", "/dsl/validate"):
        call("POST", path, status=200, json={"dsl": text, "options": {"strict": True}})
        plain = {"Content-Type": "text/plain"}
        call("POST", path, status=200, content=text.encode(), headers=plain)
    call("POST", "/dsl/parse", status=200, json={"dsl": "(case"})
    call("POST", "/dsl/format", status=422, json={"dsl": "(case"})
    call("GET", "/dsl/verbs", status=200)
    call.known |= {"verb": "case.create", "case_id": "C1", "entity_id": "E1", "version": "1"}
    call("GET", "/dsl/verbs/{verb}", "case.create", status=200)
    execute = "/projects/{project_id}/dsl/execute"
    call("POST", execute, project, status=200, json={"dsl": text, "options": {"dry_run": True}})
    call("POST", execute, project, status=200, json={"dsl": text})
    call("POST", execute, project, status=422, json={"dsl": text})
    one = "/projects/{project_id}/cases/{case_id}"
    call("POST", one + "/dsl", project, "C1", status=200, json={"dsl": OF_ALL_EFFECTS})
    more = OF_ALL_EFFECTS.replace("C2", "C3")
    call("POST", execute, project, status=200, json={"dsl": more})
    stale = {"If-Match": '"1"'}
    call("POST", one + "/dsl", project, "C1", status=409, json={"dsl": "(kyc.start)"},
         headers=stale)  # fmt: skip
    call("POST", one + "/rollback", project, "C1", status=200, json={"version": 2})
    call("POST", one + "/rollback", project, "C1", status=404, json={"version": 9})
    unchanged(call, one, project, "C1")
    call("GET", one + "/diff", project, "C1", status=200, params={"from": 1, "to": 2})
    call("GET", one + "/versions/{version}", project, "C1", "1", status=200)
    lists(call, "/projects/{project_id}/cases", project)
    lists(call, one + "/versions", project, "C1")
    lists(call, one + "/events", project, "C1")
    lists(call, "/projects/{project_id}/dsl/operations", project)
    lists(call, "/projects/{project_id}/entities", project)
    entity = "/projects/{project_id}/entities/{entity_id}"
    call("GET", entity, project, "E1", status=200)
    call("GET", entity + "/ownership", project, "E1", status=200)


def walk_proposals(call: Walk) -> None:
    """Every operation of proposals: made, refused, run."""
    project = call.known["project_id"]
    proposals = "/projects/{project_id}/dsl/proposals"
    one = proposals + "/{proposal_id}"

    def generate(instruction: str, **more: Any) -> str:
        body = {"instruction": instruction} | more
        path = "/projects/{project_id}/dsl/generate"
        return str(call("POST", path, project, status=201, json=body)["id"])

    first, second = generate("open case G-1 for Acme"), generate("open case G-2 for Acme")
    generate("sing")
    generate("close case NOWHERE")
    all_effects = (
        "open case {0} for Acme. update case {0} title Walk. register ACME as a trust. register ADA"
        " as a person. ADA owns 5% of ACME. assign role client to ACME. add product CUSTODY to case"
        " {0}. catalog document D-1 as a passport of ADA. set identity.legal_name of ADA to Ada."
        " define attribute walk.{0} mask date. move case {0} to collecting"
    )
    generate(all_effects.format("G-3"), auto=True)
    call("POST", one + "/approve", project, first, status=200)
    call("POST", one + "/approve", project, first, status=409)
    call("POST", one + "/approve", project, generate(all_effects.format("G-4")), status=200)
    call("POST", one + "/approve", project, ABSENT, status=404)
    call("POST", one + "/reject", project, second, status=200, json={"reason": "no"})
    call("POST", one + "/reject", project, second, status=409, json={})
    call.known |= {"proposal_id": first}
    unchanged(call, one, project, first)
    lists(call, proposals, project)


def walk_dictionary(call: Walk) -> None:
    """Every operation of the dictionary, and of values that keep to it."""
    body = {"name": "walk.own", "mask": "enum", "rules": {"values": ["a", "b"]}, "source": {"x": 1}}
    own = call("POST", "/dictionary", status=201, json=body)["id"]
    call("POST", "/dictionary", status=409, json=body)
    call("POST", "/dictionary", status=422, json=body | {"name": "walk.other", "rules": {}})
    call.known |= {"attribute_id": own, "subject_kind": "case", "subject_id": "C1"}
    one, match = "/dictionary/{attribute_id}", {"If-Match": "*"}
    unchanged(call, one, own)
    call("PUT", one, own, status=200, json={"domain": "walks"}, headers=match)
    for query in ({}, {"q": "date"}, {"group_id": "identity"}, {"mask": "date"}):
        lists(call, "/dictionary", params=query)
    project = call.known["project_id"]
    values = "/projects/{project_id}/subjects/{subject_kind}/{subject_id}/values"
    subject = project, "case", "C1"
    stated = {"walk.own": "a", "identity.legal_name": None}
    call("PUT", values, *subject, status=204, json={"values": stated, "source": "walk"})
    call("PUT", values, *subject, status=422, json={"values": {"walk.own": "c"}})
    lists(call, values, *subject)
    call("DELETE", one, own, status=409, headers=match)
    other = call("POST", "/dictionary", status=201, json={"name": "walk.gone", "mask": "date"})
    call("DELETE", one, other["id"], status=204, headers=match)


def walk_imports(call: Walk) -> None:
    """Every operation on imports; one of them stays."""
    project = call.known["project_id"]
    every, one = "/projects/{project_id}/imports", "/projects/{project_id}/imports/{import_id}"
    data = b"Host Name;IP Address\nweb-1;10.0.0.1\nweb-2\n"
    told = {"name": "Servers", "category": "infrastructure", "source_system": "CMDB"}
    made = call("POST", every, project, status=202, content=data, params=told)["id"]
    call.known["import_id"] = made
    call("POST", every, project, status=200, content=data)
    call("POST", every, project, status=422, content=b"10.0.0.1,10.0.0.2\n1,2\n")
    call("POST", every, project, status=202, json=[{"Host Name": "web-3", "cpu": 4}])
    lists(call, every, project)
    lists(call, every, project, params={"category": "infrastructure"})
    call("GET", one, project, made, status=200)
    for query in ({}, {"outcome": "pending"}, {"outcome": "asset"}):
        lists(call, one + "/records", project, made, params=query)
    for part in ("/profile", "/deletion-impact"):
        call("GET", one + part, project, made, status=200)


def walk_assets(call: Walk) -> None:
    """Every operation on assets, and the look at the tenant's integrity; one asset stays."""
    project = call.known["project_id"]
    every, one = "/projects/{project_id}/assets", "/projects/{project_id}/assets/{asset_id}"
    flow, made = make_assets(call.database, project, 4)
    first, second = (asset["id"] for asset in made[:2])
    call.known["asset_id"] = first
    unchanged(call, one, project, first)
    lists(call, every, project, total=True)
    lists(call, every, project, total=True, params={"flow": flow, "q": "host"})
    call("GET", every + "/summary", project, status=200)
    for query in ({}, {"format": "ndjson"}):
        call("GET", every + "/export", project, status=200, params=query)
    call("GET", every + "/export", project, status=422, params={"format": "xlsx"})
    match = {"If-Match": '"1"'}
    call("PATCH", one, project, second, status=200, json={"cost": 1, "os": None}, headers=match)
    call("PATCH", one, project, second, status=412, json={"cost": 1}, headers=match)
    taken = {"hostname": call("GET", one, project, first, status=200)["hostname"]}
    call("PATCH", one, project, second, status=409, json=taken, headers={"If-Match": "*"})
    call("PATCH", every, project, status=200, json=[{"id": second, "version": 2, "cost": 2}])
    call("PATCH", every, project, status=412, json=[{"id": second, "version": 2, "cost": 3}])
    call("PATCH", every, project, status=422, json=[{"id": ABSENT, "cost": 3}])
    call("DELETE", one, project, second, status=204, headers={"If-Match": "*"})
    call("POST", one + "/restore", project, second, status=200)
    call("POST", one + "/restore", project, second, status=409)
    call("GET", "/integrity", status=200)
    call("GET", "/integrity", status=422, params={"check": "everything"})


def unchanged(call: Walk, path: str, *ids: str, **options: Any) -> None:
    """A resource, and 304 for who has it."""
    call("GET", path, *ids, status=200, **options)
    known = {"If-None-Match": call.exchanges[-1].response.headers.get("etag", "none")}
    call("GET", path, *ids, status=304, headers=known, **options)


def lists(call: Walk, path: str, *ids: str, total: bool = False, **options: Any) -> None:
    """A whole list, two pages of it, and its lines."""
    options.setdefault("params", {})
    call("GET", path, *ids, status=200, **options)
    page = call("GET", path, *ids, status=200, params=options["params"] | {"limit": 1})
    if page["next_cursor"] is not None:
        there = options["params"] | {"limit": 1, "cursor": page["next_cursor"]}
        call("GET", path, *ids, status=200, params=there)
    if total:
        counted = options["params"] | {"include_total": "true"}
        answer = call("GET", path, *ids, status=200, params=counted)
        assert "total" in answer
    call("GET", path, *ids, status=200, headers={"Accept": NDJSON}, **options)


def replays(call: Walk, path: str, body: Json) -> None:
    """A POST with an Idempotency-Key, again, and with another body."""
    key = {"Idempotency-Key": str(uuid4())}
    call("POST", path, status=201, json=body, headers=key)
    call("POST", path, status=201, json=body, headers=key)
    call("POST", path, status=422, json=body | {"name": "Another"}, headers=key)
    call("POST", path, status=400, json=body, headers={"Idempotency-Key": "two words"})


def walk_refusals(call: Walk) -> None:
    """What every operation refuses, by what its description says of it."""
    for method, path, operation in call.operations():
        there, absent = call.ids(path), [ABSENT for _ in call.ids(path)]
        fitting = least(call.described, operation)
        call(method, path, *there, status=400, headers={"X-Request-Timeout-Ms": "soon"})
        if operation["security"]:
            call.send(call.nobody, method, path, *absent)
            scope = operation["security"][0]["bearer"][0]
            call.send(call.without(scope), method, path, *absent)
        if "{email}" in path:
            call(method, path, "%00", status=404)
        elif "{" in path:
            call(method, path, *absent, status=404, **fitting)
            call(method, path, *(["no-uuid"] * len(absent)), status=404, **fitting)
        if "*/*" in operation.get("requestBody", {}).get("content", ()):
            form = {"Content-Type": "multipart/form-data"}
            call(method, path, *there, status=400, headers=form, content=b"no boundary")
            call(method, path, *there, status=422, content=b"")
        elif "requestBody" in operation:
            content: Json = {"headers": fitting["headers"] | {"Content-Type": "text/csv"}}
            call(method, path, *there, status=400, **fitting | {"json": None, "content": b"{"})
            call(method, path, *there, status=415, **content, content=b"{}")
            call(method, path, *there, status=422, **fitting | {"json": {"nonsense": 1}})
        if "413" in operation["responses"]:
            call(method, path, *there, status=413, content=b" " * (LARGEST + 1))
        if "428" in operation["responses"]:
            refuse_preconditions(call, method, path, fitting)
        if any(parameter.get("name") == "cursor" for parameter in operation["parameters"]):
            wrong = {"cursor": "AAAA"}, {"limit": "0"}, {"nonsense": "1"}
            for status, query in zip((400, 422, 422), wrong, strict=True):
                call(method, path, *there, status=status, params=fitting["params"] | query)


def refuse_preconditions(call: Walk, method: str, path: str, fitting: Json) -> None:
    """A change without If-Match, with another version's, and with what is no ETag."""
    for value, status in ((None, 428), ('"999999"', 412), ('W/"1"', 412), ("one", 400)):
        headers = {} if value is None else {"If-Match": value}
        call(method, path, *call.ids(path), status=status, **fitting | {"headers": headers})


def least(described: Json, operation: Json) -> Json:
    """The least that a request needs so that only its path can be at fault."""
    parameters = [resolved(described, parameter) for parameter in operation["parameters"]]
    request: Json = {
        "params": {
            p["name"]: ABSENT if p["name"] == "user_id" else "x"
            for p in parameters
            if p["in"] == "query" and (p["required"] or p["name"] == "user_id")
        },
        "headers": {p["name"]: "*" for p in parameters if p["in"] == "header" and p["required"]},
    }
    if "*/*" in operation.get("requestBody", {}).get("content", ()):
        request["content"] = b"Host Name\nweb-4\n"
    elif "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        schema = schema.get("oneOf", [schema])[0]
        fields = resolved(described, schema.get("items", schema))
        one = fitting_value(described, fields)
        if "tool_calls" in fields["properties"] and "role" in one:
            one["content"] = "x"  # or tool calls: no schema can say that
        request["json"] = [one] if "items" in schema else one
    return request


def fitting_value(described: Json, schema: Json) -> Any:
    """A value of a schema, as simple as can be."""
    schema = resolved(described, schema)
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        return {name: fitting_value(described, fields[name]) for name in schema.get("required", ())}
    if kind == "array":
        return [fitting_value(described, schema["items"])]
    if kind == "integer":
        return schema.get("minimum", 1)
    return ABSENT if schema.get("format") == "uuid" else schema.get("enum", ["x"])[0]


# the promises


def test_every_call_was_answered_as_expected(walk: Walk) -> None:
    assert not walk.surprises, "\n".join(walk.surprises)


def test_every_answer_is_as_described(walk: Walk) -> None:
    judge = Judge(walk.described)
    found = [f"{e}: {fault}" for e in walk.exchanges for fault in judge.faults(e)]
    assert not found, "\n".join(found)


def test_every_operation_was_seen_to_succeed(walk: Walk) -> None:
    seen = {(e.operation, e.response.status_code) for e in walk.exchanges}
    described = {
        (f"{method} {path}", int(status))
        for method, path, operation in walk.operations()
        for status in operation["responses"]
        if int(status) < 400
    }
    assert described <= seen, described - seen


def test_every_operation_was_seen_to_refuse(walk: Walk) -> None:
    seen = {(e.operation, e.response.status_code) for e in walk.exchanges}
    described = {
        (f"{method} {path}", int(status))
        for method, path, operation in walk.operations()
        for status in operation["responses"]
        if status in {"400", "401", "403", "404", "412", "413", "428"}
    }
    assert described <= seen, described - seen


def test_every_problem_was_seen(walk: Walk) -> None:
    seen = {e.response.json()["code"] for e in walk.exchanges if e.response.status_code >= 400}
    described = {
        code
        for response in walk.described["components"]["responses"].values()
        for code in response["content"]["application/problem+json"]["schema"]["properties"]["code"][
            "enum"
        ]
    }
    assert described - seen <= NOT_PROVOKED


def test_every_query_that_an_endpoint_asks_is_known_to_be_asked_there(walk: Walk) -> None:
    """What is read from the code (`quarry sql list`, the page) against what the engine has seen."""
    usage = find(ENDPOINTS, ADMIN_ENDPOINTS)
    known: dict[str, set[str]] = {}
    for user, asked in usage.by_user.items():
        known.setdefault(user.name if user.kind == "endpoint" else "any", set()).update(asked)
    seen = {
        endpoint: {match for line in lines for match in re.findall(r'query="([^"]+)"', line)}
        for endpoint, lines in walk.asked.items()
    }
    for endpoint, names in seen.items():
        assert names <= known.get(endpoint, set()) | known["any"], endpoint
    claims = {(e, name) for e, names in known.items() if e != "any" for name in names}
    made_up = {claim for claim in claims if claim[1] not in seen.get(claim[0], ())}
    assert len(made_up) <= len(claims) / 10, made_up  # some refusals want more than this walk does


def test_the_description_and_the_page_are_hardened(walk: Walk) -> None:
    page = walk.nobody.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    for answer in (page, walk.nobody.get("/openapi.json")):
        assert "server" not in answer.headers
        assert answer.headers["content-encoding"] == "gzip"
