"""Federated identity credentials of applications. Spec: Microsoft Graph, federatedIdentityCredential.

Beside Graph's members there is ``match``: ``pattern`` when ``subject`` has ``*`` (docs/concepts/federation.md).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.bodies import convert, merge
from entrepot.arm.descriptor import Page
from entrepot.arm.filters import Term, equals
from entrepot.errors import Kind as Failure
from entrepot.errors import Problem
from entrepot.identities import outside, queries
from entrepot.identities.federation.credentials import (
    CredentialInvalid,
    FederatedCredential,
    Match,
    federated_credential,
)
from entrepot.identities.federation.expressions import LANGUAGE_VERSION
from entrepot.identities.graph.applications import find_application
from entrepot.identities.graph.kit import Asked, missing
from entrepot.identities.model import New
from entrepot.identities.queries import FederatedRow

FILTERS: Final = {"name eq": equals("name"), "issuer eq": equals("issuer"), "subject eq": equals("subject")}


class _Expression(msgspec.Struct, rename="camel"):
    value: str
    language_version: int = LANGUAGE_VERSION


class _Written(msgspec.Struct, rename="camel"):
    name: str
    issuer: str
    audiences: list[str]
    subject: str | None = None
    match: Match = Match.EXACT
    claims_matching_expression: _Expression | None = None
    # PostgreSQL takes no NUL.
    description: Annotated[str, msgspec.Meta(max_length=600, pattern=r"\A[^\0]*\Z")] | None = None


class FederatedDocument(msgspec.Struct, rename="camel"):
    id: str
    name: str
    issuer: str
    subject: str | None
    match: str
    claims_matching_expression: _Expression | None
    audiences: list[str]
    description: str | None
    created_date_time: datetime


def list_federated(tx: Connection, asked: Asked, terms: tuple[Term, ...], page: Page) -> Sequence[FederatedDocument]:
    """Which outside tokens an application signs in with."""
    rows = queries.federated_of(tx, find_application(tx, asked).principal_id)
    fitting = [row for row in rows if row.id > page.after and all(_fits(row, term) for term in terms)]
    return [_document(row) for row in sorted(fitting, key=lambda row: row.id)[: page.limit]]


def _fits(row: FederatedRow, term: Term) -> bool:
    return getattr(row, term.what.partition(" ")[0]) == term.value


def get_federated(tx: Connection, asked: Asked) -> FederatedDocument:
    """A federated identity credential, by id or by name."""
    return _document(_find(tx, asked))


def create_federated(tx: Connection, asked: Asked) -> FederatedDocument:
    """Let an application sign in with tokens of an outside issuer."""
    principal_id, written = find_application(tx, asked).principal_id, asked.body(_Written)
    new = New(asked.guid(), asked.now)
    outside.add_federated(tx, principal_id, new, _credential(written), written.description or "")
    return _document(next(row for row in queries.federated_of(tx, principal_id) if row.id == new.id))


def update_federated(tx: Connection, asked: Asked) -> None:
    """Change which tokens are meant; the name stays. What tokens gave before lasts until it ends."""
    row = _find(tx, asked)
    if asked.sent.get("name", row.name) != row.name:
        raise Problem(Failure.REQUEST_INVALID, reason="the name of a federated credential stays: make another one")
    written = convert(merge(msgspec.to_builtins(_document(row)), _patch(asked)), _Written)
    outside.change_federated(tx, row, _credential(written), written.description or "")


def _patch(asked: Asked) -> dict[str, object]:
    """A subject takes the place of an expression, and the other way round."""
    if asked.sent.get("subject") is not None:
        return {"claimsMatchingExpression": None, **asked.sent}
    if asked.sent.get("claimsMatchingExpression") is not None:
        return {"subject": None, "match": None, **asked.sent}
    return asked.sent


def delete_federated(tx: Connection, asked: Asked) -> None:
    """Trust those tokens no longer: what was got by them stops within two seconds."""
    row = _find(tx, asked)
    outside.remove_federated(tx, row.principal_id, row.name)


def _find(tx: Connection, asked: Asked) -> FederatedRow:
    wanted, rows = asked["credential"], queries.federated_of(tx, find_application(tx, asked).principal_id)
    found = next((row for row in rows if row.id == wanted.lower()), None)
    found = found or next((row for row in rows if row.name == wanted), None)
    if found is None:
        raise missing(wanted)
    return found


def _credential(written: _Written) -> FederatedCredential:
    """Raises REQUEST_INVALID."""
    expression = written.claims_matching_expression
    if expression is not None and expression.language_version != LANGUAGE_VERSION:
        raise Problem(
            Failure.REQUEST_INVALID, reason=f"claimsMatchingExpression: languageVersion is {LANGUAGE_VERSION}"
        )
    try:
        return federated_credential(
            name=written.name,
            issuer=written.issuer,
            audiences=written.audiences,
            subject=written.subject,
            match=written.match,
            expression=None if expression is None else expression.value,
        )
    except CredentialInvalid as error:
        raise Problem(Failure.REQUEST_INVALID, reason=str(error)) from None


def _document(row: FederatedRow) -> FederatedDocument:
    return FederatedDocument(
        id=row.id,
        name=row.name,
        issuer=row.issuer,
        subject=row.subject if row.expression is None else None,
        match=row.match,
        claims_matching_expression=None if row.expression is None else _Expression(row.expression),
        audiences=msgspec.json.decode(row.audiences, type=list[str]),
        description=row.description or None,
        created_date_time=row.created_at,
    )
