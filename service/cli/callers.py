"""Who uses a query: the endpoints that answer with it, and the places in the code that name it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import service


def callers(name: str) -> Sequence[str]:
    """`GET /projects`, `service/resources/projects.py:57` …, of a query by its name."""
    return _all().get(name, [])


@functools.cache
def _all() -> dict[str, list[str]]:
    from service.resources import ENDPOINTS  # noqa: PLC0415  (only who has a finding waits for it)

    found: dict[str, list[str]] = {}
    for endpoint in ENDPOINTS:
        if endpoint.answers:
            found.setdefault(endpoint.answers, []).append(f"{endpoint.method} {endpoint.path}")
    root = Path(service.__file__).parent
    for path in sorted(root.rglob("*.py")):
        text = path.read_text()
        for name, line in _named(ast.parse(text)) if "sql." in text else ():
            found.setdefault(name, []).append(f"{path.relative_to(root.parent)}:{line}")
    return found


def _named(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Each `sql.folder.file` in the code, with its line."""
    for node in ast.walk(module):
        match node:
            case ast.Attribute(ast.Attribute(ast.Name("sql"), folder), file):
                yield f"{folder}.{file}", node.lineno
