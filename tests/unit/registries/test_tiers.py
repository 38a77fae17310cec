"""The table of tiers, and what an operator changes of it. Source: ACR-REFERENCE 1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.registries.tiers import Feature, Limit, SkuName, parse_limit, read_own, tier_of, write_own

LIMITS = "there are the limits storage, includedStorage, webhooks, "


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
