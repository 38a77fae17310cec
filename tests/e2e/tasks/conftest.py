"""A server, a Docker Engine that runs its tasks, and az, in a network of their own. It needs root."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.az.cli import Az, az_for, sign_in
from tests.e2e.clients import ROOT, Shell, shell_in
from tests.e2e.docker.dockerd import Engine, dockerd
from tests.e2e.layouts import BUSYBOX, DOCKER_MANIFEST, tar_of
from tests.e2e.namespaces import ADDRESS, DOMAIN, Inside, named_server, namespaces
from tests.gits import Repository, make_repository
from tests.outside import Authority, authority
from tests.services import Registry, running, wait_until

PORT = 5000
# Another registry, which a test makes.
TEAM = "teamregistry"
# A registry of somebody else's, with its port, which a test starts.
HUB = f"hub.{DOMAIN}:5001"
# What the vault "builds" has as signing-key.
SECRET = "a-key-that-signs-builds"
# What is run instead of Microsoft's image of Cloud Native Buildpacks (buildpacks.py).
PACK = "tools/pack:1"
# The generator of SBOMs, which a test pushes.
SYFT = "tools/syft:1"
# What steps run, pushed to the registry: nothing can be pulled from elsewhere.
TOOLS = "tools/busybox:1"
# What is in them.
APPLETS = ("sh", "echo", "cat", "sleep", "wget", "nc", "true", "false", "yes", "head", "timeout")
# How long a run's log may get.
LOG_BYTES = 2 * 1024 * 1024
PYTHON = (sys.executable, "-m")


@dataclass(frozen=True)
class Site:
    """``docker``: the client before the engine itself, signed in as the owner. ``hub``: the CA of HUB."""

    inside: Inside
    engine: Engine
    server: Registry
    az: Az
    docker: Shell
    hub: Authority

    @property
    def tools(self) -> str:
        return f"{self.server.login_server}/{TOOLS}"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    names = (DOMAIN, f"local.{DOMAIN}", f"{TEAM}.{DOMAIN}", HUB.partition(":")[0])
    (folder / "hub").mkdir()
    hub = authority(folder / "hub", HUB.partition(":")[0])
    vault = folder / "vault"
    vault.mkdir()
    (vault / ".readers").write_text("*\n")
    (vault / "signing-key").write_text(f"{SECRET}\n")
    with namespaces(folder, names) as inside, dockerd(within=_trusting(inside).command, flags=()) as engine:
        # Its path has to be short: sockets of runs lie below it.
        data = engine.socket.parent / "entrepot"
        # A git server of a test listens there, too.
        looks = (f"--outbound-allow=127.0.0.1,{ADDRESS}", "--task-poll-seconds=5", "--task-base-image-seconds=5")
        more = (f"--outbound-ca-file={hub.ca_file}", f"--task-log-bytes={LOG_BYTES}")
        ours = f"local.{DOMAIN}:{PORT}"
        images = f"--task-images=mcr.microsoft.com/oryx/pack:stable={ours}/{PACK},sbom={ours}/{SYFT}"
        flags = (f"--task-engine={engine.socket}", f"--vaults=builds={vault}", images, *looks, *more)
        with named_server(inside, data, PORT, *flags) as server:
            for trust, ca in zip(_trust(inside), (server.ca, server.ca, hub.ca_file), strict=True):
                shutil.copy(ca, trust / "ca.crt")
            az = az_for(server, inside.of(shell_in(folder / "az")))
            sign_in(az, server.user, server.password)
            docker = inside.of(engine.seen_from(shell_in(folder / "docker")))
            made = Site(inside, engine, server, az, docker, hub)
            _push_tools(made)
            yield made


def _trusting(inside: Inside) -> Inside:
    """BuildKit sees the folders of certificates that are there when its engine starts, and what comes into them."""
    for trust in _trust(inside):
        trust.mkdir(parents=True)
    return inside


def _trust(inside: Inside) -> list[Path]:
    places = (f"local.{DOMAIN}:{PORT}", f"{TEAM}.{DOMAIN}:{PORT}", HUB)
    return [inside.etc / "docker" / "certs.d" / place for place in places]


def _push_tools(site: Site) -> None:
    docker, server = site.docker, site.server
    login = ["docker", "login", "--username", server.user, "--password-stdin", server.login_server]
    docker.run(*login, stdin=server.password)
    # docker gives folders that an archive does not name to root alone.
    folders = {"./": b"", "bin/": b""}
    applets = {f"bin/{name}": BUSYBOX.read_bytes() for name in APPLETS}
    docker.run("docker", "import", "--change=ENTRYPOINT []", "-", site.tools, stdin=tar_of(folders | applets))
    docker.run("docker", "push", site.tools)


def of_registry(site: Site, path: str) -> Any:  # noqa: ANN401  a document
    """What is below /v2/ there."""
    url = f"https://{site.server.login_server}/v2/{path}"
    signed_in = ["--user", f"{site.server.user}:{site.server.password}"]
    accepted = ["--header", f"Accept: application/vnd.oci.image.manifest.v1+json, {DOCKER_MANIFEST}, */*"]
    return json.loads(
        site.docker.run("curl", "--silent", "--fail", "--cacert", site.server.ca, *signed_in, *accepted, url)
    )


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "repositories"
    made.mkdir()
    return made


@pytest.fixture
def git_at(site: Site, folder: Path) -> Iterator[str]:
    """The address of a git server in the server's network."""
    said = folder.with_name("gitd.log")
    command = [*site.inside.command, "env", f"PYTHONPATH={ROOT}", *PYTHON, "tests.e2e.tasks.gitd", folder]
    with said.open("wb") as log, running(command, log) as process:
        wait_until(lambda: process.poll() is not None or b"\n" in said.read_bytes(), "the git server listens")
        assert process.poll() is None, said.read_text()
        yield f"http://127.0.0.1:{said.read_text().split()[0]}"


@pytest.fixture
def app(folder: Path) -> Repository:
    made = make_repository(folder / "team" / "app.git")
    made.commit("first", {"Dockerfile": "FROM scratch\nCOPY greeting /\n", "greeting": "first\n"})
    (made.bare / "config").open("a").write("[http]\n\treceivepack = true\n")
    return made


@pytest.fixture
def entrepot(site: Site, tmp_path: Path) -> Callable[..., Any]:
    """The command, signed in as the owner."""
    shell: Shell = site.inside.of(shell_in(tmp_path / "entrepot"))

    def run(*words: str | Path) -> Any:  # noqa: ANN401  each command has its own
        return json.loads(shell.run(*PYTHON, "entrepot", *words, "--registry", "local", "--output", "json"))

    shell.run(*PYTHON, "entrepot", "login", "--bootstrap", site.server.data_dir / "bootstrap.json")
    return run
