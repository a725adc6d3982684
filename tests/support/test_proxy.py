"""The proxy does to links what the tests of promises count on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.cluster import Cluster, Database, socket_path
from tests.support.proxy import Proxy
from tests.support.wait import wait_until


@pytest.fixture
def echo() -> Iterator[Proxy]:
    """A proxy in front of a server that answers each byte with itself."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,)).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(100):
                    connection.sendall(data)
            except OSError:
                return

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve)
    thread.start()
    with Proxy(("127.0.0.1", listener.getsockname()[1])) as proxy:
        yield proxy
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def test_passes_bytes_and_ends(echo: Proxy) -> None:
    with connect(echo) as link:
        link.sendall(b"hello")
        assert link.recv(10) == b"hello"
        assert echo.open() == 1
        link.shutdown(socket.SHUT_WR)
        assert link.recv(10) == b""
    wait_until(lambda: echo.open() == 0)


def test_severs_and_restores(echo: Proxy) -> None:
    with connect(echo) as link:
        link.sendall(b"a")
        assert link.recv(1) == b"a"
        echo.sever()
        with pytest.raises(ConnectionResetError):
            link.recv(1)
    with pytest.raises(ConnectionResetError), connect(echo) as link:
        link.recv(1)
    echo.restore()
    with connect(echo) as link:
        link.sendall(b"b")
        assert link.recv(1) == b"b"


def test_stalls_and_restores(echo: Proxy) -> None:
    with connect(echo) as link, connect(echo) as other:
        link.sendall(b"a")
        assert link.recv(1) == b"a"
        echo.stall()
        link.sendall(b"b")
        link.settimeout(0.2)
        with pytest.raises(TimeoutError):
            link.recv(1)
        other.sendall(b"c")
        echo.restore()
        assert link.recv(1) == b"b"
        assert other.recv(1) == b"c"


def test_a_stalled_link_can_be_severed(echo: Proxy) -> None:
    with connect(echo) as link:
        link.sendall(b"a")
        assert link.recv(1) == b"a"
        echo.stall()
        link.sendall(b"b")
        echo.sever()
        with pytest.raises(ConnectionResetError):
            link.recv(1)


def test_fronts_postgresql(cluster: Cluster, empty_database: Database) -> None:
    with Proxy(socket_path(cluster)) as proxy:
        dsn = proxy.dsn(empty_database.owner_dsn)
        assert empty_database.psql("SELECT 1", dsn=dsn) == [(1,)]
        with psycopg.connect(dsn) as connection:
            proxy.sever()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
