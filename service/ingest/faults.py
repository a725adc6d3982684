"""What is wrong with a file, in words for whoever sent it."""

from __future__ import annotations

MAX_ROW = 1024 * 1024  # characters of a row as it is written in the file
MAX_COLUMNS = 2000
MAX_NAME = 255  # characters of a column's name


class Unreadable(Exception):
    """The file cannot be imported. `code`: empty, encoding, header, malformed."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
