"""What the DBA's endpoints ask of the process; `service/operations/workbench.py` does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Workbench(Protocol):
    """The query files of a running service: read anew, and described."""

    async def reload(self, *, everywhere: bool) -> Mapping[str, Any]:
        """Check the files and serve them from now on, or go on with the old ones.

        `everywhere`: in the other workers of this host as well. Answers what `Outcome.as_json`
        says. Raises Failure when the database cannot be asked.
        """

    async def page(self) -> bytes:
        """The page of all queries and tables, in HTML. Raises Failure."""

    def state(self) -> Mapping[str, Any]:
        """Which files are served, and since when."""
