"""People of a real LDAP directory on the sign-in page, with programs that use their passwords, and at a refresh."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr
from pyotp.totp import TOTP
from sqlalchemy import Connection
from tests.directory import (
    ARM,
    AZURE_CLI,
    PASSWORD,
    Browser,
    add_person,
    add_totp,
    authorize_path,
    browser,
    endpoints,
    is_good,
    new,
    number,
    sent_back,
)
from tests.integration.oauth.directory.conftest import Site
from tests.integration.oauth.forms import SERVICE
from tests.ldap import GROUPS, PEOPLE, READER, READER_PASSWORD, Directory, directory, group, person, tree
from tests.outside import Authority
from tests.registry import Registry
from tests.wire import Answer

from entrepot.identities import people, queries

THEIRS = "a password of the directory"


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory, outside_ca: Authority) -> Iterator[Directory]:
    content = tree() + person("first", "x") + group("builders", f"uid=first,{PEOPLE}")
    with directory(tmp_path_factory.mktemp("people") / "slapd", outside_ca.ca_file.parent, content) as running:
        yield running


@dataclass
class Somebody:
    """A person of the directory."""

    slapd: Directory
    uid: str
    dn: str

    @property
    def upn(self) -> str:
        return f"{self.uid}@example.org"


@pytest.fixture
def bea(slapd: Directory) -> Somebody:
    uid = f"bea-{uuid.uuid4().hex[:8]}"
    return Somebody(slapd, uid, slapd.add_person(uid, THEIRS, "builders"))


@pytest.fixture
def ldap_settings(slapd: Directory, outside_ca: Authority) -> dict[str, Any]:
    return {
        "outbound_ca_file": outside_ca.ca_file,
        "ldap_url": f"ldaps://127.0.0.1:{slapd.tls_port}",
        "ldap_bind_dn": READER,
        "ldap_bind_password": SecretStr(READER_PASSWORD),
        "ldap_user_base": PEOPLE,
        "ldap_group_base": GROUPS,
        "ldap_domain": "example.org",
        "ldap_groups": (("Builders", "Ours"),),
        "password_grant": True,
    }


@pytest.fixture
async def site(start_registry, ldap_settings: dict[str, Any]) -> Site:
    registry = await start_registry(**ldap_settings)
    return Site(registry, None)  # pyright: ignore[reportArgumentType]  there is no provider


def kept(registry: Registry, upn: str) -> Any:  # noqa: ANN401  a principal
    return registry.query(lambda tx: queries.person_by_upn(tx, upn))


async def tokens_of(site: Site, bea: Somebody) -> dict[str, Any]:
    answer = await browser(site.registry).sign_in(authorize_path(), bea.upn, THEIRS)
    redeemed = await endpoints(site.registry).redeem(sent_back(answer)["code"])
    assert redeemed.status == 200, redeemed.body
    return redeemed.json()


async def basic(registry: Registry, name: str, password: str) -> Answer:
    return await registry.nobody.signed_in(name, password).get(f"/oauth2/token?service={SERVICE}")


# --- signing in -------------------------------------------------------------------------------------------------------


async def test_somebody_of_the_directory_signs_in_and_is_somebody_here(site: Site, bea: Somebody):
    site.add_group("Ours")
    await tokens_of(site, bea)
    found = kept(site.registry, bea.upn)
    assert (found.name, found.external_id[:5]) == (bea.uid.title(), "ldap ")
    assert site.groups_of(bea.upn) == ["Ours"]


async def test_start_tls_does_as_well_and_a_group_by_its_dn(start_registry, ldap_settings, slapd, bea: Somebody):
    plain = {"ldap_url": f"ldap://127.0.0.1:{slapd.port}", "ldap_groups": ((f"cn=builders,{GROUPS}", "Ours"),)}
    site = Site(await start_registry(**ldap_settings | plain), None)  # pyright: ignore[reportArgumentType]  the same
    site.add_group("Ours")
    await tokens_of(site, bea)
    assert site.groups_of(bea.upn) == ["Ours"]


async def test_the_domain_may_be_left_out(site: Site, bea: Somebody):
    answer = await browser(site.registry).sign_in(authorize_path(), bea.uid.upper(), THEIRS)
    assert "code" in sent_back(answer)
    assert kept(site.registry, bea.upn) is not None


async def test_who_signs_in_twice_is_one_person(site: Site, bea: Somebody):
    await tokens_of(site, bea)
    first = kept(site.registry, bea.upn)
    await tokens_of(site, bea)
    assert kept(site.registry, bea.upn) == first


async def test_a_wrong_password_and_a_name_that_nobody_has_look_alike(site: Site, bea: Somebody):
    told: list[tuple[int, str]] = []
    for upn in (bea.upn, "nobody@example.org", "nobody@elsewhere.example"):
        who = browser(site.registry)
        answer = await who.sign_in(authorize_path(), upn, "wrong")
        told.append((answer.status, who.text.replace(upn, "").replace(who.form.hidden["csrf"], "")))
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("name", ["*", "bea*", "*)(uid=*", "first)(|(uid=*"])
async def test_a_name_is_a_name_and_no_filter(site: Site, bea: Somebody, name: str):
    answer = await browser(site.registry).sign_in(authorize_path(), name, THEIRS)
    assert answer.status == 401


async def test_an_empty_password_signs_nobody_in(site: Site, bea: Somebody):
    """Such a bind succeeds, and proves nothing (RFC 4513, 5.1.2)."""
    assert (await browser(site.registry).sign_in(authorize_path(), bea.upn, "")).status == 401
    assert (await basic(site.registry, bea.upn, "")).status == 401
    assert kept(site.registry, bea.upn) is None


async def test_an_account_of_ours_is_ours_whatever_the_directory_says(site: Site, bea: Somebody):
    add_person(site.registry, bea.upn)
    assert (await browser(site.registry).sign_in(authorize_path(), bea.upn, THEIRS)).status == 401
    assert "code" in sent_back(await browser(site.registry).sign_in(authorize_path(), bea.upn, PASSWORD))
    assert kept(site.registry, bea.upn).external_id is None


async def test_people_of_ours_sign_in_beside_it(site: Site):
    add_person(site.registry)
    assert "code" in sent_back(await browser(site.registry).sign_in(authorize_path()))


async def test_somebody_who_was_added_before_is_found(site: Site, bea: Somebody):
    def add(tx: Connection) -> str:
        return people.add_person(tx, new(site.registry), queries.tenants(tx)[0].id, bea.upn, "").id

    made = site.registry.query(add)
    await tokens_of(site, bea)
    assert kept(site.registry, bea.upn).id == made


async def test_a_second_factor_of_ours_is_asked_for_too(site: Site, bea: Somebody):
    await tokens_of(site, bea)
    clock = TOTP(add_totp(site.registry, kept(site.registry, bea.upn)))
    who = browser(site.registry)
    await who.sign_in(authorize_path(), bea.upn, THEIRS)
    assert "Enter your code" in who.text
    assert "code" in sent_back(await who.submit("totp", code=clock.at(site.registry.clock.now)))
    assert (await basic(site.registry, bea.upn, THEIRS)).status == 401


async def test_their_password_cannot_be_set_here(site: Site, bea: Somebody):
    await tokens_of(site, bea)
    found = kept(site.registry, bea.upn)
    with pytest.raises(Exception, match="REQUEST_INVALID"):
        site.registry.query(lambda tx: people.set_password(tx, found, new(site.registry), "hash", must_change=False))


# --- guessing ---------------------------------------------------------------------------------------------------------


async def guess(who: Browser, upn: str, password: str = "wrong") -> Answer:
    return await who.submit("password", username=upn, password=password)


async def test_few_guesses_of_strangers_reach_the_directory(site: Site, bea: Somebody):
    """It may lock accounts for everybody: three at once, then one after a quarter and one after half an hour."""
    who = browser(site.registry)
    await who.open(authorize_path())
    for _ in range(3):
        await guess(who, bea.upn)
    for wait in (15, 30, 30):
        await guess(who, bea.upn, THEIRS)
        assert f"Wait {wait * 60} seconds" in who.text
        site.registry.clock.advance(minutes=wait, seconds=1)
        await guess(who, bea.upn)
        assert "wrong user name or password" in who.text


async def test_programs_count_with_pages(site: Site, bea: Somebody):
    for _ in range(3):
        assert (await basic(site.registry, bea.upn, "wrong")).status == 401
    assert (await browser(site.registry).sign_in(authorize_path(), bea.upn, THEIRS)).status == 401


async def test_while_the_directory_is_down_nobody_is_counted_against(start_registry, ldap_settings, bea: Somebody):
    down = await start_registry(**ldap_settings | {"ldap_url": "ldap://127.0.0.1:1"})
    who = browser(down)
    await who.open(authorize_path())
    for _ in range(5):
        assert (await guess(who, bea.upn, THEIRS)).status == 401
        assert "does not answer" in who.text
    up = await start_registry(**ldap_settings)
    assert "code" in sent_back(await browser(up).sign_in(authorize_path(), bea.upn, THEIRS))


# --- programs that use passwords --------------------------------------------------------------------------------------


async def test_docker_login_and_the_password_grant_take_them(site: Site, bea: Somebody):
    assert (await basic(site.registry, bea.upn, THEIRS)).status == 200
    form = {"client_id": AZURE_CLI, "username": bea.upn, "scope": ARM}
    assert (await endpoints(site.registry).token("password", password=THEIRS, **form)).status == 200
    assert number(await endpoints(site.registry).token("password", password="wrong", **form)) == 50126


async def test_a_changed_password_is_not_believed_for_long(site: Site, bea: Somebody):
    assert (await basic(site.registry, bea.upn, THEIRS)).status == 200
    bea.slapd.set_password(bea.dn, "another one")
    site.registry.clock.advance(seconds=301)
    assert (await basic(site.registry, bea.upn, THEIRS)).status == 401
    assert (await basic(site.registry, bea.upn, "another one")).status == 200


# --- following --------------------------------------------------------------------------------------------------------


async def test_a_group_that_is_gone_in_the_directory_is_gone_at_the_next_refresh(site: Site, bea: Somebody):
    site.add_group("Ours")
    tokens = await tokens_of(site, bea)
    bea.slapd.take_out("builders", bea.dn)
    site.registry.clock.advance(seconds=301)
    assert (await site.refresh(tokens)).status == 200
    assert site.groups_of(bea.upn) == []


async def test_who_is_gone_in_the_directory_is_out_at_the_next_refresh(site: Site, bea: Somebody):
    tokens = await tokens_of(site, bea)
    bea.slapd.remove(bea.dn)
    site.registry.clock.advance(seconds=301)
    assert number(await site.refresh(tokens)) == 50173
    assert not await is_good(site.registry, tokens["access_token"])


async def test_somebody_new_under_an_old_name_is_somebody_else(site: Site, bea: Somebody):
    tokens = await tokens_of(site, bea)
    bea.slapd.remove(bea.dn)
    bea.slapd.add_person(bea.uid, "new here")
    site.registry.clock.advance(seconds=301)
    assert number(await site.refresh(tokens)) == 50173
    who = browser(site.registry)
    assert (await who.sign_in(authorize_path(), bea.upn, "new here")).status == 401
    assert "another account has your user name" in who.text


async def test_while_the_directory_is_down_nothing_is_refreshed(
    site: Site, start_registry, ldap_settings, bea: Somebody
):
    tokens = await tokens_of(site, bea)
    site.registry.clock.advance(seconds=301)
    down = Site(await start_registry(**ldap_settings | {"ldap_url": "ldap://127.0.0.1:1"}), site.provider)
    assert number(await down.refresh(tokens)) == 90006
    assert await is_good(site.registry, tokens["access_token"])
    assert (await site.refresh(tokens)).status == 200
