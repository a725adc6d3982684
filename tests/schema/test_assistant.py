"""The assistant's rules, whoever writes: numbers without gaps, one active variant, nothing rewritten."""
# ruff: noqa: E501 (SQL in one line)

from __future__ import annotations

from uuid import UUID

import pytest
from psycopg import errors

from tests.schema.conftest import Acting, Connection, Tenant
from tests.schema.test_workspace import one, refused
from tests.support.cluster import Database

COUNTED = (
    "WITH counted AS (UPDATE assistant.conversations SET message_count = message_count + %(more)s"
    " WHERE id = %(id)s RETURNING tenant_id, id, user_id)"
)
WRITE = (
    " INSERT INTO assistant.messages (tenant_id, conversation_id, user_id, seq, variant, is_active, role, content)"
    " SELECT tenant_id, id, user_id, s, %(variant)s, %(active)s, 'user', 'text'"
    "   FROM counted CROSS JOIN unnest(%(seqs)s::int[]) AS s"
)
SAME = (
    "WITH counted AS (SELECT tenant_id, id, user_id FROM assistant.conversations WHERE id = %(id)s)"
)


def begin(connection: Connection, tenant: Tenant) -> UUID:
    made: UUID = one(
        connection, "INSERT INTO assistant.conversations (tenant_id, user_id) VALUES (%s, %s) RETURNING id",
        tenant.id, tenant.user,
    )  # fmt: skip
    return made


def values(conversation: UUID, *seqs: int, more: int = 0, variant: int = 1, active: bool = True) -> dict[str, object]:  # fmt: skip
    return {
        "id": conversation,
        "seqs": list(seqs),
        "more": more,
        "variant": variant,
        "active": active,
    }


def write(connection: Connection, conversation: UUID, *seqs: int) -> None:
    connection.execute(COUNTED + WRITE, values(conversation, *seqs, more=len(seqs)))


def refuse(
    connection: Connection, constraint: str, statement: str, given: dict[str, object]
) -> None:
    with pytest.raises((errors.CheckViolation, errors.UniqueViolation)) as caught:
        connection.execute(statement, given)
    assert caught.value.diag.constraint_name.startswith(constraint)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("seqs", "more"),
    [((4,), 1), ((1,), 1), ((3,), 0), ((3,), 2), ((3, 5), 2), ((3, 4), 1), ((3, 3), 2), ((4, 3, 5), 2), ((3, 4, 5), 4)],
    ids=str,
)  # fmt: skip
def test_no_number_but_the_next_ones(
    acting: Acting, ours: Tenant, seqs: tuple[int, ...], more: int
) -> None:
    with acting(ours) as connection:
        made = begin(connection, ours)
        write(connection, made, 1, 2)
        with pytest.raises((errors.CheckViolation, errors.UniqueViolation)):
            connection.execute(COUNTED + WRITE, values(made, *seqs, more=more))
        write(connection, made, 4, 3)
        assert (
            one(
                connection,
                "SELECT max(seq) FROM assistant.messages WHERE conversation_id = %s",
                made,
            )
            == 4
        )


def test_the_count_is_the_number_of_messages(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        made = begin(connection, ours)
        write(connection, made, 1, 2)
        for wrong in (0, 1, 3):
            refused(connection, "conversations_message_count_true",
                    "UPDATE assistant.conversations SET message_count = %s WHERE id = %s", wrong, made)  # fmt: skip
        refused(connection, "conversations_message_count_true",
                "INSERT INTO assistant.conversations (tenant_id, user_id, message_count) VALUES (%s, %s, 1)",
                ours.id, ours.user)  # fmt: skip


def test_messages_go_from_the_end_only(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        made = begin(connection, ours)
        write(connection, made, 1, 2, 3)
        gone = "DELETE FROM assistant.messages WHERE conversation_id = %s AND seq = %s"
        for seq in (1, 2, 3):
            refused(connection, "messages_seq_gapless", gone, made, seq)
        fewer = (
            "WITH fewer AS (UPDATE assistant.conversations SET message_count = 2 WHERE id = %s) "
        )
        with pytest.raises(errors.CheckViolation):
            connection.execute(fewer + gone, (made, made, 2))
        connection.execute(fewer + gone, (made, made, 3))
        connection.execute("DELETE FROM assistant.conversations WHERE id = %s", [made])
        assert (
            one(
                connection,
                "SELECT count(*) FROM assistant.messages WHERE conversation_id = %s",
                made,
            )
            == 0
        )


def test_exactly_one_variant_is_active(acting: Acting, ours: Tenant) -> None:
    with acting(ours) as connection:
        made = begin(connection, ours)
        write(connection, made, 1, 2)
        refuse(connection, "messages_", SAME + WRITE, values(made, 1, variant=2))
        refuse(
            connection,
            "messages_seq_gapless",
            SAME + WRITE,
            values(made, 1, variant=3, active=False),
        )
        connection.execute(SAME + WRITE, values(made, 1, variant=2, active=False))
        refused(connection, "messages_active_one",
                "UPDATE assistant.messages SET is_active = false WHERE conversation_id = %s AND seq = 1", made)  # fmt: skip
        refuse(
            connection,
            "messages_active_one",
            COUNTED + WRITE,
            values(made, 3, more=1, active=False),
        )


@pytest.mark.parametrize("column", ["content", "role", "model", "seq", "variant", "files", "images", "tool_calls", "conversation_id", "user_id", "id", "created_at"])  # fmt: skip
def test_what_is_written_stays(acting: Acting, ours: Tenant, column: str) -> None:
    new = {"content": "'x'", "role": "'tool'", "model": "'m'", "seq": "9", "variant": "9", "files": "ARRAY[uuidv7()]",
           "images": "'[]'", "tool_calls": "'[]'", "created_at": "now()"}  # fmt: skip
    with acting(ours) as connection:
        made = begin(connection, ours)
        write(connection, made, 1)
        refused(connection, f"messages_{column}_immutable",
                f"UPDATE assistant.messages SET {column} = {new.get(column, 'uuidv7()')} WHERE conversation_id = %s", made)  # fmt: skip


@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("conversations_title_length", "title = ''"),
        ("conversations_template_length", "template = repeat('x', 101)"),
        ("conversations_tags_fit", "tags = array_fill('x'::text, ARRAY[33])"),
        ("conversations_tags_fit", "tags = ARRAY[repeat('x', 65)]"),
        ("conversations_tags_fit", "tags = ARRAY[NULL, 'x']"),
        ("conversations_metadata_object", "metadata = '[]'"),
        ("conversations_user_id_immutable", "user_id = uuidv7()"),
        ("conversations_branched_at_seq_immutable", "branched_at_seq = 1"),
        ("conversations_parent_conversation_id_immutable", "parent_conversation_id = id"),
    ],
)  # fmt: skip
def test_conversations_keep_their_shape(
    acting: Acting, ours: Tenant, constraint: str, change: str
) -> None:
    with acting(ours) as connection:
        begin(connection, ours)
        refused(connection, constraint, f"UPDATE assistant.conversations SET {change}")


def test_messages_are_in_8_partitions_and_the_right_one_is_read(
    acting: Acting, ours: Tenant, database: Database
) -> None:
    partitions = database.psql(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'assistant.messages'::regclass"
    )
    assert partitions == [(8,)]
    with acting(ours) as connection:
        made = begin(connection, ours)
        write(connection, made, 1)
        rows = connection.execute(
            "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT content FROM assistant.messages"
            " WHERE tenant_id = %s AND conversation_id = %s AND is_active ORDER BY seq",
            (ours.id, made),
        ).fetchall()  # fmt: skip
        plan = "\n".join(line for (line,) in rows)
        assert plan.count(" on messages_") == 1 and "Index" in plan, plan
