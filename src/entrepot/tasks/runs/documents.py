"""A run as it is shown (ACR-TASKS 6.2)."""

from datetime import datetime
from typing import Final

import msgspec

from entrepot.tasks.model import LoginMode
from entrepot.tasks.runs.model import Outcome, Plan, RunDocument, RunProperties
from entrepot.tasks.runs.names import run_number
from entrepot.tasks.runs.queries import RunRow

# Lists go on by how far below this a run is numbered.
NUMBERED_BELOW: Final = 2**62


def document(registry: str, login_server: str, row: RunRow, ahead: int | None) -> RunDocument:
    """``registry``: its resource id. ``ahead``: how many runs of it go before one that waits."""
    plan = msgspec.json.decode(row.request, type=Plan)
    outcome = msgspec.json.decode(row.outcome, type=Outcome)
    source = plan.credentials.source_registry
    login = None if source is None or source.login_mode is None else source.login_mode.value
    waits = row.waits or (f"The run waits: {ahead} of {login_server} before it." if ahead else None)
    properties = RunProperties(
        run_id=row.name,
        status=row.status,
        run_type=row.type,
        platform=plan.platform,
        agent_configuration=plan.agent,
        create_time=_moment(row.created_at),
        last_updated_time=_second(row.updated_at),
        start_time=None if row.started_at is None else _moment(row.started_at),
        finish_time=None if row.finished_at is None else _moment(row.finished_at),
        task=row.task,
        agent_pool_name=row.pool,
        output_images=outcome.images,
        image_update_trigger=plan.image_update,
        source_trigger=plan.source,
        timer_trigger=plan.tick,
        event_trigger=plan.pushed,
        source_registry_auth=login if login == LoginMode.NONE else None,
        custom_registries=outcome.custom_registries,
        run_error_message=outcome.error or waits,
        update_trigger_token=plan.update_trigger_token,
        provisioning_state="Succeeded",
        is_archive_enabled=row.is_archived,
    )
    return RunDocument(f"{registry}/runs/{row.name}", row.name, properties)


def order_of(found: RunDocument) -> str:
    """By which lists go on: the newest first."""
    return f"{NUMBERED_BELOW - (run_number(found.name) or 0):019}"


def _moment(at: datetime) -> str:
    """With seven digits after the point, as ACR writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00")


def _second(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+00:00")
