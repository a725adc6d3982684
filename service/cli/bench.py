"""`quarry bench`: the benchmark of a checkout. It is no part of an installed package."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import typer

from service.cli.output import fail

CHECKOUT = Path(__file__).resolve().parents[2]
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def bench(context: typer.Context) -> None:
    """Measure the service beside its peers and pgbench (in a checkout; --help tells more)."""
    if not (CHECKOUT / "bench" / "__main__.py").is_file():
        fail("the benchmark is in the source tree, not in the package: `make bench` in a checkout")
    if find_spec("fastapi") is None or find_spec("sqlalchemy") is None:
        fail("the benchmark's peers are not installed: `make bench` installs them")
    command = [sys.executable, "-m", "bench", *context.args]
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        raise typer.Exit(code)
