"""The vocabulary as pages for people: the verbs, and the attributes that a dictionary begins with.

Both are rows, so the pages are what the database has now. They tell nothing of any tenant and are
open like the rest of the documentation.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from service.database.tree import sql
from service.dsl.registry import ArgumentSpec, Verb
from service.http.context import context, session
from service.http.routing import Endpoint
from service.resources.docs import html
from service.resources.dsl import registry

_STARTER = "pages.starter"
_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#dfded9, #33373d);
  --quiet: light-dark(#60666e, #99a1ab); --accent: light-dark(#8a4b12, #e0a063); }
body { margin: 0 auto; max-width: 72rem; padding: 1rem 1.25rem 6rem;
  font: 15px/1.55 system-ui, sans-serif; color: light-dark(#23262a, #dcdfe3);
  background: light-dark(#fbfbfa, #16181b); }
h1 { font-size: 1.3rem; } h2 { margin-top: 2rem; font-size: 1.1rem; } h3 { font-size: 1rem; }
a { color: var(--accent); } code { font: .88em ui-monospace, "DejaVu Sans Mono", monospace; }
table { width: 100%; border-collapse: collapse; font-size: .92em; }
td { padding: .25rem .8rem .25rem 0; border-top: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; } .quiet { color: var(--quiet); }
"""


async def verbs(request: Request) -> Response:
    """The verbs of the case language with their arguments, to be read."""
    known = (await registry(request)).verbs.values()
    parts = [
        f"<p>{len(known)} verbs. They are data: a verb of a known effect is a row of "
        "<code>cases.verbs</code>, and this page shows it. Required arguments are marked !. "
        "As JSON: <code>GET /dsl/verbs</code>.</p>"
    ]
    ordered = sorted(known, key=lambda verb: (verb.domain, verb.name))
    for domain, group in groupby(ordered, key=lambda verb: verb.domain):
        parts.append(f"<h2>{escape(domain) or 'without a domain'}</h2>")
        parts += map(_verb, group)
    return html(request, _page("The verbs", parts))


def _verb(verb: Verb) -> str:
    name, effect = escape(verb.name), escape(verb.effect)
    more = f" Deprecated: use <code>{escape(verb.replacement or '')}</code>." * verb.deprecated
    head = f'<h3 id="{name}"><code>{name}</code> <span class="quiet">{effect}</span></h3>'
    rows = "".join(map(_argument, verb.arguments))
    return f"{head}<p>{escape(verb.summary)}{more}</p><table>{rows}</table>"


def _argument(spec: ArgumentSpec) -> str:
    name = f"<code>:{escape(spec.name)}</code>{' !' * spec.required}"
    also = " ".join(f"<code>:{escape(alias)}</code>" for alias in spec.aliases)
    return _row(name, f"<code>{escape(str(spec.kind))}</code>", also, escape(spec.summary))


async def dictionary(request: Request) -> Response:
    """The attributes that every tenant's dictionary begins with, to be read."""
    extras = context(request).process.extras
    if _STARTER not in extras:  # only a migration changes it
        async with session(request) as db:
            extras[_STARTER] = orjson.loads(await db.many(sql.dsl.starter))
    known = extras[_STARTER]
    parts = [
        f"<p>{len(known)} attributes. Every tenant begins with them and changes its own: "
        "<code>GET /dictionary</code> has those, <code>?q=</code> finds them by words.</p>"
    ]
    for group, members in groupby(known, key=lambda attribute: attribute["group_id"]):
        rows = "".join(map(_attribute, members))
        parts.append(f"<h2>{escape(group)}</h2><table>{rows}</table>")
    return html(request, _page("The dictionary", parts))


def _attribute(attribute: dict[str, Any]) -> str:
    rules = orjson.dumps(attribute["rules"]).decode() if attribute["rules"] else ""
    return _row(
        f"<code>{escape(attribute['name'])}</code>", f"<code>{escape(attribute['mask'])}</code>",
        f"<code>{escape(rules)}</code>", escape(attribute["long_description"]),
        f'<span class="quiet">{escape(attribute["sensitivity"])}</span>',
    )  # fmt: skip


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _page(title: str, parts: Iterable[str]) -> bytes:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>Quarry: {title}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        '<p><a href="../docs">The interface</a> · <a href="verbs">The verbs</a> · '
        f'<a href="dictionary">The dictionary</a></p>\n{"".join(parts)}\n</body>\n</html>\n'
    ).encode()


_ASKS = ("database_unavailable", "pool_exhausted", "deadline_exceeded")
ENDPOINTS: list[Endpoint] = [
    Endpoint("GET", "/docs/verbs", verbs, None, "The verbs of the case language, to be read",
             "docs", etag=True, schema={"type": "string"}, media_type="text/html",
             problems=_ASKS),
    Endpoint("GET", "/docs/dictionary", dictionary, None, "The dictionary's beginning, to be read",
             "docs", etag=True, schema={"type": "string"}, media_type="text/html",
             problems=_ASKS),
]  # fmt: skip
