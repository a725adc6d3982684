"""Writes the pages of docs/ that come from code: `python -m tests.support.generate_docs`."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from service.http.problems import CODES
from service.operations.rules import RULES, exceptable
from service.settings import Settings, describe

DOCS = Path(__file__).parents[2] / "docs"


def settings_page() -> str:
    """docs/settings.md."""
    rows = [
        f"| `{row.name}` | {_default(row.name, row.value)} | {row.help} |"
        for row in describe(Settings())
    ]
    head = (
        "# Settings\n\nFrom the environment, else from the file that `QUARRY_ENV_FILE` names "
        "(default `.env`), else these defaults.\n`quarry config` prints the values in force and "
        "where they came from.\n\n| setting | default | meaning |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def _default(name: str, value: str) -> str:
    if name in ("QUARRY_SQL_DIR", "QUARRY_MIGRATIONS_DIR"):
        return "as shipped"
    return f"`{value}`" if value else "—"


def errors_page() -> str:
    """docs/errors.md."""
    rows = [
        f"| {code.status} | `{name}` | {code.title} | {code.meaning} |"
        for name, code in CODES.items()
    ]
    head = (
        "# Errors\n\nEvery answer that is no success is `application/problem+json` (RFC 9457): "
        "`type`, `title`, `status`, `detail`, a stable `code`,\n`request_id`, and where fields "
        "are at fault `errors[] {pointer, code, detail}` with all of them at "
        "once. A pointer is a\nJSON pointer into the body, or `query:name`. "
        "503 and 429 carry `Retry-After`.\n\n"
        "| status | code | title | meaning |\n|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def findings_page() -> str:
    """docs/findings.md."""
    parts = [
        "# Findings\n\nWhat `quarry sql check` and `quarry sql explain --assert` find in query "
        "files. The codes never\nchange. Every finding comes with file:line:column, the line with "
        "a caret below the place, and what\nto do. `-- allow: CODE reason` in the header excepts a "
        "file from a code that is marked with *.\n"
    ]
    for subject, rules in groupby(RULES.items(), lambda item: item[1].subject):
        parts.append(
            f"\n## {subject[0].upper()}{subject[1:]}\n\n| code | what | do |\n|---|---|---|\n"
        )
        parts += [
            f"| `{code}`{' *' if exceptable(code) else ''} | {rule.meaning} | {rule.advice} |\n"
            for code, rule in rules
        ]
    return "".join(parts)


PAGES = {"settings.md": settings_page, "errors.md": errors_page, "findings.md": findings_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())
