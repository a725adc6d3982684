"""Discovery of the reference data: imports, their rows and what became of them.

Of a skewed scale alone. The longest project has many flows, and one of them many rows, whose
inventory waits for somebody to look at its conflicts. The first projects of each tenant have a few.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from service.operations.reference.data import (
    PROJECT,
    TENANT,
    USER,
    Layout,
    identifier,
    line,
    sha256_of,
)  # fmt: skip

__all__ = ["tables"]

FLOW, IMPORT, DISCOVERY, MAPPING, RECORD, ASSET, NEED, CONFLICT, STEP = range(50, 59)  # in ids
_BEGAN = datetime(2024, 7, 1, tzinfo=UTC)
_MOST, _LONG, _SHORT = 100, 2500, 10  # imports of the longest project; rows of its first, of others
_SOME = 4  # so many projects of a tenant have imports: the first one three, the others one
_FIELDS = ("name", "hostname", "ip", "os", "environment", "custom")  # of the columns, in order
_HEADER = '["Name", "Host", "IP", "OS", "Stage", "Rack"]'
_PHASES = ("upload", "validation", "mapping", "cleansing", "inventory", "conflicts",
           "dependencies", "technical_debt")  # fmt: skip
_STANDS = {
    0: ("waiting_for_approval", "conflicts"), 1: ("running", "cleansing"),
    2: ("paused", "inventory"), 3: ("failed", "inventory"), 4: ("cancelled", "mapping"),
}  # fmt: skip
# of twenty rows of the file, whose last one is still pending
_OUTCOMES = ("asset",) * 11 + ("merged",) * 3 + ("rejected", "skipped", "conflict") * 2
_TYPES = ("server", "server", "database", "application")
_STAGES = ("production", "test", "development", None)


class _Flow(NamedTuple):
    """An import and its flow: which one of all, and how many rows were before it."""

    tenant: int
    project: int
    owner: int
    number: int
    nth: int  # of its project
    rows: int
    first: int  # of all rows

    @property
    def keys(self) -> tuple[str, str]:
        """Tenant and project."""
        return identifier(TENANT, self.tenant), identifier(PROJECT, self.project)

    @property
    def id(self) -> str:
        return identifier(FLOW, self.number)

    @property
    def at(self) -> str:
        """When it began."""
        return (_BEGAN + timedelta(seconds=61 * self.number)).isoformat()

    @property
    def stands(self) -> tuple[str, str]:
        """Status and phase. The first one waits; of ten in a row one runs, one is paused."""
        return _STANDS.get(self.nth % 10, ("completed", "completed"))

    @property
    def done(self) -> int:
        """How many phases are."""
        phase = self.stands[1]
        return _PHASES.index(phase) if phase in _PHASES else len(_PHASES)

    @property
    def has_assets(self) -> bool:
        return self.done > _PHASES.index("inventory")

    def outcome(self, row: int) -> str:
        """What became of the nth row."""
        mixed = row * 9 % 20
        return "pending" if mixed == 19 or not self.has_assets else _OUTCOMES[mixed]


def _flows(layout: Layout) -> Iterator[_Flow]:
    number = first = 0
    for project, tenant in enumerate(layout.tenant_of):
        nth = layout.nth[project]
        count = 0 if nth >= _SOME else 1 if nth else 3
        for each in range(_MOST if project == layout.longest else count):
            rows = _LONG if project == layout.longest and each == 0 else _SHORT
            yield _Flow(tenant, project, layout.owner(project), number, each, rows, first)
            number += 1
            first += rows


def _rows(layout: Layout) -> Iterator[tuple[_Flow, int, int, str]]:
    """Each row: its flow, which row it is there and of all, what became of it."""
    for flow in _flows(layout):
        for row in range(flow.rows):
            yield flow, row, flow.first + row, flow.outcome(row)


def _asset_of(flow: _Flow, row: int) -> int | None:
    """The number of the asset that a row became, or that it was merged into or is in conflict with:
    an asset has the number of the row that it comes from."""
    outcome = flow.outcome(row)
    if outcome == "asset":
        return flow.first + row
    return flow.first if outcome in ("merged", "conflict") else None


def tables(layout: Layout) -> Iterator[tuple[str, Iterator[str], int]]:
    """Table and columns, lines of COPY, how many there are."""
    flows = sum(1 for _ in _flows(layout))
    outcomes = [(row, outcome) for _, row, _, outcome in _rows(layout)]
    assets = sum(outcome == "asset" for _, outcome in outcomes)
    yield (
        "discovery.raw_records (tenant_id, project_id, id, data_import_id, master_flow_id,"
        " row_number, raw, cleansed, outcome, asset_id)",
        _records(layout),
        len(outcomes),
    )
    yield (
        "discovery.assets (tenant_id, project_id, id, master_flow_id, discovery_flow_id,"
        " raw_record_id, name, asset_type, hostname, ip, os, os_version, environment,"
        " created_at, updated_at, deleted_at)",
        _assets(layout),
        assets,
    )
    yield (
        "discovery.asset_dependencies (tenant_id, project_id, id, asset_id, depends_on_id,"
        " target_name)",
        _needs(layout),
        sum(row > 0 and outcome == "asset" for row, outcome in outcomes),
    )
    yield (
        "discovery.asset_conflicts (tenant_id, project_id, id, master_flow_id, raw_record_id,"
        " asset_id, kind, incoming, created_at, updated_at)",
        _conflicts(layout),
        sum(outcome == "conflict" for _, outcome in outcomes),
    )
    yield (
        "discovery.master_flows (tenant_id, project_id, id, flow_name, status, current_phase,"
        " error, created_by, started_at, paused_at, completed_at, version, created_at,"
        " updated_at)",
        _masters(layout),
        flows,
    )
    yield (
        "discovery.flow_transitions (tenant_id, project_id, id, master_flow_id, sequence,"
        " from_status, to_status, from_phase, to_phase, actor, at)",
        _steps(layout),
        flows * 2,
    )
    yield (
        "discovery.data_imports (tenant_id, project_id, id, master_flow_id, name, size, sha256,"
        " status, total_rows, loaded_rows, encoding, delimiter, header, imported_by, created_at,"
        " updated_at)",
        _imports(layout),
        flows,
    )
    yield (
        "discovery.discovery_flows (tenant_id, project_id, id, master_flow_id, data_import_id,"
        " phases, progress, created_at, updated_at)",
        _discoveries(layout),
        flows,
    )
    yield ("discovery.field_mappings (tenant_id, project_id, id, data_import_id, position,"
           " source_field, target_field, match_type, confidence, status, decided_at)",
           _mappings(layout), flows * len(_FIELDS))  # fmt: skip


def _values(number: int) -> dict[str, str]:
    """What a row says, by field."""
    place = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {"name": f"Host {number}", "hostname": f"host-{number}", "ip": place, "os": "Debian",
            "os_version": "12"}  # fmt: skip


def _object(values: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": "{value}"' for name, value in values.items()) + "}"


def _records(layout: Layout) -> Iterator[str]:
    for flow, row, number, outcome in _rows(layout):
        values = _values(number)
        raw = {"Name": values["name"], "Host": values["hostname"], "IP": values["ip"],
               "OS": "Debian 12", "Stage": "Prod", "Rack": f"R{number % 40}"}  # fmt: skip
        asset = _asset_of(flow, row) if outcome in ("asset", "merged") else None
        cleansed = {"asset_type": _TYPES[number % 4], **values}
        yield line(*flow.keys, identifier(RECORD, number), identifier(IMPORT, flow.number),
                   flow.id, row + 1, _object(raw),
                   _object(cleansed) if flow.done > _PHASES.index("cleansing") else None, outcome,
                   None if asset is None else identifier(ASSET, asset))  # fmt: skip


def _assets(layout: Layout) -> Iterator[str]:
    for flow, _, number, outcome in _rows(layout):
        if outcome == "asset":
            values = _values(number)
            at = (_BEGAN + timedelta(seconds=number)).isoformat()
            yield line(*flow.keys, identifier(ASSET, number), flow.id,
                       identifier(DISCOVERY, flow.number), identifier(RECORD, number),
                       values["name"], _TYPES[number % 4], values["hostname"], values["ip"],
                       values["os"], values["os_version"], _STAGES[number % 4], at, at,
                       at if number % 50 == 49 else None)  # fmt: skip


def _needs(layout: Layout) -> Iterator[str]:
    """Every asset of a flow needs the first one."""
    for flow, row, number, outcome in _rows(layout):
        if row and outcome == "asset":
            yield line(*flow.keys, identifier(NEED, number), identifier(ASSET, number),
                       identifier(ASSET, flow.first), f"host-{flow.first}")  # fmt: skip


def _conflicts(layout: Layout) -> Iterator[str]:
    for flow, row, number, outcome in _rows(layout):
        if outcome == "conflict":
            at = (_BEGAN + timedelta(seconds=number)).isoformat()
            yield line(*flow.keys, identifier(CONFLICT, number), flow.id,
                       identifier(RECORD, number), identifier(ASSET, _asset_of(flow, row) or 0),
                       "hostname", _object({"name": f"Other {number}", "os": "Debian"}),
                       at, at)  # fmt: skip


def _masters(layout: Layout) -> Iterator[str]:
    for flow in _flows(layout):
        status, phase = flow.stands
        yield line(*flow.keys, flow.id, f"Inventory {flow.number}", status, phase,
                   '{"message": "It broke."}' if status == "failed" else None,
                   identifier(USER, flow.owner), flow.at, flow.at if status == "paused" else None,
                   flow.at if status in ("completed", "failed", "cancelled") else None,
                   flow.done + 2, flow.at, flow.at)  # fmt: skip


def _steps(layout: Layout) -> Iterator[str]:
    """That it began, and the last one."""
    for flow in _flows(layout):
        first, last = 2 * flow.number, 2 * flow.number + 1
        yield line(*flow.keys, identifier(STEP, first), flow.id, 1, None, "initialized", None,
                   "upload", "key:example", flow.at)  # fmt: skip
        yield line(*flow.keys, identifier(STEP, last), flow.id, flow.done + 2, "running",
                   flow.stands[0], flow.stands[1], flow.stands[1], "key:example",
                   flow.at)  # fmt: skip


def _imports(layout: Layout) -> Iterator[str]:
    for flow in _flows(layout):
        status = "validated" if flow.done < 3 else "processed" if flow.done == 8 else "mapped"
        yield line(*flow.keys, identifier(IMPORT, flow.number), flow.id, f"inventory-{flow.number}",
                   100 * flow.rows, sha256_of(flow.number), status, flow.rows, flow.rows, "utf-8",
                   ",", _HEADER, identifier(USER, flow.owner), flow.at, flow.at)  # fmt: skip


def _discoveries(layout: Layout) -> Iterator[str]:
    for flow in _flows(layout):
        phases = ", ".join(f'"{name}": {{"status": "completed"}}' for name in _PHASES[: flow.done])
        yield line(*flow.keys, identifier(DISCOVERY, flow.number), flow.id,
                   identifier(IMPORT, flow.number), "{" + phases + "}",
                   flow.done * 100 // len(_PHASES), flow.at, flow.at)  # fmt: skip


def _mappings(layout: Layout) -> Iterator[str]:
    for flow in _flows(layout):
        decided = flow.done > _PHASES.index("mapping")
        names = ("Name", "Host", "IP", "OS", "Stage", "Rack")
        for at, (source, target) in enumerate(zip(names, _FIELDS, strict=True)):
            yield line(*flow.keys, identifier(MAPPING, flow.number * len(_FIELDS) + at),
                       identifier(IMPORT, flow.number), at + 1, source, target, "synonym", 0.9,
                       "approved" if decided else "suggested",
                       flow.at if decided else None)  # fmt: skip
