"""Tokens of the language: one compiled expression, each character looked at a bounded number of
times whatever is sent (possessive quantifiers: nothing is ever tried again shorter).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from service.dsl.findings import shown

# White space and commas, then one token. A closing quote that is missing gives `unended`.
TOKEN = re.compile(
    r"""[\s,]*+(?:
      (?P<key>:[^\s,()\[\]{}";:@]*+)
    | (?P<string>"(?:[^"\\]++|\\.)*+")
    | (?P<word>[^\W\d][\w.-]*+)
    | (?P<number>[-+.]?[0-9](?:[^\s,()\[\]{}";:]|:(?=[0-9]))*+)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<comment>;[^\n]*+)
    | (?P<attr>@[\w-]*+(?:\{[^{}()\[\]\n;]*+\}?+)?+)
    | (?P<unended>"[^\n]*+)
    | (?P<quoted>'[^'\n]*+' | \u2018[^\u2019\n]*+\u2019 | \xab[^\xbb\n]*+\xbb
        | [\u201c\u201d\u201e][^\u201c\u201d\n]*+[\u201c\u201d])
    | (?P<bad>[^\s,()\[\]{}";:@\w'\u2018\u201c\u201d\u201e\xab-]++|.)
    )""",
    re.VERBOSE | re.DOTALL,
)

NAME = re.compile(r"[^\W\d][\w-]*+(?:\.[^\W\d][\w-]*+)*+\Z")
_NUMBER = re.compile(r"(-?)([0-9]+)(\.[0-9]+)?(%|[A-Z]{3})?\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?\Z", re.DOTALL)
_UNIT = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)([A-Za-z%€$£¥]+)\Z")
_ATTR = re.compile(
    r"""@attr\{\s*+("?)([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\1
        (?::([^\W\d][\w-]*+(?:\.[^\W\d][\w-]*+)*+))?\s*+\}\Z""",
    re.VERBOSE,
)
_ATTR_NAME = re.compile(r'@attr\{:?"?([^\W\d][\w.-]{0,80}+)"?\}\Z')
_ESCAPE = re.compile(r"\\(?:(u[0-9a-fA-F]{4})|(.))", re.DOTALL)
_SIMPLE = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
# What cannot be stored, or does not show: found anywhere in a document.
STRANGE = re.compile("[\x00\ud800-\udfff]")
MOST_DIGITS = 1000
_LOOKALIKE = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}

# ISO 4217, the active codes without funds, metals and tests.
CURRENCIES = frozenset(
    """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN
    BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS
    GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW
    KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD
    NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD
    SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED
    VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG""".split()  # noqa: SIM905
)


class Wrong(NamedTuple):
    """Why a token is none: code, message, place within the token, what would be right."""

    code: str
    message: str
    at: int
    length: int
    suggestion: str = ""


def read_number(token: str) -> tuple[str, str] | Wrong:
    """The number and its unit, both canonical: no leading zeros, "" without a unit."""
    match = _NUMBER.match(token)
    if match is None:
        return _no_number(token)
    sign, whole, fraction, unit = match.groups("")
    if len(whole) + len(fraction) > MOST_DIGITS:
        return Wrong("BAD_NUMBER", f"more than {MOST_DIGITS} digits", 0, len(token))
    if unit and unit != "%" and unit not in CURRENCIES:
        return _bad_unit(token, len(token) - 3)
    whole = whole.lstrip("0") or "0"
    sign = "" if whole == "0" and not fraction else sign
    return sign + whole + fraction, unit


def _no_number(token: str) -> Wrong:
    seen = shown(token)
    if _DATE.match(token):
        return Wrong("BAD_NUMBER", "a date is written as a string", 0, len(token), f'"{seen}"')
    if len(token) > MOST_DIGITS:
        return Wrong("BAD_NUMBER", f'"{seen}" is no number', 0, len(token))
    if match := _UNIT.match(token):
        return _bad_unit(token, match.start(2))
    plain = token.replace("_", "").replace("'", "").removeprefix("+")
    plain = "0" + plain if plain.startswith(".") else plain.removesuffix(".")
    hint = plain if _NUMBER.match(plain) else f'"{seen}"'
    return Wrong("BAD_NUMBER", f'"{seen}" is no number', 0, len(token), hint)


def _bad_unit(token: str, at: int) -> Wrong:
    unit = token[at:]
    code = _LOOKALIKE.get(unit, unit.upper()[:3])
    hint = token[:at] + code if code in CURRENCIES and len(unit) <= 4 else ""
    message = f'"{shown(unit)}" is neither % nor a currency code of ISO 4217'
    return Wrong("BAD_UNIT", message, at, len(unit), hint)


def read_attr(token: str) -> tuple[str, str] | Wrong:
    """The attribute's id in lower case and its name, "" without one."""
    match = _ATTR.match(token)
    if match:
        return match[2].lower(), match[3] or ""
    named = _ATTR_NAME.match(token)
    hint = f'"{named[1]}"' if named else "" if "{" in token else f'"{shown(token)}"'
    return Wrong("BAD_ATTR_REF", f"{shown(token)} is no attribute reference", 0, len(token), hint)


def read_string(body: str) -> tuple[str, list[Wrong]]:
    """What stands between the quotes with its escapes undone, and every escape that is wrong."""
    if "\\" not in body:
        return body, []
    parts: list[str] = []
    wrong: list[Wrong] = []
    end = 0
    high = ""  # the first half of a surrogate pair, written as two escapes
    for match in _ESCAPE.finditer(body):
        if high and match.start() != end:
            wrong.append(_lone(high, end - 6))
            high = ""
        parts.append(body[end : match.start()])
        end = match.end()
        code, simple = match.groups()
        character = chr(int(code[1:], 16)) if code else _SIMPLE.get(simple, "")
        if high:
            if "\udc00" <= character <= "\udfff":
                parts.append((high + character).encode("utf-16", "surrogatepass").decode("utf-16"))
                high = ""
                continue
            wrong.append(_lone(high, match.start() - 6))
            high = ""
        if "\ud800" <= character <= "\udbff":
            high = character
        elif not character or character == "\0" or "\udc00" <= character <= "\udfff":
            wrong.append(_bad_escape(match))
        else:
            parts.append(character)
        if len(wrong) >= MOST_DIGITS:
            break
    if high:
        wrong.append(_lone(high, end - 6))
    parts.append(body[end:])
    return "".join(parts), wrong


def _lone(high: str, at: int) -> Wrong:
    message = f"\\u{ord(high):04x} is half of a pair; the other half does not follow"
    return Wrong("BAD_ESCAPE", message, at, 6)


def _bad_escape(match: re.Match[str]) -> Wrong:
    text = match[0]
    if match[1]:
        why = "NUL cannot be stored" if text == "\\u0000" else "half of a surrogate pair"
        return Wrong("BAD_ESCAPE", f"{text}: {why}", match.start(), len(text))
    if match[2] == "u":
        return Wrong("BAD_ESCAPE", "\\u takes four hexadecimal digits", match.start(), 2, "\\u00e9")
    hint = "\\" + text if match[2].isprintable() else ""
    return Wrong("BAD_ESCAPE", f"{shown(text)} is no escape", match.start(), 2, hint)
