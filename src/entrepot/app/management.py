"""Every resource type of the management API: the list that its routes, documents and tests are made from."""

from typing import Final

from sqlalchemy import Connection

from entrepot.arm.authorization.assignments import role_assignments
from entrepot.arm.authorization.definitions import role_definitions
from entrepot.arm.descriptor import AnyResource, Ask
from entrepot.arm.locks.descriptor import locks
from entrepot.arm.resources.deployments import DEPLOYMENTS
from entrepot.arm.resources.groups import GROUPS
from entrepot.arm.resources.providers import EVERYTHING, PROVIDERS
from entrepot.arm.resources.subscriptions import LOCATIONS, SUBSCRIPTIONS, TENANTS
from entrepot.auditing.activity import ACTIVITY
from entrepot.catalog.model import RegistryId
from entrepot.registries.limits import limits_of
from entrepot.registries.replications.descriptor import REPLICATIONS
from entrepot.registries.resource.absent import ABSENT_TYPES
from entrepot.registries.resource.descriptor import BELOW, REGISTRIES, find_row
from entrepot.registries.resource.scope_maps import SCOPE_MAPS
from entrepot.registries.resource.tokens import TOKENS
from entrepot.registries.tiers import Limit, expect_room
from entrepot.retention.purging import descriptor as purging
from entrepot.webhooks.descriptor import Registries, webhooks

# What roles can be given on.
_SCOPES: Final[tuple[AnyResource, ...]] = (SUBSCRIPTIONS, GROUPS, REGISTRIES)


def _expect_webhook_room(tx: Connection, ask: Ask, registry: int, used: int) -> None:
    expect_room(limits_of(tx, RegistryId(registry), ask.deployment.tier_limits), Limit.WEBHOOKS, used, "webhooks")


RESOURCES: Final[tuple[AnyResource, ...]] = (
    TENANTS,
    SUBSCRIPTIONS,
    LOCATIONS,
    GROUPS,
    PROVIDERS,
    EVERYTHING,
    ACTIVITY,
    DEPLOYMENTS,
    role_definitions(_SCOPES),
    role_assignments(_SCOPES),
    locks(_SCOPES),
    REGISTRIES,
    SCOPE_MAPS,
    TOKENS,
    REPLICATIONS,
    purging.purge_rules(purging.Registries(REGISTRIES, BELOW, find_row)),
    webhooks(Registries(REGISTRIES, BELOW, find_row, _expect_webhook_room)),
    *ABSENT_TYPES,
)
