"""The resource type Microsoft.ContainerRegistry/registries/credentialSets. Source: ACR-REFERENCE 6.5 and 8.8.

A set has an identity of its own, and names two secrets of a vault, which that identity reads when they are needed: no
secret is kept here. Every change ends at once, which az takes as done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field
from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.access.vaults import NotReader, VaultFailed, Vaults, parse_secret
from entrepot.arm.descriptor import Ask, Going, Listing, Page, ResourceType
from entrepot.arm.identities import Identity, IdentityBody, IdentityType, Own, Settling
from entrepot.arm.versions import CONTAINER_REGISTRY
from entrepot.caching import queries
from entrepot.caching.queries import CredentialSetRow, SetValues
from entrepot.caching.resources import Moments, Owner, Registries, deleted, lock_cache, moment
from entrepot.caching.rules import LOGIN_SERVER, expect_name, invalid, parse_login_server
from entrepot.errors import Kind, Problem

_TYPE: Final = "Microsoft.ContainerRegistry/registries/credentialSets"
_NAME: Final = "Credential1"

Url = Annotated[str, Meta(max_length=2048)]


class AuthCredential(Struct, frozen=True, rename="camel"):
    """The addresses of two secrets: https://VAULT.vault.azure.net/secrets/NAME."""

    name: Literal["Credential1"]
    username_secret_identifier: Url
    password_secret_identifier: Url


class CredentialSetSettings(Struct, frozen=True, rename="camel"):
    login_server: str
    auth_credentials: Annotated[list[AuthCredential], Meta(min_length=1, max_length=1)]


def _own_identity() -> IdentityBody:
    return IdentityBody(IdentityType.SYSTEM)


class CredentialSetBody(Struct, frozen=True):
    properties: CredentialSetSettings
    identity: IdentityBody = field(default_factory=_own_identity)


class CredentialHealth(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Whether the set's identity can read both secrets now."""

    status: Literal["Healthy", "Unhealthy"]
    error_code: str | None = None
    error_message: str | None = None


class ShownCredential(AuthCredential, frozen=True, rename="camel", kw_only=True):
    credential_health: CredentialHealth


class CredentialSetProperties(Struct, frozen=True, rename="camel", kw_only=True):
    login_server: str
    auth_credentials: list[ShownCredential]
    creation_date: str
    provisioning_state: str = "Succeeded"


class CredentialSetDocument(Struct, frozen=True, rename="camel", kw_only=True):
    id: str
    name: str
    identity: Identity | None
    system_data: Moments
    properties: CredentialSetProperties
    type: str = _TYPE


def credential_sets(registries: Registries) -> ResourceType[CredentialSetDocument, CredentialSetBody]:
    """The type below that of registries."""
    path, handlers = f"{registries.resource.paths[0]}/credentialSets", _Handlers(registries)
    return ResourceType(
        name=_TYPE,
        paths=(f"{path}/{{credentialSet}}",),
        versions=CONTAINER_REGISTRY,
        document=CredentialSetDocument,
        get=handlers.find,
        body=CredentialSetBody,
        lists=(Listing(path, registries.resource.paths[0], handlers.rows),),
        put=handlers.put,
        patch=handlers.put,
        delete=handlers.delete,
        parents=registries.parents,
    )


@dataclass(frozen=True, slots=True)
class _Handlers:
    registries: Registries

    def find(self, tx: Connection, ask: Ask) -> CredentialSetDocument | None:
        registry = self.registries.find(tx, ask)
        row = None if registry is None else queries.find_credential_set(tx, registry.id, ask["credentialSet"])
        return None if registry is None or row is None else _document(registry, row, ask.deployment.vaults)

    def rows(self, tx: Connection, ask: Ask, page: Page) -> Sequence[CredentialSetDocument]:
        registry = self.registries.find(tx, ask)
        if registry is None:
            return []
        found = queries.credential_sets(tx, registry.id, page.after, page.limit)
        return [_document(registry, row, ask.deployment.vaults) for row in found]

    def put(
        self, tx: Connection, ask: Ask, body: CredentialSetBody, current: CredentialSetDocument | None
    ) -> CredentialSetDocument:
        """Raises NAME_INVALID, RESOURCE_INVALID."""
        registry, name = self.registries.owner(tx, ask), ask["credentialSet"]
        (credential,), host = body.properties.auth_credentials, parse_login_server(body.properties.login_server)
        _expect_secrets(credential)
        _expect_own_identity(body.identity)
        if current is None:
            expect_name(name, "A credential set's name")
        elif host != current.properties.login_server:
            reason = f"the set is for '{current.properties.login_server}', which stays: make another set"
            raise invalid(LOGIN_SERVER, reason)
        lock_cache(tx, registry)
        row = queries.find_credential_set(tx, registry.id, name)
        own = Own(f"{registry.name}/credentialSets/{name if row is None else row.name}", registry.id)
        identity = Settling(tx, ask).settle(body.identity, None if row is None else row.owned, own)
        urls = (credential.username_secret_identifier, credential.password_secret_identifier)
        values = SetValues(*urls, identity, ask.now)
        if row is None:
            queries.insert_credential_set(tx, registry.id, name, host, values)
        else:
            queries.update_credential_set(tx, row.id, values)
        raise_epoch(tx)
        return _document(*self._row(tx, ask), ask.deployment.vaults)

    def delete(self, tx: Connection, ask: Ask, current: CredentialSetDocument) -> Going[CredentialSetDocument]:  # noqa: ARG002  one shape
        """Its identity goes with it. Raises IN_USE while a rule names it."""
        registry, row = self._row(tx, ask)
        lock_cache(tx, registry)
        rule = queries.rule_that_names(tx, row.id)
        if rule is not None:
            reason = f"the cache rule '{rule}' names it: az acr cache update --remove-cred-set, or delete the rule"
            raise Problem(Kind.IN_USE, code="CredentialSetInUse", reason=reason)
        Settling(tx, ask).settle(IdentityBody(), row.owned)
        queries.delete_credential_set(tx, row.id)
        return deleted(tx, ask, "credentialSets")

    def _row(self, tx: Connection, ask: Ask) -> tuple[Owner, CredentialSetRow]:
        """Raises RESOURCE_UNKNOWN."""
        registry = self.registries.owner(tx, ask)
        row = queries.find_credential_set(tx, registry.id, ask["credentialSet"])
        if row is None:
            reason = f"The Resource '{_TYPE}/{ask['credentialSet']}' was not found."
            raise Problem(Kind.RESOURCE_UNKNOWN, code="ResourceNotFound", reason=reason)
        return registry, row


def _expect_secrets(credential: AuthCredential) -> None:
    """Raises RESOURCE_INVALID for what is no address of a secret."""
    urls = {
        "usernameSecretIdentifier": credential.username_secret_identifier,
        "passwordSecretIdentifier": credential.password_secret_identifier,
    }
    for member, url in urls.items():
        try:
            parse_secret(url)
        except VaultFailed as wrong:
            raise invalid(f"properties.authCredentials[0].{member}", str(wrong)) from None


def _expect_own_identity(identity: IdentityBody) -> None:
    """Raises RESOURCE_INVALID."""
    if identity.type is not IdentityType.SYSTEM:
        raise invalid("identity.type", "a credential set reads its secrets as an identity of its own: SystemAssigned")


def _document(registry: Owner, row: CredentialSetRow, vaults: Vaults) -> CredentialSetDocument:
    shown = ShownCredential(_NAME, row.username_url, row.password_url, credential_health=_health(row, vaults))
    return CredentialSetDocument(
        id=f"{registry.resource_id}/credentialSets/{row.name}",
        name=row.name,
        identity=row.owned,
        system_data=Moments(moment(row.created_at), moment(row.updated_at)),
        properties=CredentialSetProperties(
            login_server=row.login_server, auth_credentials=[shown], creation_date=moment(row.created_at)
        ),
    )


def _health(row: CredentialSetRow, vaults: Vaults) -> CredentialHealth:
    """Both secrets are tried each time: nobody tells when a file or a list of readers changes."""
    try:
        for url in (row.username_url, row.password_url):
            vaults.read(url, row.reader)
    except VaultFailed as wrong:
        code = "Forbidden" if isinstance(wrong, NotReader) else "SecretNotFound"
        return CredentialHealth("Unhealthy", code, str(wrong))
    return CredentialHealth("Healthy")
