"""What ``entrepot check --engine`` says of an engine, in words for whoever operates it."""

from pathlib import Path

import pytest

from entrepot.tasks.engines.docker.api import Api
from entrepot.tasks.engines.docker.engine import DockerEngine
from entrepot.tasks.engines.docker.image import Programs
from entrepot.tasks.engines.docker.proxy.model import Flavor
from entrepot.tasks.engines.docker.report import report
from entrepot.tasks.engines.docker.rights import Rights
from entrepot.tasks.engines.docker.site import Site

NOWHERE = Path("/nonexistent")
PLUGIN = NOWHERE / "docker-buildx"


def told(programs: Programs, **site: object) -> list[str]:
    """Of an engine that is not asked anything: what it is was found out before."""
    of_engine = Site(Api(NOWHERE), "image", "closed", "deployment", **site)  # type: ignore[arg-type]  its members
    return list(report(DockerEngine("28.2", NOWHERE, of_engine), programs))


def client(folder: Path, options: str) -> Path:
    """What tells of these options of its builds, in the place of a docker client of another version."""
    made = folder / "client"
    made.write_text(f"#!/bin/sh\n[ \"$DOCKER_BUILDKIT $*\" = '1 build --help' ] && echo '{options}'\n")
    made.chmod(0o755)
    return made


def test_an_engine_is_named_with_its_version_and_its_rights(tmp_path: Path) -> None:
    lines = told(Programs(client=client(tmp_path, "")), grpc=True)
    assert lines[0] == "engine: docker 28.2"
    assert lines[2].startswith("rights: root: whoever breaks out of a container is root")


@pytest.mark.parametrize(
    ("grpc", "buildx", "options", "builder"),
    [
        (True, PLUGIN, "", "BuildKit, through buildx"),
        (True, None, "--secret", "BuildKit, through /build"),
        (False, PLUGIN, "--secret", "BuildKit, through /build"),
        (True, None, "--tag", "the classic one: BuildKit needs the plugin buildx of the docker client"),
        (False, PLUGIN, "--tag", "the classic one: BuildKit needs builder.entitlements in daemon.json to be off"),
    ],
)
def test_a_builder_that_is_not_buildkit_says_what_is_missing(
    tmp_path: Path, grpc: bool, buildx: Path | None, options: str, builder: str
) -> None:
    lines = told(Programs(client=client(tmp_path, options), buildx=buildx), grpc=grpc)
    assert lines[1].startswith(f"builder: {builder}")


def test_a_client_that_does_not_run_knows_no_buildkit() -> None:
    lines = told(Programs(client=NOWHERE / "docker"), grpc=True)
    assert lines[1].startswith("builder: the classic one: BuildKit needs the plugin buildx")


def test_podman_says_what_it_lacks(tmp_path: Path) -> None:
    lines = told(Programs(client=client(tmp_path, "--secret"), buildx=PLUGIN), flavor=Flavor.PODMAN)
    assert lines[:2] == [
        "engine: podman 28.2",
        "builder: buildah, podman's own; no cache in registries, no secret mounts",
    ]
    assert [line.partition(":")[0] for line in lines[2:]] == ["rights", "networks", "egress"]
    assert "egress: open alone" in lines[4]


def test_limits_that_an_engine_has_or_does_not_keep_are_told(tmp_path: Path) -> None:
    capped = ({"Name": "nofile", "Soft": 1024, "Hard": 1024},)
    rights = Rights(is_rootless=True, unbounded=("memory", "processes"))
    lines = told(Programs(client=client(tmp_path, "")), ulimits=capped, rights=rights)
    assert lines[2].startswith("rights: rootless: ")
    assert lines[3].startswith("limit: containers have 1024 (nofile), because the engine's own limits are capped")
    assert lines[4].startswith("limit: none for memory and processes of runs")
