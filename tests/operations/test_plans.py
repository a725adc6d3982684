"""Pages by index: what a page costs does not depend on how many rows lie before it.

Held as the service's role, because row-level security changes what a plan may do: a condition that
is not leakproof runs after the policy and never as an index condition. `coalesce()` is taken for
one that may leak; `least()` and `greatest()` are not.
"""

from __future__ import annotations

import re

import psycopg
import pytest

from service.database.queries import Query, load
from tests.support.cluster import Database
from tests.support.server import SQL_DIR

PAGES = {
    query.name: query
    for query in load(SQL_DIR).values()
    if query.kind == "page" and query.header.plan == "index"
}
TENANT = "01890000-0000-7000-8000-000000000000"


def generic_plan(connection: psycopg.Connection, query: Query) -> str:
    """The plan for all values at once, where scanning and sorting are the last resort."""
    for setting in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
        connection.execute(f"SET LOCAL {setting} = off".encode())
    connection.execute("SELECT set_config('app.tenant_id', %s, true)", [TENANT])
    with psycopg.RawCursor(connection) as cursor:
        rows = cursor.execute(f"EXPLAIN (GENERIC_PLAN, COSTS off) {query.sql}".encode())
        return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("query", PAGES.values(), ids=PAGES)
def test_a_page_begins_in_the_index_where_the_last_one_ended(
    module_database: Database, query: Query
) -> None:
    after = next(p.name for p in query.params if p.name.startswith("after_"))
    parameter = f"${query.order.index(after) + 1}"
    with psycopg.connect(module_database.app_dsn) as connection:
        plan = generic_plan(connection, query)
    conditions = re.findall(r"Index Cond: (.*)", plan)
    assert conditions and "-> Sort" not in re.sub(" +", " ", plan), plan
    assert any(re.search(rf"{re.escape(parameter)}\b", each) for each in conditions), plan


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("audit.")])
@pytest.mark.parametrize(
    ("parameter", "value"),
    [("since", "2100-01-01"), ("until", "2001-01-01"), ("after_at", "2001-01-01")],
)
def test_the_time_leaves_partitions_of_the_trail_out(
    module_database: Database, name: str, parameter: str, value: str
) -> None:
    """All but the default one, in a plan that was made before the time was known."""
    query = PAGES[name]
    types = {"tenant_id": "uuid"} | {p.name: p.type for p in query.params}
    given = {"tenant_id": f"'{TENANT}'", "limit": "51", parameter: f"'{value}'"}
    with psycopg.connect(module_database.app_dsn) as connection:
        connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", [TENANT])
        kinds = ", ".join(types[name] for name in query.order)
        connection.execute(f"PREPARE page ({kinds}) AS {query.sql}".encode())
        values = ", ".join(given.get(name, "NULL") for name in query.order)
        rows = connection.execute(f"EXPLAIN EXECUTE page ({values})".encode()).fetchall()
        count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit.events'::regclass"
        ((partitions,),) = connection.execute(count).fetchall()
    plan = "\n".join(row[0] for row in rows)
    assert f"Subplans Removed: {partitions - 1}\n" in plan, plan
