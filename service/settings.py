"""Every setting of Quarry, once: name, type, default and one line of help.

Values come from the environment (`QUARRY_<NAME>`), then from an env file (`QUARRY_ENV_FILE`,
default `.env` in the working directory), then from the defaults below. `quarry config` prints
them all with their origin.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

import msgspec
from dotenv import dotenv_values

PREFIX = "QUARRY_"
_PACKAGE = Path(__file__).resolve().parent


class SettingsError(Exception):
    """A setting whose value cannot be read; the message names it and says what is expected."""


def _shipped(folder: str) -> Path:
    """The folder as installed with the package, else beside it in a checkout."""
    packaged = _PACKAGE / "_files" / folder
    return packaged if packaged.is_dir() else _PACKAGE.parent / folder


def _setting(default: Any, help_text: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"help": help_text, "secret": secret})


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, typed. Times are in the unit that the name says, else in seconds."""

    # where the data is
    database_url: str | None = _setting(
        None, "PostgreSQL DSN of the service's role; unset: the embedded server", secret=True
    )
    database_direct_url: str | None = _setting(
        None, "DSN past any pooler, for LISTEN and locks; default: the database URL", secret=True
    )
    migration_url: str | None = _setting(
        None, "DSN of the migrating role; default: the embedded superuser", secret=True
    )
    data_dir: Path = _setting(Path(".quarry"), "Folder of the embedded server and local files")
    embedded_port: int | None = _setting(
        None, "Loopback TCP port of the embedded server; unset: socket only"
    )
    sql_dir: Path = _setting(_shipped("sql"), "Folder of the named queries")
    migrations_dir: Path = _setting(_shipped("migrations"), "Folder of the migrations")

    # where it listens
    host: str = _setting("127.0.0.1", "Address that the service listens on")
    port: int = _setting(5210, "Port that the service listens on")
    admin_host: str = _setting("127.0.0.1", "Address of the admin listener")
    admin_port: int = _setting(
        5211, "Port of the admin listener (worker n listens on port + n); 0: none"
    )
    workers: int = _setting(1, "Service processes")
    drain_seconds: float = _setting(
        0.0, "After SIGTERM: not ready but listening for so long, then in-flight requests end"
    )
    shutdown_seconds: float = _setting(30.0, "Bound on ending in-flight requests and the pool")
    startup_seconds: float = _setting(10.0, "How long to wait for the database at start")

    # connections
    pool_init_size: int = _setting(2, "Connections opened at start, per worker")
    pool_min_size: int = _setting(2, "Connections kept when idle, per worker")
    pool_max_size: int = _setting(20, "Connections at most, per worker")
    pool_idle_seconds: float = _setting(300.0, "An idle connection above the minimum closes then")
    pool_wait_ms: int = _setting(1000, "Waiting for a connection at most; then 503")
    connect_timeout_ms: int = _setting(1000, "Opening one connection at most")
    statement_cache: bool = _setting(
        True, "Prepared statements per connection; off: PgBouncer<1.21"
    )
    isolation: Literal["auto", "guard", "transaction"] = _setting(
        "auto", "How a statement gets its tenant: one round trip, or BEGIN … COMMIT around it"
    )

    # requests
    request_timeout_ms: int = _setting(15_000, "Deadline of a request that names none")
    max_request_timeout_ms: int = _setting(60_000, "The longest deadline that a caller may ask")
    max_body_bytes: int = _setting(2 * 1024 * 1024, "Largest request body of a route")
    rate_limit: float = _setting(0.0, "Requests per second and key; 0: no limit")
    rate_burst: float = _setting(2.0, "Burst of the rate limit, in seconds' worth of requests")
    idempotency_hours: float = _setting(24.0, "How long a stored answer can be replayed")
    cursor_secret: str = _setting(
        "", "Signs page cursors; the same in every process; empty: they are only checked",
        secret=True,
    )  # fmt: skip

    # documents of the case language
    dsl_max_bytes: int = _setting(1024 * 1024, "Largest document of the case language, in UTF-8")
    dsl_max_depth: int = _setting(64, "Levels of brackets in a document, at most 64")
    dsl_max_forms: int = _setting(10_000, "Forms in a document")

    # executions and their events
    execution_stale_after: float = _setting(
        900.0, "A running execution without a sign of life for so many seconds has failed"
    )
    event_keepalive_seconds: float = _setting(
        15.0, "A stream of events says something, and its caller's rights are asked, so often"
    )
    event_streams: int = _setting(1000, "Streams of events at most, per worker; then 503")
    event_keep_days: float = _setting(7.0, "Events are kept so long for resuming; final ones stay")

    # from words to documents
    llm_url: str | None = _setting(
        None, "Chat completions endpoint of OpenAI's protocol (…/v1); unset: rules, without a model"
    )
    llm_model: str = _setting("default", "Name of the model that is asked for")
    llm_api_key: str | None = _setting(None, "Bearer key of the endpoint", secret=True)
    llm_timeout_seconds: float = _setting(20.0, "One call of the model at most")
    llm_retries: int = _setting(3, "Further calls after one that failed in passing")
    llm_backoff_seconds: float = _setting(0.5, "Pause before the first of them; doubles each time")
    llm_breaker_failures: int = _setting(3, "So many proposals in a row fail, then none is tried")
    llm_breaker_seconds: float = _setting(30.0, "…for so long")
    generate_auto_confidence: float = _setting(
        0.95, "A proposal at least so sure may run at once, when that is asked"
    )
    generate_propose_confidence: float = _setting(
        0.80, "A proposal less sure is rejected by policy"
    )

    # who is asking
    auth_cache_seconds: float = _setting(30.0, "A key's rights are kept so long; revoked: at once")
    auth_cache_size: int = _setting(10_000, "Keys and tokens kept at most, per worker")
    jwt_secret: str | None = _setting(
        None, "HS256 secret (≥ 32 bytes) for bearer JWTs", secret=True
    )
    jwt_jwks_file: Path | None = _setting(None, "JWKS file for bearer JWTs")
    jwt_jwks_url: str | None = _setting(None, "JWKS URL (https) for bearer JWTs")
    jwt_issuer: str | None = _setting(None, "Required `iss` of bearer JWTs")
    jwt_audience: str | None = _setting(None, "Required `aud` of bearer JWTs")

    # work that outlives a request
    jobs: bool = _setting(True, "Do jobs and upkeep in this process; off: others must")
    jobs_concurrency: int = _setting(2, "Jobs at once, per worker; they have connections apart")
    jobs_poll_seconds: float = _setting(5.0, "Look for due jobs so often when nobody calls")
    jobs_lease_seconds: float = _setting(30.0, "A job is taken over after so long without a sign")
    jobs_backoff_seconds: float = _setting(5.0, "Pause after a failed attempt; doubles each time")
    job_seconds: float = _setting(3600.0, "One attempt at a job at most")
    jobs_keep_days: float = _setting(7.0, "Ended jobs are removed after so many days")
    leader_seconds: float = _setting(5.0, "Try so often to become the process that does upkeep")

    # discovery
    mapping_approved_percent: float = _setting(
        60.0, "A flow goes on when so many percent of an import's columns have an approved mapping"
    )

    # files
    files_dir: Path | None = _setting(
        None, "Folder of files; shared by all processes; default: files in the data folder"
    )
    export_hours: float = _setting(24.0, "How long the file of an export is kept")
    upload_max_bytes: int = _setting(100 * 1024 * 1024, "Largest file that can be uploaded")
    import_max_bytes: int = _setting(1024 * 1024 * 1024, "Largest inventory that can be imported")
    download_seconds: float = _setting(3600.0, "A download at most; it can be resumed")
    upkeep_seconds: float = _setting(60.0, "How often expired exports and stray files are removed")
    stray_file_seconds: float = _setting(
        3600.0, "Age from which a file that nobody knows is removed"
    )

    # cache
    cache_url: str | None = _setting(
        None, "redis:// or rediss:// URL of a Valkey or Redis server; unset: in each process",
        secret=True,
    )  # fmt: skip
    cache_kinds: str = _setting(
        "page,search",
        "What is kept, of user, conversation, page, search and project; none: nothing",
    )
    cache_user_seconds: float = _setting(3600.0, "How long a user is kept at most")
    cache_conversation_seconds: float = _setting(1800.0, "How long a conversation is kept at most")
    cache_page_seconds: float = _setting(1800.0, "How long a page of messages is kept at most")
    cache_search_seconds: float = _setting(7200.0, "How long a memory search is kept at most")
    cache_project_seconds: float = _setting(3600.0, "How long a project is kept at most")
    cache_absent_seconds: float = _setting(30.0, "How long an answer with nothing in it is kept")
    cache_memory_bytes: int = _setting(64 * 1024 * 1024, "Of each process, without a cache server")
    cache_budget_ms: int = _setting(50, "Waiting for the cache server at most")
    cache_pause_seconds: float = _setting(5.0, "A cache that failed is not asked for so long")
    cache_warm: int = _setting(0, "Newest users whose entries are made at start")

    # what is written down
    log_format: Literal["auto", "json", "console"] = _setting(
        "auto", "Log lines as JSON, or pretty; auto: pretty on a terminal"
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting("info", "Least level logged")
    access_log: bool = _setting(True, "One line per request")
    slow_query_ms: int = _setting(1000, "A query slower than this is logged by name")


NAMES = tuple(f.name for f in fields(Settings))


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as `quarry config` shows it."""

    name: str
    value: str
    origin: str
    help: str


def env_file() -> Path:
    """The env file that is read when it exists."""
    return Path(os.environ.get(PREFIX + "ENV_FILE", ".env"))


def _raw() -> dict[str, tuple[str, str]]:
    """Setting name → (text, origin) of everything that is set. Raises SettingsError on strays."""
    path = env_file()
    from_file = dotenv_values(path) if path.is_file() else {}
    found: dict[str, tuple[str, str]] = {}
    for source, origin in ((from_file, str(path)), (os.environ, "environment")):
        for key, value in source.items():
            name = key.removeprefix(PREFIX).lower()
            if key.startswith(PREFIX) and name in NAMES and value is not None:
                found[name] = (value, origin)
    return found


def _convert(name: str, text: str, kind: Any) -> Any:
    if text == "" and name != "cursor_secret":
        return None if type(None) in getattr(kind, "__args__", ()) else _refuse(name, text, kind)
    if kind is Path or kind == Path | None:
        return Path(text).expanduser()
    if kind is bool:
        text = {"1": "true", "on": "true", "yes": "true", "0": "false", "off": "false",
                "no": "false"}.get(text.lower(), text.lower())  # fmt: skip
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return _refuse(name, text, kind)


def _refuse(name: str, text: str, kind: Any) -> Any:
    secret = next(f for f in fields(Settings) if f.name == name).metadata["secret"]
    shown = "a value that is not shown" if secret else repr(text)
    wanted = getattr(kind, "__name__", None) or str(kind).replace("typing.", "")
    raise SettingsError(f"{PREFIX}{name.upper()}: {shown} is not {wanted}")


@functools.cache
def _kinds() -> dict[str, Any]:
    return get_type_hints(Settings)


def load() -> Settings:
    """Read all settings. Raises SettingsError naming the first one that cannot be read."""
    kinds = _kinds()
    return Settings(**{n: _convert(n, text, kinds[n]) for n, (text, _) in _raw().items()})


def describe(settings: Settings) -> list[Described]:
    """Every setting with its value (secrets masked), its origin and its help."""
    raw = _raw()
    rows = []
    for f in fields(Settings):
        value = getattr(settings, f.name)
        shown = "" if value is None else str(value)
        if f.metadata["secret"] and shown:
            shown = "********"
        origin = raw[f.name][1] if f.name in raw else "default"
        rows.append(Described(PREFIX + f.name.upper(), shown, origin, f.metadata["help"]))
    return rows
