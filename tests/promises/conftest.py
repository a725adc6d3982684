"""A server and two tenants per module; a tenant of its own for a test that counts."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import Served
from tests.promises.helpers import Tenant, connect, unique
from tests.support.cluster import Database
from tests.support.server import Server


@pytest.fixture(scope="module")
def server(module_served: Served, module_database: Database) -> Server:
    """The server that the tests of a module share."""
    return module_served(module_database)


@pytest.fixture(scope="module")
def mine(server: Server) -> httpx.Client:
    """A key for everything in tenant acme."""
    return connect(server, server.key("acme"))


@pytest.fixture(scope="module")
def theirs(server: Server) -> httpx.Client:
    """A key for everything in tenant globex."""
    return connect(server, server.key("globex"))


@pytest.fixture
def tenant(server: Server) -> Tenant:
    """A tenant that no other test knows."""
    return Tenant(server, unique("tenant"))
