"""A generator that asks a language model, over the chat completions protocol of OpenAI, which many
servers speak (https://platform.openai.com/docs/api-reference/chat).

A call that fails in passing is made again, with a pause that doubles; after some proposals in a row
that failed, none is tried for a while. The key, the prompt and what the server says stay out of
messages and of the log.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpx
import msgspec
from msgspec import Struct

from service.dsl.lexer import STRANGE
from service.generation.drafting import Ask, Draft, GeneratorFailed, Unusable, written
from service.generation.prompt import messages, read

NAME = "llm"
_MOST_BYTES = 2 * 1024 * 1024  # of an answer
_LONGEST_WAIT = 10.0  # of a Retry-After that is still waited for
_PASSING = {408, 409, 425, 429}  # and 5xx: may be otherwise the next time


class _Message(Struct):
    content: str | None = None


class _Choice(Struct):
    message: _Message


class _Completion(Struct):
    choices: list[_Choice]
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """Where the model is and how long it is waited for; seconds."""

    url: str
    model: str
    api_key: str | None = None
    timeout: float = 20.0
    retries: int = 3
    backoff: float = 0.5
    failures: int = 3  # proposals in a row that failed, until the breaker opens
    rest: float = 30.0  # how long it stays open


class _Passing(Exception):
    """A failure that may be over the next time; `wait`: what the server asks for, in seconds."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Breaker:
    """Open after failures in a row: nobody is asked for a while, then one at a time is."""

    def __init__(self, failures: int, rest: float) -> None:
        self._most, self._rest = failures, rest
        self._failed = 0
        self._open_until = 0.0

    def check(self) -> None:
        """Raises GeneratorFailed while it is open."""
        left = self._open_until - monotonic()
        if left > 0:
            raise GeneratorFailed("The language model failed a moment ago.", max(1, round(left)))
        if self._failed >= self._most:  # the one that tries; the others wait for what it finds
            self._open_until = monotonic() + self._rest

    def note(self, *, failed: bool) -> None:
        """How a proposal went."""
        self._failed = self._failed + 1 if failed else 0
        self._open_until = monotonic() + self._rest if self._failed >= self._most else 0.0


class Llm:
    """The generator; one per process."""

    name = NAME

    def __init__(self, options: Options) -> None:
        self._options = options
        self._breaker = Breaker(options.failures, options.rest)
        self._client: httpx.AsyncClient | None = None
        url = options.url.rstrip("/")
        self._url = url if url.endswith("/chat/completions") else f"{url}/chat/completions"

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def propose(self, ask: Ask) -> Draft:
        """What the model makes of the instruction. Raises GeneratorFailed."""
        self._breaker.check()
        try:
            draft = await self._try(ask)
        except GeneratorFailed:
            self._breaker.note(failed=True)
            raise
        self._breaker.note(failed=False)
        return draft

    async def _try(self, ask: Ask) -> Draft:
        body = {"model": self._options.model, "messages": messages(ask), "temperature": 0}
        for attempt in range(self._options.retries + 1):
            try:
                async with asyncio.timeout(self._options.timeout):
                    return self._draft(await self._call(body), ask)
            except (_Passing, Unusable, httpx.HTTPError, TimeoutError) as error:
                if attempt == self._options.retries:
                    raise GeneratorFailed(_told(error)) from None
                asked = error.wait if isinstance(error, _Passing) else None
                await asyncio.sleep(self._pause(attempt) if asked is None else asked)
        raise AssertionError("unreachable")

    def _pause(self, attempt: int) -> float:
        jitter = random.uniform(0.75, 1.25)  # noqa: S311  (so that not all come again at once)
        return float(self._options.backoff * 2**attempt * jitter)

    def _draft(self, completion: _Completion, ask: Ask) -> Draft:
        """The document that a completion means. Raises Unusable."""
        content = completion.choices[0].message.content if completion.choices else None
        if not content:
            raise Unusable("an empty answer")
        answer = read(content)
        model = STRANGE.sub("", completion.model or self._options.model)[:200]
        if not answer.forms:
            reason = answer.reason or "the model made nothing of it"
            return Draft(NAME, None, 0.0, f"Cannot: {reason}", model)
        return Draft(NAME, written(answer.forms, ask), answer.confidence, answer.reason, model)

    async def _call(self, body: dict[str, Any]) -> _Completion:
        """One call. Raises _Passing, Unusable, httpx.HTTPError, GeneratorFailed."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._options.timeout)
        key = self._options.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with self._client.stream("POST", self._url, json=body, headers=headers) as answer:
            status = answer.status_code
            if status in _PASSING or status >= 500:
                raise _Passing(f"it answered {status}", _wait(answer.headers.get("retry-after")))
            if status != 200:
                raise GeneratorFailed(f"The language model refused the request with {status}.", 60)
            received = bytearray()
            async for chunk in answer.aiter_bytes():
                received += chunk
                if len(received) > _MOST_BYTES:
                    raise Unusable("an answer that is too long")
        try:
            return msgspec.json.decode(received, type=_Completion)
        except msgspec.DecodeError:
            raise Unusable("something that is no chat completion") from None


def _wait(header: str | None) -> float | None:
    """The seconds of a Retry-After; None without one. Raises GeneratorFailed for a long one."""
    if header is None or not header.isascii() or not header.isdigit() or len(header) > 6:
        return None
    if int(header) > _LONGEST_WAIT:
        raise GeneratorFailed("The language model asks to wait.", int(header))
    return float(header)


def _told(error: Exception) -> str:
    """What went wrong, in words that hold nothing of the server's."""
    match error:
        case Unusable():
            return f"The language model gave {error}."
        case _Passing():
            return f"The language model failed: {error}."
        case httpx.TimeoutException() | TimeoutError():
            return "The language model did not answer in time."
    return "The language model cannot be reached."
