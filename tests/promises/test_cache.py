"""The cache: never stale through any worker, never in the way, gone when it should be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Served
from tests.promises.assistant import make_conversation, path_of, say
from tests.promises.helpers import ANY_VERSION, Json, Tenant, at_once, make_user, ok, unique
from tests.promises.test_reload import Files
from tests.support.checker import Checker
from tests.support.cluster import Database
from tests.support.server import Server
from tests.support.valkey import Valkey
from tests.support.wait import wait_until

pytestmark = pytest.mark.xdist_group("cache")

ALL = "user,conversation,page,search,project"
PATIENT = 1000  # milliseconds for the cache server, where a busy machine must not look like a fault
CHECKED = 800  # reads and writes; the full 100,000 are run by hand
KEY = re.compile(
    rb"quarry:[0-9a-f]{12}:[0-9a-f-]{36}:(user|conversation|page|search|project):[0-9a-f-]{36}\Z"
)


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    server = Valkey()
    yield server
    server.resume()
    server.kill()


@pytest.fixture
def kept(module_served: Served, module_database: Database, valkey: Valkey) -> Server:
    """A server with a cache server, which keeps every kind."""
    return module_served(
        module_database, cache_url=valkey.url, cache_kinds=ALL, cache_budget_ms=PATIENT
    )


def furnish(client: httpx.Client) -> dict[str, str]:
    """Paths of everything that may be kept, filled."""
    user = make_user(client)["id"]
    conversation = make_conversation(client, user, messages=5, title="Trà đá")
    project = ok(client.post("/projects", json={"name": unique(), "language": "en"}), 201)["id"]
    for number in range(3):
        body = {"user_id": user, "question": f"đá {number}", "answer": "cà phê sữa đá"}
        ok(client.post("/memories", json=body), 201)
    return {
        "user": f"/users/{user}",
        "conversation": f"/conversations/{conversation['id']}",
        "page": f"{path_of(conversation)}?limit=2",
        "whole": f"/conversations/{conversation['id']}?include=messages&message_limit=3",
        "search": f"/memories?user_id={user}&q=ca%20phe&limit=2",
        "project": f"/projects/{project}",
    }


def figures(client: httpx.Client) -> Json:
    return ok(client.get("/health/cache"))  # type: ignore[no-any-return]


def queries(server: Server, name: str) -> int:
    """How often a named query ran in the server's process."""
    text = httpx.get(f"{server.admin_url}/metrics", timeout=10).text
    found = re.search(rf'quarry_query_seconds_count{{query="{name}"}} (\d+)', text)
    return int(found[1]) if found else 0


# ---------------------------------------------------------------- the same answers


@pytest.mark.parametrize("kind", ["memory", "server"])
def test_a_hit_has_the_same_bytes_as_a_miss_and_as_no_cache(
    module_served: Served, module_database: Database, valkey: Valkey, kind: str
) -> None:
    url = valkey.url if kind == "server" else None
    cached = module_served(module_database, cache_url=url, cache_kinds=ALL, cache_budget_ms=PATIENT)
    plain = module_served(module_database, cache_kinds="none")
    key = cached.key(unique("same"))
    one, other = cached.client(key), plain.client(key)
    paths = furnish(one)
    for path in paths.values():
        miss, hit, none = one.get(path), one.get(path), other.get(path)
        assert miss.content == hit.content == none.content, path
        for header in ("etag", "link", "content-type", "content-length"):
            values = {a.headers.get(header) for a in (miss, hit, none)}
            assert len(values) == 1, (path, header, values)
        if "etag" in hit.headers:
            known = {"If-None-Match": hit.headers["etag"]}
            assert one.get(path, headers=known).status_code == 304
    seen = figures(one)
    assert seen["kind"] == kind and seen["status"] == "ok"
    hits = {name: counts["hits"] for name, counts in seen["kinds"].items()}
    assert all(hits[name] >= 1 for name in ALL.split(",")), hits
    assert figures(other)["kinds"] == {}


def test_keys_are_scoped_and_live_as_long_as_they_may(kept: Server, valkey: Valkey) -> None:
    client = kept.client(kept.key(unique("keys")))
    paths = furnish(client)
    for path in paths.values():
        ok(client.get(path))
    empty = f"/memories?user_id={make_user(client)['id']}&q=nothing"
    ok(client.get(empty))
    lives = {"user": 3600, "conversation": 1800, "page": 1800, "search": 7200, "project": 3600}
    with valkey.client() as looking:
        keys = looking.keys("*")
        assert keys and all(KEY.match(key) for key in keys), keys
        ttls: dict[str, list[int]] = {}
        for key in keys:
            ttls.setdefault(key.split(b":")[3].decode(), []).append(looking.ttl(key))
    absent = min(ttls["search"])
    assert 20 <= absent <= 33  # what has nothing in it is kept for a short time
    ttls["search"].remove(absent)
    for kind, seconds in lives.items():
        assert all(0.9 * seconds - 5 <= ttl <= 1.1 * seconds for ttl in ttls[kind]), (kind, ttls)


# ---------------------------------------------------------------- never stale


@pytest.mark.parametrize("kind", ["memory", "server"])
def test_no_read_through_any_worker_is_older_than_a_write_before_it(
    served: Served, database: Database, valkey: Valkey, kind: str
) -> None:
    url = valkey.url if kind == "server" else None
    server = served(database, workers=2, admin_port=0, cache_url=url, cache_kinds=ALL,
                    pool_max_size=8, pool_wait_ms=10_000)  # fmt: skip
    key = server.key()
    checker = Checker(server.url, key, make_user(server.client(key))["id"])
    checker.run(CHECKED)
    assert checker.stale == []
    assert checker.seen["messages"] > 200 and checker.seen["search"] > 60


def test_nor_when_the_cache_server_stops_dies_and_comes_back(
    served: Served, database: Database, valkey: Valkey
) -> None:
    server = served(database, workers=2, admin_port=0, cache_url=valkey.url, cache_kinds=ALL,
                    cache_pause_seconds=0.2, pool_max_size=8, pool_wait_ms=10_000)  # fmt: skip
    key = server.key()
    checker = Checker(server.url, key, make_user(server.client(key))["id"], seed=2)
    steps = [valkey.pause, valkey.resume, valkey.kill, valkey.start, valkey.pause, valkey.resume]

    def between(left: int) -> None:
        if steps and left < CHECKED * len(steps) / 7:
            steps.pop(0)()

    checker.run(CHECKED, between)
    assert steps == [] and checker.stale == []


@pytest.mark.parametrize("kind", ["memory", "server"])
def test_every_change_is_seen_at_once(
    module_served: Served, module_database: Database, valkey: Valkey, kind: str
) -> None:
    """One worker changes, another one has just answered from its cache."""
    url = valkey.url if kind == "server" else None
    one, two = (module_served(module_database, cache_url=url, cache_kinds=ALL) for _ in range(2))
    key = one.key(unique("seen"))
    here, there = one.client(key), two.client(key)
    paths = furnish(here)
    page = paths["page"].partition("?")[0]
    memory = ok(here.get(paths["search"]))["items"][0]["id"]

    def patch(path: str, body: Json) -> None:
        ok(here.patch(path, json=body, headers=ANY_VERSION))

    changes: list[tuple[str, Any]] = [
        ("user", lambda: patch(paths["user"], {"name": "Eve"})),
        ("conversation", lambda: patch(paths["conversation"], {"title": "x"})),
        ("conversation", lambda: ok(here.post(page, json={"role": "user", "content": "x"}), 201)),
        ("page", lambda: ok(here.patch(f"{page}/1", json={"content": "edited"}))),
        ("whole", lambda: ok(here.patch(f"{page}/6", json={"content": "edited"}))),
        ("page", lambda: ok(here.put(f"{page}/1/active", json={"variant": 1}))),
        ("search", lambda: patch(f"/memories/{memory}", {"answer": "ca phe, changed"})),
        ("search", lambda: here.delete(f"/memories/{memory}", headers=ANY_VERSION)),
        ("project", lambda: here.put(paths["project"], json={"name": "y"}, headers=ANY_VERSION)),
    ]  # fmt: skip
    for kind_of, change in changes:
        before = [c.get(paths[kind_of]).content for c in (here, there, there)]
        assert len(set(before)) == 1
        change()
        after = [c.get(paths[kind_of]).content for c in (there, here)]
        assert after[0] == after[1] != before[0], kind_of
    assert here.delete(paths["conversation"], headers=ANY_VERSION).status_code == 204
    for name in ("conversation", "page", "whole"):
        assert there.get(paths[name]).status_code == 404
    ok(here.post(f"{paths['conversation']}/restore"))
    assert ok(there.get(paths["conversation"]))["title"] == "x"


@pytest.mark.parametrize("kind", ["memory", "server"])
def test_an_edited_query_file_is_seen_at_once(
    module_served: Served, module_database: Database, valkey: Valkey, tmp_path: Path, kind: str
) -> None:
    """What was kept of the old file is not shown after a reload; once it is back, it is again."""
    url, files = valkey.url if kind == "server" else None, Files(tmp_path / "sql")
    server = module_served(
        module_database, cache_url=url, cache_kinds=ALL, sql_dir=files.folder
    )  # fmt: skip
    client = server.client(server.key(unique("edited")))
    path = furnish(client)["page"]
    before = [client.get(path).content for _ in range(2)]

    def reload() -> None:
        answer = httpx.post(f"{server.admin_url}/admin/sql/reload", timeout=60)
        assert answer.json()["status"] == "reloaded", answer.text

    files.edit("messages.list", "m.role, m.content,", "m.role, upper(m.content) AS content,")
    reload()
    assert [m["content"] for m in ok(client.get(path))["items"]] == ["M1", "M2"]
    files.restore()
    reload()
    assert {client.get(path).content, *before} == {before[0]}


def test_a_memory_that_expires_leaves_the_searches(kept: Server) -> None:
    client = kept.client(kept.key(unique("expires")))
    user = make_user(client)["id"]
    soon = (datetime.now(UTC) + timedelta(seconds=1.5)).isoformat()
    body = {"user_id": user, "question": "stone", "answer": "granite", "expires_at": soon}
    ok(client.post("/memories", json=body), 201)
    path = f"/memories?user_id={user}&q=granite"
    assert len(ok(client.get(path))["items"]) == len(ok(client.get(path))["items"]) == 1
    wait_until(lambda: ok(client.get(path))["items"] == [], 5)


# ---------------------------------------------------------------- never in the way


def test_a_stampede_makes_one_read(module_served: Served, module_database: Database) -> None:
    server = module_served(module_database, pool_max_size=50)
    client = server.client(
        server.key(unique("stampede")), limits=httpx.Limits(max_connections=None)
    )
    conversation = make_conversation(client, make_user(client)["id"], messages=300)
    path = f"{path_of(conversation)}?limit=200"
    before = queries(server, "messages.list")
    answers = at_once([lambda: client.get(path)] * 40)
    assert len({a.content for a in answers}) == 1 and answers[0].status_code == 200
    assert queries(server, "messages.list") == before + 1
    page = figures(client)["kinds"]["page"]
    assert page["misses"] == 1 and page["hits"] + page["joined"] == 39


def test_a_dead_cache_fails_nothing_and_is_told(kept: Server, valkey: Valkey) -> None:
    client = kept.client(kept.key(unique("dead")))
    paths = furnish(client)
    answers = {name: client.get(path).content for name, path in paths.items()}
    valkey.kill()
    for name, path in paths.items():
        assert client.get(path).content == answers[name], name
    told = client.get("/health/cache")
    assert told.status_code == 200 and told.json()["status"] == "degraded"
    assert sum(kind["errors"] for kind in told.json()["kinds"].values()) >= 1
    assert client.get("/ready").status_code == 200
    metrics = httpx.get(f"{kept.admin_url}/metrics", timeout=10).text
    assert "quarry_cache_resting 1" in metrics
    assert re.search(r'quarry_cache_errors_total{kind="\w+"} [1-9]', metrics)


def test_a_stalled_cache_is_asked_once_and_then_left_alone(
    module_served: Served, module_database: Database, valkey: Valkey
) -> None:
    server = module_served(
        module_database, cache_url=valkey.url, cache_pause_seconds=60.0, cache_budget_ms=PATIENT
    )
    client = server.client(server.key(unique("stalled")))
    paths = furnish(client)
    ok(client.get(paths["page"]))
    valkey.pause()
    for _ in range(30):
        ok(client.get(paths["page"]))
    page = figures(client)["kinds"]["page"]
    assert page["errors"] == 1 and page["skipped"] == 29, page


def test_a_cache_that_comes_back_is_used_again(
    module_served: Served, module_database: Database, valkey: Valkey
) -> None:
    valkey.kill()
    server = module_served(module_database, cache_url=valkey.url, cache_pause_seconds=0.2)
    client = server.client(server.key(unique("back")))
    path = furnish(client)["page"]
    ok(client.get(path))
    valkey.start()

    def is_hit() -> bool:
        ok(client.get(path))
        return bool(figures(client)["kinds"]["page"]["hits"])

    wait_until(is_hit, 10)
    assert figures(client)["status"] == "ok"


# ---------------------------------------------------------------- what operators and users see


def test_metrics_and_health_tell_what_was_seen(kept: Server) -> None:
    client = kept.client(kept.key(unique("told")))
    paths = furnish(client)
    for _ in range(4):
        ok(client.get(paths["page"]))
    page = figures(client)["kinds"]["page"]
    assert (page["hits"], page["misses"], page["hit_rate"]) == (3, 1, 0.75)
    conversation = {"id": paths["conversation"].rpartition("/")[2]}
    say(client, conversation, "x")
    ok(client.get(paths["page"]))
    assert figures(client)["kinds"]["page"]["invalidations"] == 1
    metrics = httpx.get(f"{kept.admin_url}/metrics", timeout=10).text
    for line in (
        'quarry_cache_lookups_total{kind="page",outcome="hits"} 3',
        'quarry_cache_lookups_total{kind="page",outcome="misses"} 2',
        'quarry_cache_errors_total{kind="page"} 0',
        'quarry_cache_invalidations_total{kind="page"} 1',
        'quarry_cache_hit_rate{kind="page"} 0.6000',
    ):
        assert line in metrics, line


def test_erasing_a_user_removes_entries_and_says_how_many(kept: Server, valkey: Valkey) -> None:
    client = kept.client(kept.key(unique("erased")))
    paths, others = furnish(client), furnish(client)
    for path in (*paths.values(), *others.values()):
        ok(client.get(path))
    with valkey.client() as looking:
        before = len(looking.keys("*"))
        counts = ok(client.post(f"{paths['user']}/erase"))
        assert counts["cache_entries"] == 5  # user, conversation, page and whole, search
        assert len(looking.keys("*")) == before - 4
    assert counts["messages"] == 5


def test_warm_up_makes_the_entries_of_the_newest_users(
    served: Served, database: Database, valkey: Valkey
) -> None:
    first = served(database, cache_kinds="none")
    client = first.client(first.key())
    paths = [furnish(client) for _ in range(3)][1:]
    warm = served(
        database, cache_url=valkey.url, cache_kinds=ALL, cache_warm=2, cache_budget_ms=PATIENT
    )
    looker = warm.client(warm.key())
    wait_until(lambda: figures(looker)["kinds"]["conversation"]["misses"] == 2)
    for each in paths:
        ok(looker.get(each["user"]))
        ok(looker.get(each["conversation"]))
    kinds = figures(looker)["kinds"]
    assert (kinds["user"]["hits"], kinds["conversation"]["hits"]) == (2, 2)


def test_an_unknown_kind_or_url_is_refused_at_start(served: Served, database: Database) -> None:
    for setting in ({"cache_kinds": "page,nonsense"}, {"cache_url": "http://x"}):
        server = served(database, ready=False, **setting)
        assert server.process.wait(30) != 0
        assert f"QUARRY_{next(iter(setting)).upper()}" in server.log()


def test_a_tenant_is_kept_apart(kept: Server) -> None:
    """The same path of another tenant is not answered from what is kept."""
    one, two = (Tenant(kept, unique("apart")).client for _ in range(2))
    for path in furnish(one).values():
        ok(one.get(path))
        answer = two.get(path)
        assert answer.status_code == 404 or ok(answer)["items"] == [], path
