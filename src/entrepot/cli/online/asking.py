"""What every command that asks a server does: it is signed in, its problems are told in lines, tokens are kept."""

import argparse
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from entrepot.cli.parsing import nearest
from entrepot.cli.refusal import FAILED, USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.online.output import Form
    from entrepot.cli.parsing import Commands
    from entrepot.client.account import Account
    from entrepot.client.content import Content
    from entrepot.client.http import Http
    from entrepot.client.management import Management
    from entrepot.client.model import Registry
    from entrepot.client.refusals import ClientError, Refused, Unreachable

UNREACHABLE: Final = 3
SIGN_IN: Final = 4
EPILOG: Final = (
    "Exit code 0: done; 1: the server refused it; 2: the command is wrong; 3: no server answers; 4: sign in first."
)
_NAMES: Final = 1000
_NAMED: Final = 10
_REGISTRY: Final = "the registry; without it the only one that you see"


@dataclass(frozen=True, slots=True)
class Online:
    """A server, as who is signed in sees it, and the form in which a command prints."""

    management: "Management"
    form: "Form"

    def registry(self, name: str | None) -> "Registry":
        """By its name; without one the only one there is. Raises Refusal."""
        if name is None:
            return self._only_registry()
        found = self.management.find_registry(name)
        if found is None:
            raise unknown("registry", name, (each.name for each in self.management.registries()))
        return found

    def content(self, arguments: argparse.Namespace) -> "Content":
        """What the registry of --registry or --login-server holds."""
        from entrepot.client.tokens import content_of

        login_server = arguments.login_server or self.registry(arguments.registry).properties.login_server
        return content_of(self.management.http, self.management.account, login_server)

    def _only_registry(self) -> "Registry":
        found = list(islice(self.management.registries(), _NAMED))
        if len(found) == 1:
            return found[0]
        if not found:
            raise Refusal(["you see no registry: make one (entrepot registry create), or ask for a role on one"])
        names = ", ".join(each.name for each in found)
        raise Refusal([f"there are several registries: name one with --registry ({names})"], USAGE)


def add_verb(
    verbs: "Commands", name: str, text: str, run: Callable[[Online, argparse.Namespace], None]
) -> argparse.ArgumentParser:
    """A command of a command that asks a server."""
    parser = verbs.add_parser(name, help=text, description=text, epilog=EPILOG, allow_abbrev=False)
    parser.add_argument(
        "--output", choices=("table", "json"), help="what to print; without it a table on a terminal, JSON into a pipe"
    )

    def run_it(arguments: argparse.Namespace) -> int:
        return _ask(arguments, run)

    parser.set_defaults(run=run_it, parser=parser)
    return parser


def add_registry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--registry", metavar="NAME", help=_REGISTRY)


def add_place(parser: argparse.ArgumentParser) -> None:
    """For commands on what a registry holds: whoever may not see the registry itself names its login server."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--registry", metavar="NAME", help=_REGISTRY)
    group.add_argument("--login-server", metavar="HOST", help="the registry by its host, for whoever sees only content")


def add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask whether it shall be")


def confirm(arguments: argparse.Namespace, question: str) -> None:
    """Raises Refusal unless --yes was given, or a person agrees."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise Refusal(["add --yes: there is no terminal to ask on whether it shall be"], USAGE)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Refusal(["nothing was changed"])


def child(registry: "Registry", kind: str, name: str) -> str:
    """The id of a resource below a registry."""
    return f"{registry.id}/{kind}/{quote(name, safe='')}"


def remove(online: Online, arguments: argparse.Namespace, kind: str, what: str) -> None:
    """Delete the resource ``arguments.name`` below a registry. Raises Refusal when there is none."""
    registry = online.registry(arguments.registry)
    confirm(arguments, f"Delete the {what} {arguments.name} of {registry.name}?")
    if not online.management.delete(child(registry, kind, arguments.name)):
        raise unknown(what, arguments.name, names_of(online, registry, kind))


def names_of(online: Online, registry: "Registry", kind: str) -> Iterator[str]:
    """Of the resources of a kind below a registry."""
    from entrepot.client.model import Found

    return (each.name for each in online.management.pages(f"{registry.id}/{kind}", Found))


@contextmanager
def making(what: str, name: str) -> Generator[None]:
    """A refusal because there is one already says so."""
    from http import HTTPStatus

    from entrepot.client.refusals import Refused

    try:
        yield
    except Refused as no:
        if no.status != HTTPStatus.PRECONDITION_FAILED:
            raise
        raise Refusal([f"there is a {what} '{name}' already"]) from None


def unknown(what: str, name: str, known: Iterable[str]) -> Refusal:
    """That there is none of this name, and which one was probably meant."""
    from entrepot.client.refusals import Refused

    try:
        names = list(islice(known, _NAMES))
    except Refused:  # who may not list them gets no hint
        names = []
    return Refusal([f"there is no {what} '{name}'{nearest(name, names)}"])


@contextmanager
def naming(what: str, name: str, known: Callable[[], Iterable[str]], code: str = "") -> Generator[None]:
    """A refusal because there is no such thing names the nearest that there is. ``code``: of that refusal alone."""
    from http import HTTPStatus

    from entrepot.client.refusals import Refused

    try:
        yield
    except Refused as no:
        if no.status != HTTPStatus.NOT_FOUND or (code and no.code != code):
            raise
        raise unknown(what, name, known()) from None


def _ask(arguments: argparse.Namespace, run: Callable[[Online, argparse.Namespace], None]) -> int:
    from entrepot.cli.online import credentials
    from entrepot.cli.online.output import form_asked
    from entrepot.client.management import Management

    account = credentials.load()
    if account is None:
        raise Refusal([f"nobody is signed in (no {credentials.path_of_credentials()}): run entrepot login"], SIGN_IN)
    before = dict(account.tokens)
    with closing(opened(account)) as http, told(account):
        try:
            run(Online(Management(http, account), form_asked(arguments.output)), arguments)
        finally:
            if account.tokens != before:
                credentials.save(account)
    return 0


def opened(account: "Account") -> "Http":
    """What sends requests to the account's deployment. Raises Refusal."""
    from entrepot.client.http import Http

    try:
        return Http(account.ca)
    except ValueError as error:
        raise Refusal([f"the CA of {account.endpoint}: {error}"], USAGE) from None


@contextmanager
def told(account: "Account") -> Generator[None]:
    """What the client reports becomes lines for a person, each with what to do next."""
    from entrepot.client.refusals import ClientError

    try:
        yield
    except ClientError as error:
        from entrepot.cli.online.output import plain

        refusal = _refusal(error, account)
        raise Refusal([plain(line) for line in refusal.lines], refusal.exit_code) from error


def _refusal(error: "ClientError", account: "Account") -> Refusal:
    from entrepot.client.refusals import Refused, SignInNeeded, Unreachable

    match error:
        case SignInNeeded():
            who = "" if account.is_person else f" --client-id {account.client_id}"
            again = f"sign in again: entrepot login {account.endpoint}{who}"
            return Refusal([f"the sign-in to {account.endpoint} does not hold: {error}", again], SIGN_IN)
        case Unreachable():
            return Refusal([error.reason, f"tried: {error.tried}", _hint(error)], UNREACHABLE)
        case Refused():
            return Refusal(list(_refused(error)), FAILED)
        case _:
            return Refusal([str(error), f"is {account.endpoint} an Entrepot server, and not older than this command?"])


def _refused(no: "Refused") -> Iterator[str]:
    from http import HTTPStatus

    code = f"{no.code}: " if no.code else ""
    yield f"{code}{no.message}"
    if no.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        yield "whoever gives roles sees what is missing with: entrepot access explain"
    if no.status >= HTTPStatus.INTERNAL_SERVER_ERROR and no.request_id:
        yield f"the server's log tells more under the request id {no.request_id}"


def _hint(error: "Unreachable") -> str:
    if "certificate" in error.reason:
        return "give the CA of the server: entrepot login ... --ca-file FILE (data/tls/ca.crt on the server's machine)"
    return "is the server running, and is this its address? entrepot login names another one"
