"""A client sends a person to sign in, and redeems the code that comes back."""

from typing import Any

import pytest
from tests.directory import (
    ADA,
    ARM,
    AZURE_CLI,
    HERE,
    PASSWORD,
    SIGN_IN_SCOPE,
    a_code,
    add_application,
    add_person,
    authorize_path,
    browser,
    challenge_of,
    claims_of,
    endpoints,
    is_good,
    new,
    number,
    sent_back,
    tenant_id,
)
from tests.registry import Registry

from entrepot.access.secrets import hash_secret
from entrepot.identities import people

ACR = "https://containerregistry.azure.net/.default"


@pytest.fixture
async def person(registry: Registry):
    return add_person(registry)


@pytest.fixture
def signed_in(registry: Registry, person):
    """The tokens of a sign-in."""

    async def tokens(**changes: str | None) -> dict[str, Any]:
        return (await endpoints(registry).redeem(await a_code(registry, **changes))).json()

    return tokens


async def test_a_person_comes_back_with_a_code_and_the_client_s_state(registry: Registry, person):
    answer = await browser(registry).sign_in(authorize_path())
    back = sent_back(answer)
    assert answer["location"].startswith(f"{HERE}?")
    assert (back["state"], "code" in back) == ("the-state", True)


async def test_the_code_gets_every_token(registry: Registry, person, signed_in):
    tokens = await signed_in()
    access, identity = claims_of(tokens["access_token"]), claims_of(tokens["id_token"])
    assert (access["oid"], access["upn"], access["idtyp"], access["appid"]) == (person.id, ADA, "user", AZURE_CLI)
    assert (identity["aud"], identity["nonce"], identity["preferred_username"]) == (AZURE_CLI, "the-nonce", ADA)
    assert identity["iss"] == f"http://{registry.host}/{tenant_id(registry)}/v2.0"
    assert tokens["refresh_token"]
    assert set(SIGN_IN_SCOPE.split()) == set(tokens["scope"].split())
    assert await is_good(registry, tokens["access_token"])


async def test_an_id_token_is_no_access_token(registry: Registry, signed_in):
    assert not await is_good(registry, (await signed_in())["id_token"])


async def test_a_second_use_of_the_code_takes_back_what_the_first_got(registry: Registry, person):
    code = await a_code(registry)
    tokens = (await endpoints(registry).redeem(code)).json()
    assert await is_good(registry, tokens["access_token"])
    assert number(await endpoints(registry).redeem(code)) == 54005
    assert number(await endpoints(registry).refresh(tokens["refresh_token"])) == 50173
    assert not await is_good(registry, tokens["access_token"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code_verifier": "another-verifier-of-the-length-that-is-asked-for-012345"}, 501481),
        ({"code_verifier": ""}, 501481),
        ({"redirect_uri": "http://localhost:8401/"}, 70000),
        ({"client_id": "1950a258-227b-4e31-a9cf-717495945fc2"}, 70000),
        ({"code": "no-such-code"}, 70000),
        ({"scope": "https://elsewhere.example/.default"}, 500011),
    ],
    ids=["verifier", "no-verifier", "redirect", "client", "code", "scope"],
)
async def test_a_code_is_redeemed_by_whom_and_how_it_was_asked_for(
    registry: Registry, person, changes: dict[str, str], code: int
):
    value = await a_code(registry)
    answer = await endpoints(registry).redeem(**{"code": value} | changes)
    assert (answer.status, number(answer)) == (400, code)


async def test_a_code_ends_soon(registry: Registry, person):
    code = await a_code(registry)
    registry.clock.advance(minutes=6)
    assert number(await endpoints(registry).redeem(code)) == 70000


async def test_a_code_ends_with_the_password_that_it_was_got_with(registry: Registry, person):
    code = await a_code(registry)
    registry.query(
        lambda tx: people.set_password(tx, person, new(registry), hash_secret("another long one"), must_change=False)
    )
    assert number(await endpoints(registry).redeem(code)) == 70000


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge": "short"},
    ],
)
async def test_a_public_client_without_s256_gets_no_code(registry: Registry, person, changes: dict[str, str | None]):
    answer = await browser(registry).open(authorize_path(**changes))
    assert sent_back(answer)["error_description"].startswith("AADSTS9002325")


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/",
        "http://localhost.evil.example:8400/",
        "http://localhost:8400@evil.example/",
        "http://evil.example\\@localhost:8400/",
        "http://localhost:8400/../x",
        "http://localhost:8400/#https://evil.example",
        "http://localhost:8400/?next=https://evil.example",
        "https://localhost:8400/",
        "http://127.0.0.2:8400/",
        "//localhost:8400/",
        "http://localhost:80a/",
        "javascript:alert(1)",
        "http://localhost:8400/\r\nlocation: https://evil.example",
        "",
    ],
)
async def test_nobody_is_sent_where_the_client_does_not_live(registry: Registry, person, uri: str):
    answer = await browser(registry).open(authorize_path(redirect_uri=uri))
    assert (answer.status, answer.get("location")) == (400, None)
    assert b"evil.example" not in answer.body


async def test_two_redirects_in_one_request_are_refused(registry: Registry, person):
    answer = await browser(registry).open(f"{authorize_path()}&redirect_uri=http%3A%2F%2Flocalhost%3A9%2F")
    assert answer.status == 400


async def test_a_registered_address_is_taken_letter_for_letter(registry: Registry, person):
    made, secret = add_application(registry, "portal", ("https://portal.example/back",))
    page = await browser(registry).open(
        authorize_path(client_id=made.client_id, redirect_uri="https://portal.example/back/")
    )
    assert page.status == 400
    code = await a_code(
        registry, client_id=made.client_id, redirect_uri="https://portal.example/back", code_challenge=None
    )
    changes = {"client_id": made.client_id, "redirect_uri": "https://portal.example/back", "code_verifier": ""}
    assert number(await endpoints(registry).redeem(code, **changes)) == 7000218
    code = await a_code(
        registry, client_id=made.client_id, redirect_uri="https://portal.example/back", code_challenge=None
    )
    answer = await endpoints(registry).redeem(code, client_secret=secret.value, **changes)
    assert answer.status == 200


async def test_a_verifier_for_a_code_without_challenge_is_refused(registry: Registry, person):
    made, secret = add_application(registry, "portal", ("https://portal.example/back",))
    there = {"client_id": made.client_id, "redirect_uri": "https://portal.example/back"}
    code = await a_code(registry, code_challenge=None, code_challenge_method=None, **there)
    answer = await endpoints(registry).redeem(code, client_secret=secret.value, **there)
    assert number(answer) == 501481


async def test_an_application_gets_tokens_for_what_its_person_saw_alone(registry: Registry, person):
    made, secret = add_application(registry, "portal", ("https://portal.example/back",))
    there = {"client_id": made.client_id, "redirect_uri": "https://portal.example/back"}
    code = await a_code(registry, scope="openid profile offline_access", **there)
    answer = await endpoints(registry).redeem(code, client_secret=secret.value, scope="openid", **there)
    refresh = answer.json()["refresh_token"]
    assert claims_of(answer.json()["access_token"])["aud"] == made.client_id
    answer = await endpoints(registry).refresh(refresh, client_id=made.client_id, client_secret=secret.value, scope=ARM)
    assert number(answer) == 65001


async def test_a_session_gives_a_first_party_client_its_code_at_once(registry: Registry, person):
    who = browser(registry)
    await who.sign_in(authorize_path())
    assert "code" in sent_back(await who.open(authorize_path()))


async def test_another_application_asks_even_somebody_who_is_signed_in(registry: Registry, person):
    made, _ = add_application(registry, "Portal", ("https://portal.example/back",))
    there = {"client_id": made.client_id, "redirect_uri": "https://portal.example/back"}
    who = browser(registry)
    await who.sign_in(authorize_path())
    answer = await who.open(authorize_path(**there))
    assert (answer.status, "Portal" in who.text, "portal.example" in who.text) == (200, True, True)
    assert "code" in sent_back(await who.submit("continue"))


@pytest.mark.parametrize(
    ("prompt", "status", "text"), [("login", 200, "Password"), ("select_account", 200, "Continue as"), (None, 303, "")]
)
async def test_the_client_may_want_a_new_sign_in(
    registry: Registry, person, prompt: str | None, status: int, text: str
):
    who = browser(registry)
    await who.sign_in(authorize_path())
    answer = await who.open(authorize_path(prompt=prompt))
    assert (answer.status, text in who.text) == (status, True)


async def test_nobody_is_asked_when_the_client_wants_no_page(registry: Registry, person):
    answer = await browser(registry).open(authorize_path(prompt="none"))
    assert sent_back(answer)["error"] == "login_required"


async def test_a_form_post_brings_the_code_without_a_script(registry: Registry, person):
    who = browser(registry)
    await who.sign_in(authorize_path(response_mode="form_post"))
    assert who.form.action == HERE
    assert (await endpoints(registry).redeem(who.form.hidden["code"])).status == 200
    assert "<script" not in who.text


# --- refresh tokens ---------------------------------------------------------------------------------------------------


async def test_a_refresh_token_is_good_again_and_for_another_audience(registry: Registry, signed_in):
    tokens = await signed_in()
    for _ in range(2):
        answer = await endpoints(registry).refresh(tokens["refresh_token"], scope=ACR)
        assert claims_of(answer.json()["access_token"])["aud"] == "https://containerregistry.azure.net"


async def test_a_refresh_token_lasts_while_it_is_used(registry: Registry, signed_in):
    value = (await signed_in())["refresh_token"]
    for _ in range(3):
        registry.clock.advance(days=60)
        assert (await endpoints(registry).refresh(value)).status == 200
    registry.clock.advance(days=91)
    assert number(await endpoints(registry).refresh(value)) == 70000


async def test_a_refresh_token_is_of_one_client(registry: Registry, signed_in):
    answer = await endpoints(registry).refresh(
        (await signed_in())["refresh_token"], client_id="1950a258-227b-4e31-a9cf-717495945fc2"
    )
    assert number(answer) == 70000


@pytest.mark.parametrize("how", ["password", "disable", "delete"])
async def test_everything_ends_with_the_person(registry: Registry, person, signed_in, how: str):
    tokens = await signed_in()
    ends = {
        "password": lambda tx: people.set_password(tx, person, new(registry), hash_secret("x" * 12), must_change=False),
        "disable": lambda tx: people.set_enabled(tx, person.id, False),
        "delete": lambda tx: people.delete(tx, person.id),
    }
    registry.query(ends[how])
    assert (await endpoints(registry).refresh(tokens["refresh_token"])).status == 400
    assert not await is_good(registry, tokens["access_token"])


# --- passwords by programs --------------------------------------------------------------------------------------------


async def test_programs_may_not_send_passwords_unless_the_operator_says_so(start_registry):
    registry = await start_registry()
    add_person(registry)
    form = {"client_id": AZURE_CLI, "username": ADA, "password": PASSWORD, "scope": SIGN_IN_SCOPE}
    assert number(await endpoints(registry).token("password", **form)) == 70003
    registry = await start_registry(password_grant=True)
    assert claims_of((await endpoints(registry).token("password", **form)).json()["access_token"])["upn"] == ADA
    assert number(await endpoints(registry).token("password", **form | {"password": "wrong"})) == 50126


def test_the_challenge_is_that_of_the_rfc():
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
