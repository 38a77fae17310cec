"""``/metadata/endpoints``: what a cloud is made of, for ``az cloud register`` and the SDKs. Spec: AZ-CLI-FLOWS 1."""

from typing import Final

import msgspec

from entrepot.access.model import Public
from entrepot.arm.descriptor import Deployment
from entrepot.arm.routes import ArmRoute
from entrepot.gate.management import ManagementCall
from entrepot.web.answer import JSON, Answer, AnyAnswer
from entrepot.web.routing import Route


class Authentication(msgspec.Struct, rename="camel"):
    login_endpoint: str
    audiences: list[str]
    tenant: str = "common"
    identity_provider: str = "AAD"


class Suffixes(msgspec.Struct, rename="camel"):
    """``storage``: of where blobs come from, which az puts into its advice on firewalls. Ours come from registries.

    There are no vaults, but Terraform's azurerm provider does not begin without their suffix.
    """

    acr_login_server: str
    storage: str
    key_vault_dns: str


class Endpoints(msgspec.Struct, rename="camel"):
    name: str
    portal: str
    resource_manager: str
    authentication: Authentication
    suffixes: Suffixes
    graph: str
    microsoft_graph_resource_id: str
    graph_audience: str


async def get_endpoints(call: ManagementCall, deployment: Deployment) -> AnyAnswer:  # noqa: ARG001  handlers have one shape
    """What the deployment is made of, as clients of a cloud ask for it."""
    origin, suffix = call.origin, call.site.hosts.suffix()
    body = Endpoints(
        name="Entrepot",
        portal=origin,
        resource_manager=origin,
        authentication=Authentication(origin, [f"{origin}/"]),
        suffixes=Suffixes(acr_login_server=suffix, storage=suffix, key_vault_dns=suffix),
        graph=f"{origin}/",
        microsoft_graph_resource_id=f"{origin}/",
        graph_audience=f"{origin}/",
    )
    return Answer(200, [JSON], msgspec.json.encode(body))


METADATA: Final[tuple[ArmRoute, ...]] = (
    Route("GET", "/metadata/endpoints", get_endpoints, Public("a client learns from it where to sign in")),
)
