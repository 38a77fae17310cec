"""Role assignments: who has which role where, under which condition. Spec: Azure RBAC REST, "Role Assignments"."""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.assignments import queries
from entrepot.access.assignments.queries import AssignmentRow, Wanted
from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.conditions import parse_condition
from entrepot.access.queries import raise_epoch
from entrepot.access.roles import covers
from entrepot.arm.authorization.scopes import PROVIDER, definition_id, parse_guid, scope_of
from entrepot.arm.descriptor import AnyResource, Ask, Listing, Page, ResourceType
from entrepot.arm.filters import Term, call_of, equals, parse_filter
from entrepot.arm.versions import AUTHORIZATION
from entrepot.db.locks import lock_name
from entrepot.errors import Kind, Problem

_DESCRIPTION_LENGTH: Final = 1024
_ROLE: Final = re.compile(r"(?:.*/providers/Microsoft\.Authorization/roleDefinitions/)?([^/]+)", re.IGNORECASE)
_FILTERS: Final = {
    "atScope()": call_of("atScope"),
    "assignedTo('ID')": call_of("assignedTo"),
    "principalId eq 'ID'": equals("principalId"),
}


class AssignmentSettings(msgspec.Struct, rename="camel"):
    role_definition_id: str
    principal_id: str
    principal_type: str | None = None
    description: str | None = None
    condition: str | None = None
    condition_version: str | None = None


class AssignmentBody(msgspec.Struct):
    properties: AssignmentSettings


class AssignmentProperties(msgspec.Struct, rename="camel"):
    role_definition_id: str
    principal_id: str
    principal_type: str
    scope: str
    condition: str | None
    condition_version: str | None
    created_on: datetime
    updated_on: datetime
    created_by: str
    updated_by: str
    delegated_managed_identity_resource_id: str | None = None
    description: str | None = None


class AssignmentDocument(msgspec.Struct):
    properties: AssignmentProperties
    id: str
    name: str
    type: str = "Microsoft.Authorization/roleAssignments"


def role_assignments(scopes: Sequence[AnyResource]) -> ResourceType[AssignmentDocument, AssignmentBody]:
    """As an extension of these resources."""
    places = [scope.paths[0] for scope in scopes]
    return ResourceType(
        name="Microsoft.Authorization/roleAssignments",
        paths=tuple(f"{place}{PROVIDER}/roleAssignments/{{assignment}}" for place in places),
        versions=AUTHORIZATION,
        document=AssignmentDocument,
        get=partial(_find, scopes),
        body=AssignmentBody,
        lists=tuple(Listing(f"{place}{PROVIDER}/roleAssignments", place, partial(_rows, scopes)) for place in places),
        put=partial(_write, scopes),
        delete=_delete,
        parents=tuple(scopes),
        not_found="RoleAssignmentNotFound",
    )


def _find(scopes: Sequence[AnyResource], tx: Connection, ask: Ask) -> AssignmentDocument | None:
    row = queries.find_assignment(tx, ask["assignment"])
    scope = scope_of(tx, ask, scopes)
    return _document(row) if row is not None and row.scope.lower() == scope.lower() else None


def _rows(scopes: Sequence[AnyResource], tx: Connection, ask: Ask, page: Page) -> Sequence[AssignmentDocument]:
    """At the scope, above it, and below it unless ``atScope()`` says otherwise."""
    terms = parse_filter(ask.filter, _FILTERS)
    scope = scope_of(tx, ask, scopes)
    parts = scope.split("/")
    at = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    below = None if any(term.what == "atScope()" for term in terms) else scope
    wanted = Wanted(at, below, _principals(tx, terms))
    return [_document(row) for row in queries.assignments(tx, wanted, page.after, page.limit)]


def _principals(tx: Connection, terms: Sequence[Term]) -> frozenset[str] | None:
    """Whose assignments a filter asks for; None: everybody's."""
    found: frozenset[str] | None = None
    for term in terms:
        match term.what:
            case "principalId eq 'ID'":
                named = frozenset({term.value.lower()})
            case "assignedTo('ID')":
                named = frozenset({term.value.lower()}) | queries.groups_of(tx, term.value.lower())
            case _:
                continue
        found = named if found is None else found & named
    return found


def _document(row: AssignmentRow) -> AssignmentDocument:
    shown = AssignmentProperties(
        role_definition_id=definition_id(row.scope, row.role_id),
        principal_id=row.principal_id,
        principal_type=row.principal_kind,
        scope=row.scope,
        condition=row.condition,
        condition_version=row.condition_version,
        created_on=row.created_at,
        updated_on=row.updated_at or row.created_at,
        created_by=row.created_by,
        updated_by=row.created_by,
        description=row.description or None,
    )
    return AssignmentDocument(shown, f"{row.scope}{PROVIDER}/roleAssignments/{row.id}", row.id)


def _write(
    scopes: Sequence[AnyResource],
    tx: Connection,
    ask: Ask,
    body: AssignmentBody,
    current: AssignmentDocument | None,
) -> AssignmentDocument:
    """Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_UNKNOWN, RESOURCE_EXISTS, CONDITION_INVALID."""
    assignment_id, settings = parse_guid(ask["assignment"], "RoleAssignment"), body.properties
    scope = scope_of(tx, ask, scopes)
    role_id = _role(tx, ask, settings.role_definition_id, scope)
    kind = _principal_kind(tx, ask, settings)
    version = _condition_version(settings)
    if len(settings.description or "") > _DESCRIPTION_LENGTH or "\0" in (settings.description or ""):
        raise _invalid("description", f"it has at most {_DESCRIPTION_LENGTH} characters")
    made = AssignmentRow(
        id=assignment_id,
        principal_id=settings.principal_id.lower(),
        principal_kind=kind,
        role_id=role_id,
        scope=scope,
        condition=settings.condition or None,
        condition_version=version,
        description=settings.description or "",
        created_at=ask.now,
        updated_at=None,
        created_by=ask.caller.principal,
    )
    return _document(assign(tx, made, is_new=current is None))


def assign(tx: Connection, made: AssignmentRow, *, is_new: bool) -> AssignmentRow:
    """Give the role, or change the condition or the description of an assignment. Raises RESOURCE_EXISTS."""
    lock_name(tx, f"role assignments of {made.principal_id}")
    same = queries.find_same(tx, made.principal_id, made.role_id, made.scope)
    if same is not None and same.id != made.id:
        reason = f"The role assignment already exists. The ID of the existing role assignment is {same.id}."
        raise Problem(Kind.RESOURCE_EXISTS, code="RoleAssignmentExists", reason=reason)
    if same is not None:
        changed = made._replace(created_at=same.created_at, created_by=same.created_by, updated_at=made.created_at)
        queries.update_assignment(tx, changed)
    elif not is_new or queries.find_assignment(tx, made.id) is not None:
        reason = "Principal, role and scope of a role assignment cannot be changed: make another one."
        raise Problem(Kind.RESOURCE_EXISTS, code="RoleAssignmentUpdateNotPermitted", reason=reason)
    else:
        changed = made
        queries.insert_assignment(tx, made)
    raise_epoch(tx)
    return changed


def _role(tx: Connection, ask: Ask, written: str, scope: str) -> str:
    """The id of a role that can be given at the scope. Raises RESOURCE_UNKNOWN."""
    found = _ROLE.fullmatch(written)
    role_id = found[1].lower() if found else ""
    if role_id in BUILT_IN_ROLES:
        return role_id
    row = queries.find_definition(tx, role_id) if "\0" not in role_id else None
    if row is None or row.tenant_id != ask.caller.tenant:
        reason = f"The specified role definition with ID '{role_id[:64]}' does not exist."
        raise Problem(Kind.RESOURCE_UNKNOWN, code="RoleDefinitionDoesNotExist", reason=reason)
    if not any(covers(place, scope) for place in msgspec.json.decode(row.assignable_scopes, type=list[str])):
        raise _invalid("roleDefinitionId", f"the role '{row.name}' cannot be given at '{scope}'", "RoleNotAssignable")
    return role_id


def _principal_kind(tx: Connection, ask: Ask, settings: AssignmentSettings) -> str:
    """Raises RESOURCE_INVALID for a principal that is not there, or is of another kind than was said."""
    wanted = settings.principal_id
    row = queries.find_principal(tx, wanted.lower()) if "\0" not in wanted else None
    if row is None or row.tenant_id != ask.caller.tenant:
        reason = f"Principal {wanted[:64]} does not exist in the directory {ask.caller.tenant}."
        raise _invalid("principalId", reason, "PrincipalNotFound")
    if settings.principal_type is not None and settings.principal_type.lower() != row.kind.lower():
        reason = f"The PrincipalId '{row.id}' has type '{row.kind}', not '{settings.principal_type[:32]}'."
        raise _invalid("principalType", reason, "UnmatchedPrincipalType")
    return row.kind


def _condition_version(settings: AssignmentSettings) -> str | None:
    """Raises RESOURCE_INVALID, CONDITION_INVALID."""
    if not settings.condition:
        return None
    if settings.condition_version not in {None, "2.0"}:
        raise _invalid("conditionVersion", "it is 2.0")
    parse_condition(settings.condition)
    return "2.0"


def _invalid(member: str, reason: str, code: str = "InvalidRoleAssignment") -> Problem:
    return Problem(Kind.RESOURCE_INVALID, code=code, target=f"properties.{member}", reason=reason)


def _delete(tx: Connection, ask: Ask, current: AssignmentDocument) -> AssignmentDocument:  # noqa: ARG001  one shape
    queries.delete_assignment(tx, current.name)
    raise_epoch(tx)
    return current
