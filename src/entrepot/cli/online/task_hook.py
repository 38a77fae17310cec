"""`entrepot task hook`: the address and the secret that the git server of a task's source trigger is told."""

import argparse
from typing import TYPE_CHECKING, Final

from entrepot.cli.online.asking import Online, add_registry, add_verb, child, names_of, naming

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
_HOOK: Final = "Show what to enter at a git server so that its pushes begin runs of a task: an address and a secret."
_KIND: Final = "tasks"


def register(verbs: "Commands") -> None:
    hook = add_verb(verbs, "hook", _HOOK, _hook)
    hook.add_argument("name", help="the task")
    hook.add_argument("--renew", metavar="TRIGGER", help="make another secret for this source trigger")
    add_registry(hook)


def _hook(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list
    from entrepot.client.model import TaskHook, TaskHooks

    registry = online.registry(arguments.registry)
    task = child(registry, _KIND, arguments.name)
    with naming("task", arguments.name, lambda: names_of(online, registry, _KIND)):
        if arguments.renew:
            place = f"{task}/regenerateSourceHook"
            found = [online.management.post(place, {"trigger": arguments.renew}, TaskHook)]
        else:
            found = online.management.post(f"{task}/listSourceHooks", {}, TaskHooks).value
    columns: Columns[TaskHook] = (
        ("TRIGGER", lambda one: one.trigger),
        ("URL", lambda one: one.url),
        ("SECRET", lambda one: one.secret),
        ("LAST DELIVERY", lambda one: one.last_delivery or "never"),
    )
    show_list(online.form, found, columns)
