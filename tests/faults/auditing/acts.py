"""Every way to sign in and every kind of secret, used on a running server: what is handed out goes into the vault.

Whoever builds a new one adds an act to ACTS.
"""

import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import serialization
from pyotp.totp import TOTP
from tests.content import an_image
from tests.directory import (
    ADA,
    ARM,
    AZURE_CLI,
    DEVICE_GRANT,
    HERE,
    SIGN_IN_SCOPE,
    VERIFIER,
    KeyPair,
    authorize_path,
)
from tests.faults.auditing.vault import Vault
from tests.faults.plain import OWNER, OWNER_SECRET
from tests.federated import AUDIENCE, GITHUB
from tests.issuer import OutsideIssuer
from tests.services import Registry

from entrepot.access import keyring, queries
from entrepot.app.secret_key import key_file, open_sealer
from entrepot.db.database import open_database
from entrepot.settings import Settings

GRAPH: Final = "https://graph.microsoft.com"
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN: Final = "/common/oauth2/v2.0/token"
VERSION: Final = "?api-version=2026-09-01-preview"
_HIDDEN: Final = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@dataclass
class Used:
    """A server in use: its secrets, and every answer that was not asked for a secret."""

    server: Registry
    metrics_port: int
    http: httpx.Client
    issuer: OutsideIssuer
    vault: Vault = field(default_factory=Vault)
    answers: bytearray = field(default_factory=bytearray)

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.server.data_dir)

    def ask(self, method: str, target: str, **more: object) -> httpx.Response:
        """Whose answer may hold no secret."""
        answer = self.http.request(method, target, **more)  # pyright: ignore[reportArgumentType]  httpx's own
        self.answers += repr(answer.headers).encode() + answer.content
        return answer

    def entrepot(self, *words: str | Path) -> str:
        """What the command says."""
        command = [sys.executable, "-m", "entrepot", *map(str, words), "--data-dir", self.server.data_dir]
        return subprocess.run(command, check=True, capture_output=True, timeout=60, text=True).stdout

    def tokens(self, name: str, **form: str) -> dict[str, Any]:
        """The token endpoint's answer, whose tokens are kept under this name."""
        answer = self.http.post(TOKEN, data=form)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        for kind in ("access_token", "id_token", "refresh_token"):
            if "." in told.get(kind, ""):
                self.vault.keep_token(f"{name}: {kind}", told[kind])
            elif kind in told:
                self.vault.keep(f"{name}: {kind}", told[kind])
        return told

    def bearer_of_owner(self, resource: str) -> dict[str, str]:
        form = {"client_id": OWNER, "client_secret": OWNER_SECRET, "scope": f"{resource}/.default"}
        told = self.tokens(f"the owner's for {resource}", grant_type="client_credentials", **form)
        return {"authorization": f"Bearer {told['access_token']}"}


def push_with_basic(used: Used) -> None:
    auth = used.vault.keep_basic("the owner's secret", OWNER, OWNER_SECRET)
    image = an_image()
    for digest, content in image.blobs.items():
        used.ask("POST", f"/v2/app/blobs/uploads/?digest={digest}", content=content, auth=auth)
    put = {"content": image.body, "headers": {"content-type": image.media_type}, "auth": auth}
    assert used.ask("PUT", "/v2/app/manifests/v1", **put).status_code == 201
    assert used.ask("DELETE", "/v2/app/manifests/v1", auth=auth).status_code == 202


def fail_to_sign_in(used: Used) -> None:
    for name, user, password in (
        ("a wrong password", OWNER, "not-the-right-password"),
        ("a password in the wrong field", "my-password-as-user-name", "and-something-else"),
    ):
        auth = used.vault.keep_basic(name, user, password)
        used.ask("GET", "/v2/", auth=auth)
        used.ask("GET", f"/oauth2/token?service={used.server.login_server}", auth=auth)
        form = {"grant_type": "password", "service": used.server.login_server, "username": user, "password": password}
        assert used.ask("POST", "/oauth2/token", data=form).status_code == 401
    used.vault.keep("a user name that is a password", "my-password-as-user-name")


def use_tokens(used: Used) -> None:
    scope = "repository:app:pull"
    target = f"/oauth2/token?service={used.server.login_server}&scope={scope}"
    answer = used.http.get(target, auth=(OWNER, OWNER_SECRET))
    token = used.vault.keep_token("an access token", answer.json()["access_token"])
    bearer = {"authorization": f"Bearer {token}"}
    assert used.ask("GET", "/v2/app/tags/list", headers=bearer).status_code in {200, 404}
    assert used.ask("DELETE", "/v2/app/manifests/v1", headers=bearer).status_code == 401
    forged = used.vault.keep_token("a forged token", token[:-12] + "forgedForged")
    assert used.ask("GET", "/v2/", headers={"authorization": f"Bearer {forged}"}).status_code == 401
    assert used.ask("GET", f"/v2/?access_token={token}").status_code == 401


def sign_with_keys(used: Used) -> None:
    """The server has used each of them already."""
    settings = used.settings
    used.vault.keep("the deployment's key", key_file(settings).read_text().strip())
    with closing(open_database(None, settings.data_dir)) as database:
        for row in database.read(queries.signing_keys):
            key = keyring.open_key(row, open_sealer(settings))
            used.vault.keep_pem(f"the key for {row.use}", key.pem())


def submit(browser: httpx.Client, page: httpx.Response, step: str, **fields: str) -> httpx.Response:
    """Presses a button of the page."""
    hidden = {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}
    action = re.search(r'<form[^>]* action="([^"]*)"', page.text)
    assert action is not None, page.text
    return browser.post(unescape(action[1]), data={**hidden, "step": step, **fields})


def sign_people_in(used: Used) -> None:
    """By password and authenticator on a page, for a program here and for one on another device."""
    password = used.vault.keep("a person's password", "an unusual phrase of hers")
    file = used.server.data_dir.parent / "password"
    file.write_text(password)
    used.entrepot("user", "add", ADA, "--password-file", file)
    address = used.entrepot("user", "totp", ADA)
    seed = used.vault.keep("an authenticator's key", address.partition("secret=")[2].partition("&")[0])
    with httpx.Client(base_url=used.server.endpoint, timeout=60) as browser:
        page = browser.get(authorize_path())
        wrong = submit(
            browser, page, "password", username=ADA, password=used.vault.keep("a guess", "guess-guess-guess")
        )
        half = submit(browser, wrong, "password", username=ADA, password=password)
        used.answers += page.content + wrong.content + half.content
        typed = used.vault.keep_code("a code of an authenticator", TOTP(seed).now())
        back = submit(browser, half, "totp", code=typed)
        assert back.status_code == 303, back.text
        for name in ("a session", "a browser"):
            used.vault.keep(name, next(each.value for each in browser.cookies.jar if name[2:] in each.name) or "")
        code = used.vault.keep("an authorization code", httpx.URL(back.headers["location"]).params["code"])
        used.vault.keep("a code's verifier", VERIFIER)
        redeem = {"client_id": AZURE_CLI, "code": code, "redirect_uri": HERE, "code_verifier": VERIFIER}
        told = used.tokens("by a code", grant_type="authorization_code", **redeem)
        again = {"client_id": AZURE_CLI, "refresh_token": told["refresh_token"]}
        used.tokens("by a refresh token", grant_type="refresh_token", **again)
        confirm_device(used, browser)
    assert used.ask("POST", TOKEN, data={"grant_type": "authorization_code", **redeem}).status_code == 400
    assert used.ask("POST", TOKEN, data={"grant_type": "refresh_token", **again}).status_code == 400


def confirm_device(used: Used, browser: httpx.Client) -> None:
    form = {"client_id": AZURE_CLI, "scope": SIGN_IN_SCOPE}
    begun = used.http.post("/common/oauth2/v2.0/devicecode", data=form).json()
    code = used.vault.keep("a device code", begun["device_code"])
    asked = submit(browser, browser.get("/devicelogin"), "code", user_code=begun["user_code"])
    done = submit(browser, asked, "confirm")
    assert "Done" in done.text
    used.answers += asked.content + done.content
    used.tokens("by a device code", grant_type=DEVICE_GRANT, client_id=AZURE_CLI, device_code=code)


def sign_people_in_by_password_alone(used: Used) -> None:
    name, password = "grace@example.com", used.vault.keep("another person's password", "a phrase of somebody else")
    file = used.server.data_dir.parent / "other-password"
    file.write_text(password)
    used.entrepot("user", "add", name, "--password-file", file)
    form = {"client_id": AZURE_CLI, "username": name, "scope": SIGN_IN_SCOPE, "grant_type": "password"}
    used.tokens("by a password", password=password, **form)
    used.vault.keep_basic("a person with a registry", name, password)
    used.ask("GET", "/v2/", auth=(name, password))
    wrong = used.vault.keep("a wrong password of a person", password + " of hers")
    assert used.ask("POST", TOKEN, data={"password": wrong, **form}).status_code == 400
    assert used.ask("GET", "/v2/", auth=(name, wrong)).status_code == 401


def sign_applications_in(used: Used) -> None:
    """By a secret of Graph's, and by a certificate."""
    headers = used.bearer_of_owner(GRAPH)
    made = used.ask("POST", "/v1.0/applications", json={"displayName": "robot"}, headers=headers).json()
    client_id, path = made["appId"], f"/v1.0/applications/{made['id']}"
    added = used.http.post(f"{path}/addPassword", json={}, headers=headers).json()
    secret = used.vault.keep("a client secret", added["secretText"])
    assert used.ask("POST", "/v1.0/servicePrincipals", json={"appId": client_id}, headers=headers).status_code == 201
    form = {"grant_type": "client_credentials", "client_id": client_id, "scope": ARM}
    used.tokens("by a secret", client_secret=secret, **form)
    used.vault.keep_basic("an application with a registry", client_id, secret)
    used.ask("GET", "/v2/", auth=(client_id, secret))
    used.tokens("by a certificate", **form, **certified(used, client_id))
    wrong = {"client_secret": used.vault.keep("a wrong secret", f"W{secret}")}
    assert used.ask("POST", TOKEN, data={**form, **wrong}).status_code == 401
    # The refusal repeats to its client what that took for an id, as Entra's does.
    assert used.http.post(TOKEN, data={**form, "client_id": secret, **wrong}).status_code == 400
    gone = {"keyId": added["keyId"]}
    assert used.ask("POST", f"{path}/removePassword", json=gone, headers=headers).status_code == 204
    assert used.ask("DELETE", path, headers=headers).status_code == 204


def certified(used: Used, client_id: str) -> dict[str, str]:
    """What an application sends that has a certificate."""
    now = datetime.now(UTC)
    pair, file = KeyPair.make(now), used.server.data_dir.parent / "certificate.pem"
    kind = serialization.PrivateFormat.PKCS8
    pem = pair.key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption())
    used.vault.keep_pem("a certificate's key", pem.decode())
    file.write_text(pair.pem)
    used.entrepot("app", "certificate", client_id, file)
    claims = {"iss": client_id, "sub": client_id, "aud": used.server.endpoint + TOKEN, "jti": str(uuid.uuid4())}
    assertion = pair.sign({**claims, "nbf": now, "exp": now + timedelta(minutes=10)})
    used.vault.keep_token("an assertion", assertion)
    return {"client_assertion": assertion, "client_assertion_type": ASSERTION}


def sign_a_job_in(used: Used) -> None:
    """With a token of an outside issuer: one that fits a federated credential, and some that do not."""
    headers = used.bearer_of_owner(GRAPH)
    made = used.ask("POST", "/v1.0/applications", json={"displayName": "job"}, headers=headers).json()
    used.ask("POST", "/v1.0/servicePrincipals", json={"appId": made["appId"]}, headers=headers)
    trusted = {"name": "main", "issuer": used.issuer.url, "subject": GITHUB.claims["sub"], "audiences": [AUDIENCE]}
    path = f"/v1.0/applications/{made['id']}/federatedIdentityCredentials"
    assert used.ask("POST", path, json=trusted, headers=headers).status_code == 201
    form = {"grant_type": "client_credentials", "client_id": made["appId"], "scope": ARM}
    form["client_assertion_type"] = ASSERTION
    claims = {"aud": AUDIENCE, **GITHUB.claims}
    token = used.vault.keep_token("a federated token", used.issuer.token(claims))
    used.tokens("by a federated token", **form, client_assertion=token)
    for name, change in (("subject", {"sub": "repo:other/app"}), ("audience", {"aud": "x"}), ("time", {"exp": 1})):
        wrong = used.vault.keep_token(f"a federated token of a wrong {name}", used.issuer.token({**claims, **change}))
        assert used.ask("POST", TOKEN, data={**form, "client_assertion": wrong}).status_code == 401
    broken = used.vault.keep_token("a broken federated token", token[:-12] + "brokenBroken")
    assert used.ask("POST", TOKEN, data={**form, "client_assertion": broken}).status_code == 401


def tend_people(used: Used) -> None:
    """By Graph: a first password, another one, and one that is too weak."""
    headers = used.bearer_of_owner(GRAPH)
    first = {"password": used.vault.keep("a first password by Graph", "a phrase for the very first day")}
    person = {"userPrincipalName": "linus@example.com", "displayName": "Linus", "passwordProfile": first}
    made = used.ask("POST", "/v1.0/users", json=person, headers=headers)
    assert made.status_code == 201, made.text
    path = f"/v1.0/users/{made.json()['id']}"
    other = {"password": used.vault.keep("another password by Graph", "a phrase for the second day")}
    assert used.ask("PATCH", path, json={"passwordProfile": other}, headers=headers).status_code == 204
    weak = {"password": used.vault.keep("a weak password by Graph", "linuslinus")}
    assert used.ask("PATCH", path, json={"passwordProfile": weak}, headers=headers).status_code == 400


def sign_a_workload_in(used: Used) -> None:
    told = used.entrepot("app", "identity", "builds")
    (header,) = re.findall(r"[0-9a-f-]{36}\.\S+", told)
    used.vault.keep("an identity header", header)
    used.vault.keep("an identity header's secret", header.partition(".")[2])
    path = "/msi/token?api-version=2019-08-01&resource=https://management.azure.com/"
    token = used.http.get(path, headers={"x-identity-header": header}).json()["access_token"]
    used.vault.keep_token("a workload's token", token)
    wrong = used.vault.keep("a wrong identity header", header + "wrong")
    assert used.ask("GET", path, headers={"x-identity-header": wrong}).status_code == 401


def exchange_tokens(used: Used) -> None:
    """As `az acr login` does it."""
    bearer = used.bearer_of_owner("https://containerregistry.azure.net")["authorization"].partition(" ")[2]
    service = {"service": used.server.login_server}
    form = {"grant_type": "access_token", "access_token": bearer, **service}
    refresh = used.http.post("/oauth2/exchange", data=form).json()["refresh_token"]
    used.vault.keep_token("a registry's refresh token", refresh)
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": "repository:app:pull", **service}
    access = used.http.post("/oauth2/token", data=form).json()["access_token"]
    used.vault.keep_token("a registry's access token", access)
    nil = "00000000-0000-0000-0000-000000000000"
    used.vault.keep_basic("a refresh token in a password's place", nil, refresh)
    assert used.ask("GET", "/v2/", auth=(nil, refresh)).status_code == 200
    broken = used.vault.keep_token("a broken refresh token", refresh[:-12] + "brokenBroken")
    assert used.ask("POST", "/oauth2/token", data={**form, "refresh_token": broken}).status_code == 401


def of_registry(used: Used) -> tuple[str, dict[str, str]]:
    """The path of the registry in the management API, and the headers of its owner."""
    headers = used.bearer_of_owner("https://management.azure.com")
    (subscription,) = used.ask("GET", "/subscriptions?api-version=2022-12-01", headers=headers).json()["value"]
    group = f"{subscription['id']}/resourceGroups/entrepot"
    return f"{group}/providers/Microsoft.ContainerRegistry/registries/local", headers


def use_the_admin_account(used: Used) -> None:
    path, headers = of_registry(used)
    on = {"properties": {"adminUserEnabled": True}}
    assert used.ask("PATCH", path + VERSION, json=on, headers=headers).status_code == 200
    for step, body in (("listCredentials", {}), ("regenerateCredential", {"name": "password2"})):
        shown = used.http.post(f"{path}/{step}{VERSION}", json=body, headers=headers).json()
        for each in shown["passwords"]:
            auth = used.vault.keep_basic(f"admin's {each['name']} by {step}", shown["username"], each["value"])
            used.ask("GET", "/v2/", auth=auth)
    off = {"properties": {"adminUserEnabled": False}}
    assert used.ask("PATCH", path + VERSION, json=off, headers=headers).status_code == 200


def use_a_repository_token(used: Used) -> None:
    path, headers = of_registry(used)
    scope_map, token = f"{path}/scopeMaps/some-map", f"{path}/tokens/some-token"
    says = {"properties": {"actions": ["repositories/app/content/read"]}}
    assert used.ask("PUT", scope_map + VERSION, json=says, headers=headers).status_code == 201
    has = {"properties": {"scopeMapId": scope_map}}
    assert used.ask("PUT", token + VERSION, json=has, headers=headers).status_code == 201
    body = {"tokenId": token}
    made = used.http.post(f"{path}/generateCredentials{VERSION}", json=body, headers=headers).json()
    for each in made["passwords"]:
        auth = used.vault.keep_basic(f"a repository token's {each['name']}", made["username"], each["value"])
        assert used.ask("GET", "/v2/", auth=auth).status_code == 200


ACTS: tuple[Callable[[Used], None], ...] = (
    push_with_basic,
    fail_to_sign_in,
    use_tokens,
    sign_people_in,
    sign_people_in_by_password_alone,
    sign_applications_in,
    sign_a_job_in,
    tend_people,
    sign_a_workload_in,
    exchange_tokens,
    use_the_admin_account,
    use_a_repository_token,
    sign_with_keys,
)
