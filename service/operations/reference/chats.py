"""The rows of the assistant, of a skewed scale alone: every user has a little of everything, the
second user of each tenant more, and that of the largest tenant very much."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from service.operations.reference.data import (
    CONVERSATION,
    FILE,
    MEMORY,
    MESSAGE,
    TENANT,
    USER,
    Layout,
    identifier,
    line,
    project_name,
    seeded,
    sha256_of,
    text,
)  # fmt: skip

_BEGAN = datetime(2024, 7, 1, tzinfo=UTC)
_LONGEST = 2000  # messages of the longest conversation
_MESSAGES = 4  # of any other one


class _Owner(NamedTuple):
    """A user, and how many conversations, memories and files are theirs."""

    tenant: int
    user: int
    conversations: int
    memories: int
    files: int
    is_largest: bool


def _owners(layout: Layout) -> Iterator[_Owner]:
    for tenant, numbers in enumerate(layout.users):
        for nth, user in enumerate(numbers):
            if nth != min(1, len(numbers) - 1):
                yield _Owner(tenant, user, 1, 1, nth % 2, False)
            elif tenant == 0:
                yield _Owner(tenant, user, 1000, 2000, 1000, True)
            else:
                yield _Owner(tenant, user, 20, 20, 20, False)


def _counts(layout: Layout) -> Iterator[tuple[_Owner, int, int]]:
    """Each conversation: whose, its number, how many messages it has."""
    number = 0
    for owner in _owners(layout):
        for nth in range(owner.conversations):
            yield owner, number, _LONGEST if owner.is_largest and nth == 0 else _MESSAGES
            number += 1


def _at(number: int) -> str:
    return (_BEGAN + timedelta(seconds=61 * number)).isoformat()


class Totals(NamedTuple):
    """How many rows there are of each."""

    conversations: int
    messages: int
    memories: int
    files: int


def totals(layout: Layout) -> Totals:
    """What the functions below yield."""
    owners = list(_owners(layout))
    return Totals(
        sum(owner.conversations for owner in owners),
        sum(count for _, _, count in _counts(layout)),
        sum(owner.memories for owner in owners),
        sum(owner.files for owner in owners),
    )


def conversations(layout: Layout) -> Iterator[str]:
    """assistant.conversations (tenant_id, id, user_id, title, message_count, last_message_at,
    created_at, updated_at)."""
    dice = seeded()
    for owner, number, count in _counts(layout):
        at = _at(number)
        yield line(identifier(TENANT, owner.tenant), identifier(CONVERSATION, number),
                   identifier(USER, owner.user), project_name(dice), count, at, at, at)  # fmt: skip


def messages(layout: Layout) -> Iterator[str]:
    """assistant.messages (tenant_id, id, conversation_id, user_id, seq, role, content, created_at,
    updated_at)."""
    dice, nth = seeded(), 0
    for owner, number, count in _counts(layout):
        at = _at(number)
        for seq in range(1, count + 1):
            yield line(identifier(TENANT, owner.tenant), identifier(MESSAGE, nth),
                       identifier(CONVERSATION, number), identifier(USER, owner.user), seq,
                       ("assistant", "user")[seq % 2], text(dice, 1), at, at)  # fmt: skip
            nth += 1


def memories(layout: Layout) -> Iterator[str]:
    """assistant.memories (tenant_id, id, user_id, question, answer, importance, created_at,
    updated_at)."""
    dice, number = seeded(), 0
    for owner in _owners(layout):
        for _ in range(owner.memories):
            at = _at(number)
            yield line(identifier(TENANT, owner.tenant), identifier(MEMORY, number),
                       identifier(USER, owner.user), f"{project_name(dice)}?", text(dice, 1),
                       dice.randint(1, 10), at, at)  # fmt: skip
            number += 1


def generations(layout: Layout) -> Iterator[str]:
    """assistant.memory_generations (tenant_id, user_id)."""
    for owner in _owners(layout):
        yield line(identifier(TENANT, owner.tenant), identifier(USER, owner.user))


def files(layout: Layout) -> Iterator[str]:
    """assistant.files (tenant_id, id, user_id, conversation_id, original_name, stored_name,
    mime_type, size, sha256, path, created_at, updated_at): in the user's first conversation."""
    first, number = 0, 0
    for owner in _owners(layout):
        for _ in range(owner.files):
            name, at = f"{number:032x}", _at(number)
            yield line(identifier(TENANT, owner.tenant), identifier(FILE, number),
                       identifier(USER, owner.user), identifier(CONVERSATION, first),
                       f"report-{number}.txt", name, "text/plain", 1000 + number,
                       sha256_of(number), f"uploads/{name}", at, at)  # fmt: skip
            number += 1
        first += owner.conversations
