"""The walk of test_contract_of_answers.py through flows, mappings and conflicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.promises.inventory import Still, make_flow

ABSENT = "01890000-0000-7000-8000-000000000000"
EVERY = "/projects/{project_id}/flows"
ONE = EVERY + "/{flow_id}"
IMPORT = "/projects/{project_id}/imports/{import_id}"
MAPPINGS = IMPORT + "/mappings"
CONFLICTS = "/projects/{project_id}/conflicts"
MATCH = {"If-Match": "*"}
Call = Callable[..., Any]


def walk_discovery(call: Any, lists: Call, unchanged: Call) -> None:
    """Every operation on them; a flow that stands still stays, with all that hangs on it."""
    project = call.known["project_id"]

    def made(status: str, phase: str = "validation") -> Still:
        return make_flow(call.database, project, status, phase, "walked")

    kept = made("paused")
    call.known |= {"flow_id": kept.flow, "phase": "validation"}
    walk_steps(call, project, made)
    for query in ({}, {"status": "paused"}, {"type": "discovery"}):
        lists(call, EVERY, project, params=query)
    lists(call, EVERY + "/active", project)
    unchanged(call, ONE, project, kept.flow)
    unchanged(call, IMPORT, project, kept.inventory)
    call("DELETE", IMPORT, project, made("paused").inventory, status=204)
    call("GET", ONE + "/summary", project, kept.flow, status=200)
    lists(call, ONE + "/preview", project, kept.flow)
    walk_mappings(call, project, kept.inventory, made("cancelled").inventory)
    walk_conflicts(call, lists, project, kept, made("waiting_for_approval", "conflicts"))


def walk_steps(call: Any, project: str, made: Callable[..., Still]) -> None:
    """Each step, and each that cannot be."""
    running, cancelled = made("running").flow, made("cancelled").flow
    waiting = made("waiting_for_approval", "mapping").flow
    call("POST", ONE + "/pause", project, running, status=200)
    call("POST", ONE + "/pause", project, running, status=409)
    call("POST", ONE + "/resume", project, waiting, status=409)
    call("POST", ONE + "/resume", project, made("paused", "upload").flow, status=200)
    call("POST", ONE + "/resume", project, cancelled, status=409)
    call("POST", ONE + "/retry", project, made("failed", "upload").flow, status=200)
    call("POST", ONE + "/retry", project, waiting, status=409)
    again = ONE + "/phases/{phase}/run"
    call("POST", again, project, made("paused", "mapping").flow, "validation", status=200)
    call("POST", again, project, waiting, "inventory", status=409)
    call("POST", again, project, waiting, "nonsense", status=404)
    call("POST", ONE + "/cancel", project, running, status=200)
    call("POST", ONE + "/cancel", project, running, status=409)
    stream = call("GET", ONE + "/events", project, running, status=200)
    assert stream.count("\nid: ") >= 3, stream
    last = str(call("GET", ONE, project, running, status=200)["version"])
    call("GET", ONE + "/events", project, running, status=204, headers={"Last-Event-ID": last})
    call("GET", ONE + "/events", project, running, status=400, headers={"Last-Event-ID": "x"})
    call("POST", ONE + "/archive", project, running, status=200)
    call("POST", ONE + "/archive", project, running, status=409)
    call("DELETE", ONE, project, cancelled, status=204, headers=MATCH)
    call("DELETE", ONE, project, waiting, status=409, headers=MATCH)
    purge = {"params": {"purge": "true"}, "headers": MATCH}
    call("DELETE", ONE, project, made("running").flow, status=409, **purge)
    call("DELETE", ONE, project, waiting, status=204, **purge)


def walk_mappings(call: Any, project: str, kept: str, used: str) -> None:
    """Decisions on columns; of an import whose flow was cancelled there are none."""
    call("GET", MAPPINGS, project, kept, status=200)
    decided = {"source_field": "Host Name", "target_field": "hostname", "status": "approved"}
    more = {"source_field": "note", "target_field": "custom", "status": "approved"}
    for sent, status in (
        ([decided, more | {"transformation": "upper"}], 200),
        ([decided | {"source_field": "nowhere"}], 422),
        ([decided, more | {"target_field": "hostname"}], 422),
    ):
        call("PUT", MAPPINGS, project, kept, status=status, json={"mappings": sent})
    call("PUT", MAPPINGS, project, used, status=409, json={"mappings": [decided]})


def walk_conflicts(call: Any, lists: Call, project: str, one: Still, other: Still) -> None:
    """Open ones and resolved ones; a flow with an open one cannot be resumed."""
    call("POST", ONE + "/resume", project, other.flow, status=409)
    path = CONFLICTS + "/resolve"
    for named, status in ((other.conflict, 200), (other.conflict, 422), (ABSENT, 422)):
        body = {"resolutions": [{"id": named, "action": "merge", "merge_fields": ["name"]}]}
        call("POST", path, project, status=status, json=body)
    wrong = {"id": one.conflict, "action": "replace", "merge_fields": ["name"]}
    call("POST", path, project, status=422, json={"resolutions": [wrong]})
    for query in ({}, {"resolved": "true"}, {"resolved": "false", "flow_id": one.flow}):
        lists(call, CONFLICTS, project, params=query)
