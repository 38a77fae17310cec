"""The registries of the deployment, remembered until the access epoch moves."""

from dataclasses import dataclass

from entrepot.access.definitions import Mode
from entrepot.access.rights import Where
from entrepot.catalog.model import RegistryId
from entrepot.gate import queries
from entrepot.gate.doors import Doors
from entrepot.gate.firewall import Firewall, firewall_of
from entrepot.gate.rates import Keeping, Rates


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry as requests need it. ``rid`` is what its tokens are bound to.

    ``arm_audience``: whether a directory token for the management API signs in here as well. ``firewall`` None: every
    address is answered. ``rates`` None: no request is refused because there were many.
    """

    id: RegistryId
    name: str
    rid: str
    anonymous_pull: bool
    resource_id: str
    tenant_id: str
    arm_audience: bool
    mode: Mode
    firewall: Firewall | None
    rates: Rates | None

    @property
    def where(self) -> Where:
        """The registry as rights see it."""
        return Where(self.id, self.resource_id, self.mode)


class Registries:
    """Looks registries up by name. One per worker process."""

    def __init__(self, doors: Doors, keeping: Keeping | None = None) -> None:
        """``keeping``: to the rates of requests, where the deployment does."""
        self._doors = doors
        self._keeping = keeping
        self._by_name: dict[str, Registry] = {}

    def forget(self) -> None:
        # A new one, not an emptied one: what a look-up under way has read may be from before the change.
        self._by_name = {}

    async def find(self, name: str) -> Registry | None:
        known = self._by_name
        if not known:
            rows = await self._doors.read(queries.registries)
            known.update({row.name.lower(): registry_of(row, self._keeping) for row in rows})
        if name not in known and name.isascii() and name.isalnum():
            # Perhaps another worker made it since: whoever was told of it comes at once.
            row = await self._doors.read(queries.find_registry, name)
            if row is not None:
                known[name] = registry_of(row, self._keeping)
        return known.get(name)


def registry_of(row: queries.RegistryRow, keeping: Keeping | None = None) -> Registry:
    resource_id = (
        f"/subscriptions/{row.subscription_id}/resourceGroups/{row.resource_group}"
        f"/providers/Microsoft.ContainerRegistry/registries/{row.name}"
    )
    return Registry(
        RegistryId(row.id),
        row.name,
        row.rid,
        row.anonymous_pull,
        resource_id,
        row.tenant_id,
        row.arm_audience,
        Mode(row.role_mode),
        firewall_of(row.network),
        None if keeping is None else Rates(row.id, keeping.rates_of(row.sku, row.limits), keeping),
    )
