"""`quarry sql compare`: what edits of the query files do to callers, plans and speed."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer

from service.cli import queries as files
from service.cli.database import settings
from service.cli.output import Json, fail, print_json, say
from service.cli.sql_explain import Documents, on_reference
from service.cli.sql_files import callers
from service.database import contract
from service.database.queries import Query, SqlFilesError, load
from service.operations import plan_rules, snapshot
from service.operations.explain import Explained, Explainer
from service.operations.reference import server as reference


def compare(
    ref: Annotated[str, typer.Argument(help="A commit, branch or tag of git.")] = "HEAD",
    documents: Documents = reference.DOCUMENTS,
    as_json: Json = False,
) -> None:
    """How the query files differ from those of a commit: for callers, in plan, buffers, time.

    Both sides are run on the reference data, which is generated at the first use.
    """
    new = files.load_all()
    old = _at(ref, settings().sql_dir)
    names = [
        name for name in sorted(old.keys() | new.keys()) if _text(old, name) != _text(new, name)
    ]
    if not names:
        say(f"no query differs from {ref}")
        if as_json:
            print_json([])
        return
    with on_reference(documents) as (found, connections):
        try:
            sizes = plan_rules.read_sizes(connections.service)
            sides = [
                {
                    name: Explainer(connections, new, found.tenants).explain(
                        side[name], analyze=True
                    )
                    for name in names
                    if name in side
                }
                for side in (old, new)
            ]
            changes = _changes(found.service, old, new, names)
        except (psycopg.Error, ConnectionError) as error:
            fail(str(error).strip())
    rows = [_row(name, sides[0].get(name), sides[1].get(name), sizes, changes) for name in names]
    if as_json:
        print_json(rows)
    else:
        for row in rows:
            _show(row)


def _at(ref: str, sql_dir: Path) -> dict[str, Query]:
    """The queries of a commit; exit 2 when it cannot be read."""
    command = ["git", "-C", str(sql_dir), "archive", "--format=tar", ref, "--", "."]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        fail("git is not installed")
    if done.returncode != 0:
        fail(f"{ref} of {sql_dir}: {done.stderr.decode(errors='replace').strip()}")
    with tempfile.TemporaryDirectory(prefix="quarry-compare-") as folder:
        with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
            archive.extraction_filter = getattr(tarfile, "data_filter", None)  # since 3.11.4
            archive.extractall(folder)  # noqa: S202  (what git made of our own repository)
        try:
            return load(Path(folder))
        except SqlFilesError as error:
            return dict(error.queries)  # a newer loader may refuse what was fine then


def _text(queries: Mapping[str, Query], name: str) -> str | None:
    return queries[name].source.text if name in queries else None


def _changes(
    dsn: str, old: Mapping[str, Query], new: Mapping[str, Query], names: list[str]
) -> list[snapshot.Change]:
    """How the contract of these queries differs. Raises ConnectionError."""
    sides = []
    for side in (old, new):
        some = {name: side[name] for name in names if name in side}
        described = contract.describe(dsn, some)
        good = {name: query for name, query in some.items() if not described[name].refusal}
        sides.append(snapshot.read(snapshot.render(described, good)))
    refused = {name for name in names if name in new and name not in sides[1]}
    return [c for c in snapshot.changes(*sides) if c.query not in refused]


def _row(
    name: str, before: Explained | None, after: Explained | None,
    sizes: plan_rules.Sizes, changes: list[snapshot.Change],
) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name,
        "callers": list(callers(name)),
        "contract": [
            {"change": str(change), "breaking": change.breaking}
            for change in changes
            if change.query == name
        ],
        "before": None if before is None else _side(before, sizes),
        "after": None if after is None else _side(after, sizes),
        "findings": [] if after is None else [str(f) for f in plan_rules.check(after, sizes)],
    }


def _side(explained: Explained, sizes: plan_rules.Sizes) -> dict[str, Any]:
    return {
        "plan": plan_rules.shape(explained, sizes) or "small tables",
        "buffers": explained.buffers,
        "ms": max((round(run.ms, 1) for run in explained.runs), default=None),
        "budget": explained.query.header.budget,
        "failure": explained.failure or None,
    }


def _show(row: Mapping[str, Any]) -> None:
    typer.echo(f"{row['name']}  used by {', '.join(row['callers']) or 'nobody'}")
    for change in row["contract"]:
        kind = "BREAKING  " if change["breaking"] else "compatible"
        typer.echo(f"  {kind}  {change['change']}")
    before, after = row["before"] or {}, row["after"] or {}
    for what in ("plan", "buffers", "ms", "budget", "failure"):
        old, new = before.get(what), after.get(what)
        if old is not None or new is not None:
            told = _told(old) if old == new else f"{_told(old)} → {_told(new)}"
            typer.echo(f"  {what:<10}  {told}")
    for finding in row["findings"]:
        typer.echo(finding)


def _told(value: object) -> str:
    return "none" if value is None else str(value)
