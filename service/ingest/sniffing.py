"""What a file is: its encoding, its format, its delimiter. Raises Unreadable."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from typing import BinaryIO, Literal

from charset_normalizer import from_bytes

from service.ingest.faults import Unreadable

Format = Literal["csv", "json", "jsonl"]

DELIMITERS = (",", ";", "\t", "|")
_CHUNK = 1024 * 1024
_SAMPLE = 64 * 1024  # bytes that a delimiter is told from
_SAMPLE_ROWS = 50
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNASSIGNED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # in cp1252
_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH = re.compile(rb"[\x80-\xff]")
# Encodings that are no superset of ASCII by single bytes: as cp1252 they would be nonsense.
_OTHERS = ("big5", "cp932", "cp949", "euc", "gb", "hz", "iso2022", "johab", "shift_jis", "utf_32")


@dataclass(frozen=True, slots=True)
class Kind:
    """How to read a file; `encoding` is a name that Python knows.

    `errors` is how its decoder takes bytes that are not in the encoding: `strict`, or
    `surrogateescape` in a UTF-8 file that has cells of cp1252 between.
    """

    format: Format
    encoding: str
    delimiter: str | None = None
    errors: str = "strict"

    @property
    def encoding_told(self) -> str:
        """The encoding as callers are told."""
        return self.encoding.removesuffix("-sig")


def sniff(file: BinaryIO) -> Kind:
    """What the file is; it is read through once and left at its beginning. Raises Unreadable."""
    encoding, errors = _encoding(file)
    file.seek(0)
    start = file.read(_SAMPLE)
    text = codecs.getincrementaldecoder(encoding)(errors).decode(start)
    file.seek(0)
    first = text.lstrip("\ufeff \t\r\n")[:1]
    if not first:
        if not start or _is_blank(file, encoding, errors):
            raise Unreadable("empty", "The file is empty.")
        raise Unreadable("malformed", "The file begins with too many blank lines.")
    if first in "[{":
        if errors != "strict":
            raise Unreadable("encoding", "Some of the file is not UTF-8, as JSON has to be.")
        return Kind("json" if first == "[" else "jsonl", encoding)
    return Kind("csv", encoding, _delimiter(text, whole=len(start) < _SAMPLE), errors)


def _is_blank(file: BinaryIO, encoding: str, errors: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    while chunk := file.read(_CHUNK):
        if decoder.decode(chunk).strip():
            file.seek(0)
            return False
    return True


def _encoding(file: BinaryIO) -> tuple[str, str]:
    """The encoding in which the file can be read, and how strictly. Raises Unreadable."""
    file.seek(0)
    start = file.read(_SAMPLE)
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            wrong = _first_wrong(file, encoding)
            if wrong is not None:
                if encoding != "utf-8-sig" or _share(file) != "utf-8":
                    raise _not_all(encoding.removesuffix("-sig"), wrong)
                return encoding, "surrogateescape"
            return encoding, "strict"
    if b"\0" in start:
        return _without_mark(file, start), "strict"
    wrong = _first_wrong(file, "utf-8")
    if wrong is None:
        return "utf-8", "strict"
    if _share(file) == "utf-8":
        return "utf-8", "surrogateescape"
    return _single_byte(file, wrong), "strict"


def _without_mark(file: BinaryIO, start: bytes) -> str:
    """UTF-16 without a byte order mark: every other byte of plain text is NUL."""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    if max(even, odd) * 4 < len(start) // 2 or min(even, odd) * 10 > max(even, odd):
        raise Unreadable("encoding", "The file holds NUL bytes: it is no text.")
    wrong = _first_wrong(file, encoding)
    if wrong is not None:
        raise _not_all(encoding, wrong)
    return encoding


def _first_wrong(file: BinaryIO, encoding: str) -> int | None:
    """Where the file is not in this encoding: about how many bytes from its beginning, or None."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    at = 0
    try:
        while chunk := file.read(_CHUNK):
            decoder.decode(chunk)
            at += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return max(0, at + error.start)
    return None


def _share(file: BinaryIO) -> str:
    """Which most of the characters beyond ASCII are in, all over the file: utf-8 or cp1252.

    Text of cp1252 hardly ever has two letters in a row that are one in UTF-8.
    """
    file.seek(0)
    told = strange = 0
    rest = b""
    while chunk := file.read(_CHUNK):
        piece = rest + chunk
        cut = len(piece) - 3 if len(chunk) == _CHUNK else len(piece)
        while 0 < cut < len(piece) and piece[cut] & 0xC0 == 0x80:  # inside of a sequence
            cut -= 1
        rest, piece = piece[cut:], piece[:cut]
        found = _SEQUENCE.findall(piece)
        told += len(found)
        strange += len(_HIGH.findall(piece)) - sum(map(len, found))
    return "utf-8" if told > strange else "cp1252"


def _single_byte(file: BinaryIO, wrong: int) -> str:
    """cp1252, when all of the file can be it. Raises Unreadable."""
    file.seek(max(0, wrong - _SAMPLE // 2))
    around = file.read(_SAMPLE)
    best = from_bytes(around[:8192]).best()
    if best is not None and best.encoding.startswith(_OTHERS):
        raise Unreadable(
            "encoding", f"The file looks like {best.encoding}; send UTF-8, UTF-16 or cp1252."
        )
    file.seek(0)
    at = 0
    while chunk := file.read(_CHUNK):
        if found := _UNASSIGNED.search(chunk):
            raise Unreadable(
                "encoding",
                f"Byte {at + found.start()} is neither UTF-8 nor cp1252; send UTF-8.",
            )
        at += len(chunk)
    return "cp1252"


def _not_all(encoding: str, at: int) -> Unreadable:
    return Unreadable("encoding", f"The file is {encoding} up to byte {at}, and not from there on.")


def _delimiter(text: str, *, whole: bool) -> str:
    """The delimiter with which the first rows agree best on the most columns."""
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        rows = _sample_rows(text, delimiter)
        if not whole and len(rows) > 1:
            rows.pop()  # may be cut off
        if not rows or len(rows[0]) < 2:
            continue
        width = len(rows[0])
        agreeing = sum(len(row) == width for row in rows) / len(rows)
        score = agreeing * 1000 + width
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _sample_rows(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) > _SAMPLE_ROWS:
                break
    except csv.Error:
        return []
    return rows
