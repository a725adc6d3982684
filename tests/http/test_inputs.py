"""Taking requests apart: every field at fault is told, and nothing odd gets through."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from service.http import inputs
from service.http.inputs import Body, JsonObject, decode, parse_uuid
from service.http.problems import Problem


class Thing(Body):
    """A body with one of everything."""

    name: Annotated[str, Meta(min_length=1, max_length=5)]
    kind: Literal["a", "b"] = "a"
    step: Annotated[int, Meta(ge=1, le=4)] | UnsetType = UNSET
    extra: JsonObject | UnsetType = UNSET


def problem(data: bytes, kind: Any = Thing) -> Problem:
    with pytest.raises(Problem) as caught:
        decode(data, kind)
    return caught.value


def pointers(data: bytes, kind: Any = Thing) -> list[str]:
    found = problem(data, kind)
    assert found.code == "validation"
    return [error.pointer for error in found.errors]


def test_all_fields_at_fault_are_told_at_once() -> None:
    assert pointers(b'{"name": "", "kind": "z", "step": 9, "extra": 1, "odd": 1}') == [
        "/odd", "/name", "/kind", "/step", "/extra",
    ]  # fmt: skip


def test_a_bulk_body_names_the_items() -> None:
    assert pointers(b'[{"name": "ok"}, {"name": 1}, {}]', list[Thing]) == ["/1/name", "/2/name"]
    assert pointers(b"{}", list[Thing]) == [""]
    assert pointers(b"[]") == [""]


@pytest.mark.parametrize("data", [b"", b"{", b"[1,]", b"NaN", b'{"name": NaN}', b'{"name": "\xff"}',
                                  b'{"name": "\\ud800"}', b'{"name": "a"} x'])  # fmt: skip
def test_what_is_no_json_is_malformed(data: bytes) -> None:
    assert problem(data).code == "malformed_json"


def test_depth_is_bounded_and_counts_no_brackets_in_strings() -> None:
    deep = b'{"name": "a", "extra": ' + b'{"k":' * 62 + b"{}" + b"}" * 62 + b"}"
    assert decode(deep, Thing).name == "a"
    deeper = b'{"name": "a", "extra": ' + b'{"k":' * 64 + b"{}" + b"}" * 64 + b"}"
    assert problem(deeper).code == "malformed_json"
    assert decode(b'{"name": "a", "extra": {"k": "' + b"[" * 500 + b'"}}', Thing).name == "a"
    assert problem(b"[" * 100_000).code == "malformed_json"


def test_nul_cannot_be_stored() -> None:
    assert pointers(b'{"name": "a\\u0000"}') == ["/name"]
    assert pointers(b'{"name": "a", "extra": {"k": "\\u0000"}}') == ["/extra"]
    assert decode(b'{"name": "a", "extra": {"k": "\\\\u0000"}}', Thing).name == "a"


def test_json_objects_keep_their_numbers() -> None:
    found = decode(b'{"name": "a", "extra": {"n": 1e400, "m": 0.1000000000000000000001}}', Thing)
    assert bytes(found.extra) == b'{"n": 1e400, "m": 0.1000000000000000000001}'  # type: ignore[arg-type]
    assert pointers(b'{"name": "a", "extra": null}') == ["/extra"]


@given(st.binary(max_size=200))
def test_random_bytes_are_decoded_or_refused(data: bytes) -> None:
    try:
        decode(data, Thing)
    except Problem as refused:
        assert refused.status in (400, 422)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
TREES = st.recursive(LEAVES, lambda t: st.lists(t) | st.dictionaries(st.text(), t), max_leaves=8)


@given(TREES)
def test_random_json_is_decoded_or_refused(value: Any) -> None:
    import json

    for wanted in (Thing, list[Thing]):
        try:
            decode(json.dumps(value).encode(), wanted)
        except Problem as refused:
            assert refused.status in (400, 422)


@given(st.uuids())
def test_a_uuid_is_read_in_its_canonical_form_only(value: Any) -> None:
    assert parse_uuid(str(value)) == value
    for odd in (value.hex, f"{{{value}}}", f"urn:uuid:{value}", f"{value} ", f"{value}\n"):
        assert parse_uuid(odd) is None


def test_queries_tell_all_their_faults() -> None:
    declared = {"limit": inputs.number("", 1, 200, 50), "flag": inputs.flag(""),
                "since": inputs.moment("")}  # fmt: skip
    read = inputs._read_query
    assert read(b"limit=7&flag=true", declared) == {"limit": 7, "flag": True, "since": None}
    with pytest.raises(Problem) as caught:
        read(b"limit=0&flag=yes&since=2026-01-01T00:00:00&odd=1&limit=3", declared)
    assert [(e.pointer, e.code) for e in caught.value.errors] == [
        ("query:limit", "invalid"), ("query:flag", "invalid"), ("query:since", "invalid"),
        ("query:odd", "unknown"), ("query:limit", "repeated"),
    ]  # fmt: skip


@given(st.binary(max_size=60))
def test_random_queries_are_read_or_refused(raw: bytes) -> None:
    declared = {"q": inputs.text(""), "limit": inputs.number("", 1, 200, 50),
                "since": inputs.moment(""), "id": inputs.identifier("")}  # fmt: skip
    try:
        inputs._read_query(raw, declared)
    except Problem as refused:
        assert refused.status == 422
