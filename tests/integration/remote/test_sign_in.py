"""Signing in to another registry: what it asks for, and where credentials never go."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.content import an_image
from tests.foreign import TOKEN, ForeignRegistry, foreign_registry
from tests.integration.remote.conftest import REPOSITORY, Puller
from tests.integration.remote.test_pull import failure
from tests.outside import Asked, Authority, answer, ok_json, redirect, serving

from entrepot.oci.reference import Tag
from entrepot.remote.sign_in import TOKEN_USER, Credentials

PAIR = ("somebody", "a secret of theirs")
CREDENTIALS = Credentials(*PAIR)
V1 = Tag("v1")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def held(hub: ForeignRegistry) -> ForeignRegistry:
    hub.hold(REPOSITORY, an_image(), "v1")
    return hub


def sent(asked: list[Asked]) -> list[str | None]:
    return [each.headers.get("authorization") for each in asked]


def test_nobody_signs_in_where_nobody_asks(held: ForeignRegistry, puller: Puller) -> None:
    assert puller(held.place, CREDENTIALS).manifest(V1) is not None
    assert sent(held.asked) == [None]


def test_a_token_is_fetched_once_and_used_from_then_on(held: ForeignRegistry, puller: Puller) -> None:
    held.bearer()
    held.basic = PAIR
    remote = puller(held.place, CREDENTIALS)
    assert remote.manifest(V1) is not None
    assert remote.manifest(V1) is not None
    assert sent(held.asked) == [None, basic(*PAIR), f"Bearer {TOKEN}", f"Bearer {TOKEN}"]
    asked = parse_qs(urlsplit(held.asked[1].target).query)
    assert asked == {"scope": [f"repository:{REPOSITORY}:pull"], "service": [held.place]}


def test_a_scope_that_the_registry_names_is_not_asked_for(held: ForeignRegistry, puller: Puller) -> None:
    held.bearer()
    held.challenge = f'{held.challenge},scope="repository:private:pull,push"'
    assert puller(held.place).manifest(V1) is not None
    assert parse_qs(urlsplit(held.asked[1].target).query)["scope"] == [f"repository:{REPOSITORY}:pull"]


def test_a_token_without_credentials(held: ForeignRegistry, puller: Puller) -> None:
    held.bearer()
    assert puller(held.place).manifest(V1) is not None
    assert sent(held.asked) == [None, None, f"Bearer {TOKEN}"]


def test_a_password_alone_may_be_a_token(held: ForeignRegistry, puller: Puller) -> None:
    held.bearer()
    held.basic = (TOKEN_USER, "t")
    assert puller(held.place, Credentials("", "t")).manifest(V1) is not None


def test_basic(held: ForeignRegistry, puller: Puller) -> None:
    held.challenge, held.basic = 'Basic realm="hub"', PAIR
    assert puller(held.place, CREDENTIALS).manifest(V1) is not None
    assert sent(held.asked) == [None, basic(*PAIR)]


def test_who_must_sign_in_and_cannot_is_told(held: ForeignRegistry, puller: Puller) -> None:
    held.challenge, held.basic = 'Basic realm="hub"', PAIR
    assert "give a user name and a password" in failure(puller(held.place))


@pytest.mark.parametrize("challenge", ['Basic realm="hub"', None])
def test_wrong_credentials_are_told_and_never_repeated(
    held: ForeignRegistry, puller: Puller, challenge: str | None
) -> None:
    held.bearer()
    held.challenge, held.basic = challenge or held.challenge, PAIR
    told = failure(puller(held.place, Credentials("somebody", "wrong-secret")))
    assert "credentials" in told
    assert "wrong-secret" not in told
    assert len(held.asked) == 2


def test_an_expired_token_is_replaced(held: ForeignRegistry, puller: Puller) -> None:
    held.bearer()
    remote = puller(held.place)
    remote._authorization = "Bearer old"
    assert remote.manifest(V1) is not None
    assert sent(held.asked) == ["Bearer old", None, f"Bearer {TOKEN}"]


# --- whoever collects passwords ---------------------------------------------------------------------------------------


def test_credentials_are_not_sent_to_a_realm_of_another_domain(ca: Authority, puller: Puller) -> None:
    with foreign_registry(ca) as hub, serving(lambda _: ok_json({"token": TOKEN}), ca.server) as thief:
        hub.bearer(f"https://elsewhere.example:{thief.port}/token")
        told = failure(puller(f"registry.hub.example:{hub.server.port}", CREDENTIALS))
        assert "elsewhere.example" in told
        assert thief.connections == 0


def test_they_are_to_one_of_its_own_domain_as_docker_hub_has_it(ca: Authority, puller: Puller) -> None:
    with foreign_registry(ca) as hub, foreign_registry(ca) as auth:
        hub.hold(REPOSITORY, an_image(), "v1")
        hub.bearer(f"https://auth.hub.example:{auth.server.port}/token")
        auth.basic = PAIR
        assert puller(f"registry.hub.example:{hub.server.port}", CREDENTIALS).manifest(V1) is not None
        assert sent(auth.asked) == [basic(*PAIR)]


@pytest.mark.parametrize(
    "realm",
    [
        "http://{place}/token",
        "https://{place}@elsewhere.example/token",
        "https://elsewhere.example\\\\@{place}/token",
        "https://{place}#@elsewhere.example/",
        "//{place}/token",
        "/token",
        "",
        "https:///token",
        "file:///etc/passwd",
    ],
)
def test_a_realm_that_is_no_plain_https_url_is_refused(held: ForeignRegistry, puller: Puller, realm: str) -> None:
    held.bearer(realm.format(place=held.place) or " ")
    assert "no plain https URL" in failure(puller(held.place, CREDENTIALS))
    assert sent(held.asked) == [None]


def test_a_realm_that_redirects_elsewhere_gives_no_credentials_away(
    held: ForeignRegistry, puller: Puller, ca: Authority
) -> None:
    held.bearer()
    with serving(lambda _: ok_json({"token": TOKEN}), ca.server) as other:
        held.wrong = lambda asked: redirect(f"https://{other.place}/") if asked.target.startswith("/token") else None
        puller(held.place, CREDENTIALS).manifest(V1)
        assert sent(other.asked) == [None]


def test_a_realm_inside_is_not_called(held: ForeignRegistry, puller: Puller, ca: Authority) -> None:
    with serving(lambda _: ok_json({"token": TOKEN}), ca.server, "127.0.0.2") as inner:
        held.bearer(f"https://{inner.place}/token")
        assert "not public" in failure(puller(held.place))
        assert inner.connections == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token":"a b"}', b'{"token":"a\\r\\nhost: x"}', b'{"token":7}'])
def test_a_token_that_is_none_is_refused(held: ForeignRegistry, puller: Puller, body: bytes) -> None:
    held.bearer()
    held.wrong = lambda asked: answer(200, body) if asked.target.startswith("/token") else None
    assert "no token" in failure(puller(held.place))


def test_a_registry_that_never_has_enough_is_not_asked_for_ever(held: ForeignRegistry, puller: Puller) -> None:
    held.bearer()
    held.wrong = lambda asked: (
        None if asked.target.startswith("/token") else answer(401, b"", {"www-authenticate": str(held.challenge)})
    )
    assert "401" in failure(puller(held.place))
    assert len(held.asked) == 3
