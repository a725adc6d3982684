"""CPU time and memory of processes, from the kernel's own accounting in /proc."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (the name may hold spaces)."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def tree(pid: int) -> list[int]:
    """The process and all its descendants that live now."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:  # grows while it is walked
        found += children.get(each, [])
    return found


def seconds(pid: int) -> float:
    """User and system time of a process tree, with that of its children that have ended.

    A process that ends while we read would be counted twice or never, so that we read again.
    """
    while True:
        found = tree(pid)
        with contextlib.suppress(OSError):
            # utime, stime, and those of children that were waited for
            ticks = sum(sum(map(int, _stat(each)[11:15])) for each in found)
            if tree(pid) == found:
                return ticks / _TICKS


def busy() -> float:
    """CPU seconds that all processes and the kernel have used, and what a hypervisor took."""
    user, nice, system, _idle, _wait, irq, softirq, steal = map(
        int, (_PROC / "stat").read_text().split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def resident(pid: int) -> int:
    """Bytes of memory that the process itself holds now."""
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)
