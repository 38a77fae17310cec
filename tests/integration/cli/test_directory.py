"""`entrepot user`, `app` and `keys`: what an operator does to the directory on the machine itself."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.directory import ADA, ARM, KeyPair, authorize_path, browser, claims_for, endpoints, sent_back
from tests.integration.cli.conftest import Command
from tests.integration.rows import audit_entries
from tests.registry import SECRET_KEY, Registry

PHRASE = "an unusual phrase of mine"


@pytest.fixture
def entrepot(entrepot: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("ENTREPOT_SECRET_KEY", SECRET_KEY)
    return entrepot


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PHRASE}\n")
    return file


def told(text: str) -> dict[str, str]:
    return {name: value.strip() for name, value in (line.split(":", 1) for line in text.splitlines())}


async def test_a_person_who_was_added_signs_in(registry: Registry, entrepot: Command, password_file: Path):
    entrepot.succeeds("user", "add", ADA, "--name", "Ada", "--password-file", password_file)
    assert "code" in sent_back(await browser(registry).sign_in(authorize_path(), password=PHRASE))
    assert f"{ADA}  " in entrepot.succeeds("user", "list")


async def test_a_made_password_is_for_choosing_another(registry: Registry, entrepot: Command):
    password = told(entrepot.succeeds("user", "add", ADA))["password"].split()[0]
    who = browser(registry)
    await who.sign_in(authorize_path(), password=password)
    assert "Choose a new password" in who.text


async def test_a_person_who_signs_in_outside_gets_no_password(
    registry: Registry, entrepot: Command, password_file: Path
):
    assert "password" not in told(entrepot.succeeds("user", "add", ADA, "--outside"))
    assert (await browser(registry).sign_in(authorize_path(), password="")).status == 401
    refused = entrepot("user", "add", "bob@example.com", "--outside", "--password-file", password_file)
    assert refused.exit_code == 2


async def test_a_disabled_person_stays_out_until_enabled(registry: Registry, entrepot: Command, password_file: Path):
    entrepot.succeeds("user", "add", ADA, "--password-file", password_file)
    entrepot.succeeds("user", "disable", ADA)
    assert (await browser(registry).sign_in(authorize_path(), password=PHRASE)).status == 401
    entrepot.succeeds("user", "enable", ADA)
    assert (await browser(registry).sign_in(authorize_path(), password=PHRASE)).status == 303


async def test_an_authenticator_is_asked_for_until_it_is_removed(
    registry: Registry, entrepot: Command, password_file: Path
):
    entrepot.succeeds("user", "add", ADA, "--password-file", password_file)
    assert entrepot.succeeds("user", "totp", ADA).startswith("otpauth://totp/Entrepot:ada%40example.com?secret=")
    assert (await browser(registry).sign_in(authorize_path(), password=PHRASE)).status == 200
    assert entrepot.succeeds("user", "totp", ADA, "--remove") == "removed\n"
    assert (await browser(registry).sign_in(authorize_path(), password=PHRASE)).status == 303


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("user", "add", "ada"), "a user name is NAME@DOMAIN"),
        (("user", "disable", "nobody@example.com"), "nobody has this user name"),
        (("user", "password", ADA, "--password-file", "no-such-file"), "no-such-file: No such file"),
        (("app", "secret", "no-such-client"), "no application has this client id"),
        (("app", "federate", "x", "--name", "n", "--issuer", "http://x", "--subject", "s"), "issuer: use https"),
    ],
)
async def test_what_cannot_be_done_is_told_in_a_line(
    registry: Registry, entrepot: Command, words: tuple[str, ...], reason: str
):
    done = entrepot(*words)
    assert (done.exit_code != 0, reason in done.error, "Traceback" in done.error) == (True, True, False)


async def test_an_application_signs_in_with_each_of_its_secrets_until_it_is_removed(
    registry: Registry, entrepot: Command
):
    first = told(entrepot.succeeds("app", "add", "robot"))
    second = told(entrepot.succeeds("app", "secret", first["client id"], "--name", "second", "--days", "7"))
    entrepot.succeeds("app", "remove", first["client id"], first["secret id"])
    statuses: list[int] = []
    for secret in (first["secret"], second["secret"]):
        form = {"client_id": first["client id"], "client_secret": secret, "scope": ARM}
        statuses.append((await endpoints(registry).token("client_credentials", **form)).status)
    assert statuses == [401, 200]
    listed = entrepot.succeeds("app", "list")
    assert (second["secret id"] in listed, second["secret"] in listed) == (True, False)


async def test_a_certificate_signs_an_application_in(registry: Registry, entrepot: Command, tmp_path: Path):
    client_id = told(entrepot.succeeds("app", "add", "robot"))["client id"]
    registry.clock.now = datetime.now(UTC)
    pair, file = KeyPair.make(registry.clock()), tmp_path / "certificate.pem"
    file.write_text(pair.pem)
    entrepot.succeeds("app", "certificate", client_id, file)
    form = {
        "client_id": client_id,
        "client_assertion": pair.sign(claims_for(registry, client_id)),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "scope": ARM,
    }
    assert (await endpoints(registry).token("client_credentials", **form)).status == 200


async def test_keys_are_added_or_replaced(registry: Registry, entrepot: Command):
    assert len(entrepot.succeeds("keys", "list").splitlines()) == 2
    assert "UTC on" in entrepot.succeeds("keys", "rotate")
    assert len(entrepot.succeeds("keys", "list").splitlines()) == 4
    entrepot.succeeds("keys", "rotate", "--at-once")
    assert len(entrepot.succeeds("keys", "list").splitlines()) == 2


async def test_each_command_that_changes_something_is_an_entry_without_its_secret(
    registry: Registry, entrepot: Command, password_file: Path, tmp_path: Path
):
    certificate = tmp_path / "certificate.pem"
    certificate.write_text(KeyPair.make(datetime.now(UTC)).pem)
    entrepot.succeeds("user", "add", ADA, "--password-file", password_file)
    address = entrepot.succeeds("user", "totp", ADA)
    robot = told(entrepot.succeeds("app", "add", "robot"))
    client_id = robot["client id"]
    second = told(entrepot.succeeds("app", "secret", client_id))
    trust = ("--name", "ci", "--issuer", "https://issuer.example", "--subject", "repo:app")
    for words in (
        ("user", "password", ADA, "--password-file", password_file),
        ("user", "disable", ADA),
        ("user", "enable", ADA),
        ("user", "totp", ADA, "--remove"),
        ("app", "certificate", client_id, certificate),
        ("app", "federate", client_id, *trust),
        ("app", "remove", client_id, second["secret id"]),
        ("keys", "rotate"),
        ("keys", "rotate", "--at-once"),
        ("user", "list"),
        ("app", "list"),
        ("keys", "list"),
    ):
        entrepot.succeeds(*words)
    entries = [entry for entry in registry.query(audit_entries) if entry["principal"] == "operator"]
    credentials = "applications/credentials/update"
    assert [entry["action"].removeprefix("microsoft.directory/") for entry in entries] == [
        "users/create",
        "users/authenticationMethods/create",
        "applications/create",
        credentials,
        "users/password/update",
        "users/disable",
        "users/enable",
        "users/authenticationMethods/delete",
        credentials,
        credentials,
        credentials,
        "keys.rotate",
        "keys.replace",
    ]
    seed = address.partition("secret=")[2].partition("&")[0]
    for secret in (PHRASE, seed, robot["secret"], second["secret"]):
        assert secret not in repr(entries)
