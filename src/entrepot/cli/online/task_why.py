"""`entrepot task why`: what a task's triggers wait for, and why they began runs or did not."""

import argparse
from typing import TYPE_CHECKING, Final

from entrepot.cli.online.asking import Online, add_registry, add_verb, child, names_of, naming

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.client.model import TaskBaseImage, TaskEvaluation, TaskSource

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
    for source in found.sources:
        print(_about(source))
    for trigger in found.event_triggers:
        print(f"A push begins a run by {trigger.name}: {', '.join(trigger.repositories)} : {', '.join(trigger.tags)}.")
    if found.base_images and found.base_image_trigger is None:
        print("No base image trigger is enabled: what its images stand on is only told.")
    for image in found.base_images:
        print(_of_image(image, is_awaited=found.base_image_trigger is not None))
    columns: Columns[TaskEvaluation] = (
        ("TIME", lambda one: one.time),
        ("TRIGGER", lambda one: f"{one.kind} {one.trigger}"),
        ("RUN", lambda one: one.run_id or "none"),
        ("REASON", lambda one: one.reason),
    )
    show_list(online.form, found.evaluations, columns)


def _about(source: "TaskSource") -> str:
    """A line for a person."""
    branch = f"the branch {source.branch}" if source.branch else "the default branch"
    told = [
        f"last webhook {source.last_delivery or 'never'}",
        f"last look {source.last_check or 'never'}",
        *([f"next look {source.next_check}"] if source.next_check else ["not looked at, as it is disabled"]),
        *([f"the last look failed: {source.problem}"] if source.problem else []),
    ]
    return f"The source trigger {source.name} watches {branch} of {source.repository}: {'; '.join(told)}."


def _of_image(image: "TaskBaseImage", *, is_awaited: bool) -> str:
    name = f"{image.registry}/{image.repository}" + (f":{image.tag}" if image.tag else "")
    known = image.last_digest or image.digest or "a digest that nobody knows yet"
    text = f"{image.type}: {name} is {known}"
    if not image.tag:
        return f"{text}, named by its digest: that never changes."
    checked = f", checked at {image.last_check}" if image.last_check else ""
    if is_awaited:
        checked += ", told at once" if image.is_told else f", next checked at {image.next_check}"
    return f"{text}{checked}. {image.problem or ''}".rstrip()
