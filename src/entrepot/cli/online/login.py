"""`entrepot login` and `entrepot logout`: who the client commands are, and on which server."""

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from entrepot.cli.online.asking import EPILOG, opened, told
from entrepot.cli.parsing import CLIENT_SECRET_VARIABLE
from entrepot.cli.refusal import USAGE, Refusal

if TYPE_CHECKING:
    from entrepot.cli.parsing import Commands
    from entrepot.client.account import Account

_LOGIN: Final = (
    "Sign in to a server for the commands that ask one (registry, repository, tag, manifest, token, scope-map, "
    "webhook, usage, import, operation): as a person with a device code, as an application with its secret, or, on the "
    "server's machine and without a word, as the owner that the first start made."
)
_LOGIN_SHORT: Final = "Sign in to a server for the commands that ask one."
_LOGOUT: Final = "Forget the sign-in of this machine."
_SECRET: Final = (
    f"the application's secret is the first line of standard input; without it {CLIENT_SECRET_VARIABLE}, or a prompt"
)
_BOOTSTRAP: Final = (
    "bootstrap.json of the server: its address, its CA, and the owner; without it that of the data folder"
)
_DATA_DIR: Final = "data"


def register(commands: "Commands") -> None:
    login = commands.add_parser("login", help=_LOGIN_SHORT, description=_LOGIN, epilog=EPILOG, allow_abbrev=False)
    login.add_argument("endpoint", nargs="?", metavar="URL", help="the server: https://HOST[:PORT]")
    login.add_argument("--client-id", metavar="ID", help="sign in as this application; without it as a person")
    login.add_argument("--secret-stdin", action="store_true", help=_SECRET)
    login.add_argument("--device-code", action="store_true", help="sign in as a person, also where bootstrap.json is")
    login.add_argument("--tenant", metavar="ID", help="the tenant, if the server has several")
    login.add_argument("--ca-file", metavar="FILE", help="CA of the server's certificate, PEM; it alone is trusted")
    login.add_argument("--bootstrap", metavar="FILE", help=_BOOTSTRAP)
    login.set_defaults(run=sign_in, parser=login)
    logout = commands.add_parser("logout", help=_LOGOUT, description=_LOGOUT, allow_abbrev=False)
    logout.set_defaults(run=sign_out, parser=logout)


def sign_in(arguments: argparse.Namespace) -> int:
    from entrepot.cli.online import credentials

    if arguments.device_code and (arguments.client_id or arguments.secret_stdin):
        raise Refusal(["--device-code is for a person, --client-id and --secret-stdin are for an application"], USAGE)
    account = _from_bootstrap(arguments) if arguments.endpoint is None else _named(arguments)
    with closing(opened(account)) as http, told(account):
        from entrepot.client.account import await_person, begin_device_code, renew
        from entrepot.client.management import Management

        if account.is_person:
            code = begin_device_code(http, account)
            print(code.message, file=sys.stderr, flush=True)
            await_person(http, account, code)
        else:
            import time

            renew(http, account, account.management_scope, time.time())
        seen = [each.display_name for each in Management(http, account).subscriptions()]
    path = credentials.save(account)
    print(f"signed in to {account.endpoint}; subscriptions: {', '.join(seen) or 'none'}", file=sys.stderr)
    print(f"the sign-in is kept in {path}; entrepot logout removes it", file=sys.stderr)
    return 0


def sign_out(arguments: argparse.Namespace) -> int:  # noqa: ARG001  commands have one shape
    from entrepot.cli.online import credentials

    print("signed out" if credentials.forget() else "nobody was signed in", file=sys.stderr)
    return 0


def _named(arguments: argparse.Namespace) -> "Account":
    """At the server that was named."""
    from entrepot.cli.online.credentials import endpoint_of

    if arguments.bootstrap is not None:
        raise Refusal(["name the server or its bootstrap.json, not both"], USAGE)
    return _account(arguments, endpoint_of(arguments.endpoint), arguments.ca_file, "common")


def _from_bootstrap(arguments: argparse.Namespace) -> "Account":
    """At the server whose file it is: as its owner, unless somebody else is named."""
    from entrepot.cli.online.credentials import endpoint_of, read_bootstrap
    from entrepot.client.account import Account

    folder = Path(os.environ.get("ENTREPOT_DATA_DIR") or _DATA_DIR)
    path = Path(arguments.bootstrap or folder / "bootstrap.json")
    found = read_bootstrap(path)
    endpoint, ca_file = endpoint_of(found.endpoint), arguments.ca_file or found.ca_file
    if arguments.client_id or arguments.device_code:
        return _account(arguments, endpoint, ca_file, found.tenant_id)
    if found.client_secret is None:
        raise Refusal([f"{path}: it has no secret any more: name yourself with --client-id or --device-code"], USAGE)
    return Account(endpoint, found.client_id, found.tenant_id, client_secret=found.client_secret, ca=_read_ca(ca_file))


def _account(arguments: argparse.Namespace, endpoint: str, ca_file: str | None, tenant: str) -> "Account":
    from entrepot.cli.online.credentials import client_secret
    from entrepot.client.account import CLIENT_ID, Account

    if arguments.client_id is None and arguments.secret_stdin:
        raise Refusal(["--secret-stdin goes with --client-id"], USAGE)
    secret = None if arguments.client_id is None else client_secret(from_stdin=arguments.secret_stdin)
    return Account(
        endpoint,
        arguments.client_id or CLIENT_ID,
        arguments.tenant or tenant,
        client_secret=secret,
        ca=_read_ca(ca_file),
    )


def _read_ca(path: str | None) -> str | None:
    from entrepot.cli.directory import read_text

    return None if path is None else read_text(path)
