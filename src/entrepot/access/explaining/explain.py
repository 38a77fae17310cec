"""The simulator: may this principal do this, what was looked at, and what would permit it.

The answer is the gate's own (``rights_of``, ``may_manage``), so it cannot differ from what the registry does.
"""

from datetime import datetime
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from entrepot.access import queries as access
from entrepot.access import roles
from entrepot.access.assignments.queries import scopes_of
from entrepot.access.explaining import queries
from entrepot.access.explaining.acts import Act, parse_act
from entrepot.access.explaining.grants import role_command, token_commands
from entrepot.access.explaining.outcomes import outcomes_of
from entrepot.access.explaining.queries import Named
from entrepot.access.model import ANONYMOUS, Considered, Decision, Everything, Nothing, ReadEverything, Rights, place_of
from entrepot.access.rights import Where, assignments_of, rights_of
from entrepot.access.roles import Assigned, covers
from entrepot.errors import Kind, Problem
from entrepot.oci.reference import parse_repository

CONSIDERED_LIMIT: Final = 1000
_ELSEWHERE: Final = 5
_NAME_LENGTH: Final = 256
_ADMIN: Final = "admin"
_NOBODY: Final = Named(ANONYMOUS, "Anonymous", ANONYMOUS, None, is_active=True)


class Subject(NamedTuple):
    """The registry that is asked about."""

    where: Where
    name: str
    tenant_id: str
    anonymous_pull: bool
    admin_enabled: bool


class Question(NamedTuple):
    """As somebody types it. ``principal``: an object id, application id, user principal name, name, a token's name,
    ``admin`` or ``anonymous``. ``action``: ``acts.parse_act``.
    """

    principal: str
    action: str
    repository: str | None = None


class WhoJson(msgspec.Struct):
    id: str
    kind: str
    name: str


class ConsideredJson(msgspec.Struct, omit_defaults=True):
    """``through``: the group that it came by. ``outcomes``: what its condition compared, with the values it had."""

    what: str
    scope: str
    permits: bool
    reason: str
    through: str | None = None
    condition: str | None = None
    outcomes: list[str] = []


class Explanation(msgspec.Struct, rename="camel", omit_defaults=True):
    """``permission``: what it takes, in the terms in which these rights are given. ``grant``: commands of az, one of
    which would permit it.
    """

    allowed: bool
    principal: WhoJson
    action: str
    registry: str
    role_assignment_mode: str
    permission: str
    scope: str
    considered: list[ConsideredJson]
    not_shown: int = 0
    repository: str | None = None
    notes: list[str] = []
    grant: list[str] = []


def explain(tx: Connection, asked: Question, subject: Subject, now: datetime) -> Explanation:
    """Raises RESOURCE_INVALID for a principal or an action that is not there, NAME_INVALID for a repository."""
    repository = None if not asked.repository else parse_repository(asked.repository)
    act = parse_act(asked.action, repository)
    who = _who(tx, asked.principal, subject)
    decision = _decide(tx, who, act, subject, repository)
    notes = list(_notes(tx, who, act, subject, now))
    first = sorted(decision.considered, key=lambda each: not each.permits)
    return Explanation(
        allowed=decision.allowed,
        principal=WhoJson(who.id, who.kind, who.name),
        action=act.word if isinstance(act, Act) else act,
        registry=subject.where.scope,
        role_assignment_mode=subject.where.mode.value,
        permission=decision.permission,
        scope=decision.scope,
        considered=[_json(each, act, repository) for each in first[:CONSIDERED_LIMIT]],
        not_shown=max(0, len(first) - CONSIDERED_LIMIT),
        repository=repository,
        notes=notes,
        grant=[] if decision.allowed else _grant(tx, who, act, subject, repository),
    )


def _who(tx: Connection, text: str, subject: Subject) -> Named:
    if not text or len(text) > _NAME_LENGTH or "\0" in text:
        raise _nobody(text[:64].replace("\0", ""))
    if text.lower() == ANONYMOUS:
        return _NOBODY
    if text.lower() in {_ADMIN, subject.name.lower()}:
        found = queries.find_admin_account(tx, subject.where.registry)
        return found or Named("", "Admin", subject.name, None, is_active=True)
    named = queries.find_named(tx, text, subject.tenant_id, subject.where.registry)
    if not named:
        raise _nobody(text)
    if len(named) > 1:
        ids = ", ".join(f"{each.id} ({each.kind})" for each in named)
        raise Problem(Kind.RESOURCE_INVALID, target="principal", reason=f"'{text}' is the name of several: {ids}")
    return named[0]


def _nobody(text: str) -> Problem:
    reason = (
        f"nobody is called '{text}': use an object id, an application id, a user principal name, a name, the name of a "
        f"token, {_ADMIN} or {ANONYMOUS}"
    )
    return Problem(Kind.RESOURCE_INVALID, target="principal", reason=reason)


def _decide(tx: Connection, who: Named, act: Act | str, subject: Subject, repository: str | None) -> Decision:
    where = subject.where
    if isinstance(act, str):
        return roles.may_manage(_held(tx, who, where), act, where.scope)
    rights = _rights(tx, who, subject)
    if act.action is not None:
        told = rights.explain(act.action, repository)
        if not isinstance(rights, Nothing):
            return told
    elif isinstance(rights, Everything):
        permits = act.word == "quarantine-read"
        reason = "it may do this" if permits else "it signs nothing and lifts no quarantine"
        looked_at = Considered("the admin account", "the registry", permits, reason)
        return Decision(permits, act.word, place_of(act.action, repository), (looked_at,))
    return roles.explain_act(_held(tx, who, where), where.scope, where.mode, act.permitting, repository)


def _held(tx: Connection, who: Named, where: Where) -> list[Assigned]:
    """The roles that count; one who is disabled has none, and tokens and admin accounts never have."""
    return assignments_of(tx, who.id, where.scope) if who.is_active and who.kind not in {"Admin", "Token"} else []


def _rights(tx: Connection, who: Named, subject: Subject) -> Rights:
    if who is _NOBODY:
        return ReadEverything() if subject.anonymous_pull else Nothing()
    if who.kind == "Admin" and not subject.admin_enabled:
        return Nothing()
    return rights_of(tx, who.id, subject.where)


def _notes(tx: Connection, who: Named, act: Act | str, subject: Subject, now: datetime) -> list[str]:
    """What the list of assignments does not tell."""
    notes: list[str] = []
    if isinstance(act, str) and who.kind in {"Admin", "Token", "Anonymous"}:
        notes.append("The management API takes people and service principals of the directory alone.")
    if who is _NOBODY:
        notes.append(f"Anonymous pull is {'on' if subject.anonymous_pull else 'off'} in this registry.")
    elif who.kind == "Admin":
        notes.append(f"The admin account is {'on' if subject.admin_enabled else 'off'} in this registry.")
    elif not who.is_active:
        notes.append("It is disabled, or never used yet: it cannot sign in, and may nothing until that changes.")
    elif who.kind != "Group" and not _can_sign_in(tx, who.id, now):
        notes.append("It has nothing to sign in with: no secret, password or certificate that is good now.")
    if who.kind == "Token" and queries.map_of_token(tx, who.id) is None:
        notes.append("Its scope map was deleted, so it may nothing.")
    elsewhere = [scope for scope in scopes_of(tx, who.id) if not covers(scope or "/", subject.where.scope)]
    if elsewhere:
        listed = ", ".join(sorted(elsewhere)[:_ELSEWHERE])
        notes.append(f"It has roles elsewhere, which do not reach this registry ({len(elsewhere)}): {listed}")
    return notes


def _can_sign_in(tx: Connection, principal_id: str, now: datetime) -> bool:
    account = access.find_account(tx, principal_id)
    return account is not None and any(ends is None or ends > now for ends in account.credentials.values())


def _json(found: Considered, act: Act | str, repository: str | None) -> ConsideredJson:
    outcomes: list[str] = []
    if found.condition is not None:
        operation = act.permitting.data if isinstance(act, Act) else act
        outcomes = outcomes_of(found.condition, operation, repository)
    return ConsideredJson(
        found.what, found.scope, found.permits, found.reason, found.through, found.condition, outcomes
    )


def _grant(tx: Connection, who: Named, act: Act | str, subject: Subject, repository: str | None) -> list[str]:
    match who.kind:
        case "Anonymous":
            reads = isinstance(act, Act) and act.action is not None and ReadEverything().allow(act.action, repository)
            return [f"az acr update --name {subject.name} --anonymous-pull-enabled true"] if reads else []
        case "Admin":
            may = isinstance(act, Act) and act.action is not None and Everything().allow(act.action, repository)
            return [f"az acr update --name {subject.name} --admin-enabled true"] if may else []
        case "Token":
            scope_map = queries.map_of_token(tx, who.id)
            return token_commands(who, scope_map, act, subject.name, repository) if who.is_active else []
        case _:
            return role_command(who, act, subject.where, repository) if who.is_active else []
