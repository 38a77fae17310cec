"""`entrepot audit`: list the audit log, or verify that it is whole."""

import argparse
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import Refusal, told
from entrepot.cli.sources import add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from entrepot.app.audit import Verified
    from entrepot.auditing.export import Row
    from entrepot.cli.parsing import Commands

_TEXT: Final = "The audit log, beside a running server or without one."
_LIST: Final = "Show entries of the audit log, oldest first. The audit log itself does not say who looked."
_VERIFY: Final = (
    "Look whether the audit log is whole: nothing changed, taken out, put in, moved, or cut off at its end."
)
_EPILOG: Final = "Exit code 0: the log is whole; 1: it is not; 3: it could not be looked at."
_FOUND: Final = 1
_UNABLE: Final = 3
_FINDINGS: Final = 20


def register(commands: "Commands") -> None:
    parser = commands.add_parser("audit", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    listing = verbs.add_parser("list", help=_LIST, description=_LIST, allow_abbrev=False)
    listing.add_argument("--since", type=_a_moment, metavar="TIME", help="entries from this time on, as ISO 8601")
    listing.add_argument("--until", type=_a_moment, metavar="TIME", help="entries before this time")
    listing.add_argument("--principal", help="of this principal's id")
    listing.add_argument("--action", help="of this action; one that ends with * stands for all that begin so")
    listing.add_argument("--registry", help="of this registry")
    listing.add_argument("--result", choices=("success", "failure", "denied"), help="that ended so")
    listing.add_argument("--json-lines", action="store_true", help="one JSON object per entry")
    verifying = verbs.add_parser("verify", help=_VERIFY, description=_VERIFY, epilog=_EPILOG, allow_abbrev=False)
    verifying.add_argument(
        "--checkpoints",
        type=Path,
        metavar="FILE",
        help="checkpoints that were kept apart (default: audit/checkpoints.jsonl in the data folder)",
    )
    for verb, function in ((listing, run_list), (verifying, run_verification)):
        add_flags(verb)
        verb.set_defaults(run=function, parser=verb)


def _a_moment(text: str) -> datetime:
    from entrepot.auditing.filters import moment

    try:
        return moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run_list(arguments: argparse.Namespace) -> int:
    loaded = load(arguments, os.environ)
    from entrepot.app.audit import entries
    from entrepot.auditing.export import line_of
    from entrepot.events.queries import Filter

    names = ("since", "until", "principal", "action", "registry", "result")
    wanted = Filter(**{name: getattr(arguments, name) for name in names})
    try:
        for entry in entries(loaded.settings, wanted):
            print(line_of(entry).decode() if arguments.json_lines else _line(entry))
    except SettingError as error:
        raise loaded.refusal(error) from error
    except Problem as problem:
        raise Refusal(told(problem)) from problem
    return 0


def _line(entry: "Row") -> str:
    """For a person: what may be anything that a client sent must not command a terminal."""
    number = "-" if entry["sequence"] is None else entry["sequence"]
    when = entry["at"].strftime("%Y-%m-%d %H:%M:%SZ")
    what = f"{entry['action']} {entry['result']} {entry['principal'] or '-'} {entry['target'] or '-'}"
    text = f"{number} {when} {what} {entry['address'] or '-'} {entry['detail']}"
    return text.encode("unicode_escape").decode()


def run_verification(arguments: argparse.Namespace) -> int:
    loaded = load(arguments, os.environ)
    from entrepot.app.audit import verify
    from entrepot.auditing.checkpoint_file import UnreadableError

    started = time.monotonic()
    try:
        verified = verify(loaded.settings, arguments.checkpoints, _FINDINGS)
    except SettingError as error:
        raise Refusal(loaded.refusal(error).lines, _UNABLE) from error
    except OSError as error:
        raise Refusal([f"{error.filename}: {error.strerror}"], _UNABLE) from error
    except UnreadableError as error:
        raise Refusal([f"--checkpoints: {error}"], _FOUND) from error
    except Problem as problem:
        raise Refusal(told(problem), _UNABLE) from problem
    return _report(verified, time.monotonic() - started)


def _report(verified: "Verified", seconds: float) -> int:
    for found in verified.findings:
        print(f"{found.fault}: {found.meaning}")
    if len(verified.findings) == _FINDINGS:
        print(f"and perhaps more: this shows {_FINDINGS} at most")
    looked = verified.looked
    newest = looked.newest
    checkpoint = "none" if newest is None else f"entry {newest.sequence}, {newest.at:%Y-%m-%d %H:%M:%S} UTC"
    print(f"entries: {looked.entries}, the last one {looked.tip.sequence}; not chained yet: {verified.waiting}")
    print(f"newest checkpoint: {checkpoint}")
    print("the log is not whole" if verified.findings else "the log is whole")
    if sys.stderr.isatty():
        print(f"{looked.entries / max(seconds, 0.001):.0f} entries/s", file=sys.stderr)
    return _FOUND if verified.findings else 0
