"""TCP connections to where calls may go, for what is no call of ours: whoever asked speaks over it as he likes."""

import socket
from typing import Final, TypeAlias

import httpcore

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.connection import Deadline, Resolve, Resolver, system_addresses
from entrepot.outbound.model import OutboundError, Reason

# With which whoever asked does as he likes.
Connected: TypeAlias = socket.socket

_SECONDS: Final = 20.0


class Streams:
    """One for a process, safe in many threads at once. ``close`` when the process ends."""

    def __init__(self, permitted: Permitted, resolve: Resolve = system_addresses) -> None:
        self._permitted = permitted
        self._resolver = Resolver(resolve)

    def open(self, host: str, port: int) -> Connected:
        """To one of the host's addresses, the first that answers. The name is resolved once. Raises OutboundError."""
        if self._permitted.refuses(host):
            raise OutboundError(Reason.ADDRESS_REFUSED, host)
        deadline = Deadline.within(_SECONDS)
        try:
            addresses = self._resolver.permitted_addresses(host, port, deadline, self._permitted)
            for tried, address in enumerate(addresses):
                try:
                    return _connected(address, port, deadline.left() / (len(addresses) - tried))
                except OSError:
                    continue
        except httpcore.TimeoutException:
            raise OutboundError(Reason.TIMED_OUT, host) from None
        raise OutboundError(Reason.CONNECTION_FAILED, host)

    def close(self) -> None:
        self._resolver.close()


def _connected(address: str, port: int, seconds: float) -> socket.socket:
    """Without a limit of time, and ended by the system when the other side is gone. Raises OSError."""
    stream = socket.create_connection((address, port), seconds)
    stream.settimeout(None)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return stream
