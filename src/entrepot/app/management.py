"""Every resource type of the management API: the list that its routes, documents and tests are made from."""

from typing import Final

from sqlalchemy import Connection

from entrepot.app.task_parts import run_parts, schedule
from entrepot.arm.authorization.assignments import role_assignments
from entrepot.arm.authorization.definitions import role_definitions
from entrepot.arm.descriptor import AnyResource, Ask
from entrepot.arm.locks.descriptor import locks
from entrepot.arm.resources.deployments import DEPLOYMENTS
from entrepot.arm.resources.groups import GROUPS
from entrepot.arm.resources.providers import EVERYTHING, PROVIDERS
from entrepot.arm.resources.subscriptions import LOCATIONS, SUBSCRIPTIONS, TENANTS
from entrepot.auditing.activity import ACTIVITY
from entrepot.caching.cache_rules import cache_rules
from entrepot.caching.credential_sets import credential_sets
from entrepot.caching.resources import Registries as CacheRegistries
from entrepot.catalog.model import RegistryId
from entrepot.registries.limits import limits_of
from entrepot.registries.replications.descriptor import REPLICATIONS
from entrepot.registries.resource.absent import ABSENT_TYPES
from entrepot.registries.resource.descriptor import BELOW, REGISTRIES, find_row
from entrepot.registries.resource.scope_maps import SCOPE_MAPS
from entrepot.registries.resource.tier import expect_feature
from entrepot.registries.resource.tokens import TOKENS
from entrepot.registries.tiers import Feature, Limit, expect_room
from entrepot.retention.purging import descriptor as purging
from entrepot.tasks.owners import Owner
from entrepot.tasks.owners import Registries as TaskRegistries
from entrepot.tasks.resource.agent_pools import agent_pools
from entrepot.tasks.resource.task_runs import task_runs
from entrepot.tasks.resource.tasks import tasks
from entrepot.tasks.runs.descriptor import runs
from entrepot.webhooks.descriptor import Registries, webhooks

# What roles can be given on.
_SCOPES: Final[tuple[AnyResource, ...]] = (SUBSCRIPTIONS, GROUPS, REGISTRIES)


def _expect_webhook_room(tx: Connection, ask: Ask, registry: int, used: int) -> None:
    expect_room(limits_of(tx, RegistryId(registry), ask.deployment.tier_limits), Limit.WEBHOOKS, used, "webhooks")


def _expect_rule_room(tx: Connection, ask: Ask, registry: int, used: int) -> None:
    expect_room(limits_of(tx, RegistryId(registry), ask.deployment.tier_limits), Limit.CACHE_RULES, used, "cache rules")


def _expect_pools(tx: Connection, ask: Ask, registry: Owner) -> None:
    tier = limits_of(tx, RegistryId(registry.id), ask.deployment.tier_limits)
    expect_feature(tier, Feature.AGENT_POOLS, ask.deployment.tier_limits)


_CACHE_REGISTRIES: Final = CacheRegistries(REGISTRIES, BELOW, find_row, _expect_rule_room)
_TASK_REGISTRIES: Final = TaskRegistries(REGISTRIES, BELOW, find_row)

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
    credential_sets(_CACHE_REGISTRIES),
    cache_rules(_CACHE_REGISTRIES),
    agent_pools(_TASK_REGISTRIES, _expect_pools),
    tasks(_TASK_REGISTRIES),
    task_runs(_TASK_REGISTRIES, schedule),
    runs(run_parts(_TASK_REGISTRIES)),
    *ABSENT_TYPES,
)
