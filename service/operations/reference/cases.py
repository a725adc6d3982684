"""Cases of the reference data: what a skewed scale has of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from service.operations.reference.data import (
    PROJECT,
    TENANT,
    Layout,
    identifier,
    line,
)  # fmt: skip

__all__ = ["tables"]

CASE, VERSION, ENTITY, LINK, ROLE, PAPER, EVENT, OPERATION = range(40, 48)  # kinds, in ids
_EVERY = 5  # one project in so many has cases
_EACH, _MOST = 2, 200  # cases of such a project; of the longest one
_LONG = 500  # versions of the longest project's first case; others have two
_FORMS = 3  # in a document
_SHA = "\\\\x" + "00" * 32


class _Case(NamedTuple):
    tenant: str
    project: str
    number: int
    versions: int
    first: int  # of all versions

    @property
    def name(self) -> str:
        return f"case-{self.number}"

    @property
    def entities(self) -> tuple[str, str]:
        return f"owned-{self.number}", f"owner-{self.number}"


def _cases(layout: Layout) -> Iterator[_Case]:
    number = first = 0
    for project, tenant in enumerate(layout.tenant_of):
        count = _MOST if project == layout.longest else _EACH if project % _EVERY == 0 else 0
        for nth in range(count):
            versions = _LONG if count == _MOST and nth == 0 else 2
            yield _Case(
                identifier(TENANT, tenant), identifier(PROJECT, project), number, versions, first
            )
            number += 1
            first += versions


def tables(layout: Layout) -> Iterator[tuple[str, Iterator[str], int]]:
    """Table and columns, lines of COPY, how many there are."""
    cases = sum(1 for _ in _cases(layout))
    versions = sum(case.versions for case in _cases(layout))
    yield ("cases.case_events (tenant_id, id, project_id, case_id, operation_id, version, form,"
           " verb, effect, stage, arguments)", _events(layout), versions * _FORMS)  # fmt: skip
    yield ("cases.case_versions (tenant_id, id, project_id, case_id, version, dsl, ast, sha256,"
           " change_kind, operation_id)", _versions(layout), versions)  # fmt: skip
    yield ("cases.dsl_operations (tenant_id, id, project_id, kind, outcome, dsl_sha256, forms)",
           _operations(layout), versions)  # fmt: skip
    yield ("cases.cases (tenant_id, id, project_id, case_id, title, current_version)",
           (line(c.tenant, identifier(CASE, c.number), c.project, c.name, "A case", c.versions)
            for c in _cases(layout)), cases)  # fmt: skip
    yield ("cases.entities (tenant_id, id, project_id, entity_id, case_id, entity_type, name)",
           _entities(layout), cases * 2)  # fmt: skip
    yield ("cases.entity_links (tenant_id, id, project_id, from_entity, to_entity, case_id,"
           " relationship_type, ownership_percent)",
           (line(c.tenant, identifier(LINK, c.number), c.project, c.entities[1], c.entities[0],
                 c.name, "ownership", 60) for c in _cases(layout)), cases)  # fmt: skip
    yield ("cases.case_roles (tenant_id, id, project_id, case_id, entity_id, role)",
           (line(c.tenant, identifier(ROLE, c.number), c.project, c.name, c.entities[0], "client")
            for c in _cases(layout)), cases)  # fmt: skip
    yield ("cases.case_documents (tenant_id, id, project_id, case_id, document_id, document_type)",
           (line(c.tenant, identifier(PAPER, c.number), c.project, c.name, f"paper-{c.number}",
                 "passport") for c in _cases(layout)), cases)  # fmt: skip


def _entities(layout: Layout) -> Iterator[str]:
    for case in _cases(layout):
        for nth, (name, kind) in enumerate(
            zip(case.entities, ("fund", "proper_person"), strict=True)
        ):
            yield line(case.tenant, identifier(ENTITY, case.number * 2 + nth), case.project, name,
                       case.name, kind, f"Name of {name}")  # fmt: skip


def _versions(layout: Layout) -> Iterator[str]:
    for case in _cases(layout):
        for version in range(1, case.versions + 1):
            number = case.first + version
            yield line(
                case.tenant, identifier(VERSION, number), case.project, case.name, version,
                f'(case.update :case-id "{case.name}" :title "{version}")', "[]", _SHA,
                "new" if version == 1 else "append", identifier(OPERATION, number),
            )  # fmt: skip


def _operations(layout: Layout) -> Iterator[str]:
    for case in _cases(layout):
        for number in range(case.first + 1, case.first + case.versions + 1):
            yield line(case.tenant, identifier(OPERATION, number), case.project, "execute",
                       "committed", _SHA, _FORMS)  # fmt: skip


def _events(layout: Layout) -> Iterator[str]:
    for case in _cases(layout):
        for version in range(1, case.versions + 1):
            number = case.first + version
            for form in range(_FORMS):
                yield line(
                    case.tenant, identifier(EVENT, number * _FORMS + form), case.project, case.name,
                    identifier(OPERATION, number), version, form, "kyc.start", "event",
                    2 if form == 0 else None, "{}",
                )  # fmt: skip
