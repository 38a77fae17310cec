"""The admin account of a registry. Source: ACR-REFERENCE 4.4."""

from sqlalchemy import Connection
from tests.integration.accounts import SEALER, making, registry_id, turn_admin_on
from tests.integration.rows import add_registry
from tests.registry import Registry
from tests.wire import Client

from entrepot.registries.admin import admin_credentials, disable_admin, enable_admin, regenerate_admin_password
from entrepot.registries.model import AdminPassword, Credentials


def shown(registry: Registry) -> Credentials | None:
    return registry.query(lambda tx: admin_credentials(tx, registry_id(tx), SEALER))


async def opens(client: Client) -> bool:
    status = (await client.get("/v2/")).status
    assert status in {200, 401}
    return status == 200


async def test_it_is_off_until_it_is_turned_on(registry: Registry) -> None:
    assert shown(registry) is None
    assert not await opens(registry.nobody.signed_in("local", ""))


async def test_its_name_is_the_registry_s_and_both_passwords_open_everything(
    registry: Registry, start_registry
) -> None:
    made = turn_admin_on(registry)
    assert (made.user_name, [each.name for each in made.passwords]) == ("local", ["password", "password2"])
    assert made == shown(registry)
    worker = await start_registry()
    for password in made.passwords:
        client = worker.nobody.signed_in("local", password.value)
        assert await opens(client)
        assert (await client.get("/v2/_catalog")).status == 200
        assert (await client.post("/v2/app/blobs/uploads/")).status == 202
        assert not await opens(worker.nobody.signed_in("Local", password.value))


async def test_turning_it_on_twice_leaves_its_passwords(registry: Registry) -> None:
    assert turn_admin_on(registry).passwords == turn_admin_on(registry).passwords


async def test_one_password_is_made_anew_and_the_other_one_stays_good(registry: Registry, start_registry) -> None:
    before = turn_admin_on(registry)

    def regenerate(tx: Connection) -> bool:
        return regenerate_admin_password(tx, registry_id(tx), AdminPassword.SECOND, SEALER, making(registry))

    assert registry.query(regenerate)
    after = shown(registry)
    assert after is not None
    assert (after.passwords[0], after.passwords[1].value) != (before.passwords[0], before.passwords[1].value)
    assert after.passwords[0] == before.passwords[0]
    worker = await start_registry()
    assert await opens(worker.nobody.signed_in("local", after.passwords[0].value))
    assert await opens(worker.nobody.signed_in("local", after.passwords[1].value))
    assert not await opens(worker.nobody.signed_in("local", before.passwords[1].value))


async def test_an_account_that_is_off_has_no_password_to_make_anew(registry: Registry) -> None:
    assert not registry.query(
        lambda tx: regenerate_admin_password(tx, registry_id(tx), AdminPassword.FIRST, SEALER, making(registry))
    )


async def test_turning_it_off_ends_its_passwords_and_what_was_got_with_them(registry: Registry, start_registry) -> None:
    """Turning it on again does not bring them back."""
    made = turn_admin_on(registry)
    worker = await start_registry()
    admin = worker.nobody.signed_in("local", made.passwords[0].value)
    token = await worker.token("repository:app:pull", client=admin)
    registry.query(lambda tx: disable_admin(tx, registry_id(tx)))
    registry.query(lambda tx: enable_admin(tx, registry_id(tx), SEALER, making(registry)))
    worker = await start_registry()
    assert not await opens(worker.nobody.signed_in("local", made.passwords[0].value))
    assert not await opens(worker.nobody.bearing(token))


async def test_each_registry_has_its_own(registry: Registry, start_registry) -> None:
    registry.query(lambda tx: add_registry(tx, "second", "f" * 32))
    first, second = turn_admin_on(registry), turn_admin_on(registry, "second")
    worker = await start_registry()
    there = {"host": "second.entrepot.localhost:5000"}
    for made, status in ((first, 401), (second, 200)):
        client = worker.nobody.signed_in("second", made.passwords[0].value)
        assert (await client.get("/v2/", there)).status == status
        client = worker.nobody.signed_in("local", made.passwords[0].value)
        assert (await client.get("/v2/", there)).status == 401


async def test_no_password_is_kept_in_clear(registry: Registry) -> None:
    made = turn_admin_on(registry)
    rows = registry.query(lambda tx: str(tx.exec_driver_sql("SELECT * FROM credential").all()))
    assert all(each.value not in rows for each in made.passwords)
    assert made.passwords[0].value not in repr(made)
