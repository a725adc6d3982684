"""The load: wrk in a closed loop, and the open loop of `bench.openloop`, each a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.plan import ROOT, BenchError

_SCRIPT = Path(__file__).with_name("replay.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What a load generator saw. Times in seconds; `cpu` is its own."""

    requests: int
    seconds: float
    p50: float
    p99: float
    most: float
    cpu: float
    bytes: int = 0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


def require_wrk() -> str:
    """wrk's version. Raises BenchError when it is not installed."""
    if shutil.which("wrk") is None:
        raise BenchError("wrk is not installed: apt-get install wrk")
    said = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
    return said.split()[1].removeprefix("debian/")


def closed_loop(port: int, requests: Path, connections: int, seconds: int) -> Load:
    """wrk with one thread: each connection asks again as soon as it is answered.

    Raises BenchError on any answer that is not 2xx, and on any broken connection.
    """
    found, cpu = _run(
        "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s",
        "-s", str(_SCRIPT), f"http://127.0.0.1:{port}", "--", str(requests),
    )  # fmt: skip
    if found["not_2xx"] or found["broken"]:
        raise BenchError(
            f"{found['not_2xx']} answers were no success and {found['broken']} connections broke "
            f"of {found['requests']} requests"
        )
    if not found["requests"]:
        raise BenchError("nothing was answered")
    return Load(
        found["requests"], found["microseconds"] / 1e6, found["p50_us"] / 1e6,
        found["p99_us"] / 1e6, found["max_us"] / 1e6, cpu, found["bytes"],
    )  # fmt: skip


def open_loop(port: int, requests: Path, rate: float, seconds: int) -> Load:
    """Requests at a constant rate, whether the last ones are answered or not.

    Latency counts from when a request was due. Raises BenchError as `closed_loop` does.
    """
    found, cpu = _run(
        sys.executable, "-m", "bench.openloop", str(port), str(requests), str(rate), str(seconds)
    )
    if found["failed"]:
        raise BenchError(f"{found['failed']} of {found['requests']} answers were no success")
    return Load(found["requests"], found["seconds"], found["p50"], found["p99"], found["most"], cpu)


def _run(*command: str) -> tuple[dict[str, Any], float]:
    """The JSON on the last line of what a program says, and the CPU seconds that it took."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None and run.stderr is not None
        said, complaint = run.stdout.read(), run.stderr.read()
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    lines = said.strip().splitlines()
    if run.returncode or not lines or not lines[-1].startswith(b"{"):
        words = (complaint or said).decode(errors="replace").strip()
        raise BenchError(f"{Path(command[0]).name} failed: {words[-2000:]}")
    return orjson.loads(lines[-1]), usage.ru_utime + usage.ru_stime
