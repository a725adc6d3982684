"""`quarry integrity` as an operator runs it: exit codes, reports, and the incident that it is for."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg

from tests.support.cluster import Database

# 16 imports of 265 rows together, each made in a transaction of its own, as an upload does.
IMPORTS = """
DO $$
DECLARE
    tenant uuid;
    project uuid;
    flow uuid;
    import uuid;
BEGIN
    INSERT INTO core.tenants (name) VALUES ('acme') RETURNING id INTO tenant;
    INSERT INTO workspace.projects (tenant_id, name, language) VALUES (tenant, 'Migration', 'en') RETURNING id INTO project;
    FOR n IN 1 .. 16 LOOP
        INSERT INTO discovery.master_flows (tenant_id, project_id, flow_name, current_phase, created_at)
        VALUES (tenant, project, 'Import ' || n, 'validation', '2026-01-01Z'::timestamptz + n * interval '1 second') RETURNING id INTO flow;
        INSERT INTO discovery.data_imports (tenant_id, project_id, master_flow_id, name, size, sha256, total_rows, loaded_rows, encoding, header, created_at)
        VALUES (tenant, project, flow, 'Import ' || n, 1, sha256(n::text::bytea), CASE WHEN n = 16 THEN 25 ELSE 16 END, CASE WHEN n = 16 THEN 25 ELSE 16 END,
                'utf-8', '["host"]', '2026-01-01Z'::timestamptz + n * interval '1 second') RETURNING id INTO import;
        INSERT INTO discovery.discovery_flows (tenant_id, project_id, master_flow_id, data_import_id) VALUES (tenant, project, flow, import);
        INSERT INTO discovery.raw_records (tenant_id, project_id, data_import_id, master_flow_id, row_number, raw)
        SELECT tenant, project, import, flow, r, jsonb_build_object('host', 'host-' || r) FROM generate_series(1, CASE WHEN n = 16 THEN 25 ELSE 16 END) AS r;
    END LOOP;
END
$$;
"""
LOST = """
ALTER TABLE discovery.data_imports ALTER master_flow_id DROP NOT NULL;
ALTER TABLE discovery.raw_records ALTER master_flow_id DROP NOT NULL;
SET session_replication_role = replica;
UPDATE discovery.raw_records SET master_flow_id = NULL;
UPDATE discovery.data_imports SET master_flow_id = NULL;
"""
MENDED = """
ALTER TABLE discovery.data_imports ALTER master_flow_id SET NOT NULL;
ALTER TABLE discovery.raw_records ALTER master_flow_id SET NOT NULL;
"""
ROWS = """
SELECT 'import', to_jsonb(i)::text FROM discovery.data_imports AS i
 UNION ALL
SELECT 'record', to_jsonb(r)::text FROM discovery.raw_records AS r
 ORDER BY 1, 2
"""


class Shell:
    """Runs `quarry integrity` on a database."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("QUARRY_")} | {
            "QUARRY_DATABASE_URL": database.app_dsn, "QUARRY_MIGRATION_URL": database.owner_dsn,
            "QUARRY_DATA_DIR": str(folder / "data"), "QUARRY_ENV_FILE": str(folder / "no.env"),
            "COLUMNS": "200",
        }  # fmt: skip

    def __call__(self, *arguments: str, code: int, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "service", "integrity", *arguments],
            env=self.environment | environment, cwd=Path(__file__).parents[2],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr


def _run(database: Database, statements: str) -> None:
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        connection.execute(statements)


def _failing(told: str) -> dict[str, Any]:
    checks = json.loads(told[: told.rindex("}") + 1])["checks"]
    return {c["check"]: c["count"] for c in checks if c["state"] != "PASS"}


def test_the_incident_is_found_repaired_and_undone(database: Database, tmp_path: Path) -> None:
    """All links of 16 imports and 265 rows to their flows are lost, which needs NOT NULL dropped."""
    quarry = Shell(database, tmp_path)
    _run(database, IMPORTS)
    sound = database.psql(ROWS)
    quarry("check", code=0)
    _run(database, LOST)
    damaged = database.psql(ROWS)
    page = tmp_path / "report.html"
    told = quarry("check", "--json", "--html", str(page), code=1)
    assert _failing(told) == {"discovery_missing_links": 281, "schema_columns": 2}
    assert "<b>16</b> in data imports (master flow)" in page.read_text()
    assert "<b>265</b> in raw records (master flow)" in page.read_text()
    dry = quarry("repair", code=0)
    assert "discovery.data_imports: 16 rows set master_flow_id" in dry
    assert "discovery.raw_records: 265 rows set master_flow_id" in dry
    assert "its discovery flow still names both" in dry
    assert database.psql(ROWS) == damaged
    done = json.loads(quarry("repair", "--apply", "--yes", "--json", code=0))
    assert done["applied"]
    assert database.psql(ROWS) == sound
    assert _failing(quarry("check", "--json", code=1)) == {"schema_columns": 2}
    _run(database, MENDED)
    quarry("check", code=0)
    refused = quarry("undo", done["run_id"], code=1)  # NOT NULL stands in the way again
    assert "refused" in refused
    assert "lift that for the moment" in refused
    assert database.psql(ROWS) == sound
    _run(database, LOST.partition("SET session")[0])
    assert "281 rows as before the repair" in quarry("undo", done["run_id"], code=0)
    assert database.psql(ROWS) == damaged
    assert done["run_id"] in quarry("undo", "--json", code=0)
    quarry("undo", done["run_id"], code=1)


def test_a_check_that_cannot_run_is_exit_2_and_no_pass(database: Database, tmp_path: Path) -> None:
    quarry = Shell(database, tmp_path)
    _run(database, "ALTER TABLE discovery.asset_conflicts RENAME TO elsewhere")
    told = quarry("check", "discovery_illegal_states", code=2)
    assert "ERROR" in told
    assert "could not run" in told
    quarry("check", "no_such_check", code=2)
    # a role that row-level security shows nothing would pass everything
    blind = quarry("check", code=2, QUARRY_MIGRATION_URL=database.app_dsn)
    assert "does not see all tenants" in blind
    assert "PASS" not in blind


def test_queries_are_printed_for_other_tools(database: Database, tmp_path: Path) -> None:
    quarry = Shell(database, tmp_path)
    told = quarry("queries", "conservation", "file_missing", code=0)
    assert told.startswith("-- conservation (count mismatch)\n")
    assert database.psql(told.partition(";\n")[0].replace("%", "%%")) == []
    assert "conservation" in quarry("queries", "--list", code=0)


def test_the_snapshot_is_what_is_committed(database: Database, tmp_path: Path) -> None:
    assert "is as it was" in Shell(database, tmp_path)("snapshot", code=0)
