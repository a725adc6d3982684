"""`python -m bench.peers NAME PORT DSN KEYS`: serve one peer, one worker, on a loopback port."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import uvicorn

from bench.peers.keys import Keys

# name → module, and whether row-level security is in its way
PEERS = {
    "orm_rls": ("orm", True),
    "orm": ("orm", False),
    "bare": ("bare", False),
    "prototype": ("prototype", True),
}


def main() -> None:
    """The command."""
    name, port, dsn, keys = sys.argv[1:5]
    module, rls = PEERS[name]
    app: Any = import_module(f"bench.peers.{module}").create(dsn, Keys(Path(keys)), rls=rls)
    uvicorn.run(
        app, host="127.0.0.1", port=int(port), loop="uvloop", http="httptools", ws="none",
        access_log=False, log_level="warning", server_header=False, proxy_headers=False,
        timeout_keep_alive=75, backlog=2048,
    )  # fmt: skip


main()
