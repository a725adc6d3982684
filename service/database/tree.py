"""`sql.projects.get`: the names of the queries as attributes, so that editors and mypy know them.

At run time a name is only a string ("projects.get"); nothing is read from disk here. What may be
written after `sql.` and with which parameters is in `tree.pyi`, which `quarry sql stubs` writes
from the query files; mypy then holds every call of a session against it.
"""

__all__ = ["Affected", "Many", "One", "Page", "QueryName", "Stream", "Tree", "Value", "sql"]


class One:
    """Marks a query that answers 0 or 1 row. The kinds exist for type checkers only."""


class Many:
    """Marks a query that answers all its rows at once."""


class Page:
    """Marks a query that answers a keyset page."""


class Value:
    """Marks a query that answers one value."""


class Affected:
    """Marks a query that answers how many rows it changed."""


class Stream:
    """Marks a query whose rows are sent as they are read."""


class QueryName(str):
    """The name of a query, `folder.file`."""

    __slots__ = ()


class _Folder:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, query: str) -> QueryName:
        if query.startswith("_"):
            raise AttributeError(query)
        name = QueryName(f"{self._name}.{query}")
        setattr(self, query, name)
        return name


class Tree:
    """All folders; each is made once, on first use."""

    def __getattr__(self, folder: str) -> _Folder:
        if folder.startswith("_"):
            raise AttributeError(folder)
        made = _Folder(folder)
        setattr(self, folder, made)
        return made


sql = Tree()
