from tests.management import Management
from tests.registry import Registry

ON = {"properties": {"adminUserEnabled": True}}


async def passwords(arm: Management) -> dict[str, str]:
    shown = (await arm.post(f"{arm.registry()}/listCredentials")).json()
    assert shown["username"] == "local"
    return {each["name"]: each["value"] for each in shown["passwords"]}


async def status(registry: Registry, password: str) -> int:
    return (await registry.nobody.signed_in("local", password).get("/v2/")).status


async def test_the_admin_account_signs_in_by_either_password_while_it_is_on(
    arm: Management, registry: Registry, until
) -> None:
    await arm.patch(arm.registry(), ON)
    found = await passwords(arm)
    assert list(found) == ["password", "password2"]
    assert [await status(registry, each) for each in found.values()] == [200, 200]
    await arm.patch(arm.registry(), {"properties": {"adminUserEnabled": False}})

    async def is_off() -> bool:
        return await status(registry, found["password"]) == 401

    await until(is_off)


async def test_a_password_is_made_anew_and_the_other_one_stays_good(arm: Management, registry: Registry, until) -> None:
    await arm.patch(arm.registry(), ON)
    before = await passwords(arm)
    answer = await arm.post(f"{arm.registry()}/regenerateCredential", {"name": "password2"})
    after = {each["name"]: each["value"] for each in answer.json()["passwords"]}
    assert (after["password"], after["password2"] != before["password2"]) == (before["password"], True)
    assert await status(registry, after["password2"]) == 200

    async def has_ended() -> bool:
        return await status(registry, before["password2"]) == 401

    await until(has_ended)


async def test_a_change_of_something_else_leaves_the_passwords_as_they_are(arm: Management) -> None:
    await arm.patch(arm.registry(), ON)
    before = await passwords(arm)
    await arm.patch(arm.registry(), {"tags": {"a": "1"}})
    assert await passwords(arm) == before


async def test_credentials_of_an_account_that_is_off_are_refused_in_acrs_words(arm: Management) -> None:
    for action, body in (("listCredentials", {}), ("regenerateCredential", {"name": "password"})):
        refused = await arm.post(f"{arm.registry()}/{action}", body)
        error = refused.json()["error"]
        assert (refused.status, error["code"]) == (400, "UnAuthorizedForCredentialOperations")
        assert (
            f"Cannot perform credential operations for {arm.registry()} as admin user is disabled" in error["message"]
        )


async def test_a_password_that_there_is_not_is_told_with_those_there_are(arm: Management) -> None:
    refused = await arm.post(f"{arm.registry()}/regenerateCredential", {"name": "password3"})
    assert refused.json()["error"]["details"][0]["message"] == "password, password2"


async def test_a_registry_that_is_not_there_has_no_credentials(arm: Management) -> None:
    missing = await arm.post(f"{arm.registry('nosuch')}/listCredentials")
    assert (missing.status, missing.json()["error"]["code"]) == (404, "ResourceNotFound")
