"""What all commands share: tables or JSON on stdout, messages on stderr, exit codes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

FOUND = 1  # the command ran and has a finding
FAILED = 2  # the command could not run

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

stderr = Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """A line for the person at the terminal; stdout stays free for results."""
    stderr.print(escape(message), soft_wrap=True)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Print what went wrong and what to do, and leave with the exit code."""
    stderr.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
    raise typer.Exit(code)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str) + b"\n")
    sys.stdout.buffer.flush()


def print_table(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], as_json: bool = False
) -> None:
    """Rows (keys = columns) as a table, or as a JSON array of objects."""
    if as_json:
        print_json([{c: row.get(c) for c in columns} for row in rows])
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(c)) for c in columns))
    Console(highlight=False).print(table)


def print_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as a table where it fits the terminal, else as a block each: psql's `\\x auto`."""
    widths = [max(len(c), *(len(_cell(row.get(c))) for row in rows)) for c in columns if rows]
    if sum(widths) + 2 * len(widths) <= Console().width:
        print_table(columns, rows)
        return
    name_width = max(map(len, columns))
    for number, row in enumerate(rows, 1):
        typer.echo(f"-[ {number} ]".ljust(name_width + 3, "-"))
        for column in columns:
            typer.echo(f"{column.ljust(name_width)} | {'' if row[column] is None else row[column]}")


def counted(number: int, what: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return escape(", ".join(str(v) for v in value))
    return escape(str(value))
