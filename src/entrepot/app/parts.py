"""Settings into parts: what both the web workers and the job worker are made of."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from ssl import SSLContext, SSLError
from typing import TYPE_CHECKING, Final

from entrepot.access.vaults import Vaults
from entrepot.caching.images.upstream import Upstreams
from entrepot.catalog.manifests.commit import Sparse
from entrepot.content.model import ContentStore
from entrepot.content.stores import SETTING as BLOB_URL
from entrepot.content.stores import open_store
from entrepot.db.database import Database, open_database
from entrepot.distribution.parts import Limits
from entrepot.gate.doors import THREADS
from entrepot.gate.firewall import Firewall, parse_network
from entrepot.gate.hosts import Hosts
from entrepot.gate.rates import Keeping, Rate
from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound, proxy_of, tls_context
from entrepot.registries.tiers import tier_of
from entrepot.settings import DEFAULT_DOMAIN, SettingError, Settings
from entrepot.web.rates import Buckets, Pool

if TYPE_CHECKING:
    from entrepot.identities.ldap import LdapDirectory

# Every thread behind the doors may hold a connection.
_POOL: Final = THREADS


def open_catalog(settings: Settings) -> Database:
    """Raises SettingError for a URL that cannot be used."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    url = settings.database_url
    try:
        return open_database(url.get_secret_value() if url else None, settings.data_dir, pool_size=_POOL)
    except ValueError as error:
        raise SettingError("database_url", str(error)) from error


def open_content(settings: Settings) -> ContentStore:
    """Raises SettingError for a URL that cannot be used."""
    try:
        return open_store(settings.blob_url or blob_folder(settings).as_uri(), name=settings.region)
    except ValueError as error:
        raise SettingError("blob_url", str(error).removeprefix(f"{BLOB_URL}: ")) from error


def vaults_of(settings: Settings) -> Vaults:
    folders = dict(each.split("=", 1) for each in settings.vaults)
    return Vaults({name.lower(): Path(folder) for name, folder in folders.items()})


def upstreams_of(settings: Settings, database: Database) -> Upstreams:
    """Where cached images come from. Raises SettingError."""
    return Upstreams(open_outbound(settings), vaults_of(settings), database)


def open_outbound(settings: Settings) -> Outbound:
    """The one way out. Raises SettingError for a CA file that cannot be used."""
    tls = _trust_of_outbound(settings.outbound_ca_file)
    proxy = settings.outbound_proxy
    return Outbound(
        Permitted.of(settings.outbound_allow), tls, proxy_of(proxy.get_secret_value(), tls) if proxy else None
    )


def open_ldap(settings: Settings) -> "LdapDirectory | None":
    """The LDAP directory of the settings, if they name one. Raises SettingError for a CA file that cannot be used."""
    if settings.ldap_url is None or settings.ldap_user_base is None:
        return None
    # 0.2 s and 9 MiB in every worker: for those who have a directory.
    from entrepot.identities.ldap import LdapDirectory, LdapPlace, address_of  # noqa: PLC0415  see above

    host, port, transport = address_of(settings.ldap_url)
    password = settings.ldap_bind_password
    place = LdapPlace(
        host,
        port,
        transport,
        _trust(settings.outbound_ca_file),
        settings.ldap_user_base,
        settings.ldap_user_filter,
        settings.ldap_group_base,
        settings.ldap_bind_dn,
        password.get_secret_value() if password else None,
    )
    return LdapDirectory(place)


# To load the system's CAs takes 50 ms, and a process has several clients.
@lru_cache(maxsize=4)
def _trust_of_outbound(ca_file: Path | None) -> SSLContext:
    return _trust(ca_file)


def _trust(ca_file: Path | None) -> SSLContext:
    try:
        return tls_context(ca_file)
    except OSError as error:
        reason = "holds no PEM certificate" if isinstance(error, SSLError) else error.strerror
        raise SettingError("outbound_ca_file", f"{ca_file}: {reason}") from error


def blob_folder(settings: Settings) -> Path:
    return settings.data_dir.absolute() / "content"


def hosts_of(settings: Settings) -> Hosts:
    return Hosts(settings.domain, settings.seen_port, DEFAULT_DOMAIN, settings.tls_names)


def management_firewall(settings: Settings) -> Firewall | None:
    """Whom the management API with its upload and log URLs, Graph and the audit log answer. None: everybody."""
    named = tuple(parse_network(str(each)) for each in settings.management_networks)
    return Firewall(public=True, default_allow=False, allowed=named) if named else None


def limits_of(settings: Settings) -> Limits:
    return Limits(
        blob_bytes=settings.max_blob_bytes,
        uploads_per_principal=settings.uploads_per_principal,
        idle_seconds=settings.upload_idle_seconds,
        unlinked_grace=timedelta(seconds=settings.gc_unlinked_grace_seconds),
    )


def keeping_of(settings: Settings, buckets: Buckets | None, clock: Callable[[], datetime]) -> Keeping | None:
    """To request rates, if the settings say so."""
    if not settings.request_rates:
        return None

    def rates_of(sku: str, own: str | None) -> dict[Pool, Rate]:
        limits = {limit.value: value for limit, value in tier_of(sku, own, settings.tier_limits).limits.items()}
        return {pool: Rate(limits[pool.value], limits.get(f"{pool.value}PerIdentity")) for pool in Pool}

    return Keeping(buckets or Buckets(), rates_of, clock)


def sparse_of(settings: Settings) -> Sparse:
    return Sparse.ACCEPTED if settings.sparse_manifests else Sparse.REFUSED


def utc_now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    """A random id: 32 hex digits."""
    return uuid.uuid4().hex
