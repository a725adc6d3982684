"""The token bucket, with a clock of its own."""

from __future__ import annotations

import pytest
from asyncpg.pgproto.pgproto import UUID

from service.database.session import Identity
from service.http.context import Principal
from service.http.limits import RateLimiter
from service.http.problems import Problem


def caller(actor: str, rate: float | None = None) -> Principal:
    return Principal(
        Identity(UUID("00000000-0000-0000-0000-000000000001"), actor),
        frozenset("*"),
        rate_limit=rate,
    )


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    now = 0.0
    limiter = RateLimiter(2.0, 2.0, lambda: now)
    one, other = caller("key:1"), caller("key:2")
    for left in (3, 2, 1, 0):
        headers = dict(limiter.take(one))
        assert headers[b"ratelimit"].startswith(b'"key";r=%d' % left)
    with pytest.raises(Problem) as caught:
        limiter.take(one)
    assert caught.value.headers["Retry-After"] == "1"
    limiter.take(other)
    now = 0.5
    limiter.take(one)
    with pytest.raises(Problem):
        limiter.take(one)


def test_a_keys_own_limit_wins_and_none_is_none() -> None:
    now = 0.0
    limiter = RateLimiter(0.0, 1.0, lambda: now)
    assert all(limiter.take(caller("key:1")) == [] for _ in range(1000))
    limited = caller("key:2", 1)
    limiter.take(limited)
    with pytest.raises(Problem):
        limiter.take(limited)
