"""A server, a Docker Engine that runs its tasks, and az, in a network of their own. It needs root."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.az.cli import Az, az_for, sign_in
from tests.e2e.clients import Shell, shell_in
from tests.e2e.docker.dockerd import Engine, dockerd
from tests.e2e.layouts import BUSYBOX, tar_of
from tests.e2e.namespaces import DOMAIN, Inside, named_server, namespaces
from tests.services import Registry

PORT = 5000
# What steps run, pushed to the registry: nothing can be pulled from elsewhere.
TOOLS = "tools/busybox:1"


@dataclass(frozen=True)
class Site:
    """``docker``: the client before the engine itself, signed in as the owner."""

    inside: Inside
    engine: Engine
    server: Registry
    az: Az
    docker: Shell

    @property
    def tools(self) -> str:
        return f"{self.server.login_server}/{TOOLS}"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    names = (DOMAIN, f"local.{DOMAIN}")
    with namespaces(folder, names) as inside, dockerd(within=inside.command, flags=()) as engine:
        # Its path has to be short: sockets of runs lie below it.
        data = engine.socket.parent / "entrepot"
        with named_server(inside, data, PORT, f"--task-engine={engine.socket}") as server:
            trust = inside.etc / "docker" / "certs.d" / server.login_server
            trust.mkdir(parents=True)
            shutil.copy(server.ca, trust / "ca.crt")
            az = az_for(server, inside.of(shell_in(folder / "az")))
            sign_in(az, server.user, server.password)
            docker = inside.of(engine.seen_from(shell_in(folder / "docker")))
            made = Site(inside, engine, server, az, docker)
            _push_tools(made)
            yield made


def _push_tools(site: Site) -> None:
    docker, server = site.docker, site.server
    login = ["docker", "login", "--username", server.user, "--password-stdin", server.login_server]
    docker.run(*login, stdin=server.password)
    applets = {f"bin/{name}": BUSYBOX.read_bytes() for name in ("sh", "echo", "cat", "sleep", "wget", "true", "false")}
    docker.run("docker", "import", "--change=ENTRYPOINT []", "-", site.tools, stdin=tar_of(applets))
    docker.run("docker", "push", site.tools)


@pytest.fixture
def az(site: Site, tmp_path: Path) -> Az:
    return site.az.elsewhere(tmp_path / "azure")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a Dockerfile."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY greeting /\n")
    (folder / "greeting").write_text(f"hello from {tmp_path.name}\n")
    return folder
