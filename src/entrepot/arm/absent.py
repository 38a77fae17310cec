"""Resource types of features that do not exist yet: whatever writes is refused, and says what to do in its place.

There is none of any of them, so lists are empty and to ask for one is 404. A feature's type is replaced when it comes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Act, AnyResource, Ask, Listing, Page, ResourceType, nothing
from entrepot.arm.routes import expect_parents
from entrepot.errors import Kind, Problem

WRITES: Final = ("PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A type. ``feature``: what lacks, as a sentence begins with it; ``instead``: what to do meanwhile.

    ``collection``: the path of all of it; ``parents``: what it lies below, the nearest last. ``acts``: actions on one
    of it. ``of_parent``: those on what it lies below that belong to the feature.
    """

    name: str
    collection: str
    parents: tuple[AnyResource, ...]
    versions: tuple[str, ...]
    feature: str
    instead: str
    methods: tuple[str, ...] = WRITES
    acts: tuple[str, ...] = ()
    of_parent: tuple[str, ...] = ()


class AbsentDocument(msgspec.Struct):
    """What the feature will show has a form of its own."""

    id: str
    name: str


def absent_type(absent: Absent) -> ResourceType[AbsentDocument, None]:
    """The type as it is served meanwhile."""
    without_acts: ResourceType[AbsentDocument, None] = ResourceType(
        name=absent.name,
        paths=(f"{absent.collection}/{{{absent.collection.rpartition('/')[2].removesuffix('s')}}}",),
        versions=absent.versions,
        document=AbsentDocument,
        get=nothing,
        lists=(Listing(absent.collection, absent.parents[-1].paths[0], _none_of_it),),
        parents=absent.parents,
        why_none=f"{absent.feature} not available yet. Meanwhile, {absent.instead}.",
    )
    return replace(without_acts, acts=tuple(_refusals(absent, without_acts)))


def _none_of_it(tx: Connection, ask: Ask, page: Page) -> Sequence[AbsentDocument]:  # noqa: ARG001  rows have one shape
    return ()


def _refusals(absent: Absent, resource: ResourceType[AbsentDocument, None]) -> Iterator[Act]:
    def refuse(tx: Connection, ask: Ask, body: Any) -> None:  # noqa: ANN401, ARG001  whatever it is
        expect_parents(tx, resource, ask)
        raise Problem(Kind.UNSUPPORTED, reason=resource.why_none)

    refuse.__doc__ = f"Refused: {absent.feature[0].lower()}{absent.feature[1:]} not available yet."
    (one,), parent = resource.paths, absent.parents[-1]
    for method in absent.methods:
        verb = "delete" if method == "DELETE" else "write"
        yield Act(one, one, resource.operation(verb), refuse, method=method, refuses=True)
    for act in absent.acts:
        yield Act(f"{one}/{act}", one, resource.operation(f"{act}/action"), refuse, refuses=True)
    for act in absent.of_parent:
        yield Act(f"{parent.paths[0]}/{act}", parent.paths[0], parent.operation(f"{act}/action"), refuse, refuses=True)
