"""Which column of an import may be which field of an asset: by its header, else by its values.

Each suggestion has a confidence of 0 to 1 and says why. A field is suggested to one column only,
the surest; what is like nothing keeps its column in `custom`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from rapidfuzz import fuzz

CUSTOM = "custom"
# what each field of an asset is called in inventories, in normal form
WORDS: dict[str, tuple[str, ...]] = {
    "name": ("name", "asset name", "ci name", "display name", "device name", "resource name"),
    "asset_type": ("asset type", "type", "ci type", "ci class", "class", "category", "device type",
                   "domain type", "sys class name", "resource type", "kind"),
    "hostname": ("hostname", "host name", "host", "server name", "computer name", "machine name",
                 "node name", "vm name", "dns hostname"),
    "fqdn": ("fqdn", "domain", "domain name", "fully qualified domain name", "dns name", "dns"),
    "ip": ("ip", "ip address", "ip addr", "ipv4", "ipv4 address", "primary ip", "address ip"),
    "os": ("os", "operating system", "os name", "platform", "guest os"),
    "os_version": ("os version", "operating system version", "os release", "version os"),
    "environment": ("environment", "env", "stage", "landscape", "tier environment"),
    "location": ("location", "site", "city", "data center", "datacenter", "data centre", "region",
                 "office"),
    "business_owner": ("business owner", "owner", "owned by", "app owner", "application owner",
                       "product owner"),
    "technical_owner": ("technical owner", "managed by", "administrator", "admin", "support group",
                        "technical contact", "it owner"),
    "department": ("department", "dept", "organization", "organization name", "organisation",
                   "agency", "business unit", "division", "cost center name"),
    "application": ("application", "app", "application name", "app name", "business application",
                    "service name", "workload"),
    "technology_stack": ("technology stack", "tech stack", "technology", "technologies", "software",
                         "stack", "framework"),
    "criticality": ("criticality", "business criticality", "importance", "priority", "impact",
                    "business impact"),
    "cpu": ("cpu", "cpus", "cpu count", "cores", "cpu cores", "vcpu", "vcpus", "processors",
            "num cpu"),
    "memory_gb": ("memory", "memory gb", "ram", "ram gb", "mem", "memory size", "memory mb",
                  "total memory"),
    "storage_gb": ("storage", "storage gb", "disk", "disk size", "disk gb", "disk space",
                   "total storage", "capacity"),
    "cost": ("cost", "annual cost", "monthly cost", "price", "purchase cost", "total cost"),
    "dependencies": ("dependencies", "depends on", "dependency", "related systems", "upstream",
                     "connected to", "dependent on"),
}  # fmt: skip
TARGETS = (*WORDS, CUSTOM)

_SIMILAR = 86  # of 100, from which a header is like a word
_BLANK = {"", "(blank)", "n/a", "na", "null", "none", "-", "unknown"}
_FQDN = re.compile(r"([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)+[a-z]{2,}\.?", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}.*|\d{4}/\d{2}/\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4}")
_BOOLEANS = {"yes", "no", "y", "n", "true", "false", "t", "f", "on", "off"}
_ENVIRONMENTS = {"production", "prod", "prd", "staging", "stage", "stg", "test", "qa", "uat", "dev",
                 "development", "dr", "sandbox"}  # fmt: skip
_SYSTEM = re.compile(
    r".*\b(windows|linux|rhel|red hat|ubuntu|debian|centos|aix|solaris|suse|esxi)\b.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One column's: how it was found (exact, synonym, similar, value, none), how sure, and why."""

    source_field: str
    target_field: str
    match_type: str
    confidence: float
    reason: str
    transformation: str | None = None


def suggest(header: Sequence[str], profile: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A suggestion for each column, in the order of the header, as rows of `pipeline.suggest`.

    `profile` is {column: {"top": [[value, times], …], …}}.
    """
    best: dict[str, Suggestion] = {}
    spare: list[tuple[str, list[Suggestion]]] = []
    for column in header:
        values = _values(profile.get(column))
        found = sorted([*_by_header(column), *_by_value(column, values)],
                       key=lambda one: -one.confidence)  # fmt: skip
        spare.append((column, found))
    taken: set[str] = set()
    ranked = sorted(
        ((one, at) for at, (_, found) in enumerate(spare) for one in found),
        key=lambda pair: (-pair[0].confidence, pair[1]),
    )
    for one, _ in ranked:
        if one.source_field not in best and one.target_field not in taken:
            best[one.source_field] = one
            taken.add(one.target_field)
    rows = []
    for position, column in enumerate(header, 1):
        one = best.get(column) or _custom(column, _values(profile.get(column)))
        rows.append(
            {
                "position": position,
                "source_field": column,
                "target_field": one.target_field,
                "match_type": one.match_type,
                "confidence": round(one.confidence, 3),
                "reason": one.reason[:1000],
                "transformation": one.transformation,
            }
        )
    return rows


def normal(header: str) -> str:
    """A header in lower case, its words apart, without units in brackets."""
    text = re.sub(r"\(.*?\)|\[.*?\]", " ", header)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def _by_header(column: str) -> list[Suggestion]:
    words = normal(column)
    if not words:
        return []
    found = []
    for target, names in WORDS.items():
        if words == names[0] or words == target.replace("_", " "):
            found.append(Suggestion(column, target, "exact", 0.98, "it is the field's name"))
        elif words in names:
            # the nearer the front of the list, the surer: two columns may be called alike
            sure = 0.95 - 0.01 * names.index(words)
            reason = f"the header is another word for {target}"
            found.append(Suggestion(column, target, "synonym", sure, reason))
        else:
            name, score = max(
                ((name, fuzz.token_sort_ratio(words, name)) for name in names), key=lambda x: x[1]
            )
            if score >= _SIMILAR:
                reason = f"the header is like “{name}” ({score:.0f} of 100)"
                found.append(Suggestion(column, target, "similar", score / 100 * 0.9, reason))
    return found


def _by_value(column: str, values: list[str]) -> list[Suggestion]:
    for target, fits, what in (
        ("ip", _is_address, "are IP addresses"),
        ("fqdn", lambda v: _FQDN.fullmatch(v) is not None, "are domain names"),
        ("environment", lambda v: v.lower() in _ENVIRONMENTS, "are environments"),
        ("os", lambda v: _SYSTEM.fullmatch(v) is not None, "name operating systems"),
    ):
        share = _share(values, fits)
        if share >= 0.8:
            reason = f"{share:.0%} of its frequent values {what}"
            return [Suggestion(column, target, "value", 0.7 * share, reason)]
    return []


def _custom(column: str, values: list[str]) -> Suggestion:
    if _share(values, lambda v: v.lower() in _BOOLEANS) == 1:
        return Suggestion(column, CUSTOM, "value", 0.5, "yes or no; like no field", "boolean")
    if _share(values, lambda v: _DATE.fullmatch(v) is not None) >= 0.9:
        return Suggestion(column, CUSTOM, "value", 0.5, "dates; like no field", "date")
    return Suggestion(column, CUSTOM, "none", 0.3, "neither header nor values are like a field")


def _values(column: Any) -> list[str]:
    """The frequent values of a column that say something."""
    top = column.get("top") if isinstance(column, Mapping) else None
    found = []
    for entry in top or []:
        if isinstance(entry, Mapping):
            value = entry.get("value")
        else:
            value = entry[0] if isinstance(entry, list) and entry else entry
        if isinstance(value, str) and value.strip().lower() not in _BLANK:
            found.append(value.strip())
    return found


def _share(values: list[str], fits: Any) -> float:
    return sum(1 for value in values if fits(value)) / len(values) if values else 0.0


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True
