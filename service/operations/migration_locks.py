"""Which locks a migration's statements take, on what, and what else they cost.

Read from PostgreSQL's own parse tree (pglast), by this table, which is that of PostgreSQL 18:

| statement | lock on the table |
|---|---|
| ALTER TABLE, unless below; RENAME; SET SCHEMA; DROP TABLE, TRIGGER, POLICY, RULE, INDEX; TRUNCATE; CREATE or ALTER POLICY; CREATE RULE; CLUSTER; VACUUM FULL; REFRESH MATERIALIZED VIEW; a parent of CREATE TABLE … PARTITION OF | ACCESS EXCLUSIVE |
| REFRESH MATERIALIZED VIEW CONCURRENTLY | EXCLUSIVE |
| CREATE TRIGGER; ALTER TABLE … ENABLE or DISABLE TRIGGER; ADD FOREIGN KEY, and the table that it references | SHARE ROW EXCLUSIVE |
| CREATE INDEX; REINDEX | SHARE |
| CREATE or DROP INDEX CONCURRENTLY; REINDEX CONCURRENTLY; ALTER TABLE … VALIDATE CONSTRAINT, SET STATISTICS, SET or RESET (options), CLUSTER ON, ATTACH PARTITION (the parent; the partition: ACCESS EXCLUSIVE), DETACH PARTITION CONCURRENTLY; COMMENT ON TABLE, VIEW, COLUMN; CREATE STATISTICS; VACUUM; ANALYZE | SHARE UPDATE EXCLUSIVE |
| INSERT, UPDATE, DELETE, MERGE, COPY FROM | ROW EXCLUSIVE |
| SELECT … FOR UPDATE or SHARE | ROW SHARE |

What a DO block, a function or a trigger does, only a run can show. Locks on what the migration
itself makes are left out: nobody else sees it yet. So are ACCESS SHARE locks.
"""  # noqa: E501  (a table)

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from service.operations.parse_tree import ToolMissingError, kind_of, table_name, walk

__all__ = ["BLOCKS", "MODES", "Lock", "drops", "mode_named", "taken"]

# from the weakest to the strongest
MODES: Final = (
    "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE",
    "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE",
)  # fmt: skip
BLOCKS: Final = {
    "ROW SHARE": "DROP and ALTER",
    "ROW EXCLUSIVE": "DDL",
    "SHARE UPDATE EXCLUSIVE": "DDL, VACUUM",
    "SHARE": "writes",
    "SHARE ROW EXCLUSIVE": "writes",
    "EXCLUSIVE": "writes, locking reads",
    "ACCESS EXCLUSIVE": "reads and writes",
}
_ALTERED: Final = {
    "AT_ValidateConstraint": ("SHARE UPDATE EXCLUSIVE", "reads all rows, beside other work"),
    "AT_SetStatistics": ("SHARE UPDATE EXCLUSIVE", ""),
    "AT_SetOptions": ("SHARE UPDATE EXCLUSIVE", ""),
    "AT_ResetOptions": ("SHARE UPDATE EXCLUSIVE", ""),
    "AT_SetRelOptions": ("SHARE UPDATE EXCLUSIVE", ""),
    "AT_ResetRelOptions": ("SHARE UPDATE EXCLUSIVE", ""),
    "AT_ClusterOn": ("SHARE UPDATE EXCLUSIVE", ""),
    "AT_DropCluster": ("SHARE UPDATE EXCLUSIVE", ""),
    "AT_AttachPartition": ("SHARE UPDATE EXCLUSIVE", "reads all rows of the partition"),
    "AT_AlterColumnType": ("ACCESS EXCLUSIVE", "rewrites the table, unless the type only widens"),
    "AT_SetNotNull": ("ACCESS EXCLUSIVE", "reads all rows, unless a valid CHECK says it"),
    "AT_SetLogged": ("ACCESS EXCLUSIVE", "rewrites the table"),
    "AT_SetUnLogged": ("ACCESS EXCLUSIVE", "rewrites the table"),
    "AT_SetAccessMethod": ("ACCESS EXCLUSIVE", "rewrites the table"),
    "AT_SetTableSpace": ("ACCESS EXCLUSIVE", "copies the table"),
}
_OBJECTS_OF_TABLES: Final = {"OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE"}
_RELATIONS: Final = {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"}
_BUILDS: Final = "reads all rows and builds an index"
_READS: Final = "reads all rows"


class Lock(NamedTuple):
    """A lock that a statement (its number from 1) takes; `effect` is what makes it long."""

    statement: int
    table: str
    mode: str
    effect: str = ""
    source: str = "file"  # or "run", where only a run has shown it, or "both"

    @property
    def blocks(self) -> str:
        """What other sessions cannot do meanwhile."""
        return BLOCKS.get(self.mode, "")


def mode_named(name: str) -> str:
    """A mode as pg_locks calls it (`ShareRowExclusiveLock`), as the documentation does."""
    plain = name.removesuffix("Lock")
    return next(mode for mode in MODES if mode.replace(" ", "").lower() == plain.lower())


def taken(statements: Sequence[str]) -> list[Lock]:
    """The locks of a migration's statements, each table and mode once. Raises ToolMissingError."""
    own: set[str] = set()
    found: dict[tuple[str, str], Lock] = {}
    for number, statement in enumerate(statements, 1):
        for node in _parsed(statement):
            for table, mode, effect in _locks(node):
                if table in own or mode == MODES[0]:
                    continue
                lock = found.setdefault((table, mode), Lock(number, table, mode, effect))
                if effect not in lock.effect:
                    both = "; ".join(filter(None, (lock.effect, effect)))
                    found[table, mode] = lock._replace(effect=both)
            own |= _made(node)
    return list(found.values())


def drops(statements: Sequence[str]) -> list[str]:
    """What statements take away with its rows: tables, and columns as table.column."""
    found = []
    for statement in statements:
        for node in _parsed(statement):
            if kind_of(node) == "DropStmt" and node.removeType.name == "OBJECT_TABLE":
                found += [_qualified(name) for name in node.objects]
            elif kind_of(node) == "TruncateStmt":
                found += [table_name(table) for table in node.relations]
            elif kind_of(node) == "AlterTableStmt":
                found += [
                    f"{table_name(node.relation)}.{command.name}"
                    for command in node.cmds
                    if command.subtype.name == "AT_DropColumn"
                ]
    return found


def _parsed(statement: str) -> list[Any]:
    """The statement's nodes; none where the parser does not take it: the server will say so."""
    try:
        from pglast import parse_sql  # noqa: PLC0415
        from pglast.parser import ParseError  # noqa: PLC0415
    except ImportError as error:
        raise ToolMissingError("locks are read by pglast: pip install 'pglast>=8.7'") from error
    try:
        return [raw.stmt for raw in parse_sql(statement)]
    except ParseError:
        return []


def _made(node: Any) -> set[str]:
    if kind_of(node) in {"CreateStmt", "ViewStmt"}:
        return {table_name(node.relation if kind_of(node) == "CreateStmt" else node.view)}
    return {table_name(node.into.rel)} if kind_of(node) == "CreateTableAsStmt" else set()


Taken = tuple[str, str, str]  # table, mode, effect


def _locks(node: Any) -> Iterator[Taken]:
    handler = _HANDLERS.get(kind_of(node))
    if handler is not None:
        yield from handler(node)


def _create(node: Any) -> Iterator[Taken]:
    parents = node.inhRelations or ()
    mode = "ACCESS EXCLUSIVE" if node.partbound else "SHARE UPDATE EXCLUSIVE"
    yield from ((table_name(parent), mode, "") for parent in parents)
    yield from _references(node)


def _references(node: Any) -> Iterator[Taken]:
    for inner in walk(node):
        if kind_of(inner) == "Constraint" and inner.contype.name == "CONSTR_FOREIGN":
            yield table_name(inner.pktable), "SHARE ROW EXCLUSIVE", ""


def _alter(node: Any) -> Iterator[Taken]:
    table = table_name(node.relation)
    for command in node.cmds:
        kind = command.subtype.name
        if kind in {"AT_AddColumn", "AT_AddConstraint"}:
            mode, effect = _added(command, kind)
        elif kind.startswith(("AT_EnableTrig", "AT_DisableTrig", "AT_EnableAlwaysTrig")):
            mode, effect = "SHARE ROW EXCLUSIVE", ""
        else:
            mode, effect = _ALTERED.get(kind, ("ACCESS EXCLUSIVE", ""))
        if kind in {"AT_AttachPartition", "AT_DetachPartition"}:
            yield table_name(command.def_.name), "ACCESS EXCLUSIVE", ""
            if kind == "AT_DetachPartition" and command.def_.concurrent:
                mode = "SHARE UPDATE EXCLUSIVE"
        yield table, mode, effect
        yield from _references(command)


def _added(command: Any, kind: str) -> tuple[str, str]:
    """Lock and effect of ADD COLUMN and ADD CONSTRAINT."""
    if kind == "AT_AddColumn":
        constraints = {c.contype.name: c for c in command.def_.constraints or ()}
        default = constraints.get("CONSTR_DEFAULT")
        computed = default is not None and any(
            kind_of(n) == "FuncCall" for n in walk(default.raw_expr)
        )
        stored = constraints.keys() & {"CONSTR_GENERATED", "CONSTR_IDENTITY"}
        if stored:
            return "ACCESS EXCLUSIVE", "rewrites the table, if the column is stored"
        if constraints.keys() & {"CONSTR_PRIMARY", "CONSTR_UNIQUE"}:
            return "ACCESS EXCLUSIVE", _BUILDS
        effect = "rewrites the table, if the default is volatile" if computed else ""
        return "ACCESS EXCLUSIVE", effect
    constraint = command.def_
    contype = constraint.contype.name
    checked = "" if constraint.skip_validation else _READS
    if contype == "CONSTR_FOREIGN":
        return "SHARE ROW EXCLUSIVE", checked
    if contype in {"CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION"}:
        return "ACCESS EXCLUSIVE", "" if constraint.indexname else _BUILDS
    return "ACCESS EXCLUSIVE", checked


def _index(node: Any) -> Iterator[Taken]:
    mode = "SHARE UPDATE EXCLUSIVE" if node.concurrent else "SHARE"
    yield table_name(node.relation), mode, _BUILDS


def _drop(node: Any) -> Iterator[Taken]:
    kind = node.removeType.name
    if kind in _RELATIONS:
        yield from ((_qualified(name), "ACCESS EXCLUSIVE", "") for name in node.objects)
    elif kind in _OBJECTS_OF_TABLES:  # named by the table and then themselves
        yield from ((_qualified(name[:-1]), "ACCESS EXCLUSIVE", "") for name in node.objects)
    elif kind == "OBJECT_INDEX":
        mode = "SHARE UPDATE EXCLUSIVE" if node.concurrent else "ACCESS EXCLUSIVE"
        names = (_qualified(name) for name in node.objects)
        yield from ((f"the table of {name}", mode, "") for name in names)


def _rename(node: Any) -> Iterator[Taken]:
    if node.relation is not None:
        index = node.renameType.name == "OBJECT_INDEX"
        mode = "SHARE UPDATE EXCLUSIVE" if index else "ACCESS EXCLUSIVE"
        yield table_name(node.relation), mode, ""


def _comment(node: Any) -> Iterator[Taken]:
    kind = node.objtype.name
    if kind in _RELATIONS or kind == "OBJECT_COLUMN":
        name = node.object[:-1] if kind == "OBJECT_COLUMN" else node.object
        yield _qualified(name), "SHARE UPDATE EXCLUSIVE", ""


def _all_of(mode: str) -> Callable[[Any], Iterator[Taken]]:
    """A statement that takes one lock on its one relation."""

    def handler(node: Any) -> Iterator[Taken]:
        relation = getattr(node, "relation", None) or getattr(node, "table", None)
        if relation is not None:
            yield table_name(relation), mode, ""

    return handler


def _truncate(node: Any) -> Iterator[Taken]:
    yield from ((table_name(table), "ACCESS EXCLUSIVE", "") for table in node.relations)


def _lock(node: Any) -> Iterator[Taken]:
    yield from ((table_name(table), MODES[node.mode - 1], "") for table in node.relations)


def _statistics(node: Any) -> Iterator[Taken]:
    yield from ((table_name(table), "SHARE UPDATE EXCLUSIVE", "") for table in node.relations)


def _copy(node: Any) -> Iterator[Taken]:
    if node.relation is not None and node.is_from:
        yield table_name(node.relation), "ROW EXCLUSIVE", ""


def _refresh(node: Any) -> Iterator[Taken]:
    mode = "EXCLUSIVE" if node.concurrent else "ACCESS EXCLUSIVE"
    yield table_name(node.relation), mode, "runs its query"


def _reindex(node: Any) -> Iterator[Taken]:
    if node.relation is not None:
        concurrent = any(option.defname == "concurrently" for option in node.params or ())
        mode = "SHARE UPDATE EXCLUSIVE" if concurrent else "SHARE"
        of = "" if node.kind.name == "REINDEX_OBJECT_TABLE" else "the table of "
        yield of + table_name(node.relation), mode, _BUILDS


def _vacuum(node: Any) -> Iterator[Taken]:
    full = any(option.defname == "full" for option in node.options or ())
    mode, effect = ("ACCESS EXCLUSIVE", "rewrites the table") if full else (MODES[3], "")
    for each in node.rels or ():
        yield table_name(each.relation), mode, effect


def _view(node: Any) -> Iterator[Taken]:
    if node.replace:
        yield table_name(node.view), "ACCESS EXCLUSIVE", ""


def _select(node: Any) -> Iterator[Taken]:
    if any(kind_of(inner) == "LockingClause" for inner in walk(node)):
        for inner in walk(node):
            if kind_of(inner) == "RangeVar" and inner.schemaname:
                yield table_name(inner), "ROW SHARE", ""


_HANDLERS: Final[dict[str, Callable[[Any], Iterator[Taken]]]] = {
    "CreateStmt": _create,
    "AlterTableStmt": _alter,
    "IndexStmt": _index,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "CommentStmt": _comment,
    "AlterObjectSchemaStmt": _all_of("ACCESS EXCLUSIVE"),
    "CreateTrigStmt": _all_of("SHARE ROW EXCLUSIVE"),
    "CreatePolicyStmt": _all_of("ACCESS EXCLUSIVE"),
    "AlterPolicyStmt": _all_of("ACCESS EXCLUSIVE"),
    "RuleStmt": _all_of("ACCESS EXCLUSIVE"),
    "ClusterStmt": _all_of("ACCESS EXCLUSIVE"),
    "InsertStmt": _all_of("ROW EXCLUSIVE"),
    "UpdateStmt": _all_of("ROW EXCLUSIVE"),
    "DeleteStmt": _all_of("ROW EXCLUSIVE"),
    "MergeStmt": _all_of("ROW EXCLUSIVE"),
    "TruncateStmt": _truncate,
    "LockStmt": _lock,
    "CopyStmt": _copy,
    "CreateStatsStmt": _statistics,
    "RefreshMatViewStmt": _refresh,
    "ReindexStmt": _reindex,
    "VacuumStmt": _vacuum,
    "ViewStmt": _view,
    "SelectStmt": _select,
}


def _qualified(name: Any) -> str:
    """A name that the tree has as a list of parts."""
    parts = name if isinstance(name, tuple) else (name,)
    return ".".join(part.sval for part in parts)
