"""What it ran on: facts for the reader of a result."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.load import require_wrk
from bench.plan import BenchError
from service.database.embedded import Embedded

_PACKAGES = (
    "asyncpg", "uvicorn", "uvloop", "starlette", "orjson", "msgspec", "fastapi", "sqlalchemy",
    "pydantic",
)  # fmt: skip
BUSY = 0.3  # of the cores, before anything was started


def facts(server: Embedded) -> dict[str, str]:
    """Cores, memory, versions; no names and no dates."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "processor": _processor(),
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "postgresql": server.version,
        "wrk": require_wrk(),
        **{name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        raise BenchError(f"{package} is not installed: `make bench` installs the peers") from None


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def noise() -> str:
    """A warning when others use the machine, else nothing."""
    load = os.getloadavg()[0]
    if load <= BUSY * (os.cpu_count() or 1):
        return ""
    return f"the load average is {load:.1f} before the start: others use this machine, and it shows"
