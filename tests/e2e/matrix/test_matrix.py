"""Every client signs in with every kind of credential: it pushes and pulls what it may, is told what it may not, and
after it has signed out it pulls no more.

A client's tests run in one worker, those of other clients beside it.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from tests.e2e import containerd as daemon
from tests.e2e.clients import Shell, certificates_of, shell_in
from tests.e2e.docker.dockerd import Engine, dockerd
from tests.e2e.layouts import Layout
from tests.e2e.matrix.credentials import KINDS, READS, Issuer, Kind
from tests.e2e.matrix.tools import CTR, DOCKER, SKOPEO, TOOLS, Place, Tool, Words, made_ready, with_keeper
from tests.services import Registry

pytestmark = pytest.mark.timeout(300)

PREFIX = "matrix"
# What clients make of a 401 whose challenge says insufficient_scope, or asks to sign in.
NOT_ALLOWED = re.compile(
    r"unauthorized|denied|authentication required|authorization failed|basic credential not found|401|403",
    re.IGNORECASE,
)

# docker retries a push for a minute unless the refusal reads as one that will not change.
AT_ONCE = 60

PlaceOf = Callable[..., Place]


BY_CLIENT = [pytest.param(tool, id=tool.name, marks=pytest.mark.xdist_group(f"matrix-{tool}")) for tool in TOOLS]


# As ctr keeps no credentials, it has none of a helper's.
PAIRS = [
    pytest.param(tool, kind, id=f"{tool}-{kind}", marks=pytest.mark.xdist_group(f"matrix-{tool}"))
    for tool in TOOLS
    for kind in KINDS
    if not (kind.by_helper and tool is CTR)
]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with dockerd() as started:
        yield started


@pytest.fixture(scope="session")
def containerd() -> Iterator[Path]:
    with daemon.containerd() as socket:
        yield socket


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout = Layout(tmp_path_factory.mktemp("image") / "layout")
    layout.tagged("v1", layout.runnable())
    return layout.folder


@pytest.fixture(scope="session")
def issuer(server: Registry) -> Issuer:
    return Issuer(server, PREFIX)


@pytest.fixture
def place_of(request: pytest.FixtureRequest, tmp_path: Path, image_folder: Path) -> PlaceOf:
    """Where a client works on a server, signed in by nobody."""

    def make(tool: Tool, server: Registry, name: str = "shell") -> Place:
        folder = tmp_path / name
        shell = made_ready(tool, shell_in(folder)).having(SSL_CERT_FILE=str(server.ca))
        place = Place(shell, server, certificates_of(server, folder / "trust"), image_folder)
        if tool is DOCKER:
            return replace(place, shell=request.getfixturevalue("engine").seen_from(shell))
        if tool is CTR:
            socket = request.getfixturevalue("containerd")
            return replace(place, socket=socket, hosts=daemon.hosts_for(server, folder / "hosts"))
        return place

    return make


def push_as_owner(tool: Tool, place: Place, name: str) -> str:
    """Something to pull, and ready to be pushed elsewhere; the image's name."""
    owner = replace(place, user=place.server.user, password=place.server.password)
    image = f"{place.server.login_server}/{PREFIX}/{name}-{uuid4().hex[:8]}"
    tool.ready(owner, image)
    tool.login(owner)
    owner.shell.run(*tool.push(owner, image))
    return image


@pytest.mark.parametrize(("tool", "kind"), PAIRS)
def test_a_client_does_what_its_credential_may_and_nothing_after_it_has_signed_out(
    tool: Tool, kind: Kind, place_of: PlaceOf, server: Registry, issuer: Issuer
) -> None:
    place = place_of(tool, server)
    if kind.by_helper:
        place = replace(place, shell=with_keeper(tool, place.shell, server.login_server))
    user, password = kind.pair(issuer)
    mine = replace(place, user=user, password=password)
    image = f"{server.login_server}/{PREFIX}/{tool}-{uuid4().hex[:8]}"
    if kind.pushes:
        tool.ready(mine, image)
        tool.login(mine)
        mine.shell.run(*tool.push(mine, image))
    else:
        image = push_as_owner(tool, place_of(tool, server, "owners"), tool.name)
        tool.ready(mine, f"{image}-mine")
        tool.login(mine)
        expect_refusal(mine.shell, tool.push(mine, f"{image}-mine"))
    if kind.by_helper:
        assert password in (mine.shell.folder / "kept").read_text()
        assert password not in configuration(mine.shell)
    mine.shell.run(*tool.pull(mine, image))
    if tool.logout is not None:
        mine.shell.run(*tool.logout(mine))
        assert password not in configuration(mine.shell)
        assert not (mine.shell.folder / "kept").exists()
        expect_refusal(mine.shell, tool.pull(mine, image))


@pytest.mark.parametrize("tool", BY_CLIENT)
def test_a_client_that_nobody_signed_in_pulls_where_everybody_may_and_pushes_nowhere(
    tool: Tool, place_of: PlaceOf, public: Registry
) -> None:
    image = push_as_owner(tool, place_of(tool, public, "owners"), tool.name)
    nobody = place_of(tool, public)
    tool.ready(nobody, f"{image}-mine")
    nobody.shell.run(*tool.pull(nobody, image))
    expect_refusal(nobody.shell, tool.push(nobody, f"{image}-mine"))


@pytest.mark.parametrize("tool", BY_CLIENT)
def test_a_client_is_told_that_a_password_is_wrong(tool: Tool, place_of: PlaceOf, server: Registry) -> None:
    place = replace(place_of(tool, server), user=server.user, password="wrong")
    if not tool.tries_login:
        tool.login(place)
        expect_refusal(place.shell, tool.pull(place, f"{server.login_server}/{PREFIX}/any"))
        return
    with pytest.raises(AssertionError, match=r"(?i)unauthorized|401|invalid username/password"):
        tool.login(place)


@pytest.mark.xdist_group("matrix-skopeo")
def test_a_pull_secret_of_kubernetes_holds_a_repository_token(
    place_of: PlaceOf, server: Registry, issuer: Issuer
) -> None:
    """The document that ``kubectl create secret docker-registry`` makes; the kubelet reads it as docker's."""
    image = push_as_owner(SKOPEO, place_of(SKOPEO, server, "owners"), "kubelet")
    user, password = issuer.repository_token(READS)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    document = {"auths": {server.login_server: {"username": user, "password": password, "auth": auth}}}
    kubelet = place_of(SKOPEO, server)
    Path(kubelet.shell.environment["REGISTRY_AUTH_FILE"]).write_text(json.dumps(document))
    kubelet.shell.run(*SKOPEO.pull(kubelet, image))
    expect_refusal(kubelet.shell, SKOPEO.push(kubelet, f"{image}-mine"))


def expect_refusal(shell: Shell, command: Words) -> None:
    said = shell.refused(*command, within=AT_ONCE)
    assert NOT_ALLOWED.search(said), said


def configuration(shell: Shell) -> str:
    """What clients keep in the home of the test."""
    home = Path(shell.environment["HOME"])
    return "\n".join(file.read_text(errors="replace") for file in home.rglob("*.json"))
