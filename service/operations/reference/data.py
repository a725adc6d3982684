"""The rows: made from a fixed seed, the same on every machine.

Ids look like those of uuidv7() but can be computed from a number, so that load generators and
pgbench name rows without looking them up: kind and number are in the id. All of them are older
than FENCE and all that a run makes is newer, so that it can be taken away again.

A scale is either of equal tenants, for measurements of which each request costs the same, or
`skewed` as real ones are, for plans: tenant 0 has a fifth of everything, its first project very
many documents, its first user a tenth of its projects.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

import orjson

SEED = 20_26
FENCE = "01910000-0000-0000-0000-000000000000"
TENANT, USER, PROJECT, DOCUMENT, MEMBER, KEY, EVENT, EXECUTION = range(8)
CONVERSATION, MESSAGE, MEMORY, FILE = range(8, 12)
FIRST = 100_000_000_000  # numbers have twelve digits, as the last group of a uuid

LANGUAGES = ("en", "de", "fr", "vi", "pt-BR")
STATUSES = ("draft", "active", "active", "in_review", "completed")
VERSIONS = (("brief", 1), ("brief", 2), ("brief", 3), ("outline", 1), ("outline", 2))
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
_FAR = "2124-01-01"

# Of a skewed scale.
_LONGEST = 1000  # versions of each type in the longest project
_PROJECTS_OF_A_USER = 10  # in the mean
ANSWERS, EVENTS = 4, 2  # a stored answer for every fourth project, an event for every second one
EXECUTIONS = 2  # one for every second project of a tenant, more for its first one


@dataclass(frozen=True, slots=True)
class Scale:
    """How much data."""

    name: str
    projects: int
    tenants: int
    documents_each: int = 5  # per project: versions 1 to 3 of "brief", 1 and 2 of "outline"
    users_each: int = 10  # per tenant; of a skewed scale one for ten projects
    skewed: bool = False
    sentences: int = 4  # in a document

    @property
    def documents(self) -> int:
        """All documents."""
        longer = 2 * _LONGEST - self.documents_each if self.skewed else 0
        return self.projects * self.documents_each + longer


class Layout:
    """Whose each row is. `tenant_of` is by project, `users` are their numbers by tenant."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.tenant_of: Sequence[int]
        if scale.skewed:
            shares = enumerate(_shares(scale.projects, scale.tenants))
            self.tenant_of = [tenant for tenant, share in shares for _ in range(share)]
            seeded().shuffle(self.tenant_of)
            people = _shares(scale.projects // _PROJECTS_OF_A_USER, scale.tenants)
            self.users = [
                range(end - count, end)
                for count, end in zip(people, accumulate(people), strict=True)
            ]
        else:
            self.tenant_of = [n % scale.tenants for n in range(scale.projects)]
            total = scale.tenants * scale.users_each
            self.users = [range(n, total, scale.tenants) for n in range(scale.tenants)]
        self.nth = self._count()  # by project: which one of its tenant
        self.longest = self.tenant_of.index(0) if scale.skewed else scale.projects

    def _count(self) -> list[int]:
        seen = [0] * self.scale.tenants
        counted = []
        for tenant in self.tenant_of:
            counted.append(seen[tenant])
            seen[tenant] += 1
        return counted

    def owner(self, project: int) -> int:
        """The number of the user who made it."""
        users, nth = self.users[self.tenant_of[project]], self.nth[project]
        first = self.scale.skewed and nth % 10 == 0
        return users[0 if first else nth % len(users)]

    def viewers(self, project: int) -> Sequence[int]:
        """The numbers of further members: in the longest project everybody, in half of them one."""
        users, owner = self.users[self.tenant_of[project]], self.owner(project)
        if project == self.longest:
            return [user for user in users if user != owner]
        if self.scale.skewed and self.nth[project] % 2 == 0 and len(users) > 1:
            return [users[(users.index(owner) + 1) % len(users)]]
        return []

    def deleted(self, project: int) -> bool:
        """Whether it is in the bin."""
        return self.scale.skewed and self.nth[project] % 50 == 49

    def versions(self, project: int) -> Sequence[tuple[str, int]]:
        """Its documents' types and version numbers."""
        if project != self.longest:
            return VERSIONS[: self.scale.documents_each]
        return [(kind, n) for kind in ("brief", "outline") for n in range(1, _LONGEST + 1)]

    def executions(self, project: int) -> int:
        """How many runs of agents it has."""
        if self.nth[project] == 0:
            return _LONGEST if project == self.longest else 10
        return int(self.nth[project] % EXECUTIONS == 0)

    def first_document(self, project: int) -> int:
        """The number of its first document."""
        return project * self.scale.documents_each + (
            2 * _LONGEST - self.scale.documents_each if project > self.longest else 0
        )


def _shares(total: int, parts: int) -> list[int]:
    """A total in parts of which the nth has an nth of the first (Zipf), each at least 1."""
    whole = sum(1 / n for n in range(1, parts + 1))
    shares = [max(1, int(total / whole / n)) for n in range(1, parts + 1)]
    shares[0] = max(1, shares[0] + total - sum(shares))  # of very few, each part gets one
    return shares


def seeded(more: int = 0) -> random.Random:
    """The same numbers each time."""
    return random.Random(SEED + more)  # noqa: S311


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


def text(chance: random.Random, sentences: int = 4) -> str:
    """Some sentences: about 75 bytes each."""
    made = [" ".join(chance.choices(WORDS, k=chance.randint(6, 14))) for _ in range(sentences)]
    return ". ".join(s.capitalize() for s in made) + "."


@dataclass(frozen=True, slots=True)
class Content:
    """A document's text with what the database's triggers would make of it."""

    language: str
    text: str
    sha256: str
    vector: str = ""


def contents(sentences: int = 4) -> list[Content]:
    """The texts that documents are made of, without their vectors: those PostgreSQL makes."""
    chance = seeded()
    made = []
    for language in LANGUAGES:
        for _ in range(CONTENTS):
            body = text(chance, sentences)
            made.append(Content(language, body, hashlib.sha256(body.encode()).hexdigest()))
    return made


def language_of(project: int) -> str:
    """The language of the nth project."""
    return LANGUAGES[project % len(LANGUAGES)]


# Lines of COPY's text format. No value of ours holds a tab, a newline or a backslash.


def line(*values: object) -> str:
    """A row."""
    return "\t".join("\\N" if value is None else str(value) for value in values) + "\n"


def tenants(layout: Layout) -> Iterator[str]:
    """core.tenants (id, name)."""
    return (line(identifier(TENANT, n), tenant_name(n)) for n in range(layout.scale.tenants))


def users(layout: Layout) -> Iterator[str]:
    """workspace.users (tenant_id, id, email, name)."""
    for tenant, numbers in enumerate(layout.users):
        for n in numbers:
            yield line(identifier(TENANT, tenant), identifier(USER, n), f"person{n}@example.org",
                       f"Person {n}")  # fmt: skip


def projects(layout: Layout) -> Iterator[str]:
    """workspace.projects (tenant_id, id, name, status, language, current_step, metadata,
    created_by, created_at, updated_at, deleted_at)."""
    chance = seeded()
    for n, tenant in enumerate(layout.tenant_of):
        at = _at(n)
        yield line(
            identifier(TENANT, tenant), identifier(PROJECT, n), project_name(chance),
            chance.choice(STATUSES), language_of(n), chance.randint(1, 4),
            orjson.dumps(metadata(chance)).decode(), identifier(USER, layout.owner(n)), at, at,
            at if layout.deleted(n) else None,
        )  # fmt: skip


def _at(project: int) -> str:
    """When the nth project was made."""
    return (_BEGAN + timedelta(seconds=37 * project)).isoformat()


def members(layout: Layout) -> Iterator[str]:
    """workspace.project_members (tenant_id, id, project_id, user_id, role): the creators, and of a
    skewed scale viewers."""
    number = 0
    for n, tenant in enumerate(layout.tenant_of):
        people = [(layout.owner(n), "owner"), *((user, "viewer") for user in layout.viewers(n))]
        for user, role in people:
            yield line(identifier(TENANT, tenant), identifier(MEMBER, number),
                       identifier(PROJECT, n), identifier(USER, user), role)  # fmt: skip
            number += 1


def counters(layout: Layout) -> Iterator[str]:
    """workspace.document_counters (tenant_id, project_id, document_type, last_version)."""
    for n, tenant in enumerate(layout.tenant_of):
        for kind, last in dict(layout.versions(n)).items():
            yield line(identifier(TENANT, tenant), identifier(PROJECT, n), kind, last)


def documents(layout: Layout, made: list[Content], some: range) -> Iterator[str]:
    """workspace.document_versions (tenant_id, id, project_id, document_type, version, content,
    content_sha256, search, created_at, updated_at) of some projects."""
    tails = [f"{c.text}\t\\\\x{c.sha256}\t{c.vector}\t" for c in made]
    chance = seeded(some.start)
    head = prefix(DOCUMENT)
    number = FIRST + layout.first_document(some.start)
    for n in some:
        ids = f"{identifier(TENANT, layout.tenant_of[n])}\t{head}", identifier(PROJECT, n)
        at = _at(n)
        first = n % len(LANGUAGES) * CONTENTS
        for kind, version in layout.versions(n):
            tail = tails[first + int(chance.random() * CONTENTS)]
            yield f"{ids[0]}{number}\t{ids[1]}\t{kind}\t{version}\t{tail}{at}\t{at}\n"
            number += 1


# What only a skewed scale has.


def keys(layout: Layout) -> Iterator[str]:
    """core.api_keys (tenant_id, id, secret_hash, scopes, user_id): one for each user."""
    for tenant, numbers in enumerate(layout.users):
        for n in numbers:
            yield line(identifier(TENANT, tenant), identifier(KEY, n), sha256_of(n),
                       "{projects:read}", identifier(USER, n))  # fmt: skip


def answers(layout: Layout) -> Iterator[str]:
    """core.idempotency (tenant_id, actor, key, request_hash, status, headers, body, expires_at)."""
    for n in range(0, layout.scale.projects, ANSWERS):
        location = f'[["location", "/projects/{identifier(PROJECT, n)}"]]'
        yield line(identifier(TENANT, layout.tenant_of[n]), "key:example", f"create-{n}",
                   sha256_of(n), 201, location, "\\\\x7b7d",
                   _FAR if n % 100 else _at(n))  # fmt: skip


def events(layout: Layout, month: datetime) -> Iterator[str]:
    """audit.events (tenant_id, at, id, actor, table_name, row_id, action, after) of one month:
    the creation of users and projects."""
    rows = [("workspace.users", identifier(USER, n), tenant)
            for tenant, numbers in enumerate(layout.users) for n in numbers]  # fmt: skip
    rows += [("workspace.projects", identifier(PROJECT, n), layout.tenant_of[n])
             for n in range(0, layout.scale.projects, EVENTS)]  # fmt: skip
    for n, (table, row, tenant) in enumerate(rows):
        yield line(identifier(TENANT, tenant), (month + timedelta(seconds=n)).isoformat(),
                   identifier(EVENT, n), "key:example", table, row, "insert",
                   f'{{"id": "{row}", "name": "Example {n}"}}')  # fmt: skip


def executions(layout: Layout, month: datetime) -> Iterator[str]:
    """workspace.agent_executions (tenant_id, id, project_id, agent_type, correlation_id, status,
    requested_by, started_at, heartbeat_at, completed_at, created_at) of one month: of ten in a row
    eight have ended, one runs and one waits."""
    number = 0
    for n, tenant in enumerate(layout.tenant_of):
        for _ in range(layout.executions(n)):
            at = month + timedelta(seconds=number)
            begun = at.isoformat() if number % 10 else None
            ended = (at + timedelta(seconds=1 + number % 60)).isoformat()
            status = ("pending", "running")[number % 10] if number % 10 < 2 else "completed"
            yield line(identifier(TENANT, tenant), identifier(EXECUTION, number),
                       identifier(PROJECT, n), ("writer", "critic")[number % 2],
                       f"run-{number // 10}", status, identifier(USER, layout.owner(n)), begun,
                       begun, ended if status == "completed" else None,
                       at.isoformat())  # fmt: skip
            number += 1


def topic_events(layout: Layout) -> Iterator[str]:
    """core.topic_events
    (tenant_id, topic, topic_id, sequence, event, data): that each run was asked for."""
    number = 0
    for n, tenant in enumerate(layout.tenant_of):
        for _ in range(layout.executions(n)):
            ids = identifier(TENANT, tenant), "execution", identifier(EXECUTION, number)
            yield line(*ids, 1, "status", '{"version": 1}')
            number += 1


def sha256_of(number: int) -> str:
    """A hash, as bytea."""
    return "\\\\x" + hashlib.sha256(str(number).encode()).hexdigest()
