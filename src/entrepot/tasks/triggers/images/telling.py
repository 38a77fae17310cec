"""Who a base image trigger names is told of a change, beside the run that it begins (ACR-TASKS 7.2).

What is sent is ours: how ACR writes it is not known. A token is the newest that a run of the task was given.
"""

from base64 import b64encode
from typing import Final

import msgspec

from entrepot.jobs.model import Json
from entrepot.jobs.run import Run
from entrepot.outbound.client import Outbound
from entrepot.outbound.model import OutboundError, Request
from entrepot.tasks.runs.model import ImageUpdate, Plan
from entrepot.tasks.triggers.images import queries
from entrepot.tasks.triggers.images.queries import Telling

_SECONDS: Final = 15.0
_ANSWER_LIMIT: Final = 64 * 1024
_PAUSES: Final = (1.0, 5.0, 25.0, 0.0)
_GOOD: Final = range(200, 300)


class Told(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The body. ``update_trigger_token``: in Base64, as runs are given it."""

    update_trigger_token: str
    task: str | None = None
    run_id: str | None = None
    image_update_trigger: ImageUpdate | None = None


def tell(run: Run, outbound: Outbound, evaluation: int) -> Json:
    """Twice is safe: it tells of the same run. What came of it is a part of the evaluation's reason."""
    telling = run.read(queries.telling, evaluation)
    if telling is None:
        return None
    token = run.read(queries.last_with_token, telling.registry_id, telling.task)
    body = msgspec.json.encode(_told(telling, token))
    said = ""
    for pause in _PAUSES:
        said, is_heard = _post(outbound, telling.endpoint, body)
        if is_heard or run.stopping:
            break
        run.pause(pause)
    run.write(queries.set_reason, evaluation, f"{telling.reason} The trigger's endpoint {said}.")
    return None


def _told(telling: Telling, with_token: str | None) -> Told:
    token = None if with_token is None else msgspec.json.decode(with_token, type=Plan).update_trigger_token
    encoded = b64encode((token or "").encode()).decode()
    if not telling.tells_all:
        return Told(encoded)
    plan = msgspec.json.decode(telling.request, type=Plan)
    return Told(encoded, telling.task, telling.run, plan.image_update)


def _post(outbound: Outbound, endpoint: str, body: bytes) -> tuple[str, bool]:
    """How it went, and whether it was heard."""
    headers = {"content-type": "application/json"}
    try:
        answer = outbound.send(Request("POST", endpoint, headers, body, seconds=_SECONDS, limit=_ANSWER_LIMIT))
    except OutboundError as error:
        return f"was not told: {error}", False
    return f"answered {answer.status}", answer.status in _GOOD
