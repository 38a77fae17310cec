"""A blocking HTTP client for filling contenders, and for pushing blobs so large that only the bytes cost anything.

``http.client`` hands whole pieces of 1 MiB to OpenSSL; a nicer client would cost more than some of the servers it
measures.
"""

import http.client
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from bench.model import Wrong

TIMEOUT: Final = 120.0
NOBODY: Final[Mapping[str, str]] = {}

Body = bytes | Iterable[bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def expect(self, *statuses: int) -> Self:
        if self.status not in statuses:
            raise Wrong(f"answered {self.status} {self.body[:200].decode(errors='replace')}")
        return self


class Client:
    """One kept connection to one origin. The certificate is not checked: both ends are the bench's own."""

    def __init__(self, origin: str) -> None:
        self._origin = urlsplit(origin)
        self._connection = self._connect()

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, url: str, headers: Mapping[str, str] = NOBODY, body: Body = b"") -> Answer:
        response = self._begin(method, url, headers, body)
        read = response.read()
        if response.will_close:
            self._connection.close()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, read)

    def _begin(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> http.client.HTTPResponse:
        """Send the request, on a new connection when the server closed the kept one in the meantime."""
        path = path_of(url)
        try:
            self._connection.request(method, path, body=body, headers=dict(headers))
            return self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()
            if not isinstance(body, bytes):
                raise
            self._connection.request(method, path, body=body, headers=dict(headers))
            return self._connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._origin.hostname or "127.0.0.1", self._origin.port
        if self._origin.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=_unchecked())


def path_of(url: str) -> str:
    """Path and query: servers answer with whole URLs or with paths in ``Location``."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
