"""Object store servers for the tests: SeaweedFS speaks S3, Azurite speaks Azure Blob. Both are found on PATH."""

import base64
import hashlib
import hmac
import json
import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

START_LIMIT = 60.0

BUCKET = "entrepot"
S3_KEYS = {"AWS_ACCESS_KEY_ID": "entrepot", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
# Azurite's own account and key, documented and the same in every installation.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
AZURE_KEYS = {"AZURE_STORAGE_ACCOUNT_KEY": ACCOUNT_KEY}


@dataclass(frozen=True)
class Server:
    """A running server with an empty bucket: how its blob URL ends, and the environment that lets one in."""

    scheme: str
    query: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    admin: str = ""

    def url(self, prefix: str) -> str:
        """The blob URL of a part of the bucket."""
        return f"{self.scheme}://{BUCKET}/{prefix}?{self.query}"


@contextmanager
def seaweedfs(folder: Path) -> Generator[Server]:
    """An S3 server with one identity. ``admin`` is its filer, which lists what S3 hides."""
    ip = _own_address()
    with free_ports(8, ip) as (s3, s3_grpc, filer, filer_grpc, volume, volume_grpc, master, master_grpc):
        pass
    identity = {
        "name": "test",
        "credentials": [{"accessKey": S3_KEYS["AWS_ACCESS_KEY_ID"], "secretKey": S3_KEYS["AWS_SECRET_ACCESS_KEY"]}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    arguments = [
        "server", f"-ip={ip}", f"-ip.bind={ip}", f"-dir={folder}", "-filer", "-s3", "-iam=false",
        f"-s3.config={config}", "-s3.iam=false",
        f"-s3.port={s3}", f"-s3.port.grpc={s3_grpc}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock",
        f"-filer.port={filer}", f"-filer.port.grpc={filer_grpc}",
        f"-volume.port={volume}", f"-volume.port.grpc={volume_grpc}", "-volume.max=20",
        "-volume.preStopSeconds=0", "-volume.minFreeSpace=0",
        f"-master.port={master}", f"-master.port.grpc={master_grpc}", "-master.volumeSizeLimitMB=256",
        "-master.telemetry=false",
    ]  # fmt: skip
    with _running("weed", arguments, folder) as process:
        _wait(process, folder, lambda: _answers(f"http://{ip}:{s3}/healthz"))
        query = f"region=us-east-1&endpoint=http://{ip}:{s3}"
        admin = f"http://{ip}:{filer}"
        with urllib.request.urlopen(urllib.request.Request(f"{admin}/buckets/{BUCKET}/", method="POST")):
            yield Server("s3", query, S3_KEYS, process, admin)


@contextmanager
def azurite(folder: Path) -> Generator[Server]:
    """An Azure Blob server with one container."""
    ip = _own_address()
    with free_ports(1, ip) as (port,):
        pass
    endpoint = f"http://{ip}:{port}/{ACCOUNT}"
    arguments = ["--blobHost", ip, "--blobPort", str(port), "--location", str(folder), "--silent"]
    arguments += ["--disableProductStyleUrl", "--skipApiVersionCheck", "--disableTelemetry"]
    with _running("azurite-blob", arguments, folder) as process:
        _wait(process, folder, lambda: _answers(endpoint))
        _create_container(endpoint)
        yield Server("az", f"account={ACCOUNT}&endpoint={endpoint}", AZURE_KEYS, process)


def _own_address() -> str:
    """A loopback address of one's own: on 127.0.0.1 the kernel gives a free port away before the server binds it."""
    return "127." + ".".join(str(random.randint(1, 254)) for _ in range(3))


@contextmanager
def free_ports(count: int, address: str = "127.0.0.1") -> Generator[list[int]]:
    """Ports that the kernel says are free, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((address, 0))) for _ in range(count)]
        yield [listening.getsockname()[1] for listening in sockets]


@contextmanager
def _running(program: str, arguments: Sequence[str], folder: Path) -> Generator[subprocess.Popen[bytes]]:
    found = shutil.which(program)
    assert found is not None, f"{program} is not on PATH; scripts/test installs it"
    with (
        Path(folder, "server.log").open("wb") as log,
        subprocess.Popen([found, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder) as process,
    ):
        try:
            yield process
        finally:
            process.kill()  # a polite end takes SeaweedFS ten seconds, and nobody will miss the bytes


def _wait(process: subprocess.Popen[bytes], folder: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_LIMIT
    while not ready():
        log = Path(folder, "server.log").read_text(errors="replace")[-2000:]
        assert process.poll() is None, f"the server ended by itself: {log}"
        assert time.monotonic() < deadline, f"the server did not start in {START_LIMIT} s: {log}"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _create_container(endpoint: str) -> None:
    """Signed as "Authorize with Shared Key" of the Azure Storage documentation says; obstore cannot make containers."""
    date = formatdate(usegmt=True)
    resource = f"/{ACCOUNT}/{ACCOUNT}/{BUCKET}\nrestype:container"
    text = f"PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:2021-12-02\n{resource}"
    signature = hmac.digest(base64.b64decode(ACCOUNT_KEY), text.encode(), hashlib.sha256)
    headers = {
        "x-ms-date": date,
        "x-ms-version": "2021-12-02",
        "Content-Length": "0",
        "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}",
    }
    request = urllib.request.Request(f"{endpoint}/{BUCKET}?restype=container", method="PUT", headers=headers)
    with urllib.request.urlopen(request, timeout=START_LIMIT) as answer:
        assert answer.status == 201
