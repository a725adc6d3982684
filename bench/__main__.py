"""`python -m bench`: measure the service beside its peers and pgbench."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from bench import baseline, chart, extras, machine, report
from bench.calls import OPERATIONS
from bench.contestants import KINDS, running
from bench.database import Database, Server
from bench.limit import TITLES
from bench.measure import Run, Step, steps
from bench.plan import OTHERS, ROOT, SCALES, BenchError, Plan
from bench.results import Results

MAIN = "quarry"  # the database's name, which is also what the service's own server has
DOCS = ROOT / "docs" / "performance.md"
CHART = ROOT / "docs" / "performance.svg"
_BEGIN, _END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"
_EVERYBODY = (*KINDS, *TITLES)

stderr = Console(stderr=True, highlight=False)
stdout = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def _chosen(text: str, known: tuple[str, ...], what: str) -> tuple[str, ...]:
    if text in ("all", "none"):
        return known if text == "all" else ()
    names = tuple(dict.fromkeys(text.split(",")))
    if unknown := set(names) - set(known):
        raise BenchError(f"unknown {what}: {', '.join(unknown)}; known: {', '.join(known)}")
    return tuple(name for name in known if name in names)


class Board:
    """The progress bar."""

    def __init__(self) -> None:
        self.bar = Progress(
            TextColumn("{task.description:<44}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=stderr,
        )
        self._tasks: dict[int | None, TaskID] = {}

    def rows(self, more: int, total: int) -> None:
        """More rows are loaded."""
        if total not in self._tasks:
            self._tasks[total] = self.bar.add_task("load rows", total=total)
        self.bar.advance(self._tasks[total], more)

    def steps(self, total: int | None) -> Step:
        """A task of so many steps; what it returns is told the next one, and "" at the end."""
        tasks: list[TaskID] = []

        def step(what: str) -> None:
            if tasks:
                self.bar.advance(tasks[0])
            else:
                tasks.append(self.bar.add_task(what, total=total))
            self.bar.update(tasks[0], description=what or "measured")

        return step


def main(
    scale: Annotated[str, typer.Option(help="full, or small for a quick look.")] = "full",
    data: Annotated[
        Path | None, typer.Option(help="Where the data is kept. [.quarry/bench-SCALE]")
    ] = None,
    seconds: Annotated[int, typer.Option(min=1, help="Of each measurement.")] = 4,
    repetitions: Annotated[int, typer.Option(min=1, help="Of each measurement.")] = 3,
    connections: Annotated[
        str, typer.Option(help="The table's; after commas more, measured once.")
    ] = "32",
    operations: Annotated[
        str, typer.Option(help=f"all, none, or of {','.join(OPERATIONS)}.")
    ] = "all",
    contestants: Annotated[str, typer.Option(help=f"all, or of {','.join(_EVERYBODY)}.")] = "all",
    open_loop: Annotated[bool, typer.Option(help="Latencies at half of the most.")] = True,
    growth: Annotated[
        bool, typer.Option("--growth", help="CPU with few and many projects and tenants.")
    ] = False,
    soak: Annotated[int, typer.Option(help="Memory over so many requests.")] = 0,
    connections_test: Annotated[
        bool, typer.Option("--connections-test", help="1,000 idle and 200 active ones.")
    ] = False,
    start: Annotated[bool, typer.Option("--start", help="Seconds to the first answer.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write everything to this file.")] = None,
    docs: Annotated[bool, typer.Option("--docs", help="Write docs/performance.md, .svg.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 when a ratio is 15 % below the baseline's.")
    ] = False,
    write_baseline: Annotated[
        bool, typer.Option("--write-baseline", help="Keep this run's ratios as the baseline.")
    ] = False,
) -> None:
    """Measure Quarry beside FastAPI + SQLAlchemy, Starlette + asyncpg, and pgbench."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        (of,) = _chosen(scale, tuple(SCALES), "scale")
        plan = Plan(
            SCALES[of], (data or ROOT / ".quarry" / f"bench-{scale}").absolute(), seconds,
            repetitions, tuple(map(int, connections.split(","))),
            _chosen(operations, tuple(OPERATIONS), "operations"),
            _chosen(contestants, _EVERYBODY, "contestants"), open_loop,
        )  # fmt: skip
        session = Session(plan)
        session.run(growth=growth, soak=soak, crowd=connections_test, start=start, check=check)
        session.keep(json, docs=docs, write_baseline=write_baseline)
        if check and (lost := session.losses()):
            for loss in lost:
                stderr.print(f"[bold red]lost[/] {loss}")
            raise typer.Exit(1)
    except BenchError as error:
        stderr.print(f"[bold red]error:[/] {error}", markup=True, soft_wrap=True)
        raise typer.Exit(2) from None


class Session:
    """One run of the command, from the server's start to the tables."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.server = Server(plan.data)
        self.machine = machine.facts(self.server.embedded)
        self.results = Results()
        self.extras: list[report.Table] = []

    def run(self, *, growth: bool, soak: int, crowd: bool, start: bool, check: bool) -> None:
        """Measure all that was asked for."""
        before = baseline.read(self.plan.scale.name) if check else None
        if warning := machine.noise():
            stderr.print(f"[yellow]{warning}[/]")
        board = Board()
        with self._folder() as folder, board.bar:
            with self.server.running():
                database = self.server.database(MAIN, self.plan.scale, board.rows)
                if self.plan.operations:
                    self._measure(database, folder, board, before)
                step = board.steps(None)
                if growth:
                    self.extras.append(
                        extras.growth(self.plan, self.server, folder, board.rows, step)
                    )
                if soak:
                    self.extras.append(extras.soak(self.plan, database, folder, soak, step))
                if crowd:
                    self.extras.append(extras.crowd(self.plan, database, folder, step))
            if start:
                self.extras.append(extras.start(self.server, database.keys[0], folder, step))

    def _measure(
        self, database: Database, folder: Path, board: Board,
        before: dict[str, dict[str, float]] | None,
    ) -> None:  # fmt: skip
        names = tuple(name for name in self.plan.contestants if name in KINDS)
        with running(names, database, folder) as found:
            step = board.steps(steps(self.plan))
            run = Run(self.plan, database, found, folder, self.results, step)
            run.all()
            # What seems lost is measured again: a neighbour's noise does not come twice.
            for name in {loss.operation for loss in baseline.losses(before or {}, self.ratios())}:
                run.operation(OPERATIONS[name])
            step("")
            _check_logs(found)

    @contextlib.contextmanager
    def _folder(self) -> Iterator[Path]:
        """A folder for this run, which PostgreSQL's user may enter."""
        with tempfile.TemporaryDirectory(prefix="quarry-bench-") as made:
            Path(made).chmod(0o755)
            yield Path(made)

    def ratios(self) -> dict[str, dict[str, float]]:
        """By operation."""
        return {operation: self.results.ratios(operation) for operation in self.results.closed}

    def losses(self) -> list[baseline.Loss]:
        """Against the baseline."""
        return baseline.losses(baseline.read(self.plan.scale.name), self.ratios())

    def keep(self, json: Path | None, *, docs: bool, write_baseline: bool) -> None:
        """Print the tables, and write what is to be written."""
        if (others := self.results.others()) > OTHERS:
            stderr.print(f"[yellow]others used up to {others:.0%} of the machine: it shows[/]")
        tables = [*(report.tables(self.results) if self.results.closed else []), *self.extras]
        report.show(tables, stdout)
        if json is not None:
            json.write_bytes(orjson.dumps(self._as_json(), option=_JSON) + b"\n")
        if docs:
            text = report.markdown(tables, self.machine, self._plan())
            head, _, rest = DOCS.read_text().partition(_BEGIN)
            DOCS.write_text(head + _BEGIN + "\n" + text + "\n" + _END + rest.partition(_END)[2])
            CHART.write_text(chart.svg(self.results))
        if write_baseline:
            baseline.write(self.ratios(), self.plan.scale.name, self.machine)

    def _plan(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "scale": plan.scale.name, "projects": plan.scale.projects,
            "tenants": plan.scale.tenants, "documents": plan.scale.documents,
            "connections": plan.connections[0], "seconds": plan.seconds,
            "repetitions": plan.repetitions,
            "used by others": f"up to {self.results.others():.0%} of the machine",
        }  # fmt: skip

    def _as_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "plan": self._plan(),
            **self.results.as_json(),
            "extras": {table.title: extras.as_json(table) for table in self.extras},
        }


_JSON = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_DATACLASS


def _check_logs(found: dict[str, Any]) -> None:
    """Nobody had anything to complain of. Raises BenchError."""
    for contestant in found.values():
        lines = contestant.log.read_text(errors="replace").splitlines()
        strange = [x for x in lines if '"level":"error"' in x.replace(" ", "") or "Traceback" in x]
        if strange:
            raise BenchError(f"{contestant.name} has errors in its log: {strange[0]}")


if __name__ == "__main__":
    typer.run(main)
