"""What every table of the schema keeps, whoever adds it: asked from the catalogue."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import pytest

from tests.support.cluster import Database

# COPY refuses tables with row-level security, so rows of imports go straight into a partition: there
# the service may insert rows of its own tenant, and nothing else (tests/schema/test_discovery.py).
LOADED = "t.name LIKE 'discovery.raw\\_records\\_p_'"
SCHEMAS = "('core', 'audit', 'workspace', 'cases', 'discovery', 'assistant', 'ops')"
TABLES = f"""
SELECT c.oid, c.oid::regclass::text AS name, c.relrowsecurity, c.relforcerowsecurity, c.relispartition,
       c.relowner::regrole::text AS owner, EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid
                                                      AND a.attname = 'tenant_id') AS scoped
  FROM pg_class AS c
 WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text IN {SCHEMAS}
"""


def names(database: Database, condition: str) -> list[str]:
    """Tables for which the condition holds."""
    return [
        r[0]
        for r in database.psql(f"SELECT t.name FROM ({TABLES}) AS t WHERE {condition} ORDER BY 1")
    ]


def test_there_are_tables(module_database: Database) -> None:
    assert "workspace.projects" in names(module_database, "t.scoped")


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("owned by quarry_owner", "t.owner <> 'quarry_owner'"),
        ("row-level security, forced", f"t.scoped AND NOT (t.relrowsecurity AND t.relforcerowsecurity) AND NOT {LOADED}"),
        ("a policy for the owner", f"""t.scoped AND NOT {LOADED} AND NOT EXISTS (
            SELECT FROM pg_policy AS p WHERE p.polrelid = t.oid AND p.polcmd = '*'
               AND p.polroles = ARRAY['quarry_owner'::regrole::oid])"""),
        ("a policy for the service", """t.scoped AND NOT t.relispartition AND NOT EXISTS (
            SELECT FROM pg_policy AS p WHERE p.polrelid = t.oid AND p.polcmd IN ('*', 'r')
               AND 'quarry_app'::regrole = ANY (p.polroles) AND 'quarry_readonly'::regrole = ANY (p.polroles)
               AND pg_get_expr(p.polqual, p.polrelid) LIKE '%tenant_id = ( SELECT %app.tenant_id%')"""),
        ("no privilege on a partition", """t.relispartition AND (
            has_table_privilege('quarry_app', t.oid, 'SELECT, INSERT, UPDATE, DELETE')
            OR has_table_privilege('quarry_readonly', t.oid, 'SELECT'))"""),
        ("a primary key", "NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conrelid = t.oid AND c.contype = 'p')"),
        ("a primary key that leads with the tenant", """t.scoped AND NOT EXISTS (
            SELECT FROM pg_constraint AS c JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
             WHERE c.conrelid = t.oid AND c.contype = 'p' AND a.attname = 'tenant_id')"""),
        ("foreign keys that carry the tenant", """t.scoped AND EXISTS (
            SELECT FROM pg_constraint AS c JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
             WHERE c.conrelid = t.oid AND c.contype = 'f' AND a.attname <> 'tenant_id')"""),
        ("a comment on the table", "obj_description(t.oid, 'pg_class') IS NULL"),
        ("a comment on every column", """EXISTS (
            SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND col_description(t.oid, a.attnum) IS NULL)"""),
        ("text instead of varchar, timestamptz instead of timestamp", """EXISTS (
            SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype, 'timestamp'::regtype, 'json'::regtype))"""),
        ("constraints that carry the table's name", """NOT t.relispartition AND EXISTS (
            SELECT FROM pg_constraint AS c WHERE c.conrelid = t.oid
               AND c.conname NOT LIKE split_part(t.name, '.', 2) || '\\_%')"""),
        ("ids that sort by time", """t.name LIKE 'workspace.%' AND EXISTS (
            SELECT FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
             WHERE a.attrelid = t.oid AND a.attname = 'id'
               AND pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM 'uuidv7()')"""),
        ("an audit trail of workspace tables with an id", """t.name LIKE 'workspace.%' AND EXISTS (
            SELECT FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attname = 'id') AND 3 <> (
            SELECT count(*) FROM pg_trigger AS g WHERE g.tgrelid = t.oid AND g.tgfoid = 'audit.record'::regproc
               AND g.tgenabled = 'O')"""),
    ],
    ids=lambda value: value if len(value) < 60 else "",
)  # fmt: skip
def test_every_table_has(module_database: Database, rule: str, broken: str) -> None:
    assert names(module_database, broken) == [], rule


def test_every_foreign_key_has_an_index(module_database: Database) -> None:
    missing = module_database.psql(
        """
        SELECT c.conrelid::regclass::text, c.conname
          FROM pg_constraint AS c
         WHERE c.contype = 'f' AND c.conparentid = 0
           AND c.conrelid::regclass::text NOT LIKE 'pg\\_%'
           AND NOT EXISTS (
               SELECT FROM pg_index AS i
                WHERE i.indrelid = c.conrelid AND i.indisvalid
                  AND (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(c.conkey)] @> c.conkey
                  AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) LIKE '%IS NOT NULL%'))
        """
    )
    assert missing == []


def test_no_index_is_a_prefix_of_another(module_database: Database) -> None:
    prefixes = module_database.psql(
        f"""
        WITH indexes AS (
            SELECT i.indexrelid, i.indrelid, i.indisunique, coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate,
                   ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, true) || ' ' || (i.indoption::int2[])[k - 1]
                           FROM generate_series(1, i.indnkeyatts) AS k) AS keys
              FROM pg_index AS i JOIN ({TABLES}) AS t ON t.oid = i.indrelid
             WHERE NOT t.relispartition
        )
        SELECT a.indexrelid::regclass::text, b.indexrelid::regclass::text
          FROM indexes AS a JOIN indexes AS b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid
         WHERE a.predicate = b.predicate AND b.keys[1:cardinality(a.keys)] = a.keys AND NOT a.indisunique
        """
    )
    assert prefixes == []


def test_every_function_is_explained_and_no_one_elses_to_call(module_database: Database) -> None:
    wrong = module_database.psql(
        f"""
        SELECT p.oid::regprocedure::text
          FROM pg_proc AS p
         WHERE p.pronamespace::regnamespace::text IN {SCHEMAS}
           AND (obj_description(p.oid, 'pg_proc') IS NULL
                OR p.proowner <> 'quarry_owner'::regrole
                OR has_function_privilege('public', p.oid, 'EXECUTE')
                OR p.prosecdef AND NOT coalesce(p.proconfig::text, '') LIKE '%search_path=pg_catalog%')
        """
    )
    assert wrong == []


def test_the_roles_are_what_the_manual_says(module_database: Database) -> None:
    roles = module_database.psql(
        "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication"
        "  FROM pg_roles WHERE rolname LIKE 'quarry\\_%' ORDER BY 1"
    )
    assert roles == [
        ("quarry_app", True, False, False, False, False, False),
        ("quarry_backup", True, False, False, False, True, True),
        ("quarry_monitor", True, False, False, False, False, False),
        ("quarry_owner", False, False, False, False, False, False),
        ("quarry_readonly", True, False, False, False, False, False),
        ("quarry_worker", False, False, False, False, False, False),
    ]
    memberships = module_database.psql(
        "SELECT pg_has_role('quarry_monitor', 'pg_monitor', 'USAGE'),"
        "       pg_has_role('quarry_backup', 'pg_read_all_data', 'USAGE'),"
        "       pg_has_role('quarry_app', 'quarry_owner', 'MEMBER'),"
        "       pg_has_role('quarry_app', 'quarry_worker', 'SET'),"
        "       pg_has_role('quarry_app', 'quarry_worker', 'USAGE')"
    )
    assert memberships == [(True, True, False, True, False)]


def test_the_service_starts_with_its_limits(module_database: Database) -> None:
    settings = module_database.psql(
        "SELECT current_setting('timezone'), current_setting('jit'), current_setting('statement_timeout'),"
        "       current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout'),"
        "       current_setting('search_path'), current_setting('plan_cache_mode')",
        dsn=module_database.app_dsn,
    )
    assert settings == [(
        "UTC", "off", "30s", "5s", "1min", "pg_catalog, extensions, pg_temp", "force_generic_plan",
    )]  # fmt: skip
