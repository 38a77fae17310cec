"""Scopes of roles: the resource that a path of Microsoft.Authorization extends."""

import re
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from entrepot.access.rights import may_manage
from entrepot.arm.descriptor import AnyResource, Ask
from entrepot.errors import Kind, Problem

PROVIDER: Final = "/providers/Microsoft.Authorization"
_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def scope_of(tx: Connection, ask: Ask, scopes: Sequence[AnyResource]) -> str:
    """The id of the resource that is extended, as that resource writes it itself; it is there."""
    extended = ask.template.partition(PROVIDER)[0]
    for resource in scopes:
        if extended == resource.paths[0]:
            document = resource.get(tx, ask)
            return "" if document is None else str(document.id)
    return ""


def parse_guid(text: str, what: str) -> str:
    """In lower case. Raises NAME_INVALID."""
    if _GUID.fullmatch(text) is None:
        raise Problem(Kind.NAME_INVALID, code=f"{what}NameNotGuid", name=text, reason="It is a GUID.")
    return text.lower()


def expect_may(tx: Connection, ask: Ask, operation: str, scope: str) -> None:
    """Raises DENIED unless the caller may do it there too."""
    principal = ask.caller.principal
    if not may_manage(tx, principal, operation, scope):
        client = ask.caller.name or ask.caller.client_id
        raise Problem(Kind.DENIED, client=client, object=principal, operation=operation, scope=scope)


def definition_id(scope: str, role_id: str) -> str:
    """A role's id as it is written beneath a scope: that of its subscription."""
    parts = scope.split("/")
    subscription = "/".join(parts[:3]) if scope.startswith("/subscriptions/") else ""
    return f"{subscription}{PROVIDER}/roleDefinitions/{role_id}"
