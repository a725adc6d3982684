"""Requests per second and caller: a token bucket in this process."""

from __future__ import annotations

import math
from collections.abc import Callable

from service.http.context import Principal
from service.http.problems import Problem

_MOST_BUCKETS = 100_000


class RateLimiter:
    """One bucket per key or subject; a key's own limit wins over the default. 0 is no limit."""

    def __init__(self, rate: float, burst_seconds: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst_seconds
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # actor → (tokens, when)

    def take(self, principal: Principal) -> list[tuple[bytes, bytes]]:
        """Take one request. Returns the RateLimit headers. Raises Problem rate_limited."""
        rate = principal.rate_limit or self._rate
        if not rate:
            return []
        capacity = max(1.0, rate * self._burst)
        actor = f"{principal.identity.tenant_id}/{principal.identity.actor}"
        now = self._clock()
        tokens, when = self._buckets.get(actor, (capacity, now))
        tokens = min(capacity, tokens + (now - when) * rate)
        policy = f'"key";q={math.floor(capacity)};w={math.ceil(self._burst)}'
        if tokens < 1:
            wait = math.ceil((1 - tokens) / rate)
            raise Problem(
                "rate_limited",
                headers={
                    "Retry-After": str(max(1, wait)),
                    "RateLimit": f'"key";r=0;t={max(1, wait)}',
                    "RateLimit-Policy": policy,
                },
            )
        if actor not in self._buckets and len(self._buckets) >= _MOST_BUCKETS:
            self._buckets.pop(next(iter(self._buckets)))
        self._buckets[actor] = (tokens - 1, now)
        left = f'"key";r={math.floor(tokens - 1)};t={math.ceil(self._burst)}'
        return [(b"ratelimit", left.encode()), (b"ratelimit-policy", policy.encode())]
