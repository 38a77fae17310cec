"""Volumes of a run: exactly the bytes that the task says, for containers and for the builder's client.

The client is no container and sees no volumes: it finds the files in a folder below HOME. Containers get a named
volume, filled through a container that never runs, of an image that holds nothing: no shell and no here-document comes
near a secret (ACR-TASKS 1.4 tells what ACR's engine does).
"""

import base64
import shlex
from collections.abc import Sequence
from typing import Final

from entrepot.tasks.engines.model import TimedOut
from entrepot.tasks.execution.calls import Calls, How, Words
from entrepot.tasks.execution.commands import VOLUMES, volume_of
from entrepot.tasks.execution.failures import RunFailed, timed_out
from entrepot.tasks.execution.model import Limits
from entrepot.tasks.execution.preparing import required
from entrepot.tasks.language.model import Step, Volume

_EMPTY: Final = b"FROM scratch\nLABEL entrepot.purpose=volume\n"
_FILES: Final = "/files"
_FAILURE: Final = "failed to make volumes"


def fill_volumes(calls: Calls, volumes: Sequence[Volume], steps: Sequence[Step], limits: Limits, name: str) -> None:
    """Those that a step mounts. ``name``: not used by another run on the engine. Raises RunFailed."""
    mounted = {mount.name for step in steps for mount in step.volume_mounts}
    used = [volume for volume in volumes if volume.name in mounted]
    for volume in used:
        for file, value in volume.secret.items():
            calls.write(f"{VOLUMES}/{volume.name}/{file}", base64.b64decode(value))
    if used:
        _make_readable(calls, limits)
    in_containers = {mount.name for step in steps if step.cmd for mount in step.volume_mounts}
    _fill_all(calls, [volume.name for volume in used if volume.name in in_containers], limits, name)
    for volume in used:
        calls.log.say(f"Volume source {volume.name} successfully created")


def _make_readable(calls: Calls, limits: Limits) -> None:
    """A container's user may be another than the one that the files belong to."""
    line, words = f"chmod -R a+rX {shlex.quote(VOLUMES)}", Words()
    try:
        code = calls.shell(line, How(words, limits.setup))
    except TimedOut:
        raise RunFailed(f"{_FAILURE}: {timed_out('its', limits.setup)}") from None
    if code:
        raise RunFailed(f"{_FAILURE}: {words.text}")


def _fill_all(calls: Calls, volumes: Sequence[str], limits: Limits, name: str) -> None:
    if not volumes:
        return
    image = f"entrepot-empty:{name}"
    required(calls, ["build", "--quiet", "--tag", image, "-"], _FAILURE, limits, _EMPTY)
    for volume in volumes:
        container = f"acb_volume_{volume}"
        create = ["create", "--name", container, "--volume", f"{volume_of(volume)}:{_FILES}", image, "none"]
        required(calls, create, _FAILURE, limits)
        required(calls, ["cp", f"{VOLUMES}/{volume}/.", f"{container}:{_FILES}"], _FAILURE, limits)
        calls.machine.remove(container)
    required(calls, ["image", "rm", "--", image], _FAILURE, limits)
