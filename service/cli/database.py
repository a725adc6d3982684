"""Which database a command works on: the configured one, or the embedded server."""

from __future__ import annotations

import atexit
import fcntl
from typing import IO, TYPE_CHECKING

from service.cli.output import fail
from service.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from service.database.embedded import Embedded

APP_ROLE = "quarry_app"
KEEP = "keep-running"  # made by `quarry db start`


def settings() -> Settings:
    """The settings, or exit 2 with the one that cannot be read."""
    try:
        return load()
    except SettingsError as error:
        fail(str(error))


def embedded(config: Settings) -> Embedded:
    """The embedded server of this data folder, not started; exit 2 when it is not installed."""
    try:
        from service.database.embedded import Embedded  # noqa: PLC0415  (an optional extra)
    except ImportError:
        fail(
            "QUARRY_DATABASE_URL is not set and the embedded PostgreSQL is not installed: "
            "set the URL, or `pip install 'quarry[embedded]'`."
        )
    return Embedded(config.data_dir, config.embedded_port)


def use_embedded(config: Settings) -> Embedded:
    """The embedded server, running. Whoever is the last to use it stops it at exit.

    Users hold a shared lock; the last one gets it exclusively. `quarry db start` leaves a file that
    keeps the server running.
    """
    from service.database.embedded import EmbeddedError  # noqa: PLC0415  (an optional extra)

    server = embedded(config)
    server.root.mkdir(parents=True, exist_ok=True)
    lock = (server.root / "in-use.lock").open("a")
    fcntl.flock(lock, fcntl.LOCK_SH)
    try:
        server.start()
    except EmbeddedError as error:
        fail(str(error))
    atexit.register(_give_back, server, lock)
    return server


def _give_back(server: Embedded, lock: IO[str]) -> None:
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else still uses it
        if not (server.root / KEEP).exists():
            server.stop()


def _embedded_dsn(config: Settings, user: str) -> str:
    return use_embedded(config).dsn(user=user)


def database_url() -> str:
    """DSN of the service's role; starts the embedded server when none is configured."""
    config = settings()
    return config.database_url or _embedded_dsn(config, APP_ROLE)


def direct_url() -> str:
    """DSN that goes past any pooler."""
    return settings().database_direct_url or database_url()


def owner_url() -> str:
    """DSN of a role that may migrate; exit 2 when a database is configured but this is not."""
    config = settings()
    if config.migration_url:
        return config.migration_url
    if config.database_url:
        fail(
            "QUARRY_MIGRATION_URL is not set: give the DSN of a role that may migrate "
            "(see README, “Operators”)."
        )
    return _embedded_dsn(config, "postgres")
