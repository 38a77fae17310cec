"""People of Dex, and by it of a slapd, sign in to unchanged clients in Chromium; what ends there ends here."""

import json
import signal
import ssl
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msal
import pytest
from msal.exceptions import MsalServiceError
from playwright.sync_api import Page
from tests.dex import CLIENT_ID, CLIENT_SECRET, STATIC_PASSWORD, STATIC_PERSON, Dex, dex, issuer_at
from tests.e2e.identity.conftest import ARM, Program, Site
from tests.ldap import PEOPLE, Directory, directory, group, person, tree
from tests.outside import Authority
from tests.services import entrepot, reserved_port, wait_until

pytestmark = pytest.mark.timeout(600)

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
GRAPH = "https://graph.microsoft.com/.default"
THEIRS = "a password of the directory"
BELIEVED = 1  # seconds


@dataclass
class Provided:
    """A server that lets people of a Dex in, whose Dex asks a slapd."""

    site: Site
    slapd: Directory
    dex: Dex

    def add_person(self, *groups: str) -> str:
        """Their name in the directory."""
        uid = f"eve{uuid.uuid4().hex[:8]}"
        self.slapd.add_person(uid, THEIRS, *groups)
        return uid

    def graph(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401  any document
        """As the owner."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.site.server.user,
            "client_secret": self.site.server.password,
            "scope": GRAPH,
        }
        token = self._ask("POST", "/common/oauth2/v2.0/token", urllib.parse.urlencode(form).encode())["access_token"]
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        return self._ask(method, path, None if body is None else json.dumps(body).encode(), headers)

    def groups_of(self, upn: str) -> list[str]:
        found = self.graph("POST", f"/v1.0/users/{upn}/getMemberGroups", {"securityEnabledOnly": False})
        return found["value"]

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str] | None = None) -> Any:  # noqa: ANN401  the same
        request = urllib.request.Request(self.site.server.endpoint + path, body, headers or {}, method=method)
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=self.site.server.ca)) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def provided(tmp_path_factory: pytest.TempPathFactory, outside: Authority) -> Iterator[Provided]:
    folder = tmp_path_factory.mktemp("provided")
    content = tree() + person("first", "x") + group("builders", f"uid=first,{PEOPLE}")
    with ExitStack() as stack:
        slapd = stack.enter_context(directory(folder / "slapd", outside.ca_file.parent, content))
        port = stack.enter_context(reserved_port())
        settings = {
            "ENTREPOT_OIDC_ISSUER": issuer_at(port),
            "ENTREPOT_OIDC_CLIENT_ID": CLIENT_ID,
            "ENTREPOT_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "ENTREPOT_OIDC_NAME": "Dex",
            "ENTREPOT_OIDC_SCOPES": "openid profile email groups offline_access",
            "ENTREPOT_OIDC_GROUPS": "builders=Builders",
            "ENTREPOT_OUTSIDE_CHECK_SECONDS": str(BELIEVED),
            "ENTREPOT_OUTBOUND_ALLOW": "127.0.0.0/8",
            "ENTREPOT_OUTBOUND_CA_FILE": str(outside.ca_file),
            "ENTREPOT_WORKERS": "1",
        }
        server = stack.enter_context(entrepot(folder / "data", environment=settings))
        made = json.loads((folder / "data" / "bootstrap.json").read_bytes())
        back = f"{server.endpoint}/single-sign-on/callback"
        provider = stack.enter_context(dex(folder / "dex", port, outside, slapd, back))
        yield Provided(Site(server, made["tenantId"], made["subscriptionId"], ""), slapd, provider)


@pytest.fixture
def page(page: Page, provided: Provided, monkeypatch: pytest.MonkeyPatch) -> Page:
    """Patient: four servers answer before a page is there. MSAL in this process trusts the server."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(provided.site.server.ca))
    page.set_default_timeout(120_000)
    return page


def at_dex(page: Page, connector: str, login: str, password: str) -> None:
    """From our page through Dex's."""
    page.get_by_role("link", name="Sign in with Dex").click()
    page.get_by_role("link", name=f"Log in with {connector}").click()
    page.locator("input[name=login]").fill(login)
    page.locator("input[name=password]").fill(password)
    page.locator("button[type=submit]").click()


def by_device_code(provided: Provided, page: Page, uid: str) -> msal.PublicClientApplication:
    """MSAL with the account signed in."""
    client = msal.PublicClientApplication(
        AZURE_CLI,
        authority=f"{provided.site.server.endpoint}/organizations",
        instance_discovery=False,
    )
    flow = client.initiate_device_flow([ARM])
    page.goto(flow["verification_uri"])
    page.get_by_label("Code").fill(flow["user_code"])
    page.get_by_role("button", name="Next").click()
    at_dex(page, "LDAP", uid, THEIRS)
    assert f"{uid}@example.org" in page.locator("main").inner_text()
    page.get_by_role("button", name="Yes, sign it in").click()
    assert "access_token" in client.acquire_token_by_device_flow(flow)
    return client


def refreshed(client: msal.PublicClientApplication) -> dict[str, Any]:
    """MSAL's answer. What has a status of 5xx it raises."""
    (account,) = client.get_accounts()
    try:
        return client.acquire_token_silent_with_error([ARM], account, force_refresh=True) or {}
    except MsalServiceError as error:
        return {"error": str(error)}


def test_a_person_of_dex_signs_in_to_a_program(
    provided: Provided, program: Callable[..., Program], page: Page, tmp_path: Path
):
    asked, opener = tmp_path / "asked", tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" >{asked}.new && mv {asked}.new {asked}\n')
    opener.chmod(0o755)
    made = program(BROWSER=f"{opener} %s")
    with Program(provided.site, {**made.environment, "REQUESTS_CA_BUNDLE": str(provided.site.server.ca)}).started(
        "InteractiveBrowserCredential"
    ) as process:
        wait_until(asked.exists, "the program opens a browser")
        page.goto(asked.read_text())
        at_dex(page, "Email", STATIC_PERSON, STATIC_PASSWORD)
        page.get_by_role("button", name="Continue").click()  # as whom: MSAL wants the account to be chosen
        page.get_by_role("button", name="Continue").click()  # the form post
        said, complaint = process.communicate(timeout=60)
    assert process.returncode == 0, complaint
    assert provided.site.claims(json.loads(said)[0])["upn"] == STATIC_PERSON


def test_groups_of_the_directory_behind_dex_follow_at_a_refresh_and_a_sign_in(provided: Provided, page: Page):
    group_id = provided.graph(
        "POST",
        "/v1.0/groups",
        {"displayName": "Builders", "mailNickname": "builders", "mailEnabled": False, "securityEnabled": True},
    )["id"]
    uid = provided.add_person("builders")
    upn, dn = f"{uid}@example.org", f"uid={uid},{PEOPLE}"
    client = by_device_code(provided, page, uid)
    assert provided.groups_of(upn) == [group_id]
    provided.slapd.take_out("builders", dn)

    def is_out() -> bool:
        assert "access_token" in refreshed(client)
        return provided.groups_of(upn) == []

    wait_until(is_out, "the group is gone at a refresh")
    provided.slapd.put_in("builders", dn)
    page.context.clear_cookies()
    by_device_code(provided, page, uid)
    assert provided.groups_of(upn) == [group_id]


def test_while_dex_does_not_answer_nothing_is_refreshed(provided: Provided, page: Page):
    client = by_device_code(provided, page, provided.add_person())
    provided.dex.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: "503" in refreshed(client).get("error", ""), "nothing is refreshed")
    finally:
        provided.dex.process.send_signal(signal.SIGCONT)
    wait_until(lambda: "access_token" in refreshed(client), "and then again")


def test_who_is_gone_in_the_directory_gets_nothing_new(provided: Provided, page: Page):
    """Dex has an error of its own for them, which a provider that is broken could have as well."""
    uid = provided.add_person()
    client = by_device_code(provided, page, uid)
    provided.slapd.remove(f"uid={uid},{PEOPLE}")
    wait_until(lambda: "503" in refreshed(client).get("error", ""), "nothing is refreshed")
