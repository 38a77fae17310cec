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
# Another registry, which a test makes.
TEAM = "teamregistry"
# What the vault "builds" has as signing-key.
SECRET = "a-key-that-signs-builds"
# What stands in for Microsoft's image of Cloud Native Buildpacks: it builds a Dockerfile.
PACK = "tools/pack:1"
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
    names = (DOMAIN, f"local.{DOMAIN}", f"{TEAM}.{DOMAIN}")
    vault = folder / "vault"
    vault.mkdir()
    (vault / ".readers").write_text("*\n")
    (vault / "signing-key").write_text(f"{SECRET}\n")
    with namespaces(folder, names) as inside, dockerd(within=_trusting(inside).command, flags=()) as engine:
        # Its path has to be short: sockets of runs lie below it.
        data = engine.socket.parent / "entrepot"
        # A git server of a test listens there, too.
        looks = ("--outbound-allow=127.0.0.1", "--task-poll-seconds=5")
        pack = f"--task-images=mcr.microsoft.com/oryx/pack:stable=local.{DOMAIN}:{PORT}/{PACK}"
        flags = (f"--task-engine={engine.socket}", f"--task-vaults=builds={vault}", pack, *looks)
        with named_server(inside, data, PORT, *flags) as server:
            for trust in _trust(inside):
                shutil.copy(server.ca, trust / "ca.crt")
            az = az_for(server, inside.of(shell_in(folder / "az")))
            sign_in(az, server.user, server.password)
            docker = inside.of(engine.seen_from(shell_in(folder / "docker")))
            made = Site(inside, engine, server, az, docker)
            _push_tools(made)
            yield made


def _trusting(inside: Inside) -> Inside:
    """BuildKit sees the folders of certificates that are there when its engine starts, and what comes into them."""
    for trust in _trust(inside):
        trust.mkdir(parents=True)
    return inside


def _trust(inside: Inside) -> list[Path]:
    return [inside.etc / "docker" / "certs.d" / f"{name}.{DOMAIN}:{PORT}" for name in ("local", TEAM)]


def _push_tools(site: Site) -> None:
    docker, server = site.docker, site.server
    login = ["docker", "login", "--username", server.user, "--password-stdin", server.login_server]
    docker.run(*login, stdin=server.password)
    applets = {
        f"bin/{name}": BUSYBOX.read_bytes() for name in ("sh", "echo", "cat", "sleep", "wget", "nc", "true", "false")
    }
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
