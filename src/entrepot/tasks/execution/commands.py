"""What is run for a step: a line for the machine's shell, or arguments for the client (ACR-TASKS 1.6, 1.7, 2.4, 4.1).

Names and paths that we put into a line are quoted. What the task's author wrote stays the shell text that it is in ACR:
the machine's shell is the author's.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from posixpath import normpath
from typing import Final

from entrepot.tasks.engines.model import HOME, HOME_VOLUME, WORKSPACE, WORKSPACE_VOLUME
from entrepot.tasks.execution.model import QuickBuild
from entrepot.tasks.language.model import Step

SOCKET: Final = "/var/run/docker.sock"
BUILDKIT: Final = "DOCKER_BUILDKIT"
# Files of secret volumes for the builder's client, which is no container and sees no volumes.
VOLUMES: Final = f"{HOME}/.entrepot/volumes"
# What the client itself reads from its environment.
_OF_CLIENT: Final = re.compile(r"PATH|HOME|LD_.*|(DOCKER|BUILDKIT|BUILDX)_.*", re.IGNORECASE)


def run_line(step: Step, exits: Mapping[str, int], handed_on: Iterable[str] = ()) -> str:
    """``exits``: exit codes of earlier steps, for ``ACR_STEP_<ID>_EXIT``. ``handed_on``: variables of the client that
    the container gets, whose values stand on no command line.
    """
    words = ["docker run"]
    words += [word for word, is_on in (("--rm", not step.keep), ("--detach", step.detach)) if is_on]
    words += [f"-p {port}" for port in step.ports]
    words += [f"--expose {port}" for port in step.expose]
    words += _option("--user", step.user)
    words += _option("--network", shlex.quote(step.network) if step.network else "")
    words += _option("--cpus", step.cpus)
    words += _option("--entrypoint", step.entry_point)
    words.append(f"--name {shlex.quote(step.id)}")
    words += [f"--volume {shlex.quote(each)}" for each in _volumes(step)]
    words.append(f"--env HOME={HOME}")
    words += [f"--env {name}" for name in handed_on]
    words += [f"--env {_exit_name(name)}={code}" for name, code in exits.items()]
    words += [f"--env {entry}" for entry in step.env]
    if not step.disable_working_directory_override:
        words.append(f"--workdir {shlex.quote(folder_of(step))}")
    return " ".join([*words, step.cmd])


def _option(name: str, value: str) -> list[str]:
    return [f"{name} {value}"] if value else []


def _volumes(step: Step) -> Iterable[str]:
    yield f"{WORKSPACE_VOLUME}:{WORKSPACE}"
    yield f"{SOCKET}:{SOCKET}"
    yield f"{HOME_VOLUME}:{HOME}"
    for mount in step.volume_mounts:
        yield f"{volume_of(mount.name)}:{mount.mount_path}"


def volume_of(name: str) -> str:
    """The engine's volume. Docker takes one letter for a drive of Windows."""
    return name if len(name) > 1 else f"{name}_"


def _exit_name(step: str) -> str:
    """Variables have letters, digits and _."""
    return f"ACR_STEP_{re.sub(r'[^A-Z0-9]', '_', step.upper())}_EXIT"


def folder_of(step: Step) -> str:
    """The working folder; one that is not absolute is below the work folder."""
    folder = step.working_directory
    return normpath(folder if folder.startswith("/") else f"{WORKSPACE}/{folder}")


def image_of(command: str) -> str:
    """What ``cmd`` runs: its first word that is no option of docker run."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return next((word for word in words if not word.startswith("-")), "")


def build_line(step: Step, text: str, cache: str) -> str:
    """``text``: what follows docker build. ``cache``: an image that is used as a cache and gets one; empty for none."""
    words = [*(["env"] if step.env else []), *step.env, "docker build"]
    return " ".join([*words, *map(shlex.quote, cache_arguments(cache)), _with_volumes(step, text)])


def cache_arguments(cache: str) -> list[str]:
    return ["--cache-from", cache, "--build-arg", "BUILDKIT_INLINE_CACHE=1", "--tag", cache] if cache else []


def _with_volumes(step: Step, text: str) -> str:
    """A path in a volume is one of the folder that holds the volume's files for the client."""
    for mount in step.volume_mounts:
        path = normpath(mount.mount_path)
        text = re.sub(rf"(?<![\w./-]){re.escape(path)}(?![\w.-])", f"{VOLUMES}/{mount.name}", text)
    return text


def is_classic(step: Step) -> bool:
    """Whether the step asks for the builder that is no BuildKit."""
    values = [value for name, _, value in (entry.partition("=") for entry in step.env) if name == BUILDKIT]
    return bool(values) and values[-1].strip("'\"") in {"0", "false"}


def quick_arguments(build: QuickBuild, images: Sequence[str]) -> list[str]:
    """For the client, in the context's folder, up to the context. ``images``: their whole names."""
    words = ["build", *(["--no-cache"] if build.no_cache else []), "--file", build.dockerfile]
    for image in images:
        words += ["--tag", image]
    for each in build.arguments:
        is_named_only = each.is_secret or each.value is None
        words += ["--build-arg", each.name if is_named_only else f"{each.name}={each.value}"]
    words += ["--target", build.target] if build.target else []
    words += ["--platform", *build.platforms] if build.platforms else []
    return words


def quick_secrets(build: QuickBuild) -> list[str]:
    """Options by which BuildKit offers secret arguments as mounts too, which keep them out of the image."""
    return [word for name in quick_environment(build) for word in ("--secret", f"id={name},env={name}")]


def quick_environment(build: QuickBuild) -> dict[str, str]:
    """Where the client finds the values of secret arguments."""
    return {each.name: each.value or "" for each in build.arguments if each.is_secret}


def unusable_secrets(build: QuickBuild) -> list[str]:
    """Secret arguments whose names would change the client."""
    return [each.name for each in build.arguments if each.is_secret and _OF_CLIENT.fullmatch(each.name)]
