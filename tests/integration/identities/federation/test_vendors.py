"""Tokens of every vendor's documented shape sign in, and a little less does not."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from tests.federated import AUDIENCE, GITHUB, KUBERNETES, VENDORS, Vendor
from tests.issuer import OutsideIssuer, outside_issuer
from tests.outside import Authority, authority

from entrepot.identities.federation.credentials import Match, federated_credential
from entrepot.identities.federation.issuers import Issuers
from entrepot.identities.federation.model import AssertionRefused, Reason
from entrepot.identities.federation.tokens import authenticate


@pytest.fixture(params=VENDORS, ids=str)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return request.param


@pytest.fixture
def issuer(ca: Authority, vendor: Vendor) -> Iterator[OutsideIssuer]:
    with outside_issuer(ca, vendor.path, vendor.algorithm) as running:
        yield running


def _token(issuer: OutsideIssuer, vendor: Vendor, **claims: object) -> str:
    return issuer.token({"aud": vendor.audience, **vendor.claims, **claims}, header=vendor.header)


def test_a_vendor_s_token_fits_its_exact_subject(
    issuer: OutsideIssuer, vendor: Vendor, issuers: Issuers, now: datetime
) -> None:
    exact = federated_credential(name="exact", issuer=issuer.url, audiences=[AUDIENCE], subject=vendor.claims["sub"])
    assert authenticate(_token(issuer, vendor), [exact], issuers, now) is exact


def test_a_vendor_s_token_fits_a_pattern(
    issuer: OutsideIssuer, vendor: Vendor, issuers: Issuers, now: datetime
) -> None:
    pattern = federated_credential(
        name="pattern", issuer=issuer.url, audiences=[AUDIENCE], subject=vendor.pattern, match=Match.PATTERN
    )
    assert authenticate(_token(issuer, vendor), [pattern], issuers, now) is pattern
    with pytest.raises(AssertionRefused, match=r"AADSTS700213.*subject 'somebody:else'"):
        authenticate(_token(issuer, vendor, sub="somebody:else"), [pattern], issuers, now)


def test_a_vendor_s_token_for_another_audience_is_refused(
    issuer: OutsideIssuer, vendor: Vendor, issuers: Issuers, now: datetime
) -> None:
    exact = federated_credential(name="exact", issuer=issuer.url, audiences=[AUDIENCE], subject=vendor.claims["sub"])
    with pytest.raises(AssertionRefused, match=r"AADSTS700212.*audience 'sts.amazonaws.com'"):
        authenticate(_token(issuer, vendor, aud="sts.amazonaws.com"), [exact], issuers, now)


@pytest.mark.parametrize("vendor", [GITHUB], indirect=True, ids=str)
def test_an_expression_looks_at_further_claims(
    issuer: OutsideIssuer, vendor: Vendor, issuers: Issuers, now: datetime
) -> None:
    flow = federated_credential(
        name="flow",
        issuer=issuer.url,
        audiences=[AUDIENCE],
        expression="claims['sub'] matches 'repo:octo-org/*' and claims['job_workflow_ref'] matches "
        "'octo-org/octo-automation/.github/workflows/*@refs/heads/main'",
    )
    assert authenticate(_token(issuer, vendor), [flow], issuers, now) is flow
    with pytest.raises(AssertionRefused) as raised:
        authenticate(_token(issuer, vendor, job_workflow_ref="evil/x/y.yml@refs/heads/main"), [flow], issuers, now)
    assert raised.value.reason is Reason.SUBJECT_MISMATCH


@pytest.mark.parametrize("vendor", [KUBERNETES], indirect=True, ids=str)
def test_a_cluster_whose_ca_is_not_trusted_is_named_as_such(
    vendor: Vendor, tmp_path, issuers: Issuers, now: datetime
) -> None:
    with outside_issuer(authority(tmp_path, "127.0.0.1"), vendor.path, vendor.algorithm) as cluster:
        account = federated_credential(
            name="builder", issuer=cluster.url, audiences=[AUDIENCE], subject=vendor.claims["sub"]
        )
        with pytest.raises(AssertionRefused) as raised:
            authenticate(_token(cluster, vendor), [account], issuers, now)
    assert raised.value.reason is Reason.ISSUER_UNREACHABLE
    assert "outbound_ca_file" in raised.value.detail
    assert "outbound_ca_file" not in raised.value.text
