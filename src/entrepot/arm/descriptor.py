"""What a resource type is, as data: from it come routes, checks of bodies, errors and the OpenAPI document.

Handlers are plain functions of an open transaction and an ``Ask``. Each answers documents, msgspec structs in the shape
of their JSON; what may be written of one is a struct of its own, so a member that stands only in the document is
read-only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from entrepot.access.directory_tokens import Assertion
from entrepot.access.sealing import Sealer
from entrepot.access.vaults import Vaults
from entrepot.jobs.wake import Jobs

PAGE_LIMIT: Final = 500


class Document(Protocol):
    """What every resource shows. ``id`` ends with the name."""

    @property
    def id(self) -> str: ...


D = TypeVar("D", bound=Document)
B = TypeVar("B")


def name_of(document: Document) -> str:
    """The last part of the id, in lower case."""
    return document.id.rpartition("/")[2].lower()


@dataclass(frozen=True, slots=True)
class Page:
    """The next ``limit`` documents whose names, in lower case, come after ``after``; or what else the list goes by.

    ``name`` and ``location``: no others are wanted, in whatever case. A list may pass that by where it is short.
    """

    after: str = ""
    limit: int = PAGE_LIMIT
    name: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Going(Generic[D]):
    """What a handler answers when work goes on after it: the operation's id, and the document as it is meanwhile."""

    operation: str
    document: D | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """What a handler is asked: on which resource, by whom, when.

    ``template``: the path of its row. ``params``: those of the path, decoded, as the client wrote them. ``id``: the
    template with them in it.
    ``filter``: the text of ``$filter``, and ``select`` of ``$select``. ``login_server``: a registry's, by its name.
    ``origin``: of addresses that the caller is told.
    """

    template: str
    id: str
    params: Mapping[str, str]
    filter: str | None
    select: str | None
    caller: Assertion
    now: datetime
    new_id: Callable[[], str]
    login_server: Callable[[str], str]
    origin: str
    deployment: "Deployment"

    def __getitem__(self, name: str) -> str:
        return self.params[name]


@dataclass(frozen=True, slots=True)
class Listing(Generic[D]):
    """A collection. ``scope``: the resource on which the right to read is a right to read all of it; whoever has it not
    sees what it may read one by one. None: the rows are those that the caller may see. ``reading``: the operation that
    reads one of its documents, where it is not the one of the type. ``order``: what it is ordered by, each once.
    ``top_is_all``: ``$top`` says how many are wanted in all, not on a page.
    """

    path: str
    scope: str | None
    rows: Callable[[Connection, Ask, Page], Sequence[D]]
    reading: Callable[[D], str] | None = None
    order: Callable[[D], str] = name_of
    top_is_all: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to a resource, or to what is above it. ``body`` None: whatever is sent does not matter; may be a
    union of tagged structs.

    ``answer`` None: nothing is shown. ``writes``: it changes something or hands out a secret, so it is written down.
    ``is_long``: it answers ``Going``. ``refuses``: always, as its feature does not exist yet.
    """

    path: str
    scope: str
    operation: str
    does: Callable[[Connection, Ask, Any], Any]  # its own body in, its own answer out
    body: type[Any] | None = None
    answer: type[Any] | None = None
    writes: bool = False
    is_long: bool = False
    method: str = "POST"
    refuses: bool = False


def nothing(_tx: Connection, _ask: Ask) -> None:
    """Of a type that is only listed, or of which there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType(Generic[D, B]):
    """One resource type; its ``name`` is ``PROVIDER/TYPE``.

    ``paths``: templates of one resource's id; an extension of other resources has one for each kind of them.
    ``parents``: what must be there before, each for the paths below its own. ``open_to``: why everybody of the
    directory may read it, if they may. ``put`` and ``patch`` get the body and what is there now; a patch is merged
    into that before, and the elements of lists that are ``by_name`` by theirs. A deletion that takes longer than a
    request may answers ``Going``. ``created``: what a PUT of a new one answers; ``absent``: a DELETE of none.
    ``why_none``: a sentence that a 404 ends with.
    """

    name: str
    paths: tuple[str, ...]
    versions: tuple[str, ...]
    document: type[D]
    get: Callable[[Connection, Ask], D | None] = nothing
    body: type[B] | None = None
    lists: tuple[Listing[D], ...] = ()
    put: Callable[[Connection, Ask, B, D | None], D] | None = None
    patch: Callable[[Connection, Ask, B, D], D] | None = None
    by_name: tuple[str, ...] = ()
    delete: Callable[[Connection, Ask, D], D | Going[D] | None] | None = None
    acts: tuple[Act, ...] = ()
    parents: "tuple[AnyResource, ...]" = ()
    open_to: str | None = None
    not_found: str = "ResourceNotFound"
    why_none: str = ""
    created: HTTPStatus = HTTPStatus.CREATED
    absent: HTTPStatus = HTTPStatus.NO_CONTENT

    @property
    def provider(self) -> str:
        return self.name.partition("/")[0]

    def operation(self, verb: str) -> str:
        """``Microsoft.ContainerRegistry/registries/read``."""
        return f"{self.name}/{verb}"


# A table holds types with documents of their own; each handler gets the one of its type.
AnyResource = ResourceType[Any, Any]


class ManagedIdentity(NamedTuple):
    """One of the directory."""

    id: str
    client_id: str


@dataclass(frozen=True, slots=True)
class Identities:
    """Managed identities of the directory.

    ``make``: one of this name, which goes with a registry (its row). ``find``: the one of a name. ``remove``: one by
    its id, with its roles.
    """

    make: Callable[[Connection, Ask, str, int], ManagedIdentity]
    find: Callable[[Connection, Ask, str], ManagedIdentity | None]
    remove: Callable[[Connection, str], None]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What handlers need of the deployment.

    ``region`` and ``tier_limits``: as its settings say. ``locations``: names that mean the same place, with what people
    read.
    """

    resources: tuple[AnyResource, ...]
    region: str
    locations: Mapping[str, str]
    sealer: Sealer
    jobs: Jobs
    identities: Identities
    idle_seconds: float
    tier_limits: tuple[str, ...] = ()
    vaults: Vaults = field(default_factory=lambda: Vaults({}))
