"""Settings into the parts that sign people in: their passwords, LDAP, the outside identity provider."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from entrepot.access.sealing import Sealer
from entrepot.app.parts import open_ldap, open_outbound
from entrepot.app.secret_key import provider_secret
from entrepot.gate.doors import Doors
from entrepot.identities.external.following import Following
from entrepot.identities.external.model import Outside, Source, TakesPasswords, Welcome
from entrepot.identities.external.oidc import Provider, RelyingParty
from entrepot.identities.federation.issuers import Issuers
from entrepot.identities.signing_in.passwords import BasicPeople, Passwords
from entrepot.identities.signing_in.proving import Proving
from entrepot.settings import Settings


@dataclass(frozen=True, slots=True)
class SigningIn:
    """What signs people in, and keeps after them. ``basic``: None where programs may not use their passwords."""

    issuers: Issuers
    proving: Proving
    following: Following
    passwords: Passwords
    basic: BasicPeople | None
    provider: RelyingParty | None


def open_signing_in(settings: Settings, doors: Doors, sealer: Sealer, clock: Callable[[], datetime]) -> SigningIn:
    """Raises SettingError for a file that cannot be used."""
    outbound, proving = open_outbound(settings), Proving(doors)
    issuers = Issuers(outbound)
    ldap, provider = _open_ldap_people(settings), provider_of(settings)
    outsides: dict[Source, Outside] = {}
    if ldap is not None:
        outsides[Source.LDAP] = Outside(ldap, _ldap_welcome(settings))
    party = None if provider is None else RelyingParty(provider, issuers, outbound)
    if party is not None:
        outsides[Source.OIDC] = Outside(party, _oidc_welcome(settings))
    following = Following(doors, sealer, outsides, timedelta(seconds=settings.outside_check_seconds), clock)
    passwords = Passwords(doors, proving, clock, following, ldap)
    basic = BasicPeople(passwords, following) if settings.password_grant else None
    return SigningIn(issuers, proving, following, passwords, basic, party)


def provider_of(settings: Settings) -> Provider | None:
    """The outside identity provider of the settings. Raises SettingError for a secret's file that cannot be used."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    return Provider(
        name=settings.oidc_name,
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=provider_secret(settings),
        scopes=settings.oidc_scopes,
        user_claim=settings.oidc_user_claim,
        groups_claim=settings.oidc_groups_claim,
    )


def _open_ldap_people(settings: Settings) -> TakesPasswords | None:
    directory = open_ldap(settings)
    if directory is None:
        return None
    # It brings ldap3 along: see open_ldap.
    from entrepot.identities.external.ldap_people import LdapPeople  # noqa: PLC0415  see above

    return LdapPeople(directory, settings.ldap_domain)


def _ldap_welcome(settings: Settings) -> Welcome:
    """Names in LDAP compare without case."""
    return Welcome(_by_theirs((theirs.casefold(), ours) for theirs, ours in settings.ldap_groups))


def _oidc_welcome(settings: Settings) -> Welcome:
    return Welcome(
        groups=_by_theirs(settings.oidc_groups),
        new_people=settings.oidc_new_people,
        domains=settings.oidc_domains,
        required_groups=frozenset(settings.oidc_required_groups),
    )


def _by_theirs(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """One group of theirs may mean several of ours."""
    found: dict[str, tuple[str, ...]] = {}
    for theirs, ours in pairs:
        found[theirs] = (*found.get(theirs, ()), ours)
    return found
