"""Connections under a deadline to addresses that were checked: httpcore's network, guarded.

The name is resolved once, and what was checked is what is called: a name that answers differently the second time is
never asked a second time. ``Host`` and the name in TLS stay the name.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any, Final, Protocol

import httpcore

from entrepot.outbound.addresses import Permitted, literal_of
from entrepot.outbound.model import OutboundError, Reason

# A name's addresses as text, in the order in which they should be tried. Raises OSError.
Resolve = Callable[[str, int], Sequence[str]]

_PIECE: Final = 64 * 1024
_RESOLVERS: Final = 8
# How often a read looks whether it is still wanted.
_LOOK: Final = 1.0


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the whole call must be over, or is not wanted any more."""

    at: float
    canceled: Event | None = None

    @classmethod
    def within(cls, seconds: float, canceled: Event | None = None) -> "Deadline":
        return cls(time.monotonic() + seconds, canceled)

    def left(self) -> float:
        """Seconds, more than none. Raises httpcore.TimeoutException, and OutboundError when it is canceled."""
        if self.canceled is not None and self.canceled.is_set():
            raise OutboundError(Reason.CANCELED, "the call")
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


class Clock(Protocol):
    """What bounds a connection's every step."""

    def left(self) -> float: ...


@dataclass(slots=True)
class Running:
    """The deadline of whichever call a kept connection serves."""

    deadline: Deadline

    def left(self) -> float:
        return self.deadline.left()


def system_addresses(host: str, port: int) -> list[str]:
    """What the system's resolver says. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Resolver:
    """Names into addresses, under a deadline: the system's resolver knows none, so it works in a thread."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(_RESOLVERS, "outbound-names")

    def addresses(self, host: str, port: int, deadline: Clock) -> Sequence[str]:
        """Raises OutboundError, httpcore.TimeoutException."""
        literal = literal_of(host)
        if literal is not None:
            return [str(literal)]
        asked = self._threads.submit(self._resolve, host, port)
        try:
            found = asked.result(deadline.left())
        except TimeoutError:
            asked.cancel()
            raise httpcore.ConnectTimeout from None
        except (OSError, UnicodeError):
            raise OutboundError(Reason.NAME_UNKNOWN, host) from None
        if not found:
            raise OutboundError(Reason.NAME_UNKNOWN, host)
        return found

    def permitted_addresses(self, host: str, port: int, deadline: Clock, permitted: Permitted) -> Sequence[str]:
        """Those that may be called, all of them for a name that the operator listed. Raises as ``addresses``."""
        found = self.addresses(host, port, deadline)
        if permitted.lists(host):
            return found
        allowed = [text for text in found if (literal := literal_of(text)) is not None and permitted.allows(literal)]
        if not allowed:
            raise OutboundError(Reason.ADDRESS_REFUSED, host)
        return allowed

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedBackend(httpcore.NetworkBackend):
    """Opens TCP connections to the addresses that ``addresses`` gives for a host."""

    def __init__(self, addresses: Callable[[str, int], Sequence[str]], deadline: Clock) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  the deadline stands for it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._addresses(host, port)
        failed: Exception = httpcore.ConnectError()
        for tried, address in enumerate(addresses):
            share = self._deadline.left() / (len(addresses) - tried)
            try:
                stream = self._plain.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                return _TimedStream(stream, self._deadline)
        raise failed


class _TimedStream(httpcore.NetworkStream):
    """Every read and write has what is left of the call's time: a peer that drips never gets more."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Clock) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  the deadline stands for it
        while True:
            try:
                return self._stream.read(max_bytes, min(self._deadline.left(), _LOOK))
            except httpcore.ReadTimeout:
                self._deadline.left()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  the deadline stands for it
        for start in range(0, len(buffer), _PIECE):
            self._stream.write(buffer[start : start + _PIECE], self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  the deadline stands for it
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  httpcore's own signature
        return self._stream.get_extra_info(info)
