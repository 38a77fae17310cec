"""The resource type Microsoft.ContainerRegistry/registries/tokens, with passwords. Source: ACR-REFERENCE 5.5, 6.5.

A password's value is in the answer that made it and nowhere else. Every change ends at once, which az takes as done.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, TypeGuard

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Act, Ask, Listing, Page, ResourceType
from entrepot.arm.routes import unknown
from entrepot.arm.versions import CONTAINER_REGISTRY
from entrepot.catalog.model import RegistryId
from entrepot.errors import Kind, Problem
from entrepot.registries import queries
from entrepot.registries.model import KnownPassword, Making, Password, Token, TokenPassword
from entrepot.registries.model import Status as Enabled
from entrepot.registries.resource.descriptor import BELOW, REGISTRIES, find_row, moment
from entrepot.registries.resource.model import Created, Status
from entrepot.registries.resource.queries import RegistryRow
from entrepot.registries.tokens import (
    Generating,
    TokenChange,
    create_token,
    delete_token,
    generate_passwords,
    keep_passwords,
    update_token,
)

_PATH: Final = f"{REGISTRIES.paths[0]}/tokens"
_CHILD: Final = re.compile(r"(?P<registry>.+)/(?P<kind>scopeMaps|tokens)/(?P<name>[^/\0]+)", re.IGNORECASE)


class KeptPassword(msgspec.Struct):
    name: TokenPassword


class KeptCredentials(msgspec.Struct):
    """Which passwords stay; what else is told of them is not looked at."""

    passwords: list[KeptPassword]


class TokenSettings(msgspec.Struct, rename="camel"):
    scope_map_id: str | None = None
    status: Status = Status.ENABLED
    credentials: KeptCredentials | None = None


class TokenBody(msgspec.Struct):
    properties: TokenSettings = msgspec.field(default_factory=TokenSettings)


class PasswordDocument(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """``value``: only where it has just been made."""

    creation_time: str
    expiry: str | None = None
    name: str
    value: str | None = None


class TokenCredentials(msgspec.Struct):
    passwords: list[PasswordDocument]


class TokenProperties(msgspec.Struct, rename="camel", omit_defaults=True):
    creation_date: str
    provisioning_state: str
    credentials: TokenCredentials
    status: Status
    scope_map_id: str | None = None


class TokenDocument(msgspec.Struct, rename="camel"):
    id: str
    name: str
    properties: TokenProperties
    system_data: Created
    type: str = "Microsoft.ContainerRegistry/registries/tokens"


class GenerateBody(msgspec.Struct, rename="camel"):
    """Without a name both passwords are made anew."""

    token_id: str
    name: TokenPassword | None = None
    expiry: datetime | None = None


class GeneratedCredentials(msgspec.Struct):
    username: str
    passwords: list[PasswordDocument]


def _find(tx: Connection, ask: Ask) -> TokenDocument | None:
    registry = find_row(tx, ask)
    found = None if registry is None else queries.find_token(tx, RegistryId(registry.id), ask["token"])
    return None if registry is None or found is None else _document(registry.resource_id, found)


def _rows(tx: Connection, ask: Ask, page: Page) -> Sequence[TokenDocument]:
    registry = find_row(tx, ask)
    if registry is None:
        return []
    return [
        _document(registry.resource_id, each)
        for each in queries.tokens(tx, RegistryId(registry.id), page.after, page.limit)
    ]


def _document(registry: str, found: Token) -> TokenDocument:
    created = moment(found.created_at)
    shown = TokenProperties(
        creation_date=created,
        provisioning_state="Succeeded",
        credentials=TokenCredentials([_password(each) for each in found.passwords]),
        status=Status(found.status.value),
        scope_map_id=None if found.scope_map is None else f"{registry}/scopeMaps/{found.scope_map}",
    )
    return TokenDocument(f"{registry}/tokens/{found.name}", found.name, shown, Created(created))


def _password(found: KnownPassword | Password) -> PasswordDocument:
    return PasswordDocument(
        creation_time=_instant(found.created_at),
        expiry=None if found.expires_at is None else _instant(found.expires_at),
        name=found.name,
        value=found.value if isinstance(found, Password) else None,
    )


def _instant(at: datetime) -> str:
    """As ACR writes the times of passwords."""
    return at.isoformat(timespec="microseconds" if at.microsecond else "seconds")


def _write(tx: Connection, ask: Ask, body: TokenBody, current: TokenDocument | None) -> TokenDocument:
    """Raises NAME_INVALID, RESOURCE_INVALID, QUOTA_EXCEEDED."""
    registry, settings = _registry(tx, ask), body.properties
    where, name = RegistryId(registry.id), ask["token"]
    scope_map = None if settings.scope_map_id is None else _child(registry, settings.scope_map_id, "scopeMaps")
    if settings.scope_map_id is not None and scope_map is None:
        raise _invalid("properties.scopeMapId", f"it is the id of a scope map of '{registry.name}'")
    if current is None:
        if scope_map is None:
            raise _invalid("properties.scopeMapId", "a token has the rights of a scope map: name one")
        create_token(tx, where, name, scope_map, Making(ask.now, ask.new_id, ask.deployment.tier_limits))
        scope_map = None
    elif _removes(settings.credentials, current):
        keep_passwords(tx, where, name, [each.name for each in settings.credentials.passwords])
    written = update_token(tx, where, name, TokenChange(scope_map, Enabled(settings.status.value)))
    assert written is not None  # noqa: S101  it was made above, or was there
    return _document(registry.resource_id, written)


def _removes(kept: KeptCredentials | None, current: TokenDocument) -> TypeGuard[KeptCredentials]:
    """Whether the list of passwords lacks one that is there."""
    if kept is None:
        return False
    there = {each.name for each in current.properties.credentials.passwords}
    return not there <= {each.name.value for each in kept.passwords}


def _registry(tx: Connection, ask: Ask) -> RegistryRow:
    """Of a resource below it, once the framework has made sure of it."""
    registry = find_row(tx, ask)
    assert registry is not None  # noqa: S101  as said
    return registry


def _child(registry: RegistryRow, resource_id: str, kind: str) -> str | None:
    """The name in the id of a child of this registry; None for any other id."""
    found = _CHILD.fullmatch(resource_id)
    if found is None or found["kind"].lower() != kind.lower():
        return None
    return found["name"] if found["registry"].lower() == registry.resource_id.lower() else None


def _invalid(target: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, target=target, reason=reason)


def _delete(tx: Connection, ask: Ask, current: TokenDocument) -> None:
    delete_token(tx, RegistryId(_registry(tx, ask).id), current.name)


def _generate(tx: Connection, ask: Ask, body: GenerateBody) -> GeneratedCredentials:
    """Make passwords of a token, and show them this once. Those that are not asked for stay good."""
    registry = find_row(tx, ask)
    if registry is None:
        raise unknown(REGISTRIES, ask.id.rpartition("/")[0])
    name = _child(registry, body.token_id, "tokens")
    if name is None:
        raise _invalid("tokenId", f"it is the id of a token of '{registry.name}'")
    ends = body.expiry if body.expiry is None or body.expiry.tzinfo else body.expiry.replace(tzinfo=UTC)
    names = tuple(TokenPassword) if body.name is None else (body.name,)
    made = generate_passwords(tx, RegistryId(registry.id), name, Generating(names, ends), Making(ask.now, ask.new_id))
    if made is None:
        raise unknown(TOKENS, f"{registry.resource_id}/tokens/{name}")
    return GeneratedCredentials(made.user_name, [_password(each) for each in made.passwords])


TOKENS: Final = ResourceType(
    name="Microsoft.ContainerRegistry/registries/tokens",
    paths=(f"{_PATH}/{{token}}",),
    versions=CONTAINER_REGISTRY,
    document=TokenDocument,
    get=_find,
    body=TokenBody,
    lists=(Listing(_PATH, REGISTRIES.paths[0], _rows),),
    put=_write,
    patch=_write,
    delete=_delete,
    acts=(
        Act(
            f"{REGISTRIES.paths[0]}/generateCredentials",
            REGISTRIES.paths[0],
            "Microsoft.ContainerRegistry/registries/generateCredentials/action",
            _generate,
            GenerateBody,
            GeneratedCredentials,
            writes=True,
        ),
    ),
    parents=BELOW,
)
