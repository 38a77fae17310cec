"""Lists: the filter that a run gives, with the one that keeps everybody else's out."""

from http import HTTPStatus
from typing import Final

import msgspec

from entrepot.tasks.engines.docker.proxy.model import OWN_LABEL, Asked, Refused, Run

_KNOWN: Final = frozenset(
    {
        "id",
        "status",
        "ancestor",
        "exited",
        "health",
        "label",
        "name",
        "dangling",
        "driver",
        "until",
        "type",
        "scope",
        "all",
    }
)


def own(run: Run, asked: Asked) -> tuple[str, str]:
    """The query's member: what the run asked for, of its own."""
    given = read(asked)
    given["label"] = [*given.get("label", []), f"{OWN_LABEL}={run.name}"]
    if "name" in given:
        given["name"] = [_of_the_run(run, name) for name in given["name"]]
    return "filters", msgspec.json.encode(given).decode()


def read(asked: Asked) -> dict[str, list[str]]:
    """Docker's clients write a set as a map of true; older ones as a list. Raises Refused."""
    text = asked.one("filters")
    if not text:
        return {}
    try:
        given = msgspec.json.decode(text, type=dict[str, list[str] | dict[str, bool]])
    except msgspec.MsgspecError as error:
        raise Refused(f"filters: {error}", HTTPStatus.BAD_REQUEST) from None
    for name in given:
        if name not in _KNOWN:
            raise Refused(f"a run may not filter by {name[:80]}")
    return {name: list(values) for name, values in given.items()}


def _of_the_run(run: Run, name: str) -> str:
    """A filter is a part of the name, or a pattern from its beginning."""
    if name.startswith("^"):
        return f"^/?{run.name}_{name[1:].removeprefix('/')}"
    return name.removeprefix("/")
