"""What clients poll: the status of an operation, or its result once there is one. Source: ACR-REFERENCE 6.2."""

from datetime import datetime
from http import HTTPStatus
from typing import Final

import msgspec

from entrepot.access.model import Member
from entrepot.arm.descriptor import Deployment
from entrepot.arm.going import RESULT_PATH, RETRY_AFTER, STATUS_PATH
from entrepot.arm.operations.queries import OperationRow
from entrepot.arm.operations.record import Outcome, absent, error_of, find
from entrepot.arm.problems import Error
from entrepot.arm.routes import ArmRoute
from entrepot.arm.tracing import tracing_headers
from entrepot.arm.versions import CONTAINER_REGISTRY, expect_version
from entrepot.gate.management import ManagementCall
from entrepot.web.answer import JSON, Answer, AnyAnswer, header
from entrepot.web.routing import Route

_TYPE: Final = "Microsoft.ContainerRegistry/locations/operationResults"


class OperationStatus(msgspec.Struct, rename="camel", omit_defaults=True):
    id: str
    name: str
    status: str
    start_time: datetime
    end_time: datetime | None = None
    properties: dict[str, str | int] = {}
    error: Error | None = None


class OperationResult(msgspec.Struct):
    """What the work has told on its way stands beside it."""

    status: str


class _Failure(msgspec.Struct):
    error: Error
    status: str = Outcome.FAILED


async def get_status(call: ManagementCall, deployment: Deployment) -> AnyAnswer:  # noqa: ARG001  handlers have one shape
    """How a long operation stands: what it is doing, or how it ended."""
    row = await _asked(call)
    stated = error_of(row)
    status = OperationStatus(
        id=call.request.path,
        name=row.id,
        status=row.status,
        start_time=row.started_at,
        end_time=row.ended_at,
        properties=_progress(row),
        error=None if stated is None else stated.error,
    )
    headers = [JSON, *tracing_headers(call.request)]
    return Answer(HTTPStatus.OK, headers if row.ended_at else [*headers, RETRY_AFTER], msgspec.json.encode(status))


async def get_result(call: ManagementCall, deployment: Deployment) -> AnyAnswer:  # noqa: ARG001  handlers have one shape
    """The result of a long operation: 202 until it has ended, then what the request would have answered."""
    row = await _asked(call)
    headers = [JSON, *tracing_headers(call.request)]
    stated = error_of(row)
    if stated is not None:
        return Answer(stated.status, headers, msgspec.json.encode(_Failure(stated.error)))
    if row.ended_at is not None:
        return Answer(HTTPStatus.OK, headers, msgspec.json.encode(OperationResult(row.status)))
    query = call.request.scope["query_string"].decode("latin-1")
    again = header(b"location", f"{call.origin}{call.request.path}?{query}")
    body = msgspec.json.encode({**_progress(row), "status": "Accepted"})
    return Answer(HTTPStatus.ACCEPTED, [*headers, again, RETRY_AFTER], body)


async def _asked(call: ManagementCall) -> OperationRow:
    """For whoever began it, and whoever may read what it works on. Raises RESOURCE_UNKNOWN to all others."""
    expect_version(call.request, CONTAINER_REGISTRY, _TYPE)
    row = await call.doors.read(find, call.param("operation"), call.param("subscription"))
    if row.principal != call.caller.principal and not await call.may(
        "Microsoft.ContainerRegistry/registries/read", row.resource_id
    ):
        raise absent(row.id)
    return row


def _progress(row: OperationRow) -> dict[str, str | int]:
    return msgspec.json.decode(row.progress, type=dict[str, str | int])


_WHO: Final = Member("whoever began it, or may read what it works on, is told")
OPERATIONS: Final[tuple[ArmRoute, ...]] = (
    Route("GET", STATUS_PATH, get_status, _WHO),
    Route("GET", RESULT_PATH, get_result, _WHO),
)
