"""What a run's containers reach of the world outside: all that the engine's machine does, or nothing.

The deployment's setting says it, and tags of the registry and of the task may say it too. Nobody opens what another
closed: a tag is for who may write tasks, and the setting is the operator's.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

TAG: Final = "entrepot.egress"


class Egress(StrEnum):
    OPEN = "open"
    NONE = "none"


class EgressUnknown(Exception):
    """What a tag says that is none of the words."""


def egress_of(setting: Egress, tags: Iterable[Mapping[str, str]]) -> Egress:
    """Raises EgressUnknown: a run whose tag nobody understands does not run open."""
    said = {setting, *(_read(each[TAG]) for each in tags if TAG in each)}
    return Egress.NONE if Egress.NONE in said else Egress.OPEN


def _read(text: str) -> Egress:
    try:
        return Egress(text)
    except ValueError:
        raise EgressUnknown(f"the tag {TAG} is {text[:80]!r}: it can be {' or '.join(Egress)}") from None
