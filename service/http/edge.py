"""The one middleware: request id, deadline, size, routing, authentication, problems, log.

Every answer leaves through here, so nothing is ever text/plain or a traceback, and every request is
observed exactly once.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
from contextlib import aclosing
from time import perf_counter

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.database.errors import Failure, explain
from service.database.tree import sql
from service.http import coding, idempotency
from service.http.answers import Answer, Stream
from service.http.context import Context, Principal, Process
from service.http.inputs import parse_uuid, query
from service.http.observe import Observation
from service.http.problems import Problem, from_failure
from service.http.routing import Endpoint, RouteTable
from service.logs import frames

log = structlog.get_logger("quarry.http")

_PROBLEM = (b"content-type", b"application/problem+json")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:@/+=-]{1,128}\Z")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")
_WATCH_AFTER = 0.1  # seconds until a read starts to watch whether its client hangs up
_CLOSED_BY_CLIENT = 499  # in the log only; nobody receives it


class Edge:
    """The ASGI application behind one listener."""

    def __init__(self, table: RouteTable) -> None:
        self.table = table
        self.process: Process | None = None  # set by the lifespan, before the first request
        self._ids = itertools.count(1)
        self._id_prefix = secrets.token_hex(6)
        self._watches = HangUpWatches()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        assert self.process is not None  # noqa: S101  (the lifespan ran first)
        loop = asyncio.get_running_loop()
        began = perf_counter()
        here = Context(self.process, dict(scope["headers"]), loop.time)
        here.abort = scope.get("quarry.abort")
        scope["quarry"] = here
        self._identify(here)
        request = Request(scope, receive)
        watch = None
        if scope["method"] in ("GET", "HEAD"):
            watch = HangUpWatch(receive, here)
            self._watches.add(watch, loop)
        status = _CLOSED_BY_CLIENT
        try:
            status = await self._send(await self._answer(request, here), here, send)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            if not here.hung_up:  # the server stops and has waited long enough
                problem = Problem("draining", headers={"Retry-After": "1"})
                status = await self._send(_render(problem, here), here, send)
        finally:
            if watch is not None:
                self._watches.discard(watch)
            self._observe(here, scope, status, perf_counter() - began)

    # who and what

    def _identify(self, here: Context) -> None:
        given = here.header(b"x-request-id")
        if given is not None and _REQUEST_ID.match(given):
            here.request_id = given
        else:
            here.request_id = f"{self._id_prefix}{next(self._ids):08x}"
        parent = here.headers.get(b"traceparent")
        if parent is not None and (match := _TRACEPARENT.match(parent)):
            here.trace_id = match[1].decode()

    async def _answer(self, request: Request, here: Context) -> Response:
        try:
            return await self._dispatch(request, here)
        except Problem as problem:
            return _render(problem, here)
        except Failure as failure:
            return _render(self._explain(failure, here), here)
        except Exception as error:
            log.error(
                "request.failed", request_id=here.request_id, trace_id=here.trace_id,
                error=type(error).__name__, where=frames(error),
            )  # fmt: skip
            return _render(Problem("internal"), here)

    async def _dispatch(self, request: Request, here: Context) -> Response:
        scope = request.scope
        endpoint, parameters = self.table.find(
            scope["method"], scope["path"], scope.get("raw_path", b"")
        )
        scope["path_params"] = parameters
        here.endpoint = endpoint
        process = here.process
        here.deadline = here.started + _deadline_seconds(here, endpoint)
        if not endpoint.upload:
            _check_length(here, process)
        if endpoint.scope is not None:
            credentials = here.headers.get(b"authorization")
            caller = here.principal = await process.authenticator(
                credentials, here.remaining(), here.queries
            )
            if process.settings.rate_limit or caller.rate_limit:
                here.extra_headers += process.limiter.take(caller)
            if not caller.allows(endpoint.scope):
                raise Problem("forbidden", f"This needs the scope `{endpoint.scope}`.")
            if caller.restricted:
                await check_project(here, caller, endpoint, parameters)
            if scope["query_string"] and not endpoint.query:
                query(request)  # refuses what the endpoint does not know
        repeatable = endpoint.method == "POST" and endpoint.scope is not None
        try:
            if repeatable and idempotency.HEADER in here.headers:
                return await idempotency.once(request, here, endpoint)
            return await endpoint.handler(request)
        finally:
            if here.upload is not None:
                await here.upload.close()

    def _explain(self, failure: Failure, here: Context) -> Problem:
        problem = from_failure(failure)
        if problem.status >= 500:
            log.warning(
                "request.database", request_id=here.request_id, trace_id=here.trace_id,
                kind=failure.kind.value, sqlstate=failure.sqlstate,
                reason=type(failure.__cause__).__name__ if problem.status != 500 else str(failure),
            )  # fmt: skip
        return problem

    # leaving

    async def _send(self, answer: Response, here: Context, send: Send) -> int:
        headers = answer.raw_headers
        headers.append((b"x-request-id", here.request_id.encode()))
        if here.extra_headers:
            headers += here.extra_headers
        if here.process.draining:
            headers.append((b"connection", b"close"))
        if isinstance(answer, Stream):
            return await self._send_stream(answer, here, send)
        body = coding.encode(answer, here.headers.get(b"accept-encoding", b""))
        await send(
            {"type": "http.response.start", "status": answer.status_code, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})
        return answer.status_code

    async def _send_stream(self, answer: Stream, here: Context, send: Send) -> int:
        """Send chunks; an error before the first is a problem, after it the connection breaks off.

        So it does when the client has not read all by the deadline, for it holds a transaction
        open; or, where the answer has a patience instead, takes nothing for so long.
        """
        loop = asyncio.get_running_loop()
        accepted = here.headers.get(b"accept-encoding", b"")
        packed = coding.encode_stream(answer.chunks, answer.raw_headers, accepted)
        async with aclosing(packed) as chunks:
            try:
                first = await anext(chunks, b"")
            except (Problem, Failure) as error:
                problem = error if isinstance(error, Problem) else self._explain(error, here)
                return await self._send(_render(problem, here), here, send)
            await send({"type": "http.response.start", "status": answer.status_code,
                        "headers": answer.raw_headers})  # fmt: skip
            try:
                async with asyncio.timeout_at(here.deadline) as answer.limit:
                    chunk = first
                    while chunk:
                        if answer.patience is not None:
                            answer.limit.reschedule(loop.time() + answer.patience)
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                        if answer.patience is not None:
                            answer.limit.reschedule(None)
                        chunk = await anext(chunks, b"")
            except (Failure, TimeoutError) as error:
                return self._break_off(error, here)
            except asyncio.CancelledError:
                here.hung_up = True  # or the server stops: there is nothing left to say
                raise
        await send({"type": "http.response.body", "body": b""})
        return answer.status_code

    def _break_off(self, error: Failure | TimeoutError, here: Context) -> int:
        """The status for the log of a response that cannot be finished; the server then closes."""
        problem = from_failure(explain(error))
        if here.abort is not None:
            here.abort()  # a polite end would wait for a client that does not read
        log.warning(
            "stream.broken_off", request_id=here.request_id, trace_id=here.trace_id,
            code=problem.code,
        )  # fmt: skip
        return problem.status

    def _observe(self, here: Context, scope: Scope, status: int, seconds: float) -> None:
        caller = here.principal
        here.process.observer(
            Observation(
                scope["method"] if here.endpoint else "-",
                here.endpoint.path if here.endpoint else "-",
                scope["path"],
                status,
                seconds,
                here.request_id,
                here.trace_id,
                str(caller.identity.tenant_id) if caller else "",
                caller.identity.actor if caller else "",
            )
        )


def _deadline_seconds(here: Context, endpoint: Endpoint) -> float:
    settings = here.process.settings
    asked = here.headers.get(b"x-request-timeout-ms")
    if asked is None:
        return (endpoint.timeout_ms or settings.request_timeout_ms) / 1000
    if not asked.isdigit() or len(asked) > 9 or int(asked) == 0:
        raise Problem("bad_header", "X-Request-Timeout-Ms must be a positive number of ms.")
    return min(int(asked), settings.max_request_timeout_ms) / 1000


def _check_length(here: Context, process: Process) -> None:
    """Refuse a body that says it is too large before anything is done for it."""
    length = here.headers.get(b"content-length")
    limit = process.settings.max_body_bytes
    if length is not None and int(length) > limit:
        raise Problem("too_large", f"At most {limit} bytes are accepted here.")


async def check_project(
    here: Context, caller: Principal, endpoint: Endpoint, parameters: dict[str, str]
) -> None:
    """A key bound to a user or to projects: 404 for others, 403 for what the role may not do."""
    if endpoint.admin:
        raise Problem("forbidden", "A restricted key cannot do this.")
    project = parameters.get("project_id")
    if project is None:
        return
    project_id = parse_uuid(project)
    if project_id is None or (caller.projects is not None and project_id not in caller.projects):
        raise Problem("not_found")
    if caller.user_id is None:
        return
    async with here.session() as db:
        role = await db.value(sql.members.role, project_id=project_id, user_id=caller.user_id)
    if role is None:
        raise Problem("not_found")
    if endpoint.writes and role == "viewer":
        raise Problem("forbidden", "A viewer reads only.")
    if endpoint.owner and role != "owner":
        raise Problem("forbidden", "Only an owner of the project does this.")


class HangUpWatches:
    """The reads under way. One timer looks after all of them, for most end before it rings."""

    def __init__(self) -> None:
        self._watches: set[HangUpWatch] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watch: HangUpWatch, loop: asyncio.AbstractEventLoop) -> None:
        """A read begins."""
        self._watches.add(watch)
        if self._timer is None:
            self._timer = loop.call_later(_WATCH_AFTER, self._look, loop)

    def discard(self, watch: HangUpWatch) -> None:
        """A read has ended."""
        self._watches.discard(watch)
        watch.stop()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        slow_from = loop.time() - _WATCH_AFTER
        for watch in self._watches:
            if watch.began <= slow_from:
                watch.start()
        self._timer = loop.call_later(_WATCH_AFTER, self._look, loop) if self._watches else None


class HangUpWatch:
    """Cancels a slow request when its client hangs up, and with it what PostgreSQL still does.

    Only a request that takes longer than a moment is watched. Reads are, and documents of cases,
    each of which is one transaction; other writes run to their end.
    """

    __slots__ = ("_here", "_receive", "_task", "_watcher", "began")

    def __init__(self, receive: Receive, here: Context) -> None:
        self._receive = receive
        self._here = here
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self.began = here.started

    def start(self) -> None:
        """Watch from now on, if it is not watched yet."""
        if self._watcher is None:
            self._watcher = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._here.hung_up = True
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        """The request has ended."""
        if self._watcher is not None:
            self._watcher.cancel()


def _render(problem: Problem, here: Context) -> Response:
    body = problem.render(here.request_id)
    headers = [(n.lower().encode(), v.encode()) for n, v in problem.headers.items()]
    headers.append((b"cache-control", b"no-store"))
    return Answer(body, problem.status, headers, _PROBLEM)
