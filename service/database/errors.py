"""SQLSTATE → what went wrong, for whoever must answer it.

One `Failure` for every way in which PostgreSQL, the driver or the pool can say no. It carries what
an answer needs (a stable kind, the constraint, the column) and never what it must not tell: no SQL,
no values, no DETAIL.
"""

from __future__ import annotations

from enum import StrEnum

import asyncpg


class Kind(StrEnum):
    """What went wrong."""

    DUPLICATE = "duplicate"  # 23505
    FOREIGN_KEY = "foreign_key"  # 23503
    CHECK = "check"  # 23514, 23502, 23001
    INVALID = "invalid"  # class 22: a value that does not fit its column
    TRANSITION = "illegal_transition"  # QRY01, raised by state machines in the database
    CONFLICT = "conflict"  # QRY02, raised by other rules of ours; 23P01
    IMMUTABLE = "immutable"  # QRY03: a column that never changes
    SERIALIZATION = "serialization"  # 40001, 40P01: the unit may be run again
    LOCKED = "locked"  # 55P03
    DEADLINE = "deadline_exceeded"  # 57014, or the client's own time-out
    READ_ONLY = "read_only"  # 25006: the server has become a standby
    UNAVAILABLE = "database_unavailable"  # 08*, 53*, 57P*, 25P03, 25P04, sockets
    EXHAUSTED = "pool_exhausted"
    STALE_PLAN = "stale_plan"  # 0A000 after DDL: prepare again
    UNEXPECTED = "unexpected"


_BY_STATE = {
    "23505": Kind.DUPLICATE,
    "23503": Kind.FOREIGN_KEY,
    "23P01": Kind.CONFLICT,
    "QRY01": Kind.TRANSITION,
    "QRY02": Kind.CONFLICT,
    "QRY03": Kind.IMMUTABLE,
    "40001": Kind.SERIALIZATION,
    "40P01": Kind.SERIALIZATION,
    "55P03": Kind.LOCKED,
    "57014": Kind.DEADLINE,
    "25006": Kind.READ_ONLY,
    "25P03": Kind.UNAVAILABLE,  # idle too long inside a transaction: the server hung up
    "25P04": Kind.UNAVAILABLE,  # the same for a transaction that took too long
    "54000": Kind.INVALID,
    "22": Kind.INVALID,
    "23": Kind.CHECK,
    "08": Kind.UNAVAILABLE,
    "53": Kind.UNAVAILABLE,
    "57": Kind.UNAVAILABLE,
    "28": Kind.UNAVAILABLE,
}
_LOST = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)


class Failure(Exception):
    """A statement, connection or wait that failed; `__cause__` is the driver's exception."""

    def __init__(self, kind: Kind, message: str, *, sqlstate: str = "", constraint: str = "",
                 column: str = "") -> None:  # fmt: skip
        super().__init__(message)
        self.kind = kind
        self.sqlstate = sqlstate
        self.constraint = constraint
        self.column = column


def _kind_of(error: asyncpg.PostgresError) -> Kind:
    state = error.sqlstate or ""
    return _BY_STATE.get(state) or _BY_STATE.get(state[:2], Kind.UNEXPECTED)


def explain(error: BaseException) -> Failure:
    """The Failure that an exception of asyncpg, a socket or a time-out stands for."""
    if isinstance(error, Failure):
        return error
    if isinstance(error, _STALE):  # before the others: one of them is an InternalClientError
        return Failure(Kind.STALE_PLAN, "the schema changed under a prepared statement")
    if isinstance(error, asyncpg.PostgresError):
        return Failure(
            _kind_of(error),
            error.args[0] if error.args else "",
            sqlstate=error.sqlstate or "",
            constraint=getattr(error, "constraint_name", None) or "",
            column=getattr(error, "column_name", None) or "",
        )
    if isinstance(error, TimeoutError):
        return Failure(Kind.DEADLINE, "the deadline passed")
    if isinstance(error, _LOST):
        return Failure(Kind.UNAVAILABLE, f"the connection was lost ({type(error).__name__})")
    return Failure(Kind.UNEXPECTED, f"{type(error).__name__}")


def survives(error: BaseException) -> bool:
    """Whether the connection may be lent again after this error: the server answered and lives."""
    if not isinstance(error, asyncpg.PostgresError):
        return False
    return _kind_of(error) not in (Kind.UNAVAILABLE, Kind.READ_ONLY) and not isinstance(
        error, asyncpg.PostgresConnectionError
    )
