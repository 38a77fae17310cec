"""`entrepot task why`: what a task's triggers wait for, and why they began runs or did not."""

import argparse
from typing import TYPE_CHECKING, Final

from entrepot.cli.online.asking import Online, add_registry, add_verb, child, names_of, naming

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.client.model import TaskEvaluation

_WHY: Final = "Say what a task's triggers wait for, and why they began runs or did not."
_KIND: Final = "tasks"


def register(verbs: "Commands") -> None:
    why = add_verb(verbs, "why", _WHY, _why)
    why.add_argument("name", help="the task")
    add_registry(why)


def _why(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import Form, show_list, show_one
    from entrepot.client.model import TriggerExplanation

    registry = online.registry(arguments.registry)
    with naming("task", arguments.name, lambda: names_of(online, registry, _KIND)):
        place = f"{child(registry, _KIND, arguments.name)}/explainTriggers"
        found = online.management.post(place, {}, TriggerExplanation)
    if online.form is Form.JSON:
        show_one(online.form, found, ())
        return
    for timer in found.timers:
        print(f"The timer {timer.name} ({timer.schedule}) is due at {timer.next_time}.")
    columns: Columns[TaskEvaluation] = (
        ("TIME", lambda one: one.time),
        ("TRIGGER", lambda one: f"{one.kind} {one.trigger}"),
        ("RUN", lambda one: one.run_id or "none"),
        ("REASON", lambda one: one.reason),
    )
    show_list(online.form, found.evaluations, columns)
