"""Whenever the service is killed, a discovery ends in the same rows as an undisturbed one."""

from __future__ import annotations

from tests.conftest import Served
from tests.support.cluster import Database
from tests.support.discovery_kills import QUICK, Kills

ROWS = 400


def test_a_killed_discovery_ends_as_an_undisturbed_one(served: Served, database: Database) -> None:
    kills = Kills(served(database, **QUICK), database, ROWS)
    calm = kills.discover()
    expected, seconds = calm.picture(), calm.seconds()
    assert len(expected) > ROWS * 2
    for target in ("upload", "cleansing", "inventory"):
        run = kills.killed(target, seconds[target] * 0.4, kills.kill_service)
        assert run.killed_in.startswith(target)
        assert run.picture() == expected, target
    kills.close()
