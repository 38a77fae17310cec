"""What can be asked about: words for the acts of the data plane, and operations by Azure's names."""

import re
from typing import Final, NamedTuple

from entrepot.access.model import REGISTRY_NAMES, Action
from entrepot.access.operations import ACTIONS, PERMITTED_BY, PROVIDER, REGISTRIES, Permitting
from entrepot.errors import Kind, Problem


class Act(NamedTuple):
    """An act of the data plane. ``action`` is None for those of features that come later, whose roles can be given."""

    word: str
    permitting: Permitting
    action: Action | None = None

    @property
    def is_on_repository(self) -> bool:
        return self.action not in REGISTRY_NAMES


def _later(word: str, classic: str, data: str) -> Act:
    return Act(word, Permitting((f"{REGISTRIES}/{classic}",), f"{REGISTRIES}/{data}", ()))


_CATALOG: Final = "catalog"
_ACTS: Final = {
    act.word: act
    for act in (
        Act("pull", PERMITTED_BY[Action.CONTENT_READ], Action.CONTENT_READ),
        Act("push", PERMITTED_BY[Action.CONTENT_WRITE], Action.CONTENT_WRITE),
        Act("delete", PERMITTED_BY[Action.CONTENT_DELETE], Action.CONTENT_DELETE),
        Act("untag", PERMITTED_BY[Action.TAG_DELETE], Action.TAG_DELETE),
        Act("metadata-read", PERMITTED_BY[Action.METADATA_READ], Action.METADATA_READ),
        Act("metadata-write", PERMITTED_BY[Action.METADATA_WRITE], Action.METADATA_WRITE),
        Act("deleted-read", PERMITTED_BY[Action.DELETED_READ], Action.DELETED_READ),
        Act("deleted-restore", PERMITTED_BY[Action.DELETED_RESTORE], Action.DELETED_RESTORE),
        Act("deleted-catalog", PERMITTED_BY[Action.DELETED_LIST], Action.DELETED_LIST),
        Act(_CATALOG, PERMITTED_BY[Action.CATALOG_LIST], Action.CATALOG_LIST),
        _later("artifact-sign", "sign/write", "trustedCollections/write"),
        _later("quarantine-read", "quarantine/read", "quarantinedArtifacts/read"),
        _later("quarantine-write", "quarantine/write", "quarantinedArtifacts/write"),
    )
}
WORDS: Final = (*_ACTS, "list")
_OPERATION: Final = re.compile(r"[a-z]+\.[a-z.]+(/[a-z0-9.]+){1,8}", re.IGNORECASE)
_LENGTH: Final = 256


def parse_act(text: str, repository: str | None) -> Act | str:
    """An act of the data plane, or the name of a management operation. Raises RESOURCE_INVALID.

    ``list`` is the catalog, or the tags where a repository is named. An operation that permits an act in either mode
    of a registry stands for that act, so that the answer is the registry's own.
    """
    word = text.strip().lower().replace("_", "-")
    if word == "list":
        word = _CATALOG if repository is None else "metadata-read"
    found: Act | str | None = _ACTS.get(word) or _operation(text.strip(), repository)
    if found is None:
        reason = f"it is one of {', '.join(WORDS)}, or an operation such as {REGISTRIES}/pull/read"
        raise Problem(Kind.RESOURCE_INVALID, target="action", reason=reason)
    if isinstance(found, Act) and found.is_on_repository and repository is None:
        raise Problem(Kind.RESOURCE_INVALID, target="repository", reason=f"name a repository for '{found.word}'")
    return found


def _operation(text: str, repository: str | None) -> Act | str | None:
    name = text.lower()
    if len(text) > _LENGTH or _OPERATION.fullmatch(text) is None:
        return None
    acts = [act for act in _ACTS.values() if name in map(str.lower, (*act.permitting.classic, act.permitting.data))]
    if repository is None:
        acts.sort(key=lambda act: act.is_on_repository)
    if acts:
        return acts[0]
    if not name.startswith(f"{PROVIDER.lower()}/"):
        return text
    return next((each for each in ACTIONS if each.lower() == name), None)
