"""From what was asked for to what a run does: defaults filled in, secrets apart (ACR-TASKS 6.1)."""

import base64
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from entrepot.errors import Kind, Problem
from entrepot.tasks.context import ContextInvalid, parse_context
from entrepot.tasks.language.findings import TaskInvalid
from entrepot.tasks.model import Argument, Credentials, CustomRegistry, SecretKind, SecretObject, SetValue
from entrepot.tasks.runs.model import Build, Plan, Secrets, Steps
from entrepot.tasks.runs.requests import DockerBuildRequest, EncodedTaskRunRequest, FileTaskRunRequest

_CREDENTIALS: Final = re.compile(r"//[^/@#]*@")

QuickRequest = DockerBuildRequest | FileTaskRunRequest | EncodedTaskRunRequest


class Planned(NamedTuple):
    """What a run does, and what of it is secret."""

    plan: Plan
    secrets: Secrets


def planned(request: QuickRequest, principal: str) -> Planned:
    """``principal``: who asks. Raises RESOURCE_INVALID."""
    context = request.source_location or ""
    check_context(context, "sourceLocation")
    credentials = request.credentials or Credentials()
    work, secrets = _work(request)
    shown_context = _CREDENTIALS.sub("//", context)
    plan = Plan(
        work,
        request.platform,
        request.timeout,
        shown_context,
        request.agent_configuration,
        without_passwords(credentials),
        principal,
    )
    whole = "" if shown_context == context else context
    return Planned(plan, msgspec.structs.replace(secrets, registries=passwords(credentials), context=whole))


def _work(request: QuickRequest) -> tuple[Build | Steps, Secrets]:
    if isinstance(request, DockerBuildRequest):
        shown, secret = split(request.arguments)
        build = Build(
            request.docker_file_path,
            tuple(request.image_names),
            request.is_push_enabled,
            request.no_cache,
            request.target or "",
            shown,
            tuple(dict.fromkeys(request.attestations)),
        )
        return build, Secrets(arguments=secret)
    shown, secret = split(request.values)
    if isinstance(request, FileTaskRunRequest):
        steps = Steps(path=request.task_file_path, values_path=request.values_file_path or "", values=shown)
    else:
        text = decoded(request.encoded_task_content, "encodedTaskContent")
        values = decoded(request.encoded_values_content or "", "encodedValuesContent")
        steps = Steps(text=text, values_text=values, values=shown)
    return steps, Secrets(values=secret)


def split(given: Iterable[Argument | SetValue]) -> tuple[dict[str, str | None], dict[str, str]]:
    """All by name, those that are secret without their value; and the values of these. The last of a name wins."""
    shown: dict[str, str | None] = {}
    secret: dict[str, str] = {}
    for each in given:
        shown[each.name] = None if each.is_secret else each.value or ""
        secret.pop(each.name, None)
        if each.is_secret:
            secret[each.name] = each.value or ""
    return shown, secret


def passwords(credentials: Credentials) -> dict[str, tuple[str, str]]:
    """User name and password by login server, of registries that have both; empty for what lies in a vault."""
    found: dict[str, tuple[str, str]] = {}
    for server, custom in (credentials.custom_registries or {}).items():
        if custom.user_name is not None and custom.password is not None:
            found[server] = (_told(custom.user_name), _told(custom.password))
    return found


def _told(half: SecretObject) -> str:
    """What lies in a vault is read when the run begins."""
    return "" if half.type is SecretKind.VAULT else half.value or ""


def without_passwords(credentials: Credentials) -> Credentials:
    """What may be kept beside a plan: which registries, as whom, and what lies in which vault."""
    customs = credentials.custom_registries or {}
    return Credentials(credentials.source_registry, {server: _public(custom) for server, custom in customs.items()})


def _public(custom: CustomRegistry) -> CustomRegistry:
    halves = (custom.user_name, custom.password)
    user, password = (half if half is not None and half.type is SecretKind.VAULT else None for half in halves)
    return CustomRegistry(user, password, custom.identity)


def decoded(content: str, member: str) -> str:
    """Base64 of UTF-8. Raises RESOURCE_INVALID."""
    try:
        return base64.b64decode(content, validate=True).decode()
    except ValueError as error:
        raise _invalid(member, f"this is no Base64 of a text: {error}") from None


def check_context(context: str, member: str) -> None:
    """Raises RESOURCE_INVALID for what no run could fetch."""
    try:
        parse_context(context)
    except (ContextInvalid, TaskInvalid) as error:
        raise _invalid(member, str(error)) from None


def _invalid(member: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, target=member, reason=reason)
