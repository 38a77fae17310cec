"""`entrepot task list`, `show`, `run`, `runs`, `logs` and `cancel`: tasks of a registry, and their runs."""

import argparse
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from entrepot.cli.online.asking import Online, add_registry, add_verb, child, names_of, naming
from entrepot.cli.online.running import add_how, begin, columns, follow, show, write
from entrepot.cli.refusal import USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.client.runs import Task

_LIST: Final = "List the tasks of a registry."
_SHOW: Final = "Show a task."
_RUN: Final = "Run a task, and show its log until it has ended."
_RUNS: Final = "List runs, the newest first, with why each waits or failed."
_LOGS: Final = "Print the log of a run."
_CANCEL: Final = "End a run, whether it waits or is going."
_FOLLOW: Final = "show what comes until the run has ended; exit code 1 when it did not succeed"
_STATUSES: Final = ("Queued", "Started", "Running", "Succeeded", "Failed", "Canceled", "Error", "Timeout")
_TASKS: Final = "tasks"
_RUNS_KIND: Final = "runs"
_TOP: Final = 20


def register(verbs: "Commands") -> None:
    listing = add_verb(verbs, "list", _LIST, _list)
    show, run = add_verb(verbs, "show", _SHOW, _show), add_verb(verbs, "run", _RUN, _run)
    runs = add_verb(verbs, "runs", _RUNS, _runs)
    logs, cancel = add_verb(verbs, "logs", _LOGS, _logs), add_verb(verbs, "cancel", _CANCEL, _cancel)
    for verb in (show, run):
        verb.add_argument("name", help="the task")
    for verb in (logs, cancel):
        verb.add_argument("name", metavar="run", help="the run, such as ca1")
    run.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a value: {{.Values.NAME}}")
    add_how(run)
    runs.add_argument("--task", metavar="NAME", help="of this task alone")
    runs.add_argument("--status", choices=_STATUSES, help="those alone that are so")
    runs.add_argument("--top", type=int, default=_TOP, metavar="N", help=f"how many at most (default: {_TOP})")
    logs.add_argument("--follow", action="store_true", help=_FOLLOW)
    for verb in (listing, show, run, runs, logs, cancel):
        add_registry(verb)


def _list(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list
    from entrepot.client.runs import Task

    registry = online.registry(arguments.registry)
    show_list(online.form, online.management.pages(f"{registry.id}/{_TASKS}", Task), _task_columns())


def _show(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_one
    from entrepot.client.runs import Task

    registry = online.registry(arguments.registry)
    with naming("task", arguments.name, lambda: names_of(online, registry, _TASKS)):
        found = online.management.get(child(registry, _TASKS, arguments.name), Task)
    show_one(online.form, found, _task_columns())


def _run(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.runs import Runs

    registry = online.registry(arguments.registry)
    values = [each.partition("=") for each in arguments.set]
    if not all(name and sign for name, sign, _ in values):
        raise Refusal(["--set: NAME=VALUE is expected"], USAGE)
    request = {
        "type": "TaskRunRequest",
        "taskId": child(registry, _TASKS, arguments.name),
        "overrideTaskStepProperties": {
            "values": [{"type": "SetValue", "name": name, "value": value} for name, _, value in values]
        },
    }
    with naming("task", arguments.name, lambda: names_of(online, registry, _TASKS)):
        begin(online, Runs(online.management, registry.id), request, arguments)


def _runs(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.cli.online.output import show_list
    from entrepot.client.runs import Run

    registry = online.registry(arguments.registry)
    terms = {"TaskName": arguments.task, "Status": arguments.status}
    chosen = " and ".join(f"{member} eq '{value}'" for member, value in terms.items() if value)
    asked = urlencode({"$top": max(1, arguments.top), **({"$filter": chosen} if chosen else {})})
    found = online.management.pages(f"{registry.id}/{_RUNS_KIND}?{asked}", Run)
    show_list(online.form, islice(found, arguments.top), columns())


def _logs(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.runs import Runs

    registry = online.registry(arguments.registry)
    runs = Runs(online.management, registry.id)
    with naming("run", arguments.name, lambda: names_of(online, registry, _RUNS_KIND)):
        if arguments.follow:
            follow(runs, arguments.name)
        else:
            write(runs.log(arguments.name))


def _cancel(online: Online, arguments: argparse.Namespace) -> None:
    from entrepot.client.runs import Runs

    registry = online.registry(arguments.registry)
    runs = Runs(online.management, registry.id)
    with naming("run", arguments.name, lambda: names_of(online, registry, _RUNS_KIND)):
        runs.cancel(arguments.name)
        show(online, runs.get(arguments.name))


def _task_columns() -> "Columns[Task]":
    return (
        ("NAME", lambda one: one.name),
        ("STATUS", lambda one: one.properties.status),
        ("STEP", lambda one: "" if one.properties.step is None else one.properties.step.type),
        ("CONTEXT", lambda one: "" if one.properties.step is None else one.properties.step.context_path),
        ("TRIGGERS", lambda one: " ".join(one.properties.trigger.names)),
        ("POOL", lambda one: one.properties.agent_pool_name),
    )
