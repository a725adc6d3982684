"""Which named queries a piece of the running code may ask, read from its byte code.

A handler, a command or a background task is followed through every function of the service that it
can reach, and each `sql.folder.file` on the way is a use. Methods are found by name, in the classes
that the code on the way refers to. What it passes on as data counts as well: closures, defaults,
tables of functions.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import service
from service.database.tree import QueryName, Tree, sql
from service.http.routing import Endpoint

__all__ = ["OWN", "Reach", "Seen", "Tracer", "function_of", "imported"]

OWN = service.__name__ + "."
_ENGINE = OWN + "database."  # knows no query by name
_ROOT = Path(service.__file__).parent
_FOLDER = type(getattr(sql, "any"))  # noqa: B009  (mypy knows the real ones only)
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
_UNKNOWN = object()


@dataclass(frozen=True, slots=True)
class Reach:
    """What can be reached from somewhere: query → the places that name it, as file:line."""

    queries: Mapping[str, tuple[str, ...]]
    functions: frozenset[FunctionType]


@dataclass(slots=True)
class Seen:
    """What one function holds: values that it refers to, and names of attributes that it reads."""

    values: list[tuple[Any, int]] = field(default_factory=list)  # with the line
    attributes: set[str] = field(default_factory=set)


class Tracer:
    """Follows code; what a function holds is read once."""

    def __init__(self) -> None:
        self._seen: dict[FunctionType, Seen] = {}

    def reach(self, root: object) -> Reach:
        """Everything that `root`, a function or anything that holds some, may ask."""
        return _Walk(self).run(root)

    def seen(self, function: FunctionType) -> Seen:
        """What a function itself holds, functions inside of it included."""
        found = self._seen.get(function)
        if found is None:
            found = self._seen[function] = Seen()
            _Scan(function, found).read(function.__code__)
            first = function.__code__.co_firstlineno
            for value in (
                *(function.__defaults__ or ()),
                *(function.__kwdefaults__ or {}).values(),
            ):
                found.values.append((value, first))
        return found

    def named(self, function: FunctionType) -> dict[str, list[str]]:
        """The queries that a function names itself → places."""
        found: dict[str, list[str]] = {}
        for value, line in self.seen(function).values:
            place = _place(function.__code__, line)
            if isinstance(value, QueryName) and place not in found.setdefault(str(value), []):
                found[str(value)].append(place)
        return found


class _Walk:
    """One search from one root."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._queries: dict[str, dict[str, None]] = {}
        self._functions: dict[FunctionType, None] = {}
        self._classes: dict[type, None] = {}
        self._attributes: set[str] = set()
        self._data: set[int] = set()

    def run(self, root: object) -> Reach:
        """Visit what is found until nothing new comes."""
        self._visit(root, "")
        done: set[tuple[type, str]] = set()
        while todo := self._methods() - done:
            done |= todo
            for kind, name in sorted(todo, key=lambda pair: (pair[0].__qualname__, pair[1])):
                self._visit(vars(kind)[name], "")
        queries = {name: tuple(places) for name, places in sorted(self._queries.items())}
        return Reach(queries, frozenset(self._functions))

    def _methods(self) -> set[tuple[type, str]]:
        """Those of the classes so far that some code so far may call."""
        return {
            (kind, name)
            for kind in self._classes
            for name in vars(kind)
            if name in self._attributes or name.startswith("__")
        }

    def _visit(self, value: Any, place: str) -> None:
        if isinstance(value, QueryName):
            self._queries.setdefault(str(value), {})[place] = None
        elif (function := function_of(value)) is not None:
            self._follow(function)
        elif isinstance(value, type):
            self._classes |= {kind: None for kind in value.__mro__ if _is_own(kind.__module__)}
        elif id(value) not in self._data:
            self._data.add(id(value))
            for part in _parts(value):
                self._visit(part, place)

    def _follow(self, function: FunctionType) -> None:
        if function in self._functions or not _is_own(function.__module__ or ""):
            return
        self._functions[function] = None
        seen = self._tracer.seen(function)
        self._attributes |= seen.attributes
        for value, line in seen.values:
            self._visit(value, _place(function.__code__, line))


def function_of(value: Any) -> FunctionType | None:
    """The function behind a method, a property or a wrapper."""
    if isinstance(value, property):
        value = value.fget
    if isinstance(value, (classmethod, staticmethod)) or inspect.ismethod(value):
        value = value.__func__
    if not isinstance(value, FunctionType):
        return None
    inner = inspect.unwrap(value)
    return inner if isinstance(inner, FunctionType) else value


def imported(name: str) -> ModuleType | None:
    """A module of the service; None where there is none, or not what it needs."""
    if not _is_own(name + "."):
        return None
    with contextlib.suppress(ImportError):
        return importlib.import_module(name)
    return None


def _is_own(module: str) -> bool:
    return module.startswith(OWN) and not module.startswith(_ENGINE)


def _parts(value: Any) -> Iterator[Any]:
    """What a value of ours holds. An endpoint is a user of its own, whoever has it in a table."""
    if isinstance(value, (Endpoint, Tree, ModuleType, str, bytes)):
        return
    if isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, Mapping):
        yield from (*value.keys(), *value.values())
    elif isinstance(value, (list, tuple, set, frozenset)):
        yield from value
    elif _is_own(type(value).__module__):
        yield type(value)
        yield from getattr(value, "__dict__", {}).values()
        for kind in type(value).__mro__:
            yield from (getattr(value, name, None) for name in getattr(kind, "__slots__", ()))


def _place(code: CodeType, line: int) -> str:
    path = Path(code.co_filename)
    shown = path.relative_to(_ROOT.parent) if path.is_relative_to(_ROOT.parent) else path
    return f"{shown}:{line or code.co_firstlineno}"


class _Scan:
    """Reads one function's byte code: names, with their attributes as far as they are known.

    An instruction that loads a name begins a chain, those that load an attribute continue it, and
    any other ends it. Local names are known when they were imported or assigned from a chain.
    """

    def __init__(self, function: FunctionType, found: Seen) -> None:
        self._globals = function.__globals__
        self._locals = _closure(function)
        self._found = found
        self._held: Any = _UNKNOWN  # what the chain has come to
        self._module: ModuleType | None = None  # of an import inside of the function
        self._line = 0

    def read(self, code: CodeType) -> None:
        """One code object and those inside of it."""
        for step in dis.get_instructions(code):
            if step.opname in _ATTRIBUTES:
                self._attribute(step.argval)
                continue
            if step.opname == "STORE_FAST" and self._held is not _UNKNOWN:
                self._locals[step.argval] = self._held
            self._end()
            if step.positions is not None and step.positions.lineno is not None:
                self._line = step.positions.lineno
            self._begin(step)
        self._end()

    def _begin(self, step: dis.Instruction) -> None:
        name = step.argval
        if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            self._held = self._globals.get(name, _UNKNOWN)
        elif step.opname == "LOAD_DEREF" or step.opname.startswith("LOAD_FAST"):
            self._held = self._locals.get(name, _UNKNOWN)
        elif step.opname == "IMPORT_NAME":
            self._module = imported(name)
        elif step.opname == "IMPORT_FROM":
            self._held = getattr(self._module, name, _UNKNOWN)
        elif isinstance(name, CodeType):
            self.read(name)

    def _attribute(self, name: str) -> None:
        if isinstance(self._held, (Tree, _FOLDER, ModuleType)):
            self._held = getattr(self._held, name, _UNKNOWN)
        else:
            self._end()
            self._found.attributes.add(name)

    def _end(self) -> None:
        if self._held is not _UNKNOWN:
            self._found.values.append((self._held, self._line))
            self._held = _UNKNOWN


def _closure(function: FunctionType) -> dict[Any, Any]:
    held: dict[Any, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not filled yet
            held[name] = cell.cell_contents
    return held
