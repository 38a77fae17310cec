"""The table of tiers, and what an operator changes of it. Source: ACR-REFERENCE 1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.registries.tiers import Feature, Limit, SkuName, parse_limit, read_own, tier_of, write_own

LIMITS = "there are the limits storage, includedStorage, webhooks, "


GIB, TIB = 2**30, 2**40
# Basic, Standard, Premium. ACR-REFERENCE 1.1, then 1.2.
ACR = {
    Limit.INCLUDED: (10 * GIB, 100 * GIB, 500 * GIB),
    Limit.STORAGE: (40 * TIB, 40 * TIB, 100 * TIB),
    Limit.WEBHOOKS: (2, 10, 500),
    Limit.PRIVATE_ENDPOINTS: (0, 0, 200),
    Limit.IP_RULES: (0, 0, 200),
    Limit.VIRTUAL_NETWORK_RULES: (0, 0, 100),
    Limit.TOKENS: (100, 500, 50_000),
    Limit.SCOPE_MAPS: (100, 500, 50_000),
    Limit.DATAPLANE_READ: (10_000, 10_000, 20_000),
    Limit.DATAPLANE_READ_PER_IDENTITY: (5000, 5000, 10_000),
    Limit.DATAPLANE_WRITE: (2000, 2000, 4000),
    Limit.DATAPLANE_WRITE_PER_IDENTITY: (1000, 1000, 2000),
    Limit.DATAPLANE_DELETE: (1000, 1000, 4000),
    Limit.DATAPLANE_DELETE_PER_IDENTITY: (500, 500, 2000),
    Limit.LIST_REFERRERS: (500, 500, 2000),
    Limit.LIST_REFERRERS_PER_IDENTITY: (250, 250, 1000),
    Limit.OAUTH: (10_000, 10_000, 20_000),
}
# What the reference gives no number for, or none for every tier: ours.
OURS = {Limit.CACHE_RULES: (1000, 1000, 1000), Limit.REPLICATIONS: (0, 0, 1000)}


@pytest.mark.parametrize("limit", Limit)
def test_each_limit_of_each_tier_is_acr_s(limit: Limit) -> None:
    assert tuple(tier_of(sku, None, ()).limits[limit] for sku in SkuName) == (ACR | OURS)[limit]


def test_features_are_gated_as_in_acr() -> None:
    """ACR-REFERENCE 1.3: anonymous pull from Standard on, everything else that is gated in Premium alone."""
    basic, standard, premium = (tier_of(sku, None, ()).features for sku in SkuName)
    assert (basic, standard) == (set(), {Feature.ANONYMOUS_PULL})
    assert premium == {
        *(Feature.AGENT_POOLS, Feature.ANONYMOUS_PULL, Feature.CONTENT_TRUST, Feature.DATA_ENDPOINTS),
        *(Feature.EXPORT_POLICY, Feature.GEO_REPLICATION, Feature.NETWORK_RULES, Feature.QUARANTINE),
        Feature.RETENTION,
    }


def test_a_deployment_changes_one_tier_and_leaves_the_others() -> None:
    changes = ("basic.webhooks=30", "Basic.storage = 1TiB", "Basic.networkRules=on", "Standard.anonymousPull=off")
    basic, standard = (tier_of(sku, None, changes) for sku in (SkuName.BASIC, SkuName.STANDARD))
    assert (basic.limits[Limit.WEBHOOKS], basic.limits[Limit.STORAGE], basic.limits[Limit.TOKENS]) == (30, 2**40, 100)
    assert basic.features == {Feature.NETWORK_RULES}
    assert (standard.features, standard.limits[Limit.WEBHOOKS]) == (frozenset(), 10)


def test_what_a_registry_has_of_its_own_wins() -> None:
    own = write_own({Limit.WEBHOOKS: 7, Feature.ANONYMOUS_PULL: True})
    tier = tier_of("Basic", own, ("Basic.webhooks=30", "Basic.tokens=3"))
    assert (tier.limits[Limit.WEBHOOKS], tier.limits[Limit.TOKENS]) == (7, 3)
    assert tier.features == {Feature.ANONYMOUS_PULL}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("Gold.webhooks=1", "Gold.webhooks=1: the tiers are Basic, Standard, Premium"),
        ("Basic.hooks=1", f"hooks: {LIMITS}"),
        ("Basic.webhooks=", "Basic.webhooks=: give a value"),
        ("Basic.webhooks=many", "webhooks=many: use a whole number"),
        ("Basic.webhooks=-1", "webhooks=-1: use a whole number, 0 or more"),
        ("Basic.storage=10 parsecs", "storage=10 parsecs: use a size such as 500MB or 200GiB"),
        ("Basic.storage=99999999TiB", "storage=99999999TiB: use a size such as 500MB or 200GiB, 0 or more"),
        ("Basic.networkRules=1", "networkRules=1: use on or off"),
        ("Basic.oauth=0", "oauth=0: use a whole number, 1 or more"),
    ],
)
def test_a_change_that_cannot_be_read_is_told_with_what_is_allowed(change: str, told: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011  the text is looked at
        tier_of("Basic", None, (change,))
    assert str(refused.value).startswith(told)


@given(
    st.dictionaries(st.sampled_from(list(Limit)), st.integers(1, 2**62)),
    st.dictionaries(st.sampled_from(list(Feature)), st.booleans()),
)
def test_what_a_registry_has_is_read_as_it_was_written(limits: dict[Limit, int], features: dict[Feature, bool]) -> None:
    assert read_own(write_own({**limits, **features})) == {**limits, **features}


@pytest.mark.parametrize("name", [*Limit, *(feature.key for feature in Feature)])
def test_every_limit_and_feature_can_be_named_in_any_case(name: str) -> None:
    assert parse_limit(f"{name.upper()}=") == parse_limit(f"{name}=")
