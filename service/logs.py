"""Structured log lines on stderr: JSON, or pretty on a terminal."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

import structlog

from service.settings import Settings

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def as_json(settings: Settings) -> bool:
    """Whether lines are JSON for these settings and this stderr."""
    if settings.log_format == "auto":
        return not sys.stderr.isatty()
    return settings.log_format == "json"


def configure(settings: Settings) -> None:
    """Send all loggers, the standard library's too, through structlog to stderr."""
    level = _LEVELS[settings.log_level]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json(settings)
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))


def frames(error: BaseException) -> list[str]:
    """Where an error came from, without any values: file:line function."""
    found: Any = traceback.extract_tb(error.__traceback__)[-8:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in found]
