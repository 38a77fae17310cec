"""Tiers: what a registry of each may hold and do, in one table. Source: ACR-REFERENCE 1.1, 1.2 and 1.3.

An operator changes limits and features for the whole deployment (the setting ``tier_limits``) or for one registry
(``entrepot limits``), which the column ``registry.limits`` keeps. ``tier_of`` is the one answer to what holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec
from pydantic import ByteSize, TypeAdapter, ValidationError

from entrepot.arm.bodies import AnyCase
from entrepot.errors import Kind, Problem

_GIB: Final = 1024**3
_TIB: Final = 1024**4


class SkuName(AnyCase):
    """The tiers, the smallest first."""

    BASIC = "Basic"
    STANDARD = "Standard"
    PREMIUM = "Premium"


class Limit(AnyCase):
    """What is counted, as settings and refusals name it."""

    STORAGE = "storage"  # bytes
    # Bytes that a tier is sold with, which ``listUsages`` shows as its limit.
    INCLUDED = "includedStorage"
    WEBHOOKS = "webhooks"
    TOKENS = "tokens"
    SCOPE_MAPS = "scopeMaps"
    IP_RULES = "ipRules"
    VIRTUAL_NETWORK_RULES = "virtualNetworkRules"
    PRIVATE_ENDPOINTS = "privateEndpoints"
    CACHE_RULES = "cacheRules"
    REPLICATIONS = "replications"
    # Requests in a minute, where the setting ``request_rates`` is on: of everybody, and of one identity.
    DATAPLANE_READ = "dataplaneRead"
    DATAPLANE_READ_PER_IDENTITY = "dataplaneReadPerIdentity"
    DATAPLANE_WRITE = "dataplaneWrite"
    DATAPLANE_WRITE_PER_IDENTITY = "dataplaneWritePerIdentity"
    DATAPLANE_DELETE = "dataplaneDelete"
    DATAPLANE_DELETE_PER_IDENTITY = "dataplaneDeletePerIdentity"
    LIST_REFERRERS = "listReferrers"
    LIST_REFERRERS_PER_IDENTITY = "listReferrersPerIdentity"
    OAUTH = "oauth"


class Feature(StrEnum):
    """What only some tiers have, as refusals name it; ``key`` is what settings call it."""

    AGENT_POOLS = "agent pools"
    ANONYMOUS_PULL = "anonymous pull"
    CONTENT_TRUST = "content trust"
    DATA_ENDPOINTS = "dedicated data endpoints"
    EXPORT_POLICY = "the export policy"
    GEO_REPLICATION = "geo-replication"
    NETWORK_RULES = "network rules"
    QUARANTINE = "quarantine"
    RETENTION = "retention of untagged manifests"

    @property
    def key(self) -> str:
        """``anonymousPull``."""
        first, *rest = self.name.lower().split("_")
        return first + "".join(map(str.capitalize, rest))


@dataclass(frozen=True, slots=True)
class Tier:
    """What a registry may hold and do."""

    name: SkuName
    limits: Mapping[Limit, int]
    features: frozenset[Feature]


_BASIC: Final = {
    Limit.STORAGE: 40 * _TIB,
    Limit.INCLUDED: 10 * _GIB,
    Limit.WEBHOOKS: 2,
    Limit.TOKENS: 100,
    Limit.SCOPE_MAPS: 100,
    Limit.IP_RULES: 0,
    Limit.VIRTUAL_NETWORK_RULES: 0,
    Limit.PRIVATE_ENDPOINTS: 0,
    Limit.CACHE_RULES: 1000,
    Limit.REPLICATIONS: 0,
    Limit.DATAPLANE_READ: 10_000,
    Limit.DATAPLANE_READ_PER_IDENTITY: 5000,
    Limit.DATAPLANE_WRITE: 2000,
    Limit.DATAPLANE_WRITE_PER_IDENTITY: 1000,
    Limit.DATAPLANE_DELETE: 1000,
    Limit.DATAPLANE_DELETE_PER_IDENTITY: 500,
    Limit.LIST_REFERRERS: 500,
    Limit.LIST_REFERRERS_PER_IDENTITY: 250,
    Limit.OAUTH: 10_000,
}
_STANDARD: Final = {
    **_BASIC,
    Limit.INCLUDED: 100 * _GIB,
    Limit.WEBHOOKS: 10,
    Limit.TOKENS: 500,
    Limit.SCOPE_MAPS: 500,
}
_PREMIUM: Final = {
    Limit.STORAGE: 100 * _TIB,
    Limit.INCLUDED: 500 * _GIB,
    Limit.WEBHOOKS: 500,
    Limit.TOKENS: 50_000,
    Limit.SCOPE_MAPS: 50_000,
    Limit.IP_RULES: 200,
    Limit.VIRTUAL_NETWORK_RULES: 100,
    Limit.PRIVATE_ENDPOINTS: 200,
    Limit.CACHE_RULES: 1000,
    # ACR has no limit: more than there are locations.
    Limit.REPLICATIONS: 1000,
    Limit.DATAPLANE_READ: 20_000,
    Limit.DATAPLANE_READ_PER_IDENTITY: 10_000,
    Limit.DATAPLANE_WRITE: 4000,
    Limit.DATAPLANE_WRITE_PER_IDENTITY: 2000,
    Limit.DATAPLANE_DELETE: 4000,
    Limit.DATAPLANE_DELETE_PER_IDENTITY: 2000,
    Limit.LIST_REFERRERS: 2000,
    Limit.LIST_REFERRERS_PER_IDENTITY: 1000,
    Limit.OAUTH: 20_000,
}
# As ACR has them. What holds in a deployment: ``tier_of``.
_TIERS: Final[Mapping[SkuName, Tier]] = {
    SkuName.BASIC: Tier(SkuName.BASIC, _BASIC, frozenset()),
    SkuName.STANDARD: Tier(SkuName.STANDARD, _STANDARD, frozenset({Feature.ANONYMOUS_PULL})),
    SkuName.PREMIUM: Tier(SkuName.PREMIUM, _PREMIUM, frozenset(Feature)),
}
_BYTES: Final = frozenset({Limit.STORAGE, Limit.INCLUDED})
# A rate of none at all would be an answer that nobody can wait for.
_RATES: Final = frozenset(list(Limit)[list(Limit).index(Limit.DATAPLANE_READ) :])
_FEATURES: Final = {feature.key.lower(): feature for feature in Feature}
_SWITCH: Final = {"true": True, "on": True, "false": False, "off": False}
_MOST: Final = 2**62
_size: Final = TypeAdapter(ByteSize)


@lru_cache(maxsize=4096)
def tier_of(sku: str, own: str | None, changes: tuple[str, ...]) -> Tier:
    """What holds for a registry of this tier: ACR's table, changed by the deployment, changed by the registry's own.

    ``own``: the column ``registry.limits``. ``changes``: the setting ``tier_limits``. Raises ValueError for a setting
    that names nothing of the table.
    """
    tier = _changed(_TIERS[SkuName(sku)], parse_tier_limits(changes).get(SkuName(sku), {}))
    return tier if own is None else _changed(tier, read_own(own))


Changes = Mapping[Limit | Feature, int | bool]


def _changed(tier: Tier, changes: Changes) -> Tier:
    limits = {name: int(value) for name, value in changes.items() if isinstance(name, Limit)}
    switched = {name: bool(value) for name, value in changes.items() if isinstance(name, Feature)}
    features = {feature for feature in Feature if switched.get(feature, feature in tier.features)}
    return replace(tier, limits={**tier.limits, **limits}, features=frozenset(features))


def parse_tier_limits(changes: Iterable[str]) -> dict[SkuName, Changes]:
    """From ``Basic.webhooks=10``, ``Standard.networkRules=on``. Raises ValueError, which says what is allowed."""
    found: dict[SkuName, dict[Limit | Feature, int | bool]] = {}
    for change in changes:
        tier, _, rest = change.partition(".")
        try:
            sku = SkuName(tier)
        except ValueError:
            raise ValueError(f"{change}: the tiers are {', '.join(SkuName)}") from None
        name, value = parse_limit(rest)
        if value is None:
            raise ValueError(f"{change}: give a value")
        found.setdefault(sku, {})[name] = value
    return dict(found)


def parse_limit(text: str) -> tuple[Limit | Feature, int | bool | None]:
    """From ``webhooks=10``, ``storage=1TiB``, ``networkRules=on``; None for no value: ``webhooks=``.

    Raises ValueError, which says what is allowed.
    """
    written, _, value = (part.strip() for part in text.partition("="))
    feature = _FEATURES.get(written.lower())
    if feature is None and written.lower() not in {limit.lower() for limit in Limit}:
        raise ValueError(f"{written}: there are the limits {', '.join(Limit)} and the features {_keys()}")
    name = Limit(written) if feature is None else feature
    return name, None if not value else _value(name, value)


def _keys() -> str:
    return ", ".join(feature.key for feature in Feature)


def _value(name: Limit | Feature, text: str) -> int | bool:
    if isinstance(name, Feature):
        if text.lower() not in _SWITCH:
            raise ValueError(f"{name.key}={text}: use on or off")
        return _SWITCH[text.lower()]
    allowed = "a size such as 500MB or 200GiB" if name in _BYTES else "a whole number"
    try:
        value = int(_size.validate_python(text) if name in _BYTES else text)
    except (ValueError, ValidationError):
        raise ValueError(f"{name}={text}: use {allowed}") from None
    least = 1 if name in _RATES else 0
    if not least <= value <= _MOST:
        raise ValueError(f"{name}={text}: use {allowed}, {least} or more")
    return value


def read_own(own: str | None) -> dict[Limit | Feature, int | bool]:
    """What the column ``registry.limits`` says."""
    written = {} if own is None else msgspec.json.decode(own, type=dict[str, int | bool])
    return {_FEATURES.get(name.lower()) or Limit(name): value for name, value in written.items()}


def write_own(own: Changes) -> str | None:
    """The column's text; None when there is nothing to say."""
    written = {name.key if isinstance(name, Feature) else name.value: value for name, value in own.items()}
    return msgspec.json.encode(written, order="sorted").decode() if written else None


def lowest_with(feature: Feature, changes: tuple[str, ...]) -> SkuName | None:
    """The smallest tier of the deployment that has the feature."""
    return next((sku for sku in SkuName if feature in tier_of(sku, None, changes).features), None)


def expect_room(tier: Tier, limit: Limit, used: int, what: str) -> None:
    """Raises QUOTA_EXCEEDED when the registry has as many as it has room for. ``what``: as a person reads it."""
    room = tier.limits[limit]
    if used >= room:
        reason = (
            f"A registry of the {tier.name} tier has at most {room} {what} here: delete some, or choose a larger tier."
        )
        raise Problem(Kind.QUOTA_EXCEEDED, reason=reason)
