"""What an Accept… header allows, and the ETags of compressed answers."""

from __future__ import annotations

import pytest

from service.http.answers import matches, parse_if_match
from service.http.coding import accepts, etag_of, plain
from service.http.problems import Problem


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        (b"gzip", True), (b"GZIP", True), (b"br, gzip", True), (b"br,gzip;q=0.001", True),
        (b"gzip ; q=1.0", True), (b"gzip;x=y", True),
        (b"", False), (b"br", False), (b"identity", False), (b"*", False), (b"xgzip", False),
        (b"gzip-not", False), (b"gzip;q=0", False), (b"br, gzip; q=0.0", False),
        (b"gzip;Q=0.000", False), (b"gzip;q=0, gzip", False), (b",,;;=", False), (b"\xff", False),
    ],
)  # fmt: skip
def test_only_what_is_named_with_a_weight_is_accepted(header: bytes, allowed: bool) -> None:
    assert accepts(header, b"gzip") is allowed


def test_a_large_body_has_an_etag_of_its_own_where_it_is_compressed() -> None:
    assert etag_of('"5"', 1025, b"gzip") == '"5-gzip"'
    assert etag_of('"5"', 1024, b"gzip") == etag_of('"5"', 9999, b"br") == '"5"'
    assert plain('"5-gzip"') == plain('"5"') == '"5"'
    assert plain('"-gzip"') == '""'


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ('"5"', True), ('W/"5"', True), ('"5-gzip"', True), ('W/"5-gzip"', True), ("*", True),
        ('"4", "5-gzip"', True), ('"4","5"', True), ('"4-gzip"', False), ("5", False),
        ('"5-br"', False), ("", False), ('"55"', False),
    ],
)  # fmt: skip
def test_if_none_match_names_a_version_compressed_or_not(header: str, known: bool) -> None:
    assert matches(header, '"5"') is known


@pytest.mark.parametrize(
    ("header", "version"),
    [('"5"', 5), ('"5-gzip"', 5), (' "5" ', 5), ('"5", "5-gzip"', 5), ('"5","5"', 5), ("*", None)],
)
def test_if_match_names_one_version(header: str, version: int | None) -> None:
    assert parse_if_match(header) == version


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ('"5", "6"', "bad_header"), ("5", "bad_header"), ("", "bad_header"), ('""', "bad_header"),
        ('"5" "6"', "bad_header"), ('*, "5"', "bad_header"), ('"5', "bad_header"),
        ('W/"5"', "stale_etag"), ('"x"', "stale_etag"), ('"5-br"', "stale_etag"),
        ('"\u0665"', "stale_etag"), ('"' + "9" * 19 + '"', "stale_etag"), ('"-1"', "stale_etag"),
    ],
)  # fmt: skip
def test_if_match_that_names_none_of_ours_is_refused(header: str, code: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_if_match(header)
    assert refused.value.code == code
