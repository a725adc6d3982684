"""The rows of a file, a batch at a time, as JSON objects in UTF-8."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

import orjson

from service.ingest.faults import MAX_COLUMNS, MAX_NAME, MAX_ROW, Unreadable
from service.ingest.sniffing import Kind

BATCH_BYTES = 2 * 1024 * 1024  # of JSON: a batch is at least so much, and one row at most beyond
BATCH_ROWS = 5000
EXTRA = ""  # the key of cells beyond the header

_NO_FINDINGS = b"[]"
_CHUNK = 256 * 1024
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)*%?\Z")
_VALUE = re.compile(
    r"\d{1,3}(\.\d{1,3}){3}\Z|[^@\s]+@[^@\s]+\.[^@\s]+\Z|\w+://\S+\Z"
    r"|\d{4}-\d\d-\d\d([T ].*)?\Z|\d{1,2}[./]\d{1,2}[./]\d{2,4}\Z"
)
_STRAY = re.compile("[\udc80-\udcff]+")
_OUTSIDE = re.compile(rb'["\[\]{}]')
_INSIDE = re.compile(rb'["\\]')


class Record(NamedTuple):
    """One row: an object by column, and an array of what is odd about it; both JSON."""

    raw: bytes
    findings: bytes


class Reader:
    """Iterates over batches of records. `header` is whole once all are read. Raises Unreadable.

    The file is the reader's from here on: it is closed with it.
    """

    def __init__(self, file: BinaryIO, kind: Kind) -> None:
        self._file = file
        self._kind = kind
        self.header: list[str] = []
        self.rows = 0
        self._since = 0  # characters since the last row: quoted line ends may go on for long
        self._records = self._delimited() if kind.format == "csv" else self._objects()

    def __iter__(self) -> Iterator[list[Record]]:
        while batch := self.batch():
            yield batch
        if not self.rows:
            raise Unreadable("empty", "The file has no rows.")

    def batch(self) -> list[Record]:
        """The next records; none: the file is at its end."""
        found: list[Record] = []
        size = 0
        for record in islice(self._records, BATCH_ROWS):
            found.append(record)
            size += len(record.raw)
            if size >= BATCH_BYTES:
                break
        self.rows += len(found)
        return found

    # delimited

    def _delimited(self) -> Iterator[Record]:
        assert self._kind.delimiter is not None  # noqa: S101  (sniff() made sure)
        rows = csv.reader(self._lines(), delimiter=self._kind.delimiter)
        try:
            header = next((row for row in rows if any(cell.strip() for cell in row)), None)
            if header is None:
                raise Unreadable("empty", "The file is empty.")
            self.header = _names([_mended(cell) for cell in header])
            yield from self._ragged(rows)
        except csv.Error as error:
            raise Unreadable("malformed", f"Line {rows.line_num}: {error}.") from None

    def _ragged(self, rows: Iterator[list[str]]) -> Iterator[Record]:
        header, width, dumps = self.header, len(self.header), orjson.dumps
        for row in rows:
            self._since = 0
            if len(row) == width:
                findings = _NO_FINDINGS
                cells: dict[str, object] = dict(zip(header, row, strict=True))
            elif not row:  # an empty line is no row
                continue
            else:
                cells = dict(zip(header, row, strict=False))
                findings = _finding(len(row) - width)
                if len(row) > width:
                    cells[EXTRA] = row[width:]
            try:
                raw = dumps(cells)
            except TypeError:  # bytes that are no UTF-8, kept by the decoder as lone surrogates
                mended, findings = _mend(row, findings)
                cells = dict(zip(header, mended, strict=False))
                if len(row) > width:
                    cells[EXTRA] = mended[width:]
                raw = dumps(cells)
            if b"\\u0000" in raw and any("\0" in cell for cell in row):
                raise Unreadable("malformed", "A row holds a NUL character.")
            yield Record(raw, findings)

    def _lines(self) -> Iterator[str]:
        """Lines with their ends, as the csv module wants them; the last one may have none."""
        text = self._text()
        while line := text.readline(MAX_ROW):
            if len(line) >= MAX_ROW and line[-1] not in "\r\n":
                raise Unreadable("malformed", f"A line is longer than {MAX_ROW} characters.")
            self._since += len(line)
            if self._since > MAX_ROW * 2 and self._kind.format == "csv":
                raise Unreadable("malformed", f"A row is longer than {MAX_ROW} characters.")
            yield line

    def _text(self) -> io.TextIOWrapper:
        """The file as text; kept, because it closes the file when it goes."""
        self._opened = io.TextIOWrapper(
            self._file, self._kind.encoding, self._kind.errors, newline=""
        )
        return self._opened

    # JSON

    def _objects(self) -> Iterator[Record]:
        seen: dict[str, None] = {}
        pieces = self._json_lines() if self._kind.format == "jsonl" else self._elements()
        for number, piece in enumerate(pieces, 1):
            try:
                found = orjson.loads(piece)
            except orjson.JSONDecodeError as error:
                raise Unreadable("malformed", f"Row {number}: {error}.") from None
            if not isinstance(found, dict):
                raise Unreadable("malformed", f"Row {number} is no JSON object.")
            if b"\\u0000" in piece:
                raise Unreadable("malformed", f"Row {number} holds a NUL character.")
            if not seen.keys() >= found.keys():
                seen.update(dict.fromkeys(found))
                _check_names(seen)
            self.header = list(seen)
            yield Record(piece, _NO_FINDINGS)

    def _json_lines(self) -> Iterator[bytes]:
        for line in self._lines():
            if stripped := line.strip():
                yield stripped.encode()

    def _elements(self) -> Iterator[bytes]:
        """The objects of one JSON array, each as it is written."""
        splitter = _Splitter()
        text = self._text()
        while chunk := text.read(_CHUNK):
            yield from splitter.feed(chunk.encode())
        splitter.end()


class _Splitter:
    """Cuts a JSON array into its elements; looks at each byte once, whatever the chunks."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # scanned so far, in the buffer
        self._start = 0  # of the element under way
        self._depth = 0
        self._in_string = False
        self._ended = False
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The elements that end in this chunk."""
        self._buffer += chunk
        while (found := self._next()) is not None:
            yield found
        if self._depth > 1 or self._in_string:
            del self._buffer[: self._start]
            self._at -= self._start
            self._start = 0
        if len(self._buffer) > MAX_ROW + _CHUNK * 4:
            raise Unreadable("malformed", f"A row is longer than {MAX_ROW} characters.")

    def end(self) -> None:
        """Nothing comes any more."""
        self._between(bytes(self._buffer[self._start :]))
        if not self._ended:
            raise Unreadable("malformed", "The array has no end.")

    def _next(self) -> bytes | None:
        buffer = self._buffer
        while True:
            if self._in_string:
                match = _INSIDE.search(buffer, self._at)
                if match is None:
                    self._at = len(buffer)
                    return None
                if match[0] == b"\\":
                    if match.end() == len(buffer):  # what it escapes has not come yet
                        self._at = match.start()
                        return None
                    self._at = match.end() + 1
                else:
                    self._in_string = False
                    self._at = match.end()
                continue
            match = _OUTSIDE.search(buffer, self._at)
            if match is None:
                self._at = len(buffer)
                return None
            self._at = match.end()
            element = self._token(match[0], match.start())
            if element is not None:
                return element

    def _token(self, token: bytes, at: int) -> bytes | None:
        """Take a quote or a bracket outside of strings; an element when one ends."""
        if token in b"[{":
            if self._depth <= 1:
                self._open(token, at)
            self._depth += 1
        elif token == b'"':
            if self._depth <= 1:
                raise Unreadable("malformed", "The file is no JSON array of objects.")
            self._in_string = True
        else:
            self._depth -= 1
            if self._depth == 1:
                element = bytes(self._buffer[self._start : self._at])
                self._start = self._at
                self._first = False
                return element
            if self._depth == 0:
                self._between(bytes(self._buffer[self._start : at]), last=True)
                self._ended = True
                self._start = self._at
            elif self._depth < 0:
                raise Unreadable("malformed", "The file is no JSON array of objects.")
        return None

    def _open(self, token: bytes, at: int) -> None:
        """The array, or an element of it, begins."""
        gap = bytes(self._buffer[self._start : at]).removeprefix(b"\xef\xbb\xbf").strip()
        wanted = b"[" if self._depth == 0 else b"{"
        if token != wanted or self._ended:
            raise Unreadable("malformed", "The file is no JSON array of objects.")
        if gap != (b"" if self._depth == 0 or self._first else b","):
            raise Unreadable("malformed", "The file is no JSON array of objects.")
        self._start = self._at if self._depth == 0 else at

    def _between(self, gap: bytes, *, last: bool = False) -> None:
        if gap.strip():
            where = "before its end" if last else "after its end"
            raise Unreadable("malformed", f"The JSON array has something {where}.")


def _names(header: list[str]) -> list[str]:
    """Names of columns, each once and none empty: `Name`, `Name (2)`, `column 3`.

    Raises Unreadable for a row that looks like data.
    """
    cells = [cell.strip() for cell in header]
    told = [cell for cell in cells if cell]
    numbers = sum(bool(_NUMBER.match(cell)) for cell in told)
    value = next((cell for cell in told if _VALUE.match(cell)), None)
    if value is not None or numbers * 2 >= len(told):
        shown = value or next(cell for cell in told if _NUMBER.match(cell))
        raise Unreadable(
            "header", f"The first row looks like data, not like names of columns: {shown[:100]!r}."
        )
    names: dict[str, None] = {}
    for position, cell in enumerate(cells, 1):
        name = base = cell or f"column {position}"
        count = 1
        while name in names:
            count += 1
            name = f"{base} ({count})"
        names[name] = None
    _check_names(names)
    return list(names)


def _check_names(names: dict[str, None]) -> None:
    if len(names) > MAX_COLUMNS:
        raise Unreadable("header", f"More than {MAX_COLUMNS} columns.")
    for name in names:
        if not 0 < len(name) <= MAX_NAME or "\0" in name:
            raise Unreadable("header", f"The name of a column has 1 to {MAX_NAME} characters.")


def _finding(beyond: int) -> bytes:
    code = "extra_cells" if beyond > 0 else "missing_cells"
    where = "beyond" if beyond > 0 else "fewer than"
    told = {"code": code, "field": None, "detail": f"{abs(beyond)} cells {where} the header"}
    return orjson.dumps([told])


def _mended(cell: str) -> str:
    """The cell, with the bytes that were not in the file's encoding read as cp1252."""
    return _STRAY.sub(lambda found: _cp1252(found[0]), cell)


def _cp1252(stray: str) -> str:
    return stray.encode("ascii", "surrogateescape").decode("cp1252", "replace")


def _mend(row: list[str], findings: bytes) -> tuple[list[str], bytes]:
    """The row in UTF-8, and its findings with one that says so."""
    mended = [_mended(cell) for cell in row]
    cells = sum(one != other for one, other in zip(row, mended, strict=True))
    told = {"code": "mixed_encoding", "field": None,
            "detail": f"{cells} cells are not UTF-8, and were read as cp1252"}  # fmt: skip
    return mended, orjson.dumps([*orjson.loads(findings), told])
