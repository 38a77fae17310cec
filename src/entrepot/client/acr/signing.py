"""With what the program asks, and how: the sign-in that docker keeps, through the run's own socket.

A step has no way to the registry of its own: its network may be none, and the registry may listen on the machine's
loopback alone. The worker at the other end of the socket asks the run's registry, and no other.
"""

import base64
import binascii
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
import msgspec

from entrepot.client.acr.selecting import Wrong
from entrepot.client.content import Content
from entrepot.client.http import Http

SOCKET: Final = "/var/run/docker.sock"
# What the worker sets in every container of the image.
REGISTRY: Final = "ACR_DEFAULT_REGISTRY"
_URL: Final = "http://registry/registry"
_NO_REGISTRY: Final = "unable to determine registry name, please use --registry flag"


class _Auth(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""


class _Docker(msgspec.Struct):
    auths: dict[str, _Auth] = {}


def login_server(name: str) -> str:
    """``name``: a registry's, its login server, or empty for the run's own. Raises Wrong for another registry."""
    own = os.environ.get(REGISTRY, "")
    if not own:
        raise Wrong(_NO_REGISTRY if not name else f"this image reaches a registry in a run of a task alone, not {name}")
    if name not in {"", own, own.partition(":")[0].partition(".")[0]}:
        raise Wrong(f"a run reaches its own registry alone, which is {own}, not {name}")
    return own


def sign_in(server: str, user: str, password: str, configs: Sequence[str]) -> str:
    """The header. Without user name and password, those of docker's configuration. Raises Wrong."""
    if not user and not password:
        user, password = _kept(server, [Path(each) for each in configs] or [_home() / "config.json"])
    if not password:
        raise Wrong("unable to resolve authentication, missing identity token or password")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def keep(server: str, authorization: str, configs: Sequence[str]) -> None:
    """As docker keeps it, for later steps. Raises Wrong."""
    file = Path(configs[0]) if configs else _home() / "config.json"
    try:
        known = msgspec.json.decode(file.read_bytes(), type=dict[str, object]) if file.exists() else {}
        auths = msgspec.convert(known.get("auths") or {}, dict[str, object])
        known["auths"] = auths | {server: {"auth": authorization.removeprefix("Basic ")}}
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(msgspec.json.encode(known))
    except (OSError, msgspec.MsgspecError) as error:
        raise Wrong(f"{file}: {error}") from None


def reach(authorization: str, transport: httpx.BaseTransport | None = None) -> Content:
    """The run's registry."""
    # No TLS on the machine's own socket, so no CAs, which the image has not.
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    http = Http(None, transport=transport or httpx.HTTPTransport(uds=SOCKET, verify=bare))
    return Content(http, _URL, lambda _scope: authorization)


def _home() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or f"{os.environ.get('HOME', '/root')}/.docker")


def _kept(server: str, files: Sequence[Path]) -> tuple[str, str]:
    for file in files:
        auths = _read(file).auths
        found = auths.get(server) or auths.get(f"https://{server}") or _Auth()
        user, _, password = _decoded(found.auth).partition(":")
        if password or found.password:
            return found.username or user, found.password or password
    return "", ""


def _read(file: Path) -> _Docker:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Docker)
    except FileNotFoundError:
        return _Docker()
    except (OSError, msgspec.MsgspecError) as error:
        raise Wrong(f"error resolving authentication: {file}: {error}") from None


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
