"""`entrepot recover`: a new owner secret, from the machine itself."""

import argparse
import os
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import Refusal, told
from entrepot.cli.sources import add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from entrepot.cli.parsing import Commands

_TEXT: Final = "Give the owner a new secret. Works beside a running server; the old secret stops within two seconds."


def register(commands: "Commands") -> None:
    parser = commands.add_parser("recover", help=_TEXT, description=_TEXT, allow_abbrev=False)
    add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    loaded = load(arguments, os.environ)
    from entrepot.app.recover import recover

    try:
        client_id, secret = recover(loaded.settings)
    except SettingError as error:
        raise loaded.refusal(error) from error
    except Problem as problem:
        raise Refusal(told(problem)) from problem
    print(f"client id: {client_id}\nsecret:    {secret}")
    return 0
