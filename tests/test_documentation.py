"""Documentation that can be checked is checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from service.cli import app
from service.http.routing import RouteTable
from service.resources import ENDPOINTS
from tests.support.generate_docs import DOCS, PAGES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run python -m tests.support.generate_docs"


def test_the_readme_names_every_endpoint_and_no_other() -> None:
    table = README.split("| endpoint |")[1].split("\n\n")[0]
    named = set(re.findall(r"/[A-Za-z_{}./-]+", re.sub(r"(GET|POST|PUT|PATCH|DELETE)/", "", table)))
    assert named == {e.path for e in ENDPOINTS}


def test_every_command_in_the_documentation_exists() -> None:
    command = get_command(app)
    pages = [README, *(page.read_text() for page in DOCS.glob("*.md"))]
    named = {m for page in pages for m in re.findall(r"quarry ((?:[a-z]+ ?){1,2})", page)}
    assert named
    for words in named:
        group = command.commands.get(words.split()[0])  # type: ignore[attr-defined]
        if group is None:
            continue  # prose that says "quarry" and goes on
        rest = words.split()[1:]
        if rest and hasattr(group, "commands"):
            assert rest[0] in group.commands, f"quarry {words}"


def test_every_command_has_help() -> None:
    def walk(name: str, command: object) -> None:
        assert getattr(command, "help", None), name
        for child, inner in getattr(command, "commands", {}).items():
            walk(f"{name} {child}", inner)

    walk("quarry", get_command(app))


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *DOCS.glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_no_two_endpoints_share_a_method_and_path() -> None:
    RouteTable(ENDPOINTS)
