"""The last step of an import: the image gets its tags, all of them or none."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from entrepot.catalog.manifests.commit import Sparse, commit_manifest
from entrepot.catalog.model import Change, Push
from entrepot.errors import Kind, Problem
from entrepot.oci.platform import Platform
from entrepot.registries.imports import queries
from entrepot.registries.imports.model import Plan
from entrepot.remote.copies.model import Found


@dataclass(frozen=True, slots=True)
class Making:
    """When, and ids for events."""

    now: datetime
    new_id: Callable[[], str]


def expect_free(tx: Connection, operation: str, plan: Plan, digest: str | None) -> None:
    """Raises RESOURCE_EXISTS for a target tag that is there and names anything but this digest. In ACR's words."""
    for place in plan.places():
        for name, named in queries.tags_taken(tx, place, plan.targets[place.repository]).items():
            if named != digest:
                reason = (
                    f"Operation {operation} failed. Resource {plan.resource_id} Tag {place.repository}:{name} already "
                    "exists in target registry."
                )
                raise Problem(Kind.RESOURCE_EXISTS, reason=reason)


def land(tx: Connection, operation: str, root: Found | None, platform: Platform, making: Making) -> None:
    """Commit the image under every target, with an event for each tag. Nothing happens to an import that has ended.

    Raises LOCKED, RESOURCE_EXISTS, and what ``commit_manifest`` raises.
    """
    row = queries.find_import(tx, operation)
    if row is None or root is None:
        return
    plan = Plan.read(row.plan)
    if not plan.force:
        expect_free(tx, operation, plan, str(root.digest))
    for place in plan.places():
        for tags in [(tag,) for tag in plan.tags(place)] or [()]:
            change = Change(plan.principal, making.now, making.new_id(), plan.origin)
            commit_manifest(tx, Push(place, root.manifest, root.digest, tags, platform, change), Sparse.REFUSED)
    queries.delete_import(tx, operation)
