"""`quarry serve`: the service itself."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Annotated, Any

import typer

from service.cli import bootstrap
from service.cli.database import settings
from service.cli.output import fail
from service.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Processes.")] = None,
    admin_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the admin listener; 0: none.")
    ] = None,
) -> None:
    """Serve HTTP until SIGTERM or Ctrl-C.

    Without QUARRY_DATABASE_URL the embedded PostgreSQL is started, migrated, and stopped with the
    service. With it, the database must be at the migrations that this version knows.
    """
    from service.cli import supervisor  # noqa: PLC0415  (what logs, other commands do not need)
    from service.logs import configure  # noqa: PLC0415

    given: dict[str, Any] = {
        "host": host, "port": port, "workers": workers, "admin_port": admin_port,
    }  # fmt: skip
    config = replace(settings(), **{n: v for n, v in given.items() if v is not None})
    configure(config)
    if (child := supervisor.inherited()) is not None:
        if child.replaces:
            bootstrap.check_queries(config)
        _serve_process(config, child.listener, child.number, child.channel)
        return
    if config.database_url is None:
        config = bootstrap.start_embedded(config)
    else:
        bootstrap.require_ready(config)
    with _listen(config) as listener:
        config = replace(config, port=listener.getsockname()[1])
        bootstrap.announce(config)
        if config.workers == 1:
            _serve_process(config, listener)
        elif code := supervisor.run(config, listener):
            raise typer.Exit(code)


def _listen(config: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        fail(f"cannot listen on {config.host}:{config.port}: {error.strerror or error}")
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def _serve_process(
    config: Settings,
    listener: socket.socket,
    index: int = 0,
    channel: socket.socket | None = None,
) -> None:
    """Serve in this process until it is told to stop."""
    import uvicorn  # noqa: PLC0415  (only a process that serves needs what follows)
    import uvloop  # noqa: PLC0415

    from service import app as application  # noqa: PLC0415
    from service.cli.commands import functions  # noqa: PLC0415
    from service.http.peers import Peers  # noqa: PLC0415
    from service.http.server import Server  # noqa: PLC0415
    from service.http.server import config as server_config  # noqa: PLC0415
    from service.logs import as_json  # noqa: PLC0415

    config = replace(config, log_format="json" if as_json(config) else "console")
    peers = Peers(channel, index, config.workers)
    head = bootstrap.expected_head(config)
    app = application.create(config, head, commands=functions(), peers=peers)
    admin = None
    if config.admin_port:
        admin = uvicorn.Server(
            server_config(app.admin, config.admin_host, config.admin_port + index,
                          config.shutdown_seconds, lifespan="off")
        )  # fmt: skip
    server = Server(
        server_config(app, config.host, config.port, config.shutdown_seconds, lifespan="on"),
        config.drain_seconds, app.drain, admin, alone=config.workers == 1, on_reload=app.reload,
        on_up=peers.announce,
    )  # fmt: skip
    with listener:
        uvloop.run(server.serve(sockets=[listener]))
