"""The sign-in of the client commands: a file of mode 0600 in the person's configuration folder, and its source.

Spec: XDG Base Directory. A secret never stands on a command line, where everybody on the machine could read it.
"""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from entrepot.cli.parsing import CLIENT_SECRET_VARIABLE
from entrepot.cli.refusal import USAGE, Refusal
from entrepot.client.account import Account

FILE: Final = "credentials.json"
_SECRET_LIMIT: Final = 32 * 1024
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Bootstrap(msgspec.Struct, rename="camel"):
    """What the first start wrote for the owner on the same machine (DESIGN section 3)."""

    endpoint: str
    tenant_id: str
    client_id: str
    client_secret: str | None = None
    ca_file: str | None = None

    def __repr__(self) -> str:
        return f"Bootstrap(endpoint={self.endpoint!r})"


def path_of_credentials() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    # A relative one is to be ignored, as the specification says.
    folder = Path(configured) if Path(configured).is_absolute() else Path.home() / ".config"
    return folder / "entrepot" / FILE


def load() -> Account | None:
    """Who is signed in. Raises Refusal for a file that cannot be read."""
    path = path_of_credentials()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Account)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Refusal([f"{path}: {error.strerror}"]) from None
    except msgspec.DecodeError:
        raise Refusal([f"{path}: it is not what `entrepot login` wrote; sign in again"]) from None


def save(account: Account) -> Path:
    """Whole or not at all: another command may read it meanwhile. Raises Refusal."""
    path = path_of_credentials()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}.")  # made with mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(account))
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise Refusal([f"{path}: {error.strerror}"]) from None
    return path


def forget() -> bool:
    """Whether there was somebody to forget."""
    try:
        path_of_credentials().unlink()
    except FileNotFoundError:
        return False
    return True


def read_bootstrap(path: Path) -> Bootstrap:
    """Raises Refusal."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Bootstrap)
    except OSError as error:
        lines = [
            f"{path}: {error.strerror}",
            "name a server (entrepot login https://registry.example.com), or the server's bootstrap.json (--bootstrap)",
        ]
        raise Refusal(lines, USAGE) from None
    except msgspec.DecodeError:
        raise Refusal([f"{path}: it is not the bootstrap.json of a server"], USAGE) from None


def endpoint_of(text: str) -> str:
    """``https://HOST[:PORT]``. Plain HTTP is for this machine alone. Raises Refusal."""
    url = urlsplit(text if "://" in text else f"https://{text}")
    plain_outside = url.scheme == "http" and url.hostname not in _LOOPBACK
    if url.scheme not in {"https", "http"} or not url.hostname or plain_outside or url.username is not None:
        raise Refusal([f"{text}: name the server as https://HOST or https://HOST:PORT"], USAGE)
    return f"{url.scheme}://{url.netloc}".lower()


def read_secret(what: str, *, from_stdin: bool) -> str:
    """From standard input when told so, else from the environment or a prompt. Raises Refusal."""
    if from_stdin:
        return _given(sys.stdin.readline(_SECRET_LIMIT), what)
    return prompted(what)


def client_secret(*, from_stdin: bool) -> str:
    """An application's. Raises Refusal."""
    from_environment = os.environ.get(CLIENT_SECRET_VARIABLE)
    if from_environment and not from_stdin:
        return from_environment
    return read_secret("client secret", from_stdin=from_stdin)


def prompted(what: str) -> str:
    """Typed by a person, unseen. Raises Refusal without a terminal."""
    if not sys.stdin.isatty():
        hint = f", or set {CLIENT_SECRET_VARIABLE}" if what == "client secret" else ""
        raise Refusal([f"no {what}: there is no terminal to ask on; hand it in with --secret-stdin{hint}"], USAGE)
    from getpass import getpass

    return _given(getpass(f"{what}: "), what)


def _given(text: str, what: str) -> str:
    found = text.rstrip("\r\n")
    if not found:
        raise Refusal([f"the {what} is empty"], USAGE)
    return found
