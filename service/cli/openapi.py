"""`quarry openapi`: the description of the HTTP interface."""

from __future__ import annotations

from service.cli.database import settings
from service.cli.output import print_json


def openapi() -> None:
    """Print the OpenAPI 3.1 document, as /openapi.json serves it."""
    from service.http.openapi import document  # noqa: PLC0415  (nothing else needs the resources)
    from service.resources import ENDPOINTS  # noqa: PLC0415

    print_json(document(ENDPOINTS, settings().sql_dir))
