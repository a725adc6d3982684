"""Users: one per address however many ask at once; an erased one leaves no trace but the row."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.promises.helpers import (
    Tenant,
    absent,
    at_once,
    events,
    make_project,
    make_user,
    ok,
    problem,
    unique,
    walk,
)  # fmt: skip
from tests.support.cluster import Database

pytestmark = pytest.mark.xdist_group("users")

LOGINS = 30


def log_in(client: httpx.Client, email: str, **fields: Any) -> httpx.Response:
    return client.put(f"/users/by-email/{email}", json=fields)


def address() -> str:
    return f"{unique('ada')}@example.org"


# ---------------------------------------------------------------- one user per address


def test_30_parallel_logins_make_one_user_and_all_answer_it(
    tenant: Tenant, module_database: Database
) -> None:
    email = address()
    spellings = [email, email.upper(), email.title()]
    answers = at_once(
        [lambda e=spellings[n % 3]: log_in(tenant.client, e, name="Ada") for n in range(LOGINS)]
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [user["id"] for user in walk(tenant.client, "/users")] == [answers[0].json()["id"]]
    stored = module_database.psql(
        "SELECT count(*) FROM workspace.users WHERE lower(email) = lower(%s)", email
    )
    assert stored == [(1,)]


def test_a_login_notes_its_time_and_keeps_what_is_known(mine: httpx.Client) -> None:
    email = address()
    first = ok(log_in(mine, email, name="Ada", profile={"a": 1}))
    assert first["last_login_at"] is not None
    second = ok(log_in(mine, email.upper(), name="Eve", profile={}))
    assert (second["id"], second["name"], second["profile"]) == (first["id"], "Ada", {"a": 1})
    assert second["email"] == email and second["last_login_at"] > first["last_login_at"]
    known = make_user(mine)
    assert known["last_login_at"] is None
    assert ok(log_in(mine, known["email"]))["id"] == known["id"]


def test_a_login_needs_no_body(mine: httpx.Client) -> None:
    email = address()
    user = ok(mine.put(f"/users/by-email/{email}"))
    assert (user["email"], user["name"], user["profile"]) == (email, email.split("@")[0], {})
    longest = f"{'x' * 250}@e.o"
    assert ok(mine.put(f"/users/by-email/{longest}"))["name"] == "x" * 250


@pytest.mark.parametrize("escaped", ["a%2Bb", "%C3%A9l%C3%A8ve", "o%27neil", "100%25", "a%3Fb%23"])
def test_an_address_in_a_path_may_be_escaped(mine: httpx.Client, escaped: str) -> None:
    domain = f"{unique()}.example.org"
    user = ok(mine.put(f"/users/by-email/{escaped}%40{domain}"))
    assert user["email"] == httpx.URL(f"http://x/{escaped}").path[1:] + f"@{domain}"


def test_a_slash_in_an_address_in_a_path_may_be_escaped(mine: httpx.Client) -> None:
    user = make_user(mine, email=f"a/b@{unique()}.example.org")
    found = mine.put(f"/users/by-email/{user['email'].replace('/', '%2F')}")
    assert ok(found)["id"] == user["id"]


@pytest.mark.parametrize(
    "email", ["x", "@", "a@b", "a@b.", "@b.c", "a b@c.de", "a@b@c.de", "x" * 250 + "@e.org",
              "a@.d."]
)  # fmt: skip
def test_what_is_no_address_is_refused_everywhere(mine: httpx.Client, email: str) -> None:
    problem(log_in(mine, email), 422, "validation", "/email")
    problem(mine.post("/users", json={"email": email, "name": "x"}), 422, "validation", "/email")
    user = make_user(mine)["id"]
    problem(mine.patch(f"/users/{user}", json={"email": email}), 422, "validation", "/email")


def test_an_address_is_taken_whatever_its_case(mine: httpx.Client) -> None:
    user, other = make_user(mine), make_user(mine)
    for taken in (user["email"], user["email"].upper()):
        body = problem(
            mine.post("/users", json={"email": taken, "name": "x"}), 409, "duplicate", "/email"
        )
        assert body["constraint"] == "users_email_key"
        problem(mine.patch(f"/users/{other['id']}", json={"email": taken}), 409, "duplicate",
                "/email")  # fmt: skip
    spelled = ok(mine.patch(f"/users/{user['id']}", json={"email": user["email"].upper()}))
    assert spelled["email"] == user["email"].upper()


def test_of_parallel_creates_with_one_address_one_wins(mine: httpx.Client) -> None:
    body = {"email": address(), "name": "Ada"}
    answers = at_once([lambda: mine.post("/users", json=body)] * 10)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9


# ---------------------------------------------------------------- reading and changing


def test_a_user_is_answered_as_stored_and_changed_by_part(mine: httpx.Client) -> None:
    fields = {"email": address(), "name": "Ада 漢 👩‍🚀", "profile": {"a": {"b": [1.50]}}}
    created = mine.post("/users", json=fields)
    user = ok(created, 201)
    assert {name: user[name] for name in fields} == fields
    assert created.headers["location"] == f"/users/{user['id']}"
    assert ok(mine.get(created.headers["location"])) == user
    changed = ok(mine.patch(f"/users/{user['id']}", json={"name": "Eve"}))
    assert changed["updated_at"] > user["updated_at"]
    assert changed | {"name": user["name"], "updated_at": user["updated_at"]} == user
    assert ok(mine.patch(f"/users/{user['id']}", json={"profile": {}}))["profile"] == {}


@pytest.mark.parametrize(
    ("field", "bad"),
    [("name", ["", "x" * 256, None, 1]), ("profile", [[], "x", None, 1]), ("id", [absent()])],
)
def test_fields_have_bounds(mine: httpx.Client, field: str, bad: list[Any]) -> None:
    user = make_user(mine)["id"]
    for value in bad:
        body = {"email": address(), "name": "x"} | {field: value}
        problem(mine.post("/users", json=body), 422, "validation", f"/{field}")
        problem(mine.patch(f"/users/{user}", json={field: value}), 422, "validation", f"/{field}")


# ---------------------------------------------------------------- deleting and erasing


def test_a_deleted_user_is_absent_and_frees_the_address(mine: httpx.Client) -> None:
    user = make_user(mine)
    project = make_project(mine, created_by=user["id"])
    assert mine.delete(f"/users/{user['id']}").status_code == 204
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        problem(mine.request(method, f"/users/{user['id']}", json=body), 404, "not_found")
    assert user["id"] not in {u["id"] for u in walk(mine, "/users", q=user["email"])}
    assert ok(mine.get(f"/projects/{project['id']}"))["created_by"] == user["id"]
    again = ok(log_in(mine, user["email"]))
    assert again["id"] != user["id"] and again["name"] != user["name"]
    make_user(mine, email=address())


def test_an_erased_user_leaves_nothing_personal_but_the_row_and_an_event(
    mine: httpx.Client, module_database: Database
) -> None:
    secrets = ["zaphod", "beeblebrox", "betelgeuse", "trillian"]
    user = make_user(mine, email=f"zaphod-{unique()}@example.org", name="Mr Beeblebrox",
                     profile={"home": "Betelgeuse"})  # fmt: skip
    project = make_project(mine, created_by=user["id"])["id"]
    path = f"/users/{user['id']}"
    ok(mine.patch(path, json={"name": "Mr Beeblebrox II", "profile": {"wife": "Trillian"}}))
    ok(log_in(mine, user["email"]))
    everything = (
        "SELECT string_agg(lower(to_jsonb(t)::text), ' ')"
        "  FROM {} AS t WHERE {} = %s AND tenant_id = (SELECT tenant_id FROM workspace.projects"
        "                                                WHERE id = %s)"
    )
    places = [("workspace.users", "id"), ("audit.events", "row_id")]
    for place in places:
        text = module_database.psql(everything.format(*place), user["id"], project)[0][0]
        assert any(secret in text for secret in secrets), place

    answer = mine.post(f"{path}/erase")
    assert answer.status_code == 200
    for place in places:
        text = module_database.psql(everything.format(*place), user["id"], project)[0][0]
        assert text and not any(secret in text for secret in secrets), (place, text)
    problem(mine.get(path), 404, "not_found")
    assert ok(mine.get(f"/projects/{project}"))["created_by"] == user["id"]
    assert ok(mine.get(f"/projects/{project}/members/{user['id']}"))["role"] == "owner"
    told = [event["action"] for event in events(module_database, user["id"])]
    assert told == ["insert", "update", "update", "update", "redact"]
    assert events(module_database, user["id"])[-1]["request_id"] == answer.headers["x-request-id"]
    assert ok(log_in(mine, user["email"]))["id"] != user["id"]


def test_a_deleted_user_can_still_be_erased_and_erased_twice(
    mine: httpx.Client, module_database: Database
) -> None:
    user = make_user(mine, name="Marvin")
    assert mine.delete(f"/users/{user['id']}").status_code == 204
    for _ in range(2):
        assert mine.post(f"/users/{user['id']}/erase").status_code == 200
    row = module_database.psql(
        "SELECT email, name, profile, deleted_at IS NOT NULL FROM workspace.users WHERE id = %s",
        user["id"],
    )[0]
    assert "example.org" not in row[0] and row[1:] == ("erased", {}, True)
    problem(mine.post(f"/users/{absent()}/erase"), 404, "not_found")


def test_an_erased_user_is_not_kept_in_the_answers_for_replay(
    mine: httpx.Client, module_database: Database
) -> None:
    """What POST /users answered is kept for its Idempotency-Key; it is personal data as well."""
    key, email = unique("key"), f"slartibartfast-{unique()}@example.org"
    headers = {"Idempotency-Key": key}
    user = ok(mine.post("/users", json={"email": email, "name": "x"}, headers=headers), 201)
    assert mine.post(f"/users/{user['id']}/erase").status_code == 200
    kept = module_database.psql(
        "SELECT count(*) FROM core.idempotency"
        " WHERE position('slartibartfast' IN encode(body, 'escape')) > 0"
    )
    assert kept == [(0,)], "the stored answer still has the address"


def test_a_replay_after_an_erasure_neither_tells_nor_repeats(mine: httpx.Client) -> None:
    email = address()
    calls: list[tuple[str, dict[str, Any]]] = [("/users", {"email": email, "name": "Marvin"})]
    keys = {"/users": unique("key"), "/projects": unique("key")}

    def send(path: str, body: dict[str, Any]) -> httpx.Response:
        return mine.post(path, json=body, headers={"Idempotency-Key": keys[path]})

    user = ok(send(*calls[0]), 201)["id"]
    calls.append(("/projects", {"name": email, "language": "en", "created_by": user}))
    project = ok(send(*calls[1]), 201)
    assert mine.post(f"/users/{user}/erase").status_code == 200
    told, repeated = (send(*call) for call in calls)
    for answer in (told, repeated):
        assert answer.headers.get("idempotency-replayed") == "true", answer.text
    assert email not in told.text and "Marvin" not in told.text
    assert repeated.json() == project
    assert walk(mine, "/users", q=email) == []
    assert len(walk(mine, "/projects", q=email)) == 1


def test_only_the_erased_users_events_are_redacted(
    mine: httpx.Client, module_database: Database
) -> None:
    user, other = make_user(mine, name="Arthur"), make_user(mine, name="Ford")
    mine.post(f"/users/{user['id']}/erase")
    assert events(module_database, other["id"])[0]["after"]["name"] == "Ford"
    assert events(module_database, user["id"])[0]["after"]["name"] == "[erased]"
