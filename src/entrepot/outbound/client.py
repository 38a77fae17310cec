"""One call out: checked, bounded, and redirected at most a few times.

A connection serves one call, so nothing of one call (a cookie, a credential, a connection) is there for the next; a
``Line`` is for calls of one and the same sender.
Neither the environment's proxies nor a netrc file is looked at. It is synchronous: whoever calls out runs in a worker
thread or in a job.
"""

import ssl
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from threading import BoundedSemaphore
from typing import Final, TypeAlias

import httpcore
import httpx

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.body import TooLarge, Unreadable, read_body
from entrepot.outbound.connection import Clock, Deadline, GuardedBackend, Resolve, Resolver, Running, system_addresses
from entrepot.outbound.model import Answer, OutboundError, Reason, Request, Stream

MAX_REDIRECTS: Final = 3
MAX_CALLS: Final = 32
# Seconds for which a line's connection may wait for its next call.
_KEPT: Final = 15.0
# What a connection that its peer has closed meanwhile fails with.
_GONE: Final = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)
_URL_LIMIT: Final = 8192
_PORTS: Final = range(1, 65_536)
_PORT_OF: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.SEE_OTHER,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)
# What may be repeated elsewhere without harm. A webhook's body goes nowhere but where it was sent.
_REPEATABLE: Final = frozenset({"GET", "HEAD"})
# What another origin may see of the caller's headers: nothing that could be a credential.
_SEEN_ELSEWHERE: Final = frozenset(
    {"accept", "accept-language", "if-none-match", "if-modified-since", "range", "user-agent"}
)
# A caller's header (a webhook may have some) must not change where a request goes or where it ends.
OURS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


_Origin: TypeAlias = tuple[str, str, int]


class Outbound:
    """The client; one for a process, safe in many threads at once. ``close`` when the process ends."""

    def __init__(
        self,
        permitted: Permitted,
        tls: ssl.SSLContext,
        proxy: httpcore.Proxy | None = None,
        resolve: Resolve = system_addresses,
    ) -> None:
        self._permitted = permitted
        self._tls = tls
        self._proxy = proxy
        self._resolver = Resolver(resolve)
        self._calls = BoundedSemaphore(MAX_CALLS)

    def send(self, request: Request) -> Answer:
        """The answer, of whatever status. Raises OutboundError.

        GET and HEAD follow redirects; the answer to another method is given as it comes.
        """
        return self._send(request, None)

    @contextmanager
    def line(self) -> Generator["Line"]:
        """For calls one after the other, to be used in one thread."""
        made = Line(self._send)
        try:
            yield made
        finally:
            made.close()

    def _send(self, request: Request, line: "Line | None") -> Answer:
        with self._answered(request, line) as (answer, call):
            return _read(answer, call)

    @contextmanager
    def stream(self, request: Request) -> Generator[Stream]:
        """The same with the body as it comes, for what is too large for memory. The deadline holds for its end."""
        with self._answered(request, None) as (answer, call):
            headers = httpx.Headers(answer.headers)
            yield Stream(answer.status, headers, _bounded(answer, headers, call.limit), str(call.url))

    @contextmanager
    def _answered(self, request: Request, line: "Line | None") -> Generator[tuple[httpcore.Response, "_Call"]]:
        deadline = Deadline.within(request.seconds, request.canceled)
        call = _call_of(request)
        with self._turn(call, deadline):
            for _ in range(MAX_REDIRECTS + 1):
                with self._exchange(call, deadline, line) as answer:
                    location = _location(answer, call)
                    if location is None:
                        yield answer, call
                        return
                call = call.redirected(location)
        raise OutboundError(Reason.REDIRECT_REFUSED, call.host)

    def close(self) -> None:
        self._resolver.close()

    @contextmanager
    def _turn(self, call: "_Call", deadline: Deadline) -> Generator[None]:
        with _told(call.host):
            if not self._calls.acquire(timeout=deadline.left()):
                raise OutboundError(Reason.BUSY, call.host)
        try:
            yield
        finally:
            self._calls.release()

    @contextmanager
    def _exchange(self, call: "_Call", deadline: Deadline, line: "Line | None") -> Generator[httpcore.Response]:
        if self._permitted.refuses(call.host):
            raise OutboundError(Reason.ADDRESS_REFUSED, call.host)
        with _told(call.host), ExitStack() as stack:
            if line is None:
                pool = stack.enter_context(self._pool(call, deadline, kept=0))
                yield stack.enter_context(_asked(pool, call, {"connection": "close"}))
            else:
                pool = line.pool(_origin(call.url), deadline, lambda clock: self._pool(call, clock, kept=1))
                yield _on_line(stack, pool, call)

    def _pool(self, call: "_Call", clock: Clock, kept: int) -> httpcore.ConnectionPool:
        """What the operator listed is inside, and is not reached through the proxy."""
        proxy = None if self._permitted.lists(call.host) else self._proxy
        return httpcore.ConnectionPool(
            ssl_context=self._tls,
            proxy=proxy,
            max_connections=1,
            max_keepalive_connections=kept,
            keepalive_expiry=_KEPT,
            network_backend=GuardedBackend(self._addresses(proxy, clock), clock),
        )

    def _addresses(self, proxy: httpcore.Proxy | None, clock: Clock) -> Callable[[str, int], Sequence[str]]:
        if proxy is not None:  # the operator's own address, and the proxy resolves the rest
            return lambda host, port: self._resolver.addresses(host, port, clock)
        return lambda host, port: self._resolver.permitted_addresses(host, port, clock, self._permitted)


class Line:
    """Calls of one sender, one after the other: those to one origin share a connection while the other side keeps it.

    A call may come twice, so whoever uses it sends what may. Each has a deadline of its own; a connection that is
    opened goes to an address that was looked at then.
    """

    def __init__(self, send: Callable[[Request, "Line"], Answer]) -> None:
        self._send = send
        self._kept: dict[_Origin, tuple[httpcore.ConnectionPool, Running]] = {}

    def send(self, request: Request) -> Answer:
        """As ``Outbound.send``."""
        return self._send(request, self)

    def pool(
        self, origin: "_Origin", deadline: Deadline, make: Callable[[Clock], httpcore.ConnectionPool]
    ) -> httpcore.ConnectionPool:
        """The connection to the origin, for a call with this deadline."""
        if origin not in self._kept:
            running = Running(deadline)
            self._kept[origin] = (make(running), running)
        pool, running = self._kept[origin]
        running.deadline = deadline
        return pool

    def close(self) -> None:
        for pool, _ in self._kept.values():
            pool.close()
        self._kept.clear()


def _on_line(stack: ExitStack, pool: httpcore.ConnectionPool, call: "_Call") -> httpcore.Response:
    """Once more where the connection was there before: its other side may have closed it just then."""
    was_there = bool(pool.connections)
    try:
        return stack.enter_context(_asked(pool, call, {}))
    except _GONE:
        if not was_there:
            raise
    return stack.enter_context(_asked(pool, call, {}))


def _asked(
    pool: httpcore.ConnectionPool, call: "_Call", more: Mapping[str, str]
) -> AbstractContextManager[httpcore.Response]:
    url = call.url
    target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    return pool.stream(call.method, target, headers=call.lines(more), content=call.body or None)


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trusts the system's CAs and those of the file. Raises OSError (ssl.SSLError is one) for a file without any."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def proxy_of(url: str, tls: ssl.SSLContext) -> httpcore.Proxy:
    """The operator's proxy, from ``http://USER:PASSWORD@HOST:PORT``; https works too."""
    parts = httpx.URL(url)
    bare = parts.copy_with(username=None, password=None)
    auth = (parts.username.encode(), parts.password.encode()) if parts.userinfo else None
    return httpcore.Proxy(str(bare), auth, ssl_context=tls if parts.scheme == "https" else None)


@dataclass(frozen=True, slots=True)
class _Call:
    """What is asked of one URL; a redirect makes another one."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    body: bytes
    limit: int

    @property
    def host(self) -> str:
        return self.url.host

    def lines(self, more: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
        """The head as it is sent. Raises OutboundError."""
        ours = {
            "host": self.url.netloc.decode("ascii"),
            "user-agent": "entrepot",
            "accept": "*/*",
            "accept-encoding": "identity",
            **more,
        }
        if self.body or self.method not in _REPEATABLE:
            ours["content-length"] = str(len(self.body))
        theirs = {name.lower(): value for name, value in self.headers.items()}
        try:
            return [(name.encode("ascii"), value.encode("ascii")) for name, value in {**ours, **theirs}.items()]
        except UnicodeEncodeError:
            raise OutboundError(Reason.REQUEST_REFUSED, self.host) from None

    def redirected(self, location: str) -> "_Call":
        """Raises OutboundError."""
        try:
            url = self.url.join(location)
        except httpx.InvalidURL:
            raise OutboundError(Reason.REDIRECT_REFUSED, self.host) from None
        _check(url)
        if self.url.scheme == "https" and url.scheme != "https":
            raise OutboundError(Reason.REDIRECT_REFUSED, url.host)
        if _origin(url) == _origin(self.url):
            return replace(self, url=url)
        kept = {name: value for name, value in self.headers.items() if name.lower() in _SEEN_ELSEWHERE}
        return replace(self, url=url, headers=kept, body=b"")


def _call_of(request: Request) -> _Call:
    try:
        url = httpx.URL(request.url)
    except httpx.InvalidURL:
        raise OutboundError(Reason.REQUEST_REFUSED, "") from None
    _check(url)
    if any(name.lower() in OURS for name in request.headers):
        raise OutboundError(Reason.REQUEST_REFUSED, url.host)
    return _Call(request.method, url, request.headers, request.body, request.limit)


def _check(url: httpx.URL) -> None:
    port_is_one = url.port is None or url.port in _PORTS
    if url.scheme not in _PORT_OF or not url.host or url.userinfo or not port_is_one or len(str(url)) > _URL_LIMIT:
        raise OutboundError(Reason.REQUEST_REFUSED, url.host)


def _origin(url: httpx.URL) -> _Origin:
    return url.scheme, url.host, url.port or _PORT_OF[url.scheme]


def _location(answer: httpcore.Response, call: _Call) -> str | None:
    """Where a redirect that is followed leads."""
    if answer.status not in _REDIRECTS or call.method not in _REPEATABLE:
        return None
    return httpx.Headers(answer.headers).get("location")


def _bounded(answer: httpcore.Response, headers: httpx.Headers, limit: int) -> Generator[bytes]:
    """The body's pieces as they come. Raises TooLarge, and Unreadable for one in an encoding."""
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise Unreadable
    for piece in answer.iter_stream():
        limit -= len(piece)
        if limit < 0:
            raise TooLarge
        yield piece


def _read(answer: httpcore.Response, call: _Call) -> Answer:
    headers = httpx.Headers(answer.headers)
    length = headers.get("content-length", "")
    if call.method != "HEAD" and length.isdecimal() and int(length) > call.limit:
        raise TooLarge
    encoding = "" if call.method == "HEAD" else headers.get("content-encoding", "")
    return Answer(answer.status, headers, read_body(answer.iter_stream(), encoding, call.limit), str(call.url))


@contextmanager
def _told(host: str) -> Generator[None]:
    """What the libraries say, in our words. Their texts may quote the peer, so they end here."""
    try:
        yield
    except TooLarge:
        raise OutboundError(Reason.ANSWER_TOO_LARGE, host) from None
    except (Unreadable, httpcore.RemoteProtocolError):
        raise OutboundError(Reason.ANSWER_INVALID, host) from None
    except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol):
        raise OutboundError(Reason.REQUEST_REFUSED, host) from None
    except httpcore.TimeoutException:
        raise OutboundError(Reason.TIMED_OUT, host) from None
    except httpcore.ProxyError:
        raise OutboundError(Reason.PROXY_FAILED, host) from None
    except httpcore.NetworkError as error:
        reason = Reason.TLS_FAILED if _is_of_tls(error) else Reason.CONNECTION_FAILED
        raise OutboundError(reason, host) from None


def _is_of_tls(error: BaseException) -> bool:
    cause = error.__cause__ or error.__context__
    return isinstance(cause, ssl.SSLError)
