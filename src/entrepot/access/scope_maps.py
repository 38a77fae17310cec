"""Scope maps: what a repository token may do in which repositories. Source: ACR-REFERENCE 5.5."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from entrepot.access.model import Action, Considered, Decision, place_of
from entrepot.access.operations import PERMITTED_BY
from entrepot.errors import Kind, Problem
from entrepot.oci.reference import REPOSITORY_NAME_LIMIT, parse_repository

ACTIONS_LIMIT: Final = 500

_VERBS: Final = ("content/read", "content/write", "content/delete", "metadata/read", "metadata/write")
_REPOSITORY: Final = re.compile(rf"repositories/(?P<name>.+)/(?P<verb>{'|'.join(_VERBS)})")
# A connected registry's messages with its parent: kept for it, and nothing on the data plane.
_GATEWAY: Final = re.compile(r"gateway/[a-zA-Z0-9]{5,50}/(?:config|message)/(?:read|write)")
_EVERY: Final = "*"
_BELOW: Final = "/*"


@dataclass(frozen=True, slots=True)
class ScopeAction:
    """An action on a repository: ``name`` is its name, ``*``, or a prefix with a final ``/*``."""

    name: str
    verb: str

    def __str__(self) -> str:
        return f"repositories/{self.name}/{self.verb}"


def parse_actions(texts: Iterable[str]) -> tuple[ScopeAction, ...]:
    """The actions on repositories of a scope map; a connected registry's own (``gateway/...``) are let through and
    left out. Raises REQUEST_INVALID, NAME_INVALID.
    """
    texts = list(texts)
    if len(texts) > ACTIONS_LIMIT:
        raise Problem(Kind.REQUEST_INVALID, reason="too many actions in one scope map", limit=ACTIONS_LIMIT)
    return tuple(_parse(text) for text in texts if _GATEWAY.fullmatch(text) is None)


def _parse(text: str) -> ScopeAction:
    found = _REPOSITORY.fullmatch(text)
    if found is None:
        raise Problem(
            Kind.REQUEST_INVALID,
            reason=f"an action is repositories/NAME/ and one of {', '.join(_VERBS)}",
            action=text[:REPOSITORY_NAME_LIMIT],
        )
    name = found["name"]
    if name != _EVERY:
        parse_repository(name.removesuffix(_BELOW))
    return ScopeAction(name, found["verb"])


@dataclass(frozen=True, slots=True)
class SystemMap:
    """A scope map that every registry has and nobody can change."""

    name: str
    description: str
    actions: tuple[str, ...]


def _everywhere(*verbs: str) -> tuple[str, ...]:
    return tuple(str(ScopeAction(_EVERY, verb)) for verb in verbs)


SYSTEM_MAPS: Final = (
    SystemMap(
        "_repositories_admin",
        "Can perform all read, write and delete operations on the registry",
        _everywhere("metadata/read", "metadata/write", "content/read", "content/write", "content/delete"),
    ),
    SystemMap("_repositories_pull", "Can pull any repository of the registry", _everywhere("content/read")),
    SystemMap(
        "_repositories_pull_metadata_read",
        "Can perform all read operations on the registry",
        _everywhere("content/read", "metadata/read"),
    ),
    SystemMap(
        "_repositories_push",
        "Can push to any repository of the registry",
        _everywhere("content/read", "content/write"),
    ),
    SystemMap(
        "_repositories_push_metadata_write",
        "Can perform all read and write operations on the registry",
        _everywhere("metadata/read", "metadata/write", "content/read", "content/write"),
    ),
)


class ScopeMapRights:
    """What a token of a scope map may do: in each repository the sum of what fits, and never the catalog."""

    def __init__(self, scope_map: str, actions: Iterable[ScopeAction]) -> None:
        self._scope_map = scope_map
        self._names: dict[str, set[str]] = {}
        for action in actions:
            self._names.setdefault(action.name, set()).add(action.verb)

    def allow(self, action: Action, repository: str | None) -> bool:
        if repository is None:
            return False
        wanted = PERMITTED_BY[action].scope_map
        return any(not self._names[name].isdisjoint(wanted) for name in self._fitting(repository))

    def explain(self, action: Action, repository: str | None) -> Decision:
        """The same answer, with each name of the scope map."""
        wanted = PERMITTED_BY[action].scope_map
        fitting: list[str] = [] if repository is None else self._fitting(repository)
        considered = tuple(
            Considered(
                f"scope map {self._scope_map}",
                f"repositories/{name}",
                permits=name in fitting and not verbs.isdisjoint(wanted),
                reason=f"it permits {', '.join(sorted(verbs))}" + ("" if name in fitting else " elsewhere"),
            )
            for name, verbs in self._names.items()
        )
        permission = " or ".join(wanted) or "what no scope map can permit"
        return Decision(
            any(found.permits for found in considered), permission, place_of(action, repository), considered
        )

    def _fitting(self, repository: str) -> list[str]:
        """Names of the scope map that the repository falls under."""
        slashes = [position for position, character in enumerate(repository) if character == "/"]
        candidates = [_EVERY, repository, *(repository[:position] + _BELOW for position in slashes)]
        return [name for name in candidates if name in self._names]
