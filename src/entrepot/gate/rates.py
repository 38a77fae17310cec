"""The request rates of a registry, where the deployment keeps to them: per registry, and per identity in it."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from entrepot.errors import Kind, Problem
from entrepot.gate.memory import remember
from entrepot.gate.metrics import THROTTLED
from entrepot.web.rates import SECOND, Bucket, Buckets, Pool


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests in a minute: of everybody together, and of one identity if that is limited."""

    everybody: int
    identity: int | None


# By a registry's tier, and what it has of its own (the column ``registry.limits``).
RatesOf = Callable[[str, str | None], Mapping[Pool, Rate]]


@dataclass(frozen=True, slots=True)
class Keeping:
    """What keeping to rates takes: the memory of all workers, and what the rates of a registry are."""

    buckets: Buckets
    rates_of: RatesOf
    clock: Callable[[], datetime]


class Rates:
    """Those of one registry. One per worker process, until the access epoch moves."""

    def __init__(self, registry_id: int, rates: Mapping[Pool, Rate], keeping: Keeping) -> None:
        self._registry_id = registry_id
        self._rates = rates
        self._buckets = keeping.buckets
        self._clock = keeping.clock
        self._known: dict[tuple[Sequence[Pool], str], tuple[list[Bucket], list[tuple[str, str]]]] = {}

    def draw(self, pools: Sequence[Pool], principal: str) -> None:
        """Take one request of the principal from each of the pools. Raises TOO_MANY_REQUESTS; then none is taken."""
        now = int(self._clock().timestamp() * SECOND)
        key = (pools, principal)
        known = self._known.get(key) or self._find(key, now)
        try:
            refused = self._buckets.draw(known[0], now)
        except LookupError:  # others needed the place while nobody drew
            known, refused = self._find(key, now), None
            with suppress(LookupError):  # and again, at this instant: let it in
                refused = self._buckets.draw(known[0], now)
        if refused is None:
            return
        pool, scope = known[1][refused[0]]
        THROTTLED.labels(pool, scope).inc()
        reason = f"the {scope} has used up its rate of {pool} requests"
        raise Problem(Kind.TOO_MANY_REQUESTS, reason=reason, retry_after=max(1, math.ceil(refused[1] / SECOND)))

    def _find(self, key: tuple[Sequence[Pool], str], now: int) -> tuple[list[Bucket], list[tuple[str, str]]]:
        pools, principal = key
        buckets: list[Bucket] = []
        names: list[tuple[str, str]] = []
        for pool in pools:
            rate = self._rates[pool]
            for scope, whose, limit in (("registry", "", rate.everybody), ("identity", principal, rate.identity)):
                name = f"{self._registry_id} {pool.value} {whose}"
                bucket = None if limit is None else self._buckets.find(name, limit, now)
                if bucket is not None:
                    buckets.append(bucket)
                    names.append((pool.value, scope))
        remember(self._known, key, (buckets, names))
        return buckets, names
