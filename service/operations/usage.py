"""Who uses what: endpoints, commands and background work → queries, and the other way round.

Nothing is declared, so nothing can go stale: `code_reach.py` reads it from the code that runs. A
test walks all endpoints and holds the queries that the engine has seen against this.
"""

from __future__ import annotations

import inspect
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import msgspec
import orjson

from service.http.answers import created
from service.http.routing import Endpoint
from service.operations.code_reach import OWN, Tracer, function_of, imported

__all__ = ["Usage", "User", "find"]

# Rooms whose functions may run by themselves, and how their users are called. What no endpoint
# leads to in `resources` is the work of a job.
_ROOMS = {
    "http": "http", "jobs": "job", "dsl": "job", "resources": "job", "operations": "service",
    "app": "service",
}  # fmt: skip
_DECODERS = (orjson.loads, json.loads, msgspec.json.decode)

Asked = Mapping[str, tuple[str, ...]]  # query → places, as file:line


class User(NamedTuple):
    """Who asks: an endpoint ("GET /projects"), a command ("quarry key list"), or a module of the
    service that works for many requests or by itself ("http.auth", "jobs.claims").

    `kind` is endpoint, admin, command, http, job or service.
    """

    kind: str
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Users with what they ask.

    Of the queries that the serving process asks: Python itself reads the rows of those in `read`,
    and the id of what those in `located` have made.
    """

    by_user: Mapping[User, Asked]
    read: frozenset[str] = frozenset()
    located: frozenset[str] = frozenset()

    def of(self, query: str, *kinds: str) -> list[User]:
        """Who asks a query; only users of these kinds, if any are given."""
        return [
            user
            for user, asked in self.by_user.items()
            if query in asked and (not kinds or user.kind in kinds)
        ]

    def places(self, query: str, *, commands: bool = True) -> list[str]:
        """Where a query is asked, as file:line."""
        found = {
            place
            for user, asked in self.by_user.items()
            if commands or user.kind != "command"
            for place in asked.get(query, ())
        }
        return sorted(found)

    def unused(self, queries: Mapping[str, Any]) -> list[str]:
        """The queries that nobody asks."""
        return sorted(queries.keys() - {name for asked in self.by_user.values() for name in asked})


def find(
    endpoints: Sequence[Endpoint],
    admin: Sequence[Endpoint] = (),
    commands: Mapping[str, Callable[..., Any]] | None = None,
) -> Usage:
    """Who uses what. `commands` are the functions of the command line by their full names."""
    tracer = Tracer()
    served: set[FunctionType] = set()
    by_user: dict[User, Asked] = {}
    for user, handler in _endpoints(endpoints, admin):
        reach = tracer.reach(handler)
        served |= reach.functions
        by_user[user] = reach.queries
    typed: set[FunctionType] = set()
    for name, function in (commands or {}).items():
        reach = tracer.reach(function)
        typed |= reach.functions
        by_user[User("command", name, _first_line(function))] = reach.queries
    for user, function in _others(tracer, served, typed):
        for query, places in tracer.named(function).items():
            served.add(function)
            asked = by_user.get(user, {})
            by_user[user] = {**asked, query: (*asked.get(query, ()), *places)}
    naming = {f: tracer.named(f).keys() for f in served if tracer.named(f)}
    return Usage(
        {user: asked for user, asked in by_user.items() if asked},
        frozenset(q for f, queries in naming.items() if _reads(tracer, f) for q in queries),
        frozenset(q for f, queries in naming.items() if _locates(tracer, f) for q in queries),
    )


def _endpoints(
    endpoints: Sequence[Endpoint], admin: Sequence[Endpoint]
) -> Iterator[tuple[User, Callable[..., Any]]]:
    public = {(e.method, e.path, e.handler) for e in endpoints}
    for endpoint in endpoints:
        yield User("endpoint", _name(endpoint), endpoint.summary), endpoint.handler
    for endpoint in admin:
        if (endpoint.method, endpoint.path, endpoint.handler) not in public:
            yield User("admin", f"{_name(endpoint)} (admin)", endpoint.summary), endpoint.handler


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def _others(
    tracer: Tracer, served: set[FunctionType], typed: set[FunctionType]
) -> Iterator[tuple[User, FunctionType]]:
    """The functions that no endpoint leads to, with their modules as users.

    What commands lead to is left out, unless background work of the service does so as well.
    """
    running: set[FunctionType] = set()
    for module in _modules("app", "jobs"):
        for function in _functions(module):
            running |= {function, *tracer.reach(function).functions}
    for module in _modules(*_ROOMS):
        name = module.__name__.removeprefix(OWN)
        user = User(_ROOMS[name.partition(".")[0]], name, _first_line(module))
        for function in _functions(module):
            if function not in served and (function not in typed or function in running):
                yield user, function


def _modules(*rooms: str) -> Iterator[ModuleType]:
    for room in rooms:
        module = imported(OWN + room)
        if module is None:
            continue
        yield module
        for part in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{module.__name__}."):
            if (inner := imported(part.name)) is not None:
                yield inner


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for value in vars(module).values():
        if getattr(value, "__module__", None) == module.__name__:
            for part in vars(value).values() if isinstance(value, type) else (value,):
                if (function := function_of(part)) is not None:
                    yield function


def _reads(tracer: Tracer, function: FunctionType) -> bool:
    """Whether a function that names queries may look into their rows: it takes JSON apart, or it
    or something that it calls fetches rows as Python values."""
    seen = tracer.seen(function)
    if any(value in _DECODERS for value, _ in seen.values if callable(value)):
        return True
    reached = tracer.reach(function).functions
    return any("fetch" in tracer.seen(each).attributes for each in {function, *reached})


def _locates(tracer: Tracer, function: FunctionType) -> bool:
    """Whether it answers with the Location of what it made."""
    return any(value is created for value, _ in tracer.seen(function).values)


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]
