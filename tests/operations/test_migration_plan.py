"""What `quarry migrate plan` tells before anything is done, and what `apply` tells meanwhile."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.operations import migration_files, migration_locks, migration_plan, migrations
from service.operations.migration_locks import MODES, Lock
from service.operations.migrations import MigrationError
from tests.operations.test_migrations import (
    SESSION_TIMEOUTS,
    codes,
    command,
    run,
    start,
    tables,
    wait_for,
    write,
)
from tests.support.cluster import Cluster, Database

BEFORE = """
CREATE SCHEMA app;
CREATE TABLE app.parent (id int PRIMARY KEY);
CREATE TABLE app.orders (id int PRIMARY KEY, a int NOT NULL, b text, CONSTRAINT positive CHECK (a > 0) NOT VALID);
CREATE INDEX orders_a ON app.orders (a);
CREATE TABLE app.lines (id int PRIMARY KEY, order_id int REFERENCES app.orders);
CREATE TABLE app.parts (id int) PARTITION BY RANGE (id);
CREATE TABLE app.part (id int);
CREATE VIEW app.view AS SELECT id FROM app.parent;
CREATE MATERIALIZED VIEW app.stored AS SELECT id FROM app.parent;
CREATE FUNCTION app.trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER fires AFTER INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.trigger();
CREATE POLICY sees ON app.orders USING (true);
"""
# statement → the strongest lock on each table that is there, as PostgreSQL itself tells it
STATEMENTS = [
    "ALTER TABLE app.orders ADD COLUMN c int",
    "ALTER TABLE app.orders ADD COLUMN c timestamptz DEFAULT clock_timestamp()",
    "ALTER TABLE app.orders ADD COLUMN c int REFERENCES app.parent",
    "ALTER TABLE app.orders DROP COLUMN b",
    "ALTER TABLE app.orders ALTER COLUMN b SET NOT NULL",
    "ALTER TABLE app.orders ALTER COLUMN b TYPE varchar(10)",
    "ALTER TABLE app.orders ALTER COLUMN a SET DEFAULT 1",
    "ALTER TABLE app.orders ALTER COLUMN a SET STATISTICS 100",
    "ALTER TABLE app.orders ALTER COLUMN a SET (n_distinct = 5)",
    "ALTER TABLE app.orders SET (fillfactor = 70)",
    "ALTER TABLE app.orders SET (autovacuum_enabled = false)",
    "ALTER TABLE app.orders ADD CONSTRAINT c CHECK (a < 5)",
    "ALTER TABLE app.orders ADD CONSTRAINT c CHECK (a < 5) NOT VALID",
    "ALTER TABLE app.orders ADD CONSTRAINT c UNIQUE (a)",
    "ALTER TABLE app.orders ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES app.parent NOT VALID",
    "ALTER TABLE app.orders ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES app.parent",
    "ALTER TABLE app.orders VALIDATE CONSTRAINT positive",
    "ALTER TABLE app.orders DROP CONSTRAINT positive",
    "ALTER TABLE app.orders DISABLE TRIGGER fires",
    "ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE app.orders OWNER TO CURRENT_USER",
    "ALTER TABLE app.orders RENAME TO other",
    "ALTER TABLE app.orders RENAME COLUMN b TO c",
    "ALTER TABLE app.orders SET SCHEMA public",
    "ALTER TABLE app.orders CLUSTER ON orders_a",
    "ALTER TABLE app.part SET UNLOGGED",
    "ALTER TABLE app.parts ATTACH PARTITION app.part FOR VALUES FROM (1) TO (9)",
    "CREATE TABLE app.p PARTITION OF app.parts FOR VALUES FROM (1) TO (9)",
    "CREATE TABLE app.child () INHERITS (app.parent)",
    "CREATE TABLE app.referring (id int REFERENCES app.parent)",
    "CREATE INDEX i ON app.orders (b)",
    "REINDEX TABLE app.orders",
    "DROP TABLE app.stray CASCADE",
    "DROP TABLE app.lines",
    "DROP VIEW app.view",
    "DROP TRIGGER fires ON app.orders",
    "DROP POLICY sees ON app.orders",
    "CREATE TRIGGER more AFTER INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.trigger()",
    "CREATE POLICY more ON app.orders USING (true)",
    "ALTER POLICY sees ON app.orders USING (false)",
    "CREATE RULE r AS ON INSERT TO app.orders DO NOTHING",
    "CREATE STATISTICS app.s ON id, a FROM app.orders",
    "COMMENT ON TABLE app.orders IS 'x'",
    "COMMENT ON COLUMN app.orders.a IS 'x'",
    "COMMENT ON CONSTRAINT positive ON app.orders IS 'x'",
    "COMMENT ON TRIGGER fires ON app.orders IS 'x'",
    "TRUNCATE app.lines",
    "LOCK TABLE app.orders IN SHARE MODE",
    "CLUSTER app.orders USING orders_a",
    "REFRESH MATERIALIZED VIEW app.stored",
    "CREATE OR REPLACE VIEW app.view AS SELECT id FROM app.parent",
    "INSERT INTO app.parent VALUES (1)",
    "UPDATE app.orders SET a = 1",
    "DELETE FROM app.lines",
    "MERGE INTO app.parent AS p USING (VALUES (1)) AS v (id) ON v.id = p.id WHEN NOT MATCHED THEN DO NOTHING",
    "SELECT id FROM app.orders FOR UPDATE",
    "SELECT id FROM app.orders",
    "ANALYZE app.orders",
    "GRANT SELECT ON app.orders TO PUBLIC",
    "CREATE SCHEMA more",
]  # fmt: skip
# what the parse tree cannot know: locks by way of constraints, views and owned tables
ONLY_SEEN = {
    "DROP TABLE app.lines": {"app.orders": "ACCESS EXCLUSIVE"},
}


@pytest.fixture(scope="module")
def app(cluster: Cluster) -> Iterator[psycopg.Connection[Any]]:
    """A database with tables of many kinds."""
    made = cluster.create(migrated=False)
    with psycopg.connect(made.owner_dsn) as connection:
        connection.execute(BEFORE.encode())
        connection.commit()
        yield connection
    cluster.drop(made.name)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_locks_are_those_that_postgresql_takes(
    app: psycopg.Connection[Any], statement: str
) -> None:
    before = migration_plan._tables(app)
    if "stray" in statement:
        app.execute("CREATE TABLE app.stray (id int)")
        before = migration_plan._tables(app)
    try:
        app.execute(statement.encode())
        seen = _strongest(migration_plan._held(app, before))
    finally:
        app.rollback()
    read = _strongest({(lock.table, lock.mode) for lock in migration_locks.taken([statement])})
    renamed = {"app.other": "app.orders", "public.orders": "app.orders"}
    seen = {renamed.get(table, table): mode for table, mode in seen.items()}
    if statement.startswith("DROP TABLE app.stray"):
        assert read == {"app.stray": "ACCESS EXCLUSIVE"}
    elif statement.startswith(("DROP TABLE", "DROP VIEW")):  # it is gone from the catalog by then
        gone = statement.split()[2]
        assert read == {gone: "ACCESS EXCLUSIVE"}
        assert seen == ONLY_SEEN.get(statement, {})
    else:
        assert read == seen


def _strongest(locks: set[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for table, mode in locks:
        if MODES.index(mode) > MODES.index(found.get(table, MODES[0])):
            found[table] = mode
    return found


@pytest.mark.parametrize(
    ("statement", "effect"),
    [
        ("ALTER TABLE t.t ADD COLUMN c int DEFAULT 7", ""),
        (
            "ALTER TABLE t.t ADD COLUMN c uuid DEFAULT gen_random_uuid()",
            "rewrites the table, if the default is volatile",
        ),
        (
            "ALTER TABLE t.t ADD COLUMN c int GENERATED ALWAYS AS (1) STORED",
            "rewrites the table, if the column is stored",
        ),
        ("ALTER TABLE t.t ADD CONSTRAINT c CHECK (true)", "reads all rows"),
        ("ALTER TABLE t.t ADD CONSTRAINT c CHECK (true) NOT VALID", ""),
        ("ALTER TABLE t.t ADD CONSTRAINT c UNIQUE (a)", "reads all rows and builds an index"),
        ("ALTER TABLE t.t ADD CONSTRAINT c UNIQUE USING INDEX i", ""),
        ("ALTER TABLE t.t ALTER a TYPE bigint", "rewrites the table, unless the type only widens"),
        ("CREATE INDEX CONCURRENTLY i ON t.t (a)", "reads all rows and builds an index"),
        ("VACUUM FULL t.t", "rewrites the table"),
    ],
)
def test_what_takes_long_is_told(statement: str, effect: str) -> None:
    (lock,) = migration_locks.taken([statement])
    assert lock.effect == effect


@pytest.mark.parametrize(
    ("statement", "mode"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t.t (a)", "SHARE UPDATE EXCLUSIVE"),
        ("ALTER TABLE t.t DETACH PARTITION t.p CONCURRENTLY", "SHARE UPDATE EXCLUSIVE"),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY t.t", "EXCLUSIVE"),
        ("VACUUM t.t", "SHARE UPDATE EXCLUSIVE"),
        ("COPY t.t FROM stdin", "ROW EXCLUSIVE"),
    ],
)
def test_what_no_transaction_may_hold_is_read_as_well(statement: str, mode: str) -> None:
    found = {lock.table: lock.mode for lock in migration_locks.taken([statement])}
    assert found["t.t"] == mode


def test_what_a_migration_makes_is_left_out() -> None:
    made = [
        "CREATE TABLE t.new (id int)",
        "CREATE INDEX i ON t.new (id)",
        "COMMENT ON TABLE t.new IS 'x'",
    ]
    assert migration_locks.taken(made) == []
    assert migration_locks.taken([*made, "CREATE INDEX i ON t.old (id)"]) == [
        Lock(4, "t.old", "SHARE", "reads all rows and builds an index")
    ]


# The plan


@pytest.fixture
def folder(empty_database: Database, tmp_path: Path) -> Path:
    """Two applied migrations with a table and rows, and pending ones."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    write(folder, "0001-app", BEFORE, "DROP SCHEMA app CASCADE;")
    write(folder, "0002-more", "CREATE TABLE app.more (id int);", "DROP TABLE app.more;")
    migrations.apply(empty_database.owner_dsn, folder)
    empty_database.psql("INSERT INTO app.orders SELECT n, n, 'x' FROM generate_series(1, 30) AS n")
    return folder


COLOUR = """ALTER TABLE app.orders ADD COLUMN colour text;
CREATE TABLE app.colours (id int);
DO $$ BEGIN UPDATE app.parent SET id = 2 WHERE false; END $$;"""
INDEX = "CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_b ON app.orders (b);"


def pending(folder: Path) -> None:
    write(
        folder,
        "0003-colour",
        COLOUR,
        "DROP TABLE app.colours; ALTER TABLE app.orders DROP COLUMN colour;",
    )
    write(
        folder,
        "0004-index",
        INDEX,
        "DROP INDEX CONCURRENTLY IF EXISTS app.orders_b;",
        SESSION_TIMEOUTS,
    )


def test_the_plan_tells_locks_sizes_and_where_they_were_seen(
    empty_database: Database, folder: Path
) -> None:
    pending(folder)
    before = databases(empty_database)
    plan = migration_plan.plan(empty_database.owner_dsn, folder)
    found = {(lock.table, lock.mode, lock.source) for lock in plan.steps[0].locks}
    assert found == {
        ("app.orders", "ACCESS EXCLUSIVE", "both"),
        ("app.parent", "ROW EXCLUSIVE", "run"),  # by the DO block, which only a run shows
    }
    (lock,) = plan.steps[1].locks
    assert (lock.table, lock.mode, lock.source) == ("app.orders", "SHARE UPDATE EXCLUSIVE", "file")
    assert plan.sizes["app.orders"].rows == 30 and plan.sizes["app.orders"].exact
    assert plan.notes == ()
    assert databases(empty_database) == before
    assert not empty_database.psql("SELECT 1 FROM pg_attribute WHERE attname = 'colour'")


def test_without_a_copy_it_is_read_from_the_files(empty_database: Database, folder: Path) -> None:
    pending(folder)
    plan = migration_plan.plan(empty_database.owner_dsn, folder, "3", copy=False)
    (step,) = plan.steps
    assert {(lock.table, lock.source) for lock in step.locks} == {("app.orders", "file")}


def test_without_the_right_to_make_a_database_it_says_so(
    cluster: Cluster, empty_database: Database, folder: Path
) -> None:
    pending(folder)
    role = f"reader_{empty_database.name}"
    empty_database.psql(
        f"CREATE ROLE {role} LOGIN; GRANT pg_read_all_data TO {role}; GRANT CONNECT ON DATABASE {empty_database.name} TO {role}"
    )
    try:
        dsn = cluster.server.dsn(user=role, database=empty_database.name)
        plan = migration_plan.plan(dsn, folder)
        assert "CREATEDB" in plan.notes[0]
        assert plan.steps[0].locks
        assert plan.sizes["app.orders"].rows == 30
    finally:
        empty_database.psql(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_size_that_row_security_hides_is_no_count(cluster: Cluster, database: Database) -> None:
    database.psql("GRANT SELECT ON workspace.projects TO quarry_app; ANALYZE workspace.projects")
    found = migration_plan.sizes(database.app_dsn, ["workspace.projects", "no.such"])
    assert found.keys() == {"workspace.projects"}
    assert not found["workspace.projects"].exact


def test_a_migration_that_fails_is_told_before_it_is_tried(
    empty_database: Database, folder: Path
) -> None:
    write(
        folder,
        "0003-bad",
        "ALTER TABLE app.order ADD COLUMN c int;",
        "ALTER TABLE app.order DROP COLUMN c;",
    )
    write(folder, "0004-next", "CREATE TABLE app.next (id int);", "DROP TABLE app.next;")
    plan = migration_plan.plan(empty_database.owner_dsn, folder)
    assert plan.steps[0].fails == 'statement 3: relation "app.order" does not exist'
    assert plan.steps[1].fails is None
    assert "0003-bad" in plan.notes[0]


def test_the_command_prints_the_plan(empty_database: Database, folder: Path) -> None:
    pending(folder)
    done = run(empty_database, folder, "plan", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [step["migration"] for step in told["pending"]] == ["0003-colour", "0004-index"]
    lock = told["pending"][0]["locks"][0]
    assert lock["sql"] == "ALTER TABLE app.orders ADD COLUMN colour text;"
    assert (lock["table"], lock["rows"], lock["exact"]) == ("app.orders", 30, True)
    assert lock["blocks"] == "reads and writes"
    write(folder, "0005-char", "CREATE TABLE app.c (c char(3));", "DROP TABLE app.c;")
    done = run(empty_database, folder, "plan")
    assert done.returncode == 1
    assert "0005-char.sql" in done.stdout and "char" in done.stdout  # squawk's finding
    assert run(empty_database, folder, "apply").returncode == 0
    assert "nothing is pending" in run(empty_database, folder, "plan").stderr


def databases(database: Database) -> set[str]:
    return {
        name
        for (name,) in database.psql(
            "SELECT datname FROM pg_database WHERE datname LIKE 'quarry_scratch%'"
        )
    }


# Applying


def test_who_stands_in_the_way_is_told_while_it_waits_and_after(
    empty_database: Database, folder: Path
) -> None:
    pending(folder)
    short = folder / "0003-colour.sql"
    short.write_text(short.read_text().replace("lock_timeout = '3s'", "lock_timeout = '1s'"))
    dsn = f"{empty_database.owner_dsn}&application_name=report-of-ada"
    with psycopg.connect(dsn) as other:
        other.execute("SELECT count(*) FROM app.orders")
        pid = other.info.backend_pid
        done = run(empty_database, folder, "apply")
    assert done.returncode == 2
    waits, told = done.stderr.split("error: ")
    assert f"waits for pid {pid} (report-of-ada, role postgres), idle in transaction" in waits
    assert "canceling statement due to lock timeout; nothing of it was kept" in told
    assert "at 0003-colour.sql:7: ALTER TABLE app.orders" in told
    assert f"blocked by pid {pid} (report-of-ada" in told
    assert "SELECT count(*) FROM app.orders" in told
    assert f"pg_terminate_backend({pid})" in told
    assert run(empty_database, folder, "apply").returncode == 0


def test_a_failure_names_its_place_and_what_is_kept(empty_database: Database, folder: Path) -> None:
    pending(folder)
    write(
        folder,
        "0005-bad",
        "CREATE TABLE app.good (id int);\n\nALTER TABLE app.orders\n    ADD CONSTRAINT c CHECK (nowhere > 0);",
        "DROP TABLE app.good;",
    )
    with pytest.raises(MigrationError) as error:
        migrations.apply(empty_database.owner_dsn, folder)
    told = str(error.value)
    assert 'column "nowhere" does not exist; nothing of it was kept' in told
    assert "at 0005-bad.sql:9: ALTER TABLE app.orders ADD CONSTRAINT c CHECK" in told
    assert "applied before it, and kept so: 0003-colour, 0004-index" in told
    assert "blocked" not in told


def test_an_index_that_could_not_be_built_is_told(empty_database: Database, folder: Path) -> None:
    write(
        folder,
        "0003-index",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS b_key ON app.orders (b);",
        "DROP INDEX CONCURRENTLY IF EXISTS app.b_key;",
        SESSION_TIMEOUTS,
    )
    with pytest.raises(
        MigrationError, match="may leave an INVALID b_key, which the next run drops"
    ):
        migrations.apply(empty_database.owner_dsn, folder)


def test_a_second_run_is_told_who_runs(empty_database: Database, folder: Path) -> None:
    write(
        folder,
        "0003-slow",
        "CREATE TABLE app.slow (id int); DO 'BEGIN PERFORM pg_sleep(20); END';",
        "DROP TABLE app.slow;",
    )
    process = start(empty_database, folder, "apply")
    try:
        wait_for(
            empty_database,
            "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DO %pg_sleep%' AND state = 'active'",
        )
        with pytest.raises(
            MigrationError, match=r"another `quarry migrate` \(pid \d+, role postgres, since"
        ):
            migrations.apply(empty_database.owner_dsn, folder, wait=0.2)
    finally:
        process.kill()
        process.communicate()


def test_dry_runs_print_and_do_nothing(empty_database: Database, folder: Path) -> None:
    pending(folder)
    done = run(empty_database, folder, "apply", "--dry-run", "--to", "3")
    assert done.returncode == 0
    assert COLOUR in done.stdout and INDEX not in done.stdout
    assert migrations.applied_head(empty_database.owner_dsn) == "0002-more"
    assert json.loads(run(empty_database, folder, "apply", "--json").stdout)["applied"] == [
        "0003-colour",
        "0004-index",
    ]
    asked = run(empty_database, folder, "rollback", "--to", "2")
    assert asked.returncode == 1
    assert "app.orders.colour goes, of 30 rows" in asked.stderr
    undone = json.loads(
        run(empty_database, folder, "rollback", "--to", "2", "--yes", "--json").stdout
    )
    assert undone["undone"] == ["0004-index", "0003-colour"]
    assert undone["seconds"].keys() == set(undone["undone"])


# New ones


def test_a_new_pair_must_be_filled(empty_database: Database, folder: Path) -> None:
    file = migration_files.create(folder, "Colours")
    assert codes(folder) == {"empty", "pair"}
    file.path.write_text(file.path.read_text() + "CREATE TABLE app.x (id int);\n")
    assert codes(folder) == {"pair"}
    with pytest.raises(MigrationError, match=r"needs a 0003-colours\.rollback\.sql"):
        migrations.apply(empty_database.owner_dsn, folder)
    file.rollback_path.write_text(file.rollback_path.read_text() + "DROP TABLE app.x;\n")
    assert codes(folder) == set()


def test_a_new_pair_for_one_statement_alone(empty_database: Database, folder: Path) -> None:
    done = command(folder, empty_database.owner_dsn, "new", "--concurrently", "index", "b")
    written, said = done.communicate(timeout=60)
    up, down = map(Path, written.split())
    assert "quarry migrate lint" in said
    up.write_text(up.read_text() + INDEX)
    down.write_text(down.read_text() + "DROP INDEX CONCURRENTLY IF EXISTS app.orders_b;")
    assert codes(folder) == set()
    assert not migration_files.read(folder)[-1].transactional
    empty_database.psql("CREATE ROLE quarry_owner") if not empty_database.psql(
        "SELECT 1 FROM pg_roles WHERE rolname = 'quarry_owner'"
    ) else None
    empty_database.psql(
        "ALTER SCHEMA app OWNER TO quarry_owner; ALTER TABLE app.orders OWNER TO quarry_owner"
    )
    assert migrations.apply(empty_database.owner_dsn, folder) == ["0003-index-b"]
    assert migrations.rollback(empty_database.owner_dsn, folder) == ["0003-index-b"]
    empty_database.psql(
        "REASSIGN OWNED BY quarry_owner TO CURRENT_USER; DROP OWNED BY quarry_owner"
    )
    assert tables(empty_database) == set()
