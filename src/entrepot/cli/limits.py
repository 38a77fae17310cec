"""`entrepot limits`: what one registry may hold and do, shown and changed."""

import argparse
import os
from typing import TYPE_CHECKING, Final

from entrepot.cli.refusal import USAGE, Refusal, told
from entrepot.cli.sources import add_flags, load
from entrepot.errors import Problem
from entrepot.settings import SettingError

if TYPE_CHECKING:
    from entrepot.cli.parsing import Commands

_TEXT: Final = (
    "Show what a registry may hold and do, or change it for this registry alone. Works beside a running server, which "
    "keeps to it within two seconds. For all registries of a tier there is the setting tier_limits."
)
_EPILOG: Final = (
    "A limit below what the registry holds deletes nothing: more is refused until it fits again. Give the server's "
    "--tier-limits here too, if it has some."
)
_WRITTEN: Final = (
    "a limit, webhooks=30 or storage=2TiB, or a feature, networkRules=on; webhooks= is the tier's own again"
)


def register(commands: "Commands") -> None:
    parser = commands.add_parser("limits", help=_TEXT, description=_TEXT, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("limits", nargs="*", metavar="NAME=VALUE", help=_WRITTEN)
    parser.add_argument("--registry", default="local", metavar="NAME", help="the registry (default: local)")
    add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    loaded = load(arguments, os.environ)
    from entrepot.app.limits import limits

    try:
        tier, held = limits(loaded.settings, arguments.registry, arguments.limits)
    except SettingError as error:
        raise loaded.refusal(error) from error
    except Problem as problem:
        raise Refusal(told(problem), USAGE) from problem
    print(f"{arguments.registry} is of the {tier} tier")
    for each in held:
        value = ("off", "on")[each.value] if isinstance(each.value, bool) else each.value
        print(f"{each.name:28} {value:>16}  {each.source}")
    return 0
