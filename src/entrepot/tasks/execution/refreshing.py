"""Base images that the engine has already: as their registries have them now.

A machine of ACR's is new and has no images. An engine that lives on has those that earlier runs pulled, and both
builders take them without asking anybody.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from entrepot.tasks.engines.model import TimedOut
from entrepot.tasks.execution.calls import Calls, How, Words
from entrepot.tasks.execution.dependencies import look_up
from entrepot.tasks.execution.failures import exit_status
from entrepot.tasks.execution.images import ImageName
from entrepot.tasks.execution.watching import Digests

_PULLED: Final = re.compile(rb"^Digest: (sha(?:256|512):[0-9a-f]+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Refreshing:
    """``seconds``: for each look and pull. ``platform``: of the build, empty for the engine's own."""

    seconds: float
    platform: str = ""


def refresh(calls: Calls, bases: Iterable[ImageName], digests: Digests, how: Refreshing) -> None:
    """What no registry ever had was made here, and stays; so does what cannot be had now, which the log tells."""
    named = [base for base in bases if not base.digest]
    for base, digest in look_up(calls, named).items():
        if digest:
            digests.add_base(base, _pull(calls, base, how) or digest)


def _pull(calls: Calls, base: ImageName, how: Refreshing) -> str:
    """Its digest, empty where it could not be had."""
    calls.log.say(f"Looking for a newer base image: {base.reference}")
    output = Words()
    try:
        of_platform = ["--platform", how.platform] if how.platform else []
        code = calls.client(["pull", *of_platform, "--", base.reference], How(output, how.seconds))
        reason = output.text or exit_status(code)
    except TimedOut:
        code, reason = 1, f"it did not come within {how.seconds:g} seconds"
    if code:
        calls.log.say(f"The base image is used as it is here: {reason}")
        return ""
    found = _PULLED.search(output.bytes)
    return found[1].decode() if found else ""
