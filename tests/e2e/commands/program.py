"""The client commands of `entrepot` as processes, each sign-in in a home of its own."""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from tests.e2e.clients import Shell
from tests.services import Registry

PATIENCE = 60.0
PYTHON = (sys.executable, "-m", "entrepot")
VERSION = {"api-version": "2026-09-01-preview"}


@dataclass(frozen=True)
class Done:
    exit_code: int
    out: str
    error: str


@dataclass(frozen=True)
class Program:
    """`entrepot` in a shell, and the server that it is for."""

    shell: Shell
    server: Registry

    @property
    def kept(self) -> Path:
        """Where the sign-in is kept."""
        return Path(self.shell.environment["HOME"]) / ".config" / "entrepot" / "credentials.json"

    def __call__(self, *words: str | Path, stdin: str = "") -> Done:
        done = subprocess.run(
            # Whoever runs the tests in the background lets them ignore it, and what they start.
            ["env", "--default-signal=INT", *PYTHON, *map(str, words)],
            cwd=self.shell.folder,
            env=dict(self.shell.environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def run(self, *words: str | Path, stdin: str = "") -> str:
        """What it printed."""
        done = self(*words, stdin=stdin)
        assert done.exit_code == 0, done
        return done.out

    def json(self, *words: str | Path, stdin: str = "") -> Any:  # noqa: ANN401  each command has its own
        """Into a pipe each prints JSON, or nothing."""
        printed = self.run(*words, stdin=stdin)
        return json.loads(printed) if printed else None

    def fails(self, exit_code: int, *words: str | Path, stdin: str = "") -> str:
        """What it complained about."""
        done = self(*words, stdin=stdin)
        assert (done.exit_code, done.out, "Traceback" in done.error) == (exit_code, "", False), done
        return done.error

    def having(self, **environment: str) -> "Program":
        return replace(self, shell=self.shell.having(**environment))

    @contextmanager
    def started(self, *words: str | Path) -> Iterator["subprocess.Popen[str]"]:
        """One that a test watches. It is ended with the block."""
        process = subprocess.Popen(
            # Whoever runs the tests in the background lets them ignore it, and what they start.
            ["env", "--default-signal=INT", *PYTHON, *map(str, words)],
            cwd=self.shell.folder,
            env=dict(self.shell.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def anonymous(server: Registry) -> httpx.Client:
    """Nobody's client, or one whose requests say who asks."""
    trust = ssl.create_default_context(cafile=server.ca)
    return httpx.Client(base_url=server.endpoint, verify=trust, timeout=30)


@dataclass(frozen=True)
class Application:
    client_id: str
    principal: str
    secret: str


@dataclass(frozen=True)
class Plain:
    """The server without a client of ours in between: what a test looks at a write with."""

    server: Registry

    @property
    def bootstrap(self) -> dict[str, str]:
        return json.loads((self.server.data_dir / "bootstrap.json").read_bytes())

    @property
    def local(self) -> str:
        """Id of the registry that the first start made."""
        return self.registry("local")

    def registry(self, name: str) -> str:
        told = self.bootstrap
        group = f"/subscriptions/{told['subscriptionId']}/resourceGroups/{told['resourceGroup']}"
        return f"{group}/providers/Microsoft.ContainerRegistry/registries/{name}"

    def send(self, method: str, path: str, body: object = None, version: str = "") -> httpx.Response:
        """A request to the management API, as the owner."""
        with anonymous(self.server) as http:
            headers = {"authorization": f"Bearer {self._token(http)}"}
            query = {"api-version": version} if version else VERSION
            return http.request(method, path, headers=headers, json=body, params=query)

    def get(self, path: str) -> Any:  # noqa: ANN401  the document
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def give_role(self, principal: str, role: str, scope: str) -> None:
        subscription = f"/subscriptions/{self.bootstrap['subscriptionId']}"
        definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        body = {"properties": {"roleDefinitionId": definition, "principalId": principal}}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid4()}"
        answer = self.send("PUT", path, body, "2022-04-01")
        assert answer.status_code == 201, answer.text

    def add_application(self, name: str) -> "Application":
        """By Graph."""
        with anonymous(self.server) as http:
            headers = {"authorization": f"Bearer {self._token(http, 'https://graph.microsoft.com')}"}

            def post(path: str, body: object) -> Any:  # noqa: ANN401  its document
                answer = http.post(f"/v1.0/{path}", headers=headers, json=body)
                assert answer.is_success, answer.text
                return answer.json()

            made = post("applications", {"displayName": name})
            secret = post(f"applications/{made['id']}/addPassword", {})["secretText"]
            principal = post("servicePrincipals", {"appId": made["appId"]})["id"]
        return Application(made["appId"], principal, secret)

    def _token(self, http: httpx.Client, audience: str = "") -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.server.user,
            "client_secret": self.server.password,
            "scope": f"{audience or self.server.endpoint}/.default",
        }
        return http.post("/common/oauth2/v2.0/token", data=form).json()["access_token"]
