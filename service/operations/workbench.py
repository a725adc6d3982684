"""The query files of a running service: read anew, checked, and swapped whole or refused.

Nobody sees a mix: a request keeps the set that it began with, and what the process serves is
exchanged in one step between two requests. Where anything is found, nothing is exchanged.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import structlog

from service.database import contract
from service.database.errors import Failure, Kind
from service.database.queries import Finding, Query, SqlFilesError, load
from service.http.context import Process
from service.http.peers import Peers
from service.jobs.background import background_of
from service.operations import answer_rules, parse_tree, reload_rules, snapshot, sql_page, sqlcheck
from service.operations.usage import Usage

__all__ = ["Candidate", "Outcome", "Workbench", "examine", "fingerprint"]

log = structlog.get_logger("quarry.sql")

_OTHERS_SECONDS = 20.0  # for the other workers of this host to do the same


@dataclass(frozen=True, slots=True)
class Candidate:
    """The files as they are now. They may be served when `findings` is empty."""

    queries: Mapping[str, Query] = field(default_factory=dict)
    contract: bytes = b"{}"
    findings: tuple[Finding, ...] = ()
    not_checked: tuple[str, ...] = ()  # what could not be looked at, and why


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a reload: reloaded, unchanged or refused."""

    status: str
    fingerprint: str  # of what is served now
    queries: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    contract: tuple[str, ...] = ()  # how what callers see has changed, a line each
    findings: tuple[Finding, ...] = ()
    not_checked: tuple[str, ...] = ()
    seconds: float = 0.0
    workers: tuple[Mapping[str, Any], ...] = ()  # the others of this host

    def as_json(self) -> dict[str, Any]:
        """As plain values, findings with their places."""
        shown = [{**f._asdict(), "path": str(f.path)} for f in self.findings]
        return {**asdict(replace(self, findings=())), "findings": shown}


class Workbench:
    """See `service.http.workbench.Workbench`."""

    def __init__(self, process: Process, usage: Callable[[], Usage], peers: Peers) -> None:
        self._process = process
        self._usage = usage
        self._peers = peers
        self._turn = asyncio.Lock()
        self._since = time.time()

    @property
    def _served(self) -> Mapping[str, Query]:
        return self._process.engine.queries

    @property
    def _dsn(self) -> str:
        settings = self._process.settings
        return settings.database_direct_url or settings.database_url or ""

    def state(self) -> Mapping[str, Any]:
        """Which files are served, and since when (seconds since the epoch)."""
        return {"fingerprint": fingerprint(self._served), "since": self._since}

    async def reload(self, *, everywhere: bool) -> Mapping[str, Any]:
        """Check the files and serve them from now on, or go on with the old ones."""
        outcome = await self.here()
        if everywhere and outcome.status != "refused":
            answers = await self._peers.ask(_OTHERS_SECONDS)
            outcome = replace(outcome, workers=tuple(answers))
        return outcome.as_json()

    async def page(self) -> bytes:
        """The page of all queries and tables, in HTML."""
        queries = self._served
        try:
            usage = await asyncio.to_thread(self._usage)
            return await asyncio.to_thread(sql_page.render, self._dsn, queries, usage)
        except (ConnectionError, psycopg.Error) as error:
            raise Failure(Kind.UNAVAILABLE, "the database cannot be asked") from error

    async def answer(self) -> dict[str, Any]:
        """Reload because another worker says so; what it is told."""
        try:
            outcome = await self.here()
        except Exception as error:
            return {"status": "failed", "reason": str(error)}
        first = {"reason": _line(outcome.findings[0])} if outcome.findings else {}
        return {"status": outcome.status, "fingerprint": outcome.fingerprint, **first}

    async def on_signal(self) -> None:
        """Reload this process; the outcome is in the log."""
        try:
            await self.here()
        except Failure as failure:
            log.error("sql.not_reloaded", reason=str(failure))

    async def here(self) -> Outcome:
        """Reload this process. Raises Failure when the database cannot be asked."""
        async with self._turn:
            began = time.perf_counter()
            try:
                found = await asyncio.to_thread(self._examine)
            except (ConnectionError, psycopg.Error) as error:
                raise Failure(Kind.UNAVAILABLE, "the database cannot be asked") from error
            outcome = self._decide(found)
            return replace(outcome, seconds=round(time.perf_counter() - began, 3))

    def _examine(self) -> Candidate:
        return examine(self._process.settings.sql_dir, self._dsn, self._served, self._usage())

    def _decide(self, found: Candidate) -> Outcome:
        """Swap, or leave it; this runs in one piece between all requests."""
        old, new = self._served, found.queries
        if found.findings:
            log.error("sql.refused", findings=[_line(f) for f in found.findings])
            return Outcome(
                "refused", fingerprint(old), len(old),
                findings=found.findings, not_checked=found.not_checked,
            )  # fmt: skip
        both = new.keys() & old.keys()
        outcome = Outcome(
            "reloaded" if fingerprint(old) != fingerprint(new) else "unchanged",
            fingerprint(new),
            len(new),
            added=tuple(sorted(new.keys() - old.keys())),
            removed=tuple(sorted(old.keys() - new.keys())),
            changed=tuple(sorted(n for n in both if _text(new[n]) != _text(old[n]))),
            contract=tuple(snapshot.diff(self._process.contract, found.contract).splitlines()),
            not_checked=found.not_checked,
        )  # fmt: skip
        if outcome.status == "reloaded":
            self._swap(found)
            names = {n: getattr(outcome, n) for n in ("added", "removed", "changed", "contract")}
            log.info("sql.reloaded", fingerprint=outcome.fingerprint, **names)
        return outcome

    def _swap(self, found: Candidate) -> None:
        background = background_of(self._process)
        engines = [self._process.engine, *([background.engine] if background else [])]
        self._process.contract = found.contract
        self._since = time.time()
        current = {text for q in found.queries.values() for text in (q.sql, q.wire, q.row_sql)}
        for engine in engines:
            engine.queries = found.queries
            for link in engine.pool.links:  # a connection closes statements that nobody holds
                for text in link.statements.keys() - current:
                    del link.statements[text]


def examine(sql_dir: Path, dsn: str, served: Mapping[str, Query], usage: Usage) -> Candidate:
    """Read the files and hold them against all that they must fit: the live schema, the rules,
    the snapshot, and the code that runs. Raises ConnectionError, psycopg.Error. Blocks."""
    try:
        queries = load(sql_dir)
    except SqlFilesError as error:
        return Candidate(findings=tuple(error.findings))
    answers = contract.describe(dsn, queries)
    findings = contract.check(answers, queries) + answer_rules.check(answers, queries)
    not_checked: tuple[str, ...] = ()
    try:
        findings += sqlcheck.check(queries, sqlcheck.read_catalog(dsn))
    except parse_tree.ToolMissingError as error:
        not_checked = (str(error),)
    changed = {n: q for n, q in served.items() if n in queries and _text(q) != _text(queries[n])}
    old_answers = contract.describe(dsn, changed) if changed else {}
    findings += reload_rules.check(served, queries, (old_answers, answers), usage)
    rendered = snapshot.render(answers, queries)
    if not findings:
        findings += _snapshot(sql_dir / "contract.json", rendered)
    return Candidate(queries, rendered, tuple(sorted(findings)), not_checked)


def _snapshot(path: Path, rendered: bytes) -> list[Finding]:
    """What callers see must be what was written down, and reviewed."""
    if not path.is_file():
        message = "there is no snapshot"
        return [Finding(path, 1, 1, "snapshot_missing", message, "", "quarry sql snapshot")]
    return [
        Finding(path, 1, 1, "snapshot_differs", line, "", "if it is meant: quarry sql snapshot")
        for line in snapshot.diff(path.read_bytes(), rendered).splitlines()
    ]


def fingerprint(queries: Mapping[str, Query]) -> str:
    """The same for the same files, on any host."""
    digest = hashlib.blake2b(digest_size=8)
    for name in sorted(queries):
        digest.update(f"{name}\0{_text(queries[name])}\0".encode())
    return digest.hexdigest()


def _line(finding: Finding) -> str:
    """A finding without its excerpt."""
    return str(finding._replace(excerpt="", suggestion=""))


def _text(query: Query) -> str:
    return query.source.text
