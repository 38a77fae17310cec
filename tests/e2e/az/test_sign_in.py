import re
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.directory import PASSWORD, Form
from tests.e2e.az.cli import PYTHON, Az, az_for, sign_in
from tests.e2e.clients import Shell, shell_in
from tests.services import Registry, wait_until

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def stranger(server: Registry, tmp_path: Path) -> Az:
    """Nobody has signed in there."""
    return az_for(server, shell_in(tmp_path / "stranger"))


def test_a_service_principal_signs_in_by_its_secret_and_finds_the_subscription(stranger: Az, server: Registry) -> None:
    (found,) = sign_in(stranger, server.user, server.password)
    assert (found["id"], found["state"]) == (stranger.bootstrap["subscriptionId"], "Enabled")
    shown, token = stranger.at_once(("account", "show"), ("account", "get-access-token"))
    assert (shown["tenantId"], token["tokenType"]) == (stranger.bootstrap["tenantId"], "Bearer")


def test_a_wrong_secret_is_told_with_entras_code(stranger: Az, server: Registry) -> None:
    said = stranger.refused(
        *("login", "--service-principal", "--username", server.user, "--password", "wrong"),
        *("--tenant", stranger.bootstrap["tenantId"]),
    )
    assert "AADSTS7000215" in said


def test_a_service_principal_signs_in_by_a_certificate_that_az_makes(az: Az, stranger: Az) -> None:
    made = az.json("ad", "sp", "create-for-rbac", "--create-cert", "--role", "Reader", "--scopes", az.subscription)
    login = ("login", "--service-principal", "--username", made["appId"], "--tenant", made["tenant"])
    (found,) = stranger.json(*login, "--certificate", made["fileWithCertAndPrivateKey"])
    assert found["id"] == stranger.bootstrap["subscriptionId"]
    assert stranger.json("group", "list", "--query", "[].name") == ["entrepot"]


def test_who_has_no_role_signs_in_and_finds_no_subscription(az: Az, stranger: Az) -> None:
    made = az.json("ad", "sp", "create-for-rbac", "--name", "nobody")
    found = sign_in(stranger, made["appId"], made["password"], "--allow-no-subscriptions")
    assert [each["name"] for each in found] == ["N/A(tenant level account)"]


def test_a_person_signs_in_by_device_code(az: Az, stranger: Az, server: Registry, entrepot_command: Shell) -> None:
    (entrepot_command.folder / "password").write_text(f"{PASSWORD}\n")
    add = ("user", "add", "grace@example.com", "--name", "Grace", "--password-file", "password")
    said = entrepot_command.run("entrepot", *add, "--data-dir", server.data_dir)
    person = re.findall(r"id:\s+(\S+)", said)[0]
    given = ("--assignee-object-id", person, "--assignee-principal-type", "User", "--role", "Owner")
    az.json("role", "assignment", "create", *given, "--scope", az.subscription)
    device_login(stranger, server, "grace@example.com")
    shown = stranger.json("ad", "signed-in-user", "show")
    assert (shown["id"], shown["displayName"]) == (person, "Grace")
    assert stranger.json("account", "show")["user"] == {"name": "grace@example.com", "type": "user"}


@pytest.fixture
def entrepot_command(shell: Shell) -> Shell:
    """A shell that finds the command itself."""
    path = f"{Path(sys.executable).parent}:{shell.environment['PATH']}"
    return shell.having(PATH=path)


def device_login(az: Az, server: Registry, user: str) -> None:
    """Az waits while somebody types its code on a page."""
    log = az.shell.folder / "login"
    command = [PYTHON, "-m", "azure.cli", "login", "--use-device-code", "--tenant", az.bootstrap["tenantId"]]
    environment = {**az.shell.environment, "AZURE_CORE_ONLY_SHOW_ERRORS": "no"}
    with log.open("wb") as said, subprocess.Popen(command, env=environment, stdout=said, stderr=said) as waiting:
        try:
            wait_until(lambda: waiting.poll() is not None or "enter the code" in log.read_text(), "az asks for a code")
            found = re.search(r"open the page (\S+) and enter the code (\S+) ", log.read_text())
            assert found, log.read_text()
            confirm(server, found[1], found[2], user)
            assert waiting.wait(60) == 0, log.read_text()
        finally:
            waiting.kill()


def confirm(server: Registry, page: str, code: str, user: str) -> None:
    """What a person does in a browser: the code, the password, yes."""
    with httpx.Client(verify=ssl.create_default_context(cafile=server.ca), follow_redirects=True) as browser:
        shown = browser.get(page)
        for step, typed in (
            ("code", {"user_code": code}),
            ("password", {"username": user, "password": PASSWORD}),
            ("confirm", {}),
        ):
            form = Form()
            form.feed(shown.text)
            assert step in form.steps, shown.text
            target = httpx.URL(page).join(form.action)
            shown = browser.post(target, data={**form.hidden, "step": step, **typed})
        assert "Done" in shown.text, shown.text
