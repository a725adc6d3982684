"""`quarry sql explain` and `quarry sql reference`: plans, and the data that they are judged on."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated, Any

import psycopg
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.cli import queries as files
from service.cli.database import database_url, embedded, settings
from service.cli.output import FOUND, Json, counted, fail, print_json, print_table, say, stderr
from service.database.queries import Finding, Query
from service.operations import plan_rules
from service.operations.explain import Connections, Explained, Explainer
from service.operations.finding_formats import FORMATS
from service.operations.migrations import MigrationError
from service.operations.parse_tree import ToolMissingError
from service.operations.reference import server as reference
from service.operations.trial import Values, ValuesError, given

PSQL = {"allow_extra_args": True, "ignore_unknown_options": True}
COLUMNS = ("name", "plan", "buffers", "budget", "ms", "case")

Documents = Annotated[
    int, typer.Option(min=10_000, help="How many documents the reference data has.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Generate the reference data anew.")]


def explain(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Queries, e.g. projects.list.", autocompletion=files.complete_name),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All queries.")] = False,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Run them, and count the buffers they touch.")
    ] = False,
    asserted: Annotated[
        bool, typer.Option("--assert", help="Run them; exit 1 when a plan or budget is not kept.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Run them; write budgets into files without one.")
    ] = False,
    param: files.Params = None,
    live: Annotated[
        bool, typer.Option("--live", help="On the configured database, rolled back.")
    ] = False,
    tenant: Annotated[str | None, typer.Option(help="With --live: name or id.")] = None,
    documents: Documents = reference.DOCUMENTS,
    fresh: Fresh = False,
    format_: files.Format = "text",
    as_json: Json = False,
) -> None:
    """What PostgreSQL does for queries, on generated data of realistic size.

    The first time it generates that data: a million documents of a hundred unequal tenants.
    """
    queries = files.load_all()
    wanted = _wanted(queries, names or [], every=every)
    values = _given(wanted, param or [])
    runs = analyze or asserted or write or bool(values)
    with ExitStack() as stack:
        if live:
            connections, tenants = stack.enter_context(_live(queries, tenant, needed=runs))
        else:
            found, connections = stack.enter_context(on_reference(documents, fresh=fresh))
            tenants = found.tenants
        explainer = Explainer(connections, queries, tenants)
        texts = len(wanted) == 1 and not asserted and not as_json
        try:
            # what was written and rolled back is there until a VACUUM: it costs whoever reads later
            by_name = {
                query.name: explainer.explain(query, values, analyze=runs, texts=texts)
                for query in sorted(wanted, key=lambda query: query.writes)
            }
            explained = [by_name[query.name] for query in wanted]
            sizes = plan_rules.read_sizes(connections.service)
        except psycopg.Error as error:
            fail(str(error).strip())
    if write:
        _write(explained, sizes)
    elif asserted:
        _assert(explained, sizes, "json" if as_json else format_)
    else:
        _show(explained, sizes, as_json=as_json)


def open_reference(
    context: typer.Context, documents: Documents = reference.DOCUMENTS, fresh: Fresh = False
) -> None:
    """psql on the reference data; what follows goes to psql: `quarry sql reference -c '\\d'`."""
    with _reference(documents, fresh=fresh) as found:
        program = str(embedded(settings()).binaries / "psql")
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # psql's own business
        done = subprocess.run([program, found.owner, *context.args], check=False)
    raise typer.Exit(done.returncode)


def _wanted(queries: Mapping[str, Query], names: Sequence[str], *, every: bool) -> list[Query]:
    if every == bool(names):
        fail("name the queries, or give --all")
    return list(queries.values()) if every else [files.one(name, queries) for name in names]


def _given(wanted: Sequence[Query], param: Sequence[str]) -> Values:
    if not param:
        return {}
    if len(wanted) != 1:
        fail("-p goes with one query")
    try:
        return given(wanted[0], param)
    except ValuesError as error:
        fail(str(error))


# where


@contextmanager
def _reference(documents: int, *, fresh: bool) -> Iterator[reference.Reference]:
    """The reference data; exit 2 when it cannot be had."""
    config = settings()
    embedded(config)  # exits when it is not installed
    from service.database.embedded import Embedded, EmbeddedError  # noqa: PLC0415

    own = Embedded(config.data_dir / "reference", options=reference.OPTIONS)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=stderr,
    )  # fmt: skip
    task = bar.add_task("generate the reference data", total=None)

    def progress(more: int, total: int) -> None:
        bar.start()
        bar.update(task, total=total, advance=more)

    try:
        with reference.running(
            own, reference.scale(documents), config.migrations_dir, progress, fresh=fresh
        ) as found:
            bar.stop()
            yield found
    except (EmbeddedError, MigrationError, psycopg.OperationalError) as error:
        fail(str(error).strip())
    finally:
        bar.stop()


@contextmanager
def on_reference(
    documents: int, *, fresh: bool = False
) -> Iterator[tuple[reference.Reference, Connections]]:
    """The reference data with connections to it; exit 2 when it cannot be had."""
    with (
        _reference(documents, fresh=fresh) as found,
        psycopg.connect(found.service, autocommit=True) as service,
        psycopg.connect(found.owner, autocommit=True) as operator,
    ):
        yield found, Connections(service, operator)


@contextmanager
def _live(
    queries: Mapping[str, Query], tenant: str | None, *, needed: bool
) -> Iterator[tuple[Connections, Mapping[str, str]]]:
    if needed and tenant is None:
        fail("--live with --analyze wants --tenant NAME: whose rows are read")
    try:
        with psycopg.connect(database_url(), autocommit=True) as service:
            found = {} if tenant is None else {
                tenant: files.tenant_id(service, queries, tenant)
            }  # fmt: skip
            yield Connections(service), found
    except psycopg.OperationalError as error:
        fail(str(error).strip())


# what is shown


def _show(found: Sequence[Explained], sizes: plan_rules.Sizes, *, as_json: bool) -> None:
    if len(found) == 1 and not as_json:
        _show_one(found[0])
        return
    rows = [_row(explained, sizes) for explained in found]
    if as_json:
        print_json(rows)
    else:
        print_table(COLUMNS, rows)
        for explained in found:
            if explained.failure:
                say(f"{explained.query.name}: {explained.failure}")


def _show_one(found: Explained) -> None:
    """The plan, then each run with its values."""
    if found.failure:
        fail(f"{found.query.name}: {found.failure}", FOUND)
    if found.role != "service":
        say("the service's role may not run this query; explained with the operator's")
    if not found.runs:
        typer.echo(found.text)
    for run in found.runs:
        told = (f"{n}={'NULL' if v is None else v}" for n, v in run.case.values.items())
        typer.echo(f"-- {run.case.title}: {run.buffers} buffers, {run.ms:.1f} ms")
        typer.echo(f"-- {', '.join(told)}\n{run.text}\n")
    if found.query.header.budget:
        say(f"budget: {found.query.header.budget} buffers")


def _row(found: Explained, sizes: plan_rules.Sizes) -> dict[str, Any]:
    worst = max(found.runs, key=lambda run: run.buffers, default=None)
    return {
        "name": found.query.name,
        "plan": plan_rules.shape(found, sizes),
        "buffers": found.buffers,
        "budget": found.query.header.budget,
        "ms": None if worst is None else round(worst.ms, 1),
        "case": None if worst is None else worst.case.title,
        "failure": found.failure or None,
        "role": found.role,
        "runs": [
            {"case": run.case.title, "buffers": run.buffers, "ms": run.ms,
             "values": run.case.values}
            for run in found.runs
        ],
    }  # fmt: skip


def _assert(found: Sequence[Explained], sizes: plan_rules.Sizes, format_: str) -> None:
    try:
        findings: list[Finding] = sorted(
            finding for explained in found for finding in plan_rules.check(explained, sizes)
        )
    except ToolMissingError as error:
        fail(str(error))
    typer.echo(FORMATS[format_](findings), nl=False)
    told = f"plans and budgets are kept by {len(found)} of {len(found)}"
    say(counted(len(findings), "finding") if findings else told)
    if findings:
        raise typer.Exit(FOUND)


def _write(found: Sequence[Explained], sizes: plan_rules.Sizes) -> None:
    """Put budgets, and what plans promise, into files that say nothing of it."""
    for explained in found:
        lines = plan_rules.header_lines(explained, sizes)
        query = explained.query
        if not lines:
            continue
        text, at = query.source.text, query.header.end
        try:
            query.source.path.write_text(text[:at] + "".join(lines) + text[at:])
        except OSError as error:
            fail(f"{query.source.path}: {error.strerror}")
        say(f"{query.source.path}: {' '.join(line.strip('- ').strip() for line in lines)}")
