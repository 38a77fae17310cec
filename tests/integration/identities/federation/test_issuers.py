"""Issuers that rotate, go down, stall and lie, and how often they are asked."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.federated import AUDIENCE
from tests.integration.identities.federation.conftest import SUBJECT
from tests.issuer import OutsideIssuer, outside_issuer, private_key, public_jwk
from tests.outside import Authority, serving

from entrepot.identities.federation.credentials import FederatedCredential, federated_credential
from entrepot.identities.federation.issuers import FRESH, MAX_ISSUERS, REFRESH_INTERVAL, STALE, Issuers
from entrepot.identities.federation.model import AssertionRefused, Reason
from entrepot.identities.federation.tokens import authenticate
from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound

SECOND = timedelta(seconds=1)


class SignIn:
    """Signs in with a fresh token of the issuer at a moment of the test's choosing."""

    def __init__(self, issuer: OutsideIssuer, issuers: Issuers, credential: FederatedCredential) -> None:
        self.issuer, self.issuers, self.credential = issuer, issuers, credential

    def at(self, moment: datetime, **token: Any) -> None:  # noqa: ANN401  as OutsideIssuer.token takes it
        made = self.issuer.token({"sub": SUBJECT, "aud": AUDIENCE}, now=moment.timestamp(), **token)
        authenticate(made, [self.credential], self.issuers, moment)

    def refused_at(self, moment: datetime, **token: Any) -> AssertionRefused:  # noqa: ANN401  as above
        with pytest.raises(AssertionRefused) as raised:
            self.at(moment, **token)
        return raised.value


@pytest.fixture
def sign_in(issuer: OutsideIssuer, issuers: Issuers, credential: FederatedCredential) -> SignIn:
    return SignIn(issuer, issuers, credential)


def test_the_keys_are_read_once_and_again_when_they_are_old(sign_in: SignIn, now: datetime) -> None:
    for moment in (now, now, now + FRESH - SECOND):
        sign_in.at(moment)
    assert sign_in.issuer.reads == 1
    sign_in.at(now + FRESH)
    assert sign_in.issuer.reads == 2


def test_a_new_key_is_found_as_soon_as_a_token_names_it(sign_in: SignIn, now: datetime) -> None:
    sign_in.at(now)
    sign_in.issuer.rotate()
    sign_in.at(now + REFRESH_INTERVAL)
    assert sign_in.issuer.reads == 2


def test_unknown_keys_make_nobody_ask_more_than_twice_a_minute(sign_in: SignIn, now: datetime) -> None:
    sign_in.at(now)
    for second in range(60):
        header = {"kid": f"unknown-{second}"}
        assert sign_in.refused_at(now + second * SECOND, header=header).reason is Reason.KEY_UNKNOWN
    assert sign_in.issuer.reads == 2
    sign_in.at(now + 60 * SECOND)


def test_a_key_that_was_taken_away_stops_when_the_keys_are_read_again(sign_in: SignIn, now: datetime) -> None:
    old = sign_in.issuer.key
    sign_in.at(now)
    sign_in.issuer.rotate()
    sign_in.issuer.keys.remove(old)
    sign_in.at(now + FRESH - SECOND, key=old)
    assert sign_in.refused_at(now + FRESH, key=old).reason is Reason.KEY_UNKNOWN


@pytest.mark.parametrize("status", [404, 500, 503, 302])
def test_an_issuer_that_is_down_keeps_its_keys_for_a_day(sign_in: SignIn, now: datetime, status: int) -> None:
    sign_in.at(now)
    sign_in.issuer.status = status
    for moment in (now + FRESH, now + STALE - SECOND):
        sign_in.at(moment)
    refused = sign_in.refused_at(now + STALE)
    assert refused.reason is Reason.ISSUER_UNREACHABLE
    assert "something private" not in refused.text + refused.detail
    sign_in.issuer.status = 200
    sign_in.at(now + STALE + REFRESH_INTERVAL)


def test_an_issuer_that_was_never_there_is_asked_again_after_a_while(sign_in: SignIn, now: datetime) -> None:
    sign_in.issuer.status = 503
    for second in range(30):
        assert sign_in.refused_at(now + second * SECOND).reason is Reason.ISSUER_UNREACHABLE
    assert sign_in.issuer.visits == 1
    sign_in.issuer.status = 200
    sign_in.at(now + REFRESH_INTERVAL)


def test_a_clock_that_goes_back_reads_the_keys_again(sign_in: SignIn, now: datetime) -> None:
    sign_in.at(now)
    sign_in.at(now - timedelta(days=1))
    assert sign_in.issuer.reads == 2


def test_an_issuer_that_stalls_delays_only_the_one_that_asks(sign_in: SignIn, now: datetime) -> None:
    sign_in.at(now)
    sign_in.issuer.stalls = True
    later = now + FRESH
    with ThreadPoolExecutor(1) as threads:
        asking = threads.submit(sign_in.at, later)
        arrived = threading.Event()
        while sign_in.issuer.visits < 3:
            arrived.wait(0.01)
        sign_in.at(later)  # at once, with the keys at hand
        assert not asking.done()
        sign_in.issuer.server.over.set()
        asking.result(10)


def test_many_sign_ins_at_once_ask_once(sign_in: SignIn, now: datetime) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(sign_in.at, [now] * 16))
    assert sign_in.issuer.reads == 1


def test_many_sign_ins_with_a_new_key_ask_once(sign_in: SignIn, now: datetime) -> None:
    sign_in.at(now)
    sign_in.issuer.rotate()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(sign_in.at, [now + REFRESH_INTERVAL] * 16))
    assert sign_in.issuer.reads == 2


@pytest.mark.parametrize("path", ["/tenant", "/tenant/", "/a/b/"])
def test_an_issuer_with_a_path_is_asked_below_it(ca: Authority, issuers: Issuers, now: datetime, path: str) -> None:
    with outside_issuer(ca, path) as issuer:
        trusted = federated_credential(name="a", issuer=issuer.url, audiences=[AUDIENCE], subject=SUBJECT)
        SignIn(issuer, issuers, trusted).at(now)
    assert issuer.server.asked[0].target == f"{path.rstrip('/')}/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "lie",
    [
        {"issuer": "https://token.actions.githubusercontent.com"},
        {"issuer": "{url}/"},
        {"issuer": 7},
        {"jwks_uri": "http://127.0.0.1/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": 7},
    ],
    ids=str,
)
def test_an_issuer_that_says_something_wrong_of_itself_is_not_believed(
    sign_in: SignIn, now: datetime, lie: dict[str, Any]
) -> None:
    sign_in.issuer.discovery = {
        name: value.format(url=sign_in.issuer.url) if isinstance(value, str) else value for name, value in lie.items()
    }
    assert sign_in.refused_at(now).reason is Reason.ISSUER_INVALID
    assert sign_in.issuer.reads == 0


@pytest.mark.parametrize(
    "jwks",
    [
        [],
        {},
        {"keys": []},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "key-0"}]},
        {"keys": [{**public_jwk(private_key("ES256")), "use": "enc", "kid": "key-0"}]},
        {"keys": "a" * 300_000},
    ],
    ids=["list", "empty", "no keys", "secret", "encryption", "huge"],
)
def test_a_key_set_without_a_key_that_can_be_used_is_refused(sign_in: SignIn, now: datetime, jwks: object) -> None:
    sign_in.issuer.jwks = jwks
    assert sign_in.refused_at(now).reason in {Reason.ISSUER_INVALID, Reason.ISSUER_UNREACHABLE}


def test_keys_in_a_forbidden_place_are_not_fetched(sign_in: SignIn, now: datetime) -> None:
    with serving(lambda _: [], address="127.0.0.2") as inner:
        sign_in.issuer.discovery = {"jwks_uri": f"https://{inner.place}/keys"}
        refused = sign_in.refused_at(now)
    assert inner.connections == 0
    assert refused.reason is Reason.ISSUER_UNREACHABLE
    assert "outbound_allow" in refused.detail


def test_no_more_issuers_are_remembered_than_the_bound(ca: Authority, now: datetime) -> None:
    """The one that was asked for least recently goes; it is asked again when it comes back."""
    outbound = Outbound(Permitted.of(["127.0.0.1"]), ca.trusting, resolve=lambda _host, _port: [])
    issuers = Issuers(outbound)
    with outside_issuer(ca) as issuer:
        issuers.keys(issuer.url, None, "ES256", now)
        for number in range(MAX_ISSUERS):
            with pytest.raises(AssertionRefused):
                issuers.keys(f"https://idp-{number}.example", None, "ES256", now)
        issuers.keys(issuer.url, None, "ES256", now)
    outbound.close()
    assert issuer.reads == 2
