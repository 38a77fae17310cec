"""Grants for who signed in, signed. A token never outlives the credential that it was got with."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from entrepot.access.model import ANONYMOUS, Action, Granted, Rights, Scope
from entrepot.access.queries import Account
from entrepot.access.scopes import grant
from entrepot.access.tokens import (
    ACCESS_TOKEN_LIFE,
    ANONYMOUS_TOKEN_LIFE,
    BACKDATED,
    REFRESH_TOKEN_LIFE,
    Grant,
    TokenKind,
    issue,
)
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.gate.sign_in import SignedIn

# What ACR answers an anonymous client that asks for what it may not: a token all the same (ACR-REFERENCE 4.6). No
# repository has this name, so it opens nothing.
_PULL_ONLY: Final = (Scope("repository", "*", frozenset({"pull"})),)
# What a refresh token tells of its holder. Nobody decides by it.
_PERMISSIONS: Final = (
    ("read", Action.CONTENT_READ),
    ("write", Action.CONTENT_WRITE),
    ("delete", Action.CONTENT_DELETE),
    ("metadata/read", Action.METADATA_READ),
    ("metadata/write", Action.METADATA_WRITE),
)


class Issued(NamedTuple):
    """A signed token and how long it is good."""

    token: str
    life: timedelta


async def issue_access_token(call: Call, signed_in: SignedIn, asked: list[Scope]) -> Issued:
    """With what of the asked is permitted; with no scope at all for a plain sign-in. Raises UNAUTHENTICATED."""
    rights = await call.site.authenticator.rights(signed_in.principal, call.registry)
    presented = signed_in.token
    narrowed: Iterable[Scope] = asked
    until = [call.now() + ACCESS_TOKEN_LIFE]
    if presented is not None and presented.kind is TokenKind.ACCESS:
        narrowed = grant(Granted(presented.scopes), asked)
        until.append(presented.expires_at)
    return await _issue(call, signed_in, _Wanted(TokenKind.ACCESS, min(until), grant(rights, narrowed)))


async def issue_anonymous_token(call: Call, asked: list[Scope]) -> Issued:
    """Where everyone may pull. Raises UNAUTHENTICATED where not."""
    if not call.registry.anonymous_pull:
        raise Problem(Kind.UNAUTHENTICATED)
    scopes = grant(await call.site.authenticator.rights(ANONYMOUS, call.registry), asked)
    if asked and not scopes:
        scopes = _PULL_ONLY
    wanted = _Wanted(TokenKind.ACCESS, call.now() + ANONYMOUS_TOKEN_LIFE, scopes)
    return await _issue(call, SignedIn(ANONYMOUS, ""), wanted)


async def issue_refresh_token(call: Call, signed_in: SignedIn, client_id: str, tenant: str) -> Issued:
    """``tenant`` is empty unless the client named it. Raises UNAUTHENTICATED."""
    rights = await call.site.authenticator.rights(signed_in.principal, call.registry)
    wanted = _Wanted(
        TokenKind.REFRESH,
        call.now() + REFRESH_TOKEN_LIFE,
        client_id=client_id,
        tenant=tenant,
        permissions=_permissions(rights),
    )
    return await _issue(call, signed_in, wanted)


def _permissions(rights: Rights) -> tuple[str, ...]:
    """Those that hold in any repository."""
    return tuple(word for word, action in _PERMISSIONS if rights.allow(action, ""))


class _Wanted(NamedTuple):
    kind: TokenKind
    until: datetime
    scopes: tuple[Scope, ...] = ()
    client_id: str = ""
    tenant: str = ""
    permissions: tuple[str, ...] = ()


async def _issue(call: Call, signed_in: SignedIn, wanted: _Wanted) -> Issued:
    authenticator, now = call.site.authenticator, call.now()
    account = None if signed_in.principal == ANONYMOUS else await authenticator.account(signed_in.principal)
    ends = account.credentials.get(signed_in.credential) if account else None
    until = wanted.until if ends is None else min(wanted.until, ends)
    granted = Grant(
        signed_in.principal,
        call.registry.rid,
        call.host.authority,
        wanted.scopes,
        now - BACKDATED,
        until,
        signed_in.credential,
        wanted.kind,
        name=(account and account.upn) or "",
        client_id=wanted.client_id or _client_of(signed_in, account),
        tenant=wanted.tenant,
        permissions=wanted.permissions,
    )
    token_id = str(uuid.UUID(call.site.new_id()))
    token = issue(granted, token_id, await authenticator.signing_key())
    _write_down(call, granted, token_id)
    return Issued(token, until - now)


def _write_down(call: Call, granted: Grant, token_id: str) -> None:
    origin = replace(call.origin(), credential=granted.credential)
    scopes = [f"{scope.type}:{scope.name}:{','.join(sorted(scope.actions))}" for scope in granted.scopes]
    detail = {"jti": token_id, "scopes": scopes, "until": granted.expires_at}
    call.site.auditor.issued(granted.principal, granted.audience, origin, detail)


def _client_of(signed_in: SignedIn, account: Account | None) -> str:
    """The application that asks: a service principal itself, or the one that got the token which is presented."""
    if signed_in.token is not None:
        return signed_in.token.client_id
    return (account and account.client_id) or ""
