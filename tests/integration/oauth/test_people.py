"""People with name and password: off until the operator turns it on, and never past a second factor."""

import pytest
from tests.directory import authorize_path, browser
from tests.integration.accounts import PERSON, PERSON_PASSWORD, add_person
from tests.integration.oauth.forms import SERVICE, access_of, claims_of
from tests.registry import Registry
from tests.wire import Answer, Client


async def ask(client: Client) -> Answer:
    return await client.get(f"/oauth2/token?service={SERVICE}&scope=repository:app:pull")


async def test_a_person_s_password_is_not_taken_until_it_is_turned_on(registry: Registry) -> None:
    """The answer is one for everybody: nobody's name is looked up."""
    add_person(registry)
    answers = [await ask(registry.nobody.signed_in(name, PERSON_PASSWORD)) for name in (PERSON, "nobody@example.com")]
    assert [answer.status for answer in answers] == [401, 401]
    assert answers[0].body == answers[1].body


@pytest.mark.parametrize("name", [PERSON, PERSON.upper()])
async def test_a_person_gets_a_token_with_their_name_in_it(registry: Registry, start_registry, name: str) -> None:
    add_person(registry)
    worker = await start_registry(password_grant=True)
    answer = await ask(worker.nobody.signed_in(name, PERSON_PASSWORD))
    assert [entry["actions"] for entry in access_of(answer)] == [["pull"]]
    claims = claims_of(answer.json()["access_token"])
    assert (claims["sub"], claims["oid"]) == (PERSON, "id-person")
    assert (await worker.nobody.bearing(answer.json()["access_token"]).get("/v2/")).status == 200


async def test_what_does_not_fit_is_answered_alike_whether_somebody_has_the_name_or_not(
    registry: Registry, start_registry
) -> None:
    add_person(registry)
    worker = await start_registry(password_grant=True)
    tried = ((PERSON, "wrong"), ("nobody@example.com", "wrong"), ("nobody@example.com", PERSON_PASSWORD), ("@", ""))
    answers = [await ask(worker.nobody.signed_in(*pair)) for pair in tried]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1


async def test_a_person_with_a_second_factor_does_not_get_past_it(registry: Registry, start_registry) -> None:
    add_person(registry, totp=True)
    worker = await start_registry(password_grant=True)
    assert (await ask(worker.nobody.signed_in(PERSON, PERSON_PASSWORD))).status == 401


async def test_a_first_password_is_good_for_nothing_but_choosing_another(registry: Registry, start_registry) -> None:
    add_person(registry, must_change=True)
    worker = await start_registry(password_grant=True)
    assert (await ask(worker.nobody.signed_in(PERSON, PERSON_PASSWORD))).status == 401
    assert (await worker.nobody.signed_in(PERSON, PERSON_PASSWORD).get("/v2/")).status == 401


@pytest.mark.parametrize("path", ["/v2/", f"/oauth2/token?service={SERVICE}"])
async def test_guessing_by_programs_locks_like_guessing_on_pages(registry: Registry, start_registry, path: str) -> None:
    add_person(registry)
    worker = await start_registry(password_grant=True)
    for _ in range(5):
        assert (await worker.nobody.signed_in(PERSON, "wrong").get(path)).status == 401
    locked = await worker.nobody.signed_in(PERSON, PERSON_PASSWORD).get(path)
    assert (locked.status, b"wait 30 seconds" in locked.body) == (401, True)
    page = await browser(worker).sign_in(authorize_path(), PERSON, PERSON_PASSWORD)
    assert (page.status, b"Wait" in page.body) == (401, True)
    worker.clock.advance(seconds=31)
    assert (await worker.nobody.signed_in(PERSON, PERSON_PASSWORD).get(path)).status == 200
