"""Instances of every resource type, made in the same way: what a test says of all types it says once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tests.integration.arm.described import GUEST, REGISTRY, Json, Operation, Walker, operations
from tests.management import Management
from tests.wire import Answer, Headers

from entrepot.app.management import RESOURCES
from entrepot.arm.descriptor import AnyResource

# How many of each there are; the last one alone begins with a capital letter.
COUNT = 3
GUESTS = tuple(f"{GUEST}{number}" for number in range(COUNT))
_PLACES = ("westus", "eastus2", "northeurope")


@dataclass(frozen=True)
class Kind:
    """A resource type at one kind of place: an extension of others has several."""

    resource: AnyResource
    path: str

    def __str__(self) -> str:
        """Short enough for the name of a test."""
        above = self.path.rpartition("/providers/")[0].rpartition("{")[2].rstrip("}")
        name = self.resource.name.partition("/")[2]
        return name if len(self.resource.paths) == 1 else f"{name}-of-{above or 'all'}"

    @property
    def is_made(self) -> bool:
        return self.resource.put is not None

    def has(self, method: str) -> bool:
        return getattr(self.resource, method.lower()) is not None

    @property
    def operation(self) -> Operation:
        """The one that makes it."""
        return next(each for each in operations() if (each.method, each.path) == ("PUT", self.path))


KINDS = tuple(Kind(resource, path) for resource in RESOURCES for path in resource.paths)
# Locks come last: they are in the way of others.
MADE = tuple(sorted((kind for kind in KINDS if kind.is_made), key=lambda kind: kind.resource.name.endswith("/locks")))


@dataclass(frozen=True)
class Workshop:
    """Makes instances, in a group and a registry of its own, as the owner."""

    arm: Management

    @property
    def walker(self) -> Walker:
        return Walker(self.arm)

    def asking(self, kind: Kind | AnyResource) -> Management:
        """In the newest version of the type."""
        resource = kind.resource if isinstance(kind, Kind) else kind
        return Management(self.arm.http, self.arm.subscription, resource.versions[-1])

    def params(self, template: str) -> dict[str, str]:
        """Of a path, whatever operation is there."""
        names = [part[1:-1] for part in template.split("/") if part.startswith("{")]
        return self.walker.params(Operation("GET", template, {"parameters": [_in_path(name) for name in names]}))

    def id(self, kind: Kind, number: int = 0, **elsewhere: str) -> str:
        """Of one of them. ``number``: from 0 on; beyond those that are made it is one of none."""
        params = self.params(kind.path) | elsewhere
        last = kind.path.rpartition("{")[2].rstrip("}")
        if kind.is_made:
            name = f"{last}{number}" if number < COUNT - 1 else f"{last}{number}".capitalize()
            params[last] = str(uuid5(NAMESPACE_URL, kind.path + name)) if last in {"role", "assignment"} else name
        return kind.path.format_map(params)

    def body(self, kind: Kind, number: int = 0) -> Json:
        """One that is accepted, and in no conflict with the others."""
        body: dict[str, Any] = {**self.walker.body(kind.operation)}
        match kind.resource.name.rpartition("/")[2]:
            case "roleDefinitions":
                body["properties"] = {**body["properties"], "roleName": self.id(kind, number)[-36:]}
            case "roleAssignments":
                body["properties"] = {**body["properties"], "principalId": GUESTS[number]}
            case "cacheRules":
                body["properties"] = {**body["properties"], "targetRepository": f"walkcache{number}"}
            case "replications":
                body["location"] = _PLACES[number]
            case _:
                pass
        return body

    async def make(self, kind: Kind, number: int = 0, headers: Headers | None = None) -> Answer:
        """The same again is a replacement."""
        return await self.asking(kind).put(self.id(kind, number), self.body(kind, number), headers)

    async def furnish(self) -> None:
        """What others need: the group, the registry in it, and a scope map for tokens."""
        for name, last in (("resourceGroups", "walkgroup"), ("registries", REGISTRY), ("scopeMaps", "walkscopemap")):
            kind = next(each for each in MADE if each.resource.name.endswith(f"/{name}"))
            path = kind.path.format_map(self.params(kind.path))
            assert path.endswith(last), path
            answer = await self.asking(kind).put(path, self.walker.body(kind.operation))
            assert answer.status == 201, answer.body

    async def make_all(self) -> None:
        for kind in MADE:
            for number in range(COUNT):
                answer = await self.make(kind, number)
                assert answer.status == kind.resource.created, (str(kind), answer.body)


def _in_path(name: str) -> dict[str, str]:
    return {"name": name, "in": "path"}


@contextmanager
def naming(kind: Kind) -> Iterator[None]:
    """A failure says of which type it is: a test of its own for each would take minutes."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"of {kind}")
        raise


def refused(answer: Answer, status: int) -> dict[str, Any]:
    """The error that the body tells."""
    assert answer.status == status, answer.body
    assert answer["content-type"].startswith("application/json")
    error = answer.json()["error"]
    assert all(isinstance(error[name], str) and error[name] for name in ("code", "message")), error
    return error
