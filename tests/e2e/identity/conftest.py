"""A server whose directory has people and applications, and programs and a browser that sign in to it."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.e2e.clients import Shell
from tests.outside import Authority, authority
from tests.services import Registry, entrepot

PROGRAM = Path(__file__).with_name("azure_program.py")
ARM = "https://management.azure.com/.default"
PATIENCE = 60.0


@dataclass(frozen=True)
class Site:
    """A server and its directory. ``password``: that of every person."""

    server: Registry
    tenant: str
    subscription: str
    password: str

    def run(self, *words: str) -> dict[str, str]:
        """An operator's command on the data folder; what it printed, line by line."""
        command = [sys.executable, "-m", "entrepot", *words, "--data-dir", str(self.server.data_dir)]
        said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
        told = (line.split(": ", 1) for line in said.splitlines() if ": " in line)
        return {name: value.strip() for name, value in told}

    def add_person(self, name: str) -> str:
        """Their user name."""
        return self.added_person(name)["user name"]

    def added_person(self, name: str) -> dict[str, str]:
        """What the command tells of them: user name and id."""
        secret = self.server.data_dir.with_name("password")
        secret.write_text(self.password)
        return self.run("user", "add", f"{name}@example.com", "--password-file", str(secret))

    def claims(self, token: str) -> dict[str, Any]:
        """Of a token that a published key signed, for the management API."""
        keys = jwt.PyJWKClient(f"{self.server.endpoint}/{self.tenant}/discovery/v2.0/keys", ssl_context=self._trust())
        key = keys.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=["RS256"], audience="https://management.azure.com")

    def _trust(self) -> Any:  # noqa: ANN401  an SSLContext
        import ssl  # noqa: PLC0415  here alone

        return ssl.create_default_context(cafile=self.server.ca)

    def configuration(self) -> dict[str, Any]:
        url = f"{self.server.endpoint}/{self.tenant}/v2.0/.well-known/openid-configuration"
        with urllib.request.urlopen(url, context=self._trust()) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA of whatever is called from the server."""
    return authority(tmp_path_factory.mktemp("outside"), "127.0.0.1")


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, outside: Authority) -> Iterator[Site]:
    data = tmp_path_factory.mktemp("identity") / "data"
    calls_out = ("--outbound-allow", "127.0.0.0/8", "--outbound-ca-file", str(outside.ca_file))
    with entrepot(data, "--identity-endpoint", "true", "--workers", "1", *calls_out) as server:
        told = json.loads((data / "bootstrap.json").read_bytes())
        yield Site(server, told["tenantId"], told["subscriptionId"], "correct horse battery staple")


@dataclass(frozen=True)
class Program:
    """azure-identity in a process of its own, which trusts the server's CA and no other."""

    site: Site
    environment: dict[str, str]

    def signs_in(self, credential: str, scopes: tuple[str, ...] = (ARM,), **arguments: Any) -> list[str]:  # noqa: ANN401  as azure-identity has them
        """The tokens."""
        with self.started(credential, scopes, **arguments) as process:
            said, complaint = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, complaint
        return json.loads(said.splitlines()[-1])

    def is_refused(self, credential: str, **arguments: Any) -> str:  # noqa: ANN401  the same
        """What it complained about."""
        with self.started(credential, (ARM,), **arguments) as process:
            _, complaint = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1, complaint
        return complaint

    @contextmanager
    def started(
        self,
        credential: str,
        scopes: tuple[str, ...] = (ARM,),
        **arguments: Any,  # noqa: ANN401  the same
    ) -> Iterator["subprocess.Popen[str]"]:
        extra = {name: arguments.pop(name) for name in ("assertion", "times") if name in arguments}
        if "AZURE_AUTHORITY_HOST" in self.environment:
            arguments |= {"disable_instance_discovery": True}
        elif not credential.startswith("ManagedIdentity"):
            arguments |= {"authority": self.site.server.endpoint, "disable_instance_discovery": True}
        wanted = {"credential": credential, "arguments": arguments, "scopes": scopes} | extra
        process = subprocess.Popen(
            [sys.executable, PROGRAM, json.dumps(wanted)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"REQUESTS_CA_BUNDLE": str(self.site.server.ca)} | self.environment,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def program(site: Site, shell: Shell) -> Callable[..., Program]:
    def make(**environment: str) -> Program:
        return Program(site, {"HOME": str(shell.folder)} | environment)

    return make


@pytest.fixture
def chromium() -> Iterator[Browser]:
    """The system's own. Not longer than a test: playwright's event loop stands in the way of other tests' loops."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        launched = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        yield launched
        launched.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A window without a history. Scripts are off: no page needs one."""
    context = chromium.new_context(ignore_https_errors=True, java_script_enabled=False)
    yield context.new_page()
    context.close()
