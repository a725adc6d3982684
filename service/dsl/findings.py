"""What is wrong with a document: code, place, what was expected, what to do about it.

`CODES` is the one table of codes (also printed in docs/cases.md); they are stable.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

MOST = 100

Severity = Literal["error", "warning"]

CODES: dict[str, str] = {
    # syntax
    "EMPTY_DOCUMENT": "There is no form in it.",
    "TOO_LARGE": "The document has more bytes than are accepted.",
    "TOO_MANY_FORMS": "The document has more forms than are accepted.",
    "TOO_MANY_VALUES": "The document has more values than are accepted.",
    "TOO_DEEP": "Brackets nest deeper than is accepted.",
    "EXPECTED_FORM": "Text outside of any form.",
    "EXPECTED_VERB": "A form begins with its verb.",
    "EXPECTED_KEY": "A value without a key, in a form or a map.",
    "MISSING_VALUE": "A key without a value.",
    "DUPLICATE_KEY": "A key that is given twice.",
    "NESTED_FORM": "A form inside a form.",
    "UNCLOSED_FORM": "A form without its ).",
    "UNCLOSED_LIST": "A list without its ].",
    "UNCLOSED_MAP": "A map without its }.",
    "UNEXPECTED_CLOSE": "A closing bracket that closes nothing.",
    "UNTERMINATED_STRING": "A string without its closing quote.",
    "BAD_ESCAPE": "A backslash before something that cannot be escaped.",
    "BAD_NUMBER": "Begins like a number and is none.",
    "BAD_UNIT": "A number with a unit that is neither % nor a currency code of ISO 4217.",
    "BAD_NAME": "A verb, key or symbol that is no name.",
    "BAD_ATTR_REF": "Begins like @attr{…} and is none.",
    "BAD_CHARACTER": "A character that the language does not use, or that cannot be stored.",
    # vocabulary
    "UNKNOWN_VERB": "The registry has no such verb.",
    "MISSING_ARGUMENT": "A required argument is absent.",
    "WRONG_TYPE": "A value of another type than the argument's.",
    "BAD_ENUM": "None of the values that the argument allows.",
    "UNKNOWN_KEY": "The verb has no such argument; it is kept and stored all the same.",
    "DEPRECATED": "The verb or key is being replaced.",
    # dictionary
    "UNKNOWN_ATTRIBUTE": "The dictionary has no such attribute.",
    "VALUE_MISMATCH": "The value does not fit the attribute's mask or rules.",
    # references
    "CASE_NOT_FOUND": "No such case in the project, nor made by this document.",
    "CASE_EXISTS": "The case is there already.",
    "ENTITY_NOT_FOUND": "No such entity in the project, nor registered by this document.",
    "DOCUMENT_NOT_FOUND": "No such document in the project, nor cataloged by this document.",
    "EVIDENCE_NOT_FOUND": "The evidence is no document of the project or of this document.",
    # state
    "ILLEGAL_TRANSITION": "The case's state machine has no such step.",
    # business rules
    "OWNERSHIP_OVER_100": "The owners of an entity hold more than 100 % of it together.",
    "INVALID_OWNERSHIP_PERCENTAGE": "An ownership is from 0 to 100 %.",
    "OWNERSHIP_CYCLE": "An entity owns itself, directly or through others.",
    "MISSING_EVIDENCE": "Something is called verified and no evidence is given.",
    "ORDER": "case.create before kyc.start before products.add before services.*",
}


class Finding(Struct, gc=False):
    """One thing that is wrong. `form` counts from 0; None outside of all forms."""

    severity: Severity
    code: str
    message: str
    line: int
    column: int
    offset: int
    length: int
    form: int | None
    expected: str | UnsetType = UNSET
    suggestion: str | UnsetType = UNSET


class Full(Exception):
    """As many errors as are told have been found: the rest of the document is not looked at."""


class Findings:
    """Collects findings of one text: at most 100 errors and 100 warnings."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.errors = 0
        self.warnings = 0
        self._found: list[Finding] = []

    @classmethod
    def of(cls, text: str, found: list[Finding]) -> Findings:
        """Findings of an earlier layer, to be added to."""
        findings = cls(text)
        findings._found = list(found)
        findings.errors = sum(f.severity == "error" for f in found)
        findings.warnings = len(found) - findings.errors
        return findings

    def __len__(self) -> int:
        return len(self._found)

    @property
    def sorted(self) -> list[Finding]:
        """All findings by place."""
        return sorted(self._found, key=lambda f: (f.offset, f.severity, f.code))

    def error(
        self, code: str, message: str, offset: int, length: int, form: int | None = None, *,
        expected: str = "", suggestion: str = "",
    ) -> None:  # fmt: skip
        """Note an error. Raises Full when it is the last one that is told."""
        if self.errors >= MOST:
            raise Full
        self._add("error", code, message, offset, length, form, expected, suggestion)
        self.errors += 1
        if self.errors >= MOST:
            raise Full

    def warning(
        self, code: str, message: str, offset: int, length: int, form: int | None = None, *,
        expected: str = "", suggestion: str = "",
    ) -> None:  # fmt: skip
        """Note a warning; those beyond the limit are dropped."""
        if self.warnings < MOST:
            self._add("warning", code, message, offset, length, form, expected, suggestion)
            self.warnings += 1

    def has(self, code: str, form: int | None) -> bool:
        """Whether this code was found in this form."""
        return any(f.code == code and f.form == form for f in self._found)

    def _add(
        self, severity: Severity, code: str, message: str, offset: int, length: int,
        form: int | None, expected: str, suggestion: str,
    ) -> None:  # fmt: skip
        text = self.text
        self._found.append(
            Finding(
                severity, code, message,
                text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset),
                offset, length, form, expected or UNSET, suggestion or UNSET,
            )
        )  # fmt: skip


def shown(text: str, most: int = 40) -> str:
    """Text of the document for a message: one line, bounded."""
    flat = " ".join(text[: most * 4].split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
