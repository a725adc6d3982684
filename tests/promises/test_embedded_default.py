"""The embedded default: one command, and nothing left behind."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import httpx

from service.database.embedded import Embedded
from tests.conftest import Served
from tests.support.wait import wait_until


def test_the_first_start_gives_a_tenant_and_a_key_that_works(served: Served) -> None:
    server = served(None)
    key_file = Path(server.environment["QUARRY_DATA_DIR"]) / "dev.key"
    key = key_file.read_text().strip()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert "embedded" in server.log()
    made = httpx.post(
        f"{server.url}/projects", json={"name": "First", "language": "en"},
        headers={"Authorization": f"Bearer {key}"},
    )  # fmt: skip
    assert made.status_code == 201
    assert server.stop(signal.SIGTERM) == 0
    embedded = Embedded(Path(server.environment["QUARRY_DATA_DIR"]))
    assert not embedded.running()

    server.restart()
    found = httpx.get(f"{server.url}{made.headers['location']}",
                      headers={"Authorization": f"Bearer {key}"})  # fmt: skip
    assert found.json() == made.json()
    assert server.log().count(key) == 1  # shown once, and never again


def test_a_kill_leaves_the_data_and_the_next_stop_stops_the_server(served: Served) -> None:
    server = served(None)
    embedded = Embedded(Path(server.environment["QUARRY_DATA_DIR"]))
    server.stop(signal.SIGKILL)
    assert embedded.running()
    server.restart()
    assert server.stop(signal.SIGTERM) == 0
    wait_until(lambda: not embedded.running(), 5)


def test_a_command_uses_a_running_server_and_else_stops_its_own(served: Served) -> None:
    server = served(None)
    embedded = Embedded(Path(server.environment["QUARRY_DATA_DIR"]))
    assert server.quarry("tenant", "add", "acme").returncode == 0
    assert embedded.running()
    assert httpx.get(f"{server.url}/ready").status_code == 200
    server.stop(signal.SIGTERM)
    listed = server.quarry("tenant", "list", "--json")
    assert '"acme"' in listed.stdout
    assert not embedded.running()
    assert server.quarry("db", "start").returncode == 0
    assert server.quarry("tenant", "list").returncode == 0
    assert embedded.running()
    assert server.quarry("db", "stop").returncode == 0
    assert not embedded.running()


def test_two_workers_share_the_embedded_server(served: Served) -> None:
    server = served(None, workers=2)
    assert server.stop(signal.SIGTERM) == 0
    assert not Embedded(Path(server.environment["QUARRY_DATA_DIR"])).running()


def test_the_demo_fills_a_tenant(served: Served) -> None:
    server = served(None)
    filled = server.quarry("demo", "--projects", "5", "--json")
    assert filled.returncode == 0, filled.stderr
    key = (Path(server.environment["QUARRY_DATA_DIR"]) / "dev.key").read_text().strip()
    found = httpx.get(f"{server.url}/projects?include_total=true",
                      headers={"Authorization": f"Bearer {key}"})  # fmt: skip
    assert found.json()["total"] == 5
