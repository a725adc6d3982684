"""The tables behind every error answer."""

from __future__ import annotations

import orjson
import pytest

from service.database.errors import Failure, Kind
from service.http import problems
from service.http.problems import CODES, Problem, from_failure
from tests.support.cluster import Database

CONSTRAINTS = """
SELECT conname FROM pg_constraint
 WHERE connamespace::regnamespace::text IN ('workspace', 'assistant', 'cases', 'discovery')
 UNION
SELECT indexname FROM pg_indexes
 WHERE schemaname IN ('workspace', 'assistant', 'cases', 'discovery')
"""


def test_every_named_constraint_exists(module_database: Database) -> None:
    existing = {name for (name,) in module_database.psql(CONSTRAINTS)}
    raised = {
        "projects_language_immutable", "project_members_keep_owner", "attribute_values_value_fits",
    }  # fmt: skip
    assert {*problems._FIELDS, *problems._STATES} - raised <= existing


@pytest.mark.parametrize("kind", Kind)
def test_every_failure_has_an_answer_that_tells_no_secrets(kind: Kind) -> None:
    failure = Failure(
        kind, 'relation "workspace.secret" at host db.internal', constraint="odd_name"
    )
    answer = from_failure(failure)
    assert answer.code in CODES
    body = orjson.loads(answer.render("r1"))
    assert set(body) >= {"type", "title", "status", "detail", "code", "request_id"}
    if kind not in (Kind.TRANSITION, Kind.CONFLICT):  # these messages are ours, written to be read
        assert b"secret" not in answer.render("r1")
    assert ("Retry-After" in answer.headers) == (answer.status == 503 or kind in (Kind.LOCKED,))


def test_a_constraint_names_the_field_that_is_at_fault() -> None:
    answer = from_failure(Failure(Kind.DUPLICATE, "", constraint="users_email_key"))
    body = orjson.loads(answer.render("r1"))
    assert (body["status"], body["constraint"], body["errors"][0]["pointer"]) == (
        409, "users_email_key", "/email",
    )  # fmt: skip


def test_codes_are_stable_words() -> None:
    assert all(name.islower() and name.replace("_", "").isalpha() for name in CODES)
    assert Problem("not_found").render("x") == Problem("not_found").render("x")
