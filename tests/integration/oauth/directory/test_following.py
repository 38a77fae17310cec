"""Somebody from outside who refreshes: what the provider took away is gone, and what it cannot say is not given."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.directory import authorize_path, is_good, number, sent_back
from tests.integration.oauth.directory.conftest import Site, StartSite
from tests.integration.oauth.forms import ask, exchange
from tests.integration.rows import audit_entries

from entrepot.access.queries import Assignment, insert_role
from entrepot.db.access_tables import role_assignment
from entrepot.identities import groups, queries
from entrepot.identities.external.queries import outside_of
from entrepot.identities.operations import Operation


@pytest.fixture
async def tokens(site: Site) -> dict[str, Any]:
    site.add_group("Developers")
    return await site.signs_in()


def later(site: Site) -> None:
    """What was said of somebody is not believed any more."""
    site.registry.clock.advance(seconds=301)


async def test_a_group_that_is_gone_outside_is_gone_at_the_next_refresh(site: Site, tokens):
    site.provider.people["ada-1"]["groups"] = []
    assert (await site.refresh(tokens)).status == 200
    assert site.groups_of() == ["Developers"]  # the provider was asked a moment ago
    later(site)
    assert (await site.refresh(tokens)).status == 200
    assert site.groups_of() == []


async def test_a_group_that_is_gone_outside_is_gone_at_the_next_sign_in(site: Site, tokens):
    await site.signs_in(groups=[])
    assert site.groups_of() == []


async def test_a_group_that_somebody_was_put_in_by_hand_stays(site: Site, tokens):
    other = site.add_group("By hand")
    person = site.registry.query(lambda tx: queries.person_by_upn(tx, "ada@example.org"))
    developers = site.registry.query(lambda tx: queries.group_ids_of(tx, person.id))
    for group in (other, *developers):
        site.registry.query(lambda tx, group=group: groups.add_member(tx, group, person.id))
    await site.signs_in(groups=[])
    assert site.groups_of() == ["By hand", "Developers"]


async def test_who_is_gone_outside_is_out_at_the_next_refresh(site: Site, tokens):
    site.provider.gone.add("ada-1")
    later(site)
    answer = await site.refresh(tokens)
    assert (answer.status, answer.json()["error"], number(answer)) == (400, "invalid_grant", 50173)
    assert not await is_good(site.registry, tokens["access_token"])
    assert site.groups_of() == []
    # And back again, when the provider lets them in again; what they had stays ended.
    site.provider.gone.clear()
    again = await site.signs_in()
    assert await is_good(site.registry, again["access_token"])
    assert (await site.refresh(tokens)).status == 400


async def test_who_may_not_in_any_more_is_out_at_the_next_refresh(start_site: StartSite):
    site = await start_site(oidc_required_groups=("developers",))
    tokens = await site.signs_in()
    site.provider.people["ada-1"]["groups"] = ["others"]
    later(site)
    assert number(await site.refresh(tokens)) == 50173
    assert not await is_good(site.registry, tokens["access_token"])


async def test_a_browser_that_is_signed_in_is_out_as_well(site: Site):
    who = site.browser()
    await site.signs_in(who)
    later(site)
    assert "code" in sent_back(await who.open(authorize_path()))
    site.provider.gone.add("ada-1")
    later(site)
    assert "Sign in with" in (await who.open(authorize_path())).body.decode()


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_while_the_provider_is_down_nothing_is_given_and_nothing_taken(site: Site, tokens, status: int):
    site.provider.down = status
    later(site)
    answer = await site.refresh(tokens)
    assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert await is_good(site.registry, tokens["access_token"])
    site.provider.down = 0
    assert (await site.refresh(tokens)).status == 200


async def test_a_token_that_dex_does_not_know_any_more_puts_somebody_out(site: Site, tokens):
    site.provider.refusal = "invalid_request"
    later(site)
    assert number(await site.refresh(tokens)) == 50173
    assert not await is_good(site.registry, tokens["access_token"])


async def test_a_provider_that_refuses_us_takes_nothing_from_people(site: Site, tokens):
    site.provider.refusal = "invalid_client"
    later(site)
    assert (await site.refresh(tokens)).status == 503
    assert await is_good(site.registry, tokens["access_token"])


async def test_a_provider_that_answers_for_somebody_else_puts_them_out(site: Site, tokens):
    site.provider.id_token = {"sub": "mallory"}
    later(site)
    assert number(await site.refresh(tokens)) == 50173


async def test_many_refreshes_at_once_ask_the_provider_once(site: Site, tokens):
    """Providers take a refresh token that comes twice for a stolen one."""
    later(site)
    answers = await asyncio.gather(*(site.refresh(tokens) for _ in range(8)))
    assert ({answer.status for answer in answers}, site.provider.renewals) == ({200}, 1)


async def test_the_provider_s_refresh_token_is_kept_sealed_and_changes_with_each_use(site: Site, tokens):
    person = site.registry.query(lambda tx: queries.person_by_upn(tx, "ada@example.org"))
    for _ in range(3):
        (token,) = site.provider.tokens
        row = site.registry.query(lambda tx: outside_of(tx, person.id))
        assert token not in row.body
        later(site)
        assert (await site.refresh(tokens)).status == 200
        assert token not in site.provider.tokens


async def test_without_a_refresh_token_of_the_provider_s_people_sign_in_again(site: Site):
    site.provider.refresh = False
    tokens = await site.signs_in()
    assert (await site.refresh(tokens)).status == 200
    later(site)
    assert number(await site.refresh(tokens)) == 50173
    assert await is_good(site.registry, tokens["access_token"])


async def test_a_provider_that_was_taken_out_of_the_settings_vouches_for_nobody(site: Site, tokens, start_registry):
    later(site)
    other = Site(await start_registry(), site.provider)
    assert number(await other.refresh(tokens)) == 50173


# --- tokens of a registry ---------------------------------------------------------------------------------------------


async def use(site: Site, token: str) -> int:
    return (await ask(site.registry, "repository:app:pull", grant_type="refresh_token", refresh_token=token)).status


async def registry_token(site: Site, tokens: dict[str, Any]) -> str:
    site.registry.query(_make_owner)
    site.registry.app._authenticator.forget()
    answer = await exchange(site.registry, tokens["access_token"])
    assert answer.status == 200, answer.body
    return answer.json()["refresh_token"]


def _make_owner(tx: Connection) -> None:
    person, first = queries.person_by_upn(tx, "ada@example.org"), tx.execute(select(role_assignment)).first()
    assert person is not None
    assert first is not None
    insert_role(tx, Assignment("role-of-ada", person.id, first.role_id, first.scope, first.created_at))


async def test_a_registry_s_refresh_token_follows_too(site: Site, tokens):
    refresh_token = await registry_token(site, tokens)
    later(site)
    assert await use(site, refresh_token) == 200
    site.provider.gone.add("ada-1")
    assert await use(site, refresh_token) == 200  # asked a moment ago
    later(site)
    assert await use(site, refresh_token) == 401
    site.registry.app._authenticator.forget()
    assert (await exchange(site.registry, tokens["access_token"])).status == 401


async def test_a_registry_s_refresh_token_waits_while_the_provider_is_down(site: Site, tokens):
    refresh_token = await registry_token(site, tokens)
    site.provider.down = 500
    later(site)
    assert await use(site, refresh_token) == 401
    site.provider.down = 0
    assert await use(site, refresh_token) == 200


# --- what is written down ---------------------------------------------------------------------------------------------


async def test_what_the_outside_does_is_in_the_audit_log(site: Site, until, tokens):
    person = site.registry.query(lambda tx: queries.person_by_upn(tx, "ada@example.org"))
    site.provider.gone.add("ada-1")
    later(site)
    await site.refresh(tokens)

    def written(action: str) -> list[dict[str, Any]]:
        return site.registry.query(lambda tx: audit_entries(tx, action))

    async def signed_in() -> bool:
        return bool(written("sign_in"))

    await until(signed_in)
    (sign_in,), (made,), (put_in,), (gone,) = map(
        written, ("sign_in", Operation.USER_CREATE, Operation.GROUP_MEMBERS, Operation.USER_REVOKE)
    )
    assert (sign_in["method"], sign_in["principal"]) == ("single_sign_on", person.id)
    assert (made["principal"], made["detail"]["outside"]) == (person.id, person.external_id)
    assert len(put_in["detail"]["added"]) == 1
    assert (gone["principal"], gone["target"]) == ("server", person.id)
    every = repr(site.registry.query(audit_entries))
    assert tokens["refresh_token"] not in every
    assert "a secret: with" not in every


async def test_two_first_sign_ins_at_once_make_one_person(site: Site):
    site.add_group("Developers")
    await asyncio.gather(*(site.signs_in() for _ in range(4)))
    assert site.groups_of() == ["Developers"]
