"""`entrepot access explain`: why somebody may or may not do something in a registry, and what would permit it."""

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import USAGE, Refusal, told
from entrepot.cli.sources import add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from entrepot.access.explaining.explain import ConsideredJson, Explanation
    from entrepot.cli.parsing import Commands

_TEXT: Final = "Who may do what, beside a running server or without one."
_EXPLAIN: Final = (
    "Say whether somebody may do something in a registry, what was looked at (each role assignment, condition and "
    "scope map), and what would permit it."
)
_EPILOG: Final = "Exit code 0: it is permitted; 1: it is not; 2: there is no such principal, action or registry."
_WHO: Final = "object id, application id, user principal name, name, token's name, admin or anonymous"
_ACTION: Final = (
    "pull, push, delete, untag, list, catalog, metadata-read, metadata-write, artifact-sign, quarantine-read, "
    "quarantine-write, or an operation by Azure's name"
)
_SHOWN: Final = 50
_DENIED: Final = 1


def register(commands: "Commands") -> None:
    parser = commands.add_parser("access", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    explain = verbs.add_parser("explain", help=_EXPLAIN, description=_EXPLAIN, epilog=_EPILOG, allow_abbrev=False)
    explain.add_argument("--principal", required=True, metavar="WHO", help=_WHO)
    explain.add_argument("--action", required=True, metavar="ACTION", help=_ACTION)
    explain.add_argument(
        "--repository", metavar="NAME", help="the repository that it is about, as far as it is about one"
    )
    explain.add_argument("--registry", default="local", metavar="NAME", help="the registry (default: local)")
    explain.add_argument("--json", action="store_true", help="one JSON object, as the management API answers it")
    add_flags(explain)
    explain.set_defaults(run=run, parser=explain)


def run(arguments: argparse.Namespace) -> int:
    loaded = load(arguments, os.environ)
    from entrepot.access.explaining.explain import Question
    from entrepot.app.access import explain_access

    asked = Question(arguments.principal, arguments.action, arguments.repository)
    try:
        found = explain_access(loaded.settings, arguments.registry, asked)
    except SettingError as error:
        raise Refusal(loaded.refusal(error).lines, USAGE) from error
    except Problem as problem:
        raise Refusal(told(problem), USAGE) from problem
    print(_json(found) if arguments.json else "\n".join(map(_plain, _lines(found))))
    return 0 if found.allowed else _DENIED


def _json(found: "Explanation") -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


def _plain(line: str) -> str:
    """Names and conditions are what somebody wrote, and must not command a terminal."""
    return line.encode("unicode_escape").decode()


def _lines(found: "Explanation") -> Iterator[str]:
    where = "" if found.repository is None else f" {found.repository}"
    answer = "may" if found.allowed else "may not"
    yield f"{found.principal.name} ({found.principal.kind} {found.principal.id}) {answer} {found.action}{where}"
    yield f"registry: {found.registry}, mode {found.role_assignment_mode}"
    yield f"it takes: {found.permission} on {found.scope}"
    yield from (f"note: {note}" for note in found.notes)
    yield "looked at:" if found.considered else "looked at: nothing, because nothing was given"
    for each in found.considered[:_SHOWN]:
        yield from _considered(each)
    hidden = len(found.considered) - _SHOWN + found.not_shown
    if hidden > 0:
        yield f"  and {hidden} more"
    if found.grant:
        yield "to permit it:"
        yield from (f"  {command}" for command in found.grant)


def _considered(each: "ConsideredJson") -> Iterator[str]:
    through = "" if each.through is None else f", through the group {each.through}"
    yield f"  {'+' if each.permits else '-'} {each.what} at {each.scope}{through}: {each.reason}"
    if each.condition is not None:
        yield f"      condition: {' '.join(each.condition.split())}"
        yield from (f"      {outcome}" for outcome in each.outcomes)
