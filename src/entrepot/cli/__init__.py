"""The `entrepot` command: one module of this package for each subcommand, with a function ``register``.

A command imports the parts it needs when it runs, so that ``--help`` and ``--version`` answer at once. When one is
named, only its module is imported: those that ask a server know nothing of the settings of one.
"""

import argparse
import importlib
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Final

import entrepot
from entrepot.cli.parsing import nearest
from entrepot.cli.refusal import FAILED, INTERRUPTED, USAGE, Refusal

# Which module registers which command; some register two that belong together.
MODULES: Final = {
    "serve": "serve",
    "worker": "worker",
    "workers": "workers",
    "backup": "backup",
    "restore": "backup",
    "recover": "recover",
    "user": "user",
    "app": "app",
    "keys": "keys",
    "access": "access",
    "limits": "limits",
    "gc": "gc",
    "check": "check",
    "audit": "audit",
    "task": "task",
    "login": "online.login",
    "logout": "online.login",
    "registry": "online.registry",
    "repository": "online.repository",
    "tag": "online.image",
    "manifest": "online.image",
    "token": "online.token",
    "scope-map": "online.token",
    "webhook": "online.webhook",
    "build": "online.build",
    "usage": "online.imports",
    "import": "online.imports",
    "operation": "online.imports",
    "completion": "completion",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name; its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    parser = command_parser(words[:1] if words[:1] and words[0] in MODULES else MODULES)
    parsed, unknown = parser.parse_known_args(words)
    try:
        _refuse(unknown, parsed.parser)
        exit_code: int = parsed.run(parsed)
        sys.stdout.flush()
        return exit_code
    except Refusal as refusal:
        for line in refusal.lines:
            print(f"entrepot {parsed.command}: {line}", file=sys.stderr)
        return refusal.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone. Python would complain of it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def command_parser(names: Iterable[str] = MODULES) -> argparse.ArgumentParser:
    """The commands with their arguments; the reference page is printed from it, too."""
    parser = argparse.ArgumentParser(prog="entrepot", description=entrepot.__doc__)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for module in dict.fromkeys(MODULES[name] for name in names):
        importlib.import_module(f"entrepot.cli.{module}").register(commands)
    for subparser in commands.choices.values():
        subparser.set_defaults(parser=subparser)
    return parser


class _Version(argparse.Action):
    """argparse's own wants the text before it knows that it is asked for it, and finding it takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib import metadata

        try:
            version = metadata.version("entrepot")
        except metadata.PackageNotFoundError:
            version = "(run from its source, not installed)"
        print(f"entrepot {version}")
        parser.exit()


def _refuse(unknown: Sequence[str], parser: argparse.ArgumentParser) -> None:
    known = re.findall(r"--[a-z][a-z-]+", parser.format_help())
    lines = [f"{argument}: unknown argument{nearest(argument.partition('=')[0], known)}" for argument in unknown]
    if lines:
        raise Refusal(lines, USAGE)
