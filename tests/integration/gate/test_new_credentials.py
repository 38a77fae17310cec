"""What was got a moment ago is good at once, at a worker that remembers the account from before."""

from tests.directory import ARM, add_application, endpoints, new
from tests.integration.accounts import turn_admin_on
from tests.registry import Registry

from entrepot.identities import applications


async def test_a_token_by_a_secret_that_the_worker_has_not_heard_of_is_good(registry: Registry):
    made, first = add_application(registry)

    async def token(secret: str) -> str:
        form = {"client_id": made.client_id, "client_secret": secret, "scope": ARM}
        return (await endpoints(registry).token("client_credentials", **form)).json()["access_token"]

    authenticator = registry.app._authenticator
    await authenticator.assertion(await token(first.value))
    second = registry.query(lambda tx: applications.add_secret(tx, made.principal_id, new(registry), "second"))
    assert (await authenticator.assertion(await token(second.value))).credential == second.id


async def test_an_admin_account_that_was_just_turned_on_signs_in(registry: Registry):
    assert (await registry.nobody.signed_in("local", "not-yet").get("/v2/")).status == 401
    made = turn_admin_on(registry)
    for password in made.passwords:
        assert (await registry.nobody.signed_in("local", password.value).get("/v2/_catalog")).status == 200
