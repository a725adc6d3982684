"""Executions: only legal steps, whoever is first; correlation, lists, heartbeats, figures."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from tests.conftest import Served
from tests.promises.helpers import (
    ANY_VERSION,
    NDJSON,
    Json,
    Tenant,
    absent,
    at_once,
    calls,
    events,
    lines,
    make_execution,
    make_project,
    make_user,
    ok,
    problem,
    same_refusal,
    unique,
    walk,
)  # fmt: skip
from tests.schema.test_executions import STEPS, WAYS
from tests.support.cluster import Database
from tests.support.server import Server

pytestmark = pytest.mark.xdist_group("executions")

WORKERS = 50
FIELDS = {
    "id", "project_id", "agent_type", "correlation_id", "status", "input", "output",
    "error_message", "progress", "requested_by", "started_at", "heartbeat_at", "completed_at",
    "duration_ms", "version", "created_at", "updated_at",
}  # fmt: skip


class Desk:
    """A project and what is done with its executions."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.project: str = make_project(client)["id"]
        self.path = f"/projects/{self.project}/agents/executions"

    def make(self, *steps: str, **fields: Any) -> str:
        return str(make_execution(self.client, self.project, *steps, **fields)["id"])

    def put(self, execution: str, etag: str | None = None, **fields: Any) -> httpx.Response:
        headers = {} if etag is None else {"If-Match": etag}
        return self.client.put(f"{self.path}/{execution}", json=fields, headers=headers)

    def get(self, execution: str) -> Json:
        found: Json = ok(self.client.get(f"{self.path}/{execution}"))
        return found

    def beat(self, execution: str) -> httpx.Response:
        return self.client.post(f"{self.path}/{execution}/heartbeat")

    def ids(self, **query: Any) -> list[str]:
        return [item["id"] for item in walk(self.client, self.path, **query)]

    def metrics(self, **query: Any) -> Json:
        path = f"/projects/{self.project}/agents/metrics"
        found: Json = ok(self.client.get(path, params=query))
        return found


@pytest.fixture(scope="module")
def server(module_served: Served, module_database: Database) -> Server:
    """A server whose upkeep leaves alone what the figures are told from: runs 60 days old."""
    return module_served(module_database, execution_stale_after=10_000_000)


@pytest.fixture
def desk(mine: httpx.Client) -> Desk:
    return Desk(mine)


# ---------------------------------------------------------------- creating


def test_an_execution_is_answered_as_it_is_stored(desk: Desk) -> None:
    user = make_user(desk.client)["id"]
    given = {"agent_type": "Übersetzer 漢字", "input": {"a": [1, 2.50, None]}, "requested_by": user}
    created = desk.client.post(desk.path, json=given)
    body = ok(created, 201)
    assert set(body) == FIELDS
    assert {name: body[name] for name in given} == given
    assert (body["status"], body["progress"], body["version"]) == ("pending", 0, 1)
    assert body["project_id"] == desk.project
    for name in ("output", "error_message", "started_at", "heartbeat_at", "completed_at"):
        assert body[name] is None
    assert created.headers["location"] == f"{desk.path}/{body['id']}"
    assert created.headers["etag"] == '"1"'
    read = desk.client.get(created.headers["location"])
    assert (ok(read), read.headers["etag"]) == (body, '"1"')
    again = desk.client.get(created.headers["location"], headers={"If-None-Match": '"1"'})
    assert again.status_code == 304
    assert ok(desk.client.post(desk.path, json={"agent_type": "x"}), 201)["input"] == {}


def test_where_the_correlation_id_comes_from(desk: Desk) -> None:
    def made(**headers: str) -> str:
        answer = desk.client.post(desk.path, json={"agent_type": "x"}, headers=headers)
        return str(ok(answer, 201)["correlation_id"])

    trace = "0af7651916cd43dd8448eb211c80319c"
    parent = f"00-{trace}-b7ad6b7169203331-01"
    assert made(**{"X-Correlation-ID": "trip~7/é".replace("é", "e"), "traceparent": parent}) == (
        "trip~7/e"
    )
    assert made(traceparent=parent) == trace
    first, second = made(), made(traceparent="nonsense")
    assert first != second and UUID(first) and UUID(second)
    longest = "!" * 128
    assert made(**{"X-Correlation-ID": longest}) == longest


@pytest.mark.parametrize("value", ["", "two words", "x" * 129, "é"])
def test_a_correlation_id_that_cannot_be_one_is_refused(desk: Desk, value: str) -> None:
    headers = {"X-Correlation-ID": value.encode()}
    answer = desk.client.post(desk.path, json={"agent_type": "x"}, headers=headers)
    problem(answer, 400, "bad_header")
    assert desk.ids() == []


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("agent_type", ["x", "漢" * 50], ["", "x" * 51, None, 1, "a\0b"]),
        ("input", [{}, {"a": {"b": []}}], [[], "x", 1, None, True, {"a": "\0"}]),
        ("requested_by", [], ["x", "", None, 1]),
    ],
)
def test_fields_of_a_new_one_have_bounds(
    desk: Desk, field: str, good: list[Any], bad: list[Any]
) -> None:
    fields = {"agent_type": "x"}
    for value in good:
        assert ok(desk.client.post(desk.path, json=fields | {field: value}), 201)[field] == value
    for value in bad:
        answer = desk.client.post(desk.path, json=fields | {field: value})
        problem(answer, 422, "validation", f"/{field}")


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("progress", [0, 100], [-1, 101, 1.5, "1", None, True, 2**40]),
        ("output", [{}, {"a": 1}], [[], "x", 1, None]),
        ("error_message", ["", "漢" * 10_000], ["x" * 10_001, 1, None, "a\0b"]),
        ("status", [], ["Running", "lost", "", None, 1]),
    ],
)
def test_fields_of_a_change_have_bounds(
    desk: Desk, field: str, good: list[Any], bad: list[Any]
) -> None:
    execution = desk.make("running")
    for value in good:
        assert ok(desk.put(execution, **{field: value}))[field] == value
    for value in bad:
        problem(desk.put(execution, **{field: value}), 422, "validation", f"/{field}")


def test_a_megabyte_is_stored_and_more_is_refused(desk: Desk) -> None:
    for size, fits in ((1024 * 1024, True), (1024 * 1024 + 1, False)):
        large = {"a": "x" * (size - len('{"a":""}'))}
        answer = desk.client.post(desk.path, json={"agent_type": "x", "input": large})
        if fits:
            execution = ok(answer, 201)["id"]
            assert ok(desk.put(execution, output=large))["output"] == large
        else:
            problem(answer, 422, "validation", "/input")
            problem(desk.put(execution, output=large), 422, "validation", "/output")


def test_all_faults_are_told_at_once_and_the_reference_is_checked(desk: Desk) -> None:
    sent = {"input": 1, "requested_by": "x", "surprise": 1}
    problem(
        desk.client.post(desk.path, json=sent), 422, "validation",
        "/agent_type", "/input", "/requested_by", "/surprise",
    )  # fmt: skip
    sent = {"agent_type": "x", "requested_by": absent()}
    problem(desk.client.post(desk.path, json=sent), 422, "foreign_key", "/requested_by")


def test_a_repeated_request_makes_one(desk: Desk) -> None:
    headers = {"Idempotency-Key": unique("once")}
    answers = at_once(
        [lambda: desk.client.post(desk.path, json={"agent_type": "x"}, headers=headers)] * 8
    )
    assert len({ok(answer, 201)["id"] for answer in answers}) == 1
    assert len(desk.ids()) == 1


# ---------------------------------------------------------------- steps


@pytest.mark.parametrize("old", STEPS)
def test_every_step_that_is_not_in_the_table_is_409_and_names_both_states(
    desk: Desk, old: str
) -> None:
    for new in STEPS:
        execution = desk.make(*WAYS[old])
        before = desk.get(execution)
        assert before["status"] == old
        answer = desk.put(execution, status=new, progress=77)
        if new in STEPS[old]:
            body = ok(answer)
            assert (body["status"], body["progress"]) == (new, 77)
            assert body["version"] == before["version"] + 1
            assert answer.headers["etag"] == f'"{body["version"]}"'
        else:
            found = problem(answer, 409, "illegal_transition")
            assert f"from {old} to {new}" in found["detail"]
            assert desk.get(execution) == before


def test_fifty_finish_one_execution_and_one_wins(desk: Desk) -> None:
    execution = desk.make("running")
    ways = ["completed", "failed", "cancelled"]
    answers = at_once(
        [
            lambda n=n: desk.put(execution, status=ways[n % 3], output={"by": n})  # type: ignore[misc]
            for n in range(WORKERS)
        ]
    )
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    for answer in answers:
        if answer is not won[0]:
            problem(answer, 409, "illegal_transition")
    assert desk.get(execution) == ok(won[0])
    assert ok(won[0])["version"] == 3


def test_of_many_who_start_one_execution_one_does(desk: Desk) -> None:
    execution = desk.make()
    answers = at_once([lambda: desk.put(execution, status="running")] * 20)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19


def test_a_report_names_no_status_and_what_it_leaves_out_stays(desk: Desk) -> None:
    execution = desk.make("running")
    first = ok(desk.put(execution, progress=10, output={"a": 1}))
    second = ok(desk.put(execution, error_message="odd"))
    changed = {"error_message", "version", "updated_at", "heartbeat_at"}
    assert {k: v for k, v in second.items() if k not in changed} == {
        k: v for k, v in first.items() if k not in changed
    }
    assert (second["error_message"], second["version"]) == ("odd", first["version"] + 1)
    same = desk.put(execution, error_message="odd")
    assert (ok(same)["version"], same.headers["etag"]) == (second["version"], '"4"')
    assert ok(desk.put(execution)) == ok(same)


def test_what_has_ended_changes_no_more(desk: Desk) -> None:
    for status in ("completed", "failed", "cancelled"):
        execution = desk.make(*WAYS[status])
        before = desk.get(execution)
        for change in ({"progress": 9}, {"output": {"a": 1}}, {"error_message": "late"}):
            found = problem(desk.put(execution, **change), 409, "illegal_transition")
            assert status in found["detail"]
        problem(desk.beat(execution), 409, "conflict")
        assert desk.get(execution) == before


def test_if_match_is_optional_and_counts_when_it_is_there(desk: Desk) -> None:
    execution = desk.make("running")
    assert ok(desk.put(execution, '"2"', progress=1))["version"] == 3
    assert ok(desk.put(execution, "*", progress=2))["version"] == 4
    for stale in ('"2"', '"99"', 'W/"4"', '"x"'):
        problem(desk.put(execution, stale, progress=3), 412, "stale_etag")
        problem(desk.put(execution, stale, status="completed"), 412, "stale_etag")
        # the precondition comes first
        problem(desk.put(execution, stale, status="pending"), 412, "stale_etag")
    for malformed in ("4", "", '"4'):
        problem(desk.put(execution, malformed, progress=3), 400, "bad_header")
    assert desk.get(execution)["version"] == 4
    answers = at_once([lambda: desk.put(execution, '"4"', progress=50)] * 10)
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


def test_a_heartbeat_is_answered_by_who_runs_and_is_no_change(
    desk: Desk, module_database: Database
) -> None:
    execution = desk.make("running")
    before, trail = desk.get(execution), len(events(module_database, execution))
    for _ in range(3):
        answer = desk.beat(execution)
        assert (answer.status_code, answer.content) == (204, b"")
    after = desk.get(execution)
    assert after["heartbeat_at"] > before["heartbeat_at"]
    assert {**after, "heartbeat_at": None} == {**before, "heartbeat_at": None}
    assert len(events(module_database, execution)) == trail
    for steps in ((), ("running", "needs_input")):
        body = problem(desk.beat(desk.make(*steps)), 409, "conflict")
        assert (steps[-1] if steps else "pending") in body["detail"]
    problem(desk.beat(absent()), 404, "not_found")


# ---------------------------------------------------------------- lists


def test_the_list_is_newest_first_and_filters_combine(desk: Desk) -> None:
    made: list[Json] = []
    for number in range(24):
        headers = {"X-Correlation-ID": f"c{number % 3}"}
        body = {"agent_type": ("writer", "editor")[number % 2], "input": {"n": number}}
        made.insert(0, ok(desk.client.post(desk.path, json=body, headers=headers), 201))
        steps = list(WAYS.values())[number % 6]
        for status in steps:
            made[0] = ok(desk.put(made[0]["id"], status=status))
    assert walk(desk.client, desk.path, limit=5) == made
    assert lines(desk.client.get(desk.path, headers=NDJSON)) == made
    asked: list[tuple[Json, Callable[[Json], bool]]] = [
        ({"agent_type": "editor"}, lambda e: e["agent_type"] == "editor"),
        *(({"status": s}, lambda e, s=s: e["status"] == s) for s in STEPS),  # type: ignore[misc]
        ({"correlation_id": "c1"}, lambda e: e["correlation_id"] == "c1"),
        ({"since": made[10]["created_at"]}, lambda e: e["created_at"] >= made[10]["created_at"]),
        ({"correlation_id": "c1", "status": "running", "agent_type": "editor"},
         lambda e: (e["correlation_id"], e["status"], e["agent_type"]) == (
             "c1", "running", "editor")),
        ({"status": "running", "since": made[10]["created_at"]},
         lambda e: e["status"] == "running" and e["created_at"] >= made[10]["created_at"]),
        ({"correlation_id": "none"}, lambda _: False),
    ]  # fmt: skip
    for query, fits in asked:
        expected = [execution for execution in made if fits(execution)]
        for limit in (2, 200):
            assert walk(desk.client, desk.path, limit=limit, **query) == expected, query
        total = ok(desk.client.get(desk.path, params=query | {"include_total": "true"}))["total"]
        assert total == len(expected), query
        assert lines(desk.client.get(desk.path, params=query, headers=NDJSON)) == expected
    assert sum(len(desk.ids(status=status)) for status in STEPS) == 24


def test_a_cursor_belongs_to_its_filters_and_bad_filters_are_refused(desk: Desk) -> None:
    for _ in range(3):
        desk.make()
    cursor = ok(desk.client.get(desk.path, params={"limit": 1, "status": "pending"}))["next_cursor"]
    for query in ({}, {"status": "failed"}, {"status": "pending", "agent_type": "writer"}):
        problem(desk.client.get(desk.path, params=query | {"cursor": cursor}), 400, "bad_cursor")
    for name, value in (
        ("status", "lost"), ("since", "yesterday"), ("since", "2026-01-01T00:00:00"),
        ("agent_type", ""), ("agent_type", "x" * 51), ("correlation_id", "x" * 129), ("q", "x"),
    ):  # fmt: skip
        answer = desk.client.get(desk.path, params={name: value})
        problem(answer, 422, "validation", f"query:{name}")


# ---------------------------------------------------------------- who may


def test_nothing_of_another_tenant_project_or_deleted_project_is_found(
    desk: Desk, theirs: httpx.Client
) -> None:
    execution, other = desk.make("running"), Desk(desk.client)
    one = f"{desk.path}/{execution}"
    elsewhere = f"{other.path}/{execution}"

    def refusals(client: httpx.Client, path: str) -> list[httpx.Response]:
        return [
            client.get(path), client.put(path, json={"progress": 1}),
            client.put(path, json={"status": "failed"}), client.post(f"{path}/heartbeat"),
            client.get(f"{path}/events"),
        ]  # fmt: skip

    nothing = refusals(desk.client, f"{desk.path}/{absent()}")
    for answers in (refusals(theirs, one), refusals(desk.client, elsewhere)):
        for refusal, expected in zip(answers, nothing, strict=True):
            problem(refusal, 404, "not_found")
            assert same_refusal(refusal, expected)
    deleted = desk.client.delete(f"/projects/{desk.project}", headers=ANY_VERSION)
    assert deleted.status_code == 204
    for refusal in [
        *refusals(desk.client, one), desk.client.get(desk.path),
        desk.client.get(f"/projects/{desk.project}/agents/metrics"),
        desk.client.post(desk.path, json={"agent_type": "x"}),
    ]:  # fmt: skip
        problem(refusal, 404, "not_found")
    ok(desk.client.post(f"/projects/{desk.project}/restore"))
    assert desk.get(execution)["status"] == "running"


def test_a_viewer_reads_and_an_editor_acts_as_himself(tenant: Tenant) -> None:
    users = [make_user(tenant.client)["id"] for _ in range(2)]
    viewer, editor = (tenant.caller("projects:*", user=user) for user in users)
    project = make_project(tenant.client)["id"]
    for user, role in zip(users, ("viewer", "editor"), strict=True):
        path = f"/projects/{project}/members/{user}"
        ok(tenant.client.put(path, json={"role": role}))
    execution = make_execution(editor, project, "running", agent_type="mine")
    assert execution["requested_by"] == users[1]
    path = f"/projects/{project}/agents/executions"
    one = f"{path}/{execution['id']}"
    refused = {"agent_type": "x", "requested_by": users[0]}
    problem(editor.post(path, json=refused), 403, "forbidden")
    for read in (path, one, f"/projects/{project}/agents/metrics"):
        ok(viewer.get(read))
    for answer in (
        viewer.post(path, json={"agent_type": "x"}), viewer.put(one, json={"progress": 1}),
        viewer.post(f"{one}/heartbeat"),
    ):  # fmt: skip
        problem(answer, 403, "forbidden")


# ---------------------------------------------------------------- metrics

Row = dict[str, Any]


def generate(chance: random.Random, count: int, days: float) -> list[Row]:
    """Believable rows that began up to so many days ago."""
    now = datetime.now(UTC)
    rows = []
    for _ in range(count):
        began = now - timedelta(days=chance.uniform(0, days), minutes=2)
        status = chance.choice(list(STEPS))
        starts = status in ("running", "needs_input", "completed") or (
            status in ("failed", "cancelled") and chance.random() < 0.7
        )
        started = began + timedelta(seconds=1) if starts else None
        length = timedelta(milliseconds=round(chance.lognormvariate(8, 2)))
        ended = (started or began) + length if not STEPS[status] else None
        rows.append({
            "created_at": began, "agent_type": chance.choice(["writer", "editor", "Prüfer"]),
            "status": status, "started_at": started, "completed_at": ended,
            "heartbeat_at": started,
        })  # fmt: skip
    return rows


def store(database: Database, project: str, rows: list[Row]) -> None:
    """Write them past the triggers: history, as it was."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        for row in rows:
            names = [*row, "correlation_id"]
            values = [*row.values(), "c"]
            owner.execute(
                "INSERT INTO workspace.agent_executions"
                f" (tenant_id, project_id, {', '.join(names)})"
                f" SELECT tenant_id, id, {', '.join(['%s'] * len(values))}"
                "   FROM workspace.projects WHERE id = %s",
                [*values, project],
            )  # fmt: skip


def percentile(values: list[float], share: float) -> float:
    """Linear between the two nearest ranks, as percentile_cont."""
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def rate(rows: list[Row]) -> float | None:
    completed = sum(row["status"] == "completed" for row in rows)
    decided = completed + sum(row["status"] == "failed" for row in rows)
    return completed / decided if decided else None


def lasted(rows: list[Row]) -> list[float]:
    ended = [r for r in rows if r["started_at"] and r["completed_at"]]
    return sorted(
        float(round((r["completed_at"] - r["started_at"]) / timedelta(milliseconds=1)))
        for r in ended
    )


def mean(values: list[float]) -> Any:
    return pytest.approx(sum(values) / len(values)) if values else None


def figures(rows: list[Row]) -> Json:
    """The same by counting in Python."""
    durations = lasted(rows)

    def counts(some: list[Row]) -> Json:
        return {"total": len(some)} | {
            s: sum(r["status"] == s for r in some) for s in ("completed", "failed")
        }

    agents, days = ({r["agent_type"] for r in rows}, {r["created_at"].date() for r in rows})
    by_agent = {agent: [r for r in rows if r["agent_type"] == agent] for agent in agents}
    return {
        "total": len(rows),
        "by_status": {s: sum(r["status"] == s for r in rows) for s in STEPS},
        "success_rate": None if rate(rows) is None else pytest.approx(rate(rows)),
        "duration_ms": {
            "avg": mean(durations),
            "p50": pytest.approx(percentile(durations, 0.5)) if durations else None,
            "p95": pytest.approx(percentile(durations, 0.95)) if durations else None,
        },
        "by_agent_type": {
            agent: counts(some) | {
                "success_rate": None if rate(some) is None else pytest.approx(rate(some)),
                "avg_duration_ms": mean(lasted(some)),
            }
            for agent, some in by_agent.items()
        },
        "per_day": [
            {"day": day.isoformat()} | counts([r for r in rows if r["created_at"].date() == day])
            for day in sorted(days)
        ],
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_the_figures_are_those_that_counting_gives(
    desk: Desk, module_database: Database, seed: int
) -> None:
    rows = generate(random.Random(seed), 300, 60)
    store(module_database, desk.project, rows)
    other = Desk(desk.client)
    store(module_database, other.project, rows[:7])
    for days in (1, 7, 30, 365):
        found = desk.metrics(days=days)
        since = datetime.now(UTC) - timedelta(days=days)
        within = [row for row in rows if row["created_at"] >= since]
        assert {name: found[name] for name in figures(within)} == figures(within)
        newest = sorted(within, key=lambda r: r["created_at"], reverse=True)[:10]
        recent = [datetime.fromisoformat(each["created_at"]) for each in found["recent"]]
        assert recent == [row["created_at"] for row in newest]
        assert [e["status"] for e in found["recent"]] == [row["status"] for row in newest]
        assert found["days"] == days
        assert abs(datetime.fromisoformat(found["since"]) - since) < timedelta(minutes=1)
    assert desk.metrics()["days"] == 30
    assert list(found["by_agent_type"]) == sorted(
        found["by_agent_type"], key=lambda a: (-found["by_agent_type"][a]["total"], a)
    )


def test_the_window_ends_where_it_says(desk: Desk, module_database: Database) -> None:
    """A minute inside is counted, a minute outside is not, whatever the hour of the day."""
    now = datetime.now(UTC)
    for days in (1, 30, 365):
        project = Desk(desk.client)
        edge = now - timedelta(days=days)
        rows = [
            {"created_at": edge + timedelta(minutes=minutes), "agent_type": "x",
             "status": "pending"}
            for minutes in (-1, 1)
        ]  # fmt: skip
        store(module_database, project.project, rows)
        found = project.metrics(days=days)
        assert (found["total"], len(found["recent"])) == (1, 1)
        assert [d["day"] for d in found["per_day"]] == [rows[1]["created_at"].date().isoformat()]  # type: ignore[attr-defined]


def test_a_rate_of_nothing_is_null_and_never_counts_what_is_under_way(desk: Desk) -> None:
    nothing = desk.metrics()
    assert (nothing["total"], nothing["success_rate"]) == (0, None)
    assert nothing["duration_ms"] == {"avg": None, "p50": None, "p95": None}
    assert (nothing["by_agent_type"], nothing["per_day"], nothing["recent"]) == ({}, [], [])
    assert nothing["by_status"] == dict.fromkeys(STEPS, 0)
    for status in ("pending", "running", "needs_input", "cancelled"):
        desk.make(*WAYS[status])
    assert desk.metrics()["success_rate"] is None
    desk.make(*WAYS["completed"])
    assert desk.metrics()["success_rate"] == 1
    desk.make(*WAYS["failed"])
    assert desk.metrics()["success_rate"] == 0.5
    assert desk.metrics()["total"] == 6


@pytest.mark.parametrize("days", ["0", "366", "-1", "1.5", "x", ""])
def test_days_have_bounds(desk: Desk, days: str) -> None:
    path = f"/projects/{desk.project}/agents/metrics"
    problem(desk.client.get(path, params={"days": days}), 422, "validation", "query:days")


def test_metrics_are_one_statement(server: Server, desk: Desk) -> None:
    desk.metrics()
    before = calls(server)
    desk.metrics()
    after = calls(server)
    beside = ("jobs.", "maintenance.", "upkeep.", "exports.")  # what works in the background
    new = {name: count - before.get(name, 0) for name, count in after.items()
           if not name.startswith(beside)}  # fmt: skip
    assert {name: count for name, count in new.items() if count} == {"executions.metrics": 1}
