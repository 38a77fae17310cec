"""What can be asked for, and by whom. A route's row names one of these; there is no default."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol


class Action(Enum):
    """What a route does to a repository or a registry (ACR-REFERENCE 5.2)."""

    CATALOG_LIST = auto()
    CONTENT_DELETE = auto()
    CONTENT_READ = auto()
    CONTENT_WRITE = auto()
    DELETED_LIST = auto()
    DELETED_READ = auto()
    DELETED_RESTORE = auto()
    METADATA_READ = auto()
    METADATA_WRITE = auto()
    TAG_DELETE = auto()


# The words of a token's access list that a challenge asks for.
ASKED: Final[dict[Action, str]] = {
    Action.CATALOG_LIST: "*",
    Action.CONTENT_DELETE: "delete",
    Action.CONTENT_READ: "pull",
    Action.CONTENT_WRITE: "pull,push",
    Action.DELETED_LIST: "*",
    Action.DELETED_READ: "deleted_read",
    Action.DELETED_RESTORE: "deleted_read,deleted_restore",
    Action.METADATA_READ: "metadata_read",
    Action.METADATA_WRITE: "metadata_write",
    Action.TAG_DELETE: "delete",
}
# The words of a token's access list that permit an action; "*" permits each.
GRANTED_BY: Final[dict[Action, frozenset[str]]] = {
    Action.CATALOG_LIST: frozenset({"*"}),
    Action.CONTENT_DELETE: frozenset({"delete", "*"}),
    Action.CONTENT_READ: frozenset({"pull", "*"}),
    Action.CONTENT_WRITE: frozenset({"push", "*"}),
    Action.DELETED_LIST: frozenset({"*"}),
    Action.DELETED_READ: frozenset({"deleted_read", "*"}),
    Action.DELETED_RESTORE: frozenset({"deleted_restore", "*"}),
    Action.METADATA_READ: frozenset({"pull", "metadata_read", "*"}),
    Action.METADATA_WRITE: frozenset({"metadata_write", "*"}),
    Action.TAG_DELETE: frozenset({"delete", "*"}),
}
# What is asked of the registry itself, and what a token calls that.
REGISTRY_NAMES: Final[dict[Action, str]] = {
    Action.CATALOG_LIST: "catalog",
    Action.DELETED_LIST: "deleted_catalog",
}
# Words that a token may hold (ACR-REFERENCE 4.3), and which action stands behind each.
REPOSITORY_WORDS: Final[dict[str, Action]] = {
    "pull": Action.CONTENT_READ,
    "push": Action.CONTENT_WRITE,
    "delete": Action.CONTENT_DELETE,
    "deleted_read": Action.DELETED_READ,
    "deleted_restore": Action.DELETED_RESTORE,
    "metadata_read": Action.METADATA_READ,
    "metadata_write": Action.METADATA_WRITE,
}


@dataclass(frozen=True, slots=True)
class Public:
    """Open to everyone; ``reason`` says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """For every known principal, whatever it may do; ``reason`` says why that is enough."""

    reason: str


@dataclass(frozen=True, slots=True)
class OwnUpload:
    """For the principal that began the upload session, even after its access token expired (DESIGN D6)."""

    action: Action = Action.CONTENT_WRITE


@dataclass(frozen=True, slots=True)
class All:
    """For who may do each of these to the repository."""

    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """A management operation by Azure's name, ``Microsoft.ContainerRegistry/registries/read``, on the resource whose id
    is ``scope`` with the route's parameters in it.
    """

    name: str
    scope: str


@dataclass(frozen=True, slots=True)
class Member:
    """For everyone of the directory, whatever they may do; ``reason`` says why that is enough."""

    reason: str


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """For whoever holds a URL that we signed, within its time: ``permission`` is a letter that it must have, r or w."""

    permission: str


Access = Action | All | Member | Operation | OwnUpload | Public | SignedIn | SignedUrl


@dataclass(frozen=True, slots=True)
class Scope:
    """One entry of a token's access list, as clients ask for it: ``type:name:action,action``."""

    type: str
    name: str
    actions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Considered:
    """One thing that a decision looked at: a role assignment, an entry of a scope map or of a token."""

    what: str
    scope: str
    """Where it was given."""
    permits: bool
    reason: str
    through: str | None = None
    """The group that it came by."""
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer and its reason. ``reason`` is for the principal itself; what was considered is for an owner's eyes."""

    allowed: bool
    permission: str
    """What it takes, in the terms in which these rights are given."""
    scope: str
    """Where it takes it."""
    considered: tuple[Considered, ...] = ()

    @property
    def reason(self) -> str:
        """A denial names the permission that is missing, and where."""
        verb = "permitted by" if self.allowed else "missing:"
        return f"{verb} {self.permission} on {self.scope}"


class Rights(Protocol):
    """What somebody may do in one registry."""

    def allow(self, action: Action, repository: str | None) -> bool:
        """Whether the action is permitted; ``repository`` is None for actions on the registry itself."""
        ...

    def explain(self, action: Action, repository: str | None) -> Decision:
        """The same answer with its reason. Not for the hot path."""
        ...


# Each is named here: a new action is nobody's until somebody decides whose it is.
_ADMIN: Final = frozenset(
    {
        Action.CATALOG_LIST,
        Action.CONTENT_DELETE,
        Action.CONTENT_READ,
        Action.CONTENT_WRITE,
        Action.DELETED_LIST,
        Action.DELETED_READ,
        Action.DELETED_RESTORE,
        Action.METADATA_READ,
        Action.METADATA_WRITE,
        Action.TAG_DELETE,
    }
)
_ANYBODY: Final = frozenset({Action.CATALOG_LIST, Action.CONTENT_READ, Action.METADATA_READ})


@dataclass(frozen=True, slots=True)
class Everything:
    """The admin account's rights: the whole data plane but signing and quarantine writing (ACR-REFERENCE 4.4)."""

    def allow(self, action: Action, repository: str | None) -> bool:  # noqa: ARG002  Rights asks for both
        return action in _ADMIN

    def explain(self, action: Action, repository: str | None) -> Decision:
        return _fixed("the admin account", action, repository, permits=action in _ADMIN)


@dataclass(frozen=True, slots=True)
class ReadEverything:
    """What anonymous pull permits (ACR-REFERENCE 4.6): read, list tags, list the catalog."""

    def allow(self, action: Action, repository: str | None) -> bool:  # noqa: ARG002  Rights asks for both
        return action in _ANYBODY

    def explain(self, action: Action, repository: str | None) -> Decision:
        return _fixed("anonymous pull", action, repository, permits=action in _ANYBODY)


@dataclass(frozen=True, slots=True)
class Nothing:
    """No rights."""

    def allow(self, action: Action, repository: str | None) -> bool:  # noqa: ARG002  Rights asks for both
        return False

    def explain(self, action: Action, repository: str | None) -> Decision:
        return Decision(allowed=False, permission=ASKED[action], scope=place_of(action, repository))


class Granted:
    """The rights that an access token lists."""

    __slots__ = ("_words",)

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self._words: dict[tuple[str, str], frozenset[str]] = {}
        for scope in scopes:
            key = (scope.type, scope.name)
            self._words[key] = self._words.get(key, frozenset()) | scope.actions

    def allow(self, action: Action, repository: str | None) -> bool:
        key = ("registry", REGISTRY_NAMES.get(action, "catalog")) if repository is None else ("repository", repository)
        words = self._words.get(key)
        return words is not None and not words.isdisjoint(GRANTED_BY[action])

    def explain(self, action: Action, repository: str | None) -> Decision:
        place = place_of(action, repository)
        considered = tuple(
            Considered(
                "the access token",
                f"{kind}:{name}",
                permits=f"{kind}:{name}" == place and not words.isdisjoint(GRANTED_BY[action]),
                reason=f"it lists {','.join(sorted(words))}",
            )
            for (kind, name), words in self._words.items()
        )
        return Decision(self.allow(action, repository), ASKED[action], place, considered)


def place_of(action: Action | None, repository: str | None) -> str:
    """What a token calls a repository, or what is asked of the registry itself."""
    return (
        f"registry:{REGISTRY_NAMES.get(action, 'catalog') if action else 'catalog'}"
        if repository is None
        else f"repository:{repository}"
    )


def _fixed(what: str, action: Action, repository: str | None, *, permits: bool) -> Decision:
    place = place_of(action, repository)
    reason = "it may do this" if permits else "it may not do this"
    return Decision(permits, ASKED[action], place, (Considered(what, "the registry", permits, reason),))


ANONYMOUS: Final = "anonymous"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. ``expired``: by a token that was good once, enough for an upload session of its own and no more.

    ``credential`` is the id of what they signed in with, ``method`` how: basic, bearer; both empty for nobody.
    """

    principal: str
    rights: Rights = field(default_factory=Nothing)
    expired: bool = False
    credential: str = ""
    method: str = ""

    @property
    def is_anonymous(self) -> bool:
        return self.principal == ANONYMOUS
