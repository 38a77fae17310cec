"""What each client does all day, said in one way: sign in, push, pull, sign out. Each row of TOOLS is a real client.

An image is named ``HOST/REPOSITORY``; every client pushes and pulls its ``v1``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.e2e.clients import Shell, podman_in
from tests.e2e.layouts import BUSYBOX, tar_of, unique
from tests.services import Registry

Words = Sequence[str | Path]
CHART: Final = "greeting"


@dataclass(frozen=True)
class Place:
    """Where a client works. ``trust``: has the CA; ``layout``: an image to push; ``socket`` and ``hosts``: of ctr."""

    shell: Shell
    server: Registry
    trust: Path
    layout: Path
    socket: Path = Path()
    hosts: Path = Path()
    user: str = ""
    password: str = ""

    def login(self, *words: str | Path) -> None:
        self.shell.run(*words, f"--username={self.user}", "--password-stdin", stdin=self.password)


@dataclass(frozen=True)
class Tool:
    """A client: the commands of each step. ``ready``: before a push. ``tries_login``: it asks the server at once."""

    name: str
    login: Callable[[Place], None]
    push: Callable[[Place, str], Words]
    pull: Callable[[Place, str], Words]
    logout: Callable[[Place], Words] | None
    ready: Callable[[Place, str], None] = lambda _place, _image: None
    is_helm: bool = False
    tries_login: bool = True
    keeps_in_docker_config: bool = True

    def __str__(self) -> str:
        return self.name


# --- docker -----------------------------------------------------------------------------------------------------------


def _docker_ready(place: Place, image: str) -> None:
    files = tar_of({"bin/busybox": BUSYBOX.read_bytes(), "content": unique()})
    place.shell.run("docker", "import", "-", f"{image}:v1", stdin=files)


DOCKER: Final = Tool(
    "docker",
    lambda place: place.login("docker", "login", place.server.login_server),
    lambda _place, image: ["docker", "push", f"{image}:v1"],
    lambda _place, image: ["docker", "pull", f"{image}:v1"],
    lambda place: ["docker", "logout", place.server.login_server],
    _docker_ready,
)

# --- podman, skopeo ---------------------------------------------------------------------------------------------------


def _podman_ready(place: Place, image: str) -> None:
    pulled = place.shell.run("podman", "pull", "--quiet", f"oci:{place.layout}:v1").strip()
    place.shell.run("podman", "tag", pulled, f"{image}:v1")


PODMAN: Final = Tool(
    "podman",
    lambda place: place.login("podman", "login", f"--cert-dir={place.trust}", place.server.login_server),
    lambda place, image: ["podman", "push", f"--cert-dir={place.trust}", f"{image}:v1"],
    lambda place, image: ["podman", "pull", f"--cert-dir={place.trust}", f"{image}:v1"],
    lambda place: ["podman", "logout", place.server.login_server],
    _podman_ready,
    keeps_in_docker_config=False,
)
SKOPEO: Final = Tool(
    "skopeo",
    lambda place: place.login("skopeo", "login", f"--cert-dir={place.trust}", place.server.login_server),
    lambda place, image: [
        *("skopeo", "copy", f"--dest-cert-dir={place.trust}"),
        *(f"oci:{place.layout}:v1", f"docker://{image}:v1"),
    ],
    lambda place, image: [
        *("skopeo", "copy", f"--src-cert-dir={place.trust}"),
        *(f"docker://{image}:v1", f"dir:{place.shell.folder / 'pulled'}"),
    ],
    lambda place: ["skopeo", "logout", place.server.login_server],
    keeps_in_docker_config=False,
)

# --- oras, crane, helm ------------------------------------------------------------------------------------------------

ORAS: Final = Tool(
    "oras",
    lambda place: place.login(
        "oras", "login", "--plain-http=false", f"--ca-file={place.server.ca}", place.server.login_server
    ),
    lambda place, image: [
        *("oras", "cp", "--to-plain-http=false", f"--to-ca-file={place.server.ca}"),
        *("--from-oci-layout", f"{place.layout}:v1", f"{image}:v1"),
    ],
    lambda place, image: [
        *("oras", "cp", "--from-plain-http=false", f"--from-ca-file={place.server.ca}", f"{image}:v1"),
        *("--to-oci-layout", f"{place.shell.folder / 'pulled'}:v1"),
    ],
    lambda place: ["oras", "logout", place.server.login_server],
)
CRANE: Final = Tool(
    "crane",
    lambda place: place.login("crane", "auth", "login", place.server.login_server),
    lambda place, image: ["crane", "push", place.layout, f"{image}:v1"],
    lambda place, image: ["crane", "pull", "--format=oci", f"{image}:v1", place.shell.folder / "pulled"],
    lambda place: ["crane", "auth", "logout", place.server.login_server],
    tries_login=False,
)


def _helm_ready(place: Place, _image: str) -> None:
    place.shell.run("helm4", "create", CHART)
    place.shell.run("helm4", "package", CHART)


HELM: Final = Tool(
    "helm",
    lambda place: place.login("helm4", "registry", "login", f"--ca-file={place.server.ca}", place.server.login_server),
    lambda place, image: ["helm4", "push", f"--ca-file={place.server.ca}", f"{CHART}-0.1.0.tgz", f"oci://{image}"],
    lambda place, image: ["helm4", "pull", f"--ca-file={place.server.ca}", f"oci://{image}/{CHART}", "--version=0.1.0"],
    lambda place: ["helm4", "registry", "logout", place.server.login_server],
    _helm_ready,
    is_helm=True,
)

# --- containerd: it keeps nothing, and is told the pair each time -----------------------------------------------------


def _ctr(place: Place, verb: str, *words: str | Path) -> list[str | Path]:
    known = [f"--user={place.user}:{place.password}"] if place.user and verb in {"pull", "push"} else []
    where = [f"--hosts-dir={place.hosts}"] if verb in {"pull", "push"} else []
    return ["ctr", f"--address={place.socket}", "images", verb, *where, *known, *words]


def _ctr_ready(place: Place, image: str) -> None:
    archive = place.shell.folder / "image.tar"
    place.shell.run("tar", "-C", place.layout, "-cf", archive, ".")
    place.shell.run(*_ctr(place, "import", "--base-name", image, archive))


CTR: Final = Tool(
    "ctr",
    lambda _place: None,
    lambda place, image: _ctr(place, "push", f"{image}:v1"),
    lambda place, image: _ctr(place, "pull", f"{image}:v1"),
    None,
    _ctr_ready,
    tries_login=False,
    keeps_in_docker_config=False,
)

TOOLS: Final = (DOCKER, PODMAN, SKOPEO, ORAS, CRANE, HELM, CTR)


def made_ready(tool: Tool, shell: Shell) -> Shell:
    """For podman a file of sign-ins, which must be there once it is named."""
    if tool is not PODMAN:
        return shell
    Path(shell.environment["REGISTRY_AUTH_FILE"]).write_text("{}")
    return podman_in(shell)


# --- a credential helper ----------------------------------------------------------------------------------------------

KEEPER: Final = """#!/bin/sh
# docker-credential-keeper: keeps one pair in a file. Protocol: github.com/docker/docker-credential-helpers
case $1 in
store) cat >"$KEEPER_FILE" ;;
get)
	cat >/dev/null
	[ -e "$KEEPER_FILE" ] || { echo "credentials not found in native keychain"; exit 1; }
	cat "$KEEPER_FILE"
	;;
erase) cat >/dev/null; rm -f "$KEEPER_FILE" ;;
list) echo '{}' ;;
esac
"""


def with_keeper(tool: Tool, shell: Shell, login_server: str) -> Shell:
    """The client's configuration names a helper, so it keeps no secret itself."""
    programs = shell.folder / "programs"
    programs.mkdir()
    (programs / "docker-credential-keeper").write_text(KEEPER)
    (programs / "docker-credential-keeper").chmod(0o755)
    in_docker = Path(shell.environment["DOCKER_CONFIG"]) / "config.json"
    file = in_docker if tool.keeps_in_docker_config else Path(shell.environment["REGISTRY_AUTH_FILE"])
    file.parent.mkdir(exist_ok=True)
    file.write_text(f'{{"credHelpers": {{"{login_server}": "keeper"}}}}')
    path = f"{programs}:{shell.environment['PATH']}"
    if tool.is_helm:  # it looks into a file of its own first
        shell = shell.having(HELM_REGISTRY_CONFIG=str(in_docker))
    return shell.having(PATH=path, KEEPER_FILE=str(shell.folder / "kept"))
