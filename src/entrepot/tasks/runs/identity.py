"""What a run signs in with: at each registry a name and a password of its own, and at the directory's endpoint for
managed identities a header. All of it ends with the run (ACR-TASKS 8).
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import Connection

from entrepot.access import queries
from entrepot.access.model import Nothing
from entrepot.access.queries import RUN_PREFIX, LentCredential, RunPrincipal
from entrepot.access.rights import Where, rights_of
from entrepot.access.secrets import generate_secret, hash_generated
from entrepot.access.vaults import VaultFailed, Vaults
from entrepot.settings import is_loopback
from entrepot.tasks.execution.model import Login
from entrepot.tasks.model import CustomRegistry
from entrepot.tasks.runs.acting import CALLER, chosen, default_of, foreign, own_login, plain, why_not
from entrepot.tasks.runs.model import Lent, Plan, Secrets
from entrepot.tasks.runs.queries import RunRow, insert_principal

# After its run's limit: for the last push, and the end.
_MARGIN: Final = timedelta(minutes=10)
_ENDPOINT_NAME: Final = "IDENTITY_ENDPOINT"
_HEADER_NAME: Final = "IDENTITY_HEADER"


class SignInFailed(Exception):
    """What a run is to sign in with is not to be had, and why."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What can be signed in to. ``registry``: one of this deployment by its login server, None for a foreign host.

    ``own``: a registry by its row, None for one that was deleted, and its login server. ``endpoint``: where tokens of
    managed identities are.
    """

    registry: Callable[[Connection, str], Where | None]
    own: Callable[[Connection, int], tuple[Where | None, str]]
    vaults: Vaults
    endpoint: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """``environment``: of steps, by which clients find the identities' tokens."""

    logins: tuple[Login, ...]
    environment: dict[str, str] = field(repr=False)

    def secrets(self) -> list[str]:
        """What no log may show."""
        return [*(login.password for login in self.logins), *filter(None, [self.environment.get(_HEADER_NAME)])]

    def warning(self) -> str:
        """What whoever reads the log should know of the endpoint; empty where nothing is the matter."""
        endpoint = self.environment.get(_ENDPOINT_NAME, "")
        host = urlsplit(endpoint).hostname or ""
        if not is_loopback(host):
            return ""
        return (
            f"No step reaches the tokens of this run's identities at {endpoint}: {host} is the step's own container "
            "there. Give the deployment a name (--domain) and an address (--host) that containers reach"
        )


class _Place(NamedTuple):
    """A registry of this deployment, and whose rights the run has there: None for all that an admin account may."""

    server: str
    where: Where
    acts_as: str | None


@dataclass(frozen=True, slots=True)
class Signing:
    """A run that is to sign in. ``passwords``: of registries of which it was told one."""

    row: RunRow
    plan: Plan
    passwords: tuple[Login, ...] = ()


def sign_in(tx: Connection, signing: Signing, reach: Reach, now: datetime) -> SignedIn:
    """What an attempt before had is good no longer. Raises SignInFailed."""
    row, plan = signing.row, signing.plan
    sign_out(tx, row)
    ends = now + timedelta(seconds=plan.timeout) + _MARGIN
    own: list[Login] = []
    for place in _places(tx, signing, reach):
        principal, login = _made(row, place, now, ends)
        queries.insert_run_principal(tx, principal)
        insert_principal(tx, row.id, principal.id)
        own.append(login)
    lent, header = _lent(row, plan, now, ends)
    for each in lent:
        queries.insert_lent_credential(tx, each)
    environment = {_ENDPOINT_NAME: reach.endpoint, _HEADER_NAME: header} if lent else {}
    return SignedIn((*own, *signing.passwords), environment)


def _places(tx: Connection, signing: Signing, reach: Reach) -> list[_Place]:
    """The registries of this deployment that it signs in to by itself. Raises SignInFailed."""
    plan, told = signing.plan, {login.server.lower() for login in signing.passwords}
    where, server = reach.own(tx, signing.row.registry_id)
    if where is None:
        raise SignInFailed("the run's registry was deleted")
    name = own_login(plan.credentials.source_registry, where.mode)
    found = {} if name is None else {server.lower(): _Place(server, where, _acting(name, plan) if name else None)}
    for other, custom in (plan.credentials.custom_registries or {}).items():
        if custom.identity and other.lower() not in told:
            there = reach.registry(tx, other)
            if there is None:
                raise SignInFailed(foreign(other))
            found[other.lower()] = _Place(other, there, _acting(plain(custom.identity), plan))
    wanted = [place for known, place in found.items() if known not in told]
    for place in wanted:
        _expect_role(tx, place)
    return wanted


def _acting(name: str, plan: Plan) -> str:
    """The principal. Raises SignInFailed."""
    if name == CALLER:
        if not plan.principal:
            raise SignInFailed("nobody asked for this run, so it cannot act as its caller: give the task an identity")
        return plan.principal
    return _identity(name, plan).principal


def _identity(name: str, plan: Plan) -> Lent:
    """By its plain name; without one the default. Raises SignInFailed."""
    found = chosen(name, plan.identities) if name else default_of(plan.identities)
    if found is None:
        raise SignInFailed(why_not(name or "system", plan.identities))
    return found


def _expect_role(tx: Connection, place: _Place) -> None:
    """Clients tell of a missing role only that they may not. Raises SignInFailed."""
    if place.acts_as is not None and isinstance(rights_of(tx, place.acts_as, place.where), Nothing):
        raise SignInFailed(
            f"the identity {place.acts_as} has no role on {place.server}: az role assignment create --role AcrPush "
            f"--assignee-object-id {place.acts_as} --scope {place.where.scope}"
        )


def passwords_of(plan: Plan, secrets: Secrets, vaults: Vaults) -> tuple[Login, ...]:
    """Of the registries of which it was told one, or where a vault keeps it. Raises SignInFailed."""
    return tuple(_told(server, halves, plan, vaults) for server, halves in secrets.registries.items())


def _told(server: str, halves: tuple[str, str], plan: Plan, vaults: Vaults) -> Login:
    custom = (plan.credentials.custom_registries or {}).get(server, CustomRegistry())
    user, password = (
        half if kept is None or kept.value is None else read_secret(kept.value, plain(custom.identity), plan, vaults)
        for half, kept in zip(halves, (custom.user_name, custom.password), strict=True)
    )
    return Login(server, user, password)


def read_secret(url: str, name: str, plan: Plan, vaults: Vaults) -> str:
    """Of a vault, as the identity of this plain name, or the default one. Raises SignInFailed."""
    try:
        return vaults.read(url, _identity(name, plan))
    except (VaultFailed, SignInFailed) as wrong:
        raise SignInFailed(f"{url[:300]}: {wrong}") from None


def _made(row: RunRow, place: _Place, now: datetime, ends: datetime) -> tuple[RunPrincipal, Login]:
    secret, made = generate_secret(), str(uuid.uuid4())
    name = f"{_prefix(row)}{made}"
    principal = RunPrincipal(made, name, place.where.registry, place.acts_as, hash_generated(secret), now, ends)
    return principal, Login(place.server, name, secret)


def _lent(row: RunRow, plan: Plan, now: datetime, ends: datetime) -> tuple[list[LentCredential], str]:
    """For each identity of the run one, all proved by one header."""
    secret, name = generate_secret(), f"{_prefix(row)}{uuid.uuid4()}"
    hashed = hash_generated(secret)
    made = [
        LentCredential(str(uuid.uuid4()), each.principal, name, "" if each.resource else "system", hashed, now, ends)
        for each in plan.identities
    ]
    return made, f"{name}.{secret}"


def sign_out(tx: Connection, row: RunRow) -> None:
    """Within two seconds nobody is the run any more, nor has tokens that it got."""
    if queries.delete_run_principals(tx, _prefix(row)) + queries.delete_lent_credentials(tx, _prefix(row)):
        queries.raise_epoch(tx)


def _prefix(row: RunRow) -> str:
    return f"{RUN_PREFIX}{row.id}-"
