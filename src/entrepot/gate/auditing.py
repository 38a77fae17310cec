"""What the gate writes down for the audit log: who signed in, what was issued, and whom it refused.

Changes are not written here: their entries commit with them. Reads that succeed, and the 401 that every client gets
before it signs in, are in the access log alone.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final

from entrepot.access.model import ANONYMOUS, Identity
from entrepot.errors import Kind, Problem
from entrepot.events.audit import Act, Detail, Entry, Origin, Result, told
from entrepot.events.gathering import Gathering
from entrepot.gate.authenticate import parse_basic
from entrepot.gate.passage import Passage
from entrepot.gate.sign_in import SignInFailed
from entrepot.web.request import Request

_FINGERPRINT: Final = 8


class Auditor:
    """One per web worker."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.gathering = Gathering()
        self._clock = clock
        self._pepper = secrets.token_bytes(16)

    def signed_in(self, principal: str, origin: Origin) -> None:
        """With the right secret. Docker and many others do it with every request: a minute's are one."""
        self.gathering.add_once(Entry(self._clock(), Act.SIGN_IN, Result.SUCCESS, principal, "", origin, told({})))

    def sign_in_failed(self, name: str, problem: Problem, origin: Origin) -> None:
        """``name`` is what was typed. It is only written when it is somebody's: passwords get into the wrong field."""
        principal = problem.principal if isinstance(problem, SignInFailed) else None
        who = principal or f"unknown:{self._fingerprint(name)}"
        detail = {"reason": problem.detail.get("reason", problem.kind.name)}
        self.gathering.add_once(Entry(self._clock(), Act.SIGN_IN, Result.FAILURE, who, "", origin, told(detail)))

    def issued(self, principal: str, target: str, origin: Origin, detail: Detail) -> None:
        """A token, whose id and rights ``detail`` tells. Those that everybody may have are counted."""
        entry = Entry(self._clock(), Act.TOKEN_ISSUE, Result.SUCCESS, principal, target, origin, told(detail))
        if principal == ANONYMOUS:
            self.gathering.add_once(entry)
        else:
            self.gathering.add(entry)

    def token_refused(self, principal: str, reason: str, origin: Origin) -> None:
        """A token or a code that does not count. ``principal``: who brought it, as far as that is known."""
        entry = Entry(self._clock(), Act.TOKEN_REFUSE, Result.FAILURE, principal, "", origin, told({"reason": reason}))
        self.gathering.add_once(entry)

    def refused(self, passage: Passage, problem: Problem, status: int) -> None:
        """A request that its row or its handler did not let through, as far as that is for the audit log."""
        if problem.kind is Kind.UNAUTHENTICATED and passage.identity is None:
            self._not_identified(passage, problem)
        elif _is_denial(passage.identity, problem, status):
            who = "" if passage.identity is None else passage.identity.principal
            route = "" if passage.route is None else f"{passage.route.method} {passage.route.path}"
            detail = {"route": route, "kind": problem.kind.name, **problem.detail}
            origin = origin_of(passage.request, passage.identity, _registry(passage))
            self.gathering.add_once(
                Entry(self._clock(), Act.DENIED, Result.DENIED, who, passage.request.path, origin, told(detail))
            )

    def _not_identified(self, passage: Passage, problem: Problem) -> None:
        authorization = passage.request.header(b"authorization")
        if authorization is None:
            return
        method, _, value = authorization.partition(" ")
        origin = origin_of(passage.request, None, _registry(passage), method.lower())
        if origin.method == "basic":
            self.sign_in_failed(_name_in(value), problem, origin)
        else:
            self.token_refused("", str(problem.detail.get("reason", "")), origin)

    def _fingerprint(self, name: str) -> str:
        """Tells names apart within this worker's life, and nothing about them."""
        return hmac.digest(self._pepper, name.encode(), hashlib.sha256).hex()[:_FINGERPRINT]


def origin_of(request: Request, identity: Identity | None, registry: str, method: str = "") -> Origin:
    return Origin(
        method=method or ("" if identity is None else identity.method),
        credential="" if identity is None else identity.credential,
        registry=registry,
        address=request.client,
        user_agent=request.header(b"user-agent") or "",
        request_id=request.id,
    )


def _is_denial(identity: Identity | None, problem: Problem, status: int) -> bool:
    """403, and 401 for somebody who is known and lacks a right."""
    if status == HTTPStatus.FORBIDDEN:
        return True
    is_somebody = identity is not None and bool(identity.principal) and not identity.is_anonymous
    return problem.kind is Kind.UNAUTHORIZED and is_somebody


def _name_in(basic: str) -> str:
    try:
        return parse_basic(basic.strip())[0]
    except Problem:
        return ""


def _registry(passage: Passage) -> str:
    return "" if passage.host is None else passage.host.registry
