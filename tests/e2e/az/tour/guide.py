"""Where the tour's az runs, and what it is asked there."""

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import httpx
from tests.e2e.az.cli import CLOUD, PYTHON, environment_of
from tests.e2e.clients import ACCEPTED, Shell
from tests.services import Registry

DRIVER: Final = Path(__file__).with_name("driver.py")
# What az runs in place of docker and helm: check-health pulls from Microsoft, and an engine is not what is tried here.
PROGRAM: Final = """#!/bin/sh
case "$*" in
*--password-stdin*) cat >"{folder}/password" ;;
*version*) echo '{{"Client": {{"Version": "28.0.0", "GitCommit": "0000000", "Os": "linux", "Arch": "amd64"}}}}' ;;
esac
"""


@dataclass(frozen=True)
class Told:
    """How a command ended, what it printed, and what it said on the standard error."""

    code: int
    out: str
    said: str

    @property
    def printed(self) -> Any:  # noqa: ANN401  each command has its own
        return json.loads(self.out) if self.out.strip() else None


class Guide(httpx.BaseTransport):
    """One az process; requests go out from where it is, too."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path, bootstrap: Mapping[str, str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._asking: IO[str] = process.stdin
        self._answering: IO[str] = process.stdout
        self.folder = folder
        self.bootstrap = bootstrap

    def az(self, *words: str) -> Told:
        return Told(**self._ask({"az": [*words, "--output", "json"]}))

    def table(self, group: str) -> list[str]:
        """The names of the group's commands, as az has them."""
        return self._ask({"table": group})

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name != "accept-encoding"}
        body = base64.b64encode(request.read()).decode()
        asked = {"method": request.method, "url": str(request.url), "headers": headers, "body": body}
        told = self._ask({"http": asked})
        # What is in the body was decoded on the way.
        kept = {name: value for name, value in told["headers"].items() if name.lower() != "content-encoding"}
        return httpx.Response(told["status"], headers=kept, content=base64.b64decode(told["body"]))

    def data_plane(self) -> httpx.Client:
        """Of the default registry, as its owner."""
        user = (self.bootstrap["clientId"], self.bootstrap["clientSecret"])
        return httpx.Client(
            base_url=f"https://{self.bootstrap['loginServer']}", transport=self, auth=user, headers=ACCEPTED
        )

    def arm(self) -> httpx.Client:
        """The management API where the registries are, as the owner."""
        tenant, endpoint = self.bootstrap["tenantId"], self.bootstrap["endpoint"]
        form = {
            "grant_type": "client_credentials",
            "client_id": self.bootstrap["clientId"],
            "client_secret": self.bootstrap["clientSecret"],
            "scope": "https://management.azure.com/.default",
        }
        with httpx.Client(base_url=endpoint, transport=self) as http:
            token = http.post(f"/{tenant}/oauth2/v2.0/token", data=form).json()["access_token"]
        group = f"/subscriptions/{self.bootstrap['subscriptionId']}/resourceGroups/{self.bootstrap['resourceGroup']}"
        return httpx.Client(
            base_url=f"{endpoint}{group}/providers/Microsoft.ContainerRegistry/registries/",
            transport=self,
            headers={"Authorization": f"Bearer {token}"},
            params={"api-version": "2026-09-01-preview"},
        )

    def _ask(self, asked: Mapping[str, Any]) -> Any:  # noqa: ANN401  JSON
        self._asking.write(json.dumps(asked) + "\n")
        self._asking.flush()
        answer = self._answering.readline()
        assert answer, "az's process has ended"
        return json.loads(answer)


@contextmanager
def guided(server: Registry, shell: Shell) -> Iterator[Guide]:
    """az, signed in as the owner, in a process of its own that runs where the shell runs things."""
    programs = shell.folder / "programs"
    programs.mkdir()
    for name in ("docker", "helm"):
        (programs / name).write_text(PROGRAM.format(folder=shell.folder))
        (programs / name).chmod(0o755)
    chosen = {"DOCKER_COMMAND": str(programs / "docker"), "PATH": f"{programs}:{shell.environment['PATH']}"}
    environment = {**shell.environment, **environment_of(server, shell), **chosen}
    bootstrap = json.loads((server.data_dir / "bootstrap.json").read_text(encoding="utf-8"))
    with (shell.folder / "driver.log").open("wb") as log:
        process = subprocess.Popen(
            [*shell.prefix, str(PYTHON), str(DRIVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            cwd=shell.folder,
            text=True,
        )
        try:
            guide = Guide(process, shell.folder, bootstrap)
            _sign_in(guide, server)
            yield guide
        finally:
            process.kill()
            process.wait()


def _sign_in(guide: Guide, server: Registry) -> None:
    for words in (
        ("cloud", "register", "--name", CLOUD, "--endpoint-resource-manager", server.endpoint),
        ("cloud", "set", "--name", CLOUD),
        (
            *("login", "--service-principal", "--username", server.user, f"--password={server.password}"),
            *("--tenant", guide.bootstrap["tenantId"]),
        ),
    ):
        told = guide.az(*words)
        assert told.code == 0, told
