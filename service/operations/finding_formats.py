"""Findings as people read them and as review tools take them in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

import service
from service.database.queries import Finding
from service.operations.rules import RULES

__all__ = ["FORMATS"]

_WORD: Final = re.compile(r"[\w.:$]+|\S|$")  # what a finding's place points at
_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def _text(findings: Sequence[Finding]) -> str:
    return "".join(f"{f._replace(path=Path(_relative(f.path)))}\n" for f in findings)


def _json(findings: Sequence[Finding]) -> str:
    rows = [{**finding._asdict(), "path": _relative(finding.path)} for finding in findings]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() + "\n"


def _github(findings: Sequence[Finding]) -> str:
    """Workflow commands: GitHub shows them beside the lines of a pull request."""
    lines = []
    for found in findings:
        where = {
            "file": _relative(found.path), "line": found.line, "col": found.column,
            "title": found.code,
        }  # fmt: skip
        told = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in where.items())
        message = f"{found.message}\n{found.suggestion}" if found.suggestion else found.message
        lines.append(f"::error {told}::{_escaped(message)}\n")
    return "".join(lines)


def _escaped(text: str, more: str = "") -> str:
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _sarif(findings: Sequence[Finding]) -> str:
    """SARIF 2.1.0, with the rules that were broken."""
    codes = sorted({finding.code for finding in findings})
    driver = {
        "name": "quarry sql check",
        "version": service.__version__,
        "rules": [
            {
                "id": code,
                "shortDescription": {"text": RULES[code].meaning},
                "help": {"text": RULES[code].advice},
            }
            for code in codes
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"description": {"text": "the checkout's root"}}},
        "results": [_result(finding, codes.index(finding.code)) for finding in findings],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return orjson.dumps(log, option=orjson.OPT_INDENT_2).decode() + "\n"


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    pointed = _WORD.match(finding.excerpt, finding.column - 1)
    region: dict[str, Any] = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endColumn": finding.column + max(1, len(pointed[0]) if pointed else 0),
    }
    if finding.excerpt:
        region["snippet"] = {"text": finding.excerpt}
    shown = _relative(finding.path)
    artifact = {"uri": shown, "uriBaseId": "ROOT"}
    if Path(shown).is_absolute():
        artifact = {"uri": Path(shown).as_uri()}
    text = f"{finding.message}. {finding.suggestion}".rstrip(". ")
    return {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
    }


def _relative(path: Path) -> str:
    """The path from here, which for review tools is the root of the checkout; else in full."""
    absolute, here = path.resolve(), Path.cwd().resolve()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()


FORMATS: Final[Mapping[str, Callable[[Sequence[Finding]], str]]] = {
    "text": _text, "json": _json, "sarif": _sarif, "github": _github,
}  # fmt: skip
