"""From a request, or a task that a trigger fired, to the run that is wished for (ACR-TASKS 6.1)."""

import base64
from typing import Final, TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection

from entrepot.access.sealing import Sealer
from entrepot.errors import Kind, Problem
from entrepot.tasks.model import Argument, Platform, SetValue
from entrepot.tasks.resource import queries
from entrepot.tasks.resource.model import DockerStep, EncodedTaskStep, FileTaskStep, Status, TaskSettings
from entrepot.tasks.resource.queries import TaskRow
from entrepot.tasks.resource.tasks import full_settings
from entrepot.tasks.runs.model import ImageUpdate, PushedImage, RunType, Tick
from entrepot.tasks.runs.plan import Planned, QuickRequest, planned
from entrepot.tasks.runs.requests import (
    DockerBuildRequest,
    EncodedTaskRunRequest,
    FileTaskRunRequest,
    RunRequest,
    TaskRunRequest,
    TaskStepOverrides,
)
from entrepot.tasks.runs.schedule import Wish

_LINUX: Final = Platform("linux", "amd64")
Pair = TypeVar("Pair", Argument, SetValue)


def wish_of(tx: Connection, sealer: Sealer, registry_id: int, request: RunRequest, principal: str) -> Wish:
    """``principal``: who asks. Raises RESOURCE_UNKNOWN for a task that is not there, RESOURCE_INVALID, RESOURCE_EXISTS
    for one that is disabled.
    """
    if not isinstance(request, TaskRunRequest):
        plan, secrets = planned(request, principal)
        return Wish(plan, secrets, pool=request.agent_pool_name, is_archived=request.is_archive_enabled)
    row = _task(tx, registry_id, request)
    settings = full_settings(sealer, row)
    if settings.status is Status.DISABLED:
        reason = f"The task '{row.name}' is disabled: az acr task update --status Enabled."
        raise Problem(Kind.RESOURCE_EXISTS, code="TaskDisabled", reason=reason)
    overrides = request.override_task_step_properties
    overrides = replace(overrides, values=[*overrides.values, *request.values])
    plan, secrets = of_task(settings, overrides, principal)
    if overrides.update_trigger_token:
        plan = replace(plan, update_trigger_token=_token(overrides.update_trigger_token))
    pool = request.agent_pool_name or settings.agent_pool_name
    return Wish(plan, secrets, task=row.name, pool=pool, is_archived=request.is_archive_enabled)


def wish_of_tick(sealer: Sealer, row: TaskRow, tick: Tick) -> Wish:
    """The run of a task that a timer begins."""
    settings = full_settings(sealer, row)
    plan, secrets = of_task(settings, TaskStepOverrides(), "")
    return Wish(replace(plan, tick=tick), secrets, RunType.AUTO, row.name, settings.agent_pool_name)


def wish_of_change(sealer: Sealer, row: TaskRow, change: ImageUpdate | PushedImage, chain: tuple[str, ...]) -> Wish:
    """The run of a task that a changed base image, or a push, begins. Raises RESOURCE_INVALID."""
    settings = full_settings(sealer, row)
    plan, secrets = of_task(settings, TaskStepOverrides(), "")
    update, pushed = (change, None) if isinstance(change, ImageUpdate) else (None, change)
    plan = replace(plan, image_update=update, pushed=pushed, chain=chain)
    return Wish(plan, secrets, RunType.AUTO, row.name, settings.agent_pool_name)


def _task(tx: Connection, registry_id: int, request: TaskRunRequest) -> TaskRow:
    name = (request.task_id or "").rpartition("/")[2] or request.task_name or ""
    row = None if not name or "\0" in name else queries.find_task(tx, registry_id, name)
    if row is None:
        reason = f"The Resource 'Microsoft.ContainerRegistry/registries/tasks/{name[:64]}' was not found."
        raise Problem(Kind.RESOURCE_UNKNOWN, code="ResourceNotFound", reason=reason)
    return row


def of_task(settings: TaskSettings, overrides: TaskStepOverrides, principal: str) -> Planned:
    """``settings``: with their secrets. Raises RESOURCE_INVALID for a task that is none to be run."""
    request = _request(settings, overrides)
    plan, secrets = planned(request, principal)
    # The task's token is for the task's own source.
    token = None if settings.step is None or overrides.context_path else settings.step.context_access_token
    return Planned(plan, replace(secrets, token=token or ""))


def _request(settings: TaskSettings, overrides: TaskStepOverrides) -> QuickRequest:
    """What a quick run would have to ask for to do the same."""
    platform, step = settings.platform or _LINUX, settings.step
    context = overrides.context_path or (None if step is None else step.context_path)
    agent, timeout, credentials = settings.agent_configuration, settings.timeout, settings.credentials
    match step:
        case None:
            reason = "the task has no step: it says how quick runs are, and is none itself"
            raise Problem(Kind.RESOURCE_INVALID, target="taskId", reason=reason)
        case DockerStep():
            return DockerBuildRequest(
                docker_file_path=overrides.file or step.docker_file_path,
                platform=platform,
                image_names=step.image_names,
                is_push_enabled=step.is_push_enabled,
                no_cache=step.no_cache,
                target=overrides.target or step.target,
                arguments=_over(step.arguments, overrides.arguments),
                attestations=step.attestations,
                timeout=timeout,
                agent_configuration=agent,
                source_location=context,
                credentials=credentials,
            )
        case FileTaskStep():
            return FileTaskRunRequest(
                task_file_path=overrides.file or step.task_file_path,
                platform=platform,
                values_file_path=step.values_file_path,
                values=_over(step.values, overrides.values),
                timeout=timeout,
                agent_configuration=agent,
                source_location=context,
                credentials=credentials,
            )
        case EncodedTaskStep():
            return EncodedTaskRunRequest(
                encoded_task_content=step.encoded_task_content,
                platform=platform,
                encoded_values_content=step.encoded_values_content,
                values=_over(step.values, overrides.values),
                timeout=timeout,
                agent_configuration=agent,
                source_location=context,
                credentials=credentials,
            )


def _over(below: list[Pair], above: list[Pair]) -> list[Pair]:
    """The task's, with those of the same name replaced."""
    return list({each.name: each for each in (*below, *above)}.values())


def _token(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        reason = "this is no Base64 of a text"
        raise Problem(Kind.RESOURCE_INVALID, target="updateTriggerToken", reason=reason) from None
