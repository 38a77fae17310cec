"""What is seen of a server from outside: its processes, connections, certificates. No fixtures here."""

import http.client
import os
import signal
import socket
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.services import Registry, serve_command, wait_until


@dataclass(frozen=True)
class Processes:
    """The processes of a server, by what they do."""

    web: tuple[int, ...]
    keeper: tuple[int, ...]
    jobs: tuple[int, ...]

    @property
    def every(self) -> tuple[int, ...]:
        return (*self.web, *self.keeper, *self.jobs)


def processes_of(registry: Registry) -> Processes:
    found: dict[str, list[int]] = {"entrepot-web": [], "entrepot-keeper": [], "entrepot-jobs": []}
    for process in _below(registry.process.pid):
        found.setdefault(_name(process), []).append(process)
    return Processes(*(tuple(found[name]) for name in ("entrepot-web", "entrepot-keeper", "entrepot-jobs")))


def settled(registry: Registry) -> Processes:
    """The same once the job worker works: until then it ends when the catalog goes away, and is started again."""
    wait_until(lambda: "worker_started" in registry.said, "the job worker has started")
    return processes_of(registry)


def _below(process: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [found for child in children for found in (child, *_below(child))]


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


def lives(process: int) -> bool:
    """A zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def port_of(registry: Registry) -> int:
    port = urlsplit(registry.endpoint).port
    assert port is not None
    return port


def is_refused(registry: Registry) -> bool:
    """Whether nothing accepts connections any more."""
    try:
        socket.create_connection(("127.0.0.1", port_of(registry)), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def trusting_anyone() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def connection_to(registry: Registry) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection("127.0.0.1", port_of(registry), timeout=45, context=trusting_anyone())


def status_of(registry: Registry, path: str = "/livez") -> int:
    connection = connection_to(registry)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def served_certificate(registry: Registry) -> bytes:
    address = ("127.0.0.1", port_of(registry))
    with socket.create_connection(address) as plain, trusting_anyone().wrap_socket(plain) as secure:
        return secure.getpeercert(binary_form=True) or b""


class HalfAnUpload:
    """A request in flight: a chunk of a blob of which the server has received the head and half of the body."""

    def __init__(self, registry: Registry) -> None:
        self._connection = connection_to(registry)
        credentials = b64encode(f"{registry.user}:{registry.password}".encode()).decode()
        authorization = {"Authorization": f"Basic {credentials}"}
        self._connection.request("POST", "/v2/in-flight/blobs/uploads/", headers=authorization)
        begun = self._connection.getresponse()
        begun.read()
        assert begun.status == 202
        self._connection.putrequest("PATCH", begun.headers["Location"])
        for name, value in authorization.items():
            self._connection.putheader(name, value)
        self._connection.putheader("Content-Length", "8")
        self._connection.putheader("Expect", "100-continue")
        self._connection.endheaders()
        told = self._connection.sock.recv(100)
        assert told == b"HTTP/1.1 100 Continue\r\n\r\n", "the application reads the body"
        self._connection.send(b"half")

    def finish(self) -> int:
        """Send the other half; the status of the answer."""
        self._connection.send(b"half")
        return self._connection.getresponse().status


@dataclass(frozen=True)
class Refused:
    """A server that did not start."""

    exit_code: int
    said: str


def refusal_of(data_dir: Path, port: int, *flags: str, prefix: Sequence[str] = ()) -> Refused:
    """Starts a server that has to end by itself."""
    done = subprocess.run(
        [*prefix, *serve_command(data_dir, port, *flags)], capture_output=True, text=True, timeout=60, check=False
    )
    return Refused(done.returncode, done.stderr)


@contextmanager
def service_manager(folder: Path) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """What systemd would be: a socket's address, and what was told there so far."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(folder / "notify"))
        notified.setblocking(False)
        heard: list[str] = []

        def told() -> list[str]:
            try:
                while True:
                    heard.append(notified.recv(100).decode())
            except BlockingIOError:
                return heard

        yield str(folder / "notify"), told


def interrupt_like_a_terminal(registry: Registry) -> None:
    os.killpg(registry.process.pid, signal.SIGINT)


def wait_for_end(registry: Registry, within: float = 20) -> int:
    wait_until(lambda: registry.process.poll() is not None, "the server has ended", within)
    return registry.process.wait()
