"""A registry's JSON: what may be written of it, and what is shown. Source: ACR-REFERENCE 6.3."""

import msgspec
from msgspec import UNSET, UnsetType

from entrepot.arm.bodies import AnyCase
from entrepot.arm.identities import Identity, IdentityBody
from entrepot.registries.tiers import SkuName


class Status(AnyCase):
    ENABLED = "enabled"
    DISABLED = "disabled"


class Switch(AnyCase):
    ENABLED = "Enabled"
    DISABLED = "Disabled"


class RoleMode(AnyCase):
    LEGACY = "LegacyRegistryPermissions"
    ABAC = "AbacRepositoryPermissions"


class LabelScope(AnyCase):
    UNSECURE = "Unsecure"
    TENANT_REUSE = "TenantReuse"
    SUBSCRIPTION_REUSE = "SubscriptionReuse"
    RESOURCE_GROUP_REUSE = "ResourceGroupReuse"
    NO_REUSE = "NoReuse"


class Bypass(AnyCase):
    AZURE_SERVICES = "AzureServices"
    NONE = "None"


class IpVersions(AnyCase):
    IPV4 = "IPv4"
    BOTH = "IPv4AndIPv6"


class DefaultAction(AnyCase):
    ALLOW = "Allow"
    DENY = "Deny"


class IpRule(msgspec.Struct):
    value: str
    action: DefaultAction = DefaultAction.ALLOW


class NetworkRules(msgspec.Struct, rename="camel"):
    default_action: DefaultAction = DefaultAction.ALLOW
    ip_rules: list[IpRule] = []


class StatusPolicy(msgspec.Struct):
    status: Status = Status.DISABLED


class EnabledPolicy(msgspec.Struct):
    status: Status = Status.ENABLED


class TrustPolicy(msgspec.Struct):
    type: str = "Notary"
    status: Status = Status.DISABLED


class RetentionPolicy(msgspec.Struct):
    days: int = 7
    status: Status = Status.DISABLED


class SoftDeletePolicy(msgspec.Struct, rename="camel"):
    retention_days: int = 7
    status: Status = Status.DISABLED


class Policies(msgspec.Struct, rename="camel"):
    quarantine_policy: StatusPolicy = msgspec.field(default_factory=StatusPolicy)
    trust_policy: TrustPolicy = msgspec.field(default_factory=TrustPolicy)
    retention_policy: RetentionPolicy = msgspec.field(default_factory=RetentionPolicy)
    export_policy: EnabledPolicy = msgspec.field(default_factory=EnabledPolicy)
    arm_audience_policy: EnabledPolicy = msgspec.field(
        name="azureADAuthenticationAsArmPolicy", default_factory=EnabledPolicy
    )
    soft_delete_policy: SoftDeletePolicy = msgspec.field(default_factory=SoftDeletePolicy)


class RegistrySettings(msgspec.Struct, rename="camel"):
    """What may be written of ``properties``."""

    admin_user_enabled: bool = False
    network_rule_set: NetworkRules = msgspec.field(default_factory=NetworkRules)
    policies: Policies = msgspec.field(default_factory=Policies)
    encryption: StatusPolicy = msgspec.field(default_factory=StatusPolicy)
    data_endpoint_enabled: bool = False
    regional_endpoints: Switch = Switch.DISABLED
    endpoint_protocol: IpVersions = IpVersions.IPV4
    public_network_access: Switch = Switch.ENABLED
    network_rule_bypass_options: Bypass = Bypass.AZURE_SERVICES
    network_rule_bypass_allowed_for_tasks: bool = False
    zone_redundancy: Switch = Switch.DISABLED
    anonymous_pull_enabled: bool = False
    metadata_search: Switch = Switch.DISABLED
    auto_generated_domain_name_label_scope: LabelScope = LabelScope.UNSECURE
    role_assignment_mode: RoleMode = RoleMode.LEGACY
    writable_cache_repos: Switch = Switch.DISABLED


class SkuBody(msgspec.Struct):
    name: SkuName


class RegistryBody(msgspec.Struct):
    location: str
    sku: SkuBody
    tags: dict[str, str] = {}
    identity: IdentityBody = msgspec.field(default_factory=IdentityBody)
    properties: RegistrySettings = msgspec.field(default_factory=RegistrySettings)


class Sku(msgspec.Struct):
    name: SkuName
    tier: SkuName


class SystemData(msgspec.Struct, rename="camel"):
    created_at: str
    last_modified_at: str


class Created(msgspec.Struct, rename="camel"):
    """``systemData`` of what keeps no other time."""

    created_at: str


class RegistryProperties(msgspec.Struct, rename="camel"):
    """The settings, and what follows from them."""

    login_server: str
    creation_date: str
    admin_user_enabled: bool
    policies: Policies
    anonymous_pull_enabled: bool
    role_assignment_mode: RoleMode
    provisioning_state: str = "Succeeded"
    network_rule_set: NetworkRules = msgspec.field(default_factory=NetworkRules)
    encryption: StatusPolicy = msgspec.field(default_factory=StatusPolicy)
    data_endpoint_enabled: bool = False
    data_endpoint_host_names: list[str] = []
    regional_endpoints: Switch = Switch.DISABLED
    regional_endpoint_host_names: list[str] = []
    endpoint_protocol: IpVersions = IpVersions.IPV4
    private_endpoint_connections: list[str] = []
    public_network_access: Switch = Switch.ENABLED
    network_rule_bypass_options: Bypass = Bypass.AZURE_SERVICES
    network_rule_bypass_allowed_for_tasks: bool = False
    zone_redundancy: Switch = Switch.DISABLED
    metadata_search: Switch = Switch.DISABLED
    auto_generated_domain_name_label_scope: LabelScope = LabelScope.UNSECURE
    writable_cache_repos: Switch = Switch.DISABLED
    status: None = None


class RegistryDocument(msgspec.Struct, rename="camel"):
    sku: Sku
    id: str
    name: str
    location: str
    tags: dict[str, str]
    system_data: SystemData
    properties: RegistryProperties
    identity: Identity | UnsetType = UNSET
    type: str = "Microsoft.ContainerRegistry/registries"
