"""`entrepot keys`: the keys that sign tokens."""

import argparse
from typing import TYPE_CHECKING, Final

from entrepot.cli.directory import add_verb

if TYPE_CHECKING:
    from entrepot.app.directory import Directory
    from entrepot.cli.parsing import Commands

_TEXT: Final = "The keys that sign tokens. Works beside a running server."
_LIST: Final = "List the keys, newest first."
_ROTATE: Final = (
    "Make new keys. They are published now and sign in a day; the old ones go when their tokens have ended."
)
_AT_ONCE: Final = "for keys that somebody else may know: delete the old ones, so that every token ends now"


def register(commands: "Commands") -> None:
    parser = commands.add_parser("keys", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    rotate = add_verb(verbs, "rotate", _ROTATE, _rotate)
    rotate.add_argument("--at-once", action="store_true", help=_AT_ONCE)
    add_verb(verbs, "list", _LIST, _list)


def _rotate(directory: "Directory", arguments: argparse.Namespace) -> None:
    if arguments.at_once:
        directory.replace_keys()
        print("the new keys sign from now on; everybody signs in again")
    else:
        print(f"the new keys sign from {directory.rotate_keys():%Y-%m-%d %H:%M} UTC on")


def _list(directory: "Directory", arguments: argparse.Namespace) -> None:  # noqa: ARG001  verbs have one shape
    for key in directory.signing_keys():
        print(f"{key.kid}  {key.use}  {key.algorithm}  made {key.created_at:%Y-%m-%d %H:%M} UTC")
