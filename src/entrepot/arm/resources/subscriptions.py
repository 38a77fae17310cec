"""Tenants, subscriptions and the locations of one. A deployment has them from its first start."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.access.assignments.queries import scopes_of
from entrepot.arm.descriptor import Ask, Listing, Page, ResourceType
from entrepot.arm.resources import queries
from entrepot.arm.resources.queries import SubscriptionRow
from entrepot.arm.versions import RESOURCES

_VERSIONS: Final = ("2014-04-01", "2016-06-01", *RESOURCES)


class TenantDocument(msgspec.Struct, rename="camel", omit_defaults=True):
    id: str
    tenant_id: str
    display_name: str
    domains: list[str]
    default_domain: str | None = None
    tenant_category: str = "Home"
    tenant_type: str = "AAD"


def _tenants(tx: Connection, ask: Ask, page: Page) -> Sequence[TenantDocument]:
    """The caller's own: an account belongs to one."""
    row = queries.find_tenant(tx, ask.caller.tenant)
    if row is None or row.id <= page.after:
        return []
    domains = [row.domain] if row.domain else []
    return [TenantDocument(f"/tenants/{row.id}", row.id, row.name, domains, row.domain)]


class SubscriptionPolicies(msgspec.Struct, rename="camel"):
    location_placement_id: str = "Public_2014-09-01"
    quota_id: str = "Entrepot_2026"
    spending_limit: str = "Off"


class SubscriptionDocument(msgspec.Struct, rename="camel"):
    id: str
    subscription_id: str
    tenant_id: str
    display_name: str
    state: str = "Enabled"
    authorization_source: str = "RoleBased"
    subscription_policies: SubscriptionPolicies = msgspec.field(default_factory=SubscriptionPolicies)
    managed_by_tenants: list[str] = []


def _subscriptions(tx: Connection, ask: Ask, page: Page) -> Sequence[SubscriptionDocument]:
    rows = [row for row in queries.subscriptions(tx, ask.caller.tenant) if row.id > page.after]
    return [_subscription(row) for row in rows if _concerns(tx, ask, row.id)][: page.limit]


def _one_subscription(tx: Connection, ask: Ask) -> SubscriptionDocument | None:
    wanted = ask["subscription"].lower()
    rows = [row for row in queries.subscriptions(tx, ask.caller.tenant) if row.id == wanted]
    return _subscription(rows[0]) if rows and _concerns(tx, ask, wanted) else None


def _concerns(tx: Connection, ask: Ask, subscription: str) -> bool:
    """Whether the caller has a role on the subscription, above it, or on anything in it: Azure shows it then."""
    place = f"/subscriptions/{subscription}/"
    scopes = (f"{scope}/" for scope in scopes_of(tx, ask.caller.principal))
    return any(scope.startswith(place) or place.startswith(scope) for scope in scopes)


def _subscription(row: SubscriptionRow) -> SubscriptionDocument:
    return SubscriptionDocument(f"/subscriptions/{row.id}", row.id, row.tenant_id, row.name)


class LocationMetadata(msgspec.Struct, rename="camel"):
    region_type: str = "Physical"
    region_category: str = "Recommended"
    geography_group: str = ""
    paired_region: list[str] = []


class LocationDocument(msgspec.Struct, rename="camel"):
    id: str
    name: str
    display_name: str
    regional_display_name: str
    type: str = "Region"
    metadata: LocationMetadata = msgspec.field(default_factory=LocationMetadata)


def _locations(tx: Connection, ask: Ask, page: Page) -> Sequence[LocationDocument]:  # noqa: ARG001  rows have one shape
    place = f"/subscriptions/{ask['subscription']}/locations/"
    known = sorted((name, shown) for name, shown in ask.deployment.locations.items() if name > page.after)
    return [LocationDocument(place + name, name, shown, shown) for name, shown in known[: page.limit]]


TENANTS: Final[ResourceType[TenantDocument, None]] = ResourceType(
    name="Microsoft.Resources/tenants",
    paths=(),
    versions=_VERSIONS,
    document=TenantDocument,
    lists=(Listing("/tenants", None, _tenants),),
)
SUBSCRIPTIONS: Final[ResourceType[SubscriptionDocument, None]] = ResourceType(
    name="Microsoft.Resources/subscriptions",
    paths=("/subscriptions/{subscription}",),
    versions=_VERSIONS,
    document=SubscriptionDocument,
    get=_one_subscription,
    lists=(Listing("/subscriptions", None, _subscriptions),),
    open_to="its handler shows only subscriptions in which the caller has a role",
    not_found="SubscriptionNotFound",
)
LOCATIONS: Final[ResourceType[LocationDocument, None]] = ResourceType(
    name="Microsoft.Resources/subscriptions/locations",
    paths=(),
    versions=_VERSIONS,
    document=LocationDocument,
    lists=(Listing("/subscriptions/{subscription}/locations", None, _locations),),
    parents=(SUBSCRIPTIONS,),
)
