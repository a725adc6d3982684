"""Document versions: numbers without gaps, content that stays, search in every language."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

import hashlib
import threading

import pytest
from psycopg import errors

from tests.schema.conftest import Acting, Connection, Tenant
from tests.schema.test_workspace import PROJECT, one, refused

CREATE = (
    "INSERT INTO workspace.document_versions (tenant_id, project_id, document_type, content)"
    " VALUES (%s, %s, %s, %s) RETURNING version"
)
MAX_BYTES = 1 << 20


def create(connection: Connection, tenant: Tenant, content: str = "text", kind: str = "a") -> int:
    version: int = one(connection, CREATE, tenant.id, tenant.project, kind, content)
    return version


def test_numbers_go_out_one_by_one_and_are_never_given_twice(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        assert [create(connection, ours) for _ in range(3)] == [1, 2, 3]
        assert create(connection, ours, kind="b") == 1
        connection.execute(
            "UPDATE workspace.document_versions SET deleted_at = now() WHERE version = 3"
        )
        assert create(connection, ours) == 4
        with connection.transaction(force_rollback=True):
            assert create(connection, ours) == 5
        assert create(connection, ours) == 5


def test_twenty_at_once_get_twenty_numbers(acting: Acting, ours: Tenant) -> None:
    got: list[int] = []

    def write() -> None:
        with acting(ours) as connection:
            got.append(create(connection, ours))

    threads = [threading.Thread(target=write) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(1, 21))


def test_no_number_but_the_next_one(acting: Acting, ours: Tenant) -> None:
    insert = CREATE.replace("content)", "content, version)").replace("%s)", "%s, %s)")
    with acting(ours) as connection:
        create(connection, ours)
        gapless = "document_versions_version_gapless"
        for version in (2, 7):
            refused(connection, gapless, insert, ours.id, ours.project, "a", "text", version)
        back = "UPDATE workspace.document_counters SET last_version = 1"
        refused(connection, "document_counters_last_version_grows", back)
        refused(
            connection,
            "document_versions_version_key",
            insert,
            ours.id,
            ours.project,
            "a",
            "text",
            1,
        )


@pytest.mark.parametrize("column", ["content", "version", "document_type", "project_id", "content_sha256", "created_by", "based_on", "id", "tenant_id", "created_at"])  # fmt: skip
def test_what_is_written_stays(acting: Acting, ours: Tenant, column: str) -> None:
    values = {"content": "'x'", "version": "2", "document_type": "'b'", "content_sha256": "sha256('x')", "created_at": "now()"}  # fmt: skip
    with acting(ours) as connection:
        create(connection, ours)
        change = (
            f"UPDATE workspace.document_versions SET {column} = {values.get(column, 'uuidv7()')}"
        )
        refused(connection, f"document_versions_{column}_immutable", change)


def test_revision_counts_changes_of_metadata_and_scores(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        create(connection, ours)
        update = "UPDATE workspace.document_versions SET {} RETURNING revision"
        for change, revision in (
            ("metadata = '{\"a\": 1}'", 2),
            ("grammar_score = 12.345, revision = 77", 3),
            ("grammar_score = 12.35", 3),
            ("deleted_at = now()", 3),
            ("readability_score = 100", 4),
        ):
            assert one(connection, update.format(change)) == revision
        for change in ("grammar_score = 100.01", "readability_score = -1"):
            with pytest.raises(errors.CheckViolation, match="_score_range"):
                connection.execute(update.format(change))


def test_content_is_hashed_and_bounded(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        create(connection, ours, "Grüße")
        digest = one(connection, "SELECT content_sha256 FROM workspace.document_versions")
        assert digest == hashlib.sha256("Grüße".encode()).digest()
        length = "document_versions_content_length"
        refused(connection, length, CREATE, ours.id, ours.project, "a", "")
        refused(connection, length, CREATE, ours.id, ours.project, "a", "x" * (MAX_BYTES + 1))


def test_the_largest_content_of_ever_new_words_is_taken(acting: Acting, ours: Tenant) -> None:
    words = " ".join(f"{n:x}w{n * 7919:x}" for n in range(120_000)).encode()[:MAX_BYTES].decode()
    accents = ("é" * 9 + " ") * (MAX_BYTES // 19)
    with acting(ours) as connection:
        for content in (words, accents, "x" * MAX_BYTES):
            create(connection, ours, content)
        found = "SELECT count(*) FROM workspace.document_versions WHERE search @@ to_tsquery('workspace.simple', %s)"
        assert one(connection, found, "1w1eef") == 1


def test_a_version_is_based_on_one_of_its_own_series(acting: Acting, ours: Tenant) -> None:
    insert = CREATE.replace("content)", "content, based_on)").replace("%s)", "%s, %s)")
    with acting(ours) as connection:
        create(connection, ours)
        base = one(connection, "SELECT id FROM workspace.document_versions")
        assert one(connection, insert, ours.id, ours.project, "a", "more", base) == 2
        refused(connection, "document_versions_based_on_fkey", insert, ours.id, ours.project, "b", "more", base)  # fmt: skip


# Search


@pytest.mark.parametrize(
    ("language", "content", "query"),
    [
        ("en", "They were running races", "run race"),
        ("de-AT", "Die Bücher über Häuser", "buch haus"),
        ("de", "Die Bücher über Häuser", "BUECHER or bucher"),
        ("fr", "Les élèves étudiaient", "eleve"),
        ("pt-BR", "As canções brasileiras", "cancoes brasileira"),
        ("cs", "Příliš žluťoučký kůň", "zlutoucky kun"),
        ("ja", "検索 テスト", "テスト"),
    ],
)
def test_search_knows_the_language_and_no_accents(
    acting: Acting, ours: Tenant, language: str, content: str, query: str
) -> None:
    with acting(ours) as connection:
        project = one(connection, PROJECT + " RETURNING id", ours.id, "x", language)
        one(connection, CREATE, ours.id, project, "a", content)
        hits = one(
            connection,
            "SELECT count(*) FROM workspace.document_versions"
            " WHERE search @@ websearch_to_tsquery(workspace.text_search_config(%s), %s)",
            language, query,
        )  # fmt: skip
    assert hits == 1


def test_every_configuration_of_postgresql_is_used(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        made = connection.execute(
            "SELECT c.cfgname FROM pg_ts_config AS c WHERE c.cfgnamespace = 'workspace'::regnamespace"
        ).fetchall()
        own = connection.execute(
            "SELECT c.cfgname FROM pg_ts_config AS c WHERE c.cfgnamespace = 'pg_catalog'::regnamespace"
        ).fetchall()
        source = one(
            connection, "SELECT pg_get_functiondef('workspace.text_search_config'::regproc)"
        )
        assert (
            one(connection, "SELECT workspace.text_search_config('xx')::text") == "workspace.simple"
        )
    assert sorted(made) == sorted(own)
    assert [name for (name,) in own if f"'workspace.{name}'" not in source] == []


def test_fragments_show_the_words_as_they_are_written(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        text = one(
            connection,
            "SELECT ts_headline(c, 'Ein Büchlein über Häuser', to_tsquery(c, 'haus')) FROM workspace.text_search_config('de') AS c",
        )
    assert text == "Ein Büchlein über <b>Häuser</b>"
