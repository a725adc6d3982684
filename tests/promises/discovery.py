"""What the promises about discovery are told in: uploads, their flows, and files to upload."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import httpx

from tests.promises.helpers import Json, ok, walk
from tests.support.wait import wait_until

_DATA = Path(__file__).parents[1] / "data"
OUTCOMES = ("pending", "asset", "merged", "conflict", "rejected", "skipped")
WAITING, COMPLETED = "waiting_for_approval", "completed"


def real(name: str) -> bytes:
    """A file of the real input."""
    return lzma.decompress((_DATA / f"{name}.xz").read_bytes())


class Discovery:
    """One import of a project, on its way."""

    def __init__(self, client: httpx.Client, project: str, content: bytes, **query: str) -> None:
        self.client, self.project = client, project
        self.answer = client.post(
            f"/projects/{project}/imports", content=content, params=query, timeout=300,
            headers={"Content-Type": "text/csv"},
        )  # fmt: skip
        assert self.answer.status_code in (200, 202), self.answer.text
        self.made: Json = self.answer.json()
        self.import_path = f"/projects/{project}/imports/{self.made['id']}"
        self.path = f"/projects/{project}/flows/{self.made['master_flow_id']}"

    def flow(self) -> Json:
        """The flow as it is."""
        return ok(self.client.get(self.path))  # type: ignore[no-any-return]

    def rest(self, seconds: float = 120) -> Json:
        """The flow, once it does not run any more."""
        wait_until(lambda: self.flow()["status"] not in ("initialized", "running"), seconds)
        return self.flow()

    def mappings(self) -> list[Json]:
        """The mappings of the import."""
        found = ok(self.client.get(f"{self.import_path}/mappings"))
        return found["mappings"]  # type: ignore[no-any-return]

    def approve(self, **targets: str) -> None:
        """Approve every column as suggested, or as named: source=target."""
        decided = [
            {
                "source_field": one["source_field"],
                "target_field": targets.get(one["source_field"], one["target_field"]),
                "status": "approved",
            }
            for one in self.mappings()
        ]
        ok(self.client.put(f"{self.import_path}/mappings", json={"mappings": decided}))

    def post(self, action: str) -> httpx.Response:
        """Ask for a step of the flow."""
        return self.client.post(f"{self.path}/{action}")

    def go_on(self, seconds: float = 120) -> Json:
        """Resume; the flow, once it does not run any more."""
        ok(self.post("resume"))
        return self.rest(seconds)

    def conflicts(self) -> list[Json]:
        """The open conflicts of the flow."""
        query = {"flow_id": self.made["master_flow_id"], "resolved": "false", "limit": 200}
        return walk(self.client, f"/projects/{self.project}/conflicts", **query)

    def resolve(self, action: str, **more: Any) -> int:
        """Resolve all open conflicts of the flow in bulk; how many."""
        found = [{"id": one["id"], "action": action} | more for one in self.conflicts()]
        if found:
            path = f"/projects/{self.project}/conflicts/resolve"
            ok(self.client.post(path, json={"resolutions": found}))
        return len(found)

    def to_the_end(self, action: str = "replace", seconds: float = 120) -> Json:
        """Approve, resolve and resume until the flow has completed."""
        assert self.rest(seconds)["status"] == WAITING, self.flow()
        self.approve()
        flow = self.go_on(seconds)
        if flow["status"] == WAITING:
            assert self.resolve(action)
            flow = self.go_on(seconds)
        assert flow["status"] == COMPLETED, flow
        self.assert_conserved(pending=0, conflict=0)
        return flow

    def outcomes(self) -> dict[str, int]:
        """Rows by outcome."""
        return dict(ok(self.client.get(f"{self.path}/summary"))["by_outcome"])

    def assert_conserved(self, **expected: int) -> dict[str, int]:
        """Loaded = asset + merged + conflict + rejected + skipped + pending."""
        found = self.outcomes()
        assert set(found) == set(OUTCOMES)
        assert sum(found.values()) == self.made["loaded_rows"], found
        assert {name: found[name] for name in expected} == expected, found
        return found
