"""What is told of a migration that failed: where, what it left, who was in its way, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg

from service.operations.migration_files import File
from service.operations.migration_watch import Blocker

__all__ = ["failure", "kept"]

_WAITED = (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled)


def failure(
    file: File, direction: str, error: psycopg.Error, statement: str, blockers: Sequence[Blocker]
) -> str:
    """The server's message with the place in the file, and what is left of it.

    `blockers` stood in the way last; they are told when that is why it failed.
    """
    what = f"{file.id}: {direction} failed: {error.diag.message_primary or error}"
    if error.diag.message_detail:
        what += f" ({error.diag.message_detail})"
    path = file.path if direction == "apply" else file.rollback_path
    lines = [f"{what}; {_left(file, direction)}"]
    lines.append(f"at {_place(path, statement, int(error.diag.statement_position or 1))}")
    lines += [error.diag.message_hint] if error.diag.message_hint else []
    if blockers and isinstance(error, _WAITED):
        lines += [f"blocked by {blocker}" for blocker in blockers]
        pids = ", ".join(f"SELECT pg_terminate_backend({blocker.pid})" for blocker in blockers)
        lines.append(f"let it end, or end it ({pids}), and run this again")
    return "\n  ".join(lines)


def kept(done: Sequence[str], direction: str) -> str:
    """What was done before the failure and stays done; "" when nothing was."""
    before = "applied" if direction == "apply" else "undone"
    return f"\n  {before} before it, and kept so: {', '.join(done)}" if done else ""


def _left(file: File, direction: str) -> str:
    if file.transactional:
        return "nothing of it was kept"
    index = file.index_name()
    if index and direction == "apply":
        return f"it may leave an INVALID {index}, which the next run drops and builds again"
    return "correct the cause and run it again"


def _place(path: Path, statement: str, position: int) -> str:
    """The file and line of a character (from 1) of a statement, with the statement's beginning."""
    text = path.read_text("utf-8")
    at = text.find(statement.strip())
    line = f":{text.count(chr(10), 0, at + position - 1) + 1}" if at >= 0 and statement else ""
    return f"{path.name}{line}: {' '.join(statement.split())[:100]}".rstrip(": ")
