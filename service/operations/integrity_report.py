"""The outcome of the checks as one page that needs no network: for a manager, and to keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template

from service.checks import Outcome, State, title
from service.database.queries import Query

__all__ = ["html", "verdict"]

_PAGE = Path(__file__).parent / "integrity_report.html"
_SHOWN = 10  # rows of evidence per check
_PLACES = 6  # tables named per kind of damage
_MEANING = {  # what to call it, what it means, what to do
    "dangling link": (
        "Links to something that is gone",
        "Records point at something that is no longer there.",
        "Let the operator run the repair: it mends what is certain and sets the rest aside.",
    ),
    "missing link": (
        "Lost links",
        "Records have lost what they belong to, so nobody finds them any more.",
        "Let the operator run the repair: it finds most of them again, and says how sure it is.",
    ),
    "childless parent": (
        "Begun and left empty",
        "Something was begun, and what belongs to it is absent.",
        "Ask whoever began it whether it is needed; then restore it from a backup or begin anew.",
    ),
    "tenant mismatch": (
        "Customers mixed up",
        "Data of two customers is mixed up.",
        "Treat this as a security incident: tell the person in charge now, and repair afterwards.",
    ),
    "project mismatch": (
        "Projects mixed up",
        "Data of two projects of one customer is mixed up.",
        "Let the operator run the repair, and tell the projects.",
    ),
    "link mismatch": (
        "Links that contradict each other",
        "Records belong to two things at once that do not belong together.",
        "Let the operator look at each of them: only a person can tell which is right.",
    ),
    "illegal state": (
        "Impossible states",
        "Records are in a state that the rules do not allow, or that they cannot have come to.",
        "Let the operator look at each of them: only a person can tell what is true.",
    ),
    "duplicate": (
        "Duplicates",
        "Something that may be there once is there several times.",
        "Let the operator run the repair: it keeps the oldest and sets the others aside.",
    ),
    "count mismatch": (
        "Numbers that do not add up",
        "Numbers do not add up: data may be lost.",
        "Find out since when, and compare with a backup from before.",
    ),
    "schema drift": (
        "Safeguards of the database changed",
        "The database's own safeguards are not those that were released. New damage can get in.",
        "Have it put back as soon as the data allows, and find out who changed it and why.",
    ),
    "file missing": (
        "Files missing",
        "Files that were promised are not on the disk.",
        "Restore them from a backup; exports can be made again.",
    ),
    "orphaned file": (
        "Files that nobody knows",
        "Files take up room and nothing refers to them.",
        "Nothing is lost. The service removes them in time; if it does not, look at its log.",
    ),
}
_WORDS: dict[State, str] = {"PASS": "in order", "FAIL": "damage", "ERROR": "not checked"}


def verdict(outcomes: Sequence[Outcome]) -> tuple[State, str]:
    """The worst state of all, and the outcome in a sentence."""
    failed = [o for o in outcomes if o.state == "FAIL"]
    broken = [o for o in outcomes if o.state == "ERROR"]
    rows = sum(o.count for o in failed)
    parts = []
    if failed:
        parts.append(f"{_some(len(failed), 'check')} found damage, {_some(rows, 'finding')} in all")
    if broken:
        parts.append(f"{_some(len(broken), 'check')} could not run, so nothing is known there")
    if not parts:
        return "PASS", f"All {len(outcomes)} checks passed: no damage was found."
    text = "; ".join(parts)
    return ("ERROR" if broken else "FAIL"), f"{text[0].upper()}{text[1:]}."


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def html(
    outcomes: Sequence[Outcome], queries: Mapping[str, Query], database: str, at: datetime
) -> str:
    """The page. `database` is named on it, so it must hold no password."""
    state, sentence = verdict(outcomes)
    kinds: dict[str, list[Outcome]] = {}
    for each in sorted((o for o in outcomes if o.state == "FAIL"), key=_urgency):
        kinds.setdefault(each.check.kind, []).append(each)
    attention = "".join(_finding(found, queries) for found in kinds.values())
    attention += _unknown([o for o in outcomes if o.state == "ERROR"], queries)
    failed = sum(o.state == "FAIL" for o in outcomes)
    return Template(_PAGE.read_text("utf-8")).substitute(
        state="fail" if failed else state.lower(),
        headline="Damage found" if failed else "Incomplete" if state == "ERROR" else "In order",
        sentence=escape(sentence),
        database=escape(database),
        at=at.strftime("%d %B %Y, %H:%M UTC"),
        passed=sum(o.state == "PASS" for o in outcomes),
        failed=failed,
        errors=sum(o.state == "ERROR" for o in outcomes),
        rows=f"{sum(o.count for o in outcomes):,}",
        attention=f"<h2>What needs attention</h2>{attention}" if attention else "",
        checks="".join(_line(o, queries) for o in outcomes),
    )


def _urgency(found: Outcome) -> tuple[int, int]:
    """Customers mixed up first, then what lets new damage in, then the most."""
    return {"tenant mismatch": -2, "schema drift": -1}.get(found.check.kind, 0), -found.count


def _line(found: Outcome, queries: Mapping[str, Query]) -> str:
    number = f"{found.count:,}" if found.state == "FAIL" else ""
    return (
        f'<tr><td><span class="badge {found.state.lower()}">{_WORDS[found.state]}</span></td>'
        f"<td>{escape(title(queries[found.check.query]))}</td><td class=number>{number}</td></tr>"
    )


def _finding(found: Sequence[Outcome], queries: Mapping[str, Query]) -> str:
    """All that was found of one kind."""
    name, means, do = _MEANING[found[0].check.kind]
    count = sum(each.count for each in found)
    places = {
        (row["table_name"], row["kind"]): row["count"] for each in found for row in each.evidence
    }
    most = sorted(places.items(), key=lambda place: -place[1])
    where = [f"<b>{number:,}</b> in {_place(*place)}" for place, number in most[:_PLACES]]
    if len(most) > _PLACES:
        where.append(f"<b>{sum(n for _, n in most[_PLACES:]):,}</b> elsewhere")
    details = "".join(_details(each, queries) for each in found)
    return (
        f'<article class="fail"><h3>{name}<span>{count:,}</span></h3><p>{means} '
        f"Here: {', '.join(where)}.</p><p><b class=do>What to do:</b> {do}</p>{details}</article>"
    )


def _details(found: Outcome, queries: Mapping[str, Query]) -> str:
    shown = "".join(
        f"<tr><td>{escape(str(row['table_name'] or ''))}</td>"
        f"<td><code>{escape(str(row['tenant_id'] or 'all'))}</code></td>"
        f"<td><code>{escape(str(row['row_id'] or ''))}</code></td>"
        f"<td>{escape(row['detail'])}</td></tr>"
        for row in found.evidence[:_SHOWN]
    )
    more = found.count - min(len(found.evidence), _SHOWN)
    rest = f"<p class=more>and {more:,} more</p>" if more > 0 else ""
    return (
        f"<details><summary>For the operator: <code>{escape(found.check.name)}</code>, with "
        f"examples</summary><p>{escape(title(queries[found.check.query]))}</p><table><thead><tr>"
        f"<th>Table<th>Customer<th>Row<th>What was found</tr></thead><tbody>{shown}</tbody></table>"
        f"{rest}</details>"
    )


def _unknown(broken: Sequence[Outcome], queries: Mapping[str, Query]) -> str:
    """All that could not be checked."""
    if not broken:
        return ""
    rows = "".join(
        f"<tr><td>{escape(title(queries[each.check.query]))}</td>"
        f"<td>{escape(each.error or '')}</td><td><code>{escape(each.check.name)}</code></td></tr>"
        for each in broken
    )
    return (
        f'<article class="error"><h3>Not checked<span>{_some(len(broken), "check")}</span></h3>'
        "<p>Of this nothing is known, neither good nor bad.</p><p><b class=do>What to do:</b> mend "
        "the cause and check again.</p><details><summary>For the operator: the causes</summary>"
        "<table><thead><tr><th>What was to be looked for<th>Why that could not be<th>Check</tr>"
        f"</thead><tbody>{rows}</tbody></table></details></article>"
    )


def _place(table: str, kind: str) -> str:
    """A table and what is wrong with it as words: discovery.raw_records, asset_id -> raw records
    (asset)."""
    thing = str(table).partition(".")[2].replace("_", " ")
    return f"{escape(thing)} ({escape(kind.removesuffix('_id').replace('_', ' '))})"
