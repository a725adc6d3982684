"""The rooms of the house: nothing imports upward, no SQL text in Python, files fit a reader."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "service"
# a room may import from rooms further down only; `operations` stands beside `resources`
FLOORS = {"cli": 5, "app": 4, "resources": 3, "operations": 3, "http": 2, "jobs": 2,
          "generation": 2, "dsl": 1, "database": 1, "files": 1, "cache": 1, "checks": 1,
          "logs": 1, "settings": 0, "__main__": 6, "": 0}  # fmt: skip
# the guard of tenant isolation and the wrapping of queries, and nothing else
SQL_IN_PYTHON = {"database/guard.py", "database/statement.py"}
SQL = re.compile(
    r"^\s*(SELECT\s.+\sFROM\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s)",
    re.IGNORECASE | re.DOTALL,
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
LAYOUT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
          tokenize.ENDMARKER}  # fmt: skip
SECONDARY = {"resources": {"operations"}, "operations": {"resources"}}


def modules() -> list[Path]:
    return sorted(p for p in SERVICE.rglob("*.py"))


def room(path: Path) -> str:
    parts = path.relative_to(SERVICE).with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("service"):
            names.add(node.module)
            if node.module == "service":
                names |= {f"service.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name for a in node.names if a.name.startswith("service")}
    return names


def test_nothing_imports_upward() -> None:
    wrong = []
    for path in modules():
        own = room(path)
        for name in imported(ast.parse(path.read_text())):
            parts = name.split(".")
            other = parts[1] if len(parts) > 1 else ""
            if other not in FLOORS or other == own:
                continue
            sideways = other in SECONDARY.get(own, ()) or FLOORS[other] == FLOORS[own]
            if FLOORS[other] > FLOORS[own] or (sideways and FLOORS[own] > 1):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_the_engine_knows_no_http_and_no_subject() -> None:
    for path in (SERVICE / "database").glob("*.py"):
        text = path.read_text()
        assert "starlette" not in text, path
        assert not re.search(r"\bworkspace\.|projects\b.*import", text), path


def test_there_is_no_sql_text_in_python() -> None:
    wrong = []
    for path in modules():
        if str(path.relative_to(SERVICE)) in SQL_IN_PYTHON:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and SQL.search(text):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {text[:60]!r}")
    assert not wrong


def test_files_fit_a_reader() -> None:
    long = {str(p.relative_to(ROOT)): n for p in modules()
            if (n := len(p.read_text().splitlines())) > 450}  # fmt: skip
    assert not long


def lines_of_code(path: Path) -> int:
    """Lines without blanks, comments and docstrings."""
    text = path.read_text()
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            docstrings |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in LAYOUT
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(lines - docstrings)


def test_the_engine_stays_small() -> None:
    """Lines of code of `database/`, without blanks, comments and docstrings.

    `embedded.py` and `unprivileged.py` do not count: they start the PostgreSQL that comes with the
    package, and nothing of the engine knows of them.
    """
    launcher = {"embedded.py", "unprivileged.py"}
    counts = {
        path.name: lines_of_code(path)
        for path in (SERVICE / "database").glob("*.py")
        if path.name not in launcher
    }
    assert sum(counts.values()) < 1500, counts


def test_no_star_in_a_query() -> None:
    for path in (ROOT / "sql").rglob("*.sql"):
        assert not re.search(r"(SELECT|RETURNING)\s+(\w+\.)?\*", path.read_text()), path
