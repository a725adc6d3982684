"""What `make check` holds against a migrated database: queries, contract, stubs, migrations.

`python -m tests.support.check`: exit 1 when something is found.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from service.database.embedded import Embedded
from service.operations import migrations
from service.settings import load
from tests.support.cluster import APP_ROLE, FAST

COMMANDS = (
    ("sql", "check"),
    ("sql", "snapshot", "--check"),
    ("sql", "stubs", "--check"),
    ("sql", "explain", "--all", "--assert"),  # on the reference data, kept in QUARRY_DATA_DIR
    ("migrate", "verify"),
    ("migrate", "lint"),
)


def main() -> int:
    """Run every command on a scratch server; the number of those that failed."""
    with tempfile.TemporaryDirectory(prefix="quarry-check-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user, who must pass
        server = Embedded(Path(folder) / "cluster", options=FAST)
        server.start()
        try:
            migrations.apply(server.dsn(), load().migrations_dir)
            environment = os.environ | {
                "QUARRY_DATABASE_URL": server.dsn(user=APP_ROLE),
                "QUARRY_MIGRATION_URL": server.dsn(),
            }
            return sum(_failed(command, environment) for command in COMMANDS)
        finally:
            server.stop()


def _failed(command: tuple[str, ...], environment: dict[str, str]) -> bool:
    print("quarry", *command, flush=True)
    done = subprocess.run([sys.executable, "-m", "service", *command], env=environment, check=False)
    return done.returncode != 0


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
