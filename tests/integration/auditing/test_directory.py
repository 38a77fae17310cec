"""Who signs in at the directory and who does not, and the tokens that it hands out, are in the audit log."""

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from pyotp.totp import TOTP
from sqlalchemy import Connection
from tests.directory import (
    ADA,
    ARM,
    AZURE_CLI,
    DEVICE_GRANT,
    PASSWORD,
    SIGN_IN_SCOPE,
    KeyPair,
    a_code,
    add_application,
    add_person,
    add_totp,
    authorize_path,
    browser,
    claims_for,
    endpoints,
    new,
    sent_back,
)
from tests.integration.auditing.conftest import Written
from tests.integration.conftest import StartRegistry
from tests.integration.rows import audit_entries
from tests.registry import OWNER, OWNER_SECRET, Registry

from entrepot.events.gathering import WINDOW
from entrepot.identities import applications, people, queries
from entrepot.identities.applications import Ids

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MSI = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com/"


@pytest.fixture
async def registry(start_registry: StartRegistry) -> Registry:
    """With every way to sign in."""
    return await start_registry(identity_endpoint=True, password_grant=True)


# Each answers whose sign-in it is; a principal's id.
Way = Callable[[Registry], Awaitable[str]]


def owner(registry: Registry) -> str:
    found = registry.query(lambda tx: queries.principal_by_client_id(tx, OWNER))
    assert found is not None
    return found.id


async def by_client_secret(registry: Registry) -> str:
    assert (await endpoints(registry).for_owner()).status == 200
    return owner(registry)


async def by_certificate(registry: Registry) -> str:
    made, _ = add_application(registry)
    pair = KeyPair.make(registry.clock())
    registry.query(lambda tx: applications.add_certificate(tx, made.principal_id, new(registry), pair.pem))
    signed = pair.sign(claims_for(registry, made.client_id))
    form = {"client_id": made.client_id, "client_assertion": signed, "client_assertion_type": ASSERTION, "scope": ARM}
    assert (await endpoints(registry).token("client_credentials", **form)).status == 200
    return made.principal_id


async def by_password_grant(registry: Registry) -> str:
    person = add_person(registry)
    form = {"client_id": AZURE_CLI, "username": ADA, "password": PASSWORD, "scope": SIGN_IN_SCOPE}
    assert (await endpoints(registry).token("password", **form)).status == 200
    return person.id


async def by_page(registry: Registry) -> str:
    person = add_person(registry)
    await a_code(registry)
    return person.id


async def by_page_and_authenticator(registry: Registry) -> str:
    person = add_person(registry)
    clock, who = TOTP(add_totp(registry, person)), browser(registry)
    await who.sign_in(authorize_path())
    assert "code" in sent_back(await who.submit("totp", code=clock.at(registry.clock.now)))
    return person.id


async def by_identity_header(registry: Registry) -> str:
    def add(tx: Connection) -> tuple[str, str]:
        ids = Ids(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
        made = applications.add_managed_identity(tx, ids, queries.tenants(tx)[0].id, "builds", registry.clock())
        return made.id, f"{made.client_id}.{applications.add_secret(tx, made.id, new(registry), '').value}"

    principal, header = registry.query(add)
    assert (await registry.nobody.having(x_identity_header=header).get(MSI)).status == 200
    return principal


@pytest.mark.parametrize(
    ("way", "method"),
    [
        (by_client_secret, "client_secret"),
        (by_certificate, "client_assertion"),
        (by_password_grant, "password"),
        (by_page, "password"),
        (by_page_and_authenticator, "password, totp"),
        (by_identity_header, "identity_header"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_sign_in_is_an_entry(registry: Registry, written: Written, way: Way, method: str) -> None:
    principal = await way(registry)
    (entry,) = await written("sign_in", 1)
    assert (entry["result"], entry["principal"], entry["method"]) == ("success", principal, method)
    assert entry["credential"]
    assert entry["address"] == "127.0.0.1"


class Wrong(NamedTuple):
    """A request to the token endpoint that fails, and what its entry says. ``who``: None for nobody."""

    form: dict[str, str]
    reason: str
    method: str
    who: Callable[[Registry], str] | None


def ada(registry: Registry) -> str:
    found = registry.query(lambda tx: people.find_person(tx, ADA))
    assert found is not None
    return found.id


PASSWORD_GRANT = {"grant_type": "password", "client_id": AZURE_CLI, "scope": ARM}
CLIENT = {"grant_type": "client_credentials", "client_id": OWNER, "scope": ARM}
BAD_PASSWORD = {"username": ADA, "password": "hunter2-hunter2"}
NOBODYS_NAME = {"username": "hunter2-hunter2", "password": "x"}
WRONG = (
    Wrong({**CLIENT, "client_secret": "hunter2-hunter2"}, "SECRET_WRONG", "client_secret", owner),
    Wrong(
        {**CLIENT, "client_assertion": "hunter2-hunter2", "client_assertion_type": ASSERTION},
        "ASSERTION_INVALID",
        "client_assertion",
        owner,
    ),
    Wrong({**CLIENT, "client_id": "hunter2-hunter2", "client_secret": "x"}, "CLIENT_UNKNOWN", "", None),
    Wrong({**PASSWORD_GRANT, **BAD_PASSWORD}, "PASSWORD_WRONG", "password", ada),
    Wrong({**PASSWORD_GRANT, **NOBODYS_NAME}, "PASSWORD_WRONG", "password", None),
)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.method}-{wrong.reason}-{bool(wrong.who)}")
async def test_a_failure_is_an_entry_of_whose_name_it_was(registry: Registry, written: Written, wrong: Wrong) -> None:
    add_person(registry)
    assert (await endpoints(registry).post("v2.0/token", wrong.form)).status in {400, 401}
    (entry,) = await written("sign_in", 1)
    assert (entry["result"], entry["method"], entry["detail"]) == ("failure", wrong.method, {"reason": wrong.reason})
    if wrong.who is None:
        assert entry["principal"].startswith("unknown:")
    else:
        assert entry["principal"] == wrong.who(registry)
    assert "hunter2" not in repr(registry.query(audit_entries))


async def test_a_right_password_that_is_not_enough_is_a_failure(registry: Registry, written: Written) -> None:
    add_totp(registry, add_person(registry))
    form = {"username": ADA, "password": PASSWORD}
    await endpoints(registry).post("v2.0/token", PASSWORD_GRANT | form)
    (entry,) = await written("sign_in", 1)
    assert (entry["result"], entry["principal"], entry["detail"]["reason"]) == (
        *("failure", ada(registry)),
        "SECOND_FACTOR",
    )


async def test_failures_on_the_page_and_its_lock_are_entries(registry: Registry, written: Written) -> None:
    person, who = add_person(registry), browser(registry)
    await who.open(authorize_path())
    while "Too many" not in who.text:
        await who.submit("password", username=ADA, password="wrong")
    registry.clock.advance(seconds=WINDOW.total_seconds())
    first, summed = await written("sign_in", 2)
    assert {(entry["principal"], entry["result"]) for entry in (first, summed)} == {(person.id, "failure")}
    assert [entry["detail"]["reason"] for entry in (first, summed)] == ["PASSWORD_WRONG", "LOCKED"]
    assert summed["detail"]["repeated"] > 1


async def test_a_wrong_code_of_an_authenticator_is_a_failure(registry: Registry, written: Written) -> None:
    person, who = add_person(registry), browser(registry)
    add_totp(registry, person)
    await who.sign_in(authorize_path())
    await who.submit("totp", code="000000")
    (entry,) = await written("sign_in", 1)
    assert (entry["principal"], entry["method"], entry["detail"]) == (person.id, "totp", {"reason": "CODE_WRONG"})


async def test_a_program_that_a_person_signs_in_on_another_device_is_an_entry(
    registry: Registry, written: Written
) -> None:
    person, who = add_person(registry), browser(registry)
    begun = (await endpoints(registry).post("v2.0/devicecode", {"client_id": AZURE_CLI, "scope": ARM})).json()
    await who.open("/devicelogin")
    await who.submit("code", user_code="WRONGCODE")
    await who.submit("code", user_code=begun["user_code"])
    await who.submit("password", username=ADA, password=PASSWORD)
    await who.submit("confirm")
    form = {"client_id": AZURE_CLI, "device_code": begun["device_code"]}
    assert (await endpoints(registry).token(DEVICE_GRANT, **form)).status == 200
    guess, *entries = await written("sign_in", 3)
    assert (guess["result"], guess["method"], guess["detail"]) == (
        *("failure", "device_code"),
        {"reason": "CODE_UNKNOWN"},
    )
    assert [(entry["principal"], entry["method"]) for entry in entries] == [
        (person.id, "password"),
        (person.id, "device_code"),
    ]


async def test_a_token_is_an_entry_with_its_id_its_client_and_its_scope(registry: Registry, written: Written) -> None:
    person = add_person(registry)
    tokens = (await endpoints(registry).redeem(await a_code(registry))).json()
    assert (await endpoints(registry).refresh(tokens["refresh_token"])).status == 200
    one, other = await written("token.issue", 2)
    assert one["detail"]["jti"] != other["detail"]["jti"]
    for entry in (one, other):
        assert (entry["principal"], entry["target"]) == (person.id, "https://management.azure.com")
        assert entry["detail"]["clientId"] == AZURE_CLI
        assert ARM in entry["detail"]["scopes"]
        assert entry["credential"]
    entries = repr(registry.query(audit_entries))
    assert [name for name in ("access_token", "refresh_token", "id_token") if tokens[name] in entries] == []


async def test_a_code_that_comes_twice_and_a_token_of_nobody_are_entries(registry: Registry, written: Written) -> None:
    add_person(registry)
    code = await a_code(registry)
    await endpoints(registry).redeem(code)
    await endpoints(registry).redeem(code)
    await endpoints(registry).refresh("a-refresh-token-of-nobody")
    entries: list[dict[str, Any]] = await written("token.refuse", 2)
    assert [(entry["method"], entry["detail"]["reason"]) for entry in entries] == [
        ("authorization_code", "CODE_USED"),
        ("refresh_token", "CODE_INVALID"),
    ]
    assert code not in repr(registry.query(audit_entries))


async def test_a_password_that_its_person_changes_is_an_entry(registry: Registry) -> None:
    person, who = add_person(registry, must_change=True), browser(registry)
    await who.sign_in(authorize_path())
    phrase = "another unusual phrase"
    assert "code" in sent_back(await who.submit("change", new=phrase, again=phrase))
    (entry,) = registry.query(lambda tx: audit_entries(tx, "microsoft.directory/users/password/update"))
    assert (entry["principal"], entry["target"], entry["detail"]) == (person.id, person.id, {"user": ADA})


async def test_what_the_owner_signs_in_with_is_in_no_entry(registry: Registry, written: Written) -> None:
    answer = await endpoints(registry).for_owner()
    await written("token.issue", 1)
    entries = repr(registry.query(audit_entries))
    assert [secret for secret in (OWNER_SECRET, answer.json()["access_token"]) if secret in entries] == []
