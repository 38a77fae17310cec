"""``operations``: what roles can permit of the provider, for tools that make them. Source: ACR-REFERENCE 5.3."""

from typing import Final

import msgspec

from entrepot.access.model import Member
from entrepot.access.operations import ACTIONS, DATA_ACTIONS, PROVIDER
from entrepot.arm.descriptor import Deployment
from entrepot.arm.routes import ArmRoute
from entrepot.arm.tracing import tracing_headers
from entrepot.arm.versions import CONTAINER_REGISTRY, expect_version
from entrepot.gate.management import ManagementCall
from entrepot.web.answer import JSON, Answer, AnyAnswer
from entrepot.web.routing import Route


class _Display(msgspec.Struct):
    provider: str
    resource: str
    operation: str
    description: str


class _Operation(msgspec.Struct, rename="camel"):
    name: str
    is_data_action: bool
    display: _Display
    origin: str = "user,system"


def _shown(name: str, *, is_data_action: bool) -> _Operation:
    resource, _, operation = name.removesuffix("/action").partition("/")[2].rpartition("/")
    return _Operation(name, is_data_action, _Display(PROVIDER, resource, operation, name))


_EVERY: Final = msgspec.json.encode(
    {
        "value": [
            *(_shown(name, is_data_action=False) for name in ACTIONS),
            *(_shown(name, is_data_action=True) for name in DATA_ACTIONS),
        ]
    }
)


async def list_operations(call: ManagementCall, deployment: Deployment) -> AnyAnswer:  # noqa: ARG001  handlers have one shape
    """Every operation of the provider, which roles permit."""
    expect_version(call.request, CONTAINER_REGISTRY, f"{PROVIDER}/operations")
    return Answer(200, [JSON, *tracing_headers(call.request)], _EVERY)


PROVIDER_OPERATIONS: Final[tuple[ArmRoute, ...]] = (
    Route("GET", f"/providers/{PROVIDER}/operations", list_operations, Member("it says what the software can do")),
)
