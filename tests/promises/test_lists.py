"""Lists: every row once, in one order, by cursors that nobody can forge; bulk: all or none."""

from __future__ import annotations

import base64
import socket
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest

from tests.conftest import Served
from tests.promises.helpers import (
    ANY_VERSION,
    NDJSON,
    Json,
    Tenant,
    absent,
    at_once,
    events,
    lines,
    make_project,
    make_user,
    ok,
    pages,
    problem,
    tenant_id,
    unique,
    walk,
)  # fmt: skip
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("lists")

MOST = 10_000


def project(name: str = "x", **fields: Any) -> Json:
    return {"name": name, "language": "en"} | fields


def fill(client: httpx.Client, names: list[str], **fields: Any) -> list[str]:
    """Projects with these names; their ids."""
    made = client.post("/projects", json=[project(name, **fields) for name in names])
    return list(ok(made, 201)["ids"])


def names(client: httpx.Client, **query: Any) -> list[str]:
    return [item["name"] for item in walk(client, "/projects", **query)]


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_pages_hold_every_row_exactly_once(tenant: Tenant, limit: int) -> None:
    made = fill(tenant.client, [str(n) for n in range(12)])
    found = list(pages(tenant.client, "/projects", limit=limit))
    assert all(len(page["items"]) == limit for page in found[:-1])
    assert 0 < len(found[-1]["items"]) <= limit
    ids = [item["id"] for page in found for item in page["items"]]
    assert len(ids) == 12 and set(ids) == set(made)
    assert all("total" not in page for page in found)


def test_an_empty_list_has_no_cursor_and_no_link(tenant: Tenant) -> None:
    for path in ("/projects", "/users"):
        answer = tenant.client.get(path)
        assert ok(answer) == {"items": [], "next_cursor": None} and "link" not in answer.headers
        assert ok(tenant.client.get(f"{path}?include_total=true"))["total"] == 0
        assert lines(tenant.client.get(path, headers=NDJSON)) == []


def test_the_default_page_has_50_rows(tenant: Tenant) -> None:
    fill(tenant.client, ["x"] * 60)
    assert [len(page["items"]) for page in pages(tenant.client, "/projects")] == [50, 10]


@pytest.mark.parametrize(
    "limit", ["0", "-1", "201", "1.5", "", "x", "1e1", "9" * 30, " 5", "\u0665"]
)
def test_a_limit_out_of_bounds_is_refused(mine: httpx.Client, limit: str) -> None:
    for path in ("/projects", "/users"):
        answer = mine.get(path, params={"limit": limit})
        problem(answer, 422, "validation", "query:limit")


def test_the_link_header_leads_to_the_next_page(tenant: Tenant) -> None:
    made = fill(tenant.client, [f"crème & brûlée {n}" for n in range(5)])
    url, found = "/projects?limit=2&q=creme%20%26&include_total=true", []
    while url:
        answer = tenant.client.get(url)
        body = ok(answer)
        found += [item["id"] for item in body["items"]]
        assert body["total"] == 5
        link = answer.headers.get("link", "")
        assert bool(link) == (body["next_cursor"] is not None)
        url = link.partition(">")[0].removeprefix("<")
        if link:
            assert link.endswith('; rel="next"')
            asked = parse_qs(urlsplit(url).query)
            assert asked["cursor"] == [body["next_cursor"]] and asked["q"] == ["creme &"]
    assert sorted(found) == sorted(made)


def test_rows_that_come_and_change_meanwhile_cost_no_row_and_double_none(tenant: Tenant) -> None:
    """Of what was there before and stayed as it was, all is seen, once."""
    still = set(fill(tenant.client, ["still"] * 150))
    moving = fill(tenant.client, ["moving"] * 30)
    over = threading.Event()

    def disturb() -> None:
        turn = 0
        while not over.is_set():
            fill(tenant.client, ["new"] * 2)
            target = f"/projects/{moving[turn % len(moving)]}"
            tenant.client.put(target, headers=ANY_VERSION, json={"current_step": 1 + turn % 4})
            turn += 1

    threads = [threading.Thread(target=disturb) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        walks = [walk(tenant.client, "/projects", limit=7) for _ in range(3)]
    finally:
        over.set()
        for thread in threads:
            thread.join()
    for found in walks:
        ids = [item["id"] for item in found]
        assert len(ids) == len(set(ids))
        assert still <= set(ids)


def test_the_latest_change_comes_first(tenant: Tenant) -> None:
    ids = [make_project(tenant.client)["id"] for _ in range(4)]
    assert [p["id"] for p in walk(tenant.client, "/projects")] == ids[::-1]
    ok(tenant.client.put(f"/projects/{ids[0]}", headers=ANY_VERSION, json={"name": "y"}))
    assert [p["id"] for p in walk(tenant.client, "/projects")] == [ids[0], ids[3], ids[2], ids[1]]
    bulk = fill(tenant.client, ["x"] * 30)  # of one instant: the id decides
    assert [p["id"] for p in walk(tenant.client, "/projects", limit=4)][:30] == sorted(bulk)[::-1]


def test_the_newest_user_comes_first(tenant: Tenant) -> None:
    users = [make_user(tenant.client)["id"] for _ in range(4)]
    ok(tenant.client.patch(f"/users/{users[0]}", json={"name": "y"}))
    assert [u["id"] for u in walk(tenant.client, "/users", limit=3)] == users[::-1]


# ---------------------------------------------------------------- cursors


def test_a_tampered_cursor_is_refused(tenant: Tenant) -> None:
    fill(tenant.client, ["x"] * 3)
    cursor = next(pages(tenant.client, "/projects", limit=1))["next_cursor"]
    strange = [cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
               for at in range(len(cursor) - 1)]  # fmt: skip
    strange += [cursor[:-4], cursor + "AAAA", cursor * 2, "x", "AAAA", "====", "é", "null", "0",
                base64.urlsafe_b64encode(orjson.dumps(["2026-01-01T00:00:00Z", absent()])).decode(),
                "A" * 2000]  # fmt: skip
    for bad in strange:
        answer = tenant.client.get("/projects", params={"cursor": bad, "limit": 1})
        problem(answer, 400, "bad_cursor")
    for bad in ("", "A" * 2001):
        answer = tenant.client.get("/projects", params={"cursor": bad})
        problem(answer, answer.status_code, answer.json()["code"])
        assert answer.status_code in (400, 422)


def test_a_cursor_of_another_list_or_filter_is_refused(tenant: Tenant) -> None:
    user = make_user(tenant.client)["id"]
    fill(tenant.client, ["x"] * 3, status="active", created_by=user)
    make_user(tenant.client)
    queries: list[Json] = [
        {}, {"status": "active"}, {"q": "x"}, {"created_by": user}, {"language": "en"},
        {"status": "active", "q": "x"},
    ]  # fmt: skip
    cursors = [
        next(pages(tenant.client, "/projects", limit=1, **query))["next_cursor"]
        for query in queries
    ]
    for query, cursor in zip(queries, cursors, strict=True):
        for other in cursors:
            answer = tenant.client.get("/projects", params=query | {"cursor": other})
            if other == cursor:
                ok(answer)
            else:
                problem(answer, 400, "bad_cursor")
    problem(tenant.client.get("/users", params={"cursor": cursors[0]}), 400, "bad_cursor")
    ok(tenant.client.get("/projects", params={"cursor": cursors[0], "limit": 200}))


def test_a_cursor_signed_with_another_secret_is_refused(
    module_served: Served, module_database: Database
) -> None:
    """And one with the same secret is good in every process."""
    servers = [module_served(module_database, cursor_secret=secret) for secret in ("a", "a", "b")]
    secret = servers[0].key("cursors")
    first, same, other = (server.client(secret) for server in servers)
    fill(first, ["x"] * 3)
    cursor = {"cursor": next(pages(first, "/projects", limit=1))["next_cursor"]}
    ok(same.get("/projects", params=cursor))
    problem(other.get("/projects", params=cursor), 400, "bad_cursor")


# ---------------------------------------------------------------- filters


def test_filters_narrow_the_list_and_its_total(tenant: Tenant) -> None:
    ada, eve = (make_user(tenant.client)["id"] for _ in range(2))
    fill(tenant.client, ["a1", "a2"], created_by=ada, status="active")
    fill(tenant.client, ["e1"], created_by=eve, status="active")
    fill(tenant.client, ["d1"], language="de")
    for query, expected in (
        ({"status": "active"}, ["a1", "a2", "e1"]),
        ({"status": "archived"}, []),
        ({"created_by": ada}, ["a1", "a2"]),
        ({"created_by": ada, "limit": 1}, ["a1", "a2"]),
        ({"created_by": absent()}, []),
        ({"language": "de"}, ["d1"]),
        ({"language": "fr"}, []),
        ({"status": "active", "created_by": eve, "q": "E"}, ["e1"]),
        ({"q": "1"}, ["a1", "d1", "e1"]),
        ({}, ["a1", "a2", "d1", "e1"]),
    ):
        assert sorted(names(tenant.client, **query)) == expected, query
        counted = query | {"include_total": "true", "limit": 1}
        assert ok(tenant.client.get("/projects", params=counted))["total"] == len(expected)
        streamed = lines(tenant.client.get("/projects", params=query, headers=NDJSON))
        assert sorted(item["name"] for item in streamed) == expected


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("cafe", ["Café Zürich"]), ("CAFÉ", ["Café Zürich"]), ("zurich", ["Café Zürich"]),
        ("Ü", ["100% sure_thing", "Café Zürich", "under score"]),
        ("%", ["100% sure_thing"]), ("_", ["100% sure_thing"]), ("0%", ["100% sure_thing"]),
        ("%sure", []), ("r_t", []), ("e_t", ["100% sure_thing"]), ("r s", ["under score"]),
        ("\\", ["back\\slash"]), ("\\%", []), ("'", ["it's"]), ("''", []), (".*", []),
        ("strasse", ["Straße"]), ("Straße", ["Straße"]), ("STRASSE", ["Straße"]),
        ("漢", ["漢字"]), ("🙂", ["smile 🙂"]), (" ", ["100% sure_thing", "Café Zürich", "smile 🙂",
                                                  "under score"]),
    ],
)  # fmt: skip
def test_q_is_plain_text_without_case_and_accents(
    server: Server, q: str, expected: list[str]
) -> None:
    tenant = Tenant(server, "plain-text")
    if not walk(tenant.client, "/projects"):
        fill(tenant.client, ["Café Zürich", "100% sure_thing", "under score", "back\\slash", "it's",
                             "Straße", "漢字", "smile 🙂"])  # fmt: skip
    assert sorted(names(tenant.client, q=q)) == expected


def test_users_are_found_by_part_of_name_or_address(tenant: Tenant) -> None:
    make_user(tenant.client, name="Zoë Müller", email="first@example.org")
    make_user(tenant.client, name="x", email="Second.One@example.org")
    for q, expected in {
        "zoe": 1, "MULLER": 1, "second.one@": 1, "EXAMPLE.ORG": 2, "%": 0, "_": 0, "nobody": 0,
    }.items():  # fmt: skip
        answer = ok(tenant.client.get("/users", params={"q": q, "include_total": "true"}))
        assert (len(answer["items"]), answer["total"]) == (expected, expected), q


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("statuss=active", "query:statuss"), ("status=deleted", "query:status"),
        ("status=", "query:status"),
        ("created_by=x", "query:created_by"), ("language=" + "x" * 11, "query:language"),
        ("q=", "query:q"), ("q=" + "x" * 256, "query:q"), ("q=%00", "query:q"), ("q=%ff", "query"),
        ("include_total=yes", "query:include_total"), ("include_total=1", "query:include_total"),
        ("limit=1&limit=2", "query:limit"), ("offset=5", "query:offset"), ("page=2", "query:page"),
        ("tenant_id=1", "query:tenant_id"), ("%00=1", "query:\0"), ("q=%ed%a0%80", "query"),
        ("limit", "query:limit"), ("&".join(["a=1"] * 200), "query"),
    ],
)  # fmt: skip
def test_an_unknown_or_bad_query_parameter_is_refused(
    mine: httpx.Client, query: str, pointer: str
) -> None:
    problem(mine.get(f"/projects?{query}"), 422, "validation", pointer)


def test_all_faults_of_a_query_are_told_at_once(mine: httpx.Client) -> None:
    query = "limit=0&status=x&created_by=x&surprise=1&include_total=x"
    problem(mine.get(f"/projects?{query}"), 422, "validation", "query:limit", "query:status",
            "query:created_by", "query:surprise", "query:include_total")  # fmt: skip


def test_endpoints_that_take_no_query_refuse_one(mine: httpx.Client) -> None:
    made = make_project(mine)["id"]
    problem(mine.get(f"/projects/{made}?limit=5"), 422, "validation", "query:limit")
    problem(mine.post("/projects?x=1", json=project()), 422, "validation", "query:x")
    answer = mine.delete(f"/projects/{made}?x=1", headers=ANY_VERSION)
    problem(answer, 422, "validation", "query:x")
    ok(mine.get(f"/projects/{made}"))


# ---------------------------------------------------------------- thousands of rows


@pytest.fixture(scope="module")
def big(server: Server) -> tuple[httpx.Client, list[str]]:
    """A tenant with the most projects that one request may make, and their ids in order."""
    client = Tenant(server, unique("big")).client
    started = time.monotonic()
    ids = fill(client, [f"project {n}" for n in range(MOST)])
    assert time.monotonic() - started < 15
    return client, ids


def test_a_bulk_of_10000_is_one_and_its_ids_are_in_order(
    big: tuple[httpx.Client, list[str]],
) -> None:
    client, ids = big
    assert len(set(ids)) == MOST and ids == sorted(ids)
    for number in (0, 1, 4999, MOST - 1):
        assert ok(client.get(f"/projects/{ids[number]}"))["name"] == f"project {number}"
    assert ok(client.get("/projects?include_total=true&limit=1"))["total"] == MOST


def test_the_ndjson_of_a_list_equals_its_pages(big: tuple[httpx.Client, list[str]]) -> None:
    client, _ = big
    whole = lines(client.get("/projects", headers=NDJSON))
    assert len(whole) == MOST
    assert whole == walk(client, "/projects", limit=200)
    some = lines(client.get("/projects?q=99", headers=NDJSON))
    assert some == walk(client, "/projects", limit=200, q="99") and 0 < len(some) < MOST


def test_the_ndjson_comes_piece_by_piece(big: tuple[httpx.Client, list[str]]) -> None:
    client, _ = big
    with client.stream("GET", "/projects", headers=NDJSON) as answer:
        assert answer.headers.get("transfer-encoding") == "chunked"
        sizes = [len(piece) for piece in answer.iter_raw()]
    assert len(sizes) > 10 and max(sizes) < sum(sizes) / 4


@pytest.fixture(scope="module")
def bulky(server: Server, module_database: Database) -> httpx.Client:
    """A tenant whose list is larger than what the sockets between hold."""
    tenant = Tenant(server, unique("bulky"))
    module_database.psql(
        "INSERT INTO workspace.projects (tenant_id, name, language, metadata)"
        " SELECT %s, 'x', 'en', jsonb_build_object('text', repeat('x', 2000))"
        "   FROM generate_series(1, 6000)",
        tenant_id(module_database, tenant.name),
    )
    return tenant.client


def streaming(database: Database) -> int:
    """How many transactions of the service are open."""
    return int(
        database.psql(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'quarry_app'"
            "   AND datname = current_database() AND xact_start IS NOT NULL"
        )[0][0]
    )


@pytest.mark.parametrize("way", ["stalls", "hangs up"])
def test_a_reader_of_ndjson_that_goes_no_further_frees_the_connection(
    server: Server, bulky: httpx.Client, module_database: Database, way: str
) -> None:
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", server.port))
        link.sendall(
            f"GET /projects HTTP/1.1\r\nHost: x\r\nAccept: application/x-ndjson\r\n"
            f"X-Request-Timeout-Ms: {500 if way == 'stalls' else 30_000}\r\n"
            f"Authorization: {bulky.headers['authorization']}\r\n\r\n".encode()
        )
        wait_until(lambda: streaming(module_database))
        if way == "hangs up":
            link.close()
        wait_until(lambda: not streaming(module_database), 3.0)
    ok(bulky.get("/projects?limit=1"))


def test_every_page_of_many_costs_about_the_same(big: tuple[httpx.Client, list[str]]) -> None:
    """Keyset, not offset: the last page is no slower than the first."""
    client, _ = big

    def cost(cursor: str) -> float:
        started = time.perf_counter()
        ok(client.get("/projects", params={"limit": 200, "cursor": cursor}))
        return time.perf_counter() - started

    cursors = [page["next_cursor"] for page in pages(client, "/projects", limit=200)][:-1]
    first = min(cost(cursors[0]) for _ in range(5))
    last = min(cost(cursors[-1]) for _ in range(5))
    assert last < 5 * first + 0.01


# ---------------------------------------------------------------- bulk


@pytest.mark.parametrize("path", ["/projects", "/projects/bulk"])
def test_a_bulk_of_10001_or_of_nothing_is_refused(tenant: Tenant, path: str) -> None:
    for items in ([project()] * (MOST + 1), []):
        problem(tenant.client.post(path, json=items), 422, "validation", "")
    assert names(tenant.client) == []


@pytest.mark.parametrize("path", ["/projects", "/projects/bulk"])
def test_one_bad_item_stores_nothing_and_is_named(tenant: Tenant, path: str) -> None:
    for bad, pointer in (
        (project(current_step=9), "/2/current_step"),
        (project(surprise=1), "/2/surprise"),
        ({"language": "en"}, "/2/name"),
        (project(metadata=[]), "/2/metadata"),
        (project("\0"), "/2/name"),
        ([], "/2"), (None, "/2"), ("x", "/2"),
    ):  # fmt: skip
        answer = tenant.client.post(path, json=[project(), project(), bad, project()])
        problem(answer, 422, "validation", pointer)
    answer = tenant.client.post(path, json=[project(), project(current_step=0, status="x"), {}])
    problem(answer, 422, "validation", "/1/current_step", "/1/status", "/2/name", "/2/language")
    assert names(tenant.client) == []


@pytest.mark.parametrize("once", [False, True], ids=["plain", "with an Idempotency-Key"])
def test_bad_references_in_a_bulk_are_named_and_store_nothing(tenant: Tenant, once: bool) -> None:
    user, gone = (make_user(tenant.client)["id"] for _ in range(2))
    assert tenant.client.delete(f"/users/{gone}").status_code == 204
    makers = [None, absent(), user, gone, user, absent()]
    items = [project() if m is None else project(created_by=m) for m in makers]
    headers = {"Idempotency-Key": unique("bulk")} if once else {}
    for path in ("/projects", "/projects/bulk"):
        answer = tenant.client.post(path, json=items, headers=headers)
        told = problem(answer, 422, "foreign_key")["errors"]
        assert [e["pointer"] for e in told] == [f"/{n}/created_by" for n in (1, 3, 5)]
    assert names(tenant.client) == []
    strangers = [project(created_by=absent()) for _ in range(150)]
    assert len(problem(tenant.client.post("/projects", json=strangers), 422, "foreign_key")
               ["errors"]) == 100  # fmt: skip
    fitting = [item for item, m in zip(items, makers, strict=True) if m in (None, user)]
    assert len(ok(tenant.client.post("/projects", json=fitting, headers=headers), 201)["ids"]) == 3


def test_bulk_items_are_stored_as_single_ones_are(tenant: Tenant) -> None:
    user = make_user(tenant.client)["id"]
    items = [
        project("plain"),
        project("full é 漢 \\ \" '", status="active", current_step=4, created_by=user,
                metadata={"a": [1.50, None, {"b": "c"}]}),
    ]  # fmt: skip
    answer = tenant.client.post("/projects/bulk", json=items)
    ids = ok(answer, 201)["ids"]
    for made, item in zip(ids, items, strict=True):
        got = tenant.client.get(f"/projects/{made}")
        assert got.headers["etag"] == '"1"'
        single = make_project(tenant.client, **item)
        own = ("id", "created_at", "updated_at")
        assert {k: v for k, v in ok(got).items() if k not in own} == {
            k: v for k, v in single.items() if k not in own
        }


def test_users_come_in_bulk_all_or_none(tenant: Tenant, module_database: Database) -> None:
    people = [{"email": f"{n}@example.org", "name": f"user {n}"} for n in range(2000)]
    ids = ok(tenant.client.post("/users/bulk", json=people), 201)["ids"]
    listed = {u["id"]: u["email"] for u in lines(tenant.client.get("/users", headers=NDJSON))}
    assert [listed[each] for each in ids] == [each["email"] for each in people]
    assert events(module_database, ids[-1])[0]["after"]["email"] == "1999@example.org"
    new = [{"email": f"new{n}@example.org", "name": "x"} for n in range(3)]
    taken, again = people[7] | {"email": "7@EXAMPLE.org"}, new[0] | {"email": "NEW0@example.org"}
    for headers in ({}, {"Idempotency-Key": unique("bulk")}):
        for items, pointers in (
            ([*new, taken], ["/3/email"]), ([*new, again], ["/3/email"]),
            ([again, taken, *new], ["/1/email", "/2/email"]),
        ):  # fmt: skip
            answer = tenant.client.post("/users", json=items, headers=headers)
            body = problem(answer, 409, "duplicate")
            assert body["constraint"] == "users_email_key"
            assert [error["pointer"] for error in body["errors"]] == pointers
    assert ok(tenant.client.get("/users?include_total=true"))["total"] == 2000


def test_parallel_bulks_do_not_meet(tenant: Tenant) -> None:
    made = at_once([lambda n=n: fill(tenant.client, [f"{n}"] * 200) for n in range(6)])
    assert len({each for ids in made for each in ids}) == 1200
    assert ok(tenant.client.get("/projects?include_total=true"))["total"] == 1200
