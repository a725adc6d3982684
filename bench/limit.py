"""The limit: pgbench, which sends what the service sends to PostgreSQL, and does nothing else.

`pgbench -M prepared` over the same loopback TCP, with each query's wire text: as a role past
row-level security ("limit"), and as the service's role with the guard ahead of the query in the
same implicit transaction ("limit_guarded"), which is what PostgreSQL receives from the service.
The triggers are the tables' own.
"""

from __future__ import annotations

import os
import random
import re
import resource
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench import calls
from bench.database import APP, BYPASS, PASSWORD, Database
from bench.load import Load
from bench.plan import BULK_ROWS, LIST_ROWS, METRICS_DAYS, SEED, BenchError
from service.database.embedded import BINARIES
from service.database.queries import Query, load
from service.operations.reference import data
from service.settings import Settings

LIMIT, GUARDED = "limit", "limit_guarded"
TITLES = {LIMIT: "pgbench, no RLS (the limit)", GUARDED: "pgbench with the guard"}
CLIENTS = (4, 8, 16, 32)
STEP = 7919  # a prime: visits each row of a client's part once in a pass

# operation → the queries that its request runs, in order
QUERIES = {
    "get": ("projects.get",),
    "list": ("projects.list",),
    "create": ("projects.create",),
    "update": ("projects.update",),
    "bulk": ("projects.create_many",),
    "document": ("documents.create",),
    "search": ("projects.version", "documents.search"),
    "metrics": ("executions.metrics",),
}
_READ_GUARD = (
    "SELECT 1 WHERE set_config('app.tenant_id', {tenant}::text, true) IS NULL"
    " OR set_config('transaction_read_only', 'on', true) IS NULL;"
)
_WRITE_GUARD = (
    "SELECT 1 WHERE set_config('app.tenant_id', {tenant}::text, true) IS NULL"
    " OR set_config('app.actor', :actor, true) IS NULL"
    " OR set_config('app.user_id', '', true) IS NULL"
    " OR set_config('app.request_id', :request, true) IS NULL;"
)


@dataclass(frozen=True, slots=True)
class Script:
    """What pgbench runs: files that it takes turns with, and string variables."""

    files: tuple[str, ...]
    variables: Mapping[str, str]


def _id(kind: int, variable: str) -> str:
    """The id of a row whose number a pgbench variable holds."""
    return f"('{data.prefix(kind)}' || :{variable})::uuid"


def script(operation: str, database: Database, clients: int, *, guarded: bool) -> Script:
    """The pgbench scripts of an operation.

    A parameter that is to be NULL is a variable that is not set: pgbench sends it as NULL.
    """
    chance = random.Random(SEED)
    variables = {"actor": "key:" + "0" * 36, "request": "0" * 20}
    columns = {"project_id": _id(data.PROJECT, "project"), "tenant_id": _id(data.TENANT, "tenant")}
    fresh: Mapping[str, object] = {}
    if operation == "create":
        fresh = calls.new_project(chance)
    elif operation == "document":
        fresh = calls.new_document(chance)
    elif operation == "update":
        fresh = calls.changed_project(chance)
    variables |= {name: _text(value) for name, value in fresh.items()}
    if operation == "list":
        variables["limit"] = str(LIST_ROWS + 1)
    if operation == "metrics":
        variables["days"] = str(METRICS_DAYS)
    words: tuple[str | None, ...] = (None,)
    if operation == "search":
        words = data.SEARCHED
        variables |= {"limit": str(LIST_ROWS + 1), "latest_only": "false"}
        variables |= {f"q_{word}": word for word in words}
    choose = _rows(operation, database, clients)
    files = tuple(
        _file(operation, choose, columns | ({"q": f":q_{word}"} if word else {}), guarded)
        for word in words
    )
    return Script(files, variables)


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _file(operation: str, choose: list[str], columns: Mapping[str, str], guarded: bool) -> str:
    queries = load(Settings().sql_dir)
    lines = list(choose)
    for name in QUERIES[operation]:
        query = queries[name]
        statement = _statement(query, columns) + ";"
        if not guarded:
            lines.append(statement)
            continue
        guard = _WRITE_GUARD if query.writes else _READ_GUARD
        guard = guard.format(tenant=columns["tenant_id"])
        lines += ["\\startpipeline", guard, statement, "\\endpipeline"]
    return "\n".join(lines) + "\n"


def _statement(query: Query, columns: Mapping[str, str]) -> str:
    """The wire text without comments, with pgbench's variables for `$n`."""
    text = re.sub(r"/\*.*?\*/|--[^\n]*", "", query.wire)
    return re.sub(
        r"\$(\d+)", lambda n: columns.get(name := query.order[int(n[1]) - 1], f":{name}"), text
    )


def _rows(operation: str, database: Database, clients: int) -> list[str]:
    """The lines that choose a row."""
    projects, tenants = database.scale.projects, database.scale.tenants
    if operation == "update":  # as in the service's requests: each row once in a pass, its version
        part = projects // clients
        choose = [
            "\\set k :k + 1",
            f"\\set number :client_id + {clients} * ((:k * {STEP}) % {part})",
            f"\\set expected_version 1 + :k / {part}",
        ]
    else:
        most = min(tenants, projects) if operation == "metrics" else projects
        choose = [f"\\set number random(0, {most - 1})"]
    choose += [
        f"\\set tenant {data.FIRST} + :number % {tenants}",
        f"\\set project {data.FIRST} + :number",
    ]
    if operation == "bulk":  # too long for the command line: each client fetches it once
        fetch = "SELECT items FROM public.bench_items \\gset"
        choose += ["\\if :k < 0", fetch, "\\set k 1", "\\endif"]
    return choose


def prepare(operation: str, database: Database) -> None:
    """What a script needs besides the data."""
    if operation != "bulk":
        return
    chance = random.Random(SEED)
    items = orjson.dumps([calls.new_project(chance) for _ in range(BULK_ROWS)]).decode()
    with database.admin() as connection:
        connection.execute("DROP TABLE IF EXISTS public.bench_items")
        connection.execute("CREATE TABLE public.bench_items (items text)")
        connection.execute("INSERT INTO public.bench_items VALUES (%s)", [items])
        connection.execute(f"GRANT SELECT ON public.bench_items TO {APP}")


def measure(
    operation: str, database: Database, clients: int, seconds: int, folder: Path, *, guarded: bool
) -> Load:
    """Run pgbench. Raises BenchError when a client fails or answers nothing."""
    made = script(operation, database, clients, guarded=guarded)
    files = []
    for number, text in enumerate(made.files):
        path = folder / f"{operation}-{number}.pgbench"
        path.write_text(text)
        files += ["-f", str(path)]
    for name, value in made.variables.items():
        files += ["-D", f"{name}={value}"]
    return _run(database, APP if guarded else BYPASS, clients, seconds, "-D", "k=-1", *files)


def _run(database: Database, role: str, clients: int, seconds: int, *more: str) -> Load:
    command = [
        str(BINARIES / "pgbench"), "-n", "-M", "prepared", "-T", str(seconds), "-c", str(clients),
        "-j", str(min(2, clients)), "--random-seed", str(SEED), "-h", "127.0.0.1",
        "-p", str(database.server.port), "-U", role, *more, database.name,
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        command, env=os.environ | {"PGPASSWORD": PASSWORD}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rate = re.search(r"tps = ([0-9.]+) \(without", run.stdout)
    count = re.search(r"actually processed: (\d+)", run.stdout)
    latency = re.search(r"latency average = ([0-9.]+) ms", run.stdout)
    if run.returncode or "aborted" in run.stderr or not (rate and count and latency):
        raise BenchError(f"pgbench failed: {(run.stderr or run.stdout)[-2000:]}")
    requests = int(count[1])
    mean = float(latency[1]) / 1000
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Load(requests, requests / float(rate[1]), mean, mean, mean, cpu)
