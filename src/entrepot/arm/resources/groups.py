"""Resource groups: named places for resources. One is deleted when nothing is in it any more."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Ask, Listing, Page, ResourceType
from entrepot.arm.locations import parse_location
from entrepot.arm.resources import queries
from entrepot.arm.resources.queries import GroupRow
from entrepot.arm.resources.subscriptions import SUBSCRIPTIONS
from entrepot.arm.tags import expect_tags
from entrepot.arm.versions import RESOURCES
from entrepot.errors import Kind, Problem

# Spec: "Naming rules and restrictions for Azure resources", resourceGroups.
_NAME: Final = re.compile(r"[-\w.()]{0,89}[-\w()]", re.ASCII)


class GroupState(msgspec.Struct, rename="camel"):
    provisioning_state: str = "Succeeded"


class GroupDocument(msgspec.Struct):
    id: str
    name: str
    location: str
    tags: dict[str, str]
    type: str = "Microsoft.Resources/resourceGroups"
    properties: GroupState = msgspec.field(default_factory=GroupState)


class GroupBody(msgspec.Struct):
    location: str
    tags: dict[str, str] = {}


def find_group(tx: Connection, ask: Ask) -> GroupDocument | None:
    row = queries.find_group(tx, ask["subscription"], ask["group"])
    return None if row is None else _document(row)


def _groups(tx: Connection, ask: Ask, page: Page) -> Sequence[GroupDocument]:
    return [_document(row) for row in queries.groups(tx, ask["subscription"], page)]


def _document(row: GroupRow) -> GroupDocument:
    return GroupDocument(
        f"/subscriptions/{row.subscription_id}/resourceGroups/{row.name}", row.name, row.location, row.tags
    )


def _write(tx: Connection, ask: Ask, body: GroupBody, current: GroupDocument | None) -> GroupDocument:
    """A group stays where it was made. Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS."""
    location = parse_location(body.location, ask.deployment.locations)
    expect_tags(body.tags)
    subscription, name = ask["subscription"], ask["group"]
    if current is None:
        if _NAME.fullmatch(name) is None:
            reason = "It has 1 to 90 letters, digits, hyphens, underscores, periods and brackets, no period last."
            raise Problem(Kind.NAME_INVALID, code="InvalidResourceGroup", name=name, reason=reason)
        queries.hold_subscription(tx, subscription)
        if find_group(tx, ask) is None:
            queries.insert_group(tx, subscription, name, location, body.tags)
    elif current.location != location:
        reason = f"The group is in '{current.location}': where a group is cannot be changed."
        raise Problem(Kind.RESOURCE_EXISTS, code="InvalidResourceGroupLocation", reason=reason)
    row = queries.find_group(tx, subscription, name)
    assert row is not None  # noqa: S101  it was made above, or was there
    queries.update_group(tx, row.id, body.tags)
    return _document(row._replace(tags=body.tags))


def _delete(tx: Connection, ask: Ask, current: GroupDocument) -> None:
    """Raises IN_USE while something is in it."""
    queries.hold_subscription(tx, ask["subscription"])
    row = queries.find_group(tx, ask["subscription"], current.name)
    if row is None:
        return
    if not queries.is_empty_group(tx, row.id):
        reason = f"'{current.name}' still has resources. Delete them first."
        raise Problem(Kind.IN_USE, code="ResourceGroupDeletionBlocked", reason=reason)
    queries.delete_group(tx, row.id)


GROUPS: Final = ResourceType(
    name="Microsoft.Resources/subscriptions/resourceGroups",
    paths=("/subscriptions/{subscription}/resourceGroups/{group}",),
    versions=RESOURCES,
    document=GroupDocument,
    get=find_group,
    body=GroupBody,
    lists=(Listing("/subscriptions/{subscription}/resourceGroups", "/subscriptions/{subscription}", _groups),),
    put=_write,
    patch=_write,
    delete=_delete,
    parents=(SUBSCRIPTIONS,),
    not_found="ResourceGroupNotFound",
    absent=HTTPStatus.NOT_FOUND,
)
