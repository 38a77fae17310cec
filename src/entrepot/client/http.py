"""Requests to one deployment: bounded in time and size, never redirected, tried again where that is safe.

A request that only reads is tried again after a broken connection and 502 to 504; any is when no connection came about
or the server asked for patience (429), because then nothing was done.
"""

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from entrepot.client.refusals import Refused, Unreachable, Unreadable, refusal

T = TypeVar("T")

ANSWER_LIMIT: Final = 32 * 1024 * 1024
TRIES: Final = 4
# Whoever is told to wait longer than this is told so instead.
PATIENCE_SECONDS: Final = 60.0
_TIMEOUT: Final = httpx.Timeout(60, connect=10)
_FIRST_PAUSE_SECONDS: Final = 0.25
_SAFE: Final = frozenset({"GET", "HEAD"})
_PASSING: Final = frozenset({502, 503, 504})
# A deployment on this machine is asked for without the proxy of the environment.
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Request:
    """``headers`` may hold a token, and ``content`` a secret: neither is shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    content: bytes | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        return f"{self.method} {self.url.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers``: names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def request_id(self) -> str:
        return self.headers.get("x-request-id", "")

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Event:
    """A server-sent event. ``id``: where to go on after it."""

    name: str
    id: str
    content: str = field(repr=False)


class Http:
    """``ca``: certificates of a CA, PEM, that alone is trusted; None for those of the system."""

    def __init__(
        self,
        ca: str | None,
        pause: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Raises ValueError when ``ca`` holds no certificate."""
        if ca is not None and "-----BEGIN CERTIFICATE-----" not in ca:  # the standard library takes "" for None
            raise ValueError("it holds no certificate")
        try:
            trust = ssl.create_default_context(cadata=ca)
        except ssl.SSLError:
            raise ValueError("its certificate cannot be read") from None
        direct = dict.fromkeys((f"all://{host}" for host in _LOOPBACK), httpx.HTTPTransport(verify=trust))
        mounts: dict[str, httpx.BaseTransport | None] = {} if transport else dict(direct)
        self._http = httpx.Client(verify=trust, timeout=_TIMEOUT, transport=transport, mounts=mounts)
        self._pause = pause

    def send(self, request: Request) -> Answer:
        """Whatever it answers. Raises Unreachable, Unreadable."""
        waited = 0.0
        for number in range(1, TRIES + 1):
            answer, failure = self._try(request)
            pause = _pause_after(request, answer, failure, number)
            if number == TRIES or pause is None or waited + pause > PATIENCE_SECONDS:
                return _outcome(request, answer, failure, number)
            self._pause(pause)
            waited += pause
        raise AssertionError("unreachable")

    def events(self, url: str, last: str) -> Iterator[Event]:
        """Server-sent events after the one with this id, until the answer ends. Raises Unreachable, Refused."""
        request = Request("GET", url, {"accept": "text/event-stream", "last-event-id": last})
        place, headers, extensions = _on_loopback(request)
        sent = self._http.build_request("GET", place, headers=headers, extensions=extensions)
        try:
            answer = self._http.send(sent, stream=True)
            try:
                if answer.status_code != HTTPStatus.OK:
                    told = Answer(answer.status_code, {**answer.headers}, _bounded(answer, request))
                    raise refused(told) or Unreadable(f"{request.shown} answered {told.status}")
                yield from _events(answer.iter_lines(), last)
            finally:
                answer.close()
        except httpx.TransportError as failure:
            raise Unreachable(f"the connection ended: {failure or type(failure).__name__}", request.shown) from failure

    def close(self) -> None:
        self._http.close()

    def _try(self, request: Request) -> tuple[Answer | None, httpx.TransportError | None]:
        try:
            return self._once(request), None
        except httpx.TransportError as failure:
            return None, failure

    def _once(self, request: Request) -> Answer:
        url, headers, extensions = _on_loopback(request)
        sent = self._http.build_request(
            request.method, url, headers=headers, content=request.content, extensions=extensions
        )
        answer = self._http.send(sent, stream=True)
        try:
            return Answer(answer.status_code, {**answer.headers}, _bounded(answer, request))
        finally:
            answer.close()


def refused(answer: Answer) -> Refused | None:
    """What the answer says if it is no success; no deployment of ours redirects a program."""
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    no = refusal(answer.status, answer.content, answer.request_id)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS and answer.retry_after is not None:
        no.message += f" Wait {answer.retry_after:.0f} seconds."
    return no


def read(answer: Answer, shape: type[T]) -> T:
    """The answer's JSON. Raises Unreadable."""
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except msgspec.DecodeError as error:
        raise Unreadable(f"an answer of the server cannot be read: {error}") from None


def _on_loopback(request: Request) -> tuple[str, dict[str, str], dict[str, object]]:
    """Names below ``localhost`` are this machine (RFC 6761 section 6.3), which many resolvers do not know."""
    url = httpx.URL(request.url)
    if not url.host.endswith(".localhost"):
        return request.url, dict(request.headers), {"timeout": _TIMEOUT.as_dict()}
    headers = {**request.headers, "host": url.netloc.decode("ascii")}
    extensions: dict[str, object] = {"sni_hostname": url.host, "timeout": _TIMEOUT.as_dict()}
    return str(url.copy_with(host="localhost")), headers, extensions


def _events(lines: Iterable[str], last: str) -> Iterator[Event]:
    """What lines mean (WHATWG HTML, "Interpreting an event stream"); a comment, and an event cut off, is none."""
    name, number, content = "message", last, list[str]()
    for line in lines:
        if not line:
            if content:
                yield Event(name, number, "\n".join(content))
            name, content = "message", []
            continue
        field_, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field_ == "event":
            name = value
        elif field_ == "id":
            number = value
        elif field_ == "data":
            content.append(value)


def _bounded(answer: httpx.Response, request: Request) -> bytes:
    content = bytearray()
    for piece in answer.iter_bytes():
        content += piece
        if len(content) > ANSWER_LIMIT:
            raise Unreadable(f"{request.shown} answered with more than {ANSWER_LIMIT} bytes")
    return bytes(content)


def _pause_after(
    request: Request, answer: Answer | None, failure: httpx.TransportError | None, number: int
) -> float | None:
    """Seconds until it may be sent once more; None when it may not."""
    usual = _FIRST_PAUSE_SECONDS * 2 ** (number - 1)
    if answer is not None:
        asked = answer.retry_after
        patient = answer.status == HTTPStatus.TOO_MANY_REQUESTS or (
            answer.status in _PASSING and request.method in _SAFE
        )
        return (usual if asked is None else asked) if patient else None
    if _is_certificate(failure):
        return None
    unsent = isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout)
    return usual if unsent or request.method in _SAFE else None


def _outcome(request: Request, answer: Answer | None, failure: httpx.TransportError | None, number: int) -> Answer:
    if answer is not None:
        return answer
    url = urlsplit(request.url)
    tried = f"{request.shown}, {number} times" if number > 1 else request.shown
    if _is_certificate(failure):
        reason = f"the certificate of {url.netloc} is not trusted: {failure}"
    else:
        reason = f"{url.scheme}://{url.netloc} does not answer: {failure or type(failure).__name__}"
    raise Unreachable(reason, tried) from failure


def _is_certificate(failure: httpx.TransportError | None) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(failure)
