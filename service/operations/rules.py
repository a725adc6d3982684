"""What can be found in a query file: codes that never change, what each means, what to do.

`docs/findings.md` is made from this, and the rules that review tools show beside a finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from service.database.queries import Finding

__all__ = ["RULES", "Rule", "advised", "exceptable"]

LOADING: Final = "the file"  # refused when the service starts
SCHEMA: Final = "against the live schema"  # refused when the service starts
STATEMENT: Final = "the statement"
ANSWER: Final = "what it answers"
SNAPSHOT: Final = "the contract"
PLAN: Final = "the plan"  # by `quarry sql explain --assert`
_EXCEPTABLE: Final = frozenset({STATEMENT, ANSWER, PLAN, SCHEMA})


class Rule(NamedTuple):
    """What a code says, where no finding says more. `subject` groups the codes."""

    subject: str
    meaning: str
    advice: str


def _of(subject: str, rules: dict[str, tuple[str, str]]) -> dict[str, Rule]:
    return {code: Rule(subject, meaning, advice) for code, (meaning, advice) in rules.items()}


RULES: Final = (
    _of(LOADING, {
        "unreadable": ("the file cannot be read", "see its permissions"),
        "not_utf8": ("the file is not plain UTF-8", "save it as UTF-8 without a byte order mark"),
        "unterminated": ("a string, quoted name or comment never ends", "close it"),
        "name_missing": ("there is no name line", 'begin with "-- name: folder.file :kind"'),
        "name_malformed": ("the name line is not folder.file :kind",
                           'write "-- name: folder.file :kind" in lower case'),
        "name_not_path": ("the name is not the file's path",
                          "rename the one or the other; callers use the name"),
        "unknown_kind": ("the kind is none that there is",
                         "write :one, :many, :page, :value, :affected or :stream"),
        "header_unknown": ("a header line begins with an unknown word",
                           "correct the word; prose begins with a capital letter"),
        "header_malformed": ("a header line cannot be read", "see docs/sql.md for its form"),
        "header_duplicate": ("a header line that stands once stands twice", "keep one of them"),
        "param_malformed": ("a parameter line is not name type",
                            'write "-- param: name type" or "-- param: name type?  note"'),
        "param_type": ("the type is none that a parameter can have", "see docs/sql.md for types"),
        "param_reserved": ("tenant_id is declared", "take the line out: the session fills it"),
        "param_duplicate": ("a parameter is declared twice", "keep one of the lines"),
        "param_undeclared": ("the statement uses a parameter that is not declared",
                             'add "-- param: name type"'),
        "param_unused": ("a declared parameter is not used",
                         "take the line out, or write :name in the statement"),
        "positional": ("a parameter is written as $1", "declare a name for it and write :name"),
        "empty": ("there is no statement", "write one below the header"),
        "second_statement": ("the file holds more than one statement",
                             "put it into a file of its own, or into a WITH list"),
        "not_a_query": ("the statement neither reads nor changes rows",
                        "definitions go into a migration"),
        "change_missing": ("an :affected changes nothing", "write :many or :value in the name"),
        "returning_missing": ("a change answers no rows", "add RETURNING, or write :affected"),
        "write_unexpected": ("a page, a stream or a query for replicas changes or locks rows",
                             "read only here, or use another kind"),
        "cursor_missing": ("a :page has no cursor", 'add "-- cursor: column desc, id desc"'),
        "cursor_params": ("the parameters after_… do not fit the cursor",
                          'declare "after_<column> type?" for each cursor column, in its order'),
        "limit_missing": ("a :page takes no limit", 'add "-- param: limit int?"'),
    })
    | _of(SCHEMA, {
        "prepare_failed": ("PostgreSQL refuses the statement", "correct it at the marked place"),
        "tenant_type": (":tenant_id is compared with something that is no uuid",
                        "compare it with tenant_id"),
        "param_differs": ("PostgreSQL wants another type than the header declares",
                          "write PostgreSQL's type in the header, or cast: :name::type"),
        "cursor_differs": ("a parameter after_… has another type than its cursor column",
                           "give it the column's type"),
        "cursor_unknown": ("a cursor column is not in the answer", "select it"),
        "etag_unknown": ("the column behind the ETag is not in the answer", "select it"),
        "null_unknown": ("a column that may be NULL is not in the answer",
                         "take it out of the null line"),
        "value_columns": ("a :value has not exactly one column", "select one, or write :one"),
    })
    | _of(STATEMENT, {
        "star": ("columns are not named one by one",
                 "write the columns: a new one in the table must not change the API"),
        "unqualified": ("a table is named without its schema", "write schema.table"),
        "tenant_predicate": ("a tenant's table is not held to the tenant",
                             "add AND alias.tenant_id = :tenant_id"),
        "tenant_insert": ("tenant_id is not written from :tenant_id",
                          "add tenant_id to the columns and :tenant_id to the values"),
        "tenant_conflict": ("ON CONFLICT may meet another tenant's row",
                            "begin the ON CONFLICT columns with tenant_id"),
        "tenant_changed": ("a row is moved to another tenant", "do not set tenant_id"),
        "unguarded": ("an UPDATE or DELETE has no WHERE", "say which rows"),
        "cursor_order": ("a page is not ordered as its cursor says",
                         "make cursor line and ORDER BY equal, directions included"),
        "cursor_total": ("the order of a page leaves rows equal",
                         "end cursor line and ORDER BY in id"),
        "cursor_limit": ("a page has no LIMIT :limit, or has an OFFSET",
                         "end in LIMIT :limit; pages are found by the cursor"),
        "name_keyword": ("Python cannot write the name", "rename file and name line"),
        "header_misplaced": ("a header line stands below the statement's begin",
                             "move it above the statement, or begin it with a capital letter"),
        "too_long": ("asyncpg does not cache so long a statement", "split it, or shorten it"),
        "unparsed": ("PostgreSQL's parser does not take the text", "correct it"),
        "cursor_unexpected": ("a cursor is for :page", "write :page, or take the line out"),
        "etag_unexpected": ("an ETag is for :one", "write :one, or take the line out"),
        "null_unexpected": ("an :affected has no columns", "take the null line out"),
        "allow_unknown": ("a file excepts itself from a rule that there is not",
                          "see docs/findings.md for the codes"),
        "allow_unused": ("a file excepts itself from a rule that it keeps",
                         "take the allow line out"),
    })
    | _of(ANSWER, {
        "column_duplicate": ("two columns have one name", "give one of them another name: AS …"),
        "column_unnamed": ("a column has no name", "give it one: AS …"),
        "null_undeclared": ("a column that may be NULL is not declared so",
                            'add "-- null: column"'),
        "null_superfluous": ("a column that is NOT NULL is declared to be NULL at times",
                             "take it out of the null line"),
        "cursor_nullable": ("a cursor column may be NULL",
                            "order by columns that never are: a cursor cannot pass a NULL"),
    })
    | _of(SNAPSHOT, {
        "snapshot_missing": ("there is no contract.json", "quarry sql snapshot"),
        "snapshot_unreadable": ("contract.json cannot be read", "quarry sql snapshot"),
        "snapshot_differs": ("the API changes, in a way that callers need not notice",
                             "if it is meant: quarry sql snapshot"),
        "snapshot_breaks": ("the API changes, and callers may break",
                            "give callers a new query instead, or if it is meant: "
                            "quarry sql snapshot"),
    })
    | _of(PLAN, {
        "explain_failed": ("the query cannot be run on the reference data", "see the message"),
        "example_missing": ("there is no value to measure the query with",
                            "add a column of the parameter's name to sql/explain/example.sql"),
        "seq_scan": ("a large table is read from end to end",
                     "compare the leading columns of an index; see quarry sql explain NAME"),
        "sort": ("rows are sorted where the header promises the order of an index",
                 'order by an index, or take "-- plan: index" out'),
        "budget_exceeded": ("the query touches more pages than its budget",
                            "see quarry sql explain NAME --analyze; raise the budget if it must"),
        "budget_missing": ("a query on a large table has no budget", "quarry sql explain --write"),
    })
)  # fmt: skip


def exceptable(code: str) -> bool:
    """Whether `-- allow: CODE reason` may except a file from it."""
    return (
        code in RULES
        and RULES[code].subject in _EXCEPTABLE
        and code not in {"prepare_failed", "unparsed", "allow_unknown", "allow_unused"}
    )


def advised(findings: Iterable[Finding]) -> list[Finding]:
    """The findings in order, those without a suggestion with their rule's."""
    return sorted(
        finding if finding.suggestion else finding._replace(suggestion=RULES[finding.code].advice)
        for finding in findings
    )
