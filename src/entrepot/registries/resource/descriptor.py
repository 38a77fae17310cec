"""Registries in Resource Manager's shape: made, shown, changed and removed. Source: ACR-REFERENCE 6."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection

from entrepot.access.assignments.queries import delete_at_or_below
from entrepot.access.explaining.explain import Explanation
from entrepot.access.queries import raise_epoch
from entrepot.arm.descriptor import Act, Ask, Document, Going, Listing, Page, ResourceType
from entrepot.arm.identities import Identity, Own, Settling
from entrepot.arm.locations import parse_location
from entrepot.arm.operations.record import Doing, begin
from entrepot.arm.resources.groups import GROUPS
from entrepot.arm.resources.subscriptions import SUBSCRIPTIONS
from entrepot.arm.routes import unknown
from entrepot.arm.tags import expect_tags
from entrepot.arm.versions import CONTAINER_REGISTRY
from entrepot.catalog.model import RegistryId
from entrepot.db.locks import lock_name
from entrepot.errors import Kind, Problem
from entrepot.registries.admin import admin_credentials, disable_admin, enable_admin, regenerate_admin_password
from entrepot.registries.imports.begin import begin_import
from entrepot.registries.imports.model import ImportBody, Target
from entrepot.registries.model import AdminPassword, Making
from entrepot.registries.resource import queries
from entrepot.registries.resource.explain_access import AccessQuestion, explain_in
from entrepot.registries.resource.jobs import DELETION
from entrepot.registries.resource.model import (
    Bypass,
    NetworkRules,
    Policies,
    RegistryBody,
    RegistryDocument,
    RegistryProperties,
    RetentionPolicy,
    RoleMode,
    Sku,
    SoftDeletePolicy,
    Status,
    Switch,
    SystemData,
)
from entrepot.registries.resource.queries import Made, RegistryRow, Values
from entrepot.registries.resource.rules import (
    NAME_RULE,
    expect_built,
    expect_days,
    expect_name,
    expect_network,
    is_name,
)
from entrepot.registries.resource.tier import Held, expect_tier
from entrepot.registries.scope_maps import complete_system_maps
from entrepot.registries.tiers import Feature, Limit, SkuName, tier_of

_SUBSCRIPTION: Final = "/subscriptions/{subscription}"
_PROVIDER: Final = f"{_SUBSCRIPTION}/providers/Microsoft.ContainerRegistry"
_IN_GROUP: Final = f"{GROUPS.paths[0]}/providers/Microsoft.ContainerRegistry/registries"
_PATH: Final = _IN_GROUP + "/{registry}"
# What listUsages calls each (ACR-REFERENCE 6.4).
_COUNTED: Final = {
    Limit.WEBHOOKS: "Webhooks",
    Limit.IP_RULES: "IPRules",
    Limit.VIRTUAL_NETWORK_RULES: "VNetRules",
    Limit.PRIVATE_ENDPOINTS: "PrivateEndpointConnections",
    Limit.SCOPE_MAPS: "ScopeMaps",
    Limit.TOKENS: "Tokens",
}


class _Settings(msgspec.Struct):
    """What of a registry has no column of its own."""

    tags: dict[str, str] = {}
    network_rule_set: NetworkRules = msgspec.field(default_factory=NetworkRules)
    public_network_access: Switch = Switch.ENABLED
    network_rule_bypass_options: Bypass = Bypass.AZURE_SERVICES
    identity: Identity | None = None


def find_registry(tx: Connection, ask: Ask) -> RegistryDocument | None:
    row = find_row(tx, ask)
    return None if row is None else _document(row, ask.login_server)


def find_row(tx: Connection, ask: Ask) -> RegistryRow | None:
    return queries.find_in_group(tx, ask["subscription"], ask["group"], ask["registry"])


def _in_subscription(tx: Connection, ask: Ask, page: Page) -> Sequence[RegistryDocument]:
    rows = queries.in_subscription(tx, ask["subscription"], page)
    return [_document(row, ask.login_server) for row in rows]


def _in_group(tx: Connection, ask: Ask, page: Page) -> Sequence[RegistryDocument]:
    rows = queries.in_group(tx, ask["subscription"], ask["group"], page)
    return [_document(row, ask.login_server) for row in rows]


def _document(row: RegistryRow, login_server: Callable[[str], str]) -> RegistryDocument:
    policies = Policies()
    policies.arm_audience_policy.status = _status(row.arm_audience)
    policies.soft_delete_policy = SoftDeletePolicy(row.soft_delete_days, _status(row.soft_delete))
    policies.retention_policy = RetentionPolicy(row.untagged_days, _status(row.untagged_from is not None))
    sku, settings = SkuName(row.sku), _settings(row)
    return RegistryDocument(
        sku=Sku(sku, sku),
        id=row.resource_id,
        name=row.name,
        location=row.region,
        tags=settings.tags,
        system_data=SystemData(moment(row.created_at), moment(row.updated_at or row.created_at)),
        properties=RegistryProperties(
            login_server=login_server(row.name),
            creation_date=moment(row.created_at),
            admin_user_enabled=row.admin_enabled,
            policies=policies,
            anonymous_pull_enabled=row.anonymous_pull,
            role_assignment_mode=RoleMode(row.role_mode),
            network_rule_set=settings.network_rule_set,
            public_network_access=settings.public_network_access,
            network_rule_bypass_options=settings.network_rule_bypass_options,
        ),
        identity=settings.identity or UNSET,
    )


def _status(is_on: bool) -> Status:  # noqa: FBT001  it is a column's value
    return Status.ENABLED if is_on else Status.DISABLED


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _write(tx: Connection, ask: Ask, body: RegistryBody, current: RegistryDocument | None) -> RegistryDocument:
    """Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS, UNSUPPORTED, IN_USE, DENIED."""
    expect_built(body)
    expect_days(body.properties.policies)
    expect_tags(body.tags)
    location = parse_location(body.location, ask.deployment.locations)
    settings = body.properties
    row, changes = find_row(tx, ask), ask.deployment.tier_limits
    tier = tier_of(body.sku.name, None if row is None else row.limits, changes)
    expect_tier(body, tier, None if current is None else current.sku.name, _held(tx, row), changes)
    rules = expect_network(settings)
    values = Values(
        sku=body.sku.name.value,
        bytes_limit=tier.limits[Limit.STORAGE],
        anonymous_pull=settings.anonymous_pull_enabled,
        role_mode=settings.role_assignment_mode.value,
        arm_audience=settings.policies.arm_audience_policy.status is Status.ENABLED,
        settings=_json(_kept(body)),
        network=None if rules is None else _json(rules),
        soft_delete=settings.policies.soft_delete_policy.status is Status.ENABLED,
        soft_delete_days=settings.policies.soft_delete_policy.retention_days,
        untagged_from=_untagged_from(tx, ask, settings.policies.retention_policy),
        untagged_days=settings.policies.retention_policy.days,
    )
    if current is None:
        expect_name(ask["registry"])
        made = Made(ask["subscription"], ask["group"], ask["registry"].lower(), location, ask.new_id())
        registry = create(tx, made, values, ask.now)
    elif location != current.location:
        reason = f"The registry is in '{current.location}': where a registry is cannot be changed."
        raise Problem(Kind.RESOURCE_EXISTS, code="InvalidResourceLocation", reason=reason)
    else:
        registry = change(tx, ask, values)
    _settle_identity(tx, ask, body, registry, row)
    _switch_admin(tx, ask, registry, enabled=settings.admin_user_enabled)
    written = find_registry(tx, ask)
    assert written is not None  # noqa: S101  it was made above, or was there
    return written


def _untagged_from(tx: Connection, ask: Ask, policy: RetentionPolicy) -> datetime | None:
    """Since when the policy is on: what lost its tag before then is not its business."""
    if policy.status is not Status.ENABLED:
        return None
    row = find_row(tx, ask)
    return ask.now if row is None else row.untagged_from or ask.now


def _kept(body: RegistryBody) -> _Settings:
    settings = body.properties
    return _Settings(
        body.tags, settings.network_rule_set, settings.public_network_access, settings.network_rule_bypass_options
    )


def _settle_identity(
    tx: Connection, ask: Ask, body: RegistryBody, registry: RegistryId, before: RegistryRow | None
) -> None:
    """One of the system is made once the registry is there. Raises RESOURCE_INVALID, DENIED."""
    was = None if before is None else _settings(before).identity
    identity = Settling(tx, ask).settle(body.identity, was, Own(ask["registry"].lower(), registry))
    if identity is not None:
        kept = msgspec.structs.replace(_kept(body), identity=identity)
        queries.set_settings(tx, registry, _json(kept))


def _settings(row: RegistryRow) -> _Settings:
    return msgspec.json.decode(row.settings, type=_Settings)


def _json(written: msgspec.Struct) -> str:
    return msgspec.json.encode(written).decode()


def _held(tx: Connection, row: RegistryRow | None) -> Held:
    """What a tier must have room for."""
    if row is None:
        return Held({}, 0)
    uses = queries.uses(tx, row.id)
    rules = len(_settings(row).network_rule_set.ip_rules)
    counted = {
        Limit.STORAGE: uses.bytes,
        Limit.TOKENS: uses.tokens,
        Limit.SCOPE_MAPS: uses.scope_maps,
        Limit.IP_RULES: rules,
        Limit.WEBHOOKS: uses.webhooks,
        Limit.REPLICATIONS: uses.replications,
    }
    return Held(counted, uses.agent_pools)


def _switch_admin(tx: Connection, ask: Ask, registry: RegistryId, *, enabled: bool) -> None:
    """One that is on already keeps its passwords."""
    if enabled:
        enable_admin(tx, registry, ask.deployment.sealer, Making(ask.now, ask.new_id))
    else:
        disable_admin(tx, registry)


def create(tx: Connection, made: Made, values: Values, now: datetime) -> RegistryId:
    """With its system scope maps; its row's id. Raises RESOURCE_EXISTS when the name is taken in the deployment."""
    lock_name(tx, f"registry {made.name}")
    if queries.name_is_taken(tx, made.name):
        reason = f"The registry {made.name} is already in use: registries of a deployment have different names."
        raise Problem(Kind.RESOURCE_EXISTS, code="AlreadyInUse", reason=reason)
    registry_id = queries.insert_registry(tx, made, values, now)
    complete_system_maps(tx, now)
    raise_epoch(tx)
    return RegistryId(registry_id)


def change(tx: Connection, ask: Ask, values: Values) -> RegistryId:
    """Of a registry that is there; its row's id."""
    row = find_row(tx, ask)
    assert row is not None  # noqa: S101  the framework has found it
    queries.update_registry(tx, row.id, values, ask.now)
    raise_epoch(tx)
    return RegistryId(row.id)


def _delete(tx: Connection, ask: Ask, current: RegistryDocument) -> Going[RegistryDocument] | None:
    """It is gone for everybody at once, and its name is free; what it holds is deleted after the answer."""
    row = find_row(tx, ask)
    if row is None:
        return None
    queries.hide_registry(tx, row.id, row.subscription_id)
    delete_at_or_below(tx, current.id)
    raise_epoch(tx)
    operation = begin(tx, ask, "registries", Doing.DELETING)
    ask.deployment.jobs.wake(tx, DELETION, operation, row.id)
    current.properties.provisioning_state = Doing.DELETING
    return Going(operation, current)


class PasswordShown(msgspec.Struct):
    name: AdminPassword
    value: str


class CredentialsDocument(msgspec.Struct):
    username: str
    passwords: list[PasswordShown]


class PasswordQuestion(msgspec.Struct):
    name: AdminPassword


def _list_credentials(tx: Connection, ask: Ask, body: None) -> CredentialsDocument:  # noqa: ARG001  one shape
    """User name and both passwords of the admin account."""
    found = admin_credentials(tx, _found(tx, ask), ask.deployment.sealer)
    if found is None:
        raise _admin_is_off(ask)
    passwords = [PasswordShown(AdminPassword(each.name), each.value) for each in found.passwords]
    return CredentialsDocument(found.user_name, sorted(passwords, key=lambda each: each.name))


def _regenerate_credential(tx: Connection, ask: Ask, body: PasswordQuestion) -> CredentialsDocument:
    """Make one of the admin account's passwords anew; the other stays good."""
    making = Making(ask.now, ask.new_id)
    if not regenerate_admin_password(tx, _found(tx, ask), body.name, ask.deployment.sealer, making):
        raise _admin_is_off(ask)
    return _list_credentials(tx, ask, None)


def _found(tx: Connection, ask: Ask) -> RegistryId:
    """Raises RESOURCE_UNKNOWN."""
    return RegistryId(_existing(tx, ask).id)


def _existing(tx: Connection, ask: Ask) -> RegistryRow:
    """The registry that an action is on. Raises RESOURCE_UNKNOWN."""
    row = find_row(tx, ask)
    if row is None:
        raise unknown(REGISTRIES, ask.id.rpartition("/")[0])
    return row


def _admin_is_off(ask: Ask) -> Problem:
    """In ACR's words (ACR-REFERENCE 4.4)."""
    where = ask.id.rpartition("/")[0]
    reason = (
        f"Cannot perform credential operations for {where} as admin user is disabled. Kindly enable admin user: "
        f"az acr update --name {ask['registry']} --admin-enabled true"
    )
    return Problem(Kind.REQUEST_INVALID, code="UnAuthorizedForCredentialOperations", reason=reason)


class Usage(msgspec.Struct, rename="camel"):
    name: str
    limit: int
    current_value: int
    unit: str


class UsagesDocument(msgspec.Struct):
    value: list[Usage]


def _list_usages(tx: Connection, ask: Ask, body: None) -> UsagesDocument:  # noqa: ARG001  one shape
    """What the registry holds of what its tier counts. Exact: counted in the transaction of each change."""
    row = _existing(tx, ask)
    tier, uses = tier_of(row.sku, row.limits, ask.deployment.tier_limits), _held(tx, row).counted
    counted = [Usage(name, tier.limits[limit], uses.get(limit, 0), "Count") for limit, name in _COUNTED.items()]
    if Feature.GEO_REPLICATION in tier.features:
        counted.append(Usage("Geo-replications", -1, max(1, uses[Limit.REPLICATIONS]), "Count"))
    return UsagesDocument([Usage("Size", tier.limits[Limit.INCLUDED], uses[Limit.STORAGE], "Bytes"), *counted])


def _explain_access(tx: Connection, ask: Ask, question: AccessQuestion) -> Explanation:
    """Why somebody may or may not do something in the registry, and what would permit it."""
    return explain_in(tx, ask, _existing(tx, ask), question)


def _import_image(tx: Connection, ask: Ask, body: ImportBody) -> Going[Document]:
    """Import an image from another registry, here or elsewhere."""
    row = _existing(tx, ask)
    return begin_import(tx, ask, Target(RegistryId(row.id), row.name, row.resource_id), body)


class NameQuestion(msgspec.Struct, rename="camel"):
    name: str
    type: str = "Microsoft.ContainerRegistry/registries"


class NameAnswer(msgspec.Struct, rename="camel", omit_defaults=True):
    name_available: bool
    reason: str | None = None
    message: str | None = None
    available_login_server_name: str | None = None


def _check_name(tx: Connection, ask: Ask, question: NameQuestion) -> NameAnswer:
    """Whether a registry may have the name."""
    name = question.name
    if not is_name(name):
        return NameAnswer(False, "Invalid", f"The registry name '{name[:64]}' is invalid. {NAME_RULE}")  # noqa: FBT003  ACR's
    if queries.name_is_taken(tx, name):
        return NameAnswer(False, "AlreadyExists", f"The registry {name} is already in use.")  # noqa: FBT003  ACR's
    return NameAnswer(True, available_login_server_name=ask.login_server(name.lower()))  # noqa: FBT003  ACR's


REGISTRIES: Final = ResourceType(
    name="Microsoft.ContainerRegistry/registries",
    paths=(_PATH,),
    versions=CONTAINER_REGISTRY,
    document=RegistryDocument,
    get=find_registry,
    body=RegistryBody,
    lists=(
        Listing(f"{_PROVIDER}/registries", _SUBSCRIPTION, _in_subscription),
        Listing(_IN_GROUP, GROUPS.paths[0], _in_group),
    ),
    put=_write,
    patch=_write,
    delete=_delete,
    acts=(
        Act(
            f"{_PROVIDER}/checkNameAvailability",
            _SUBSCRIPTION,
            "Microsoft.ContainerRegistry/checkNameAvailability/read",
            _check_name,
            NameQuestion,
            NameAnswer,
        ),
        Act(
            f"{_PATH}/listCredentials",
            _PATH,
            "Microsoft.ContainerRegistry/registries/listCredentials/action",
            _list_credentials,
            answer=CredentialsDocument,
            writes=True,
        ),
        Act(
            f"{_PATH}/regenerateCredential",
            _PATH,
            "Microsoft.ContainerRegistry/registries/regenerateCredential/action",
            _regenerate_credential,
            PasswordQuestion,
            CredentialsDocument,
            writes=True,
        ),
        Act(
            f"{_PATH}/listUsages",
            _PATH,
            "Microsoft.ContainerRegistry/registries/listUsages/read",
            _list_usages,
            answer=UsagesDocument,
            method="GET",
        ),
        Act(
            f"{_PATH}/explainAccess",
            _PATH,
            "Microsoft.Authorization/roleAssignments/read",
            _explain_access,
            AccessQuestion,
            Explanation,
        ),
        Act(
            f"{_PATH}/importImage",
            _PATH,
            "Microsoft.ContainerRegistry/registries/importImage/action",
            _import_image,
            ImportBody,
            writes=True,
            is_long=True,
        ),
    ),
    parents=(SUBSCRIPTIONS, GROUPS),
)
# What a resource below a registry lies below.
BELOW: Final = (SUBSCRIPTIONS, GROUPS, REGISTRIES)
