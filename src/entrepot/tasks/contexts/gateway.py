"""The one way that git has to the world: a door on loopback that asks ``entrepot.outbound`` for everything.

git does its own networking, with its own resolver, redirects and store of credentials. Here it has none of them: each
http and https address is rewritten to this door, and its proxy is the door too. So the guard, the operator's proxy and
CAs hold for git as for every other call, also for submodules, and the credentials never reach a process, a command
line or a file. Who knocks must know a secret of this fetch.
"""

import hmac
import re
import secrets
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Final, Self
from urllib.parse import urlsplit

from entrepot.outbound.model import OutboundError, Reason, Request, Stream
from entrepot.remote.sign_in import Credentials
from entrepot.tasks.context import ContextInvalid, without_credentials
from entrepot.tasks.contexts.model import ContextFailed, Means, Watch, status_line
from entrepot.tasks.engines.model import Canceled

_PROOF: Final = "X-Entrepot-Fetch"
_TARGET: Final = re.compile(r"/(https?)/(.+)")
_DISCOVERY: Final = "/info/refs"
# What git says it has already, at most: it is sent in one piece.
BODY_LIMIT: Final = 32 * 1024 * 1024
_SILENCE: Final = 60.0
_PULSE: Final = 0.05
_ASKED: Final = ("accept", "content-type", "content-encoding", "git-protocol", "user-agent")
_ANSWERED: Final = ("content-type", "www-authenticate")


@dataclass(slots=True)
class Gateway:
    """Open while its block lasts. ``credentials`` go to ``origin`` alone, once it has asked for some.

    ``cause``: why the last request that failed did so. ``ended``: nobody waits for an answer any more.
    """

    means: Means
    watch: Watch
    origin: str
    credentials: Credentials | None
    cause: str = ""
    ended: Event = field(default_factory=Event)
    _left: int = 0
    _secret: str = field(default_factory=secrets.token_hex, repr=False)
    _moved: dict[str, str] = field(default_factory=dict[str, str])
    _is_signed_in: bool = False
    _lock: Lock = field(default_factory=Lock)
    _server: "_Server | None" = None

    def __enter__(self) -> Self:
        self._left = self.means.bounds.packed
        self._server = _Server(self)
        # How long its end waits for it.
        Thread(target=self._server.serve_forever, args=(_PULSE,), name="git-gateway", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @property
    def address(self) -> str:
        if self._server is None:
            raise AssertionError("asked for outside the block")
        return f"http://127.0.0.1:{self._server.server_port}"

    def configuration(self) -> list[tuple[str, str]]:
        """What git is told so that all of its requests come here."""
        return [
            ("http.proxy", self.address),
            ("http.extraHeader", f"{_PROOF}: {self._secret}"),
            ("http.followRedirects", "false"),
            ("http.postBuffer", str(BODY_LIMIT)),
            *((f"url.{self.address}/{scheme}/.insteadOf", f"{scheme}://") for scheme in ("http", "https")),
        ]

    def without_address(self, text: str) -> str:
        """A text of git with the addresses that were meant."""
        return re.sub(rf"{re.escape(self.address)}/(https?)/", r"\1://", text)

    # --- one request --------------------------------------------------------------------------------------------------

    def answer(self, door: "_Door") -> None:
        if not hmac.compare_digest(door.headers.get(_PROOF, ""), self._secret):
            door.refuse(HTTPStatus.FORBIDDEN, "this is not for you")
            return
        asked = _TARGET.fullmatch(door.path.removeprefix(self.address))
        size = door.headers.get("content-length", "0")
        if asked is None or not size.isdecimal() or int(size) > BODY_LIMIT or "transfer-encoding" in door.headers:
            door.refuse(HTTPStatus.BAD_REQUEST, "this is not a request that git may make")
            return
        headers = {name: value for name in _ASKED if (value := door.headers.get(name)) is not None}
        try:
            self._forward(door, f"{asked[1]}://{asked[2]}", headers, door.rfile.read(int(size)))
        except (OutboundError, ContextInvalid, ContextFailed) as error:
            is_large = isinstance(error, OutboundError) and error.reason is Reason.ANSWER_TOO_LARGE
            self.cause = "the repository is larger than is allowed for a context" if is_large else str(error)
            door.refuse(HTTPStatus.BAD_GATEWAY, self.cause)
        except Canceled:
            door.close_connection = True

    def _forward(self, door: "_Door", address: str, headers: Mapping[str, str], body: bytes) -> None:
        url, user, password = without_credentials(address)
        named = Credentials(user, password) if password else None
        base, is_discovery, rest = url.partition(_DISCOVERY)
        with self.opened(door.command, url, headers, body, named) as stream:
            if is_discovery and stream.url != url:
                self._moved[base] = stream.url.removesuffix(_DISCOVERY + rest)
            self._relay(door, stream)

    @contextmanager
    def opened(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", named: Credentials | None = None
    ) -> Generator[Stream]:
        """An answer, signed in as ``named``, or with ours where they belong. Raises OutboundError, ContextFailed."""
        url = self._where(url)
        with self.means.outbound.stream(self._request(method, url, headers, body, named)) as stream:
            if stream.status != HTTPStatus.UNAUTHORIZED or not self._may_sign_in(url):
                yield stream
                return
        self._is_signed_in = True
        with self.means.outbound.stream(self._request(method, url, headers, body, named)) as stream:
            yield stream

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, named: Credentials | None
    ) -> Request:
        return Request(
            method,
            url,
            {**self._signed(url, named), **headers},
            body,
            seconds=self.watch.left(),
            limit=self._left,
            canceled=self.ended,
        )

    def came(self, piece: bytes) -> None:
        """Count it. Raises ContextFailed, Canceled."""
        with self._lock:
            self._left = max(0, self._left - len(piece))
        self.watch.left()

    def _where(self, url: str) -> str:
        """Where the repository is found, once its discovery was sent elsewhere: as git itself goes on there."""
        base = next((base for base in self._moved if url.startswith(f"{base}/")), None)
        return url if base is None else self._moved[base] + url.removeprefix(base)

    def _may_sign_in(self, url: str) -> bool:
        return self.credentials is not None and not self._is_signed_in and origin_of(url) == self.origin

    def _signed(self, url: str, named: Credentials | None) -> dict[str, str]:
        is_ours = self._is_signed_in and origin_of(url) == self.origin
        credentials = named or (self.credentials if is_ours else None)
        return {} if credentials is None else {"authorization": credentials.basic()}

    def _relay(self, door: "_Door", stream: Stream) -> None:
        if stream.status >= HTTPStatus.BAD_REQUEST:
            self.cause = told(stream)
        door.begin(stream.status, {name: stream.headers[name] for name in _ANSWERED if name in stream.headers})
        for piece in stream.pieces:
            self.came(piece)
            door.wfile.write(piece)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def told(stream: Stream) -> str:
    """What an answer that is none means, most likely."""
    text = f"{stream.url.partition('?')[0].removesuffix(_DISCOVERY)} answered {status_line(stream.status)}"
    match stream.status:
        case 401 | 403:
            return f"{text}: it is private or not there, and the token is missing, wrong, expired or of too few rights"
        case 404:
            return f"{text}: it is not there, or private and the token may not see it"
        case _:
            return text


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.gateway = gateway

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  names of the library
        """A client that went away says why itself."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.gateway.cause = f"the gateway failed: {error!r}"


class _Door(BaseHTTPRequestHandler):
    """One request; an answer ends with its connection, so it needs no length."""

    timeout = _SILENCE
    has_begun = False
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]  the one that made it

    def do_GET(self) -> None:
        self.server.gateway.answer(self)

    def do_POST(self) -> None:
        self.server.gateway.answer(self)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.has_begun = True
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def refuse(self, status: int, why: str) -> None:
        """Unless an answer has begun: then it is cut, and git says so."""
        if not self.has_begun:
            self.begin(status, {"content-type": "text/plain"})
            self.wfile.write(why.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Nothing: what goes wrong is told by whoever fetches."""
