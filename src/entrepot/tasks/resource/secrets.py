"""What of a task or of a request for a run is secret: taken out before it is kept or shown, put back where it is used.

Secret are arguments and values that say so, passwords that are no name of a vault's secret, and tokens. Each is kept
under the name that it has beside it, so what was taken from one fits whatever is written over it later.
"""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entrepot.access.sealing import Sealer
from entrepot.tasks.model import Argument, Credentials, CustomRegistry, SecretKind, SetValue
from entrepot.tasks.resource.model import (
    DockerStep,
    EncodedTaskStep,
    FileTaskStep,
    SourceControlAuth,
    SourceTrigger,
    Step,
    TaskSettings,
)
from entrepot.tasks.runs.requests import (
    DockerBuildRequest,
    EncodedTaskRunRequest,
    FileTaskRunRequest,
    RunRequest,
    TaskRunRequest,
)

Pair = TypeVar("Pair", Argument, SetValue)


class Secrets(Struct, frozen=True, rename="camel", omit_defaults=True):
    """By the names of arguments, of values, of login servers and of source triggers."""

    arguments: dict[str, str] = {}
    values: dict[str, str] = {}
    passwords: dict[str, str] = {}
    tokens: dict[str, SourceControlAuth] = {}
    context_access_token: str | None = None


_NONE = Secrets()


def seal(sealer: Sealer, secrets: Secrets, purpose: str) -> str | None:
    """None: there is nothing to seal. ``purpose``: what they belong to; they open for nothing else."""
    return None if secrets == _NONE else sealer.seal(msgspec.json.encode(secrets).decode(), purpose)


def unseal(sealer: Sealer, sealed: str | None, purpose: str) -> Secrets:
    return _NONE if sealed is None else msgspec.json.decode(sealer.open(sealed, purpose), type=Secrets)


# --- tasks ------------------------------------------------------------------------------------------------------------


def hide_of_task(settings: TaskSettings) -> tuple[TaskSettings, Secrets]:
    """The settings as anybody may read them, and what was taken out."""
    secrets = _in_step(settings.step)
    secrets = replace(
        secrets,
        passwords=_passwords(settings.credentials),
        tokens={
            trigger.name: trigger.source_repository.source_control_auth_properties
            for trigger in _source_triggers(settings)
            if trigger.source_repository.source_control_auth_properties is not None
        },
    )
    return _task_with(settings, _HIDING), secrets


def reveal_in_task(settings: TaskSettings, secrets: Secrets) -> TaskSettings:
    """With the secrets where they have no value; what has one keeps it."""
    return _task_with(settings, _revealing(secrets))


# --- requests ---------------------------------------------------------------------------------------------------------


def hide_of_request(request: RunRequest) -> tuple[RunRequest, Secrets]:
    """The request as anybody may read it, and what was taken out."""
    match request:
        case DockerBuildRequest():
            secrets = Secrets(arguments=_told(request.arguments), passwords=_passwords(request.credentials))
        case TaskRunRequest(override_task_step_properties=overrides):
            values = _told(request.values) | _told(overrides.values)
            secrets = Secrets(arguments=_told(overrides.arguments), values=values)
        case FileTaskRunRequest() | EncodedTaskRunRequest():
            secrets = Secrets(values=_told(request.values), passwords=_passwords(request.credentials))
    return _request_with(request, _HIDING), secrets


def reveal_in_request(request: RunRequest, secrets: Secrets) -> RunRequest:
    """With the secrets where they have no value; what has one keeps it."""
    return _request_with(request, _revealing(secrets))


# --- walks ------------------------------------------------------------------------------------------------------------

# From the name and the value to the value.
Change: TypeAlias = Callable[[str, str | None], str | None]


class _Changes(Struct, frozen=True):
    """What becomes of each secret."""

    argument: Change
    value: Change
    password: Change
    token: Callable[[str, SourceControlAuth | None], SourceControlAuth | None]
    context: Callable[[str | None], str | None]


_HIDING = _Changes(
    argument=lambda _name, _value: None,
    value=lambda _name, _value: None,
    password=lambda _name, _value: None,
    token=lambda _name, _value: None,
    context=lambda _value: None,
)


def _revealing(secrets: Secrets) -> _Changes:
    return _Changes(
        argument=lambda name, value: secrets.arguments.get(name) if value is None else value,
        value=lambda name, value: secrets.values.get(name) if value is None else value,
        password=lambda name, value: secrets.passwords.get(name) if value is None else value,
        token=lambda name, value: _token_of(secrets.tokens.get(name), value),
        context=lambda value: secrets.context_access_token if value is None else value,
    )


def _token_of(kept: SourceControlAuth | None, told: SourceControlAuth | None) -> SourceControlAuth | None:
    if told is None or kept is None:
        return kept if told is None else told
    return replace(told, token=kept.token) if told.token is None else told


def _task_with(settings: TaskSettings, changes: _Changes) -> TaskSettings:
    trigger = settings.trigger
    if trigger is not None:
        sources = [_trigger_with(each, changes) for each in trigger.source_triggers]
        trigger = replace(trigger, source_triggers=sources)
    step = None if settings.step is None else _step_with(settings.step, changes)
    return replace(settings, step=step, trigger=trigger, credentials=_credentials_with(settings.credentials, changes))


def _request_with(request: RunRequest, changes: _Changes) -> RunRequest:
    match request:
        case DockerBuildRequest():
            arguments = _pairs_with(request.arguments, changes.argument)
            return replace(request, arguments=arguments, credentials=_credentials_with(request.credentials, changes))
        case TaskRunRequest(override_task_step_properties=overrides):
            overrides = replace(
                overrides,
                arguments=_pairs_with(overrides.arguments, changes.argument),
                values=_pairs_with(overrides.values, changes.value),
            )
            values = _pairs_with(request.values, changes.value)
            return replace(request, override_task_step_properties=overrides, values=values)
        case FileTaskRunRequest() | EncodedTaskRunRequest():
            values = _pairs_with(request.values, changes.value)
            return replace(request, values=values, credentials=_credentials_with(request.credentials, changes))


def _step_with(step: Step, changes: _Changes) -> Step:
    token = changes.context(step.context_access_token)
    match step:
        case DockerStep():
            return replace(step, context_access_token=token, arguments=_pairs_with(step.arguments, changes.argument))
        case FileTaskStep() | EncodedTaskStep():
            return replace(step, context_access_token=token, values=_pairs_with(step.values, changes.value))


def _pairs_with(pairs: list[Pair], change: Change) -> list[Pair]:
    return [replace(each, value=change(each.name, each.value)) if each.is_secret else each for each in pairs]


def _trigger_with(trigger: SourceTrigger, changes: _Changes) -> SourceTrigger:
    token = changes.token(trigger.name, trigger.source_repository.source_control_auth_properties)
    repository = replace(trigger.source_repository, source_control_auth_properties=token)
    return replace(trigger, source_repository=repository)


def _credentials_with(credentials: Credentials | None, changes: _Changes) -> Credentials | None:
    if credentials is None or credentials.custom_registries is None:
        return credentials
    registries = {
        server: _registry_with(server, registry, changes) for server, registry in credentials.custom_registries.items()
    }
    return replace(credentials, custom_registries=registries)


def _registry_with(server: str, registry: CustomRegistry, changes: _Changes) -> CustomRegistry:
    password = registry.password
    if password is None or password.type is SecretKind.VAULT:
        return registry
    return replace(registry, password=replace(password, value=changes.password(server, password.value)))


# --- what is there ----------------------------------------------------------------------------------------------------


def _in_step(step: Step | None) -> Secrets:
    match step:
        case None:
            return _NONE
        case DockerStep():
            return Secrets(arguments=_told(step.arguments), context_access_token=step.context_access_token)
        case FileTaskStep() | EncodedTaskStep():
            return Secrets(values=_told(step.values), context_access_token=step.context_access_token)


def _told(pairs: list[Argument] | list[SetValue]) -> dict[str, str]:
    return {each.name: each.value for each in pairs if each.is_secret and each.value is not None}


def _passwords(credentials: Credentials | None) -> dict[str, str]:
    registries = (credentials.custom_registries if credentials else None) or {}
    passwords = {server: registry.password for server, registry in registries.items()}
    return {
        server: password.value
        for server, password in passwords.items()
        if password is not None and password.type is SecretKind.OPAQUE and password.value is not None
    }


def _source_triggers(settings: TaskSettings) -> list[SourceTrigger]:
    return [] if settings.trigger is None else settings.trigger.source_triggers
