"""Where an operation is asked for, and the headers that say so. Spec: Azure Resource Manager, "Async operations"."""

from typing import Final
from urllib.parse import quote, urlencode

from entrepot.arm.descriptor import Ask
from entrepot.gate.management import ManagementCall
from entrepot.web.answer import Headers, header

_PLACE: Final = "/subscriptions/{subscription}/providers/Microsoft.ContainerRegistry/locations/{location}"
STATUS_PATH: Final = f"{_PLACE}/operationStatuses/{{operation}}"
RESULT_PATH: Final = f"{_PLACE}/operationResults/{{operation}}"
# Clients wait so long between two looks; az takes half a minute when nobody tells it.
RETRY_AFTER: Final = header(b"retry-after", "1")


def going_headers(call: ManagementCall, ask: Ask, operation_id: str) -> Headers:
    """Of an answer whose work goes on: a client polls the status, or until what it gets is the result."""
    return [
        header(b"azure-asyncoperation", _url(call, STATUS_PATH, ask, operation_id)),
        header(b"location", _url(call, RESULT_PATH, ask, operation_id)),
        RETRY_AFTER,
    ]


def _url(call: ManagementCall, path: str, ask: Ask, operation_id: str) -> str:
    where = {"subscription": ask["subscription"], "location": ask.deployment.region, "operation": operation_id}
    query = urlencode({"api-version": call.request.query("api-version") or ""})
    return f"{call.origin}{quote(path.format_map(where))}?{query}"
