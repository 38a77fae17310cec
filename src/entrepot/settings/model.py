"""The settings themselves, with what each does; ``GROUPS`` is the order in which people read them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ByteSize, ConfigDict, Field, model_validator

from entrepot.settings.values import (
    DAY,
    DEFAULT_DOMAIN,
    AgentPool,
    BlobUrl,
    Claim,
    ClientId,
    ClientSecret,
    DatabaseUrl,
    Destinations,
    DistinguishedName,
    Domain,
    ForeignSecret,
    GroupMap,
    Host,
    Issuer,
    LdapFilter,
    LdapUrl,
    Location,
    Names,
    Networks,
    Port,
    Proxy,
    ProxyNetworks,
    Region,
    Regions,
    Scopes,
    Seconds,
    SecretKey,
    SyslogUrl,
    TaskEgress,
    TaskImages,
    TaskLabels,
    Texts,
    TierLimits,
    Vaults,
    is_loopback,
)

_MIB: Final = 1024 * 1024


class Settings(BaseModel):
    """The settings of a server and its workers. A part receives the value it needs, never this object."""

    # Inputs stay out of the errors: one of them may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    data_dir: Location = Field(
        default=Path("data"), description="Folder for the catalog, blobs, keys and certificates."
    )
    database_url: DatabaseUrl | None = Field(
        default=None,
        description="PostgreSQL for the catalog: postgresql://USER:PASSWORD@HOST/NAME. Without it: SQLite.",
    )
    blob_url: BlobUrl | None = Field(
        default=None, description="Where blobs lie: file:, s3:, az: or gs:. Without it: the data folder."
    )
    region: Region = Field(default="local", description="Name of the region that this server belongs to.")
    locations: Regions = Field(
        default=(),
        description="Names of locations that resources may give beside the region's, comma-separated; all mean this "
        "site. Without it: Azure's, such as eastus.",
    )

    host: Host = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 or :: for every one.")
    port: Port = Field(default=5000, description="One port for every surface.")
    public_port: Port | None = Field(
        default=None, description="The port that clients see behind a proxy or a port map. Without it: the port."
    )
    domain: Domain = Field(
        default=DEFAULT_DOMAIN,
        description="A registry is REGISTRY.DOMAIN; the bare domain is the management API and portal.",
    )
    trusted_proxies: ProxyNetworks = Field(
        default=(),
        description="Networks of the proxies in front, comma-separated; only these are believed about their clients.",
    )
    proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        default="x-forwarded-for",
        description="The header in which they tell a client's address. The other one may be the client's own.",
    )
    management_networks: Networks = Field(
        default=(),
        description="Networks whose clients may reach the management API with its upload and log URLs, Graph and the "
        "audit log, comma-separated. Without any: every client. Registries and sign-in are not limited by it.",
    )
    workers: Annotated[int, Field(ge=1, le=256)] | None = Field(
        default=None, description="Web worker processes. Without it: one for each core."
    )
    shutdown_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=30, description="How long requests in flight may take to finish when the server is told to stop."
    )

    tls_cert: Location | None = Field(
        default=None,
        description="Certificate chain, PEM. Without it: one made by a CA in the data folder. Reloaded on change.",
    )
    tls_key: Location | None = Field(default=None, description="Key of the certificate, PEM, without a password.")
    tls_names: Names = Field(
        default=(), description="More names and IP addresses for the certificate that is made, comma-separated."
    )
    no_tls: bool = Field(
        default=False, description="Plain HTTP; only on a loopback address or behind proxies named by trusted_proxies."
    )

    outbound_allow: Destinations = Field(
        default=(),
        description="Networks and host names that are not public and may be called all the same, comma-separated. "
        "They are called without the proxy.",
    )
    outbound_ca_file: Location | None = Field(
        default=None, description="CA certificates, PEM, that are trusted for calls beside the system's."
    )
    outbound_proxy: Proxy | None = Field(
        default=None,
        description="Proxy for calls: http://HOST:PORT or http://USER:PASSWORD@HOST:PORT. Without it: none. "
        "The variables HTTP_PROXY and HTTPS_PROXY are not looked at.",
    )

    anonymous_pull: bool = Field(default=False, description="Everyone may pull from the default registry.")
    bootstrap_client_id: ClientId | None = Field(
        default=None, description="Client id of the owner that the first start makes. Without it: a random one."
    )
    bootstrap_client_secret: ClientSecret | None = Field(
        default=None, description="Secret of that owner, 12 characters or more. Without it: a random one."
    )
    secret_key: SecretKey | None = Field(
        default=None,
        description="Key that encrypts signing keys and kept secrets: 32 bytes in base64. Without it: the file's.",
    )
    secret_key_file: Location | None = Field(
        default=None,
        description="File that holds this key. Without it: secret.key in the data folder, which the first start makes.",
    )
    password_grant: bool = Field(
        default=False,
        description="People may sign in with name and password alone: docker login, OAuth's password grant.",
    )

    signing_key_days: Annotated[int, Field(ge=2, le=3650)] = Field(
        default=90, description="Signing keys are replaced by new ones after so many days."
    )
    identity_endpoint: bool = Field(
        default=False,
        description="Serve the managed-identity endpoints, in the forms of App Service and of virtual machines.",
    )

    ldap_url: LdapUrl | None = Field(
        default=None,
        description="LDAP directory whose people may sign in: ldaps://HOST, or ldap://HOST, which uses StartTLS "
        "unless it is this machine.",
    )
    ldap_bind_dn: DistinguishedName | None = Field(
        default=None, description="Who looks people and groups up in the directory. Without it: anonymously."
    )
    ldap_bind_password: ForeignSecret | None = Field(default=None, description="Password of that account.")
    ldap_user_base: DistinguishedName | None = Field(
        default=None, description="Where people are, such as ou=people,dc=example,dc=org."
    )
    ldap_user_filter: LdapFilter = Field(
        default="(&(objectClass=person)(uid={user}))",
        description="Who {user} is. Active Directory: (&(objectClass=user)(sAMAccountName={user})).",
    )
    ldap_group_base: DistinguishedName | None = Field(
        default=None, description="Where groups are, nested or not. Without it: those that memberOf names."
    )
    ldap_domain: Domain | None = Field(
        default=None,
        description="Domain of the directory's people: ada@DOMAIN is {user} ada. Without it: {user} is the whole name.",
    )
    ldap_groups: GroupMap = Field(
        default=(),
        description="Groups of the directory, by cn or DN, and what they are called here: THEIRS=OURS, or one name "
        "for both, comma-separated.",
    )

    oidc_issuer: Issuer | None = Field(
        default=None,
        description="OpenID Connect provider whose people may sign in on the pages: its issuer, exactly as it writes "
        "it. Without it: none.",
    )
    oidc_client_id: Claim | None = Field(default=None, description="What the provider calls this server.")
    oidc_client_secret: ForeignSecret | None = Field(
        default=None, description="The secret that it gave. Without one, and without the file: a public client."
    )
    oidc_client_secret_file: Location | None = Field(default=None, description="File that holds this secret.")
    oidc_name: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        default="single sign-on", description='What the button says after "Sign in with".'
    )
    oidc_scopes: Scopes = Field(
        default=("openid", "profile", "email", "offline_access"),
        description="What the provider is asked for. Without offline_access nothing can be checked at a refresh.",
    )
    oidc_user_claim: Claim = Field(
        default="email", description="Claim that becomes the user name: NAME@DOMAIN. Entra ID: preferred_username."
    )
    oidc_groups_claim: Claim = Field(default="groups", description="Claim that lists somebody's groups.")
    oidc_groups: GroupMap = Field(
        default=(),
        description="Values of this claim, and the groups that they mean here: THEIRS=OURS, or one name for both, "
        "comma-separated.",
    )
    oidc_required_groups: Texts = Field(
        default=(), description="Values of this claim of which somebody needs one, comma-separated. Without any: none."
    )
    oidc_domains: Names = Field(
        default=(), description="Domains that user names may have, comma-separated. Without any: every one."
    )
    oidc_new_people: bool = Field(
        default=True,
        description="Who is unknown here is added at the first sign-in, without any role. "
        "Otherwise only those whom `entrepot user add --outside` named before.",
    )
    outside_check_seconds: Annotated[int, Field(ge=1, le=DAY)] = Field(
        default=300,
        description="How long somebody of LDAP or the provider is believed before it is asked again at a refresh.",
    )

    tier_limits: TierLimits = Field(
        default=(),
        description="What tiers have otherwise than ACR's: TIER.LIMIT=VALUE, or TIER.FEATURE=on, comma-separated, "
        "such as Basic.webhooks=10.",
    )
    request_rates: bool = Field(
        default=False, description="Refuse requests above the rates of the registry's tier with 429 and Retry-After."
    )

    max_blob_bytes: Annotated[ByteSize, Field(ge=1)] = Field(
        default=ByteSize(200 * 1024**3),
        description="Largest blob, such as 500MB or 200GiB. ACR's own limit is the default.",
    )
    upload_idle_seconds: Seconds = Field(
        default=60, description="An upload that sends no byte for so long is cut; it can resume."
    )
    upload_keep_seconds: Seconds = Field(
        default=DAY, description="How long an unfinished upload is kept after its last byte."
    )
    uploads_per_principal: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1000, description="Unfinished uploads that one principal may have at a time."
    )

    sparse_manifests: bool = Field(
        default=False, description="Accept manifests whose layers were not pushed, as the OCI specification allows."
    )

    gc_unlinked_grace_seconds: Seconds = Field(
        default=DAY, description="How long an uploaded blob may wait for its manifest."
    )
    gc_condemn_seconds: Seconds = Field(
        default=3600, description="How long a blob that nothing reaches stays revivable before it is deleted."
    )
    gc_retire_seconds: Seconds = Field(
        default=600, description="How long a deleted blob's file stays for downloads under way before it is removed."
    )
    gc_rate: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1000, description="Blobs that garbage collection deletes per second at most."
    )

    task_engine: Location = Field(
        default=Path("/var/run/docker.sock"), description="Socket of the container engine that runs tasks."
    )
    pool: AgentPool | None = Field(
        default=None,
        description="Agent pool whose runs the worker takes, and nothing else: NAME, or REGISTRY/NAME for that of one "
        "registry alone. Without it: runs without a pool, and all other work in the background.",
    )
    task_labels: TaskLabels = Field(
        default=(),
        description="Labels of the worker, comma-separated: what it has that others lack. Runs whose tag "
        "`entrepot.labels` names some come to workers that have all of them.",
    )
    task_runs: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=2, description="Runs of tasks that a worker has at once; 0: it takes none."
    )
    task_runs_per_registry: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="Runs of tasks that one registry has at once. Without it: as many as workers take."
    )
    task_drain_seconds: Annotated[int, Field(ge=0, le=86_400)] = Field(
        default=60,
        description="How long a worker that is told to stop lets its runs end before others begin them again; under "
        "serve at most half of the time that the server itself has to stop.",
    )
    task_memory_bytes: Annotated[ByteSize, Field(ge=32 * _MIB)] | None = Field(
        default=None, description="Memory of each container of a run. Without it: as much as the engine has."
    )
    task_processes: Annotated[int, Field(ge=10, le=1_000_000)] = Field(
        default=4096, description="Processes that each container of a run may have."
    )
    task_disk_bytes: Annotated[ByteSize, Field(ge=0)] = Field(
        default=ByteSize(20 * 1024**3),
        description="How much of its engine's disk a worker lets the build cache and images take that runs pulled.",
    )
    task_disk_free_bytes: Annotated[ByteSize, Field(ge=0)] = Field(
        default=ByteSize(512 * _MIB),
        description="With less free than this for the engine or the files of runs, the run that wrote most is ended.",
    )
    task_source_bytes: Annotated[ByteSize, Field(ge=1, le=4 * 1024**3)] = Field(
        default=ByteSize(2 * 1024**3), description="Largest source of a run that a client uploads, at most 4GiB."
    )
    task_log_bytes: Annotated[ByteSize, Field(ge=64 * 1024, le=1024 * _MIB)] = Field(
        default=ByteSize(16 * _MIB),
        description="How long the log of a run may get; of a longer one the end is kept, too.",
    )
    task_keep_seconds: Seconds = Field(
        default=30 * DAY, description="How long runs and their logs are kept, unless they are archived."
    )
    task_poll_seconds: Annotated[int, Field(ge=5, le=7 * DAY)] = Field(
        default=300, description="How often the repository of a source trigger is asked for new commits."
    )
    task_build_cache: bool = Field(
        default=True,
        description="Builds leave their cache beside the images that they push, tagged cache-BRANCH-PLATFORM.",
    )
    task_images: TaskImages = Field(
        default=(),
        description="Images for what commands of task files begin with: NAME=REFERENCE, comma-separated. A name is an "
        "alias: acr, which is ours, or az, bash, curl or cssc, which are Microsoft's; or the whole name of an image, "
        "such as `mcr.microsoft.com/oryx/pack:stable`, which `az acr pack build` runs.",
    )
    task_egress: TaskEgress = Field(
        default=("open",),
        description="What steps of runs reach beside one another: whatever the engine's containers do (open), nothing "
        "(none), or hosts, comma-separated: HOST, *.DOMAIN or an address, with :PORT, or without for 80 and 443. The "
        "tag `entrepot.egress` of a registry or a task can narrow it, not widen it.",
    )

    vaults: Vaults = Field(
        default=(),
        description="Vaults from which runs of tasks, and credential sets of the artifact cache, read secrets: "
        "NAME=FOLDER, comma-separated, on the machines of servers and workers.",
    )
    cache_fresh_seconds: Seconds = Field(
        default=60,
        description="How long a tag of the artifact cache is served before its source is asked again what it names.",
    )
    task_base_image_seconds: Seconds = Field(
        default=1800,
        description="How often other registries are asked for new base images of tasks, about; pushes here are seen at "
        "once.",
    )

    event_keep_seconds: Seconds = Field(
        default=7 * DAY, description="How long the catalog keeps events after webhooks and others have taken them up."
    )

    audit_keep_seconds: Seconds | None = Field(
        default=None, description="How long entries of the audit log are kept. Without it: for ever."
    )
    audit_file: Location | None = Field(
        default=None, description="File to which the audit log is exported as JSON lines. Without it: none."
    )
    audit_file_bytes: Annotated[ByteSize, Field(ge=1)] = Field(
        default=ByteSize(100_000_000), description="Size at which this file is rotated, such as 100MB."
    )
    audit_file_count: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=10, description="How many rotated files stay."
    )
    audit_syslog: SyslogUrl | None = Field(
        default=None,
        description="Syslog server to which the audit log goes: udp://, tcp:// or tls://HOST:PORT. Without it: none.",
    )
    audit_syslog_ca: Location | None = Field(
        default=None, description="CA that the syslog server's certificate is of, PEM. Without it: the system's."
    )

    metrics_port: Port | None = Field(
        default=None, description="Port of /metrics, a listener of its own. Without it: none."
    )
    metrics_host: Host = Field(default="127.0.0.1", description="Address of the metrics listener.")
    log_format: Literal["console", "json"] | None = Field(
        default=None, description="Without it: console on a terminal, json otherwise."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least level that is logged."
    )
    access_log: Literal["on", "errors", "off"] = Field(
        default="on", description="One log line per request: every one, those answered with an error, or none."
    )

    @property
    def seen_port(self) -> int:
        """The port in names and links: what clients connect to."""
        return self.public_port or self.port

    @property
    def scheme(self) -> Literal["http", "https"]:
        """What clients speak. A proxy in front of plain HTTP ends TLS for us."""
        return "http" if self.no_tls and not self.trusted_proxies else "https"

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for check in (
            _tls_files_are_a_pair,
            _plain_http_is_safe,
            _bootstrap_is_a_pair,
            _one_secret_key,
            _ldap_is_whole,
            _oidc_is_whole,
            _ports_differ,
        ):
            check(self)
        return self


def _named(prefix: str) -> tuple[str, ...]:
    return tuple(name for name in Settings.model_fields if name.startswith(prefix))


# The groups of ``serve --help`` and of the reference page, in their order. A test holds it complete.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "storage": ("data_dir", "database_url", "blob_url", "region", "locations"),
    "network": (
        "host",
        "port",
        "public_port",
        "domain",
        "trusted_proxies",
        "proxy_header",
        "management_networks",
        "workers",
        "shutdown_seconds",
    ),
    "TLS": ("tls_cert", "tls_key", "tls_names", "no_tls"),
    "access": (
        "anonymous_pull",
        "bootstrap_client_id",
        "bootstrap_client_secret",
        "secret_key",
        "secret_key_file",
        "signing_key_days",
        "password_grant",
        "identity_endpoint",
    ),
    "outgoing calls": ("outbound_allow", "outbound_ca_file", "outbound_proxy"),
    "LDAP": _named("ldap_"),
    "single sign-on": (*_named("oidc_"), "outside_check_seconds"),
    "tiers": ("tier_limits", "request_rates"),
    "uploads": (
        "max_blob_bytes",
        "upload_idle_seconds",
        "upload_keep_seconds",
        "uploads_per_principal",
        "sparse_manifests",
    ),
    "garbage collection": ("gc_unlinked_grace_seconds", "gc_condemn_seconds", "gc_retire_seconds", "gc_rate"),
    "artifact cache": ("cache_fresh_seconds",),
    "tasks": ("pool", "vaults", *_named("task_")),
    "events": ("event_keep_seconds",),
    "audit log": (
        "audit_keep_seconds",
        "audit_file",
        "audit_file_bytes",
        "audit_file_count",
        "audit_syslog",
        "audit_syslog_ca",
    ),
    "logs and metrics": ("metrics_port", "metrics_host", "log_format", "log_level", "access_log"),
}


def _tls_files_are_a_pair(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise ValueError("tls_cert and tls_key go together: give both or neither")


def _plain_http_is_safe(settings: Settings) -> None:
    if not settings.no_tls:
        return
    if settings.tls_cert is not None:
        raise ValueError("no_tls and tls_cert exclude each other")
    if not is_loopback(settings.host) and not settings.trusted_proxies:
        raise ValueError("no_tls needs a loopback host, or trusted_proxies that name the proxy in front")


def _bootstrap_is_a_pair(settings: Settings) -> None:
    if (settings.bootstrap_client_id is None) != (settings.bootstrap_client_secret is None):
        raise ValueError("bootstrap_client_id and bootstrap_client_secret go together: give both or neither")


def _one_secret_key(settings: Settings) -> None:
    if settings.secret_key is not None and settings.secret_key_file is not None:
        raise ValueError("secret_key and secret_key_file exclude each other")


def _ldap_is_whole(settings: Settings) -> None:
    if settings.ldap_url is not None and settings.ldap_user_base is None:
        raise ValueError("ldap_url needs ldap_user_base, which says where people are")
    if (settings.ldap_bind_dn is None) != (settings.ldap_bind_password is None):
        raise ValueError("ldap_bind_dn and ldap_bind_password go together: give both or neither")


def _oidc_is_whole(settings: Settings) -> None:
    if (settings.oidc_issuer is None) != (settings.oidc_client_id is None):
        raise ValueError("oidc_issuer and oidc_client_id go together: give both or neither")
    if settings.oidc_client_secret is not None and settings.oidc_client_secret_file is not None:
        raise ValueError("oidc_client_secret and oidc_client_secret_file exclude each other")


def _ports_differ(settings: Settings) -> None:
    if settings.metrics_port == settings.port:
        raise ValueError("metrics_port and port must differ")
