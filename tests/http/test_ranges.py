"""Which bytes a Range header means."""

from __future__ import annotations

import pytest

from service.http.problems import Problem
from service.http.ranges import parse_range


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-", (0, 10)), ("bytes=0-0", (0, 1)), ("bytes=3-5", (3, 3)), ("bytes=9-", (9, 1)),
        ("bytes=5-99999", (5, 5)), ("bytes=-3", (7, 3)), ("bytes=-99", (0, 10)),
        (" bytes=1-2 ", (1, 2)),
        # what cannot be read, or is more than one, is no range at all
        ("bytes=5-3", None), ("bytes=-", None), ("bytes=", None), ("bytes=a-b", None),
        ("bytes=0-1,3-4", None), ("lines=0-1", None), ("bytes 0-1", None), ("bytes=+1-2", None),
        ("bytes=1-" + "9" * 30, None), ("bytes=\u0663-\u0665", None), ("", None),
    ],
)  # fmt: skip
def test_one_range_is_understood(header: str, part: tuple[int, int] | None) -> None:
    assert parse_range(header, 10) == part


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=999-", "bytes=-0"])
def test_a_range_without_a_byte_is_refused_with_the_size(header: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_range(header, 10)
    assert refused.value.status == 416
    assert refused.value.headers == {"Content-Range": "bytes */10"}


def test_an_empty_file_has_no_range() -> None:
    with pytest.raises(Problem):
        parse_range("bytes=0-", 0)
