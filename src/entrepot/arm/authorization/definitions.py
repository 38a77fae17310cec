"""Role definitions: Azure's built-in ones, and custom ones. Spec: Azure RBAC, "Azure custom roles"."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.assignments import queries
from entrepot.access.assignments.queries import DefinitionRow
from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.definitions import Permission, RoleDefinition
from entrepot.access.queries import raise_epoch
from entrepot.access.roles import covers
from entrepot.arm.authorization.scopes import PROVIDER, definition_id, expect_may, parse_guid, scope_of
from entrepot.arm.descriptor import AnyResource, Ask, Listing, Page, ResourceType
from entrepot.arm.filters import Term, call_of, equals, parse_filter
from entrepot.arm.versions import AUTHORIZATION
from entrepot.db.locks import lock_name
from entrepot.errors import Kind, Problem

_NAME_LENGTH: Final = 128
_DESCRIPTION_LENGTH: Final = 1024
_SCOPES_LIMIT: Final = 100
_PATTERNS_LIMIT: Final = 2000
_FILTERS: Final = {
    "roleName eq": equals("roleName"),
    "type eq": equals("type"),
    "atScopeAndBelow()": call_of("atScopeAndBelow"),
    "atScope()": call_of("atScope"),
}
_WRITE: Final = "Microsoft.Authorization/roleDefinitions/write"


class PermissionJson(msgspec.Struct, rename="camel"):
    actions: list[str] = []
    not_actions: list[str] = []
    data_actions: list[str] = []
    not_data_actions: list[str] = []


class DefinitionSettings(msgspec.Struct, rename="camel"):
    role_name: str
    assignable_scopes: list[str]
    permissions: list[PermissionJson]
    description: str = ""


class DefinitionBody(msgspec.Struct):
    properties: DefinitionSettings


class DefinitionProperties(msgspec.Struct, rename="camel", omit_defaults=True):
    role_name: str
    type: str
    description: str
    assignable_scopes: list[str]
    permissions: list[PermissionJson]
    created_on: datetime | None = None
    updated_on: datetime | None = None


class DefinitionDocument(msgspec.Struct):
    properties: DefinitionProperties
    id: str
    name: str
    type: str = "Microsoft.Authorization/roleDefinitions"


def role_definitions(scopes: Sequence[AnyResource]) -> ResourceType[DefinitionDocument, DefinitionBody]:
    """As an extension of these resources, and of the whole deployment."""
    places = [*(scope.paths[0] for scope in scopes), ""]
    collections = [f"{place}{PROVIDER}/roleDefinitions" for place in places]
    return ResourceType(
        name="Microsoft.Authorization/roleDefinitions",
        paths=tuple(f"{collection}/{{role}}" for collection in collections),
        versions=AUTHORIZATION,
        document=DefinitionDocument,
        get=_find,
        body=DefinitionBody,
        lists=tuple(Listing(collection, None, partial(_rows, scopes)) for collection in collections),
        put=_write,
        delete=_delete,
        parents=tuple(scopes),
        open_to="what a role permits is no secret in the directory",
        not_found="RoleDefinitionDoesNotExist",
    )


def _find(tx: Connection, ask: Ask) -> DefinitionDocument | None:
    role_id = ask["role"].lower()
    if role_id in BUILT_IN_ROLES:
        return _built_in(BUILT_IN_ROLES[role_id], ask.id)
    row = queries.find_definition(tx, role_id)
    return _custom(row, ask.id) if row is not None and row.tenant_id == ask.caller.tenant else None


def _rows(scopes: Sequence[AnyResource], tx: Connection, ask: Ask, page: Page) -> Sequence[DefinitionDocument]:
    terms = parse_filter(ask.filter, _FILTERS)
    scope = scope_of(tx, ask, scopes)
    below = any(term.what == "atScopeAndBelow()" for term in terms)
    found = [document for document in _all(tx, ask, scope, below=below) if _fits(document, terms)]
    return sorted((each for each in found if each.name > page.after), key=lambda each: each.name)[: page.limit]


def _all(tx: Connection, ask: Ask, scope: str, *, below: bool) -> Iterator[DefinitionDocument]:
    """Those that can be assigned at the scope, or also below it."""
    yield from (_built_in(role, scope) for role in BUILT_IN_ROLES.values())
    for row in queries.definitions(tx, ask.caller.tenant):
        document = _custom(row, scope)
        places = document.properties.assignable_scopes
        if any(covers(place, scope) or ((below or not scope) and covers(scope or "/", place)) for place in places):
            yield document


def _fits(document: DefinitionDocument, terms: Sequence[Term]) -> bool:
    told = {"roleName eq": document.properties.role_name, "type eq": document.properties.type}
    return all(told[term.what].lower() == term.value.lower() for term in terms if term.what in told)


def _built_in(role: RoleDefinition, scope: str) -> DefinitionDocument:
    permissions = [
        PermissionJson(list(each.actions), list(each.not_actions), list(each.data_actions), list(each.not_data_actions))
        for each in role.permissions
    ]
    shown = DefinitionProperties(role.name, "BuiltInRole", role.description, ["/"], permissions)
    return DefinitionDocument(shown, definition_id(scope, role.id), role.id)


def _custom(row: DefinitionRow, scope: str) -> DefinitionDocument:
    shown = DefinitionProperties(
        row.name,
        "CustomRole",
        row.description,
        msgspec.json.decode(row.assignable_scopes, type=list[str]),
        msgspec.json.decode(row.permissions, type=list[PermissionJson]),
        row.created_at,
        row.updated_at,
    )
    return DefinitionDocument(shown, definition_id(scope, row.id), row.id)


def _write(tx: Connection, ask: Ask, body: DefinitionBody, current: DefinitionDocument | None) -> DefinitionDocument:
    """Raises RESOURCE_INVALID, RESOURCE_EXISTS, DENIED."""
    role_id, settings = parse_guid(ask["role"], "RoleDefinition"), body.properties
    if role_id in BUILT_IN_ROLES:
        raise Problem(Kind.RESOURCE_EXISTS, code="RoleDefinitionIsBuiltIn", reason="Built-in roles cannot be changed.")
    _expect_sound(settings)
    for scope in settings.assignable_scopes:
        expect_may(tx, ask, _WRITE, scope)
    lock_name(tx, f"role {settings.role_name.lower()}")
    same = queries.definition_named(tx, ask.caller.tenant, settings.role_name)
    if (same is not None and same.id != role_id) or _is_built_in_name(settings.role_name):
        reason = f"A custom role cannot be named '{settings.role_name}': another role is."
        raise Problem(Kind.RESOURCE_EXISTS, code="RoleDefinitionWithSameNameExists", reason=reason)
    row = DefinitionRow(
        role_id,
        ask.caller.tenant,
        settings.role_name,
        settings.description,
        msgspec.json.encode(settings.permissions).decode(),
        msgspec.json.encode(settings.assignable_scopes).decode(),
        ask.now if current is None or current.properties.created_on is None else current.properties.created_on,
        ask.now,
    )
    if current is None:
        if queries.find_definition(tx, role_id) is not None:
            raise Problem(Kind.RESOURCE_EXISTS, code="RoleDefinitionIdInUse", reason="The id is another role's.")
        queries.insert_definition(tx, row)
    else:
        for scope in current.properties.assignable_scopes:
            expect_may(tx, ask, _WRITE, scope)
        queries.update_definition(tx, row)
    raise_epoch(tx)
    return _custom(row, ask.id)


def _is_built_in_name(name: str) -> bool:
    return any(role.name.lower() == name.lower() for role in BUILT_IN_ROLES.values())


def _expect_sound(settings: DefinitionSettings) -> None:
    """Raises RESOURCE_INVALID, which names the member."""
    if not 0 < len(settings.role_name.strip()) <= _NAME_LENGTH or "\0" in settings.role_name:
        raise _invalid("roleName", f"it has 1 to {_NAME_LENGTH} characters")
    if len(settings.description) > _DESCRIPTION_LENGTH or "\0" in settings.description:
        raise _invalid("description", f"it has at most {_DESCRIPTION_LENGTH} characters")
    scopes = settings.assignable_scopes
    if not 0 < len(scopes) <= _SCOPES_LIMIT or not all(scope.startswith("/subscriptions/") for scope in scopes):
        reason = f"it names 1 to {_SCOPES_LIMIT} scopes: subscriptions, resource groups or registries"
        raise _invalid("assignableScopes", reason)
    patterns = [
        pattern
        for each in settings.permissions
        for pattern in (*each.actions, *each.not_actions, *each.data_actions, *each.not_data_actions)
    ]
    if not 0 < len(patterns) <= _PATTERNS_LIMIT:
        raise _invalid("permissions", f"they name 1 to {_PATTERNS_LIMIT} operations")
    unknown = [pattern for each in settings.permissions for pattern in permission_of(each).unknown()]
    if unknown:
        raise _invalid("permissions", f"there is no operation '{unknown[0][:128]}'", "InvalidActionOrNotAction")


def permission_of(written: PermissionJson) -> Permission:
    return Permission(
        tuple(written.actions), tuple(written.not_actions), tuple(written.data_actions), tuple(written.not_data_actions)
    )


def _invalid(member: str, reason: str, code: str = "InvalidRoleDefinition") -> Problem:
    return Problem(Kind.RESOURCE_INVALID, code=code, target=f"properties.{member}", reason=reason)


def _delete(tx: Connection, ask: Ask, current: DefinitionDocument) -> DefinitionDocument:
    """Raises RESOURCE_EXISTS for a built-in role, IN_USE for one that somebody has, DENIED."""
    if current.name in BUILT_IN_ROLES:
        raise Problem(Kind.RESOURCE_EXISTS, code="RoleDefinitionIsBuiltIn", reason="Built-in roles cannot be deleted.")
    for scope in current.properties.assignable_scopes:
        expect_may(tx, ask, "Microsoft.Authorization/roleDefinitions/delete", scope)
    if queries.is_assigned(tx, current.name):
        reason = "there are existing role assignments referencing the role."
        raise Problem(Kind.IN_USE, code="RoleDefinitionHasAssignments", reason=reason)
    queries.delete_definition(tx, current.name)
    raise_epoch(tx)
    return current
