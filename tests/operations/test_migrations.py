"""The migrations and the command that runs them, against a real PostgreSQL."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from service.operations import migration_files, migration_squawk, migration_verify, migrations
from service.operations.migrations import MigrationError, SchemaMismatchError
from tests.support.cluster import Cluster, Database

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "migrations"
HEAD = migrations.head(SHIPPED)
TIMEOUTS = "SET LOCAL lock_timeout = '3s';\n\nSET LOCAL statement_timeout = '60s';\n\n"
SESSION_TIMEOUTS = TIMEOUTS.replace("LOCAL ", "")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two small migrations."""
    copy = tmp_path / "migrations"
    copy.mkdir()
    write(copy, "0001-first", "CREATE TABLE public.first (id int);", "DROP TABLE public.first;")
    write(copy, "0002-second", "CREATE TABLE public.second (id int);", "DROP TABLE public.second;")
    return copy


def write(folder: Path, name: str, up: str, down: str, header: str = TIMEOUTS) -> None:
    """A migration pair that depends on the one before it."""
    before = max(migration_files.known(folder) - {name}, default=None)
    depends = f"-- depends: {before}\n" if before else ""
    directive = "-- transactional: false\n" if header is SESSION_TIMEOUTS else ""
    (folder / f"{name}.sql").write_text(f"{depends}{directive}\n{header}{up}\n")
    (folder / f"{name}.rollback.sql").write_text(f"-- back\n\n{header}{down}\n")


def tables(database: Database) -> set[str]:
    """Names of the tables in schema public, without the migrations' own."""
    rows = database.psql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    )
    return {name for (name,) in rows if "yoyo" not in name and not name.startswith("_quarry")}


def codes(folder: Path) -> set[str]:
    return {f.code for f in migration_files.lint(folder, migration_files.read(folder))}


# The files


def test_shipped_files_keep_every_rule() -> None:
    files = migration_files.read(SHIPPED)
    assert migration_files.lint(SHIPPED, files) == []
    assert migration_squawk.squawk(SHIPPED, files) == []


@pytest.mark.parametrize(
    ("name", "up", "down", "header", "code"),
    [
        ("0003-Bad_name", "CREATE TABLE x ();", "DROP TABLE x;", TIMEOUTS, "name"),
        ("0002-twice", "CREATE TABLE x ();", "DROP TABLE x;", TIMEOUTS, "number"),
        ("0003-x", "CREATE TABLE x ();", "-- nothing", TIMEOUTS, "pair"),
        ("0003-x", "CREATE TABLE x ();", "DROP TABLE x;", "", "timeout"),
        ("0003-x", "BEGIN; CREATE TABLE x ();", "DROP TABLE x;", TIMEOUTS, "transaction"),
        ("0003-x", "SELECT 1;", "DROP TABLE x;", TIMEOUTS, "select"),
        ("0003-x", "CREATE INDEX i ON first (id);", "DROP INDEX i;", TIMEOUTS, "index"),
        ("0003-x", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON first (id);", "DROP INDEX i;", TIMEOUTS, "concurrently"),
        ("0003-x", "CREATE TABLE x (); CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON first (id);", "DROP INDEX CONCURRENTLY IF EXISTS i;", SESSION_TIMEOUTS, "alone"),
        ("0003-x", "CREATE INDEX CONCURRENTLY i ON first (id);", "DROP INDEX CONCURRENTLY IF EXISTS i;", SESSION_TIMEOUTS, "repeatable"),
        ("0003-x", "CREATE TABLE x ();", "/* */ \n-- depends: 0001-first\nDROP TABLE x;", TIMEOUTS, None),
    ],
)  # fmt: skip
def test_lint_names_what_is_wrong(
    folder: Path, name: str, up: str, down: str, header: str, code: str | None
) -> None:
    write(folder, name, up, down, header)
    found = codes(folder)
    assert code in found if code else not found


def test_a_missing_rollback_is_refused(empty_database: Database, folder: Path) -> None:
    (folder / "0002-second.rollback.sql").unlink()
    with pytest.raises(MigrationError, match=r"0002-second\.rollback\.sql"):
        migrations.apply(empty_database.owner_dsn, folder)
    assert tables(empty_database) == set()


def test_a_missing_or_wrong_dependency_is_refused(folder: Path) -> None:
    file = folder / "0002-second.sql"
    file.write_text(file.read_text().replace("-- depends: 0001-first\n", ""))
    assert codes(folder) == {"depends"}
    (folder / "0009-orphan.rollback.sql").write_text(TIMEOUTS + "DROP TABLE x;")
    assert codes(folder) == {"depends", "orphan"}


def test_new_makes_a_pair_that_only_lacks_its_statements(folder: Path) -> None:
    file = migration_files.create(folder, "Add a Table!")
    assert file.id == "0003-add-a-table"
    assert file.depends == ("0002-second",)
    for path in (file.path, file.rollback_path):
        path.write_text(path.read_text() + "DROP TABLE IF EXISTS public.third;\n")
    assert codes(folder) == set()


# Up and down


def test_up_down_and_up_again_change_nothing(cluster: Cluster) -> None:
    assert migration_verify.verify(cluster.admin_dsn(), SHIPPED) == []


def test_verify_finds_a_rollback_that_forgets_something(cluster: Cluster, folder: Path) -> None:
    write(folder, "0003-index", "CREATE SCHEMA third;", "DO 'BEGIN END';")
    with pytest.raises(MigrationError, match=r"0003-index.*already exists"):
        migration_verify.verify(cluster.admin_dsn(), folder)
    write(folder, "0003-index", "CREATE SCHEMA IF NOT EXISTS third;", "DO 'BEGIN END';")
    findings = migration_verify.verify(cluster.admin_dsn(), folder)
    assert findings[0].startswith("0003-index down: another schema")


def test_verify_finds_a_rollback_that_takes_foreign_rows(cluster: Cluster, folder: Path) -> None:
    write(
        folder,
        "0003-a",
        "CREATE SCHEMA a; CREATE TABLE a.a (id int);",
        "DROP TABLE a.a; DROP SCHEMA a;",
    )
    write(folder, "0004-b", "CREATE TABLE a.b (id int);", "DROP TABLE a.b; DELETE FROM a.a;")  # fmt: skip
    (folder / "samples").mkdir()
    (folder / "samples" / "0003-a.sql").write_text("INSERT INTO a.a VALUES (1)")
    findings = migration_verify.verify(cluster.admin_dsn(), folder)
    assert "0004-b down: lost 1 of 1 rows of a.a" in findings
    assert "a.b has no sample row" in findings


def test_apply_and_rollback_go_where_they_are_told(empty_database: Database, folder: Path) -> None:
    dsn = empty_database.owner_dsn
    assert migrations.applied_head(dsn) is None
    assert migrations.apply(dsn, folder, "1") == ["0001-first"]
    assert migrations.applied_head(dsn) == "0001-first"
    assert migrations.apply(dsn, folder) == ["0002-second"]
    assert migrations.apply(dsn, folder) == []
    assert [r["state"] for r in migrations.status(dsn, folder)] == ["applied", "applied"]
    assert migrations.rollback(dsn, folder) == ["0002-second"]
    assert tables(empty_database) == {"first"}
    migrations.apply(dsn, folder)
    assert migrations.rollback(dsn, folder, "zero") == ["0002-second", "0001-first"]
    assert tables(empty_database) == set()
    with pytest.raises(MigrationError, match="no migration is called 0007"):
        migrations.rollback(dsn, folder, "0007")


def test_applying_takes_each_migration_apart_once(empty_database: Database) -> None:
    parsed = migration_files._parsed
    parsed.cache_clear()  # as in a process that has not read them yet
    applied = migrations.apply(empty_database.owner_dsn, SHIPPED)
    migrations.status(empty_database.owner_dsn, SHIPPED)
    assert parsed.cache_info().misses == len(applied)


# What was applied stays what it was


@pytest.mark.parametrize("name", ["0001-first.sql", "0001-first.rollback.sql"])
def test_a_changed_applied_file_is_refused(
    empty_database: Database, folder: Path, name: str
) -> None:
    dsn = empty_database.owner_dsn
    migrations.apply(dsn, folder, "0001")
    file = folder / name
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    migrations.apply(dsn, folder, "0001")  # line ends are no change
    file.write_text(file.read_text() + "-- an afterthought\n")
    assert migrations.status(dsn, folder)[0]["state"] == "changed"
    for run in (migrations.apply, migrations.rollback):
        with pytest.raises(MigrationError, match=f"{name} changed after it was applied"):
            run(dsn, folder)
    assert tables(empty_database) == {"first"}


def test_what_plain_yoyo_applied_is_adopted(empty_database: Database, folder: Path) -> None:
    dsn = empty_database.owner_dsn
    yoyo(empty_database, folder, "apply")
    assert migrations.apply(dsn, folder) == []
    file = folder / "0001-first.sql"
    file.write_text(file.read_text() + "-- changed\n")
    with pytest.raises(MigrationError, match=r"0001-first.sql changed"):
        migrations.apply(dsn, folder)


def test_a_schema_of_another_version_is_named(empty_database: Database, folder: Path) -> None:
    dsn = empty_database.owner_dsn
    with pytest.raises(SchemaMismatchError, match=r"at zero, 0002-second is needed. Run `quarry migrate apply`"):  # fmt: skip
        migrations.require_current(dsn, folder)
    migrations.apply(dsn, folder, "0001")
    with pytest.raises(SchemaMismatchError, match="older than this Quarry: it is at 0001-first"):
        migrations.require_current(dsn, folder)
    migrations.apply(dsn, folder)
    migrations.require_current(dsn, folder)
    for path in folder.glob("0002*"):
        path.unlink()
    with pytest.raises(SchemaMismatchError, match=r"newer .* `quarry migrate rollback --to 0001-first`"):  # fmt: skip
        migrations.require_current(dsn, folder)
    with pytest.raises(SchemaMismatchError, match="0002-second is applied, but there is no such"):
        migrations.apply(dsn, folder)


def test_the_service_role_may_ask_for_the_version(database: Database) -> None:
    migrations.require_current(database.app_dsn, SHIPPED)


# Failures


def test_a_failed_statement_leaves_nothing_of_its_file(
    empty_database: Database, folder: Path
) -> None:
    write(
        folder, "0003-third", "CREATE TABLE third (); CREATE TABLE first ();", "DROP TABLE third;"
    )
    with pytest.raises(MigrationError, match='0003-third: apply failed: relation "first" already'):
        migrations.apply(empty_database.owner_dsn, folder)
    assert tables(empty_database) == {"first", "second"}
    assert migrations.applied_head(empty_database.owner_dsn) == "0002-second"
    write(folder, "0003-third", "CREATE TABLE third ();", "DROP TABLE third;")
    assert migrations.apply(empty_database.owner_dsn, folder) == ["0003-third"]


def test_killed_in_the_middle_it_goes_on_where_it_was(
    empty_database: Database, folder: Path
) -> None:
    write(folder, "0003-slow", "CREATE TABLE third (); DO 'BEGIN PERFORM pg_sleep(60); END';", "DROP TABLE third;")  # fmt: skip
    process = start(empty_database, folder, "apply")
    wait_for(empty_database, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DO %pg_sleep%' AND state = 'active'")  # fmt: skip
    process.kill()
    process.communicate()
    assert tables(empty_database) == {"first", "second"}
    write(folder, "0003-slow", "CREATE TABLE third ();", "DROP TABLE third;")
    assert migrations.apply(empty_database.owner_dsn, folder, wait=20) == ["0003-slow"]


def test_a_failed_concurrent_index_is_cleaned_up(empty_database: Database, folder: Path) -> None:
    dsn = empty_database.owner_dsn
    migrations.apply(dsn, folder)
    empty_database.psql("INSERT INTO first VALUES (1), (1)")
    up = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS first_id_key ON public.first (id);"
    write(folder, "0003-index", up, "DROP INDEX CONCURRENTLY IF EXISTS public.first_id_key;", SESSION_TIMEOUTS)  # fmt: skip
    with pytest.raises(MigrationError, match=r"0003-index: apply failed: could not create unique"):
        migrations.apply(dsn, folder)
    # As a killed process leaves it.
    with pytest.raises(psycopg.errors.UniqueViolation), psycopg.connect(dsn, autocommit=True) as c:
        c.execute("CREATE UNIQUE INDEX CONCURRENTLY first_id_key ON first (id)")
    empty_database.psql("TRUNCATE first")
    assert migrations.apply(dsn, folder) == ["0003-index"]
    assert empty_database.psql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'first_id_key'::regclass") == [(True,)]  # fmt: skip
    assert migrations.rollback(dsn, folder) == ["0003-index"]


# In parallel


def test_twenty_at_once_apply_each_file_once(empty_database: Database) -> None:
    processes = [start(empty_database, SHIPPED, "apply") for _ in range(20)]
    said = [process.communicate(timeout=150)[1] for process in processes]
    assert [p.returncode for p in processes] == [0] * 20, said
    assert sum(f"applied {HEAD}" in text for text in said) == 1
    assert sum("nothing to do" in text for text in said) == 19
    assert empty_database.psql("SELECT count(*) FROM yoyo_lock") == [(0,)]


def test_many_databases_of_one_cluster_migrate_at_once(cluster: Cluster) -> None:
    made = [cluster.create(migrated=False) for _ in range(4)]
    try:
        for arguments in (["apply"], ["rollback", "--to", "zero", "--yes"], ["apply"]):
            processes = [start(database, SHIPPED, *arguments) for database in made]
            said = [process.communicate(timeout=150)[1] for process in processes]
            assert [p.returncode for p in processes] == [0] * len(made), said
    finally:
        for database in made:
            cluster.drop(database.name)


def test_it_waits_for_yoyo_and_yoyo_waits_for_it(empty_database: Database, folder: Path) -> None:
    dsn = empty_database.owner_dsn
    write(folder, "0003-slow", "DO 'BEGIN PERFORM pg_sleep(3); END';", "DO 'BEGIN END';")
    process = start(empty_database, folder, "apply")
    wait_for(empty_database, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DO %pg_sleep%' AND state = 'active'")  # fmt: skip
    yoyo(empty_database, folder, "apply")
    process.communicate(timeout=20)
    assert process.returncode == 0
    with psycopg.connect(dsn, autocommit=True) as other:
        other.execute(
            "INSERT INTO yoyo_lock VALUES (1, clock_timestamp() AT TIME ZONE 'UTC', 4711)"
        )
        with pytest.raises(MigrationError, match=r"pid 4711\) holds the lock"):
            migrations.apply(dsn, folder, wait=1)
    assert migrations.apply(dsn, folder, wait=1) == []  # its connection is gone: so is the process


def test_the_wait_for_another_run_is_bounded(empty_database: Database, folder: Path) -> None:
    with psycopg.connect(empty_database.owner_dsn) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('quarry.migrate', 0))")
        with pytest.raises(MigrationError, match=r"another `quarry migrate`"):
            migrations.apply(empty_database.owner_dsn, folder, wait=0.3)


# Who migrates


@pytest.fixture
def migrator(cluster: Cluster, empty_database: Database) -> Iterator[str]:
    """DSN of a database owner who may create roles and is no superuser."""
    role = f"migrator_{empty_database.name}"
    with psycopg.connect(empty_database.owner_dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN CREATEROLE")
        admin.execute(f"ALTER DATABASE {empty_database.name} OWNER TO {role}")
        for name in admin.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'quarry\\_%'"
        ).fetchall():
            admin.execute(f"GRANT {name[0]} TO {role} WITH ADMIN OPTION")
    yield cluster.server.dsn(user=role, database=empty_database.name)
    with psycopg.connect(empty_database.owner_dsn, autocommit=True) as admin:
        admin.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
        admin.execute(f"DROP OWNED BY {role} CASCADE")
        admin.execute(f"DROP ROLE {role}")


def test_no_superuser_is_needed(empty_database: Database, migrator: str) -> None:
    assert migrations.apply(migrator, SHIPPED)[-1] == HEAD
    assert migrations.rollback(migrator, SHIPPED, "zero")
    assert migrations.apply(migrator, SHIPPED)[-1] == HEAD
    empty_database.psql("SELECT count(*) FROM workspace.projects", dsn=empty_database.app_dsn)


# The commands


def test_the_commands(empty_database: Database, folder: Path) -> None:
    assert run(empty_database, folder, "status").returncode == 1
    assert run(empty_database, folder, "apply", "--to", "1").returncode == 0
    listed = run(empty_database, folder, "status", "--json")
    assert listed.returncode == 1
    assert '"state": "pending"' in listed.stdout
    assert run(empty_database, folder, "apply").returncode == 0
    assert run(empty_database, folder, "status").returncode == 0
    dry = run(empty_database, folder, "rollback", "--dry-run", "--to", "zero")
    assert dry.stdout.index("DROP TABLE public.second") < dry.stdout.index(
        "DROP TABLE public.first"
    )
    assert run(empty_database, folder, "rollback").returncode == 1  # nobody said yes
    assert tables(empty_database) == {"first", "second"}
    assert run(empty_database, folder, "rollback", "--yes").returncode == 0
    assert tables(empty_database) == {"first"}
    assert run(empty_database, folder, "rollback", "--to", "x").returncode == 2
    assert run(empty_database, folder, "new", "one", "more").stdout.splitlines()[0].endswith("0003-one-more.sql")  # fmt: skip
    assert run(empty_database, folder, "lint").returncode == 1


def test_no_password_is_printed(folder: Path) -> None:
    dsn = "postgresql://someone:s3cr3t-word@127.0.0.1:1/none?connect_timeout=2"
    done = command(folder, dsn, "apply")
    said = "".join(done.communicate(timeout=30))
    assert done.returncode == 2
    assert "s3cr3t-word" not in said
    assert "127.0.0.1" in said


def test_plain_yoyo_works_with_the_shipped_files(empty_database: Database) -> None:
    parameters = psycopg.conninfo.conninfo_to_dict(empty_database.owner_dsn)
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
    environment = os.environ | {names[k]: str(v) for k, v in parameters.items() if k in names}

    def plain(*arguments: str) -> str:
        done = subprocess.run(
            [Path(sys.executable).parent / "yoyo", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    plain("apply")
    assert f"A         {HEAD}" in plain("list")
    plain("rollback", "--all")
    assert migrations.applied_head(empty_database.owner_dsn) is None
    plain("apply")
    assert migrations.apply(empty_database.owner_dsn, SHIPPED) == []


def yoyo(database: Database, folder: Path, action: str) -> None:
    """Plain yoyo on another folder."""
    parameters: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(database.owner_dsn)
    query = "&".join(f"{k}={v}" for k, v in parameters.items() if k not in ("dbname",))
    url = f"postgresql+psycopg:///{parameters['dbname']}?schema=public&{query}"
    subprocess.run(
        [Path(sys.executable).parent / "yoyo", action, "--batch", "--no-config-file", "-d", url, folder],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def start(database: Database, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A `quarry migrate` process on this database and folder."""
    return command(folder, database.owner_dsn, *arguments)


def command(folder: Path, dsn: str, *arguments: str) -> subprocess.Popen[str]:
    if folder != SHIPPED and not (folder / "bookkeeping").exists():
        shutil.copytree(SHIPPED / "bookkeeping", folder / "bookkeeping")
    environment = os.environ | {
        "QUARRY_MIGRATION_URL": dsn,
        "QUARRY_DATABASE_URL": dsn,
        "QUARRY_MIGRATIONS_DIR": str(folder),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "service", "migrate", *arguments],
        cwd=ROOT, env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(database: Database, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(database, folder, *arguments)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def wait_for(database: Database, query: str) -> None:
    deadline = time.monotonic() + 20
    while not database.psql(query):
        assert time.monotonic() < deadline, query
        time.sleep(0.05)
