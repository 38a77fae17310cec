"""The audit log to a syslog server: messages of RFC 5424, over UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425).

The standard library's handler writes the older RFC 3164 form and knows no TLS.
"""

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from entrepot.auditing.export import Row, line_of

_SECONDS: Final = 5.0
_FACILITY: Final = 13  # log audit
_NOTICE: Final = 5
_WARNING: Final = 4


class Transport(StrEnum):
    """How messages travel."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


_PORTS: Final = {Transport.UDP: 514, Transport.TCP: 601, Transport.TLS: 6514}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    transport: Transport
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Of ``udp://HOST:PORT``, ``tcp://`` or ``tls://``; the port may be left out."""
        parts = urlsplit(url)
        transport = Transport(parts.scheme)
        return cls(transport, parts.hostname or "", parts.port or _PORTS[transport])


@dataclass(slots=True)
class Syslog:
    """``ca_file`` is trusted in place of the system's, if it is given."""

    address: Address
    ca_file: Path | None = None
    host_name: str = field(default_factory=socket.gethostname)
    _connection: socket.socket | None = None

    def deliver(self, entries: Sequence[Row]) -> None:
        """UDP loses messages without a word, and TCP may lose the last ones before a connection breaks."""
        messages = [message_of(entry, self.host_name) for entry in entries]
        if self._connection is not None and self._is_left(self._connection):
            self.close()
        if self._connection is None:
            self._connection = self._connect()
        if self.address.transport is Transport.UDP:
            for message in messages:
                self._connection.send(message)
        else:
            self._connection.sendall(b"".join(b"%d %b" % (len(message), message) for message in messages))

    def _is_left(self, connection: socket.socket) -> bool:
        """Whether the server has hung up: what is sent then would be lost without an error."""
        if self.address.transport is Transport.UDP:
            return False
        connection.setblocking(False)  # noqa: FBT003  the socket's own name for it
        try:
            return not connection.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            connection.settimeout(_SECONDS)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> socket.socket:
        where = (self.address.host, self.address.port)
        if self.address.transport is Transport.UDP:
            (family, kind, protocol, _, target), *_ = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)
            connection = socket.socket(family, kind, protocol)
            connection.connect(target)
            return connection
        plain = socket.create_connection(where, _SECONDS)
        if self.address.transport is Transport.TCP:
            return plain
        context = ssl.create_default_context(cafile=self.ca_file)
        try:
            return context.wrap_socket(plain, server_hostname=self.address.host)
        except OSError:
            plain.close()
            raise


def message_of(entry: Row, host_name: str) -> bytes:
    """Spec: RFC 5424 section 6. The message is the entry as JSON, with the byte order mark that says UTF-8."""
    severity = _NOTICE if entry["result"] == "success" else _WARNING
    at: datetime = entry["at"]
    when = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    name = _printable(host_name, 255)
    kind = _printable(entry["action"], 32)
    head = f"<{_FACILITY * 8 + severity}>1 {when} {name} entrepot - {kind} - "
    return head.encode("ascii") + b"\xef\xbb\xbf" + line_of(entry)


def _printable(text: str, length: int) -> str:
    kept = "".join(character for character in text if "!" <= character <= "~")
    return kept[:length] or "-"
