"""`entrepot workers`: who runs tasks, and which of them are to take no more."""

import argparse
import os
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import Refusal, told
from entrepot.cli.sources import add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from entrepot.cli.online.output import Columns
    from entrepot.cli.parsing import Commands
    from entrepot.tasks.workers.queries import Seen

_TEXT: Final = "Workers that run tasks: their pools, engines and places. Works beside a running server."
_LIST: Final = "List the workers."
_DRAIN: Final = "Let a worker take no more runs; those that it has go on."
_RESUME: Final = "Let a worker take runs again."


def register(commands: "Commands") -> None:
    parser = commands.add_parser("workers", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    listing = verbs.add_parser("list", help=_LIST, description=_LIST, allow_abbrev=False)
    listing.set_defaults(run=_list, parser=listing)
    add_flags(listing)
    for name, text, drains in (("drain", _DRAIN, True), ("resume", _RESUME, False)):
        verb = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        verb.add_argument("worker", help="the worker, as the list names it")
        verb.set_defaults(run=_set, drains=drains, parser=verb)
        add_flags(verb)


def _list(arguments: argparse.Namespace) -> int:
    from entrepot.app.task_workers import workers
    from entrepot.cli.online.output import Form, show_list

    loaded = load(arguments, os.environ)
    try:
        show_list(Form.TABLE, workers(loaded.settings), _columns())
    except SettingError as error:
        raise loaded.refusal(error) from error
    except Problem as problem:
        raise Refusal(told(problem)) from problem
    return 0


def _set(arguments: argparse.Namespace) -> int:
    from entrepot.app.task_workers import set_drains

    loaded = load(arguments, os.environ)
    try:
        is_known = set_drains(loaded.settings, arguments.worker, drains=arguments.drains)
    except SettingError as error:
        raise loaded.refusal(error) from error
    except Problem as problem:
        raise Refusal(told(problem)) from problem
    if not is_known:
        raise Refusal([f"there is no worker '{arguments.worker}': entrepot workers list"])
    return 0


def _columns() -> "Columns[Seen]":
    from entrepot.cli.online.output import yes_or_no

    return (
        ("WORKER", lambda one: one.agent.worker),
        ("POOL", lambda one: one.agent.pool),
        ("ARCHITECTURE", lambda one: one.agent.architecture),
        ("LABELS", lambda one: ", ".join(sorted(one.agent.labels))),
        ("ENGINE", lambda one: one.engine),
        ("RUNS", lambda one: f"{one.agent.going} of {one.agent.at_once}"),
        ("DRAINS", lambda one: yes_or_no(one.agent.drains)),
        ("SEEN", lambda one: f"{one.seen_at:%Y-%m-%d %H:%M:%S}"),
    )
