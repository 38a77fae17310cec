"""People, service principals and groups, by themselves and together. Spec: Microsoft Graph, directoryObject."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.arm.descriptor import Page
from entrepot.arm.filters import Term, any_equals, equals, starts_with
from entrepot.errors import Kind as Failure
from entrepot.errors import Problem
from entrepot.identities import applications, groups, people
from entrepot.identities import queries as directory
from entrepot.identities.graph import queries
from entrepot.identities.graph.kit import Asked, Rows, missing
from entrepot.identities.graph.model import ODATA_TYPES, GroupSettings, ObjectDocument, document_of
from entrepot.identities.model import Kind, Principal, Type

_IDS_LIMIT: Final = 1000
_NAMES: Final = {
    "id eq": equals("id"),
    "displayName eq": equals("displayName"),
    "startswith(displayName)": starts_with("displayName"),
}
USER_FILTERS: Final = {
    **_NAMES,
    "userPrincipalName eq": equals("userPrincipalName"),
    "startswith(userPrincipalName)": starts_with("userPrincipalName"),
    "mail eq": equals("mail"),
}
GROUP_FILTERS: Final = {**_NAMES, "mailNickname eq": equals("mailNickname")}
SERVICE_PRINCIPAL_FILTERS: Final = {
    **_NAMES,
    "appId eq": equals("appId"),
    "servicePrincipalNames/any": any_equals("servicePrincipalNames"),
}


def rows_of(kind: Kind, what: str) -> Rows:
    """A list of everybody of this kind."""

    def rows(tx: Connection, asked: Asked, terms: tuple[Term, ...], page: Page) -> Sequence[ObjectDocument]:
        found = queries.principals(tx, asked.tenant, kind, terms, (page.after, page.limit))
        return _documents(tx, found)

    rows.__doc__ = what
    return rows


def _documents(tx: Connection, found: Sequence[Principal]) -> list[ObjectDocument]:
    known = queries.applications_of(tx, [each.id for each in found if each.kind == Kind.SERVICE_PRINCIPAL])
    return [document_of(each, known.get(each.id)) for each in found]


def find_principal(tx: Connection, asked: Asked, wanted: str, *kinds: Kind) -> Principal:
    """Raises RESOURCE_UNKNOWN."""
    found = directory.principal_by_id(tx, wanted.lower())
    if found is None or found.tenant_id != asked.tenant or not found.provisioned or found.kind not in kinds:
        raise missing(wanted)
    return found


def get_me(tx: Connection, asked: Asked) -> ObjectDocument:
    """The person who asks."""
    if not asked.caller.name:
        raise Problem(Failure.REQUEST_INVALID, reason="/me request is only valid with delegated authentication flow.")
    return document_of(find_principal(tx, asked, asked.caller.principal, Kind.USER))


def get_group(tx: Connection, asked: Asked) -> ObjectDocument:
    """A group."""
    return document_of(find_principal(tx, asked, asked["group"], Kind.GROUP))


class _NewGroup(msgspec.Struct, rename="camel"):
    display_name: str
    mail_nickname: str | None = None
    description: str | None = None


def create_group(tx: Connection, asked: Asked) -> ObjectDocument:
    """Make a group."""
    body = asked.body(_NewGroup)
    made = groups.add_group(tx, asked.guid(), asked.tenant, body.display_name, asked.now)
    kept = msgspec.json.encode(GroupSettings(body.mail_nickname, body.description)).decode()
    directory.update_principal(tx, made.id, attributes=kept)
    return document_of(find_principal(tx, asked, made.id, Kind.GROUP))


def delete_group(tx: Connection, asked: Asked) -> None:
    """Delete a group; its members stay."""
    people.delete(tx, find_principal(tx, asked, asked["group"], Kind.GROUP).id)


def list_members(tx: Connection, asked: Asked, terms: tuple[Term, ...], page: Page) -> Sequence[ObjectDocument]:  # noqa: ARG001  rows have one shape
    """Direct members of a group."""
    found = directory.members_of(tx, find_principal(tx, asked, asked["group"], Kind.GROUP).id)
    later = sorted((each for each in found if each.id > page.after), key=lambda each: each.id)
    return _documents(tx, later[: page.limit])


class _Reference(msgspec.Struct):
    target: str = msgspec.field(name="@odata.id")


def add_member(tx: Connection, asked: Asked) -> None:
    """Add somebody to a group."""
    group = find_principal(tx, asked, asked["group"], Kind.GROUP)
    wanted = asked.body(_Reference).target.rpartition("/")[2]
    if "\0" in wanted:
        raise missing("\\0")
    member = find_principal(tx, asked, wanted, *Kind)
    groups.add_member(tx, group.id, member.id)


def remove_member(tx: Connection, asked: Asked) -> None:
    """Take somebody out of a group."""
    group = find_principal(tx, asked, asked["group"], Kind.GROUP)
    if not groups.remove_member(tx, group.id, asked["member"].lower()):
        raise missing(asked["member"])


def get_service_principal(tx: Connection, asked: Asked) -> ObjectDocument:
    """A service principal."""
    found = find_principal(tx, asked, asked["principal"], Kind.SERVICE_PRINCIPAL)
    return document_of(found, queries.application_of(tx, found.id))


class _NewServicePrincipal(msgspec.Struct, rename="camel"):
    app_id: str


def create_service_principal(tx: Connection, asked: Asked) -> ObjectDocument:
    """Ask for the service principal of an application: from then on it can sign in."""
    client_id = asked.body(_NewServicePrincipal).app_id
    application = directory.application_by_client_id(tx, client_id.lower()) if "\0" not in client_id else None
    if application is None or application.tenant_id != asked.tenant:
        reason = f"The appId '{client_id[:64]}' of the service principal does not reference a valid application object."
        raise Problem(Failure.REQUEST_INVALID, reason=reason)
    found = directory.principal_by_id(tx, application.principal_id)
    if found is not None and found.provisioned:
        reason = f"The service principal name {client_id[:64]} is already in use."
        raise Problem(Failure.RESOURCE_EXISTS, reason=reason)
    applications.provision(tx, application.principal_id)
    return document_of(find_principal(tx, asked, application.principal_id, Kind.SERVICE_PRINCIPAL), application)


class _ServicePrincipalChange(msgspec.Struct, rename="camel"):
    account_enabled: bool | None = None


def update_service_principal(tx: Connection, asked: Asked) -> None:
    """Enable or disable a service principal."""
    found = find_principal(tx, asked, asked["principal"], Kind.SERVICE_PRINCIPAL)
    enabled = asked.body(_ServicePrincipalChange).account_enabled
    if enabled is not None:
        people.set_enabled(tx, found.id, enabled)


def delete_service_principal(tx: Connection, asked: Asked) -> None:
    """Delete a service principal; its application stays, without any rights."""
    found = find_principal(tx, asked, asked["principal"], Kind.SERVICE_PRINCIPAL)
    if found.type == Type.MANAGED_IDENTITY or queries.application_of(tx, found.id) is None:
        people.delete(tx, found.id)
        return
    queries.take_away_rights(tx, found.id)
    directory.update_principal(tx, found.id, provisioned=False)
    raise_epoch(tx)


class _ByIds(msgspec.Struct):
    ids: list[str]
    types: list[str] | None = None


class ObjectsDocument(msgspec.Struct):
    value: list[ObjectDocument]


def get_by_ids(tx: Connection, asked: Asked) -> ObjectsDocument:
    """Whom these ids mean; ids that nobody has are left out."""
    body = asked.body(_ByIds)
    wanted = _ids(body.ids)
    kinds = {ODATA_TYPES[kind].rpartition(".")[2].lower(): kind for kind in Kind}
    types = [kinds.get(name.lower()) for name in body.types] if body.types else list(Kind)
    found = queries.principals_by_ids(tx, asked.tenant, wanted)
    return ObjectsDocument(
        _documents(tx, [each for each in found if each.kind in types or body.types == ["directoryObject"]])
    )


def get_object(tx: Connection, asked: Asked) -> ObjectDocument:
    """Whoever has this id."""
    return _documents(tx, [find_principal(tx, asked, asked["object"], *Kind)])[0]


class GroupIdsDocument(msgspec.Struct):
    value: list[str]


class _GroupIds(msgspec.Struct, rename="camel"):
    group_ids: list[str]


def check_member_groups(tx: Connection, asked: Asked) -> GroupIdsDocument:
    """In which of these groups somebody is, directly or by way of groups."""
    wanted = _ids(asked.body(_GroupIds).group_ids)
    found = groups.expand(tx, find_principal(tx, asked, _whose(tx, asked), *Kind).id)
    return GroupIdsDocument([group for group in wanted if group in found])


def get_member_groups(tx: Connection, asked: Asked) -> GroupIdsDocument:
    """Every group that somebody is in, directly or by way of groups."""
    whose = find_principal(tx, asked, _whose(tx, asked), *Kind).id
    return GroupIdsDocument(sorted(groups.expand(tx, whose) - {whose}))


def _whose(tx: Connection, asked: Asked) -> str:
    """Of whom a question about groups is."""
    wanted = asked.params.get("object", asked.caller.principal)
    by_name = people.find_person(tx, wanted) if "@" in wanted else None
    return wanted if by_name is None else by_name.id


def _ids(sent: list[str]) -> list[str]:
    if len(sent) > _IDS_LIMIT or any("\0" in each for each in sent):
        raise Problem(Failure.REQUEST_INVALID, reason=f"there are at most {_IDS_LIMIT} ids")
    return [each.lower() for each in sent]


def list_nobody(tx: Connection, asked: Asked, terms: tuple[Term, ...], page: Page) -> Sequence[ObjectDocument]:  # noqa: ARG001  rows have one shape
    """Owners: nobody owns an entry here, rights on the directory come from roles."""
    return []
