"""Kills the service, or PostgreSQL, in the middle of a discovery and looks what has become of it.

`python -m tests.support.discovery_kills [SERVICE] [POSTGRES] [ROWS] [SEED]` kills the service so
many times (20) and PostgreSQL (5), each in a discovery of its own at a random moment of its upload
or of a phase, and holds every row against those of an undisturbed one. Exit code 1: one came out
differently.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg

from service.database.embedded import Embedded, EmbeddedError
from tests.promises.discovery import COMPLETED, WAITING, Discovery
from tests.promises.helpers import make_project, ok
from tests.support import inventory
from tests.support.cluster import Cluster, Database
from tests.support.server import Server
from tests.support.wait import wait_until

QUICK = {"jobs_poll_seconds": 0.1, "jobs_lease_seconds": 1, "jobs_backoff_seconds": 0.1,
         "leader_seconds": 0.2}  # fmt: skip
# When to kill. Of the phases only `conflicts` is left out: it counts, and changes nothing.
TARGETS = ("upload", "validation", "mapping", "cleansing", "inventory", "dependencies",
           "technical_debt")  # fmt: skip
# Where a flow stands, and whether a transaction works on it now.
_LOOK = """
SELECT f.status, f.current_phase, EXISTS (
           SELECT FROM pg_locks AS l
            WHERE l.locktype = 'advisory'
              AND (l.classid::bigint << 32) + l.objid::bigint
                  = hashtextextended(concat('flow ', f.tenant_id, ' ', f.id), 0))
  FROM discovery.master_flows AS f
 WHERE f.id = %s
"""
# How long each phase took, the longest visit.
_SECONDS = """
SELECT v.to_phase, max(extract(epoch FROM v.next_at - v.at))::float8
  FROM (SELECT t.to_phase, t.to_status, t.at, lead(t.at) OVER (ORDER BY t.sequence) AS next_at
          FROM discovery.flow_transitions AS t
         WHERE t.master_flow_id = %s) AS v
 WHERE v.to_status = 'running' AND v.next_at IS NOT NULL
 GROUP BY v.to_phase
"""
# Flows, imports, discovery flows and rows of a project.
_LEFT = """
SELECT (SELECT count(*) FROM discovery.master_flows WHERE project_id = %(project)s),
       (SELECT count(*) FROM discovery.data_imports WHERE project_id = %(project)s),
       (SELECT count(*) FROM discovery.discovery_flows WHERE project_id = %(project)s),
       (SELECT count(*) FROM discovery.raw_records WHERE project_id = %(project)s)
"""
# Everything that a discovery leaves in a project, without ids and times.
_PICTURE = """
SELECT 'row', r.row_number::text,
       jsonb_build_array(r.outcome, r.raw, r.cleansed, r.findings, a.hostname, a.asset_type)
  FROM discovery.raw_records AS r
  LEFT JOIN discovery.assets AS a ON a.tenant_id = r.tenant_id AND a.id = r.asset_id
 WHERE r.project_id = %(project)s
UNION ALL
SELECT 'asset', r.row_number::text, to_jsonb(a) - ARRAY['id', 'tenant_id', 'project_id',
       'master_flow_id', 'discovery_flow_id', 'raw_record_id', 'created_at', 'updated_at']
  FROM discovery.assets AS a
  LEFT JOIN discovery.raw_records AS r ON r.tenant_id = a.tenant_id AND r.id = a.raw_record_id
 WHERE a.project_id = %(project)s
UNION ALL
SELECT 'conflict', r.row_number::text,
       jsonb_build_array(c.kind, c.differences, c.resolution, a.hostname)
  FROM discovery.asset_conflicts AS c
  JOIN discovery.raw_records AS r ON r.tenant_id = c.tenant_id AND r.id = c.raw_record_id
  JOIN discovery.assets AS a ON a.tenant_id = c.tenant_id AND a.id = c.asset_id
 WHERE c.project_id = %(project)s
UNION ALL
SELECT 'dependency', concat_ws(' ', a.asset_type, a.hostname, a.fqdn, d.target_name),
       to_jsonb(n.hostname)
  FROM discovery.asset_dependencies AS d
  JOIN discovery.assets AS a ON a.tenant_id = d.tenant_id AND a.id = d.asset_id
  LEFT JOIN discovery.assets AS n ON n.tenant_id = d.tenant_id AND n.id = d.depends_on_id
 WHERE d.project_id = %(project)s
UNION ALL
SELECT 'transition', t.sequence::text,
       jsonb_build_array(t.from_status, t.to_status, t.from_phase, t.to_phase)
  FROM discovery.flow_transitions AS t
 WHERE t.project_id = %(project)s
 ORDER BY 1, 2, 3
"""

Kill = Callable[[], None]


class Seen(NamedTuple):
    """A flow at one moment."""

    status: str
    phase: str
    works: bool

    @property
    def runs(self) -> bool:
        """Whether it is the worker's turn."""
        return self.status in ("initialized", "running")


class Kills:
    """Discoveries of one file on a server that can be killed."""

    def __init__(self, server: Server, database: Database, rows: int) -> None:
        self.server, self.database, self.rows = server, database, rows
        self.client = server.client(server.key("killed"))
        self._link: psycopg.Connection[Any] | None = None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "inventory.csv"
            inventory.write(path, rows)
            self.content = path.read_bytes()

    def discover(self) -> Run:
        """An undisturbed one."""
        return Run(self, "", 0.0, None).go()

    def killed(self, target: str, delay: float, kill: Kill) -> Run:
        """One that is killed so many seconds after its upload or a phase of it has begun; where
        the phase was over by then, in another discovery."""
        for _ in range(5):
            run = Run(self, target, delay, kill).go()
            if run.killed_in:
                return run
            delay /= 2
        raise AssertionError(f"{target} was always over before it could be killed")

    def kill_service(self) -> None:
        """SIGKILL to the service; it starts again."""
        assert self.server.stop(signal.SIGKILL) == -signal.SIGKILL
        self.server.restart()

    def kill_postgres(self) -> None:
        """SIGKILL to the postmaster; it starts again, and the service finds it by itself."""
        embedded = self.database.cluster.server
        pid = embedded.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _alive(pid), 20)
        wait_until(lambda: _starts(embedded), 60)
        self.server.await_ready()

    def look(self, flow: str) -> Seen:
        """The flow as PostgreSQL has it, by a connection that outlives the service."""
        while True:
            try:
                if self._link is None or self._link.closed:
                    self._link = psycopg.connect(self.database.owner_dsn, autocommit=True)
                found = self._link.execute(_LOOK, [flow]).fetchone()
            except psycopg.OperationalError:
                self._link = None
                time.sleep(0.05)
            else:
                assert found is not None
                return Seen(*found)

    def close(self) -> None:
        """Let go of the database."""
        if self._link is not None:
            self._link.close()


class Run:
    """One discovery, in a project of its own."""

    def __init__(self, kills: Kills, target: str, delay: float, kill: Kill | None) -> None:
        self.kills, self.target, self.delay, self.kill = kills, target, delay, kill
        self.project = str(make_project(kills.client)["id"])
        self.upload_seconds = 0.0
        self.flow = ""
        self.killed_in = ""  # the phase, and whether a transaction worked in it

    def go(self) -> Run:
        """From the upload to the end."""
        if self.target == "upload":
            self._kill_upload()
        began = time.monotonic()
        one = Discovery(self.kills.client, self.project, self.kills.content)
        self.upload_seconds = time.monotonic() - began
        self.flow = one.made["master_flow_id"]
        assert one.made["loaded_rows"] == self.kills.rows
        self._rest()
        one.approve()
        ok(one.post("resume"))
        if self._rest().status == WAITING:
            assert one.resolve("keep_existing")
            ok(one.post("resume"))
            self._rest()
        assert one.flow()["status"] == COMPLETED, one.flow()
        one.assert_conserved(pending=0, conflict=0)
        return self

    def _kill_upload(self) -> None:
        """Kill while the file is sent, read and stored: nothing is left, or all of it."""
        answers: list[str] = []

        def send() -> None:
            path = f"/projects/{self.project}/imports"
            try:
                sent = self.kills.client.post(path, content=self.kills.content)
            except httpx.TransportError as error:
                answers.append(type(error).__name__)
            else:
                answers.append(str(sent.status_code))

        sending = threading.Thread(target=send)
        sending.start()
        time.sleep(self.delay)
        over = not sending.is_alive()
        assert self.kill is not None
        self.kill()
        sending.join(60)
        (left,) = self.kills.database.psql(_LEFT.replace("%(project)s", f"'{self.project}'"))
        if over or left != (0, 0, 0, 0):
            assert left == (1, 1, 1, self.kills.rows), f"a part of an upload is left: {left}"
        else:
            self.killed_in = f"upload: nothing left, its sender was told {answers[0]}"
        if left != (0, 0, 0, 0):  # all of it was stored, so the same file is the same import
            self.project = str(make_project(self.kills.client)["id"])

    def _rest(self) -> Seen:
        """Wait until the flow does not run any more; kill when it comes to where it shall."""
        kills, deadline = self.kills, time.monotonic() + 120
        while (seen := kills.look(self.flow)).runs:
            assert time.monotonic() < deadline, seen
            if self.kill is not None and not self.killed_in and seen.phase == self.target:
                time.sleep(self.delay)
                seen = kills.look(self.flow)
                if seen.phase == self.target and seen.runs:
                    self.kill()
                    self.killed_in = f"{seen.phase}, {'inside' if seen.works else 'not begun'}"
            time.sleep(0.002)
        return seen

    def seconds(self) -> dict[str, float]:
        """How long the upload and each phase took."""
        phases = dict(self.kills.database.psql(_SECONDS, self.flow))
        return {"upload": self.upload_seconds} | {n: phases[n] for n in TARGETS if n in phases}

    def picture(self) -> list[tuple[Any, ...]]:
        """Everything that is in the project, without ids and times."""
        query = _PICTURE.replace("%(project)s", f"'{self.project}'")
        return self.kills.database.psql(query)


def _starts(server: Embedded) -> bool:
    """Whether it starts: not before the last backend of the dead one has ended its statement."""
    with contextlib.suppress(EmbeddedError):
        server.start()
        return True
    return False


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def main(service: int = 20, postgres: int = 5, rows: int = 2000, seed: int = 1) -> int:
    """Kill and compare; how many came out differently."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="quarry-kills-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "server").mkdir()
        cluster = Cluster(folder)
        cluster.server.options["synchronous_commit"] = "on"  # what was answered must be there
        cluster.start()
        database = cluster.create(migrated=True)
        server = Server(database, folder / "server", **QUICK)
        try:
            server.await_ready()
            kills = Kills(server, database, rows)
            kills.discover()  # what a first one loads
            calm = kills.discover()
            expected, seconds = calm.picture(), calm.seconds()
            told = {name: round(each, 3) for name, each in seconds.items()}
            print(f"undisturbed: {len(expected)} facts, seconds {told}", flush=True)
            different, places = 0, Counter[str]()
            for what, count, kill in (
                ("service", service, kills.kill_service),
                ("postgres", postgres, kills.kill_postgres),
            ):
                targets = [*TARGETS] * (count // len(TARGETS)) + chance.sample(
                    TARGETS, count % len(TARGETS)
                )
                chance.shuffle(targets)
                for target in targets:
                    delay = chance.uniform(0, seconds[target])
                    run = kills.killed(target, delay, kill)
                    same = run.picture() == expected
                    different += not same
                    places[run.killed_in.partition(":")[0]] += 1
                    print(f"{what} {delay:.3f} s into {target} [{run.killed_in}]: "
                          f"{'same' if same else 'DIFFERENT'}", flush=True)  # fmt: skip
            print(f"{service + postgres} kills, {different} different; {dict(places)}")
            checked = server.quarry("integrity", "check")
            print(checked.stdout, checked.stderr, f"integrity: exit code {checked.returncode}")
            return different + (checked.returncode != 0)
        finally:
            server.kill()
            cluster.close()
            cluster.server.stop()


if __name__ == "__main__":
    sys.exit(1 if main(*map(int, sys.argv[1:])) else 0)
