"""Whatever the chunks in which a file comes, its rows are those of the whole file."""

from __future__ import annotations

import csv
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.ingest.faults import MAX_ROW, Unreadable
from service.ingest.readers import EXTRA, Reader
from service.ingest.sniffing import Kind, sniff
from tests.support.inventory import HEADER, write

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_CELLS = st.lists(st.one_of(_TEXT, st.sampled_from(['"', ",", ";", "\n", "\r\n", "a\nb", "é"])),
                  min_size=1, max_size=5)  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_OBJECTS = st.lists(
    st.dictionaries(st.sampled_from(["a", 'b"', "[c", "d\\", "e}"]), _VALUES, max_size=4),
    min_size=1, max_size=6,
)  # fmt: skip


class Dribble(io.RawIOBase):
    """A file that gives a few bytes at a time, cut anywhere."""

    def __init__(self, data: bytes, seed: int) -> None:
        self._data = io.BytesIO(data)
        self._chance = random.Random(seed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._data.read(min(len(buffer), self._chance.randint(1, 7)))
        buffer[: len(chunk)] = chunk
        return len(chunk)


def read(data: bytes, kind: Kind, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """The objects and the findings of all rows."""
    file: Any = Dribble(data, seed)
    records = [record for batch in Reader(file, kind) for record in batch]
    return [json.loads(r.raw) for r in records], [json.loads(r.findings) for r in records]


@settings(deadline=None, max_examples=200)
@given(
    table=st.lists(_CELLS, min_size=1, max_size=8),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
    seed=st.integers(0, 999),
)
def test_rows_are_those_of_the_csv_module_wherever_chunks_end(
    table: list[list[str]], encoding: str, delimiter: str, end: str, seed: int
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerows([["a", "b", "c"], *table])
    whole = csv.reader(io.StringIO(out.getvalue(), newline=""), delimiter=delimiter)
    expected = [row for row in whole if row][1:]
    rows, findings = read(out.getvalue().encode(encoding), Kind("csv", encoding, delimiter), seed)
    assert [[*(r[k] for k in "abc" if k in r), *r.get(EXTRA, [])] for r in rows] == expected
    told = [f[0]["code"] if f else None for f in findings]
    assert told == [
        "missing_cells" if len(row) < 3 else "extra_cells" if len(row) > 3 else None
        for row in expected
    ]


@settings(deadline=None, max_examples=200)
@given(objects=_OBJECTS, indent=st.sampled_from([None, 1]), ascii_only=st.booleans(),
       encoding=st.sampled_from(["utf-8", "utf-16"]), seed=st.integers(0, 999))  # fmt: skip
def test_elements_of_an_array_are_those_of_the_json_module_wherever_chunks_end(
    objects: list[Any], indent: int | None, ascii_only: bool, encoding: str, seed: int
) -> None:
    text = json.dumps(objects, indent=indent, ensure_ascii=ascii_only)
    assert read(text.encode(encoding), Kind("json", encoding), seed)[0] == objects
    lines = "\n\n".join(json.dumps(o, ensure_ascii=ascii_only) for o in objects)
    assert read(lines.encode(encoding), Kind("jsonl", encoding), seed)[0] == objects


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_generated_inventory_is_recognised(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "inventory.csv"
    write(path, 300, encoding, delimiter)
    with path.open("rb") as file:
        kind = sniff(file)
        reader = Reader(file, kind)
        records = [record for batch in reader for record in batch]
    assert (kind.format, kind.encoding, kind.delimiter) == ("csv", encoding, delimiter)
    assert (reader.header, len(records)) == (list(HEADER), 300)


@pytest.mark.parametrize("mark", [b"", "\ufeff".encode()])
def test_cells_of_cp1252_in_a_file_of_utf_8_are_read_and_told(mark: bytes) -> None:
    rows = ["Zoë,ü", "Jürgen,ó", "plain,x"] * 3
    odd = "München,ß,über".encode("cp1252") + b",\x81"
    data = mark + "\r\n".join(["Name,Straße", *rows]).encode() + b"\r\n" + odd + b"\r\n"
    kind = sniff(io.BytesIO(data))
    assert kind.encoding_told == "utf-8"
    objects, findings = read(data, kind)
    assert objects[0] == {"Name": "Zoë", "Straße": "ü"}
    assert objects[-1] == {"Name": "München", "Straße": "ß", EXTRA: ["über", "\ufffd"]}
    assert [f["code"] for f in findings[-1]] == ["extra_cells", "mixed_encoding"]
    assert findings[-1][1]["detail"].startswith("4 cells")
    assert findings[:-1] == [[]] * 9


@settings(deadline=None, max_examples=100)
@given(lines=st.lists(st.tuples(st.text("aü€Ł", max_size=6), st.booleans()), min_size=1),
       seed=st.integers(0, 999))  # fmt: skip
def test_every_row_of_a_mixed_file_is_kept(lines: list[tuple[str, bool]], seed: int) -> None:
    told = b"".join(
        b"x," + text.encode("cp1252" if odd else "utf-8", "replace") + b"\n" for text, odd in lines
    )
    data = b"name,note\n" + "x,ä\n".encode() * 9 * len(lines) + told
    objects, findings = read(data, sniff(io.BytesIO(data)), seed)
    assert len(objects) == len(findings) == 10 * len(lines)
    for (text, odd), row, found in zip(
        lines, objects[-len(lines) :], findings[-len(lines) :], strict=True
    ):
        strange = odd and bool(set(text) & {"ü", "€"})
        assert [f["code"] for f in found] == (["mixed_encoding"] if strange else [])
        assert row["note"] == (text.encode("cp1252", "replace").decode("cp1252") if odd else text)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b"a,b\r\n", "empty"),
        (b"[]", "empty"),
        (b"10.0.0.1,web\r\n10.0.0.2,db\r\n", "header"),
        (b"1,2,x\r\n3,4,y\r\n", "header"),
        (b"a@example.org,x\r\n1,2\r\n", "header"),
        (b'[{"a": "' + "üäö".encode() * 9 + b'\xfc"}]', "encoding"),
        (b"name\x81\x8d,x\r\n1,2\r\n", "encoding"),
        (b"\x00\x01\x02\x00\x03name", "encoding"),
        (b"\xff\xfea", "encoding"),
        (b'[{"a": 1}, 2]', "malformed"),
        (b'[{"a": 1} {"a": 2}]', "malformed"),
        (b'[{"a": 1}', "malformed"),
        (b'[{"a": 1}] x', "malformed"),
        (b'["a"]', "malformed"),
        (b'{"a": 1}\n[1]\n', "malformed"),
        (b'{"a": "\\u0000"}\n', "malformed"),
        (b"a,b\n" + b"x" * (MAX_ROW + 5) + b",1\n", "malformed"),
        (b'a,b\n"' + b"x\n" * MAX_ROW, "malformed"),
        (b'a,b\n' + b'"x\n",' * MAX_ROW, "malformed"),
        (b'[{"a": "' + b"x" * (4 * MAX_ROW), "malformed"),
    ],
    ids=range(22),
)  # fmt: skip
def test_what_cannot_be_read_is_told(data: bytes, code: str) -> None:
    file = io.BytesIO(data)
    with pytest.raises(Unreadable) as raised:
        for _ in Reader(file, sniff(file)):
            pass
    assert raised.value.code == code


def test_names_of_columns_are_unique_and_none_is_empty() -> None:
    file = io.BytesIO(b"Name,Name,,Name (2)\r\na,b,c,d\r\n")
    reader = Reader(file, sniff(file))
    assert [r.raw for batch in reader for r in batch]
    assert reader.header == ["Name", "Name (2)", "column 3", "Name (2) (2)"]


def test_values_of_json_stay_as_they_are_written() -> None:
    data = b'[{"n": 1.10, "big": 12345678901234567890123, "x": null}]'
    file = io.BytesIO(data)
    ((record,),) = Reader(file, sniff(file))
    assert record.raw == data[1:-1]
