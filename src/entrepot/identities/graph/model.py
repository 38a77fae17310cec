"""Graph's documents, as far as az and the SDKs look into them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from entrepot.identities.model import Application, Credential, Kind, PersonAttributes, Principal, Proof

# Members that are kept as they were written, and shown again.
Json = msgspec.Raw


class Redirects(msgspec.Struct, rename="camel", omit_defaults=True):
    redirect_uris: list[str] = []
    home_page_url: str | None = None
    logout_url: str | None = None
    implicit_grant_settings: dict[str, bool] = {}


class ApplicationSettings(msgspec.Struct, rename="camel", omit_defaults=True):
    """What may be written of an application, beside its name and its keys."""

    identifier_uris: list[str] = []
    sign_in_audience: str = "AzureADMyOrg"
    is_fallback_public_client: bool | None = None
    web: Redirects = msgspec.field(default_factory=Redirects)
    spa: Redirects = msgspec.field(default_factory=Redirects)
    public_client: Redirects = msgspec.field(default_factory=Redirects)
    notes: str | None = None
    description: str | None = None


class PasswordCredential(msgspec.Struct, rename="camel"):
    key_id: str
    display_name: str | None
    start_date_time: datetime
    end_date_time: datetime | None
    hint: str
    secret_text: str | None = None
    custom_key_identifier: str | None = None


class KeyCredential(msgspec.Struct, rename="camel"):
    key_id: str
    display_name: str | None
    start_date_time: datetime
    end_date_time: datetime | None
    custom_key_identifier: str
    type: str = "AsymmetricX509Cert"
    usage: str = "Verify"
    key: str | None = None


class ApplicationDocument(msgspec.Struct, rename="camel"):
    id: str
    app_id: str
    display_name: str
    created_date_time: datetime
    identifier_uris: list[str]
    sign_in_audience: str
    is_fallback_public_client: bool | None
    web: Redirects
    spa: Redirects
    public_client: Redirects
    notes: str | None
    description: str | None
    password_credentials: list[PasswordCredential]
    key_credentials: list[KeyCredential]
    app_roles: list[str] = []
    required_resource_access: list[str] = []
    tags: list[str] = []


class ObjectDocument(msgspec.Struct, rename="camel", omit_defaults=True):
    """Somebody of the directory. ``odata_type`` tells which of the other members mean anything."""

    odata_type: str = msgspec.field(name="@odata.type")
    id: str = ""
    display_name: str = ""
    created_date_time: datetime | None = None
    account_enabled: bool | None = None
    app_id: str | None = None
    app_display_name: str | None = None
    app_owner_organization_id: str | None = None
    service_principal_type: str | None = None
    service_principal_names: list[str] | None = None
    user_principal_name: str | None = None
    mail: str | None = None
    mail_nickname: str | None = None
    mail_enabled: bool | None = None
    security_enabled: bool | None = None
    description: str | None = None


class GroupSettings(msgspec.Struct, rename="camel", omit_defaults=True):
    """What is kept of a group beside its name."""

    mail_nickname: str | None = None
    description: str | None = None


ODATA_TYPES: Final = {
    Kind.USER: "#microsoft.graph.user",
    Kind.SERVICE_PRINCIPAL: "#microsoft.graph.servicePrincipal",
    Kind.GROUP: "#microsoft.graph.group",
}


def document_of(found: Principal, application: Application | None = None) -> ObjectDocument:
    """``application``: the one that a service principal stands for."""
    kind = Kind(found.kind)
    shown = ObjectDocument(ODATA_TYPES[kind], found.id, found.name, found.created_at)
    match kind:
        case Kind.USER:
            shown.account_enabled, shown.user_principal_name, shown.mail = found.enabled, found.upn, found.upn
            shown.mail_nickname = msgspec.json.decode(found.attributes, type=PersonAttributes).mail_nickname
        case Kind.GROUP:
            kept = msgspec.json.decode(found.attributes, type=GroupSettings)
            shown.mail_nickname, shown.description = kept.mail_nickname or found.id, kept.description
            shown.mail_enabled, shown.security_enabled = False, True
        case Kind.SERVICE_PRINCIPAL:
            uris = [] if application is None else settings_of(application).identifier_uris
            shown.account_enabled, shown.app_id, shown.app_display_name = found.enabled, found.client_id, found.name
            shown.service_principal_type = found.type or "Application"
            shown.service_principal_names = [*([found.client_id] if found.client_id else []), *uris]
            shown.app_owner_organization_id = found.tenant_id
    return shown


def settings_of(application: Application) -> ApplicationSettings:
    return msgspec.json.decode(application.attributes, type=ApplicationSettings)


def application_document(application: Application, credentials: Sequence[Credential]) -> ApplicationDocument:
    kept = settings_of(application)
    return ApplicationDocument(
        id=application.id,
        app_id=application.client_id,
        display_name=application.name,
        created_date_time=application.created_at,
        identifier_uris=kept.identifier_uris,
        sign_in_audience=kept.sign_in_audience,
        is_fallback_public_client=kept.is_fallback_public_client,
        web=kept.web,
        spa=kept.spa,
        public_client=kept.public_client,
        notes=kept.notes,
        description=kept.description,
        password_credentials=[password_document(each) for each in credentials if each.kind == Proof.SECRET],
        key_credentials=[_key(each) for each in credentials if each.kind == Proof.CERTIFICATE],
    )


def password_document(kept: Credential, secret: str | None = None) -> PasswordCredential:
    """``secret``: its text, at the only moment when it can be read."""
    return PasswordCredential(kept.id, kept.name or None, kept.created_at, kept.expires_at, kept.hint, secret)


def _key(kept: Credential) -> KeyCredential:
    return KeyCredential(kept.id, kept.name or None, kept.created_at, kept.expires_at, kept.fingerprint[:40].upper())
