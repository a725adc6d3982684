"""`quarry demo`: believable data, so that the first `curl` shows something."""

from __future__ import annotations

import random
from typing import Annotated

import orjson
import psycopg
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.cli.bootstrap import DEV_TENANT
from service.cli.output import FOUND, Json, fail, print_json, say, stderr
from service.cli.sessions import operator
from service.database.tree import sql
from service.operations.operator import Operator, OperatorError

_FIRST = (
    "Amara", "Björn", "Chloé", "Dmitri", "Élodie", "Farid", "Greta", "Hồng", "Ines", "Jun", "Kofi",
    "Léa", "Mei", "Noor", "Oksana", "Paulo",
)  # fmt: skip
_LAST = (
    "Almeida", "Bauer", "Chen", "Duarte", "Eriksen", "Fofana", "García", "Hughes", "Ito", "Jansen",
    "Kowalski", "Lê", "Müller",
)  # fmt: skip
_WHAT = (
    "Annual report", "Grant proposal", "Privacy policy", "Onboarding guide", "Market study",
    "Tender",
)  # fmt: skip
_WHOM = (
    "Nordlys", "Cascada", "Blue Harbour", "Mekong Foods", "Atelier Roux", "Kestrel Labs",
    "Ubuntu Health",
)  # fmt: skip
_LANGUAGES = ["en", "en", "de", "fr", "vi", "pt-BR"]
_STATUSES = ["draft", "active", "active", "in_review", "completed"]
_TYPES = ["brief", "outline", "draft"]
_SENTENCES = [
    "The review found three open questions about the budget.",
    "Der Entwurf wurde mit den Beteiligten abgestimmt.",
    "Les délais de livraison ont été confirmés par le fournisseur.",
    "Nhóm đã thống nhất kế hoạch cho quý tới.",
    "All figures are rounded to the nearest thousand.",
]


def demo(
    projects: Annotated[int, typer.Option(min=1, max=100_000, help="How many projects.")] = 200,
    tenant: Annotated[str, typer.Option(help="Whose data it becomes.")] = DEV_TENANT,
    as_json: Json = False,
) -> None:
    """Fill a tenant with users, projects and documents."""
    chance = random.Random(20_26)  # noqa: S311  (the same data each time)
    with operator() as admin:
        try:
            with admin.as_tenant():
                known = admin.run(sql.tenants.find, tenant=tenant)
            if not known:
                admin.add_tenant(tenant)
            made = _fill(admin, tenant, projects, chance)
        except (OperatorError, psycopg.Error) as error:
            fail(str(error), FOUND)
    if as_json:
        print_json(made)
    else:
        say(f"tenant {tenant}: {', '.join(f'{count} {what}' for what, count in made.items())}")


def _fill(admin: Operator, tenant: str, projects: int, chance: random.Random) -> dict[str, int]:
    documents = 0
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=stderr,
    )  # fmt: skip
    with bar, admin.as_tenant(tenant):
        users = _users(admin, chance)
        task = bar.add_task("projects", total=projects)
        for _ in range(projects):
            project = admin.run(sql.projects.create, **_project(chance, users))[0]
            for kind in _TYPES[: chance.randint(0, 3)]:
                for _version in range(chance.randint(1, 3)):
                    admin.run(sql.documents.create, **_document(chance, project["id"], kind))
                    documents += 1
            bar.advance(task)
    return {"users": len(users), "projects": projects, "documents": documents}


def _users(admin: Operator, chance: random.Random) -> list[str]:
    made = []
    for first in _FIRST:
        name = f"{first} {chance.choice(_LAST)}"
        email = f"{orjson.dumps(first).hex()[2:10]}@example.org"
        made.append(admin.run(sql.users.log_in, email=email, name=name, profile=None)[0]["id"])
    return made


def _project(chance: random.Random, users: list[str]) -> dict[str, object]:
    return {
        "name": f"{chance.choice(_WHAT)} for {chance.choice(_WHOM)}",
        "language": chance.choice(_LANGUAGES),
        "status": chance.choice(_STATUSES),
        "current_step": chance.randint(1, 4),
        "metadata": orjson.dumps({"priority": chance.choice(["low", "normal", "high"])}).decode(),
        "created_by": chance.choice(users),
    }


def _document(chance: random.Random, project_id: str, kind: str) -> dict[str, object]:
    return {
        "project_id": project_id,
        "document_type": kind,
        "content": "\n".join(chance.choices(_SENTENCES, k=chance.randint(3, 12))) + "\n",
        "metadata": None,
        "readability_score": round(chance.uniform(40, 95), 2),
        "grammar_score": round(chance.uniform(60, 100), 2),
        "created_by": None,
    }
