"""Signing in through an outside provider: what is believed, who is let in, and where it leads."""

from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from tests.directory import (
    ADA,
    AZURE_CLI,
    DEVICE_GRANT,
    PASSWORD,
    SIGN_IN_SCOPE,
    add_person,
    add_totp,
    authorize_path,
    endpoints,
    sent_back,
)
from tests.integration.oauth.directory.conftest import Site, StartSite, ada
from tests.outside import Authority
from tests.provider import outside_provider
from tests.registry import Registry

from entrepot.identities import people, queries


async def test_somebody_of_the_provider_signs_in_and_is_somebody_here(site: Site):
    site.add_group("Developers")
    tokens = await site.signs_in()
    assert {"access_token", "refresh_token", "id_token"} <= tokens.keys()
    person = site.registry.query(lambda tx: queries.person_by_upn(tx, "ada@example.org"))
    assert (person.name, person.external_id) == ("Ada Lovelace", f"{site.provider.issuer.url} ada-1")
    assert site.groups_of() == ["Developers"]


async def test_the_browser_is_sent_with_pkce_nonce_and_state(site: Site):
    query = parse_qs(urlsplit(await site.goes_out(site.browser())).query)
    assert query["scope"] == ["openid profile email offline_access"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert len(query["state"][0]) == len(query["nonce"][0]) == 43
    assert query["redirect_uri"] == ["http://localhost:5000/single-sign-on/callback"]


async def test_without_a_provider_there_is_no_button_and_no_way(registry: Registry):
    site = Site(registry, None)  # pyright: ignore[reportArgumentType]  there is none
    who = site.browser()
    await who.open(authorize_path())
    assert who.links == []
    assert (await who.open(f"/single-sign-on?next={quote(authorize_path())}")).status == 404


async def test_somebody_who_is_signed_in_goes_on_without_the_provider(site: Site):
    who = site.browser()
    await site.signs_in(who)
    assert "code" in sent_back(await who.open(authorize_path()))


async def test_who_must_sign_in_again_has_done_so_on_the_way(site: Site):
    who = site.browser()
    answer = await site.comes_back(who, await site.goes_out(who, prompt="login"))
    assert "code" in sent_back(await who.open(answer["location"]))


async def test_a_device_s_code_is_asked_for_before_and_confirmed_after(site: Site):
    ask = endpoints(site.registry)
    started = (await ask.post("v2.0/devicecode", {"client_id": AZURE_CLI, "scope": SIGN_IN_SCOPE})).json()
    who = site.browser()
    await who.open("/devicelogin")
    await who.submit("code", user_code=started["user_code"])
    answer = await who.open(who.links[-1])
    await site.comes_back(who, answer["location"])
    assert "will act as <strong>ada@example.org</strong>" in who.text
    await who.submit("confirm")
    answer = await ask.token(DEVICE_GRANT, client_id=AZURE_CLI, device_code=started["device_code"])
    assert answer.status == 200, answer.body


# --- what comes back must fit what was sent ---------------------------------------------------------------------------


async def is_refused(site: Site, status: int = 400, **claims: Any) -> str:  # noqa: ANN401  any claims
    """What the page says."""
    who = site.browser()
    answer = await site.comes_back(who, await site.goes_out(who), **claims)
    assert answer.status == status, answer
    assert "entrepot-session" not in who.cookies
    return who.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nonce": "another"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"aud": "another client"}, "another application"),
        ({"aud": ["the registry", "another"]}, "another application"),
        ({"azp": "another"}, "another application"),
        ({"iss": "https://evil.example"}, "cannot be used"),
        ({"exp": 0}, "cannot be used"),
        ({"sub": None}, "cannot be used"),
    ],
    ids=["nonce", "no nonce", "audience", "audiences without a party", "party", "issuer", "expired", "no subject"],
)
async def test_an_id_token_that_does_not_fit_signs_nobody_in(site: Site, changes: dict[str, Any], said: str):
    site.provider.id_token = changes
    assert said in await is_refused(site)


async def test_an_id_token_signed_by_another_key_signs_nobody_in(site: Site, outside_ca: Authority, clock):
    with outside_provider(outside_ca, clock) as other:
        other.issuer.rotate()
        site.provider.issuer.jwks = {"keys": [other.issuer.key.jwk() | {"kid": site.provider.issuer.key.kid}]}
        assert "cannot be used" in await is_refused(site)


async def test_a_state_is_good_for_the_browser_that_was_sent_with_it(site: Site):
    """Somebody who is given another's way back would sign in as them."""
    attacker, victim = site.browser(), site.browser()
    callback = site.provider.arrives(await site.goes_out(attacker), **ada(sub="mallory", email="mallory@example.org"))
    await victim.open(authorize_path())
    assert (await victim.open(callback)).status == 400
    assert "entrepot-session" not in victim.cookies
    assert (await attacker.open(callback)).status == 303  # and the victim's visit has taken nothing from it


@pytest.mark.parametrize("state", ["", "made up"])
async def test_a_state_of_nobody_s_is_refused(site: Site, state: str):
    who = site.browser()
    location = await site.goes_out(who)
    assert (await who.open(site.provider.arrives(location, state=state, **ada()))).status == 400
    assert "began on another browser" in who.text


async def test_a_way_back_leads_in_once(site: Site):
    site.provider.forgetful = True
    who = site.browser()
    callback = site.provider.arrives(await site.goes_out(who), **ada())
    assert [(await who.open(callback)).status for _ in range(2)] == [303, 400]


async def test_a_way_back_ends_after_ten_minutes(site: Site):
    who = site.browser()
    callback = site.provider.arrives(await site.goes_out(who), **ada())
    site.registry.clock.advance(minutes=10)
    assert (await who.open(callback)).status == 400


async def test_a_code_that_the_provider_does_not_know_is_refused(site: Site):
    who = site.browser()
    callback = site.provider.arrives(await site.goes_out(who), **ada())
    site.provider.codes.clear()
    assert (await who.open(callback)).status == 400
    assert "used before" in who.text


async def test_an_answer_of_another_issuer_is_refused(site: Site):
    who = site.browser()
    callback = site.provider.arrives(await site.goes_out(who), **ada())
    assert (await who.open(f"{callback}&iss=https%3A%2F%2Fevil.example")).status == 400
    assert "another provider" in who.text
    assert not site.provider.tokens  # the code went nowhere


async def test_a_provider_that_always_names_itself_must_do_so(site: Site):
    site.provider.issuer.discovery |= {"authorization_response_iss_parameter_supported": True}
    assert "another provider" in await is_refused(site)
    who = site.browser()
    callback = site.provider.arrives(await site.goes_out(who), **ada())
    assert (await who.open(f"{callback}&iss={quote(site.provider.issuer.url, safe='')}")).status == 303


async def test_what_the_provider_refuses_is_told_as_text(site: Site):
    who = site.browser()
    state = parse_qs(urlsplit(await site.goes_out(who)).query)["state"][0]
    await who.open(f"/single-sign-on/callback?state={state}&error=%3Cb%3Edenied")
    assert "&lt;b&gt;denied" in who.text


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/common/oauth2/authorize?x",
        "/\\evil.example/oauth2/authorize?x",
        "/common/oauth2/v2.0/logout",
        "/single-sign-on",
        "/devicelogin\r\nx: y",
        "",
    ],
)
async def test_it_leads_back_to_pages_of_ours_alone(site: Site, wanted: str):
    answer = await site.browser().open(f"/single-sign-on?next={quote(wanted, safe='')}")
    assert (answer.status, answer.get("location")) == (400, None)


async def test_whoever_begins_many_and_ends_none_is_slowed_down(site: Site):
    target = f"/single-sign-on?next={quote(authorize_path(), safe='')}"
    answers = [(await site.browser().open(target)).status for _ in range(51)]
    assert answers == [303] * 50 + [400]


async def test_a_provider_that_is_down_is_told(site: Site):
    site.provider.issuer.status = 500
    who = site.browser()
    await who.open(authorize_path())
    assert (await who.open(who.links[-1])).status == 503
    assert "does not answer" in who.text


async def test_a_token_endpoint_that_is_down_is_told_without_its_words(site: Site):
    site.provider.down = 500
    page = await is_refused(site, 503)
    assert ("does not answer" in page, "private" in page) == (True, False)


# --- who is let in ----------------------------------------------------------------------------------------------------


async def test_nobody_takes_over_an_account_of_ours_by_its_name(site: Site):
    person = add_person(site.registry)
    assert "another account has your user name" in await is_refused(site, email=ADA)
    who = site.browser()
    assert "code" in sent_back(await who.sign_in(authorize_path(), ADA, PASSWORD))
    assert site.registry.query(lambda tx: queries.principal_by_id(tx, person.id)).external_id is None


async def test_nobody_takes_over_an_outside_account_by_its_name(site: Site):
    await site.signs_in()
    assert "another account has your user name" in await is_refused(site, sub="ada-2")


async def test_who_is_renamed_outside_stays_who_they_are(site: Site):
    await site.signs_in()
    await site.signs_in(email="ada.king@example.org", name="Ada King")
    person = site.registry.query(lambda tx: queries.person_by_upn(tx, "ada@example.org"))
    assert person.name == "Ada King"


async def test_where_people_are_added_by_hand_the_first_sign_in_finds_them(start_site: StartSite):
    site = await start_site(oidc_new_people=False)
    assert "nobody has added you" in await is_refused(site)
    made = people_new(site)
    await site.signs_in()
    assert site.registry.query(lambda tx: queries.person_by_upn(tx, "ada@example.org")).id == made


def people_new(site: Site) -> str:
    from tests.directory import new  # noqa: PLC0415  here alone

    tenant = site.registry.query(queries.tenants)[0].id
    return site.registry.query(lambda tx: people.add_person(tx, new(site.registry), tenant, "ada@example.org", "").id)


async def test_only_people_of_the_domains_and_groups_that_may(start_site: StartSite):
    site = await start_site(oidc_domains=("example.org",), oidc_required_groups=("registry", "admins"))
    assert "people of elsewhere.example" in await is_refused(site, email="ada@elsewhere.example", groups=["registry"])
    assert "none of the groups" in await is_refused(site, groups=["developers"])
    await site.signs_in(groups=["registry", "developers"])


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email_verified": False}, "not verified"),
        ({"email": "no address"}, "NAME@DOMAIN"),
        ({"email": 7}, "NAME@DOMAIN"),
        ({"groups": None, "_claim_names": {"groups": "src1"}}, "more groups"),
        ({"groups": [f"group {number}" for number in range(2001)]}, "more than 2000"),
        ({"sub": "x" * 1100}, "cannot be used"),
    ],
    ids=["mail not verified", "no user name", "no text", "groups left out", "too many groups", "long id"],
)
async def test_claims_that_cannot_be_used_are_named(site: Site, claims: dict[str, Any], said: str):
    assert said in await is_refused(site, **claims)


async def test_claims_that_the_id_token_lacks_come_from_userinfo(site: Site):
    site.add_group("Developers")
    site.provider.userinfo = {"sub": "ada-1", "groups": ["developers"]}
    await site.signs_in(groups=None)
    assert site.groups_of() == ["Developers"]
    site.provider.userinfo = {"sub": "somebody else", "groups": ["developers"]}
    assert "somebody else" in await is_refused(site, groups=None)


async def test_an_account_with_an_authenticator_of_ours_does_not_get_past_it(site: Site):
    await site.signs_in()
    add_totp(site.registry, site.registry.query(lambda tx: queries.person_by_upn(tx, "ada@example.org")))
    assert "authenticator" in await is_refused(site)


async def test_an_account_that_is_disabled_here_stays_out(site: Site):
    await site.signs_in()
    person = site.registry.query(lambda tx: queries.person_by_upn(tx, "ada@example.org"))
    site.registry.query(lambda tx: people.set_enabled(tx, person.id, enabled=False))
    assert "disabled here" in await is_refused(site)


async def test_a_group_that_is_not_one_of_ours_or_several_is_none(site: Site):
    await site.signs_in()
    assert site.groups_of() == []
    site.add_group("Developers")
    site.add_group("developers")  # another one: names are compared letter by letter
    await site.signs_in()
    assert site.groups_of() == ["Developers"]
