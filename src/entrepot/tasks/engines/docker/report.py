"""What an engine gives to runs, in words for whoever operates it."""

import os
import subprocess
from collections.abc import Iterator
from typing import Final

from entrepot.tasks.engines.docker.engine import DockerEngine
from entrepot.tasks.engines.docker.image import Programs
from entrepot.tasks.engines.docker.proxy.model import Flavor
from entrepot.tasks.engines.docker.rights import Rights

_SECONDS: Final = 30


def report(engine: DockerEngine, programs: Programs) -> Iterator[str]:
    """Line by line. ``programs``: of which its machines are made."""
    yield f"engine: {engine.name} {engine.version}"
    yield f"builder: {_builder(engine, programs)}"
    yield f"rights: {_rights(engine.site.rights)}"
    for limit in engine.site.ulimits:
        yield f"limit: containers have {limit['Hard']} ({limit['Name']}), because the engine's own limits are capped"
    if engine.site.rights.unbounded:
        yield (
            f"limit: none for {' and '.join(engine.site.rights.unbounded)} of runs: a rootless engine bounds them where"
            " the machine has cgroups v2 and its user was given the controllers (docs/concepts/task-isolation.md)"
        )
    if engine.site.flavor is Flavor.PODMAN:
        yield "networks: whether those of two runs are apart is netavark's to say (isolate; not 1.4)"
        yield "egress: open alone; podman's internal networks reach the engine's machine"


def _rights(rights: Rights) -> str:
    if rights.is_rootless:
        return "rootless: whoever breaks out of a container is the engine's user, who is not root"
    return "root: whoever breaks out of a container is root, unless the engine maps its users (userns-remap)"


def _builder(engine: DockerEngine, programs: Programs) -> str:
    if engine.site.flavor is Flavor.PODMAN:
        return "buildah, podman's own; no cache in registries, no secret mounts"
    if engine.site.grpc and programs.buildx is not None:
        return "BuildKit, through buildx"
    if _knows_buildkit(programs):
        return "BuildKit, through /build"
    if not engine.site.grpc:
        return (
            "the classic one: BuildKit needs builder.entitlements in daemon.json to be off"
            " (docs/concepts/task-isolation.md)"
        )
    return "the classic one: BuildKit needs the plugin buildx of the docker client (package docker-buildx)"


def _knows_buildkit(programs: Programs) -> bool:
    """Without a plugin: clients up to 20.10 do."""
    environment = {"PATH": os.defpath, "HOME": "/nonexistent", "DOCKER_BUILDKIT": "1"}
    command = [programs.client, "build", "--help"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False, env=environment)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and b"--secret" in done.stdout
