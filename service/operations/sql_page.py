"""The page of all queries and tables: one file of HTML that needs nothing else, and no JavaScript
to be read. Every text that comes from a file or the database is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any, Final
from urllib.parse import quote

from service.database.header import Param
from service.database.lexer import Kind, LexError, scan
from service.database.queries import Query
from service.operations.sql_facts import Facts, Touch, gather
from service.operations.usage import Usage, User

__all__ = ["highlighted", "page", "render"]

_TEMPLATE: Final = Path(__file__).with_name("sql_page.html")
_CLASSES: Final = {
    Kind.COMMENT: "c", Kind.STRING: "s", Kind.DOLLAR: "s", Kind.NUMBER: "n",
    Kind.PLACEHOLDER: "p", Kind.POSITIONAL: "p",
}  # fmt: skip
_COLUMNS: Final = {
    "type": "type", "": "small", "size": "small", "for": "small",
    "default": "code", "definition": "code", "condition": "code",
}  # fmt: skip
_OTHERS: Final = {
    "admin": "Admin listener", "http": "For many requests", "job": "Jobs",
    "service": "By itself", "command": "Commands",
}  # fmt: skip


def render(dsn: str, queries: Mapping[str, Query], usage: Usage) -> bytes:
    """The page of what is there now. Raises ConnectionError, psycopg.Error. Blocks."""
    return page(gather(dsn, queries, usage))


def page(facts: Facts) -> bytes:
    """The page; the same for the same facts."""
    counts = f"{len(facts.queries)} queries · {len(facts.tables)} tables"
    return (
        Template(_TEMPLATE.read_text("utf-8"))
        .substitute(
            title=f"SQL of {escape(facts.database)}",
            about=f"{counts} · PostgreSQL {escape(facts.server_version)}",
            nav="\n".join(_nav(facts)),
            main="\n".join(_main(facts)),
        )
        .encode()
    )


def _nav(facts: Facts) -> Iterator[str]:
    links = {"#endpoints": "Endpoints", "#others": "Commands and background work"}
    for target, text in links.items():
        yield f'<a class="plain" href="{target}">{text}</a>'
    for folder, queries in _folders(facts):
        yield f"<div><h2>{escape(folder)}</h2>"
        yield from (f'<a href="{_to("q", q.name)}">{escape(q.name)}</a>' for q in queries)
        yield "</div>"
    for schema, names in _schemas(facts.tables):
        yield f"<div><h2>tables of {escape(schema)}</h2>"
        yield from (f'<a href="{_to("t", name)}">{escape(name)}</a>' for name in names)
        yield "</div>"
    for schema, names in _schemas(facts.functions):
        yield f"<div><h2>functions of {escape(schema)}</h2>"
        yield from (f'<a href="{_to("f", name)}">{escape(name)}</a>' for name in names)
        yield "</div>"


def _main(facts: Facts) -> Iterator[str]:
    yield from _findings(facts)
    yield "<section><h2>Queries</h2>"
    for folder, queries in _folders(facts):
        yield f"<section><h3>{escape(folder)}</h3>"
        yield from (_query(query, facts) for query in queries)
        yield "</section>"
    yield "</section><section><h2>Tables</h2>"
    yield from (_table(name, table, facts) for name, table in facts.tables.items())
    yield "</section><section><h2>Functions</h2>"
    yield from (_function(name, each, facts) for name, each in facts.functions.items())
    yield '</section><section><h2 id="endpoints">Endpoints</h2>'
    yield _users([u for u in facts.usage.by_user if u.kind == "endpoint"], facts)
    yield '</section><section><h2 id="others">Commands and background work</h2>'
    for kind, title in _OTHERS.items():
        users = [user for user in facts.usage.by_user if user.kind == kind]
        yield f"<section><h3>{title}</h3>{_users(users, facts)}</section>" if users else ""
    yield "</section>"


def _findings(facts: Facts) -> Iterator[str]:
    found = list(facts.findings())
    if found:
        yield "<section><h2>Findings</h2>"
        for about, what in found:
            target = _to("q" if about in facts.queries else "t", about)
            yield f'<p class="finding" data-words="{escape(about)}"><a href="{target}">' \
                  f"{escape(about)}</a> {escape(what)}</p>"  # fmt: skip
        yield "</section>"


# a query


def _query(query: Query, facts: Facts) -> str:
    users = facts.usage.of(query.name)
    touches = facts.touches[query.name]
    header = query.header
    answer = facts.described[query.name]
    uses = f"{len(users)} {'user' if len(users) == 1 else 'users'}"
    summary = (
        f'<span class="kind {query.kind}">:{query.kind}</span>'
        f'<span class="name">{escape(query.name)}</span>'
        f'<span class="prose">{escape(" ".join(header.prose))}</span>'
        + (f'<span class="uses">{uses}</span>' if users else '<span class="bad">unused</span>')
    )
    body = [
        f"<p>{_prose(' '.join(header.prose))}</p>",
        _facts_of(query),
        _part("Used by", "".join(_user_chip(user) for user in users)),
        _part("Tables", "".join(_touch_chip(touch) for touch in touches)),
        _part("Parameters", _rows(("name", "type", "", ""), map(_parameter, query.params))),
        _part("Answer", _rows(("column", "type", ""), (
            (c.name, c.type, "may be NULL" if c.name in header.nulls else "")
            for c in answer.columns
        ))),
        _part("SQL", _pre(query.text)),
        '<details class="inner"><summary>As PostgreSQL receives it</summary>'
        f"{_pre(query.wire)}</details>",
    ]  # fmt: skip
    words = [
        query.name, query.kind, *header.prose, *(p.name for p in query.params),
        *(c.name for c in answer.columns), *(t.table for t in touches), *(u.name for u in users),
    ]  # fmt: skip
    return _card("q", query.name, summary, body, words)


def _facts_of(query: Query) -> str:
    header = query.header
    facts = {
        "tenant": "held to :tenant_id" if "tenant_id" in query.order else None,
        "writes": "needs a transaction that may write" if query.writes else None,
        "etag": header.etag,
        "cursor": ", ".join(f"{name} desc" if down else name for name, down in query.cursor),
        "plan": header.plan,
        "budget": f"{header.budget:g} ms" if header.budget else None,
        "route": header.route,
        **{f"allows {code}": reason for code, reason in header.allow.items()},
    }
    shown = (f"{escape(word)}: {escape(str(value))}" for word, value in facts.items() if value)
    return f'<p class="quiet">{" · ".join(shown)}</p>'


def _parameter(param: Param) -> tuple[str, str, str, str]:
    return param.name, param.type, "may be NULL" if param.nullable else "", param.note


# a table, a function


def _table(name: str, table: Mapping[str, Any], facts: Facts) -> str:
    queries = facts.queries_of(name)
    comment = table["comment"] or ""
    size = f"{_count(table['rows'])} rows, {_bytes(table['bytes'])}"
    summary = (
        f'<span class="name">{escape(name)}</span><span class="prose">{escape(comment)}</span>'
        f'<span class="uses">{size}</span>'
    )
    columns = [
        (c["name"], c["type"], "" if c["not_null"] else "may be NULL", _default(c),
         c["comment"] or "")
        for c in table["columns"] or ()
    ]  # fmt: skip
    indexes = [
        (i["name"], "" if i["valid"] else "INVALID", _bytes(i["bytes"]), i["definition"])
        for i in table["indexes"] or ()
    ]
    policies = [
        (p["name"], p["command"], ", ".join(p["roles"]), p["using"] or p["check"] or "")
        for p in table["policies"] or ()
    ]
    chips = "".join(_query_chip(query.name, touch) for query, touch in queries)
    users = {u: None for query, _ in queries for u in facts.usage.of(query.name, "endpoint")}
    body = [
        f"<p>{_prose(comment)}</p>",
        f'<p class="quiet">{escape(" · ".join(_about(table)))}</p>',
        _part("Queries", chips or '<p class="quiet">No query names it.</p>'),
        _part("Endpoints", "".join(_user_chip(user) for user in users)),
        _part("Columns", _rows(("name", "type", "", "default", "meaning"), columns)),
        _part("Indexes", _rows(("name", "", "size", "definition"), indexes)),
        _part("Constraints", _rows(("name", "definition"), _pairs(table["constraints"]))),
        _part("Policies", _rows(("name", "for", "to", "condition"), policies)),
        _part("Triggers", _rows(("name", "definition"), _pairs(table["triggers"]))),
        _part("Referenced by", "".join(
            f'<a class="chip" href="{_to("t", k["table"])}">{escape(k["table"])} '
            f'<span class="way">{escape(k["name"])}</span></a>'
            for k in table["referenced_by"] or ()
        )),
        _part("Definition", _pre(table["definition"])) if table["definition"] else "",
    ]  # fmt: skip
    words = [name, comment, *(c[0] for c in columns), *(i[0] for i in indexes),
             *(q.name for q, _ in queries), *(u.name for u in users)]  # fmt: skip
    return _card("t", name, summary, body, words)


def _about(table: Mapping[str, Any]) -> Iterator[str]:
    yield table["kind"]
    if table["partitions"]:
        yield f"{table['partitions']} partitions"
    if table["row_security"]:
        yield f"row-level security {'forced' if table['row_security_forced'] else 'not forced'}"
    if table["kind"] == "view":
        yield f"with the rights of its {'reader' if table['security_invoker'] else 'owner'}"


def _default(column: Mapping[str, Any]) -> str:
    value = column["default"] or ""
    return f"generated: {value}" if column["generated"] else value


def _pairs(items: Iterable[Mapping[str, Any]] | None) -> Iterator[tuple[str, str]]:
    return ((item["name"], item["definition"]) for item in items or ())


def _function(name: str, function: Mapping[str, Any], facts: Facts) -> str:
    comment = function["comment"] or ""
    summary = (
        f'<span class="name">{escape(name)}</span><span class="prose">{escape(comment)}</span>'
        f'<span class="uses">{escape(function["language"])}</span>'
    )
    callers = [q for q, touches in facts.touches.items() if any(name in t.way for t in touches)]
    firing = [
        table for table, each in facts.tables.items()
        if any(trigger["function"] == name for trigger in each["triggers"] or ())
    ]  # fmt: skip
    rights = "with the rights of its owner" if function["definer"] else ""
    about = f"({function['arguments']}) → {function['result']}"
    body = [
        f"<p>{_prose(comment)}</p>",
        f'<p class="quiet"><code>{escape(about)}</code> {rights}</p>',
        _part("Queries", "".join(_query_chip(query) for query in callers)),
        _part("Trigger of", "".join(_chip("t", table) for table in firing)),
        _part("Body", _pre((function["body"] or "").strip())),
    ]
    return _card("f", name, summary, body, [name, comment, *callers, *firing])


# who uses what


def _users(users: list[User], facts: Facts) -> str:
    lines = []
    for user in users:
        asked = facts.usage.by_user[user]
        queries = "".join(_chip("q", name) for name in asked)
        tables = "".join(_chip("t", name) for name in facts.tables_of(asked))
        words = escape(" ".join([user.name, user.note, *asked, *facts.tables_of(asked)]))
        lines.append(
            f'<tr id="{escape(_id("u", user.name))}" data-words="{words}">'
            f'<td><span class="name">{escape(user.name)}</span>'
            f'<br><span class="quiet">{escape(user.note)}</span></td>'
            f"<td>{queries}</td><td>{tables}</td></tr>"
        )
    head = "<tr><th>who</th><th>queries</th><th>tables</th></tr>"
    return f'<div class="scroll"><table><thead>{head}</thead>{"".join(lines)}</table></div>'


# small parts


def _card(kind: str, name: str, summary: str, body: Iterable[str], words: Iterable[str]) -> str:
    found = escape(" ".join(dict.fromkeys(words)))
    return (
        f'<details class="card" id="{escape(_id(kind, name))}" data-words="{found}">'
        f"<summary>{summary}</summary><div>{''.join(body)}</div></details>"
    )


def _part(title: str, content: str) -> str:
    return f"<h3>{title}</h3>{content}" if content else ""


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table whose first column is a name; how the others look is told by their titles."""
    classes = ["name", *(_COLUMNS.get(title, "") for title in head[1:])]
    lines = [
        "".join(
            f'<td class="{kind}">{highlighted(cell) if kind == "code" else escape(cell)}</td>'
            for kind, cell in zip(classes, row, strict=True)
        )
        for row in rows
    ]
    if not lines:
        return ""
    titles = "".join(f"<th>{title}</th>" for title in head)
    content = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead>{content}</table></div>'


def _chip(kind: str, name: str) -> str:
    return f'<a class="chip" href="{_to(kind, name)}">{escape(name)}</a>'


def _user_chip(user: User) -> str:
    return f'<a class="chip" href="{_to("u", user.name)}">{escape(user.name)}</a>'


def _touch_chip(touch: Touch) -> str:
    way = f' <span class="way">by {escape(" → ".join(touch.way))}</span>' if touch.way else ""
    kind = "chip writes" if touch.writes else "chip"
    return f'<a class="{kind}" href="{_to("t", touch.table)}">{escape(touch.table)}{way}</a>'


def _query_chip(name: str, touch: Touch | None = None) -> str:
    way = (
        f' <span class="way">by {escape(" → ".join(touch.way))}</span>'
        if touch and touch.way
        else ""
    )
    kind = "chip writes" if touch and touch.writes else "chip"
    return f'<a class="{kind}" href="{_to("q", name)}">{escape(name)}{way}</a>'


def _prose(text: str) -> str:
    """Text in which `code` stands between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _pre(text: str) -> str:
    return f"<pre>{highlighted(text)}</pre>"


def highlighted(text: str) -> str:
    """SQL as HTML: keywords are what is written in capitals, as they are in this house."""
    try:
        tokens = scan(text)
    except LexError:
        return escape(text)
    parts, at = [], 0
    for token in tokens:
        kind = _CLASSES.get(token.kind)
        if token.kind is Kind.WORD and token.text.isupper():
            kind = "k"
        shown = escape(token.text)
        parts.append(escape(text[at : token.start]))
        parts.append(f'<span class="{kind}">{shown}</span>' if kind else shown)
        at = token.end
    return "".join(parts) + escape(text[at:])


def _folders(facts: Facts) -> list[tuple[str, list[Query]]]:
    ordered = sorted(facts.queries.values(), key=lambda query: query.name)
    by_folder = groupby(ordered, key=lambda query: query.name.partition(".")[0])
    return [(folder, list(queries)) for folder, queries in by_folder]


def _schemas(names: Iterable[str]) -> list[tuple[str, list[str]]]:
    by_schema = groupby(sorted(names), key=lambda name: name.partition(".")[0])
    return [(schema, list(inside)) for schema, inside in by_schema]


def _id(kind: str, name: str) -> str:
    return f"{kind}-{name.replace(' ', '-')}"


def _to(kind: str, name: str) -> str:
    return "#" + quote(_id(kind, name), safe="/{}.-_")


def _count(rows: float | None) -> str:
    return "unknown" if rows is None or rows < 0 else f"≈ {rows:,.0f}"


def _bytes(size: float | None) -> str:
    value = float(size or 0)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
