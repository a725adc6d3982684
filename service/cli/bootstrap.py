"""Before the service listens: the embedded server, or the checks of a configured one."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import psycopg

from service.cli.database import APP_ROLE, use_embedded
from service.cli.output import fail, say
from service.database.contract import check as check_contract
from service.database.contract import describe
from service.database.queries import SqlFilesError, load
from service.database.tree import sql
from service.operations import migrations
from service.operations.operator import connect
from service.settings import Settings

DEV_TENANT = "dev"
KEY_FILE = "dev.key"


def expected_head(config: Settings) -> str:
    """The newest migration that this version knows."""
    return migrations.head(config.migrations_dir)


def start_embedded(config: Settings) -> Settings:
    """Start, migrate and fill the embedded server; it stops with this process."""
    server = use_embedded(config)
    say(f"PostgreSQL {server.version}, embedded, data in {config.data_dir.resolve()}")
    owner = server.dsn(user="postgres")
    migrations.apply(owner, config.migrations_dir)
    _dev_tenant(owner, config)
    app = server.dsn(user=APP_ROLE)
    config = replace(config, database_url=app, database_direct_url=app)
    check_queries(config)
    return config


def _dev_tenant(owner: str, config: Settings) -> None:
    """Tenant `dev` with a key for everything, kept readable for the owner of the folder only."""
    key_file = config.data_dir / KEY_FILE
    if key_file.exists():
        return
    with connect(owner, config.sql_dir) as admin:
        with admin.as_tenant():
            known = admin.run(sql.tenants.find, tenant=DEV_TENANT)
        if not known:
            admin.add_tenant(DEV_TENANT)
        key = admin.add_key(DEV_TENANT, ["*"], name="made at the first start")
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(key + "\n")
    say(f"Tenant {DEV_TENANT}, key: {key}")


def require_ready(config: Settings) -> None:
    """Refuse a database that is absent, not at our migrations, or does not fit the queries."""
    deadline = time.monotonic() + config.startup_seconds
    while True:
        try:
            migrations.require_current(config.database_url or "", config.migrations_dir)
            break
        except migrations.SchemaMismatchError as error:
            fail(str(error), 3)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                fail(f"the database cannot be reached: {str(error).strip().splitlines()[-1]}", 3)
            time.sleep(0.25)
    check_queries(config)


def check_queries(config: Settings) -> None:
    """Every query file is read and held against the live schema."""
    try:
        queries = load(config.sql_dir)
    except SqlFilesError as error:
        fail(f"query files are refused:\n{error}", 3)
    findings = check_contract(describe(config.database_url or "", queries), queries)
    if findings:
        fail("queries do not fit the schema:\n" + "\n".join(map(str, findings)), 3)


def announce(config: Settings) -> None:
    """Where the service listens, and what to try first."""
    base = f"http://{config.host}:{config.port}"
    say(f"Listening on {base} (documentation: {base}/docs)")
    key_file = config.data_dir / KEY_FILE
    if not _is_embedded(config) or not key_file.exists():
        return
    relative = key_file if key_file.is_absolute() else Path(os.path.relpath(key_file))
    auth = f'-H "Authorization: Bearer $(cat {relative})"'
    say("Try:")
    say(f"  curl -s {base}/health")
    say(
        f"""  curl -s {auth} -H 'Content-Type: application/json' """
        f"""-d '{{"name": "First project", "language": "en"}}' {base}/projects"""
    )
    say(f"  curl -s {auth} '{base}/projects?limit=5'")


def _is_embedded(config: Settings) -> bool:
    return "QUARRY_DATABASE_URL" not in os.environ and str(config.data_dir.resolve()) in str(
        config.database_url
    )
