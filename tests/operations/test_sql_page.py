"""The page of all queries and tables: whole, closed in itself, and safe whatever the texts hold."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from service.cli.commands import functions
from service.database.queries import load
from service.operations import sql_page
from service.operations.sql_facts import Facts, gather
from service.operations.usage import Usage, find
from service.resources import ADMIN_ENDPOINTS, ENDPOINTS
from tests.conftest import Served
from tests.support.cluster import Database

SQL = Path(__file__).parents[2] / "sql"
LOADS = {"src", "srcset", "data", "poster", "action", "formaction", "background"}


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href" and tag == "a":
                self.links.append(unquote(value or ""))
            elif name in LOADS or (name == "href" and value != "data:,"):
                self.loads.append(f"{tag} {name}={value}")
            assert not name.startswith("on"), (tag, name)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def facts(module_database: Database) -> Facts:
    usage = find(ENDPOINTS, ADMIN_ENDPOINTS, functions())
    return gather(module_database.app_dsn, load(SQL), usage)


@pytest.fixture(scope="module")
def page(facts: Facts) -> Page:
    return Page(sql_page.page(facts))


def test_every_query_table_function_and_user_has_its_place(page: Page, facts: Facts) -> None:
    ids = set(page.ids)
    assert {f"q-{name}" for name in facts.queries} <= ids
    assert {f"t-{name}" for name in facts.tables} <= ids
    assert {f"f-{name}" for name in facts.functions} <= ids
    assert {f"u-{user.name.replace(' ', '-')}" for user in facts.usage.by_user} <= ids
    assert len(ids) == len(page.ids), "an id stands twice"


def test_every_link_leads_somewhere_on_the_page(page: Page) -> None:
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)


def test_it_loads_nothing(page: Page) -> None:
    content = (Path(sql_page.__file__).with_name("sql_page.html")).read_text()
    assert page.loads == []
    assert page.tags["script"] == page.tags["style"] == 1
    assert not re.search(r"@import|url\(|https?:|fetch\(|XMLHttp|innerHTML", content)


def test_every_statement_comment_and_parameter_can_be_read(page: Page, facts: Facts) -> None:
    for query in facts.queries.values():
        assert query.text in page.text
        assert query.wire in page.text
    for table in facts.tables.values():
        for column in table["columns"]:
            assert (column["comment"] or "").replace("`", "") in page.text


def test_it_is_read_without_a_script(page: Page, facts: Facts) -> None:
    """Cards are `details`, so a browser opens them by itself and finds in them."""
    cards = len(facts.queries) + len(facts.tables) + len(facts.functions)
    assert page.tags["details"] == page.tags["summary"] == cards + len(facts.queries)


def test_no_text_becomes_html(database: Database, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    database.psql(f"COMMENT ON TABLE core.tenants IS '{evil.replace(chr(39), chr(39) * 2)}'")
    database.psql(f"COMMENT ON COLUMN core.tenants.name IS $c${evil}$c$")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "up.sql").write_text(
        f"-- name: made.up :value\n-- It says {evil}.\n-- param: a text?  {evil}\n"
        f"SELECT :a || $c${evil}$c$ -- {evil}\n"
    )
    found = Page(sql_page.render(database.app_dsn, load(tmp_path), Usage({})))
    assert found.tags["script"] == 1
    assert found.tags["img"] == 0
    assert found.text.count(evil) >= 5


def test_the_same_facts_give_the_same_page(facts: Facts) -> None:
    assert sql_page.page(facts) == sql_page.page(facts)


def test_a_statement_is_shown_with_its_words_marked() -> None:
    shown = sql_page.highlighted("SELECT 'a<b', :n -- why\n  FROM t")
    assert shown == (
        '<span class="k">SELECT</span> <span class="s">&#x27;a&lt;b&#x27;</span>, '
        '<span class="p">:n</span> <span class="c">-- why</span>\n  <span class="k">FROM</span> t'
    )
    assert sql_page.highlighted("it's <no> SQL") == "it&#x27;s &lt;no&gt; SQL"


def test_the_admin_listener_serves_it_and_the_public_one_does_not(
    served: Served, module_database: Database
) -> None:
    server = served(module_database, jobs=0)
    answer = httpx.get(f"{server.admin_url}/sql/docs")
    assert answer.status_code == 200
    found = Page(answer.content)
    assert "q-projects.list" in found.ids
    assert "quarry key list" in found.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    known = {"If-None-Match": answer.headers["etag"]}
    assert httpx.get(f"{server.admin_url}/sql/docs", headers=known).status_code == 304
    assert httpx.get(f"{server.url}/sql/docs").status_code == 404
    written = server.quarry("sql", "docs", "--out", str(server.folder / "page.html"))
    assert written.returncode == 0, written.stderr
    assert (server.folder / "page.html").read_bytes() == answer.content
    assert server.quarry("sql", "docs").stdout == answer.text
