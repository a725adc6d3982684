"""`quarry check`: can the service serve?"""

from __future__ import annotations

import shutil
from collections.abc import Callable

import psycopg
import typer

from service.cli.database import database_url, settings
from service.cli.output import FOUND, Json, print_table
from service.database.contract import check as check_contract
from service.database.contract import describe
from service.database.queries import SqlFilesError, load
from service.operations import migrations
from service.settings import Settings

_LEAST_FREE = 0.05  # of the disk


def check(as_json: Json = False) -> None:
    """Look at all that the service needs: database, migrations, contract, cache, disk."""
    config = settings()
    dsn = database_url()
    looks: dict[str, Callable[[], str]] = {
        "database": lambda: _database(dsn),
        "migrations": lambda: _migrations(config, dsn),
        "contract": lambda: _contract(config, dsn),
        "cache": lambda: _cache(config),
        "disk": lambda: _disk(config),
    }
    rows = [_look(name, look) for name, look in looks.items()]
    print_table(("component", "state", "detail"), rows, as_json)
    if any(row["state"] != "ok" for row in rows):
        raise typer.Exit(FOUND)


def _look(name: str, look: Callable[[], str]) -> dict[str, str]:
    try:
        return {"component": name, "state": "ok", "detail": look()}
    except (psycopg.Error, SqlFilesError, migrations.SchemaMismatchError, _Finding) as error:
        return {"component": name, "state": "failed", "detail": str(error).strip()}


class _Finding(Exception):
    pass


def _cache(config: Settings) -> str:
    if config.cache_url is None:
        return "in each process"
    import redis  # noqa: PLC0415  (a slow import that few need)

    try:
        redis.Redis.from_url(config.cache_url, socket_timeout=1, socket_connect_timeout=1).ping()
    except (redis.RedisError, ValueError) as error:
        raise _Finding(f"the cache server does not answer: {type(error).__name__}") from None
    return "the cache server answers"


def _database(dsn: str) -> str:
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        return f"PostgreSQL {connection.info.server_version // 10000}, role {connection.info.user}"


def _migrations(config: Settings, dsn: str) -> str:
    migrations.require_current(dsn, config.migrations_dir)
    return migrations.head(config.migrations_dir)


def _contract(config: Settings, dsn: str) -> str:
    queries = load(config.sql_dir)
    findings = check_contract(describe(dsn, queries), queries)
    if findings:
        raise _Finding("\n".join(map(str, findings)))
    return f"{len(queries)} queries fit the schema"


def _disk(config: Settings) -> str:
    folder = config.data_dir if config.data_dir.exists() else config.data_dir.absolute().parent
    usage = shutil.disk_usage(folder)
    if usage.free < usage.total * _LEAST_FREE:
        raise _Finding(f"only {usage.free // 2**20} MiB free at {folder}")
    return f"{usage.free // 2**30} GiB free"
