"""`entrepot completion`: a script by which a shell completes the commands and their flags. It starts no Python."""

import argparse
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from entrepot.cli.parsing import Commands

_TEXT: Final = "Print the script by which a shell completes the words of this command."
_SHELLS: Final = ("bash", "zsh", "fish")
_EPILOG: Final = (
    "bash: source <(entrepot completion bash); zsh: entrepot completion zsh > a folder of $fpath/_entrepot; fish: "
    "entrepot completion fish > ~/.config/fish/completions/entrepot.fish"
)


def register(commands: "Commands") -> None:
    parser = commands.add_parser("completion", help=_TEXT, description=_TEXT, epilog=_EPILOG, allow_abbrev=False)
    parser.add_argument("shell", choices=_SHELLS, help="the shell")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    import shtab

    from entrepot.cli import command_parser

    print(shtab.complete(command_parser(), arguments.shell))
    return 0
