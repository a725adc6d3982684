"""What a run says: tables for the terminal, and the same for the documentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table as RichTable

from bench.calls import OPERATIONS
from bench.contestants import KINDS
from bench.limit import TITLES
from bench.results import OURS, Results, goals


class Table(NamedTuple):
    """A title, column heads, and rows of text."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


def title_of(name: str) -> str:
    """A contestant's title."""
    return KINDS[name].title if name in KINDS else TITLES[name]


def entrants(results: Results) -> list[str]:
    """All contestants that were measured, in their usual order."""
    seen = {name for by_name in results.closed.values() for name in by_name}
    return [name for name in (*KINDS, *TITLES) if name in seen]


def tables(results: Results) -> list[Table]:
    """Everything that there is to show."""
    found = [rates(results), cost(results), kept(results)]
    if results.open:
        found.append(latencies(results))
    found += [_sweep(results, operation) for operation in results.sweep]
    return found


def _by_operation(
    results: Results, title: str, cell: Callable[[str, str], str]
) -> Table:  # fmt: skip
    heads = ("", *(OPERATIONS[name].title for name in results.closed))
    rows = [
        (title_of(name), *(
            cell(operation, name) if name in by_name else ""
            for operation, by_name in results.closed.items()
        ))
        for name in entrants(results)
    ]  # fmt: skip
    return Table(title, heads, rows)


def rates(results: Results) -> Table:
    """Requests per second: median, and least to most."""

    def cell(operation: str, name: str) -> str:
        least, most = map(_number, results.spread(operation, name, "rate"))
        return f"{_number(results.middle(operation, name, 'rate'))}\n({least}…{most})"

    return _by_operation(results, "requests/s: median (least…most)", cell)


def cost(results: Results) -> Table:
    """CPU microseconds per request."""

    def cell(operation: str, name: str) -> str:
        server, database, load = (
            results.middle(operation, name, what)
            for what in ("server_us", "database_us", "load_us")
        )
        shown = _number(database) if name in TITLES else f"{_number(server)} / {_number(database)}"
        return f"{shown} / {_number(load)}"

    title = "CPU µs per request: server / PostgreSQL / load generator (pgbench: the last two)"
    return _by_operation(results, title, cell)


def latencies(results: Results) -> Table:
    """The open loop."""
    heads = ("p50 / p99 ms", *(OPERATIONS[name].title for name in results.open))
    rows = []
    for name in [n for n in entrants(results) if n in KINDS]:
        row = [title_of(name)]
        for by_name in results.open.values():
            seen = by_name.get(name)
            row.append("" if seen is None else
                       f"{_ms(seen.p50)} / {_ms(seen.p99)}\nat {_number(seen.rate)}/s")  # fmt: skip
        rows.append(tuple(row))
    return Table("open loop at half of each one's own most requests/s", heads, rows)


def kept(results: Results) -> Table:
    """The goals, and whether they are met."""
    rows: list[tuple[str, ...]] = []
    for operation, wanted in goals().items():
        measured = results.ratios(operation) if operation in results.closed else {}
        for goal in wanted:
            if (value := measured.get(goal.ratio)) is None:
                continue
            verdict = "met" if goal.met(value) else "missed"
            title = OPERATIONS[operation].title
            rows.append((title, goal.title, goal.wanted, goal.shown(value), verdict))
    return Table("goals", ("", "ratio", "goal", "measured", ""), rows)


def _sweep(results: Results, operation: str) -> Table:
    by_count = results.sweep[operation]
    names = [n for n in entrants(results) if any(n in seen for seen in by_count.values())]
    rows = [
        (title_of(name), *(_number(seen[name].rate) if name in seen else ""
                           for seen in by_count.values()))
        for name in names
    ]  # fmt: skip
    heads = ("connections", *map(str, by_count))
    return Table(f"{OPERATIONS[operation].title}, requests/s by connections", heads, rows)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.3g}"


def show(found: Sequence[Table], console: Console) -> None:
    """Print tables."""
    marks = {"met": "[green]met[/]", "missed": "[bold red]missed[/]"}
    for each in found:
        table = RichTable(*each.heads, title=each.title, title_justify="left", header_style="bold")
        for row in each.rows:
            style = "bold" if row[0] == KINDS[OURS].title else None
            table.add_row(*(marks.get(cell, cell) for cell in row), style=style)
        console.print(table)


def markdown(found: Sequence[Table], machine: Mapping[str, str], plan: Mapping[str, Any]) -> str:
    """The part of docs/performance.md that a run writes."""
    facts = ", ".join(f"{name} {value}" for name, value in machine.items())
    options = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in plan.items())
    parts = [f"Machine: {facts}.\n\nRun: {options}."]
    for each in found:
        lines = [f"**{each.title}**", "", _row(each.heads), _row(["---"] * len(each.heads))]
        lines += [_row(["**missed**" if cell == "missed" else cell for cell in row])
                  for row in each.rows]  # fmt: skip
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("\n", " ") for cell in cells) + " |"
