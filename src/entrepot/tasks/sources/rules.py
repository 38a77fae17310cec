"""Whether a change begins a run: what the task, its trigger and the change say. Pure."""

import re
from collections.abc import Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from entrepot.tasks.resource.model import SourceEvent, SourceTrigger, Status, TaskSettings
from entrepot.tasks.resource.source_triggers import branch_of, repository_of
from entrepot.tasks.sources.model import Change, shown

# The tag of a task whose runs concern these files alone: patterns, separated by commas.
PATHS: Final = "entrepot.paths"
_WHAT: Final[Mapping[SourceEvent, str]] = {SourceEvent.COMMIT: "push", SourceEvent.PULL_REQUEST: "pull request"}


def find_trigger(settings: TaskSettings, name: str) -> SourceTrigger | None:
    found = () if settings.trigger is None else settings.trigger.source_triggers
    return next((each for each in found if each.name == name), None)


def token_of(settings: TaskSettings, trigger: SourceTrigger) -> str:
    """What opens the trigger's repository: its own token, or the task's where they have the same repository.

    ``settings``: with their secrets.
    """
    repository, step = trigger.source_repository, settings.step
    auth = repository.source_control_auth_properties
    if auth is not None and auth.token:
        return auth.token
    is_own = step is not None and is_same_repository(step.context_path or "", repository.repository_url)
    return (step.context_access_token or "") if step is not None and is_own else ""


def why_not(settings: TaskSettings, trigger: SourceTrigger, patterns: str, change: Change) -> str:
    """Why the change begins no run; empty where it does."""
    if change.quiet:
        return f"Nothing is built for it: {change.quiet}."
    return _why_off(settings, trigger) or _why_not_meant(trigger, change) or _why_elsewhere(patterns, change)


def _why_off(settings: TaskSettings, trigger: SourceTrigger) -> str:
    if settings.status is Status.DISABLED:
        return "The task is disabled: az acr task update --status Enabled."
    return f"The trigger {trigger.name} is disabled." if trigger.status is Status.DISABLED else ""


def _why_not_meant(trigger: SourceTrigger, change: Change) -> str:
    if change.event not in trigger.source_trigger_events:
        return f"It is a {_WHAT[change.event]}, and the trigger {trigger.name} is not for those."
    if not is_of(trigger.source_repository.repository_url, change.repository):
        return f"It is of {shown(change.repository)}, and the trigger is for another repository."
    wanted = branch_of(trigger) or change.default_branch
    if change.branch is not None and change.branch != wanted:
        return f"It is for the branch {shown(change.branch)}, and the trigger is for {shown(wanted)}."
    return ""


def _why_elsewhere(patterns: str, change: Change) -> str:
    if change.paths is None or concerns(patterns, change.paths):
        return ""
    return f"None of the {len(change.paths)} files that it changes is one of {shown(patterns)}."


def is_of(url: str, repository: str) -> bool:
    """Whether the address may be of ``OWNER/NAME``: servers have other names inside than outside, so these are not
    compared.
    """
    return not repository or f"/{_path(url)}".endswith(f"/{repository.lower()}")


def is_same_repository(context: str, other: str) -> bool:
    """Whether two contexts are of one repository, whatever commit and folder they name."""
    here, there = repository_of(context), repository_of(other)
    if here is None or there is None:
        return False
    return (urlsplit(here.url).netloc.lower(), _path(here.url)) == (
        urlsplit(there.url).netloc.lower(),
        _path(there.url),
    )


def _path(url: str) -> str:
    return urlsplit(url).path.strip("/").removesuffix(".git").lower()


def concerns(patterns: str, paths: frozenset[str]) -> bool:
    """Whether one of the paths is meant. ``*`` is anything, also over several folders; a folder means all in it."""
    meant = _pattern(patterns)
    return meant is None or any(meant.match(path) for path in paths)


@lru_cache(256)
def _pattern(patterns: str) -> re.Pattern[str] | None:
    """None: they say nothing. No path takes long: fnmatch makes groups that are never entered twice."""
    names = [each.strip().strip("/") for each in patterns.split(",") if each.strip().strip("/")]
    return re.compile("|".join(translate(each) for name in names for each in (name, f"{name}/*"))) if names else None
