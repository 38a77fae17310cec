"""Signing keys are replaced so that nobody meets a token of a key that was not published."""

import base64
from datetime import timedelta

import jwt
from tests.directory import endpoints
from tests.integration.rows import audit_entries
from tests.registry import SECRET_KEY, Registry

from entrepot.access import keyring
from entrepot.access.keys import Use
from entrepot.access.queries import signing_keys
from entrepot.access.sealing import Sealer
from entrepot.identities.jobs import rotate_due

SEALER = Sealer(base64.b64decode(SECRET_KEY))
LIFE = timedelta(days=90)


async def published(registry: Registry) -> set[str]:
    registry.app._authenticator.forget()  # what the worker does within a second
    return {key["kid"] for key in (await registry.nobody.get("/common/discovery/v2.0/keys")).json()["keys"]}


async def signer(registry: Registry) -> str:
    registry.app._authenticator.forget()  # the same
    token = (await endpoints(registry).for_owner()).json()["access_token"]
    return jwt.get_unverified_header(token)["kid"]


def move_to_the_catalog_s_time(registry: Registry) -> None:
    """The template's keys are as old as the machine says."""
    (first,) = [row.created_at for row in registry.query(signing_keys) if row.use == Use.DIRECTORY]
    registry.clock.now = first + timedelta(days=2)


async def test_a_new_key_is_published_a_day_before_it_signs(registry: Registry):
    move_to_the_catalog_s_time(registry)
    old = await signer(registry)
    registry.query(lambda tx: keyring.rotate(tx, SEALER, {Use.DIRECTORY: "second"}, registry.clock()))
    assert await published(registry) == {old, "second"}
    assert await signer(registry) == old
    registry.clock.advance(hours=24)
    assert await signer(registry) == "second"


async def test_the_old_key_goes_when_its_last_token_has_ended(registry: Registry):
    move_to_the_catalog_s_time(registry)
    old = await signer(registry)
    registry.query(lambda tx: keyring.rotate(tx, SEALER, {Use.DIRECTORY: "second"}, registry.clock()))
    for hours, dropped in ((24, []), (23, []), (1, [old])):
        registry.clock.advance(hours=hours)
        assert registry.query(lambda tx: keyring.drop_ended(tx, SEALER, registry.clock())) == dropped
    assert await published(registry) == {"second"}


async def test_a_key_gets_a_successor_when_it_is_old(registry: Registry):
    move_to_the_catalog_s_time(registry)
    assert registry.query(lambda tx: rotate_due(tx, SEALER, LIFE, registry.clock())) == ([], [])
    registry.clock.advance(days=88)
    made, _ = registry.query(lambda tx: rotate_due(tx, SEALER, LIFE, registry.clock()))
    assert len(made) == len(keyring.TOKEN_USES)
    assert registry.query(lambda tx: rotate_due(tx, SEALER, LIFE, registry.clock()))[0] == []
    (entry,) = registry.query(lambda tx: audit_entries(tx, "keys.rotate"))
    assert (entry["principal"], entry["detail"]) == ("server", {"made": made, "dropped": []})


async def test_a_key_that_somebody_knows_ends_at_once_with_its_tokens(registry: Registry):
    move_to_the_catalog_s_time(registry)
    token = (await endpoints(registry).for_owner()).json()["access_token"]
    registry.query(lambda tx: keyring.replace_at_once(tx, SEALER, {Use.DIRECTORY: "second"}, registry.clock()))
    assert await published(registry) == {"second"}
    assert await signer(registry) == "second"
    keys = await registry.app._authenticator.keys(Use.DIRECTORY)
    assert jwt.get_unverified_header(token)["kid"] not in keys
