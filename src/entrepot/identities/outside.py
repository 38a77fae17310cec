"""What outside tokens an application or a managed identity signs in with: its federated identity credentials, kept.

Microsoft Graph: federatedIdentityCredential. What makes one valid, and which token fits, is federation/'s.
"""

from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.errors import Kind, Problem
from entrepot.identities import queries
from entrepot.identities.federation.credentials import FederatedCredential, Match, federated_credential
from entrepot.identities.federation.expressions import ClaimExpression
from entrepot.identities.federation.subjects import SubjectPattern
from entrepot.identities.model import New
from entrepot.identities.queries import FederatedRow

# As Entra has it.
_LIMIT: Final = 20


def add_federated(
    tx: Connection, principal_id: str, new: New, trusted: FederatedCredential, description: str = ""
) -> None:
    """Raises RESOURCE_EXISTS for a name that is taken, REQUEST_INVALID for too many."""
    before = queries.federated_of(tx, principal_id)
    if len(before) >= _LIMIT:
        raise Problem(Kind.REQUEST_INVALID, reason="too many federated credentials", limit=_LIMIT)
    if any(row.name == trusted.name for row in before):
        raise Problem(Kind.RESOURCE_EXISTS, reason="there is a federated credential of this name", name=trusted.name)
    queries.insert_federated(tx, _row(principal_id, new, trusted, description))
    raise_epoch(tx)


def change_federated(tx: Connection, row: FederatedRow, trusted: FederatedCredential, description: str) -> None:
    """Under the same name: from now on it accepts other tokens. What the earlier ones gave lasts until it ends."""
    changed = _row(row.principal_id, New(row.id, row.created_at), trusted, description)
    queries.update_federated(tx, changed)
    raise_epoch(tx)


def remove_federated(tx: Connection, principal_id: str, name: str) -> bool:
    """It and the tokens that were got by it stop within two seconds. False when there is none."""
    gone = queries.delete_federated(tx, principal_id, name)
    raise_epoch(tx)
    return gone


def federated_of(tx: Connection, principal_id: str) -> dict[str, FederatedCredential]:
    """By id."""
    return {row.id: _credential(row) for row in queries.federated_of(tx, principal_id)}


def _row(principal_id: str, new: New, trusted: FederatedCredential, description: str) -> FederatedRow:
    rule, is_expression = trusted.rule, isinstance(trusted.rule, ClaimExpression)
    return FederatedRow(
        id=new.id,
        principal_id=principal_id,
        name=trusted.name,
        issuer=trusted.issuer,
        subject="" if is_expression else rule.text,
        expression=rule.text if is_expression else None,
        match=(Match.PATTERN if isinstance(rule, SubjectPattern) else Match.EXACT).value,
        audiences=msgspec.json.encode(trusted.audiences).decode(),
        description=description,
        created_at=new.at,
    )


def _credential(row: FederatedRow) -> FederatedCredential:
    return federated_credential(
        name=row.name,
        issuer=row.issuer,
        audiences=msgspec.json.decode(row.audiences, type=list[str]),
        subject=row.subject if row.expression is None else None,
        match=Match(row.match),
        expression=row.expression,
    )
