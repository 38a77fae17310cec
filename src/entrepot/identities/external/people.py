"""People from outside, as they are kept here: added at their first sign-in, in the groups that the outside says, and
out again when it takes its word back.

Whoever has a password or another outside account here is never taken over by somebody of the same name.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

import msgspec
import structlog
from sqlalchemy import Connection
from structlog.typing import FilteringBoundLogger

from entrepot.access.queries import raise_epoch
from entrepot.access.sealing import Sealer
from entrepot.catalog.model import Change
from entrepot.events.audit import Detail, record_change
from entrepot.identities import queries as directory
from entrepot.identities.external import queries
from entrepot.identities.external.model import Arrival, Kept, Outsider, OutsideRefusedError, Source, Welcome
from entrepot.identities.external.queries import OutsideRow
from entrepot.identities.external.rules import display_name, expect_welcome, groups_here, user_name
from entrepot.identities.model import Credential, Kind, Principal, Proof
from entrepot.identities.operations import Operation

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.identities")

# Longer than any call out takes; whoever asked may have died.
_BUSY: Final = timedelta(seconds=30)
_ID_LIMIT: Final = 1024
_TAKEN: Final = "another account has your user name here; its operator can rename or remove that one"


@dataclass(frozen=True, slots=True)
class Coming:
    """Somebody who comes in now: ids for what may have to be made, the tenant, who caused it.

    ``cause.principal`` is empty: it is whoever comes in.
    """

    person_id: str
    credential_id: str
    tenant_id: str
    cause: Change


@dataclass(frozen=True, slots=True)
class Arrived:
    """Somebody who may go on, and the credential that what they get ends with."""

    person: Principal
    credential: str


class Look(Enum):
    """Why the outside need not be asked now."""

    FRESH = auto()
    BUSY = auto()
    GONE = auto()


def arrive(tx: Connection, sealer: Sealer, arrival: Arrival, welcome: Welcome, coming: Coming) -> Arrived:
    """What the outside has just said of somebody, kept. Raises OutsideRefusedError."""
    expect_welcome(arrival.outsider, welcome)
    person = _person(tx, arrival.outsider, welcome, coming)
    if not person.enabled:
        raise OutsideRefusedError("this account is disabled here")
    if arrival.source is Source.OIDC and directory.credentials_of(tx, person.id, (Proof.TOTP,)):
        raise OutsideRefusedError("this account needs an authenticator's code, for which single sign-on cannot ask")
    name = display_name(arrival.outsider)
    if name != person.name:
        directory.update_principal(tx, person.id, name=name)
    _follow_groups(tx, person, groups_here(arrival.outsider, welcome), coming.cause)
    return Arrived(person, _keep(tx, sealer, arrival, person, coming))


def _person(tx: Connection, outsider: Outsider, welcome: Welcome, coming: Coming) -> Principal:
    if len(outsider.id) > _ID_LIMIT:
        raise OutsideRefusedError("the outside's id of you is too long")
    known = queries.person_by_external_id(tx, outsider.id) or _named(tx, outsider, coming)
    if known is None:
        if not welcome.new_people:
            raise OutsideRefusedError("nobody has added you here yet")
        known = _add(tx, outsider, coming)
    queries.lock_principal(tx, known)
    person = directory.principal_by_id(tx, known)
    if person is None or person.tenant_id != coming.tenant_id:
        raise OutsideRefusedError("this account is of another tenant")
    return person


def _named(tx: Connection, outsider: Outsider, coming: Coming) -> str | None:
    """Somebody who was added without a password and waits for this sign-in; from now on they are this outsider."""
    person = directory.person_by_upn(tx, user_name(outsider))
    if person is None:
        return None
    queries.lock_principal(tx, person.id)
    person = directory.principal_by_id(tx, person.id)
    if person is None or person.external_id is not None or directory.credentials_of(tx, person.id, (Proof.PASSWORD,)):
        raise OutsideRefusedError(_TAKEN)
    directory.update_principal(tx, person.id, external_id=outsider.id)
    _record(tx, coming.cause, Operation.USER_CREATE, person, {"user": person.upn, "outside": outsider.id})
    return person.id


def _add(tx: Connection, outsider: Outsider, coming: Coming) -> str:
    made = Principal(
        id=coming.person_id,
        tenant_id=coming.tenant_id,
        kind=Kind.USER.value,
        name=display_name(outsider),
        enabled=True,
        created_at=coming.cause.now,
        upn=user_name(outsider),
        external_id=outsider.id,
    )
    queries.insert_person(tx, made)
    known = queries.person_by_external_id(tx, outsider.id)
    if known is None:
        raise OutsideRefusedError(_TAKEN)
    if known == made.id:
        _record(tx, coming.cause, Operation.USER_CREATE, made, {"user": made.upn, "outside": outsider.id})
        raise_epoch(tx)
    return known


def _follow_groups(tx: Connection, person: Principal, wanted: frozenset[str], cause: Change) -> None:
    """Into these and no others, as far as the outside put them there; what somebody did by hand stays."""
    ids = _ids_of(tx, person.tenant_id, wanted)
    before = queries.groups_from_outside(tx, person.id)
    added = [group for group in sorted(ids - before) if queries.insert_from_outside(tx, group, person.id)]
    removed = sorted(before - ids)
    if removed:
        queries.delete_from_outside(tx, removed, person.id)
    if added or removed:
        told = {"user": person.upn, "added": added, "removed": removed}
        _record(tx, cause, Operation.GROUP_MEMBERS, person, told)
        raise_epoch(tx)


def _ids_of(tx: Connection, tenant_id: str, wanted: frozenset[str]) -> frozenset[str]:
    """An id comes before a name. A name that no group has, or several have, means none."""
    found = queries.groups_named(tx, tenant_id, wanted)
    ids = frozenset(group for group, _ in found if group in wanted)
    for name in wanted - ids:
        named = [group for group, of in found if of == name]
        if len(named) == 1:
            ids |= {named[0]}
        else:
            log.warning("outside_group_unknown", group=name, found=len(named))
    return ids


def _keep(tx: Connection, sealer: Sealer, arrival: Arrival, person: Principal, coming: Coming) -> str:
    before = queries.outside_of(tx, person.id)
    credential_id = coming.credential_id if before is None else before.id
    refresh = None if arrival.refresh is None else sealer.seal(arrival.refresh, _purpose(credential_id))
    body = msgspec.json.encode(Kept(int(coming.cause.now.timestamp()), arrival.login, refresh)).decode()
    if before is None:
        made = Credential(
            id=credential_id,
            principal_id=person.id,
            kind=Proof.OUTSIDE.value,
            name=arrival.source.value,
            hint="",
            created_at=coming.cause.now,
            expires_at=None,
            fingerprint="",
            body=body,
        )
        directory.insert_credential(tx, made)
    else:
        queries.keep_body(tx, credential_id, body, arrival.source.value)
    return credential_id


def begin_look(tx: Connection, row: OutsideRow, fresh: timedelta, now: datetime) -> Kept | Look:
    """What to ask with; from here on nobody else asks, until it is kept or given up: a provider may take a token that
    is used twice for a stolen one.
    """
    body = queries.locked_body(tx, row.id)
    if body is None:
        return Look.GONE
    kept, moment = msgspec.json.decode(body, type=Kept), int(now.timestamp())
    if moment - kept.checked_at < fresh.total_seconds():
        return Look.FRESH
    if kept.busy_until > moment:
        return Look.BUSY
    kept.busy_until = moment + int(_BUSY.total_seconds())
    queries.keep_body(tx, row.id, msgspec.json.encode(kept).decode(), row.source)
    return kept


def give_up_look(tx: Connection, row: OutsideRow) -> None:
    body = queries.locked_body(tx, row.id)
    if body is not None:
        kept = msgspec.json.decode(body, type=Kept)
        kept.busy_until = 0
        queries.keep_body(tx, row.id, msgspec.json.encode(kept).decode(), row.source)


def is_fresh(row: OutsideRow, fresh: timedelta, now: datetime) -> bool:
    return now.timestamp() - msgspec.json.decode(row.body, type=Kept).checked_at < fresh.total_seconds()


def open_refresh(sealer: Sealer, row: OutsideRow, kept: Kept) -> str | None:
    """The provider's token. Raises SealBrokenError."""
    return None if kept.refresh is None else sealer.open(kept.refresh, _purpose(row.id))


def turn_away(tx: Connection, row: OutsideRow, reason: str, cause: Change) -> None:
    """The outside took its word back: sessions, tokens and groups that came by it end within two seconds."""
    directory.delete_credentials(tx, row.principal_id, (Proof.OUTSIDE, Proof.GRANT))
    queries.delete_from_outside(tx, queries.groups_from_outside(tx, row.principal_id), row.principal_id)
    record_change(tx, cause, Operation.USER_REVOKE, row.principal_id, {"user": row.upn, "reason": reason})
    raise_epoch(tx)


def _purpose(credential_id: str) -> str:
    return f"outside {credential_id}"


def _record(
    tx: Connection,
    cause: Change,
    operation: Operation,
    person: Principal,
    detail: Detail,
) -> None:
    by = Change(cause.principal or person.id, cause.now, cause.event_id, cause.origin)
    record_change(tx, by, operation, person.id, detail)
