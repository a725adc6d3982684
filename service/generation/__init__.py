"""From words to documents of the case language.

A generator makes forms, never text: what it says is printed by the language's own printer, so that
nothing which was said to it can leave its string. Whether the document may run is not for it to
say: it is validated like any other.
"""

from service.generation.drafting import Generator
from service.generation.rules import Rules
from service.settings import Settings


def of(settings: Settings) -> Generator:
    """The generator that the settings choose."""
    if settings.llm_url is None:
        return Rules()
    from service.generation.llm import Llm, Options  # noqa: PLC0415  (httpx: only who needs it)

    return Llm(
        Options(
            settings.llm_url, settings.llm_model, settings.llm_api_key,
            settings.llm_timeout_seconds, settings.llm_retries, settings.llm_backoff_seconds,
            settings.llm_breaker_failures, settings.llm_breaker_seconds,
        )
    )  # fmt: skip
