"""A server without TLS, so that its answers are seen on the wire as they are, and what a client does to it.

No fixtures here. ``Repository`` answers whatever the server did: these tests are about its refusals.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx
from tests.content import Manifest, digest_of
from tests.services import Registry, log_of, reserved_port, running, wait_until

OWNER = "the-owner"
OWNER_SECRET = "the-owner's-secret"
_OWNED = {"ENTREPOT_BOOTSTRAP_CLIENT_ID": OWNER, "ENTREPOT_BOOTSTRAP_CLIENT_SECRET": OWNER_SECRET}
_ENTREPOT = (sys.executable, "-m", "entrepot")


@contextmanager
def plain_server(
    data_dir: Path,
    *flags: str,
    program: Sequence[str | Path] = _ENTREPOT,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Registry]:
    """``entrepot serve --no-tls``, ready. ``program`` stands in for the command where a test makes it another."""
    with reserved_port() as port, log_of(data_dir).open("ab") as log:
        command = [*program, "serve", "--no-tls", "--data-dir", data_dir, "--port", str(port), *flags]
        with running(command, log, {**_OWNED, **(environment or {})}) as process:
            endpoint = f"http://127.0.0.1:{port}"
            registry = Registry(f"localhost:{port}", endpoint, OWNER, OWNER_SECRET, Path(), data_dir, process)
            wait_until(lambda: process.poll() is not None or is_ready(registry), "the server is ready")
            assert process.poll() is None, registry.said
            yield registry


def is_ready(registry: Registry) -> bool:
    try:
        return httpx.get(f"{registry.endpoint}/readyz").status_code == HTTPStatus.OK
    except httpx.TransportError:  # not listening yet
        return False


@contextmanager
def repository_of(registry: Registry, name: str = "app") -> Iterator["Repository"]:
    with httpx.Client(base_url=registry.endpoint, auth=(OWNER, OWNER_SECRET), timeout=60) as http:
        yield Repository(http, name)


@dataclass(frozen=True)
class Repository:
    """A repository as its owner's client sees it."""

    http: httpx.Client
    name: str

    def path(self, rest: str) -> str:
        return f"/v2/{self.name}/{rest}"

    def start(self) -> httpx.Response:
        return self.http.post(self.path("blobs/uploads/"))

    def push_blob(self, content: bytes) -> httpx.Response:
        """POST, PATCH, PUT, as docker does; the answer that ended it."""
        started = self.start()
        if started.status_code != HTTPStatus.ACCEPTED:
            return started
        location = started.headers["location"]
        patched = self.http.patch(location, content=content)
        if patched.status_code != HTTPStatus.ACCEPTED:
            return patched
        return self.close(location, content)

    def close(self, location: str, content: bytes, rest: bytes = b"") -> httpx.Response:
        """The closing PUT of a session, ``rest`` being what it still lacks of the content."""
        return self.http.put(f"{location}?digest={digest_of(content)}", content=rest)

    def push_blob_at_once(self, content: bytes) -> httpx.Response:
        return self.http.post(self.path(f"blobs/uploads/?digest={digest_of(content)}"), content=content)

    def put(self, manifest: Manifest, reference: str) -> httpx.Response:
        headers = {"content-type": manifest.media_type}
        return self.http.put(self.path(f"manifests/{reference}"), content=manifest.body, headers=headers)

    def push(self, manifest: Manifest, reference: str) -> httpx.Response:
        """Its blobs, then the manifest; the first answer that is a refusal, or the last one."""
        for content in manifest.blobs.values():
            answer = self.push_blob(content)
            if answer.status_code != HTTPStatus.CREATED:
                return answer
        return self.put(manifest, reference)

    def has(self, rest: str) -> bool:
        """What HEAD says of ``blobs/DIGEST`` or ``manifests/REFERENCE``."""
        answer = self.http.head(self.path(rest))
        assert answer.status_code in {200, 404}, answer
        return answer.status_code == HTTPStatus.OK

    def pull(self, reference: str) -> Manifest:
        """The manifest with its blobs, every byte checked against its digest."""
        found = self.http.get(self.path(f"manifests/{reference}"))
        assert found.status_code == HTTPStatus.OK, found.text
        image = Manifest(found.content, found.headers["content-type"])
        assert found.headers["docker-content-digest"] == image.digest
        document = image.document
        digests = [entry["digest"] for entry in (document["config"], *document["layers"])]
        return Manifest(image.body, image.media_type, {digest: self._pull_blob(digest) for digest in digests})

    def _pull_blob(self, digest: str) -> bytes:
        found = self.http.get(self.path(f"blobs/{digest}"))
        assert found.status_code == HTTPStatus.OK, found.text
        assert digest_of(found.content) == digest
        return found.content


def told(answer: httpx.Response) -> tuple[int, str]:
    """Status and error code: the body is the specification's, or the test fails."""
    (error,) = answer.json()["errors"]
    assert error["message"]
    return answer.status_code, error["code"]
