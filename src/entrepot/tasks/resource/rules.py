"""What a task may be: names, contexts, triggers, credentials, and whether the task file in it can be read.

Source: ACR-TASKS 5.1 to 5.5. What is wrong is told when a task is written, not first when it runs.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import replace

from entrepot.arm.identities import Identity
from entrepot.errors import Kind, Problem
from entrepot.remote.place import parse_host
from entrepot.tasks.context import ContextInvalid, Git, Upload, is_reference, parse_context
from entrepot.tasks.dockerfile import DockerfileInvalid, bases
from entrepot.tasks.language import aliases, templates
from entrepot.tasks.language.findings import TaskInvalid
from entrepot.tasks.language.reading import Given, Run, read_task
from entrepot.tasks.model import Credentials, CustomRegistry, SecretKind, SourceRegistry
from entrepot.tasks.resource.model import (
    EncodedTaskStep,
    EventTrigger,
    SourceTrigger,
    Status,
    Step,
    TaskSettings,
    TimerTrigger,
    Triggers,
)
from entrepot.tasks.runs.acting import CALLER, faults, lent_of, plain
from entrepot.tasks.schedule import ScheduleInvalid, parse_schedule
from entrepot.tasks.triggers.events.patterns import REPOSITORY, TAG

SYSTEM_TASK: Final = "quicktask"
_TASK: Final = re.compile(r"[A-Za-z0-9_-]{5,50}")
_TASK_RUN: Final = re.compile(r"[A-Za-z0-9-]{5,50}")
_POOL: Final = re.compile(r"[A-Za-z0-9-]{3,20}")
# Characters. A longer task file is read first when it runs: it takes seconds, and others wait for the catalog.
_READ_AT_ONCE: Final = 16 * 1024
_ALIAS: Final = re.compile(r"^alias:", re.MULTILINE)
_RUN: Final = Run(id="ca1", registry="registry.example.com", registry_name="registry", date="20260101-000000z")


def expect_task_name(name: str) -> None:
    """Raises NAME_INVALID."""
    _expect_name(_TASK, name, "A task's name has 5 to 50 letters, digits, - and _.")


def expect_task_run_name(name: str) -> None:
    """Raises NAME_INVALID."""
    _expect_name(_TASK_RUN, name, "A task run's name has 5 to 50 letters, digits and -.")


def expect_pool_name(name: str) -> None:
    """Raises NAME_INVALID."""
    _expect_name(_POOL, name, "An agent pool's name has 3 to 20 letters, digits and -.")


def _expect_name(rule: re.Pattern[str], name: str, reason: str) -> None:
    if rule.fullmatch(name) is None:
        raise Problem(Kind.NAME_INVALID, name=name[:64], reason=reason)


def without_empty(settings: TaskSettings) -> TaskSettings:
    """As it is kept: a part in which nothing is said is none."""
    credentials = settings.credentials
    if credentials is not None:
        own = None if credentials.source_registry == SourceRegistry() else credentials.source_registry
        credentials = Credentials(own, credentials.custom_registries or None)
    return replace(
        settings,
        trigger=None if settings.trigger == Triggers() else settings.trigger,
        credentials=None if credentials == Credentials() else credentials,
    )


def expect_task(name: str, settings: TaskSettings) -> None:
    """Raises RESOURCE_INVALID. ``settings``: with their secrets."""
    if settings.is_system_task:
        _expect_system_task(name, settings)
        return
    if settings.platform is None:
        raise _invalid("platform", "a task has one: {os, architecture}")
    if settings.step is None:
        raise _invalid("step", "a task has one: of the type Docker, FileTask or EncodedTask")
    _expect_step(settings.step)
    if settings.trigger is not None:
        _expect_triggers(settings.trigger)
    if settings.credentials is not None:
        expect_credentials(settings.credentials, "properties.credentials")


def _expect_system_task(name: str, settings: TaskSettings) -> None:
    if name.lower() != SYSTEM_TASK:
        raise _invalid("isSystemTask", f"the one task of the system is named '{SYSTEM_TASK}'")
    if settings.step is not None or settings.trigger is not None:
        raise _invalid("step", f"'{SYSTEM_TASK}' says how quick runs are: it has neither a step nor triggers")


# --- steps ------------------------------------------------------------------------------------------------------------


def _expect_step(step: Step) -> None:
    context = step.context_path or ""
    try:
        found = parse_context(context, step.context_access_token or "")
    except ContextInvalid as error:
        raise _invalid("step.contextPath", str(error)) from error
    if isinstance(found, Upload):
        reason = "a task keeps no files: its context is a repository, an archive or an artifact, by its address"
        raise _invalid("step.contextPath", reason)
    if isinstance(step, EncodedTaskStep):
        _expect_encoded(step)


def _expect_encoded(step: EncodedTaskStep) -> None:
    target = "step.encodedTaskContent"
    text = _decoded(step.encoded_task_content, target)
    if step.encoded_values_content is not None:
        _decoded(step.encoded_values_content, "step.encodedValuesContent")
    try:
        expect_task_file(text)
    except TaskInvalid as wrong:
        raise _invalid(target, f"{wrong}{_of_dockerfile(text)}") from wrong


def _decoded(encoded: str, target: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _invalid(target, "it is a text in UTF-8, in Base64") from error


def expect_task_file(text: str) -> None:
    """Raises TaskInvalid for what no value could mend. What templates put in may be all of a task, and no template is
    carried out here: aliases that the text defines may make one too.
    """
    if len(text) > _READ_AT_ONCE:
        return
    kept = aliases.without_comments(text).text
    if aliases.has_aliases(kept) and _ALIAS.search(kept):
        return
    if "{{" not in kept:
        read_task(text, Given(_RUN))
    elif not aliases.has_aliases(kept):
        templates.parse(kept)


def _of_dockerfile(text: str) -> str:
    try:
        bases(text)
    except DockerfileInvalid:
        return ""
    return ". It is a Dockerfile: a build needs a context, whose Dockerfile a step of the type Docker names"


# --- triggers ---------------------------------------------------------------------------------------------------------


def _expect_triggers(trigger: Triggers) -> None:
    _expect_unique((each.name for each in trigger.timer_triggers), "trigger.timerTriggers", "name")
    _expect_unique((each.schedule for each in trigger.timer_triggers), "trigger.timerTriggers", "schedule")
    _expect_unique((each.name for each in trigger.source_triggers), "trigger.sourceTriggers", "name")
    _expect_unique((each.name for each in trigger.event_triggers), "trigger.eventTriggers", "name")
    for place, timer in enumerate(trigger.timer_triggers):
        _expect_timer(timer, f"trigger.timerTriggers[{place}]")
    for place, source in enumerate(trigger.source_triggers):
        _expect_source(source, f"trigger.sourceTriggers[{place}]")
    for place, event in enumerate(trigger.event_triggers):
        _expect_event(event, f"trigger.eventTriggers[{place}]")
    told = None if trigger.base_image_trigger is None else trigger.base_image_trigger.update_trigger_endpoint
    if told is not None and not _is_address(told):
        raise _invalid("trigger.baseImageTrigger.updateTriggerEndpoint", "it is an http or https address")


def _expect_unique(values: Iterable[str], target: str, member: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value.lower() in seen:
            raise _invalid(target, f"two have the {member} '{value[:128]}'")
        seen.add(value.lower())


def _expect_timer(timer: TimerTrigger, target: str) -> None:
    try:
        parse_schedule(timer.schedule)
    except ScheduleInvalid as error:
        raise _invalid(f"{target}.schedule", str(error)) from error


def _expect_source(source: SourceTrigger, target: str) -> None:
    url, auth = f"{target}.sourceRepository.repositoryUrl", source.source_repository.source_control_auth_properties
    if source.status is Status.ENABLED and not source.source_trigger_events:
        raise _invalid(f"{target}.sourceTriggerEvents", "an enabled trigger has one or more: commit, pullrequest")
    if auth is not None and not auth.token:
        reason = "a token is told, or nothing of the kind"
        raise _invalid(f"{target}.sourceRepository.sourceControlAuthProperties.token", reason)
    branch = source.source_repository.branch
    if branch and not is_reference(branch):
        raise _invalid(f"{target}.sourceRepository.branch", "it is the name of one branch")
    try:
        context = parse_context(source.source_repository.repository_url)
    except ContextInvalid as error:
        raise _invalid(url, str(error)) from error
    if not isinstance(context, Git):
        raise _invalid(url, "a git repository is expected: https://HOST/REPOSITORY.git")


def _expect_event(event: EventTrigger, target: str) -> None:
    for member, rule, patterns in (("repositories", REPOSITORY, event.repositories), ("tags", TAG, event.tags)):
        if not all(rule.fullmatch(pattern) for pattern in patterns):
            reason = f"these are patterns of {member}: their characters, and * for any text"
            raise _invalid(f"{target}.{member}", reason)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


# --- credentials ------------------------------------------------------------------------------------------------------


def expect_credentials(credentials: Credentials, target: str) -> None:
    """Raises RESOURCE_INVALID."""
    source = credentials.source_registry
    if source is not None and plain(source.identity) == CALLER:
        reason = "a trigger has no caller: name one of the task's own identities, [system] or a client id"
        raise Problem(Kind.RESOURCE_INVALID, target=f"{target}.sourceRegistry.identity", reason=reason)
    for server, registry in (credentials.custom_registries or {}).items():
        where = f"{target}.customRegistries.{server[:128]}"
        try:
            parse_host(server)
        except ValueError as error:
            raise Problem(Kind.RESOURCE_INVALID, target=where, reason=str(error)) from error
        wrong = _why_no_login(registry)
        if wrong:
            raise Problem(Kind.RESOURCE_INVALID, target=where, reason=wrong)


def expect_identities(
    credentials: Credentials | None, identity: Identity | None, login_server: Callable[[str], str], target: str
) -> None:
    """Whether each identity that is named is one of these. Raises RESOURCE_INVALID."""
    for fault in faults(credentials or Credentials(), lent_of(identity), login_server):
        raise Problem(Kind.RESOURCE_INVALID, target=f"{target}.{fault.member}", reason=fault.reason)


def _why_no_login(registry: CustomRegistry) -> str:
    halves = (registry.user_name, registry.password)
    if registry.identity is None and not all(half is not None and half.value is not None for half in halves):
        return "it has a user name and a password, or an identity"
    if registry.identity is None and any(half is not None and half.type is SecretKind.VAULT for half in halves):
        return "what lies in a vault is read as an identity: name one"
    return ""


def _invalid(member: str, reason: str) -> Problem:
    return Problem(Kind.RESOURCE_INVALID, target=f"properties.{member}", reason=reason)
