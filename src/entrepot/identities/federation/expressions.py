"""Claims-matching expressions, as Entra's flexible federated identity credentials have them (language version 1).

    claims['sub'] matches 'repo:contoso/*:ref:refs/heads/main' and claims['job_workflow_ref'] eq '...'

``matches`` compares with ``*`` (any characters, also none) and ``?`` (one character), ``eq`` compares whole texts,
and ``and`` is the only way to combine. Unlike in a subject pattern, ``*`` crosses ``/`` and ``:``, because it does in
Entra. Everything else is an error. Source: Entra's documentation, "Flexible federated identity credentials (preview)".
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from entrepot.identities.federation.model import Claims
from entrepot.identities.federation.subjects import glob, names_enough

LANGUAGE_VERSION: Final = 1
_TERM: Final = re.compile(r"claims\['([A-Za-z][A-Za-z0-9_.-]{0,127})'\] (matches|eq) '([^'\x00-\x1f]{1,600})'")
_AND: Final = " and "
_MAX_TERMS: Final = 10
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison."""

    claim: str
    operator: str
    comparand: str

    def accepts(self, claims: Claims) -> bool:
        found = claims.texts.get(self.claim)
        if found is None:
            return False
        return found == self.comparand if self.operator == "eq" else glob(self.comparand, found, single="?")

    @property
    def is_narrow(self) -> bool:
        """Does it say whose subjects are meant?"""
        return self.claim == "sub" and (self.operator == "eq" or names_enough(self.comparand, "*?"))


@dataclass(frozen=True, slots=True)
class ClaimExpression:
    """Terms that all must hold."""

    text: str
    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError, which says what is wrong and where."""
        terms: list[Term] = []
        at = 0
        while True:
            found = _TERM.match(text, at)
            if found is None:
                raise ValueError(_expected(text, at))
            terms.append(_term(*found.groups()))
            at = found.end()
            if at == len(text):
                break
            if not text.startswith(_AND, at):
                raise ValueError(f"after character {at} only ' and ' and another comparison may follow")
            at += len(_AND)
        if len(terms) > _MAX_TERMS:
            raise ValueError(f"an expression has at most {_MAX_TERMS} comparisons")
        if not any(term.is_narrow for term in terms):
            raise ValueError(
                "one comparison must be of claims['sub'] and write out its first two segments, such as 'repo:OWNER/*'"
            )
        return cls(text, tuple(terms))

    def accepts(self, claims: Claims) -> bool:
        return all(term.accepts(claims) for term in self.terms)


def _term(claim: str, operator: str, comparand: str) -> Term:
    if operator == "eq" and "*" in comparand:
        raise ValueError("eq compares whole texts; use matches for a *")
    return Term(claim, operator, comparand)


def _expected(text: str, at: int) -> str:
    return (
        f"at character {at}, at {text[at : at + _SHOWN]!r}: use claims['NAME'] eq 'TEXT' or claims['NAME'] matches "
        "'TEXT', with straight quotes, single spaces, and no quote inside the text"
    )
