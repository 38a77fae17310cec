"""Whether a registry's tier has what is asked of it. Source: ACR-REFERENCE 1.3 and 1.4."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from entrepot.errors import Kind, Problem
from entrepot.registries.resource.model import DefaultAction, RegistryBody, RegistrySettings, Status, Switch
from entrepot.registries.tiers import Feature, Limit, SkuName, Tier, lowest_with

_COUNTED: Final[dict[Limit, str]] = {
    Limit.STORAGE: "bytes of content",
    Limit.WEBHOOKS: "webhooks",
    Limit.TOKENS: "tokens",
    Limit.SCOPE_MAPS: "scope maps",
    Limit.REPLICATIONS: "replications",
}


class Held(NamedTuple):
    """What a registry has that a tier may have no room for. ``agent_pools``: a tier has any number of them, or none."""

    counted: dict[Limit, int]
    agent_pools: int


def expect_tier(body: RegistryBody, tier: Tier, was: SkuName | None, held: Held, changes: tuple[str, ...]) -> None:
    """Raises UNSUPPORTED for a feature that the tier lacks; RESOURCE_INVALID for too many network rules; IN_USE, with
    the whole list, when a change of tier finds what the new one cannot hold.

    ``tier``: what the registry is to have, and ``was`` its tier until now. ``changes``: the setting ``tier_limits``.
    """
    rules, room = body.properties.network_rule_set.ip_rules, tier.limits[Limit.IP_RULES]
    if Feature.NETWORK_RULES in tier.features and len(rules) > room:
        reason = f"a registry of the {tier.name} tier has at most {room} rules"
        raise Problem(Kind.RESOURCE_INVALID, target="properties.networkRuleSet.ipRules", reason=reason)
    lacking = [feature for feature in _used(body.properties) if feature not in tier.features]
    if was is None or was is tier.name:
        for feature in lacking:
            expect_feature(tier, feature, changes)
        return
    obstacles = [f"{feature} is on: switch it off" for feature in lacking]
    obstacles += _too_many(tier, held)
    if obstacles:
        reason = f"The registry cannot change from {was} to {tier.name}: {'; '.join(obstacles)}."
        raise Problem(Kind.IN_USE, code="TierChangeBlocked", target="sku.name", reason=reason)


def expect_feature(tier: Tier, feature: Feature, changes: tuple[str, ...]) -> None:
    """Raises UNSUPPORTED for a feature that the registry lacks. ``changes``: the setting ``tier_limits``."""
    if feature not in tier.features:
        lowest = lowest_with(feature, changes)
        other = "no tier has it here" if lowest is None else f"use {lowest} or above"
        reason = f"A registry of the {tier.name} tier has not got {feature}: {other}."
        raise Problem(Kind.UNSUPPORTED, code="FeatureNotSupportedInTier", target="sku.name", reason=reason)


def _too_many(tier: Tier, held: Held) -> Iterator[str]:
    """What the registry holds that the tier has no room for, each with its number."""
    for limit, name in _COUNTED.items():
        number, room = held.counted.get(limit, 0), tier.limits[limit]
        if number > room:
            yield f"it has {number} {name}, and {tier.name} has room for {room}"
    if held.agent_pools and Feature.AGENT_POOLS not in tier.features:
        yield f"it has {held.agent_pools} {Feature.AGENT_POOLS}, and {tier.name} has room for none"


def _used(settings: RegistrySettings) -> Iterator[Feature]:
    """What the settings switch on that not every tier has."""
    if settings.anonymous_pull_enabled:
        yield Feature.ANONYMOUS_PULL
    if settings.policies.retention_policy.status is Status.ENABLED:
        yield Feature.RETENTION
    rules = settings.network_rule_set
    is_open = rules.default_action is DefaultAction.ALLOW and settings.public_network_access is Switch.ENABLED
    if rules.ip_rules or not is_open:
        yield Feature.NETWORK_RULES
