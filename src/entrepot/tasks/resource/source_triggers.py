"""Source triggers of a task: what they watch, and the addresses that git servers call (ours, not ACR's)."""

from datetime import datetime

from msgspec import Struct

from entrepot.access.sealing import Sealer
from entrepot.tasks.context import ContextInvalid, Git, parse_context
from entrepot.tasks.resource.model import SourceTrigger, Status, TaskSettings
from entrepot.tasks.triggers.queries import Source
from entrepot.tasks.triggers.sources import FOLDER, Watched, secret_of


class SourceHook(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What the git server of a source trigger is told: where to send, and with what to prove it.

    ``last_delivery``: the last that was signed.
    """

    trigger: str
    url: str
    secret: str
    last_delivery: str | None = None


class SourceHooks(Struct, frozen=True):
    value: list[SourceHook]


class HookOfTrigger(Struct, frozen=True):
    """Which source trigger's."""

    trigger: str


def watched(settings: TaskSettings) -> list[Watched]:
    """What the task's source triggers watch."""
    triggers = () if settings.trigger is None else settings.trigger.source_triggers
    return [
        Watched(
            each.name,
            "" if (found := repository_of(each.source_repository.repository_url)) is None else found.url,
            branch_of(each),
            is_on=Status.DISABLED not in {settings.status, each.status},
        )
        for each in triggers
    ]


def branch_of(trigger: SourceTrigger) -> str:
    """The trigger's own, or its address's; empty for the default one."""
    repository = trigger.source_repository
    if repository.branch:
        return repository.branch
    context = repository_of(repository.repository_url)
    return "" if context is None else context.ref


def repository_of(url: str, token: str = "") -> Git | None:
    """None for an address that is none of a git repository."""
    try:
        context = parse_context(url, token)
    except ContextInvalid:
        return None
    return context if isinstance(context, Git) else None


def hook_of(source: Source, sealer: Sealer, origin: str) -> SourceHook:
    """``origin``: of the deployment, as the caller reached it."""
    url = f"{origin}{FOLDER}/{source.hook}"
    return SourceHook(source.name, url, secret_of(sealer, source), moment(source.delivered_at))


def moment(at: datetime | None) -> str | None:
    return None if at is None else shown_moment(at)


def shown_moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
