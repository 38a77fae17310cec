"""What a registry may be called, and which settings are not built yet."""

import re
from typing import Final

import msgspec

from entrepot.errors import Kind, Problem
from entrepot.gate.firewall import AddressRules, parse_network
from entrepot.registries.resource.model import (
    DefaultAction,
    Policies,
    RegistryBody,
    RegistrySettings,
    Switch,
)

# ACR-REFERENCE 2.1.
_NAME: Final = re.compile(r"[A-Za-z0-9]{5,50}")
NAME_RULE: Final = "It has 5 to 50 letters and digits."

# Settings of features that come later: their default is what the registry does.
_DEFAULTS: Final = RegistrySettings()
_NOT_YET: Final = (
    "auto_generated_domain_name_label_scope",
    "data_endpoint_enabled",
    "encryption",
    "endpoint_protocol",
    "metadata_search",
    "network_rule_bypass_allowed_for_tasks",
    "regional_endpoints",
    "writable_cache_repos",
    "zone_redundancy",
)
_POLICIES_NOT_YET: Final = (
    "export_policy",
    "quarantine_policy",
    "trust_policy",
)


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def expect_name(name: str) -> None:
    """Raises NAME_INVALID."""
    if not is_name(name):
        raise Problem(Kind.NAME_INVALID, name=name, reason=NAME_RULE)


def expect_network(settings: RegistrySettings) -> AddressRules | None:
    """What the gate keeps to; None when everybody is let in. Raises RESOURCE_INVALID."""
    allowed: list[str] = []
    for place, rule in enumerate(settings.network_rule_set.ip_rules):
        target = f"properties.networkRuleSet.ipRules[{place}]"
        if rule.action is not DefaultAction.ALLOW:
            raise Problem(Kind.RESOURCE_INVALID, target=f"{target}.action", reason="a rule can only allow")
        try:
            allowed.append(str(parse_network(rule.value)))
        except ValueError:
            reason = f"'{rule.value[:64]}' is no address, and no network in CIDR notation"
            raise Problem(Kind.RESOURCE_INVALID, target=f"{target}.value", reason=reason) from None
    is_public = settings.public_network_access is Switch.ENABLED
    is_allowing = settings.network_rule_set.default_action is DefaultAction.ALLOW
    return None if is_public and is_allowing else AddressRules(is_public, is_allowing, allowed)


def expect_days(policies: Policies) -> None:
    """Raises RESOURCE_INVALID. Source: ACR-REFERENCE 6.3."""
    for target, days, least, most in (
        ("retentionPolicy.days", policies.retention_policy.days, 0, 365),
        ("softDeletePolicy.retentionDays", policies.soft_delete_policy.retention_days, 1, 90),
    ):
        if not least <= days <= most:
            reason = f"it is a number of days from {least} to {most}"
            raise Problem(Kind.RESOURCE_INVALID, target=f"properties.policies.{target}", reason=reason)


def expect_built(body: RegistryBody) -> None:
    """Raises UNSUPPORTED for a setting whose feature does not exist yet: it is never kept and then not kept to."""
    settings = body.properties
    for owner, defaults, names, prefix in (
        (settings, _DEFAULTS, _NOT_YET, "properties"),
        (settings.policies, _DEFAULTS.policies, _POLICIES_NOT_YET, "properties.policies"),
    ):
        written = {field.name: field.encode_name for field in msgspec.structs.fields(owner)}
        for name in names:
            if getattr(owner, name) != getattr(defaults, name):
                target = f"{prefix}.{written[name]}"
                reason = f"'{target}' is not available yet: only its default is."
                raise Problem(Kind.UNSUPPORTED, target=target, reason=reason)
