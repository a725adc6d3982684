"""`quarry config`: every setting, its value and where it came from."""

from __future__ import annotations

from dataclasses import asdict

from service.cli.database import settings
from service.cli.output import Json, print_table
from service.settings import describe


def config(as_json: Json = False) -> None:
    """Print every setting with its value (secrets masked) and its origin."""
    print_table(
        ("name", "value", "origin", "help"), [asdict(row) for row in describe(settings())], as_json
    )
