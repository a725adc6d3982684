"""What belongs to one request: its id, deadline, caller, session; and what a process shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asyncpg.pgproto.pgproto import UUID
from starlette.requests import Request

from service.cache.cache import Cache
from service.database.session import Engine, Identity, Session
from service.files import FileStore

if TYPE_CHECKING:
    from service.http.auth import Authenticator
    from service.http.events import Hub
    from service.http.idempotency import InFlight
    from service.http.limits import RateLimiter
    from service.http.observe import Observer
    from service.http.routing import Endpoint
    from service.http.uploads import Upload
    from service.http.workbench import Workbench
    from service.settings import Settings

NOBODY = Identity(UUID("00000000-0000-0000-0000-000000000000"), "nobody")


@dataclass(slots=True)
class Process:
    """What all requests of a process share; made once at start."""

    settings: Settings
    engine: Engine
    authenticator: Authenticator
    limiter: RateLimiter
    observer: Observer
    in_flight: InFlight
    events: Hub
    files: FileStore
    cache: Cache
    expected_head: str = ""
    draining: bool = False
    contract: bytes = b"{}"  # of the queries that are served, as in contract.json
    workbench: Workbench | None = None
    extras: dict[str, Any] = field(default_factory=dict)
    cursor_key: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.cursor_key = self.settings.cursor_secret.encode()[:64]


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `user_id` and `projects` restrict what it sees when set."""

    identity: Identity
    scopes: frozenset[str]
    key_id: str = ""
    user_id: UUID | None = None
    projects: tuple[UUID, ...] | None = None
    rate_limit: float | None = None
    expires_at: float | None = None  # seconds since the epoch

    @property
    def restricted(self) -> bool:
        """Whether this caller sees only some projects of its tenant."""
        return self.user_id is not None or self.projects is not None

    def allows(self, scope: str) -> bool:
        """Whether the scopes include `area:action`, `area:*` or `*`."""
        scopes = self.scopes
        return scope in scopes or "*" in scopes or f"{scope.partition(':')[0]}:*" in scopes


class Context:
    """One request: made by the outermost layer, found by handlers as `context(request)`."""

    __slots__ = (
        "abort", "body", "clock", "deadline", "endpoint", "extra_headers", "headers", "hung_up",
        "prepared", "principal",
        "process", "queries", "request_id",
        "started", "trace_id", "unit", "upload",
    )  # fmt: skip

    def __init__(
        self, process: Process, headers: dict[bytes, bytes], clock: Callable[[], float]
    ) -> None:
        self.process = process
        self.clock = clock
        self.queries = process.engine.queries  # one set for the whole request, come what may
        self.headers = headers
        self.abort: Callable[[], None] | None = None  # cuts the client's connection
        self.body: bytes | None = None  # read once, for the fingerprint and for the handler
        self.started = started = clock()
        self.request_id = ""
        self.trace_id = ""
        self.hung_up = False
        self.deadline = started
        self.principal: Principal | None = None
        self.endpoint: Endpoint | None = None
        self.prepared: Any = None  # what the endpoint's slow work has made
        self.unit: Session | None = None  # the open unit of an idempotent request
        self.upload: Upload | None = None  # read once; closed by the outermost layer
        self.extra_headers: list[tuple[bytes, bytes]] = []

    def header(self, name: bytes) -> str | None:
        """A request header by its lower-case name."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def session(self) -> Session:
        """The request's unit of work: a new one, or the idempotent unit that is open."""
        if self.unit is not None:
            return self.unit
        identity = NOBODY if self.principal is None else self.principal.identity
        return Session(self.process.engine, identity, self.request_id, self.deadline, self.queries)

    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - self.clock()


def context(request: Request) -> Context:
    """The context of a request."""
    return request.scope["quarry"]  # type: ignore[no-any-return]


def session(request: Request) -> Session:
    """A unit of work bound to the request's tenant, actor, request id and deadline."""
    return context(request).session()


def principal(request: Request) -> Principal:
    """The authenticated caller of a route that asks for a scope."""
    found = context(request).principal
    assert found is not None  # noqa: S101  (the outermost layer authenticates first)
    return found
