"""The management API as a surface: the rows of all descriptors, case aside, behind the gate's management admission."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from entrepot.access.model import Access
from entrepot.arm.actions import PROVIDER_OPERATIONS
from entrepot.arm.descriptor import AnyResource, Deployment
from entrepot.arm.metadata import METADATA
from entrepot.arm.operations.routes import OPERATIONS
from entrepot.arm.problems import render
from entrepot.arm.reading import DOCUMENT_PATH, PAGE_PATH, READING
from entrepot.arm.routes import ArmRoute, rows_of
from entrepot.gate.call import Site, Surface
from entrepot.gate.firewall import Firewall
from entrepot.gate.hosts import Host
from entrepot.gate.management import Management, ManagementCall, arm_audiences
from entrepot.web.answer import AnyAnswer
from entrepot.web.routing import Route, RouteTable

# How the paths of the surface begin.
PREFIXES: Final = ("/subscriptions", "/providers", "/tenants", "/metadata/endpoints", DOCUMENT_PATH, PAGE_PATH)
_HEADERS: Final = (
    (b"cache-control", b"no-cache"),
    (b"x-content-type-options", b"nosniff"),
)

ArmHandler = Callable[[ManagementCall, Deployment], Awaitable[AnyAnswer]]


class ArmTable(RouteTable[ArmHandler, Access]):
    """Rows whose paths are the same in any case, with a slash written twice, and with one at their end.

    ``az lock`` and ``az resource`` write an empty part where a resource has no parent, ``//registries/``, and
    ``az deployment group list`` asks for ``deployments/``.
    """

    def __init__(self, routes: Iterable[ArmRoute]) -> None:
        super().__init__(routes, re.IGNORECASE)

    def find(self, method: str, path: str) -> tuple[Route[ArmHandler, Access], dict[str, str]]:
        return super().find(method, path.replace("//", "/").removesuffix("/"))


def rows(resources: Iterable[AnyResource]) -> tuple[ArmRoute, ...]:
    """Every row that the descriptors ask for, and those of no resource."""
    ours = (*METADATA, *READING, *PROVIDER_OPERATIONS, *OPERATIONS)
    return (*ours, *(row for resource in resources for row in rows_of(resource)))


def directory_challenge(scheme: str) -> Callable[[Host], str]:
    """What a 401 of the deployment's own APIs says: where to sign in."""

    def challenge(host: Host) -> str:
        return (
            f'Bearer authorization_uri="{scheme}://{host.authority}/common", error="invalid_token", '
            'error_description="The access token is missing, has ended, or is for another audience."'
        )

    return challenge


def arm_surface(site: Site, deployment: Deployment, firewall: Firewall | None) -> Surface[ManagementCall, Deployment]:
    """One for each worker process."""
    table = ArmTable(rows(deployment.resources))
    admission = Management(site, arm_audiences(site.scheme), directory_challenge(site.scheme), firewall)
    return Surface("arm", table, admission, deployment, render, _HEADERS)
