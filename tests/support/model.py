"""A language model that is none: a server on loopback that speaks the chat completions protocol.

What it answers is set by the test, one reply per call, the last one for ever; what it was asked is
kept.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

Json = dict[str, Any]


class Reply(NamedTuple):
    """What a call is answered with; `seconds` late; `drop`: the connection breaks off instead."""

    body: bytes | Callable[[Json], bytes] = b""
    status: int = 200
    headers: Sequence[tuple[str, str]] = ()
    seconds: float = 0.0
    drop: bool = False


def says(content: str, model: str = "parrot-1") -> Reply:
    """A completion with this content."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = {"id": "x", "object": "chat.completion", "model": model, "choices": [choice]}
    return Reply(json.dumps(whole).encode())


def proposes(*forms: Json, confidence: float = 0.9, **more: Any) -> Reply:
    """A completion that proposes these forms."""
    return says(json.dumps({"forms": list(forms), "confidence": confidence} | more))


class Model:
    """The server; `calls` are the requests' bodies, `keys` their Authorization headers."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.calls: list[Json] = []
        self.keys: list[str | None] = []
        self._lock = threading.Lock()
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model._answer(self, asked)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Who asked has gone: nothing to tell."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def reply(self, *replies: Reply) -> None:
        """From now on these, and what was asked before is forgotten."""
        with self._lock:
            self.replies = list(replies)
            self.calls, self.keys = [], []

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, asked: Json) -> None:
        with self._lock:
            self.calls.append(asked)
            self.keys.append(handler.headers.get("authorization"))
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        time.sleep(reply.seconds)
        if reply.drop:
            handler.close_connection = True
            return
        body = reply.body(asked) if callable(reply.body) else reply.body
        known = handler.path == "/v1/chat/completions"
        try:
            handler.send_response(reply.status if known else 404)
            for name, value in reply.headers:
                handler.send_header(name, value)
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            handler.close_connection = True  # who asked did not wait


def instruction_of(asked: Json) -> str:
    """The instruction that a call was about."""
    return str(json.loads(asked["messages"][-1]["content"])["instruction"])
