"""The real az against a server of ours, its configuration in a folder of its own (AZ-CLI-FLOWS 8)."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.e2e.clients import Shell
from tests.services import Registry

PYTHON: Final = Path(os.environ.get("ENTREPOT_CACHE", "")) / "az" / "bin" / "python"
CLOUD: Final = "entrepot"
# One at a time takes a second and a half of one core; a sign-in waits for the server as well.
PATIENCE: Final = 90.0
AT_ONCE: Final = 3


@dataclass(frozen=True)
class Az:
    """az with a configuration. ``bootstrap``: what the server's first start wrote."""

    shell: Shell
    bootstrap: dict[str, str]

    @property
    def subscription(self) -> str:
        return f"/subscriptions/{self.bootstrap['subscriptionId']}"

    @property
    def registry(self) -> str:
        """The id of the registry that the first start made."""
        return f"{self.subscription}/resourceGroups/entrepot/providers/Microsoft.ContainerRegistry/registries/local"

    def run(self, *words: str) -> str:
        """What it printed."""
        return self.shell.run(PYTHON, "-m", "azure.cli", *words, within=PATIENCE)

    def json(self, *words: str) -> Any:  # noqa: ANN401  each command has its own
        printed = self.run(*words, "--output", "json")
        return json.loads(printed) if printed.strip() else None

    def refused(self, *words: str) -> str:
        return self.shell.refused(PYTHON, "-m", "azure.cli", *words, within=PATIENCE)

    def at_once(self, *commands: tuple[str, ...]) -> list[Any]:
        """Commands that need nothing of each other, each with its answer."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda words: self.json(*words), commands))

    def elsewhere(self, folder: Path) -> "Az":
        """The same sign-in in another folder, which what is done there does not touch."""
        shutil.copytree(self.shell.environment["AZURE_CONFIG_DIR"], folder)
        return Az(self.shell.having(AZURE_CONFIG_DIR=str(folder)), self.bootstrap)


def environment_of(server: Registry, shell: Shell) -> dict[str, str]:
    """What az is to know: its folder, the server's CA, and that it asks nobody else."""
    return {
        "AZURE_CONFIG_DIR": str(shell.folder / "azure"),
        "REQUESTS_CA_BUNDLE": str(server.ca),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_CORE_LOGIN_EXPERIENCE_V2": "off",
        "AZURE_CORE_ONLY_SHOW_ERRORS": "yes",
        "AZURE_CORE_SURVEY_MESSAGE": "no",
        "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
        "NO_PROXY": "localhost,127.0.0.1",
    }


def az_for(server: Registry, shell: Shell) -> Az:
    """It knows the cloud by its metadata, and nobody has signed in."""
    bootstrap = json.loads((server.data_dir / "bootstrap.json").read_text(encoding="utf-8"))
    az = Az(shell.having(**environment_of(server, shell)), bootstrap)
    az.run("cloud", "register", "--name", CLOUD, "--endpoint-resource-manager", server.endpoint)
    az.run("cloud", "set", "--name", CLOUD)
    return az


def sign_in(az: Az, user: str, secret: str, *more: str) -> Any:  # noqa: ANN401  the subscriptions
    """As a service principal."""
    who = ("--username", user, f"--password={secret}", "--tenant", az.bootstrap["tenantId"])  # one may begin with "-"
    return az.json("login", "--service-principal", *who, *more)
