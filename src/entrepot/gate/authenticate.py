"""Who asks: Basic, Bearer or nobody. What was verified is remembered until the access epoch moves (DESIGN D9)."""

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from entrepot.access import queries, tokens
from entrepot.access.directory_tokens import Assertion, read_directory_token
from entrepot.access.keyring import open_key
from entrepot.access.keys import SigningKey, Use, current
from entrepot.access.model import ANONYMOUS, Action, Decision, Granted, Identity, Nothing, ReadEverything, Rights
from entrepot.access.queries import Account
from entrepot.access.rights import may_manage, may_manage_each, rights_of
from entrepot.access.sealing import Sealer
from entrepot.access.tokens import Grant, TokenKind
from entrepot.errors import Kind, Problem
from entrepot.gate.doors import Doors
from entrepot.gate.memory import remember
from entrepot.gate.registries import Registry
from entrepot.gate.sign_in import People, SignedIn, SignIns

# Who presents a token in a password's place (ACR-REFERENCE 4.4).
NIL_USER: Final = "00000000-0000-0000-0000-000000000000"


class _Within:
    """What a token lists, as far as its principal may: the word ``pull`` permits more than some scope maps do."""

    __slots__ = ("_held", "_listed")

    def __init__(self, listed: Rights, held: Rights) -> None:
        self._listed = listed
        self._held = held

    def allow(self, action: Action, repository: str | None) -> bool:
        return self._listed.allow(action, repository) and self._held.allow(action, repository)

    def explain(self, action: Action, repository: str | None) -> Decision:
        listed = self._listed.explain(action, repository)
        return self._held.explain(action, repository) if listed.allowed else listed


class _Verified:
    """A token of ours, and the identity that it gives, as an access token, before and after its end."""

    __slots__ = ("current", "expired", "grant")

    def __init__(self, grant: Grant, held: Rights) -> None:
        self.grant = grant
        rights = _Within(Granted(grant.scopes), held)
        self.current = Identity(grant.principal, rights, credential=grant.credential, method="bearer")
        self.expired = Identity(grant.principal, rights, True, grant.credential, "bearer")  # noqa: FBT003  expired


class Authenticator:
    """Answers who a request comes from. One per worker process.

    ``people``: who checks their names and passwords, where they may sign in to registries with these.
    """

    def __init__(
        self, doors: Doors, sealer: Sealer, clock: Callable[[], datetime], people: People | None = None
    ) -> None:
        self._doors = doors
        self._sealer = sealer
        self._clock = clock
        self._sign_ins = SignIns(doors, clock, people)
        self.forget()

    def forget(self) -> None:
        """Drop everything: access has changed somewhere.

        New memories, not emptied ones: a look-up under way keeps the one that it began with, and what it finds there
        may be from before the change.
        """
        self._keys: dict[Use, dict[str, SigningKey]] = {}
        self._grants: dict[str, _Verified] = {}
        self._assertions: dict[str, Assertion] = {}
        self._accounts: dict[str, Account | None] = {}
        self._rights: dict[tuple[str, int], Rights] = {}
        self._managed: dict[tuple[str, str, str], bool] = {}
        self._sign_ins.forget()

    async def identify(self, authorization: str | None, registry: Registry, address: str = "") -> Identity:
        """The identity behind an Authorization header that came from this address. Raises UNAUTHENTICATED,
        TOO_MANY_REQUESTS.
        """
        if authorization is None:
            return anonymous(registry)
        kind, _, value = authorization.partition(" ")
        match kind.lower():
            case "bearer":
                return await self._bearer(value.strip(), registry)
            case "basic":
                return await self._basic(value.strip(), registry, address)
            case _:
                raise Problem(Kind.UNAUTHENTICATED, reason="use Bearer or Basic")

    async def sign_in(self, name: str, secret: str, registry: Registry, address: str) -> SignedIn:
        """Whose name and secret these are; the secret may be a token of ours. Raises UNAUTHENTICATED,
        TOO_MANY_REQUESTS.
        """
        if name != NIL_USER:
            return await self._sign_ins.find(name, secret, registry, address)
        grant = await self.token(secret, registry)
        return SignedIn(grant.principal, grant.credential, token=grant)

    async def token(self, token: str, registry: Registry) -> Grant:
        """What a token of ours for this registry says, of either kind, while it is good. Raises UNAUTHENTICATED."""
        grant = (await self._verify(token, registry)).grant
        if self._clock() >= grant.expires_at:
            raise Problem(Kind.UNAUTHENTICATED, reason="the token has expired")
        return grant

    async def account(self, principal: str) -> Account | None:
        """The principal as it is now; None when it is disabled or gone."""
        remembered = self._accounts
        if principal in remembered:
            return remembered[principal]
        found = await self._doors.read(queries.find_account, principal)
        remember(remembered, principal, found)
        return found

    async def rights(self, principal: str, registry: Registry) -> Rights:
        """What the principal may do in the registry by its roles."""
        if principal == ANONYMOUS:
            return anonymous(registry).rights
        key, remembered = (principal, registry.id), self._rights
        found = remembered.get(key)
        if found is None:
            found = await self._doors.read(rights_of, principal, registry.where)
            remember(remembered, key, found)
        return found

    async def may_manage(self, principal: str, operation: str, resource_id: str) -> bool:
        """Whether the principal's roles permit the management operation on the resource."""
        key, remembered = (principal, operation, resource_id), self._managed
        found = remembered.get(key)
        if found is None:
            found = await self._doors.read(may_manage, principal, operation, resource_id)
            remember(remembered, key, found)
        return found

    async def may_manage_each(self, principal: str, asked: Sequence[tuple[str, str]]) -> list[bool]:
        """The same for operations on many resources; not remembered, since a long list would push out all else."""
        return await self._doors.read(may_manage_each, principal, asked)

    async def signing_key(self, use: Use = Use.REGISTRY) -> SigningKey:
        """The key that signs now."""
        return current(list((await self.keys(use)).values()), self._clock())

    async def keys(self, use: Use) -> dict[str, SigningKey]:
        """Every key of the use whose tokens may be about, newest first."""
        keys = self._keys
        if not keys:
            keys.update(await self._doors.read(_load_keys, self._sealer))
        return keys[use]

    async def assertion(self, token: str) -> Assertion:
        """What a token of the directory says, whoever it is for. Raises UNAUTHENTICATED."""
        remembered = self._assertions
        found = remembered.get(token)
        if found is None:
            found = read_directory_token(token, await self.keys(Use.DIRECTORY))
            remember(remembered, token, found)
        if not found.not_before <= self._clock() < found.expires_at:
            raise Problem(Kind.UNAUTHENTICATED, reason="the token has expired")
        account = await self._expect_live(found.principal, found.credential)
        if account.tenant_id != found.tenant:
            raise Problem(Kind.UNAUTHENTICATED, reason="the token is of another tenant than its principal")
        return found

    async def _bearer(self, token: str, registry: Registry) -> Identity:
        verified = await self._verify(token, registry)
        if verified.grant.kind is not TokenKind.ACCESS:
            raise Problem(Kind.UNAUTHENTICATED, reason="this is not an access token")
        return verified.current if self._clock() < verified.grant.expires_at else verified.expired

    async def _basic(self, value: str, registry: Registry, address: str) -> Identity:
        name, secret = parse_basic(value)
        signed_in = await self.sign_in(name, secret, registry, address)
        if signed_in.token is not None and signed_in.token.kind is TokenKind.ACCESS:
            return await self._bearer(secret, registry)
        found = await self.rights(signed_in.principal, registry)
        return Identity(signed_in.principal, found, credential=signed_in.credential, method="basic")

    async def _verify(self, token: str, registry: Registry) -> _Verified:
        """A token of ours for this registry, which may have expired. Raises UNAUTHENTICATED."""
        grants = self._grants
        verified = grants.get(token)
        grant = verified.grant if verified else tokens.read(token, await self.keys(Use.REGISTRY))
        if grant.registry != registry.rid:
            raise Problem(Kind.UNAUTHENTICATED, reason="the token is for another registry")
        # A principal without any right left is stopped here although its token is good.
        found = self._rights.get((grant.principal, registry.id)) or await self.rights(grant.principal, registry)
        if isinstance(found, Nothing):
            raise Problem(Kind.UNAUTHENTICATED, reason="the principal has no access any more")
        if verified is None:
            verified = _Verified(grant, found)
            remember(grants, token, verified)
        if grant.principal != ANONYMOUS:
            await self._expect_live(grant.principal, grant.credential)
        if self._clock() < grant.not_before:
            raise Problem(Kind.UNAUTHENTICATED, reason="the token is not valid yet")
        return verified

    async def _expect_live(self, principal: str, credential: str) -> Account:
        """A token ends with its principal, and with the credential that it was got with."""
        account = self._accounts.get(principal) or await self.account(principal)
        if account is not None and credential and credential not in account.credentials:
            # It may be newer than what is remembered: a client uses what it got at once, at any worker.
            self._accounts.pop(principal, None)
            account = await self.account(principal)
        if account is None or (credential and credential not in account.credentials):
            raise Problem(Kind.UNAUTHENTICATED, reason="the account or its credential is not valid any more")
        return account


def anonymous(registry: Registry) -> Identity:
    return Identity(ANONYMOUS, ReadEverything() if registry.anonymous_pull else Nothing())


def parse_basic(value: str) -> tuple[str, str]:
    """User name and password. Spec: RFC 7617. Raises UNAUTHENTICATED."""
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except ValueError:  # not base64, not ASCII, not UTF-8
        raise Problem(Kind.UNAUTHENTICATED, reason="the Basic credential cannot be read") from None
    if not colon:
        raise Problem(Kind.UNAUTHENTICATED, reason="the Basic credential cannot be read")
    return user, password


def _load_keys(tx: Connection, sealer: Sealer) -> dict[Use, dict[str, SigningKey]]:
    keys: dict[Use, dict[str, SigningKey]] = {use: {} for use in Use}
    for row in queries.signing_keys(tx):
        keys[Use(row.use)][row.kid] = open_key(row, sealer)
    return keys
