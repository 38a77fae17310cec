"""What a setting's value may be: each type says so itself, in the words that a refusal shows."""

import base64
import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Final, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, SecretStr

DEFAULT_DOMAIN: Final = "entrepot.localhost"
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,127}")
_DN: Final = re.compile(r"[A-Za-z0-9.-]+ *=[^\x00]+")
_SCOPE: Final = re.compile(r"[!#-\[\]-~]{1,256}")  # RFC 6749 section 3.3
_AGENT_POOL: Final = re.compile(r"([A-Za-z0-9]{5,50}/)?[A-Za-z0-9-]{3,20}")
_REGION: Final = re.compile(r"[a-z][a-z0-9]{0,31}")
_HOST_OF_RUNS: Final = re.compile(r"(?=.*[.:])[A-Za-z0-9_.:*\[\]-]{1,262}")
_WORKER_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")
# Of one worker, which looks for the runs of each selection of them.
_LABELS: Final = 6
_LABELS_LENGTH: Final = 60
_VAULT: Final = re.compile(r"[A-Za-z0-9-]{1,63}")
_TIER_LIMIT: Final = re.compile(r"[A-Za-z]+\.[A-Za-z]+ *= *[A-Za-z0-9.]+")
_DATABASES: Final = ("postgresql", "sqlite")
_STORES: Final = ("file", "s3", "az", "gs")
_PROXIES: Final = ("http", "https")
_LDAP: Final = ("ldap", "ldaps")
_SYSLOG: Final = ("udp", "tcp", "tls")
DAY: Final = 86_400
_SECRET_LENGTHS: Final = (12, 256)
_SECRET_KEY_BYTES: Final = 32
_FOREIGN_SECRET: Final = 1024


class SettingError(Exception):
    """A setting that cannot be used; ``cli`` names it in the form the user gave it."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(setting, reason)  # both, so that it can be pickled
        self.setting = setting
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.setting}: {self.reason}"


def _split_at_commas(value: object) -> object:
    """A flag and a variable are one string; a TOML file has a list."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _split_at_spaces(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _groups(value: object) -> object:
    """A flag and a variable are one string, ``THEIRS=OURS`` or one name for both; a TOML file has a table."""
    if isinstance(value, str):
        pairs = (part.partition("=") for part in value.split(",") if part.strip())
        return [(theirs.strip(), ours.strip() or theirs.strip()) for theirs, _, ours in pairs]
    return list(cast("Mapping[object, object]", value).items()) if isinstance(value, Mapping) else value


def _a_path(value: object) -> object:
    """An empty one would be the folder that the command happens to stand in."""
    if value == "":
        raise ValueError("use the path of a file or folder")
    return value


def _a_host(value: str) -> str:
    """An IP address or a host name."""
    if is_ip_address(value) or _HOST_NAME.fullmatch(value.lower()):
        return value.lower()
    raise ValueError("use an IP address or a host name")


def _a_domain(value: str) -> str:
    name = value.lower().rstrip(".")
    # A wildcard certificate needs two labels after the star: OpenSSL refuses ``*.localhost``.
    if is_ip_address(name) or not _HOST_NAME.fullmatch(name) or "." not in name:
        raise ValueError("use a domain name of two labels or more, such as registry.example.com")
    return name


def _a_database_url(value: SecretStr) -> SecretStr:
    scheme = urlsplit(value.get_secret_value()).scheme.partition("+")[0]
    if scheme not in _DATABASES:
        raise ValueError("use postgresql://USER:PASSWORD@HOST/NAME, or leave it out for SQLite in the data folder")
    return value


def _a_blob_url(value: str) -> str:
    if urlsplit(value).scheme not in _STORES:
        raise ValueError("use file:/FOLDER, s3://BUCKET/PREFIX, az://CONTAINER/PREFIX or gs://BUCKET/PREFIX")
    return value


def _not_everyone(value: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if value.prefixlen == 0:
        raise ValueError("name the proxy's own network; trusting every address lets anyone forge theirs")
    return value


def _a_network_or_host(value: str) -> str:
    """The network in its usual form, or the host name."""
    if "/" not in value and not is_ip_address(value):
        return _a_host(value)
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ValueError("use networks such as 10.0.0.0/8 and host names, comma-separated") from None


def _a_proxy(value: SecretStr) -> SecretStr:
    try:
        url = urlsplit(value.get_secret_value())
        more = url.path.strip("/") or url.query or url.fragment
        usable = url.scheme in _PROXIES and url.hostname and url.port != 0 and not more
    except ValueError:  # a port that is none
        usable = False
    if not usable:
        raise ValueError("use http://HOST:PORT or http://USER:PASSWORD@HOST:PORT; https works too")
    return value


def _an_ldap_url(value: str) -> str:
    try:
        url = urlsplit(value)
        more = url.path.strip("/") or url.query or url.fragment or "@" in url.netloc
        usable = url.scheme in _LDAP and url.hostname and url.port != 0 and not more
    except ValueError:  # a port that is none
        usable = False
    if not usable:
        raise ValueError("use ldaps://HOST, or ldap://HOST for StartTLS, with :PORT if it is not the usual one")
    return value


def _an_ldap_filter(value: str) -> str:
    if "{user}" not in value or not value.startswith("(") or not value.endswith(")"):
        raise ValueError("use a filter in brackets with {user} for the name that was typed, such as (uid={user})")
    return value


def _an_issuer(value: str) -> str:
    """OpenID Connect Discovery 1.0, section 2: it is compared as it is written."""
    try:
        url = urlsplit(value)
        usable = url.scheme == "https" and url.hostname and url.port != 0 and "@" not in url.netloc
    except ValueError:  # a port that is none
        usable = False
    if not usable or any(letter in value for letter in " ?#") or not value.isascii():
        raise ValueError("use https://HOST or https://HOST/PATH, exactly as the provider's tokens have it")
    return value


def _a_scope(value: str) -> str:
    if _SCOPE.fullmatch(value) is None:
        raise ValueError("use scopes with spaces between them, such as openid email groups")
    return value


def _a_dn(value: str) -> str:
    if _DN.fullmatch(value) is None:
        raise ValueError("use a distinguished name, such as ou=people,dc=example,dc=org")
    return value


def _a_foreign_secret(value: SecretStr) -> SecretStr:
    # An empty one would be an anonymous bind that succeeds.
    if not 1 <= len(value) <= _FOREIGN_SECRET:
        raise ValueError(f"use 1 to {_FOREIGN_SECRET} characters")
    return value


def _a_client_id(value: str) -> str:
    if _CLIENT_ID.fullmatch(value) is None:
        raise ValueError("use 3 to 128 of A-Z a-z 0-9 . _ -, the first a letter or a digit")
    return value


def _a_region(value: str) -> str:
    if _REGION.fullmatch(value) is None:
        raise ValueError("use 1 to 32 of a-z 0-9, the first a letter")
    return value


def _a_tier_limit(value: str) -> str:
    """Its names and values are looked at where the table is (registries/tiers.py)."""
    if _TIER_LIMIT.fullmatch(value) is None:
        raise ValueError("use TIER.LIMIT=VALUE, such as Basic.webhooks=10, comma-separated")
    return value


def _an_agent_pool(value: str) -> str:
    if _AGENT_POOL.fullmatch(value) is None:
        raise ValueError("use NAME, or REGISTRY/NAME, of an agent pool: 3 to 20 letters, digits and -")
    return value.lower()


def _task_labels(values: tuple[str, ...]) -> tuple[str, ...]:
    """In lower case, each once; the queue of workers that are alike is called by them."""
    labels = tuple(dict.fromkeys(value.lower() for value in values))
    is_short = len(labels) <= _LABELS and len(",".join(labels)) <= _LABELS_LENGTH
    if not is_short or not all(map(_WORKER_LABEL.fullmatch, labels)):
        raise ValueError(
            f"use up to {_LABELS} labels of letters, digits, '_', '.' and '-', such as gpu,ssd: "
            f"{_LABELS_LENGTH} characters in all"
        )
    return labels


def _a_task_image(value: str) -> str:
    name, sign, reference = value.partition("=")
    if not (sign and name and reference) or any(each.isspace() for each in value):
        raise ValueError("use NAME=REFERENCE, such as bash=registry.example.com/tools/bash:5, comma-separated")
    return value


def _a_host_of_runs(value: str) -> str:
    """What it may be is looked at closely where the lists are (tasks/egress.py)."""
    if value not in {"open", "none"} and _HOST_OF_RUNS.fullmatch(value) is None:
        raise ValueError("use open, none, or hosts such as github.com,*.example.org,packages.example.com:443")
    return value


def _a_vault(value: str) -> str:
    name, sign, folder = value.partition("=")
    if not sign or _VAULT.fullmatch(name) is None or not folder or "\0" in folder:
        raise ValueError("use NAME=FOLDER, such as builds=/etc/entrepot/vaults/builds, comma-separated")
    return value


def _a_client_secret(value: SecretStr) -> SecretStr:
    if not _SECRET_LENGTHS[0] <= len(value) <= _SECRET_LENGTHS[1]:
        raise ValueError(f"use {_SECRET_LENGTHS[0]} to {_SECRET_LENGTHS[1]} characters")
    return value


def _a_secret_key(value: SecretStr) -> SecretStr:
    try:
        key = base64.b64decode(value.get_secret_value(), validate=True)
    except ValueError:
        key = b""
    if len(key) != _SECRET_KEY_BYTES:
        raise ValueError("use 32 random bytes in base64: openssl rand -base64 32")
    return value


def _a_syslog_url(value: str) -> str:
    parts = urlsplit(value)
    is_address = parts.hostname and parts.port != 0 and not parts.path.strip("/") and not parts.query
    if parts.scheme not in _SYSLOG or not is_address:
        raise ValueError("use udp://HOST:PORT, tcp://HOST:PORT or tls://HOST:PORT")
    return value


Location = Annotated[Path, BeforeValidator(_a_path)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Host = Annotated[str, AfterValidator(_a_host)]
Seconds = Annotated[int, Field(ge=1, le=10 * 365 * DAY)]
Names = Annotated[tuple[Host, ...], BeforeValidator(_split_at_commas)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(_split_at_commas)]
ProxyNetworks = Annotated[
    tuple[Annotated[IPvAnyNetwork, AfterValidator(_not_everyone)], ...], BeforeValidator(_split_at_commas)
]
Destinations = Annotated[
    tuple[Annotated[str, AfterValidator(_a_network_or_host)], ...], BeforeValidator(_split_at_commas)
]
DistinguishedName = Annotated[str, AfterValidator(_a_dn)]
ClientId = Annotated[str, AfterValidator(_a_client_id)]
ClientSecret = Annotated[SecretStr, AfterValidator(_a_client_secret)]
Domain = Annotated[str, AfterValidator(_a_domain)]
ForeignSecret = Annotated[SecretStr, AfterValidator(_a_foreign_secret)]
Claim = Annotated[str, Field(min_length=1, max_length=256)]
Scopes = Annotated[tuple[Annotated[str, AfterValidator(_a_scope)], ...], BeforeValidator(_split_at_spaces)]
Texts = Annotated[tuple[Claim, ...], BeforeValidator(_split_at_commas)]
TaskEgress = Annotated[
    tuple[Annotated[str, AfterValidator(_a_host_of_runs)], ...], BeforeValidator(_split_at_commas), Field(min_length=1)
]
TaskImages = Annotated[tuple[Annotated[str, AfterValidator(_a_task_image)], ...], BeforeValidator(_split_at_commas)]
AgentPool = Annotated[str, AfterValidator(_an_agent_pool)]
TaskLabels = Annotated[tuple[str, ...], AfterValidator(_task_labels), BeforeValidator(_split_at_commas)]
Vaults = Annotated[tuple[Annotated[str, AfterValidator(_a_vault)], ...], BeforeValidator(_split_at_commas)]
TierLimits = Annotated[tuple[Annotated[str, AfterValidator(_a_tier_limit)], ...], BeforeValidator(_split_at_commas)]
# What a group is called outside, and its id or display name here.
GroupMap = Annotated[tuple[tuple[Claim, Claim], ...], BeforeValidator(_groups)]
Region = Annotated[str, AfterValidator(_a_region)]
Regions = Annotated[tuple[Region, ...], BeforeValidator(_split_at_commas)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_a_database_url)]
BlobUrl = Annotated[str, AfterValidator(_a_blob_url)]
Proxy = Annotated[SecretStr, AfterValidator(_a_proxy)]
SecretKey = Annotated[SecretStr, AfterValidator(_a_secret_key)]
LdapUrl = Annotated[str, AfterValidator(_an_ldap_url)]
LdapFilter = Annotated[str, AfterValidator(_an_ldap_filter)]
Issuer = Annotated[str, AfterValidator(_an_issuer)]
SyslogUrl = Annotated[str, AfterValidator(_a_syslog_url)]


def is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    return host == "localhost" or (is_ip_address(host) and ip_address(host).is_loopback)
