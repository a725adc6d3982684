"""squawk on the migrations: each file with the flags that its header asks for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from service.operations.migration_files import File, MigrationError

# What a rollback is there to do.
DROPS = ",".join(
    f"ban-drop-{what}"
    for what in ("table", "column", "constraint", "function", "schema", "extension", "domain")
)


def squawk(directory: Path, files: list[File]) -> list[str]:
    """squawk's findings, one line each; MigrationError when squawk is not installed."""
    program = shutil.which("squawk", path=f"{Path(sys.executable).parent}") or shutil.which(
        "squawk"
    )
    if not program:
        raise MigrationError("squawk is not installed: `uv sync --group dev`")
    config = directory.parent / ".squawk.toml"
    found = []
    for transactional in (True, False):
        some = [f for f in files if f.transactional is transactional]
        flags = ["--pg-version", "18", "--reporter", "gcc"]
        flags += ["--config", str(config)] if config.exists() else []
        flags += ["--assume-in-transaction"] if transactional else []
        found += _run(program, flags, [f.path for f in some])
        found += _run(program, [*flags, "--exclude", DROPS], [f.rollback_path for f in some])
    return found


def _run(program: str, flags: list[str], paths: list[Path]) -> list[str]:
    if not paths:
        return []
    done = subprocess.run(
        [program, *flags, *map(str, paths)], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode and not lines:
        raise MigrationError(f"squawk failed: {done.stderr.strip()}")
    return lines
