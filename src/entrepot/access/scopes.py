"""The scope words of the Docker token flow. Spec: distribution "Token Scope Documentation"; ACR-REFERENCE 4.3."""

from collections.abc import Iterable
from typing import Final

from entrepot.access.model import REGISTRY_NAMES, REPOSITORY_WORDS, Rights, Scope
from entrepot.errors import Kind, Problem
from entrepot.oci.reference import parse_repository

SCOPES_LIMIT: Final = 100
_PARTS: Final = 3
_REGISTRY_ACTIONS: Final = {name: action for action, name in REGISTRY_NAMES.items()}


def parse_scopes(texts: Iterable[str]) -> list[Scope]:
    """Scopes as they were asked for, each text holding one or several with spaces between.

    A type that we do not know is left out: the token then does not grant it. Raises REQUEST_INVALID, NAME_INVALID.
    """
    words = [word for text in texts for word in text.split()]
    if len(words) > SCOPES_LIMIT:
        raise Problem(Kind.REQUEST_INVALID, reason="too many scopes", limit=SCOPES_LIMIT)
    found = [_parse(word) for word in words]
    return [scope for scope in found if scope is not None]


def _parse(word: str) -> Scope | None:
    parts = word.split(":")
    if len(parts) != _PARTS:
        raise Problem(Kind.REQUEST_INVALID, reason="a scope is TYPE:NAME:ACTION,ACTION")
    kind, name, actions = parts
    if kind == "repository":
        parse_repository(name)
    elif kind != "registry" or name not in _REGISTRY_ACTIONS:
        return None
    return Scope(kind, name, frozenset(actions.split(",")))


def grant(rights: Rights, asked: Iterable[Scope]) -> tuple[Scope, ...]:
    """Of what was asked, what these rights permit. Scopes of which nothing is left are dropped."""
    granted = (Scope(scope.type, scope.name, _permitted(rights, scope)) for scope in asked)
    return tuple(scope for scope in granted if scope.actions)


def _permitted(rights: Rights, scope: Scope) -> frozenset[str]:
    if scope.type == "registry":
        is_allowed = "*" in scope.actions and rights.allow(_REGISTRY_ACTIONS[scope.name], None)
        return frozenset({"*"}) if is_allowed else frozenset()
    asked = REPOSITORY_WORDS.keys() if "*" in scope.actions else scope.actions & REPOSITORY_WORDS.keys()
    return frozenset(word for word in asked if rights.allow(REPOSITORY_WORDS[word], scope.name))
