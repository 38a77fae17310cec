"""Which credential a verified token fits, or which part of it fits none, and what came instead.

Whoever sets federation up gets one of three things wrong; a refusal that does not say which costs hours. So it does, in
Entra's words and with Entra's numbers. What the credentials want is for the owner only: anybody can get a token of a
public issuer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.identities.federation.credentials import FederatedCredential
from entrepot.identities.federation.model import Claims, Reason, quoted

_PARTS: Final = {
    Reason.ISSUER_MISMATCH: "issuer",
    Reason.AUDIENCE_MISMATCH: "audience",
    Reason.SUBJECT_MISMATCH: "subject",
}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first part that fits no credential. ``wanted`` is what the credentials that fit so far have there."""

    reason: Reason
    presented: tuple[str, ...]
    wanted: tuple[str, ...]

    @property
    def text(self) -> str:
        """For whoever sent the token."""
        part = _PARTS[self.reason]
        came = ", ".join(map(quoted, self.presented))
        return (
            f"{self.reason.value}: No matching federated identity record found for presented assertion {part} {came}. "
            "Check your federated identity credential Subject, Audience and Issuer against the presented assertion."
            f"{self._hint()}"
        )

    @property
    def detail(self) -> str:
        """For the owner of the credentials."""
        return f"accepted here: {', '.join(map(quoted, self.wanted)) or 'nothing'}"

    def _hint(self) -> str:
        """Said only of a text that is all but the right one, so it tells nobody what he does not know."""
        presented = {_folded(text) for text in self.presented}
        if presented.isdisjoint(_folded(text) for text in self.wanted):
            return ""
        return " It differs from an accepted one only in letter case or in a slash at its end; both count."


def find_credential(claims: Claims, credentials: Sequence[FederatedCredential]) -> FederatedCredential | Mismatch:
    """The first credential that accepts these claims."""
    of_issuer = [credential for credential in credentials if credential.issuer == claims.issuer]
    if not of_issuer:
        return issuer_mismatch(claims.issuer, credentials)
    of_subject = [credential for credential in of_issuer if credential.rule.accepts(claims)]
    if not of_subject:
        wanted = _distinct(credential.rule.text for credential in of_issuer)
        return Mismatch(Reason.SUBJECT_MISMATCH, (claims.subject,), wanted)
    for credential in of_subject:
        if not set(credential.audiences).isdisjoint(claims.audiences):
            return credential
    wanted = _distinct(audience for credential in of_subject for audience in credential.audiences)
    return Mismatch(Reason.AUDIENCE_MISMATCH, claims.audiences, wanted)


def issuer_mismatch(issuer: str, credentials: Iterable[FederatedCredential]) -> Mismatch:
    wanted = _distinct(credential.issuer for credential in credentials)
    return Mismatch(Reason.ISSUER_MISMATCH, (issuer,), wanted)


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _folded(text: str) -> str:
    return text.casefold().rstrip("/")
