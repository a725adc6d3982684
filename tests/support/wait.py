"""Waiting for what must become true."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(true: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
    """Poll every 10 ms until `true()` is truthy; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or true}"
        time.sleep(0.01)
