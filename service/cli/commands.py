"""The commands by their names, for who wants to know which of them uses what."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from typer.main import get_command

_SERVICE = "quarry serve"  # the service itself: its endpoints are users of their own


def functions() -> dict[str, Callable[..., Any]]:
    """Full name ("quarry key list") → the function that does it."""
    from service.cli import app  # noqa: PLC0415  (it imports all commands)

    return {name: found for name, found in _walk("quarry", get_command(app)) if name != _SERVICE}


def _walk(name: str, command: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, inspect.unwrap(command.callback)
        return
    for word, each in inner.items():
        yield from _walk(f"{name} {word}", each)
