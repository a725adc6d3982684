"""The data: made from a fixed seed, the same on every machine.

Ids look like those of uuidv7() but can be computed from a number, so that load generators and
pgbench name rows without looking them up: kind and number are in the id. All of them are older
than FENCE and all that a run makes is newer, so that it can be taken away again.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from bench.plan import SEED, Scale

FENCE = "01910000-0000-0000-0000-000000000000"
TENANT, USER, PROJECT, DOCUMENT, MEMBER = range(5)
FIRST = 100_000_000_000  # numbers have twelve digits, as the last group of a uuid

LANGUAGES = ("en", "de", "fr", "vi", "pt-BR")
STATUSES = ("draft", "active", "active", "in_review", "completed")
TYPES = ("brief", "brief", "brief", "outline", "outline")
VERSIONS = (1, 2, 3, 1, 2)
CONTENTS = 200  # different texts per language
_VOCABULARY = (
    "report budget review project delivery supplier meeting contract quality schedule region "
    "market customer product service team plan risk audit invoice office travel energy water "
    "school garden bridge harbour station winter summer morning letter answer question number "
    "table window village mountain river forest island museum library theatre concert festival "
    "engine battery circuit signal sensor network server storage backup archive license policy "
    "privacy security access record entry version draft outline brief chapter section figure "
    "appendix summary proposal estimate forecast revenue margin capital credit balance payment "
    "purchase order shipment warehouse container vehicle driver route address country language "
    "translation editor reader author partner member founder owner manager director council"
)
WORDS = _VOCABULARY.split()
SEARCHED = ("budget", "harbour", "sensor", "proposal")

_BEGAN = datetime(2024, 7, 1, tzinfo=UTC)


def prefix(kind: int) -> str:
    """What stands before the number in the ids of a kind."""
    return f"01900000-{kind:04d}-7000-8000-"


def identifier(kind: int, number: int) -> str:
    """The id of the nth row of a kind, counted from 0."""
    return f"{prefix(kind)}{FIRST + number}"


def tenant_name(number: int) -> str:
    """The nth tenant's slug."""
    return f"tenant-{number:04d}"


def metadata(chance: random.Random) -> dict[str, object]:
    """A project's metadata, as a client would send it."""
    return {
        "priority": chance.choice(["low", "normal", "high"]),
        "budget": chance.randrange(1_000, 100_000),
        "tags": chance.sample(WORDS, 3),
        "client": {
            "name": f"{chance.choice(WORDS).title()} Ltd",
            "since": chance.randrange(1990, 2024),
        },
    }


def project_name(chance: random.Random) -> str:
    """A believable name of a project."""
    return f"{chance.choice(WORDS).title()} {chance.choice(WORDS)} {chance.randrange(10_000)}"


def text(chance: random.Random) -> str:
    """Some sentences: about 300 bytes."""
    sentences = [" ".join(chance.choices(WORDS, k=chance.randint(6, 14))) for _ in range(4)]
    return ". ".join(s.capitalize() for s in sentences) + "."


@dataclass(frozen=True, slots=True)
class Content:
    """A document's text with what the database's triggers would make of it."""

    language: str
    text: str
    sha256: str
    vector: str = ""


def contents() -> list[Content]:
    """The texts that documents are made of, without their vectors: those PostgreSQL makes."""
    chance = random.Random(SEED)
    made = []
    for language in LANGUAGES:
        for _ in range(CONTENTS):
            body = text(chance)
            made.append(Content(language, body, hashlib.sha256(body.encode()).hexdigest()))
    return made


def language_of(project: int) -> str:
    """The language of the nth project."""
    return LANGUAGES[project % len(LANGUAGES)]


# Lines of COPY's text format. No value of ours holds a tab, a newline or a backslash.


def _line(*values: object) -> str:
    return "\t".join("\\N" if value is None else str(value) for value in values) + "\n"


def tenants(scale: Scale) -> Iterator[str]:
    """core.tenants (id, name)."""
    return (_line(identifier(TENANT, n), tenant_name(n)) for n in range(scale.tenants))


def users(scale: Scale) -> Iterator[str]:
    """workspace.users (tenant_id, id, email, name)."""
    for n in range(scale.tenants * scale.users_each):
        tenant = identifier(TENANT, n % scale.tenants)
        yield _line(tenant, identifier(USER, n), f"person{n}@example.org", f"Person {n}")


def _owner(project: int, scale: Scale) -> str:
    """The id of one of the users of the project's tenant."""
    nth = project // scale.tenants % scale.users_each
    return identifier(USER, project % scale.tenants + scale.tenants * nth)


def projects(scale: Scale) -> Iterator[str]:
    """workspace.projects (tenant_id, id, name, status, language, current_step, metadata,
    created_by, created_at, updated_at)."""
    chance = random.Random(SEED)
    for n in range(scale.projects):
        at = (_BEGAN + timedelta(seconds=37 * n)).isoformat()
        yield _line(
            identifier(TENANT, n % scale.tenants), identifier(PROJECT, n), project_name(chance),
            chance.choice(STATUSES), language_of(n), chance.randint(1, 4),
            orjson.dumps(metadata(chance)).decode(), _owner(n, scale), at, at,
        )  # fmt: skip


def members(scale: Scale) -> Iterator[str]:
    """workspace.project_members (tenant_id, id, project_id, user_id, role): the creators."""
    for n in range(scale.projects):
        yield _line(identifier(TENANT, n % scale.tenants), identifier(MEMBER, n),
                    identifier(PROJECT, n), _owner(n, scale), "owner")  # fmt: skip


def counters(scale: Scale) -> Iterator[str]:
    """workspace.document_counters (tenant_id, project_id, document_type, last_version)."""
    for n in range(scale.projects):
        tenant, project = identifier(TENANT, n % scale.tenants), identifier(PROJECT, n)
        for kind in ("brief", "outline")[: scale.documents_each]:
            yield _line(tenant, project, kind, 3 if kind == "brief" else 2)


def documents(scale: Scale, made: list[Content], some: range) -> Iterator[str]:
    """workspace.document_versions (tenant_id, id, project_id, document_type, version, content,
    content_sha256, search, created_at, updated_at) of some projects."""
    tails = [f"{c.text}\t\\\\x{c.sha256}\t{c.vector}\t" for c in made]
    chance = random.Random(SEED + some.start)
    head = prefix(DOCUMENT)
    number = FIRST + some.start * scale.documents_each
    for n in some:
        tenant, project = identifier(TENANT, n % scale.tenants), identifier(PROJECT, n)
        at = (_BEGAN + timedelta(seconds=37 * n)).isoformat()
        first = n % len(LANGUAGES) * CONTENTS
        for kind, version in zip(TYPES[: scale.documents_each], VERSIONS, strict=False):
            tail = tails[first + int(chance.random() * CONTENTS)]
            yield f"{tenant}\t{head}{number}\t{project}\t{kind}\t{version}\t{tail}{at}\t{at}\n"
            number += 1
