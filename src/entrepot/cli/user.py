"""`entrepot user`: people of the directory, from the machine itself: the first ones, and those who are locked out."""

import argparse
import secrets
from typing import TYPE_CHECKING, Final

from entrepot.cli.directory import add_verb, read_text
from entrepot.cli.refusal import USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.app.directory import Directory
    from entrepot.cli.parsing import Commands

_TEXT: Final = "People of the directory. Works beside a running server."
_ADD: Final = "Add a person. Without a password file the first password is made and printed, and must be changed."
_OUTSIDE: Final = "LDAP or single sign-on signs them in: they get no password here"
_LIST: Final = "List the people."
_DISABLE: Final = "Disable a person: sessions and tokens stop within two seconds."
_ENABLE: Final = "Enable a person again."
_PASSWORD: Final = "Set a person's password; sessions and tokens got by the old one stop within two seconds."  # noqa: S105  a text
_TOTP: Final = "Ask a person for codes of an authenticator too, and print the address that it reads."


def register(commands: "Commands") -> None:
    parser = commands.add_parser("user", help=_TEXT, description=_TEXT, allow_abbrev=False)
    verbs = parser.add_subparsers(title="commands", dest="verb", metavar="COMMAND", required=True)
    add = add_verb(verbs, "add", _ADD, _add)
    add.add_argument("--name", default="", help="what to call them; without it the user name")
    add.add_argument("--outside", action="store_true", help=_OUTSIDE)
    add_verb(verbs, "list", _LIST, _list)
    password = add_verb(verbs, "password", _PASSWORD, _set_password)
    totp = add_verb(verbs, "totp", _TOTP, _totp)
    totp.add_argument("--remove", action="store_true", help="ask for no codes any more")
    switches = (add_verb(verbs, "disable", _DISABLE, _disable), add_verb(verbs, "enable", _ENABLE, _enable))
    for verb in (add, password, totp, *switches):
        verb.add_argument("upn", help="user name: NAME@DOMAIN")
    for verb in (add, password):
        verb.add_argument("--password-file", metavar="FILE", help="the password is this file's first line")


def _add(directory: "Directory", arguments: argparse.Namespace) -> None:
    if arguments.outside:
        if arguments.password_file is not None:
            raise Refusal(["--outside and --password-file exclude each other"], USAGE)
        person = directory.add_outside_person(arguments.upn, arguments.name)
        print(f"user name: {person.upn}\nid:        {person.id}")
        return
    password, made = _password(arguments)
    person = directory.add_person(arguments.upn, arguments.name, password, must_change=made)
    print(f"user name: {person.upn}\nid:        {person.id}")
    _tell(password, made=made)


def _set_password(directory: "Directory", arguments: argparse.Namespace) -> None:
    password, made = _password(arguments)
    directory.set_password(arguments.upn, password, must_change=made)
    _tell(password, made=made)


def _password(arguments: argparse.Namespace) -> tuple[str, bool]:
    """The password, and whether it was made here."""
    if arguments.password_file is None:
        return secrets.token_hex(15), True  # no dash at its start, which a command would take for an option
    return read_text(arguments.password_file).partition("\n")[0].rstrip("\r"), False


def _tell(password: str, *, made: bool) -> None:
    if made:
        print(f"password:  {password} (to be changed at the first sign-in)")


def _list(directory: "Directory", arguments: argparse.Namespace) -> None:  # noqa: ARG001  verbs have one shape
    for person in directory.people():
        print(f"{person.upn or ''}  {person.id}  {'enabled' if person.enabled else 'disabled'}  {person.name}")


def _disable(directory: "Directory", arguments: argparse.Namespace) -> None:
    directory.set_enabled(arguments.upn, enabled=False)


def _enable(directory: "Directory", arguments: argparse.Namespace) -> None:
    directory.set_enabled(arguments.upn, enabled=True)


def _totp(directory: "Directory", arguments: argparse.Namespace) -> None:
    if arguments.remove:
        print("removed" if directory.remove_totp(arguments.upn) else "there was none")
    else:
        print(directory.add_totp(arguments.upn))
