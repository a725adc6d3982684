"""Rules of single statements: held to the tenant, guarded, columns and tables named in full."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from service.database.queries import Query
from service.operations.live_schema import TENANT, Catalog
from service.operations.parse_tree import (
    Found,
    alias_of,
    children,
    column_name,
    column_path,
    equalities,
    kind_of,
    location,
    nodes_in,
    table_name,
)

__all__ = ["check"]

_PARAM: Final = ":"  # stands for :tenant_id among the names that hold a table to its tenant


def check(query: Query, catalog: Catalog, statement: Any) -> list[Found]:
    """All findings of a parsed statement."""
    return _Checker(query, catalog).run(statement)


@dataclass(slots=True)
class _Scope:
    """The tables of one FROM: which there are, and which are held to the tenant."""

    outer: "_Scope | None"
    ctes: dict[str, bool]  # name → whether its tenant_id is the own tenant's
    names: set[str] = field(default_factory=set)  # all aliases
    tables: dict[str, Any] = field(default_factory=dict)  # alias → RangeVar of a real table
    bound: set[str] = field(default_factory=set)  # aliases held to the tenant
    edges: list[tuple[str, str]] = field(default_factory=list)  # (held, by what)

    def is_bound(self, alias: str) -> bool:
        """Whether the alias, here or further out, is held to the tenant."""
        if alias == _PARAM or alias in self.bound:
            return True
        return self.outer is not None and alias not in self.names and self.outer.is_bound(alias)

    def settle(self) -> None:
        """Follow the equalities until nothing more is held."""
        growing = True
        while growing:
            new = {held for held, by in self.edges if held not in self.bound and self.is_bound(by)}
            self.bound |= new
            growing = bool(new)


class _Checker:
    def __init__(self, query: Query, catalog: Catalog) -> None:
        self.query = query
        self.catalog = catalog
        self.found: list[Found] = []

    def run(self, statement: Any) -> list[Found]:
        """Everything that is found, as offsets in `query.sql`."""
        self._visit(statement, None, {})
        return self.found

    def _find(self, node: Any, code: str, message: str, advice: str = "") -> None:
        self.found.append((location(node), code, message, advice))

    # visiting

    def _visit(self, node: Any, outer: _Scope | None, ctes: dict[str, bool]) -> None:
        kind = kind_of(node)
        if kind in {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}:
            self._statement(kind, node, outer, ctes)
            return
        if (
            kind == "ResTarget"
            and kind_of(node.val) == "ColumnRef"
            and kind_of(node.val.fields[-1]) == "A_Star"
        ):
            self._find(node, "star", "columns are named one by one, never *")
        for child in children(node):
            self._visit(child, outer, ctes)

    def _statement(self, kind: str, node: Any, outer: _Scope | None, ctes: dict[str, bool]) -> None:
        ctes = self._with(node, outer, dict(ctes))
        scope = self._scope(node, outer, ctes)
        for alias, table in scope.tables.items():
            name = table_name(table)
            if self.catalog.tenant_scoped(name) and alias not in scope.bound:
                message = f"{name} is not held to {TENANT} = :{TENANT}"
                advice = f"add AND {alias_of(table)}.{TENANT} = :{TENANT}"
                self._find(table, "tenant_predicate", message, advice)
        if kind == "InsertStmt":
            self._insert(node, scope)
        for attribute in node:
            if attribute != "withClause":
                for child in nodes_in(getattr(node, attribute)):
                    self._visit(child, scope, ctes)

    def _scope(self, node: Any, outer: _Scope | None, ctes: dict[str, bool]) -> _Scope:
        """What a statement selects from or changes, with what is held to the tenant."""
        scope = _Scope(outer, ctes)
        kind = kind_of(node)
        if kind == "SelectStmt":
            self._from(scope, node.fromClause or ())
            self._conditions(scope, node.whereClause, None)
        elif kind == "InsertStmt":
            self._qualified(node.relation, {})
        else:
            self._changed(kind, scope, node)
        scope.settle()
        return scope

    def _with(self, node: Any, outer: _Scope | None, ctes: dict[str, bool]) -> dict[str, bool]:
        clause = node.withClause
        for cte in clause.ctes if clause else ():
            inner, renamed = dict(ctes), cte.aliascolnames or ()
            if clause.recursive and getattr(cte.ctequery, "larg", None):
                # The first arm begins; the whole must then keep what it gives.
                first = self._gives_tenant(cte.ctequery.larg, outer, inner, renamed)
                inner[cte.ctename] = first
                inner[cte.ctename] = self._gives_tenant(cte.ctequery, outer, inner, renamed)
            self._visit(cte.ctequery, outer, inner)
            ctes[cte.ctename] = self._gives_tenant(cte.ctequery, outer, inner, renamed)
        return ctes

    def _changed(self, kind: str, scope: _Scope, node: Any) -> None:
        """UPDATE, DELETE and MERGE: the target and what it is joined with."""
        self._from(scope, (node.relation,))
        target = alias_of(node.relation)
        if kind == "MergeStmt":
            self._from(scope, (node.sourceRelation,))
            self._conditions(scope, node.joinCondition, {target})
            clauses = node.mergeWhenClauses or ()
            if any(clause.matchKind.name.endswith("BY_SOURCE") for clause in clauses):
                scope.edges = [edge for edge in scope.edges if edge[0] != target]
            self._merge_inserts(node, clauses)
            return
        self._from(scope, (node.fromClause if kind == "UpdateStmt" else node.usingClause) or ())
        self._conditions(scope, node.whereClause, None)
        if node.whereClause is None:
            self._find(node.relation, "unguarded", f"{kind[:6].upper()} without WHERE")
        for item in node.targetList or () if kind == "UpdateStmt" else ():
            if item.name == TENANT:
                self._find(item, "tenant_changed", f"a row keeps its {TENANT}")

    def _merge_inserts(self, node: Any, clauses: Iterable[Any]) -> None:
        if not self.catalog.tenant_scoped(table_name(node.relation)):
            return
        for clause in clauses:
            if clause.commandType.name != "CMD_INSERT":
                continue
            names = [item.name for item in clause.targetList or ()]
            value = clause.values[names.index(TENANT)] if TENANT in names else None
            if not self._is_param(value):
                self._find(
                    node.relation, "tenant_insert", f"{TENANT} is not written from :{TENANT}"
                )

    # FROM and its conditions

    def _from(self, scope: _Scope, items: Iterable[Any]) -> set[str]:
        """Take in FROM items; the aliases that they bring."""
        brought: set[str] = set()
        for item in items:
            while kind_of(item) == "RangeTableSample":
                item = item.relation  # noqa: PLW2901
            kind = kind_of(item)
            if kind == "JoinExpr":
                brought |= self._join(scope, item)
                continue
            alias = alias_of(item)
            renamed = (item.alias.colnames or ()) if item.alias else ()
            brought.add(alias)
            if kind == "RangeVar":
                self._qualified(item, scope.ctes)
                if item.schemaname or item.relname not in scope.ctes:
                    # Renamed columns may hide another one behind the name tenant_id.
                    scope.tables[f"{alias}()" if renamed else alias] = item
                elif scope.ctes[item.relname] and not renamed:
                    scope.bound.add(alias)
            elif kind == "RangeSubselect" and self._gives_tenant(
                item.subquery, scope, scope.ctes, renamed
            ):
                scope.bound.add(alias)
        scope.names |= brought
        return brought

    def _join(self, scope: _Scope, join: Any) -> set[str]:
        left = self._from(scope, (join.larg,))
        right = self._from(scope, (join.rarg,))
        # A condition of an outer join takes no row away from the side that is kept whole.
        held = {
            "JOIN_INNER": left | right,
            "JOIN_LEFT": right,
            "JOIN_RIGHT": left,
        }.get(join.jointype.name, set())
        self._conditions(scope, join.quals, held)
        if TENANT in {name.sval for name in join.usingClause or ()}:
            pairs = [(a, b) for a in left for b in right]
            scope.edges += [(a, b) for x, y in pairs for a, b in ((x, y), (y, x)) if a in held]
        return left | right

    def _qualified(self, table: Any, ctes: Mapping[str, bool]) -> None:
        if not table.schemaname and table.relname not in ctes:
            self._find(table, "unqualified", f"{table.relname} is named without its schema")

    def _conditions(self, scope: _Scope, node: Any, held: set[str] | None) -> None:
        """Keep the tenant equalities of a condition; only aliases in `held` (None: all) gain."""
        for left, right in equalities(node):
            for one, other in ((left, right), (right, left)):
                alias = self._tenant_of(one, scope)
                by = _PARAM if self._is_param(other) else self._tenant_of(other, scope)
                if alias and by and (held is None or alias in held):
                    scope.edges.append((alias, by))

    def _tenant_of(self, node: Any, scope: _Scope) -> str | None:
        """The alias whose tenant_id this is."""
        names = column_path(node)
        if not names or names[-1] != TENANT:
            return None
        if len(names) > 1:
            return names[-2]
        scoped = [a for a, t in scope.tables.items() if self.catalog.tenant_scoped(table_name(t))]
        known = {*scoped, *scope.bound}
        return known.pop() if len(known) == 1 else None

    def _is_param(self, node: Any) -> bool:
        while kind_of(node) == "TypeCast":
            node = node.arg
        return kind_of(node) == "ParamRef" and self.query.order[node.number - 1] == TENANT

    def _gives_tenant(
        self, node: Any, outer: _Scope | None, ctes: dict[str, bool], renamed: Sequence[Any] = ()
    ) -> bool:
        """Whether a subquery's column tenant_id is surely the own tenant's."""
        larg = getattr(node, "larg", None)
        if larg:
            arms = (larg, node.rarg)
            return all(self._gives_tenant(arm, outer, ctes, renamed) for arm in arms)
        if kind_of(node) == "SelectStmt":
            items = node.targetList or ()
        else:
            items = node.returningClause.exprs if node.returningClause else ()
        names = [item.name or column_name(item.val) for item in items]
        names[: len(renamed)] = [name.sval for name in renamed]
        if TENANT not in names or names.index(TENANT) >= len(items):
            return False
        value = items[names.index(TENANT)].val
        if kind_of(node) == "InsertStmt":  # what it writes there is a rule of its own
            return column_name(value) == TENANT and self.catalog.tenant_scoped(
                table_name(node.relation)
            )
        return self._own_tenant(value, node, outer, ctes)

    def _own_tenant(
        self, value: Any, node: Any, outer: _Scope | None, ctes: dict[str, bool]
    ) -> bool:
        """Whether a value in a statement is the own tenant's id."""
        if self._is_param(value):
            return True
        quiet = _Checker(self.query, self.catalog)  # what it finds is found when it is visited
        scope = quiet._scope(node, outer, quiet._with(node, outer, dict(ctes)))
        alias = quiet._tenant_of(value, scope)
        return alias is not None and scope.is_bound(alias)

    # INSERT

    def _insert(self, node: Any, scope: _Scope) -> None:
        name = table_name(node.relation)
        if not self.catalog.tenant_scoped(name):
            return
        columns = [column.name for column in node.cols or ()]
        values = self._inserted(node.selectStmt, columns)
        if not values or not all(
            self._own_tenant(value, source, scope, scope.ctes) for value, source in values
        ):
            self._find(node.relation, "tenant_insert", f"{TENANT} of {name} is not :{TENANT}")
        conflict = node.onConflictClause
        if conflict is None or conflict.action.name != "ONCONFLICT_UPDATE" or not conflict.infer:
            return
        if TENANT not in {element.name for element in conflict.infer.indexElems or ()}:
            message = f"the row in conflict may be another tenant's: add {TENANT} to ON CONFLICT"
            self._find(node.relation, "tenant_conflict", message)

    def _inserted(self, source: Any, columns: list[str]) -> list[tuple[Any, Any]]:
        """What is written as tenant_id: (expression, the SELECT that it stands in)."""
        if TENANT not in columns or source is None:
            return []
        place = columns.index(TENANT)
        if source.larg:
            return self._inserted(source.larg, columns) + self._inserted(source.rarg, columns)
        if source.valuesLists:
            return [(row[place], source) for row in source.valuesLists]
        targets = source.targetList or ()
        return [(targets[place].val, source)] if place < len(targets) else []
