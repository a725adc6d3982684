"""Members: a project always keeps an owner, and a key that acts as a user may do what he may."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.promises.helpers import (
    NDJSON,
    Json,
    Tenant,
    absent,
    at_once,
    lines,
    make_document,
    make_project,
    make_user,
    ok,
    problem,
    walk,
)  # fmt: skip
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("members")


def path(project: str, user: str = "") -> str:
    return f"/projects/{project}/members" + (f"/{user}" if user else "")


def join(client: httpx.Client, project: str, user: str, role: str) -> httpx.Response:
    return client.put(path(project, user), json={"role": role})


def roles(client: httpx.Client, project: str) -> dict[str, str]:
    return {m["user_id"]: m["role"] for m in walk(client, path(project))}


@pytest.fixture
def owner(mine: httpx.Client) -> str:
    return str(make_user(mine)["id"])


@pytest.fixture
def project(mine: httpx.Client, owner: str) -> str:
    return str(make_project(mine, created_by=owner)["id"])


# ---------------------------------------------------------------- who is a member


def test_the_creator_is_the_owner(mine: httpx.Client, project: str, owner: str) -> None:
    member = ok(mine.get(path(project, owner)))
    assert (member["project_id"], member["user_id"], member["role"]) == (project, owner, "owner")
    assert roles(mine, make_project(mine)["id"]) == {}
    made = [{"name": "x", "language": "en", "created_by": owner}] * 3
    for made_id in ok(mine.post("/projects/bulk", json=made), 201)["ids"]:
        assert roles(mine, made_id) == {owner: "owner"}


def test_members_come_change_and_go(mine: httpx.Client, project: str, owner: str) -> None:
    user = make_user(mine)["id"]
    added = ok(join(mine, project, user, "viewer"))
    assert added["role"] == "viewer"
    changed = ok(join(mine, project, user, "editor"))
    assert changed["role"] == "editor" and changed["created_at"] == added["created_at"]
    assert roles(mine, project) == {owner: "owner", user: "editor"}
    assert mine.delete(path(project, user)).status_code == 204
    problem(mine.delete(path(project, user)), 404, "not_found")
    problem(mine.get(path(project, user)), 404, "not_found")
    assert roles(mine, project) == {owner: "owner"}


def test_only_known_roles_and_live_users_are_taken(mine: httpx.Client, project: str) -> None:
    user = make_user(mine)["id"]
    for role in ("admin", "Owner", "", None, 1):
        problem(join(mine, project, user, role), 422, "validation", "/role")
    problem(mine.put(path(project, user), json={}), 422, "validation", "/role")
    problem(join(mine, project, absent(), "viewer"), 422, "foreign_key", "/user_id")
    mine.delete(f"/users/{user}")
    problem(join(mine, project, user, "viewer"), 422, "foreign_key", "/user_id")
    problem(join(mine, absent(), user, "viewer"), 404, "not_found")


def test_the_list_can_be_paged(mine: httpx.Client, project: str, owner: str) -> None:
    users = {owner} | {make_user(mine)["id"] for _ in range(6)}
    for user in users - {owner}:
        join(mine, project, user, "viewer")
    assert ok(mine.get(path(project), params={"include_total": "true"}))["total"] == 7
    listed = [m["user_id"] for m in walk(mine, path(project), limit=2)]
    assert listed == sorted(users)
    assert [m["user_id"] for m in lines(mine.get(path(project), headers=NDJSON))] == listed


# ---------------------------------------------------------------- the last owner


def test_the_last_owner_cannot_leave_or_be_demoted(
    mine: httpx.Client, project: str, owner: str
) -> None:
    other = make_user(mine)["id"]
    join(mine, project, other, "editor")
    for answer in (
        mine.delete(path(project, owner)),
        join(mine, project, owner, "editor"),
        join(mine, project, owner, "viewer"),
    ):
        assert problem(answer, answer.status_code, answer.json()["code"], "/role")
        assert answer.status_code in (409, 422)
    assert roles(mine, project) == {owner: "owner", other: "editor"}
    ok(join(mine, project, owner, "owner"))
    ok(join(mine, project, other, "owner"))
    assert mine.delete(path(project, owner)).status_code == 204
    assert roles(mine, project) == {other: "owner"}


@pytest.mark.parametrize("way", ["both leave", "both are demoted", "one leaves, one is demoted"])
def test_of_two_owners_that_go_at_once_one_remains(mine: httpx.Client, way: str) -> None:
    users = [make_user(mine)["id"] for _ in range(2)]
    for _ in range(10):
        project = make_project(mine, created_by=users[0])["id"]
        ok(join(mine, project, users[1], "owner"))
        leave = [way != "both are demoted", way == "both leave"]
        answers = at_once([
            lambda user=user, go=go, project=project: (
                mine.delete(path(project, user)) if go else join(mine, project, user, "viewer")
            )
            for user, go in zip(users, leave, strict=True)
        ])  # fmt: skip
        good = [answer.status_code < 300 for answer in answers]
        assert sorted(good) == [False, True], [answer.text for answer in answers]
        assert list(roles(mine, project).values()).count("owner") == 1


# ---------------------------------------------------------------- keys that act as a user


class Cast:
    """A tenant with a project and one key for each role in it."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.admin = tenant.client
        self.users = {role: make_user(self.admin) for role in ("owner", "editor", "viewer", "none")}
        self.project: str = make_project(self.admin, created_by=self.id("owner"))["id"]
        self.other: str = make_project(self.admin, created_by=self.id("none"))["id"]
        self.document: Json = make_document(self.admin, self.project)
        for role in ("editor", "viewer"):
            ok(join(self.admin, self.project, self.id(role), role))

    def id(self, role: str) -> str:
        return str(self.users[role]["id"])

    def key(self, role: str, *scopes: str) -> httpx.Client:
        return self.tenant.caller(*scopes, user=self.users[role]["email"])


@pytest.fixture
def cast(tenant: Tenant) -> Cast:
    return Cast(tenant)


def writes(cast: Cast) -> list[tuple[str, str, Json | None]]:
    """Every write inside of a project."""
    project = f"/projects/{cast.project}"
    document = f"{project}/documents/{cast.document['id']}"
    return [
        ("PUT", project, {"name": "x"}),
        ("POST", f"{project}/documents", {"document_type": "report", "content": "x"}),
        ("PATCH", document, {"grammar_score": 1}),
        ("PUT", document, {"content": "x"}),
        ("POST", f"{document}/restore", None),
        ("DELETE", document, None),
        ("PUT", path(cast.project, cast.id("none")), {"role": "viewer"}),
        ("DELETE", path(cast.project, cast.id("editor")), None),
        ("DELETE", project, None),
        ("POST", f"{project}/restore", None),
    ]


def reads(cast: Cast) -> list[str]:
    project = f"/projects/{cast.project}"
    return [
        project, path(cast.project), path(cast.project, cast.id("owner")), f"{project}/documents",
        f"{project}/documents/{cast.document['id']}", f"{project}/documents/search?q=words",
        f"{project}/documents/latest?document_type=report",
        f"{project}/documents/{cast.document['id']}/diff",
    ]  # fmt: skip


def test_a_viewer_reads_everything_and_writes_nothing(cast: Cast) -> None:
    viewer = cast.key("viewer")
    for read in reads(cast):
        ok(viewer.get(read))
    for method, target, body in writes(cast):
        answer = viewer.request(method, target, headers={"If-Match": "*"}, json=body)
        problem(answer, 403, "forbidden")
    assert ok(cast.admin.get(f"/projects/{cast.project}"))["version"] == 1


def test_who_is_no_member_finds_nothing(cast: Cast) -> None:
    stranger = cast.key("none")
    for read in reads(cast):
        problem(stranger.get(read), 404, "not_found")
    for method, target, body in writes(cast):
        answer = stranger.request(method, target, headers={"If-Match": "*"}, json=body)
        problem(answer, 404, "not_found")


@pytest.mark.parametrize("role", ["owner", "editor"])
def test_owners_and_editors_work_with_documents(cast: Cast, role: str) -> None:
    client = cast.key(role)
    made = make_document(client, cast.project)
    assert made["created_by"] == cast.id(role)
    ok(client.put(f"/projects/{cast.project}", headers={"If-Match": "*"}, json={"name": "x"}))
    for read in reads(cast):
        ok(client.get(read))


@pytest.mark.parametrize("role", ["editor", "viewer"])
def test_only_owners_say_who_is_a_member(cast: Cast, role: str) -> None:
    """Else every editor could become an owner, and send the owner away."""
    before = roles(cast.admin, cast.project)
    client = cast.key(role)
    for answer in (
        join(client, cast.project, cast.id(role), "owner"),
        join(client, cast.project, cast.id("owner"), "viewer"),
        join(client, cast.project, cast.id("none"), "viewer"),
        client.delete(path(cast.project, cast.id("owner"))),
        client.delete(path(cast.project, cast.id(role))),
    ):
        problem(answer, 403, "forbidden")
    assert roles(cast.admin, cast.project) == before
    owner = cast.key("owner")
    ok(join(owner, cast.project, cast.id("none"), "viewer"))
    assert owner.delete(path(cast.project, cast.id("none"))).status_code == 204
    assert roles(cast.admin, cast.project) == before


@pytest.mark.parametrize("how", ["deleted", "erased"])
def test_the_keys_of_a_user_end_with_the_user(cast: Cast, how: str) -> None:
    client, target = cast.key("editor"), f"/projects/{cast.project}"
    ok(client.get(target))
    user = f"/users/{cast.id('editor')}"
    gone = cast.admin.delete(user) if how == "deleted" else cast.admin.post(f"{user}/erase")
    assert gone.status_code == (204 if how == "deleted" else 200)
    wait_until(lambda: client.get(target).status_code == 401, 3.0)
    for answer in (client.get("/projects"), client.get("/users"),
                   client.post("/projects", json={"name": "x", "language": "en"})):  # fmt: skip
        problem(answer, 401, "unauthenticated")
    ok(cast.key("viewer").get(target))
    shown = json.loads(cast.tenant.server.quarry("key", "list", "--json").stdout)
    ended = {key["user_id"] for key in shown if key["revoked_at"] and key["user_id"]}
    assert cast.id("editor") in ended and cast.id("viewer") not in ended


def test_a_deleted_user_makes_nothing_new(cast: Cast) -> None:
    gone = cast.id("none")
    assert cast.admin.delete(f"/users/{gone}").status_code == 204
    project = f"/projects/{cast.project}"
    document = f"{project}/documents/{cast.document['id']}"
    made, text = {"name": "x", "language": "en"}, {"document_type": "report", "content": "x"}
    any_version = {"If-Match": "*"}
    for maker in (gone, absent()):
        by = {"created_by": maker}
        for answer in (
            cast.admin.post("/projects", json=made | by),
            cast.admin.post(f"{project}/documents", json=text | by),
            cast.admin.put(document, json=by, headers=any_version),
        ):
            problem(answer, 422, "foreign_key", "/created_by")
    by = {"created_by": gone}
    unknown = f"/projects/{absent()}/documents"
    problem(cast.admin.post(unknown, json=text | by), 404, "not_found")
    problem(cast.admin.put(f"{unknown}/{absent()}", json=by, headers=any_version), 404, "not_found")
    living = {"created_by": cast.id("owner")}
    stale = cast.admin.put(document, json=living, headers={"If-Match": '"9"'})
    problem(stale, 412, "stale_etag")
    ok(cast.admin.put(document, json=living, headers=any_version), 201)


def test_a_key_of_a_user_lists_only_the_projects_of_the_user(cast: Cast) -> None:
    for role, expected in {
        "owner": {cast.project}, "editor": {cast.project}, "viewer": {cast.project},
        "none": {cast.other},
    }.items():  # fmt: skip
        client = cast.key(role)
        listed = ok(client.get("/projects?include_total=true"))
        assert {item["id"] for item in listed["items"]} == expected
        assert listed["total"] == len(expected)
        assert {item["id"] for item in lines(client.get("/projects", headers=NDJSON))} == expected


def test_a_membership_counts_from_its_next_request_on(cast: Cast) -> None:
    client = cast.key("none")
    target = f"/projects/{cast.project}"
    problem(client.get(target), 404, "not_found")
    ok(join(cast.admin, cast.project, cast.id("none"), "viewer"))
    ok(client.get(target))
    change = {"headers": {"If-Match": "*"}, "json": {"name": "x"}}
    problem(client.put(target, **change), 403, "forbidden")
    ok(join(cast.admin, cast.project, cast.id("none"), "editor"))
    ok(client.put(target, **change))
    cast.admin.delete(path(cast.project, cast.id("none")))
    problem(client.get(target), 404, "not_found")


def test_a_key_of_a_user_creates_as_that_user_only(cast: Cast) -> None:
    client = cast.key("editor")
    project = make_project(client)
    assert project["created_by"] == cast.id("editor")
    assert roles(client, project["id"]) == {cast.id("editor"): "owner"}
    for body in (
        {"name": "x", "language": "en", "created_by": cast.id("owner")},
        [{"name": "x", "language": "en"},
         {"name": "x", "language": "en", "created_by": cast.id("owner")}],
    ):  # fmt: skip
        problem(client.post("/projects", json=body), 403, "forbidden")
    bulk = [{"name": "x", "language": "en"}, {"name": "y", "language": "en"}]
    for made in ok(client.post("/projects", json=bulk), 201)["ids"]:
        assert ok(client.get(f"/projects/{made}"))["created_by"] == cast.id("editor")
    problem(
        client.post(f"/projects/{cast.project}/documents", json={
            "document_type": "report", "content": "x", "created_by": cast.id("owner")}),
        403, "forbidden",
    )  # fmt: skip


# ---------------------------------------------------------------- keys that are bound to projects


def test_a_key_of_a_project_sees_and_changes_only_that(cast: Cast) -> None:
    client = cast.tenant.caller(projects=[cast.project])
    for read in reads(cast):
        ok(client.get(read))
    assert [item["id"] for item in ok(client.get("/projects"))["items"]] == [cast.project]
    ok(client.put(f"/projects/{cast.project}", headers={"If-Match": "*"}, json={"name": "x"}))
    make_document(client, cast.project)
    for target in (
        f"/projects/{cast.other}",
        path(cast.other),
        f"/projects/{cast.other}/documents",
    ):
        problem(client.get(target), 404, "not_found")
    body = {"name": "x", "language": "en"}
    for answer in (
        client.post("/projects", json=body),
        client.post("/projects", json=[body]),
        client.post("/projects/bulk", json=[body]),
    ):
        problem(answer, 403, "forbidden")


def test_a_key_of_a_user_and_of_projects_sees_what_both_allow(cast: Cast) -> None:
    both = {"user": cast.users["viewer"]["email"], "projects": [cast.project, cast.other]}
    client = cast.tenant.caller(**both)
    assert [item["id"] for item in ok(client.get("/projects"))["items"]] == [cast.project]
    problem(client.get(f"/projects/{cast.other}"), 404, "not_found")
    none = cast.tenant.caller(user=cast.users["viewer"]["email"], projects=[cast.other])
    assert ok(none.get("/projects"))["items"] == []
    problem(none.get(f"/projects/{cast.project}"), 404, "not_found")


@pytest.mark.parametrize("bound", ["user", "project"])
def test_a_restricted_key_cannot_write_for_the_whole_tenant(cast: Cast, bound: str) -> None:
    client = cast.key("owner") if bound == "user" else cast.tenant.caller(projects=[cast.project])
    user = cast.users["none"]
    body = {"email": "new@example.org", "name": "x"}
    for method, target, sent in (
        ("POST", "/users", body),
        ("POST", "/users", [body]),
        ("POST", "/users/bulk", [body]),
        ("PATCH", f"/users/{user['id']}", {"name": "x"}),
        ("DELETE", f"/users/{user['id']}", None),
        ("POST", f"/users/{user['id']}/erase", None),
        ("PUT", f"/users/by-email/{user['email']}", {}),
        ("POST", f"/projects/{cast.project}/purge", None),
    ):
        problem(client.request(method, target, json=sent), 403, "forbidden")
    assert ok(cast.admin.get(f"/users/{user['id']}")) == user
