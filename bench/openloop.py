"""The open loop: requests at a constant rate, answered or not. A process of its own.

`python -m bench.openloop PORT FILE RATE SECONDS` prints one line of JSON. Latency counts from the
moment that a request was due, so that a server that stalls cannot slow down its own examination.
Plain sockets and select(), whose time-out is in microseconds where an event loop's is in
milliseconds.
"""

from __future__ import annotations

import gc
import re
import select
import socket
import sys
from collections import deque
from pathlib import Path
from time import perf_counter

import orjson

from bench.calls import VERSION, read_requests

MOST = 128  # connections, as of a client's pool; beyond, requests wait here, and it counts
DRAIN = 10.0  # seconds to wait for the last answers
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection:
    """One keep-alive connection with at most one request under way."""

    __slots__ = ("buffer", "due", "ends", "good", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.ends = 0  # where the answer ends, once its head is there
        self.good = False
        self.due = 0.0

    def fileno(self) -> int:
        """For select()."""
        return self.socket.fileno()

    def send(self, request: bytes, due: float) -> None:
        """Ask."""
        self.due, self.buffer, self.ends = due, b"", 0
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read what is there; whether the answer is complete. Raises ConnectionError."""
        data = self.socket.recv(262_144)
        if not data:
            raise ConnectionError("the server closed a connection")
        self.buffer += data
        if not self.ends:
            head = self.buffer.find(b"\r\n\r\n")
            if head < 0:
                return False
            length = _LENGTH.search(self.buffer, 0, head + 2)
            self.ends = head + 4 + (int(length[1]) if length else 0)
            self.good = self.buffer[9:10] == b"2"
        return len(self.buffer) >= self.ends


class Requests:
    """The requests of a file in their order, again and again."""

    def __init__(self, path: Path) -> None:
        marker = f'"{VERSION}"'.encode()
        self._parts = [request.partition(marker) for request in read_requests(path)]
        self._at, self._pass = 0, 1

    def next(self) -> bytes:
        """The next one's bytes."""
        if self._at == len(self._parts):
            self._at, self._pass = 0, self._pass + 1
        head, marker, tail = self._parts[self._at]
        self._at += 1
        return head + b'"%d"' % self._pass + tail if marker else head


class Generator:
    """Sends and receives until all is answered; then `latencies` has one entry per answer."""

    def __init__(self, port: int, requests: Requests, rate: float, seconds: float) -> None:
        self._port = port
        self._requests = requests
        self._gap = 1 / rate
        self._total = round(rate * seconds)
        self._free: list[Connection] = [Connection(port) for _ in range(32)]
        self._busy: set[Connection] = set()
        self._late: deque[float] = deque()  # due, but every connection is busy
        self.latencies: list[float] = []
        self.failed = 0
        self.seconds = 0.0

    def run(self) -> None:
        """Everything."""
        began = perf_counter()
        sent = 0
        while sent < self._total or self._busy or self._late:
            now = perf_counter()
            while sent < self._total and began + sent * self._gap <= now:
                self._late.append(began + sent * self._gap)
                sent += 1
            self._send_due()
            next_due = began + sent * self._gap if sent < self._total else now + 0.1
            self._receive(max(0.0, next_due - perf_counter()))
            if now - began > self._total * self._gap + DRAIN:
                self.failed += len(self._busy) + len(self._late)
                break
        self.seconds = perf_counter() - began

    def _send_due(self) -> None:
        while self._late and (self._free or len(self._busy) < MOST):
            connection = self._free.pop() if self._free else Connection(self._port)
            connection.send(self._requests.next(), self._late.popleft())
            self._busy.add(connection)

    def _receive(self, timeout: float) -> None:
        for connection in select.select(list(self._busy), [], [], timeout)[0]:
            if connection.receive():
                self.latencies.append(perf_counter() - connection.due)
                self.failed += not connection.good
                self._busy.discard(connection)
                self._free.append(connection)


def percentile(ordered: list[float], share: float) -> float:
    """The value below which that share of an ordered list is."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    """The command."""
    port, path, rate, seconds = sys.argv[1:5]
    gc.disable()  # nothing here is a cycle, and a pause would look like the server's
    generator = Generator(int(port), Requests(Path(path)), float(rate), float(seconds))
    generator.run()
    seen = sorted(generator.latencies)
    found = {
        "requests": len(seen), "failed": generator.failed, "seconds": generator.seconds,
        "p50": percentile(seen, 0.5), "p99": percentile(seen, 0.99), "most": seen[-1],
    }  # fmt: skip
    sys.stdout.write(orjson.dumps(found).decode() + "\n")


if __name__ == "__main__":
    main()
