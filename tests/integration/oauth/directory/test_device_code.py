"""A program without a browser shows a code, and its person types it where there is one."""

from typing import Any

import pytest
from tests.directory import (
    ADA,
    AZURE_CLI,
    DEVICE_GRANT,
    PASSWORD,
    SIGN_IN_SCOPE,
    Browser,
    add_application,
    add_person,
    authorize_path,
    browser,
    claims_of,
    endpoints,
    number,
)
from tests.registry import Registry
from tests.wire import Answer


@pytest.fixture
async def started(registry: Registry) -> dict[str, Any]:
    """What the program was told."""
    add_person(registry)
    form = {"client_id": AZURE_CLI, "scope": SIGN_IN_SCOPE}
    return (await endpoints(registry).post("v2.0/devicecode", form)).json()


async def poll(registry: Registry, started: dict[str, Any]) -> Answer:
    registry.clock.advance(seconds=started["interval"])
    return await poll_at_once(registry, started)


async def poll_at_once(registry: Registry, started: dict[str, Any], **changes: str) -> Answer:
    form = {"client_id": AZURE_CLI, "device_code": started["device_code"]} | changes
    return await endpoints(registry).token(DEVICE_GRANT, **form)


async def type_code(registry: Registry, started: dict[str, Any]) -> Browser:
    who = browser(registry)
    await who.open("/devicelogin")
    await who.submit("code", user_code=started["user_code"].lower().replace("-", " "))
    return who


async def test_the_program_waits_until_its_person_confirms(registry: Registry, started):
    assert number(await poll(registry, started)) == 70016
    who = await type_code(registry, started)
    await who.submit("password", username=ADA, password=PASSWORD)
    assert "Azure CLI" in who.text
    assert (await poll(registry, started)).json()["error"] == "authorization_pending"
    await who.submit("confirm")
    tokens = (await poll(registry, started)).json()
    assert (claims_of(tokens["access_token"])["upn"], bool(tokens["refresh_token"])) == (ADA, True)


async def test_the_device_code_is_good_once(registry: Registry, started):
    who = await type_code(registry, started)
    await who.submit("password", username=ADA, password=PASSWORD)
    await who.submit("confirm")
    assert (await poll(registry, started)).status == 200
    assert number(await poll(registry, started)) == 70000


async def test_a_program_that_asks_too_often_is_told_so(registry: Registry, started):
    await poll(registry, started)
    assert (await poll_at_once(registry, started)).json()["error"] == "slow_down"


async def test_a_person_may_say_no(registry: Registry, started):
    who = await type_code(registry, started)
    await who.submit("password", username=ADA, password=PASSWORD)
    await who.submit("decline")
    assert (await poll(registry, started)).json()["error"] == "authorization_declined"


async def test_a_code_that_nobody_typed_expires(registry: Registry, started):
    registry.clock.advance(minutes=15)
    assert (await poll(registry, started)).json()["error"] == "expired_token"
    who = await type_code(registry, started)
    assert "no such code" in who.text


async def test_another_program_s_device_code_is_none(registry: Registry, started):
    answer = await poll_at_once(registry, started, client_id="1950a258-227b-4e31-a9cf-717495945fc2")
    assert number(answer) == 70000


async def test_an_application_that_keeps_a_secret_gets_no_device_code(registry: Registry):
    made, _ = add_application(registry)
    answer = await endpoints(registry).post("v2.0/devicecode", {"client_id": made.client_id, "scope": "openid"})
    assert number(answer) == 7000218


async def test_version_one_has_its_own_words(registry: Registry):
    add_person(registry)
    form = {"client_id": AZURE_CLI, "resource": "https://management.azure.com/"}
    started = (await endpoints(registry).post("devicecode", form)).json()
    who = await type_code(registry, started)
    await who.submit("password", username=ADA, password=PASSWORD)
    await who.submit("confirm")
    form = {
        "grant_type": "device_code",
        "client_id": AZURE_CLI,
        "code": started["device_code"],
        "resource": "https://management.azure.com/",
    }
    tokens = (await endpoints(registry).post("token", form)).json()
    assert (tokens["resource"], bool(tokens["refresh_token"])) == ("https://management.azure.com/", True)


async def test_somebody_who_is_signed_in_still_says_yes_themselves(registry: Registry, started):
    who = browser(registry)
    await who.sign_in(authorize_path())
    await who.open("/devicelogin")
    await who.submit("code", user_code=started["user_code"])
    assert "Sign in on another device?" in who.text
    assert (await poll(registry, started)).json()["error"] == "authorization_pending"


async def test_confirming_needs_somebody_signed_in_and_our_form(registry: Registry, started):
    who = browser(registry)
    await who.open("/devicelogin")
    code = started["user_code"].replace("-", "")
    form = {"csrf": who.form.hidden["csrf"], "step": "confirm"}
    assert (await who.send(f"/devicelogin?user_code={code}", form)).status == 400
    assert (await who.send(f"/devicelogin?user_code={code}", {"step": "confirm"})).status == 400
    assert (await poll(registry, started)).json()["error"] == "authorization_pending"


async def test_guessing_codes_is_slowed_down(registry: Registry):
    who = browser(registry)
    await who.open("/devicelogin")
    for _ in range(6):
        await who.submit("code", user_code="BCDF-GHJK")
    assert "Wait" in who.text
