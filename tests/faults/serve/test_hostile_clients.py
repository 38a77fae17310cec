"""Clients that mean no good, or do not know better, at the edge of HTTP and TLS."""

import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.faults.serve.seen import connection_to, port_of, trusting_anyone
from tests.services import Registry, entrepot

CUT_WITHIN = 45.0  # the server cuts them after 30 s, a handshake after 10


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """None of these clients may harm it, so one server is enough."""
    with entrepot(tmp_path_factory.mktemp("hostile") / "data", "--workers", "1") as registry:
        yield registry


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    ("version", "accepted"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
    ids=["1.1", "1.2", "1.3"],
)
def test_tls_begins_at_1_2(shared: Registry, version: ssl.TLSVersion, accepted: bool) -> None:
    context = trusting_anyone()
    context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL itself would refuse 1.1 before it asks
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    with socket.create_connection(("127.0.0.1", port_of(shared))) as plain:
        if accepted:
            with context.wrap_socket(plain) as secure:
                assert secure.version() == f"TLSv{version.name[-3:].replace('_', '.')}"
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(plain)


@pytest.mark.parametrize(
    "headers",
    [{"X-Huge": "a" * 300_000}, {f"X-{number}": "a" for number in range(200)}],
    ids=["one-huge", "too-many"],
)
def test_a_head_that_is_too_large_is_refused(shared: Registry, headers: dict[str, str]) -> None:
    connection = connection_to(shared)
    try:
        connection.request("GET", "/livez", headers=headers)
        status = connection.getresponse().status
    except (ConnectionError, ssl.SSLEOFError):
        return  # cut while it was still sending, so that it never saw the answer
    assert status == http.client.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_a_long_token_is_no_huge_header(shared: Registry) -> None:
    connection = connection_to(shared)
    connection.request("GET", "/livez", headers={"Authorization": "Bearer " + "a" * 30_000})
    assert connection.getresponse().status == 200


def plain(registry: Registry) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(registry)), timeout=CUT_WITHIN)


def says_nothing(registry: Registry) -> float:
    with plain(registry) as connection:
        return _cut_after(connection)


def says_half_a_head(registry: Registry) -> float:
    with plain(registry) as connection, trusting_anyone().wrap_socket(connection) as secure:
        secure.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
        return _cut_after(secure)


def says_a_head_for_ever(registry: Registry) -> float:
    with plain(registry) as connection, trusting_anyone().wrap_socket(connection) as secure:
        secure.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
        begun = time.monotonic()
        secure.settimeout(1)
        while time.monotonic() - begun < CUT_WITHIN:
            try:
                secure.sendall(b"X-More: 1\r\n")
                if not secure.recv(100):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        return time.monotonic() - begun


def keeps_a_connection_it_no_longer_uses(registry: Registry) -> float:
    with plain(registry) as connection, trusting_anyone().wrap_socket(connection) as secure:
        secure.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        secure.recv(10_000)
        return _cut_after(secure)


def _cut_after(connection: socket.socket) -> float:
    begun = time.monotonic()
    while connection.recv(1000):
        pass
    return time.monotonic() - begun


SLOW: tuple[Callable[[Registry], float], ...] = (
    says_nothing,
    says_half_a_head,
    says_a_head_for_ever,
    keeps_a_connection_it_no_longer_uses,
)


def test_slow_clients_are_cut(shared: Registry) -> None:
    with ThreadPoolExecutor(len(SLOW)) as clients:
        lasted = list(clients.map(lambda slow: slow(shared), SLOW))
    assert max(lasted) < CUT_WITHIN, lasted


@pytest.mark.parametrize("name", ["localhost", "entrepot.localhost", "local.entrepot.localhost"])
def test_openssl_accepts_the_certificate_for_every_name(shared: Registry, name: str) -> None:
    strictly = ["-verify_hostname", name, "-verify_return_error", "-x509_strict", "-CAfile", str(shared.ca)]
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port_of(shared)}", "-servername", name, *strictly],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Verification: OK" in done.stdout, done.stdout + done.stderr


def test_who_sends_more_than_is_read_is_told_that_the_connection_ends(shared: Registry) -> None:
    """Otherwise its next request goes into a connection that the server is about to close.

    It sends the beginning alone: whoever is cut while sending may never see the answer.
    """
    connection = connection_to(shared)
    for declared, told in ((3_000_000, "close"), (0, None)):
        connection.request(
            "POST", "/v2/app/blobs/uploads/", body=bytes(min(declared, 1000)), headers={"Content-Length": str(declared)}
        )
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Connection"]) == (401, told)


def test_over_http2_such_a_connection_goes_on(shared: Registry) -> None:
    url = f"{shared.endpoint}/v2/app/blobs/uploads/"
    told = "%{http_version} %{response_code} %{num_connects} %header{connection}\n"
    post = ["--data-binary", f"@{shared.ca}", "--output", "/dev/null", "--write-out", told, url]
    ask = ["curl", "--silent", "--http2", "--cacert", str(shared.ca), *post, "--next", "--http2", "--silent", *post]
    done = subprocess.run([*ask, "--cacert", str(shared.ca)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2 401 1 ", "2 401 0 "]
