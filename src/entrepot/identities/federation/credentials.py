"""Federated identity credentials: which outside tokens stand for a principal. Names as Microsoft Graph has them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from entrepot.identities.federation.expressions import ClaimExpression
from entrepot.identities.federation.subjects import ExactSubject, SubjectPattern

MAX_AUDIENCES: Final = 10
_EXPRESSION_LIMIT: Final = 2048
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,119}")
_TEXT: Final = re.compile(r"[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]{0,598}[^\x00-\x20\x7f])?")


class Match(StrEnum):
    """How ``subject`` is meant."""

    EXACT = "exact"
    PATTERN = "pattern"


class CredentialInvalid(ValueError):
    """A credential that cannot be stored: which property, and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """A trust in some tokens of an issuer. Make it with ``federated_credential``, which checks it."""

    name: str
    issuer: str
    audiences: tuple[str, ...]
    rule: ExactSubject | SubjectPattern | ClaimExpression


def federated_credential(  # noqa: PLR0913  these are the properties of the resource
    *,
    name: str,
    issuer: str,
    audiences: Sequence[str],
    subject: str | None = None,
    match: Match = Match.EXACT,
    expression: str | None = None,
) -> FederatedCredential:
    """``subject`` and ``expression`` exclude each other; one must be there. Raises CredentialInvalid."""
    if _NAME.fullmatch(name) is None:
        raise CredentialInvalid("name", "use 1 to 120 letters of A to Z, digits, - and _")
    _check_issuer(issuer)
    if not 1 <= len(audiences) <= MAX_AUDIENCES or not all(map(_is_text, audiences)):
        raise CredentialInvalid("audiences", f"name 1 to {MAX_AUDIENCES} audiences of 1 to 600 characters")
    if (subject is None) == (expression is None):
        raise CredentialInvalid("subject", "give either a subject or a claimsMatchingExpression")
    rule = _subject(subject, match) if subject is not None else _expression(expression or "")
    return FederatedCredential(name, issuer, tuple(audiences), rule)


def _check_issuer(issuer: str) -> None:
    """As OIDC Discovery has it: https, a host, perhaps a port and a path. It is compared as it is written."""
    try:
        url = urlsplit(issuer)
        usable = url.scheme == "https" and url.hostname and url.port != 0
        more = "@" in url.netloc or "?" in issuer or "#" in issuer
    except ValueError:  # a port that is none
        usable = more = False
    if not usable or more or " " in issuer or not _is_text(issuer):
        raise CredentialInvalid("issuer", "use https://HOST or https://HOST/PATH, exactly as the token's iss has it")


def _subject(subject: str, match: Match) -> ExactSubject | SubjectPattern:
    if not _is_text(subject):
        raise CredentialInvalid("subject", "use 1 to 600 characters without control characters or spaces around")
    if match is Match.EXACT:
        return ExactSubject(subject)
    try:
        return SubjectPattern.parse(subject)
    except ValueError as error:
        raise CredentialInvalid("subject", str(error)) from None


def _expression(text: str) -> ClaimExpression:
    if len(text) > _EXPRESSION_LIMIT:
        raise CredentialInvalid("claimsMatchingExpression", f"use {_EXPRESSION_LIMIT} characters at most")
    try:
        return ClaimExpression.parse(text)
    except ValueError as error:
        raise CredentialInvalid("claimsMatchingExpression", str(error)) from None


def _is_text(value: str) -> bool:
    return _TEXT.fullmatch(value) is not None
