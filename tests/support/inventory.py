"""An inventory as people export them, made anew from a seed: 20 columns, and dirt in a few rows.

`python -m tests.support.inventory FILE [ROWS] [ENCODING]` writes one.
"""

from __future__ import annotations

import csv
import io
import random
import sys
from collections.abc import Iterator
from pathlib import Path

HEADER = (
    "Hostname", "FQDN", "IP Address", "CI Type", "Operating System", "OS Version", "Environment",
    "Location", "Business Owner", "Technical Owner", "Department", "Application", "Stack",
    "Criticality", "CPU Cores", "Memory", "Storage", "Annual Cost", "Depends on", "Last seen",
)  # fmt: skip
TYPES = (
    "Server", "server", "SERVER ", "Virtual Machine", "VM", "vm", "virtual server", "Virtual host",
    "Physical Server", "bare metal", "Blade", "Windows Server", "Linux server", "EC2 instance",
    "Database", "DB", "database server", "SQL Server", "Oracle Database", "App", "Application",
    "Web App", "Switch", "router", "Load Balancer", "SAN", "NAS", "Firewall", "docker container",
    "K8s cluster",
)  # fmt: skip
_OS = (
    ("Windows Server", "2012 R2"), ("Windows Server", "2019"), ("RHEL", "7.9"), ("Ubuntu", "22.04"),
    ("CentOS Linux", "6"), ("Red Hat Enterprise Linux", "8"), ("AIX", "7.1"), ("(blank)", ""),
)  # fmt: skip
_ENVIRONMENTS = ("Production", "prod", "PRD", "Test", "UAT", "dev", "Development", "DR", "N/A", "")
_PLACES = ("München", "São Paulo", "Kraków DC2", "Rack 4; Row 7", "New York, NY", "-", "null")
_NAMES = ("Ada Lovelace", "Zoë O'Neil", "Jürgen Groß", 'Bob "Ops" Smith', "(blank)", "", "N/A")


def rows(count: int, seed: int = 1) -> Iterator[list[str]]:
    """The rows without the header; about one in 200 is ragged, one in 20 repeats a host."""
    chance = random.Random(seed)
    pick = chance.choice
    for number in range(1, count + 1):
        host = number if chance.random() > 0.05 else chance.randint(1, number)
        kind = TYPES[host % len(TYPES)]
        family, version = pick(_OS)
        row = [
            f"host{host:07d}" if number % 3 else f" HOST{host:07d} ", f"host{host:07d}.example.org",
            f"10.{host >> 16 & 255}.{host >> 8 & 255}.{host & 255}", kind, family, version,
            pick(_ENVIRONMENTS), pick(_PLACES), pick(_NAMES), pick(_NAMES), f"Dept {host % 40}",
            f"Application {host % 900}", "Java; Tomcat" if host % 2 else "line one\nline two",
            pick(("High", "low", "3 - Medium", "critical")), str(1 << host % 7),
            pick(("16 GB", "16384 MB", "32", "")), pick(("1.5 TB", "500GB", "0")),
            pick(("1,234.50", "99", "")), f"host{host // 2:07d};host{host // 3:07d}",
            pick(("2024-02-29", "31/12/2023", "12.05.2024", "never")),
        ]  # fmt: skip
        dirt = chance.random()
        if dirt < 0.003:
            del row[17:]
        elif dirt < 0.005:
            row += ["beyond", "the header"]
        yield row


def write(path: Path, count: int, encoding: str = "utf-8", delimiter: str = ",") -> None:
    """The whole file. `mixed` is UTF-8 with every 500th row in cp1252.

    cp1252 has no ł nor ó beside it, so what it lacks is written as a question mark.
    """
    mixed = encoding == "mixed"
    main = "utf-8" if mixed else encoding
    with path.open("wb") as file:
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, delimiter=delimiter)
        writer.writerow(HEADER)
        for number, row in enumerate(rows(count), 1):
            odd = mixed and number % 500 == 0
            if odd or number % 2000 == 0:
                _flush(file, buffer, main)
            writer.writerow(row)
            if odd:
                _flush(file, buffer, "cp1252")
        _flush(file, buffer, main)


def _flush(file: io.BufferedWriter, buffer: io.StringIO, encoding: str) -> None:
    file.write(buffer.getvalue().encode(encoding, "replace"))
    buffer.seek(0)
    buffer.truncate()


if __name__ == "__main__":
    write(
        Path(sys.argv[1]),
        int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000,
        sys.argv[3] if len(sys.argv) > 3 else "utf-8",
    )
