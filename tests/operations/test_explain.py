"""Plans and budgets on a small set of the reference data, as the service's role would run them."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from service.database.embedded import Embedded
from service.database.queries import Query, load
from service.operations import plan_rules
from service.operations.explain import Connections, Explainer, explain_call
from service.operations.reference import data, server
from service.operations.trial import ValuesError
from tests.conftest import RUN_FOLDER
from tests.operations.edits import copied

ROOT = Path(__file__).parents[2]
SQL = ROOT / "sql"
DOCUMENTS = 60_000  # so that documents, projects, members and counters are large tables

Edited = Callable[..., Query]


@pytest.fixture(scope="module")
def embedded(worker_id: str) -> Embedded:
    """A server for the reference data, in the run's folder, which its user may enter."""
    folder = Path(os.environ[RUN_FOLDER]) / f"reference-{worker_id}"
    return Embedded(folder, options=server.OPTIONS)


@pytest.fixture(scope="module")
def reference(embedded: Embedded) -> Iterator[server.Reference]:
    rows: list[tuple[int, int]] = []
    with server.running(
        embedded, server.scale(DOCUMENTS), ROOT / "migrations", lambda *told: rows.append(told)
    ) as found:
        assert sum(more for more, _ in rows) == rows[0][1], "progress ends at its total"
        yield found


@pytest.fixture(scope="module")
def connections(reference: server.Reference) -> Iterator[Connections]:
    with (
        psycopg.connect(reference.service, autocommit=True) as service,
        psycopg.connect(reference.owner, autocommit=True) as operator,
    ):
        yield Connections(service, operator)


@pytest.fixture(scope="module")
def explainer(connections: Connections, reference: server.Reference) -> Explainer:
    return Explainer(connections, load(SQL), reference.tenants)


@pytest.fixture(scope="module")
def sizes(connections: Connections) -> dict[str, plan_rules.Table]:
    return plan_rules.read_sizes(connections.service)


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    """A query of ours after an edit."""
    folder = copied(SQL, tmp_path)

    def edit(name: str, *changes: tuple[str, str]) -> Query:
        path = folder / f"{name.replace('.', '/')}.sql"
        text = path.read_text()
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path.write_text(text)
        return load(folder)[name]

    return edit


def counts(connections: Connections) -> dict[str, int]:
    """The rows of every table."""
    assert connections.operator is not None
    operator = connections.operator
    names = operator.execute(
        "SELECT relid::regclass::text FROM pg_stat_user_tables WHERE schemaname <> 'public'"
    ).fetchall()
    return {
        name: (operator.execute(f"SELECT count(*) FROM {name}".encode()).fetchone() or (0,))[0]
        for (name,) in names
    }


def test_every_query_of_the_project_is_planned_and_run_and_nothing_of_it_stays(
    explainer: Explainer, connections: Connections, sizes: dict[str, plan_rules.Table]
) -> None:
    before = counts(connections)
    findings = []
    for query in load(SQL).values():
        found = explainer.explain(query, analyze=True)
        if "explain_failed" in query.header.allow:  # with a reason
            assert found.failure, f"{query.name} keeps the rule"
            continue
        assert found.failure == "", query.name
        assert found.runs
        findings += plan_rules.check(found, sizes)
    # A plan is that of real size only on data of real size: `make check` looks at those.
    assert {f.code for f in findings} <= {"sort", "budget_exceeded"}, "\n".join(map(str, findings))
    assert counts(connections) == before
    assert sizes["workspace.document_versions"].rows > DOCUMENTS * 0.9


def test_queries_run_as_the_service_with_the_tenant_set(explainer: Explainer) -> None:
    queries = load(SQL)
    found = explainer.explain(queries["projects.get"], analyze=True)
    assert found.role == "service"
    assert "current_setting('app.tenant_id'" in found.text, "row-level security is in the plan"
    assert [run.case.title for run in found.runs] == ["largest tenant", "middle tenant"]
    assert explainer.explain(queries["tenants.list"]).role == "operator"


def test_a_page_is_measured_with_the_page_after_it(explainer: Explainer) -> None:
    found = explainer.explain(load(SQL)["projects.list"], analyze=True)
    first, second, *_ = [run for run in found.runs if run.case.title.startswith("largest")]
    assert first.case.values["after_id"] is None
    assert second.case.title == "largest tenant, next page"
    assert second.case.values["after_id"] is not None
    assert second.buffers > 0


BY_TEXT = (
    "WHERE p.tenant_id = :tenant_id\n   AND p.id = :project_id",
    "WHERE p.id::text = :project_id::uuid::text",
)
OF_OPERATORS = ("-- budget", "-- allow: tenant_predicate an example\n-- budget")
SCAN_ALLOWED = ("-- budget", "-- allow: seq_scan an example\n-- budget")


def test_a_sequential_scan_is_found_where_the_table_stands(
    explainer: Explainer, edited: Edited, sizes: dict[str, plan_rules.Table]
) -> None:
    query = edited("projects.version", BY_TEXT, OF_OPERATORS)
    [finding] = plan_rules.check(explainer.explain(query), sizes)
    assert (finding.code, finding.line, finding.column) == ("seq_scan", 7, 8)
    assert finding.excerpt == "  FROM workspace.projects AS p"
    assert "12,000 rows" in finding.message
    assert plan_rules.shape(explainer.explain(query), sizes) == "seq scan"


def test_row_level_security_keeps_a_forgetful_query_on_an_index(
    explainer: Explainer, edited: Edited, sizes: dict[str, plan_rules.Table]
) -> None:
    found = explainer.explain(edited("projects.version", BY_TEXT))
    assert plan_rules.check(found, sizes) == []
    assert plan_rules.shape(found, sizes) == "index"


def test_a_scan_may_be_allowed_and_an_idle_allowance_is_found(
    explainer: Explainer, edited: Edited, sizes: dict[str, plan_rules.Table]
) -> None:
    query = edited("projects.version", SCAN_ALLOWED)
    [finding] = plan_rules.check(explainer.explain(query), sizes)
    assert (finding.code, finding.line, finding.column) == ("allow_unused", 4, 11)
    query = edited("projects.version", BY_TEXT, OF_OPERATORS)
    assert plan_rules.check(explainer.explain(query), sizes) == []


def test_an_index_that_is_read_from_end_to_end_is_a_scan(
    explainer: Explainer, edited: Edited, sizes: dict[str, plan_rules.Table]
) -> None:
    whole = (
        "SELECT count(*) FROM workspace.project_members AS m WHERE :project_id::uuid IS NOT NULL"
        " AND EXISTS (SELECT FROM workspace.projects AS p"
    )
    query = edited("projects.version", OF_OPERATORS,
                   ("SELECT p.version\n  FROM workspace.projects AS p\n", f"{whole}\n"),
                   ("AND p.deleted_at IS NULL", "AND p.deleted_at IS NULL)"))  # fmt: skip
    [finding] = plan_rules.check(explainer.explain(query), sizes)
    assert finding.code == "seq_scan"
    assert re.search(r"project_members .*by (index \w+|a sequential scan)$", finding.message)


def test_a_sort_is_found_where_the_header_promises_an_index(
    explainer: Explainer, edited: Edited, sizes: dict[str, plan_rules.Table]
) -> None:
    query = edited("documents.latest", ("ORDER BY d.version DESC", "ORDER BY d.bytes"),
                   ("d.bytes", "octet_length(d.content)"))  # fmt: skip
    [finding] = plan_rules.check(explainer.explain(query), sizes)
    assert (finding.code, finding.line, finding.column) == ("sort", 7, 10)
    assert "octet_length(d.content)" in finding.message


def test_a_budget_is_held(
    explainer: Explainer, edited: Edited, sizes: dict[str, plan_rules.Table]
) -> None:
    query = edited("documents.latest", ("budget: 20 buffers", "budget: 3 buffers"))
    [finding] = plan_rules.check(explainer.explain(query, analyze=True), sizes)
    assert (finding.code, finding.line, finding.column) == ("budget_exceeded", 8, 12)
    assert re.match(r"\d+ buffers were touched .*, 3 are allowed", finding.message)
    query = edited("documents.latest", ("-- budget: 3 buffers\n", ""))
    found = explainer.explain(query, analyze=True)
    [finding] = plan_rules.check(found, sizes)
    assert (finding.code, finding.line, finding.column) == ("budget_missing", 1, 10)
    [line] = plan_rules.header_lines(found, sizes)
    assert line.strip() in finding.suggestion


def test_a_parameter_without_an_example_is_found(
    explainer: Explainer, edited: Edited, sizes: dict[str, plan_rules.Table]
) -> None:
    query = edited("projects.version", ("-- param: project_id uuid", "-- param: of uuid"),
                   (":project_id", ":of"))  # fmt: skip
    [finding] = plan_rules.check(explainer.explain(query, analyze=True), sizes)
    assert (finding.code, finding.line, finding.column) == ("example_missing", 3, 11)


def test_a_query_that_fails_is_told(
    explainer: Explainer, edited: Edited, sizes: dict[str, plan_rules.Table]
) -> None:
    query = edited("projects.version", ("SELECT p.version", "SELECT p.version / 0"))
    [finding] = plan_rules.check(explainer.explain(query, analyze=True), sizes)
    assert (finding.code, finding.line) == ("explain_failed", 5)
    assert "division by zero" in finding.message
    assert explainer.explain(load(SQL)["projects.version"], analyze=True).failure == ""


def test_changes_in_a_with_list_are_counted(explainer: Explainer) -> None:
    many = explainer.explain(load(SQL)["projects.create_many"], analyze=True)
    assert (many.buffers or 0) > 0


def test_one_call_with_values_of_ones_own(
    connections: Connections, reference: server.Reference
) -> None:
    query, tenant = load(SQL)["projects.get"], reference.tenants["middle tenant"]
    found = explain_call(connections.service, query, {"project_id": tenant}, tenant)
    assert "actual time" in found.text
    with pytest.raises(ValuesError, match=r"project_id=1: .*uuid"):
        explain_call(connections.service, query, {"project_id": "1"}, tenant)
    with pytest.raises(ValuesError, match="project_id=… is missing"):
        explain_call(connections.service, query, {}, tenant)


@pytest.mark.parametrize(
    ("buffers", "budget"), [(0, 20), (9, 20), (11, 50), (99, 200), (300, 1000)]
)
def test_a_budget_leaves_room(buffers: int, budget: int) -> None:
    assert plan_rules.budget_for(buffers) == budget


# the data


def test_the_data_keeps_what_triggers_and_foreign_keys_would(connections: Connections) -> None:
    """They are switched off while it is loaded."""
    operator = connections.operator
    assert operator is not None
    links = operator.execute(
        """SELECT c.conrelid::regclass::text, c.confrelid::regclass::text,
                  (SELECT array_agg(a.attname ORDER BY k.n) FROM unnest(c.conkey) WITH ORDINALITY
                      AS k (attnum, n) JOIN pg_attribute AS a
                      ON a.attrelid = c.conrelid AND a.attnum = k.attnum)::text[],
                  (SELECT array_agg(a.attname ORDER BY k.n) FROM unnest(c.confkey) WITH ORDINALITY
                      AS k (attnum, n) JOIN pg_attribute AS a
                      ON a.attrelid = c.confrelid AND a.attnum = k.attnum)::text[]
             FROM pg_constraint AS c WHERE c.contype = 'f' AND c.conparentid = 0"""
    ).fetchall()
    assert len(links) >= 8
    for table, other, mine, theirs in links:
        pairs = " AND ".join(f"t.{a} = o.{b}" for a, b in zip(mine, theirs, strict=True))
        given = " AND ".join(f"t.{a} IS NOT NULL" for a in mine)
        [lost] = operator.execute(
            f"SELECT count(*) FROM {table} AS t WHERE {given}"
            f" AND NOT EXISTS (SELECT FROM {other} AS o WHERE {pairs})".encode()
        ).fetchone() or [0]
        assert lost == 0, f"{table} → {other}"
    wrong = operator.execute(
        """SELECT (SELECT count(*) FROM workspace.document_versions
                    WHERE content_sha256 <> sha256(convert_to(content, 'UTF8'))),
                  (SELECT count(*) FROM (SELECT tenant_id, project_id, document_type,
                                                max(version) AS last, count(*) AS n
                                           FROM workspace.document_versions GROUP BY 1, 2, 3) AS d
                     FULL JOIN workspace.document_counters AS c USING
                          (tenant_id, project_id, document_type)
                    WHERE d.last IS DISTINCT FROM c.last_version OR d.n <> d.last),
                  (SELECT count(*) FROM workspace.document_versions AS d
                     JOIN workspace.projects AS p USING (tenant_id)
                    WHERE p.id = d.project_id AND d.version = 1 AND d.search <> workspace.
                          search_vector(workspace.text_search_config(p.language), d.content))"""
    ).fetchone()
    assert wrong == (0, 0, 0)


def test_the_data_is_found_again(embedded: Embedded, reference: server.Reference) -> None:
    """Without being generated: the file that tells of it stays as it was."""
    made = embedded.root / f"{server.scale(DOCUMENTS).name}.json"
    before = made.stat().st_mtime_ns
    server._fill(
        embedded, server.scale(DOCUMENTS), ROOT / "migrations",
        lambda *_: pytest.fail("generated anew"), fresh=False,
    )  # fmt: skip
    assert made.stat().st_mtime_ns == before


def test_tenants_are_as_unequal_as_real_ones() -> None:
    scale = server.scale(1_000_000)
    layout = data.Layout(scale)
    largest, middle = layout.nth[-1], [layout.tenant_of.count(n) for n in (0, 50)]
    assert largest and middle[0] > scale.projects * 0.15
    assert 100 < middle[1] < scale.projects * 0.01
    assert scale.documents == sum(len(layout.versions(n)) for n in range(scale.projects))
    assert abs(scale.documents - 1_000_000) < 5_000
    firsts = [layout.first_document(n) for n in range(scale.projects)]
    for n in random.Random(1).sample(range(scale.projects - 1), 100):
        assert firsts[n] + len(layout.versions(n)) == firsts[n + 1]
