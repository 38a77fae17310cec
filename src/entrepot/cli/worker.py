"""`entrepot worker`: one more process for background jobs, beside the one that `serve` starts."""

import argparse
import os
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import Refusal, told
from entrepot.cli.signals import end_at_sigterm
from entrepot.cli.sources import USAGE_LINE, add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from entrepot.cli.parsing import Commands

_TEXT: Final = "Run background jobs; give it the settings that `serve` has."


def register(commands: "Commands") -> None:
    parser = commands.add_parser("worker", help=_TEXT, description=_TEXT, allow_abbrev=False, usage=USAGE_LINE)
    add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    loaded = load(arguments, os.environ)
    end_at_sigterm()
    from entrepot.app.worker import run as work

    try:
        work(loaded.settings)
    except SettingError as error:
        raise loaded.refusal(error) from error
    except Problem as problem:
        raise Refusal(told(problem)) from problem
    return 0
