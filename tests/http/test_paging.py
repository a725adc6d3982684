"""Cursors: what was sealed opens, everything else is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.database.queries import Query, load
from service.http.paging import _close, _open
from service.http.problems import Problem
from service.settings import load as load_settings

PROJECTS: Query = load(load_settings().sql_dir)["projects.list"]
SEAL = b"s" * 32
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))


@given(TIMES, st.uuids())
def test_a_cursor_opens_to_the_values_that_were_sealed(at: datetime, row: UUID) -> None:
    values = orjson.dumps([at.isoformat(), str(row)])
    assert _open(_close(values, SEAL).decode(), PROJECTS, SEAL) == [at, row]


@given(TIMES, st.uuids(), st.data())
def test_a_changed_cursor_is_refused(at: datetime, row: UUID, data: Any) -> None:
    cursor = bytearray(_close(orjson.dumps([at.isoformat(), str(row)]), SEAL))
    place = data.draw(st.integers(0, len(cursor) - 2))
    cursor[place] = data.draw(st.sampled_from(b"ABCabc019-_").filter(lambda c: c != cursor[place]))
    with pytest.raises(Problem):
        _open(cursor.decode(), PROJECTS, SEAL)


@given(st.text(max_size=80))
def test_random_text_is_no_cursor(text: str) -> None:
    with pytest.raises(Problem) as caught:
        _open(text, PROJECTS, SEAL)
    assert caught.value.code == "bad_cursor"


def test_a_cursor_is_bound_to_its_list_and_filters() -> None:
    cursor = _close(orjson.dumps(["2026-01-01T00:00:00+00:00", str(UUID(int=7))]), SEAL)
    with pytest.raises(Problem):
        _open(cursor.decode(), PROJECTS, b"t" * 32)
