"""A client that pushes, moves tags and deletes until the server dies, and knows what it was promised.

What was answered is a promise. The one request that was under way when the connection broke may have happened or not.
"""

import random
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tests.content import Manifest, an_image, digest_of
from tests.services import Registry

# All pushers are one principal, which may have a hundred uploads open.
MOST_OPEN = 20


class ServerDied(Exception):
    """The connection broke: everything after it is not the server's to answer for."""


@dataclass
class Promises:
    """What a repository must hold. ``doubtful`` tags and digests had a request under way at a kill."""

    tags: dict[str, Manifest] = field(default_factory=dict)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    uploads: dict[str, tuple[bytes, int]] = field(default_factory=dict)  # location: whole content, acknowledged bytes
    kept: int = 0


class Pusher:
    """One repository's only writer."""

    def __init__(self, repository: str, seed: int) -> None:
        self.repository = repository
        self.promises = Promises()
        self._random = random.Random(seed)
        self._images = 0
        self._seed = seed

    def work(self, registry: Registry, within: float) -> None:
        """Do this and that until the server dies. Raises ServerDied; TimeoutError when it lives on."""
        deadline = time.monotonic() + within
        with client_of(registry) as http:
            while time.monotonic() < deadline:
                self._random.choice((self._push, self._push, self._push, self._untag, self._delete, self._leave_open))(
                    http
                )
        raise TimeoutError("the server lives on")

    def _push(self, http: httpx.Client) -> None:
        self._images += 1
        image = an_image(f"{self._seed}/{self._images % 40}", layers=2, size=self._random.choice((64, 5000, 200_000)))
        for digest, content in image.blobs.items():
            self._push_blob(http, digest, content)
        tag = f"v{self._random.randrange(5)}"
        with self._doubting(tag, image.digest):
            answer = http.put(f"/v2/{self.repository}/manifests/{tag}", content=image.body)
        if answer.status_code == httpx.codes.CREATED:
            self._promise(tag, image)
            return
        # Its blobs waited too long for it: they were collected, and the push has to begin again.
        assert answer.status_code == httpx.codes.BAD_REQUEST, answer.text
        assert answer.json()["errors"][0]["code"] == "MANIFEST_BLOB_UNKNOWN", answer.text

    def _promise(self, tag: str, image: Manifest) -> None:
        self.promises.tags[tag] = image
        self.promises.manifests[image.digest] = image
        self.promises.kept += 1

    def _push_blob(self, http: httpx.Client, digest: str, content: bytes) -> None:
        if _asked(http, "HEAD", f"/v2/{self.repository}/blobs/{digest}").status_code == httpx.codes.OK:
            return
        location = _asked(http, "POST", f"/v2/{self.repository}/blobs/uploads/").headers["location"]
        half = len(content) // 2
        patched = _asked(http, "PATCH", location, content[:half])
        assert patched.status_code == httpx.codes.ACCEPTED, patched.text
        closed = _asked(http, "PUT", f"{location}?digest={digest}", content[half:])
        assert closed.status_code == httpx.codes.CREATED, closed.text

    def _leave_open(self, http: httpx.Client) -> None:
        """An upload for later: its acknowledged half must still be there."""
        if len(self.promises.uploads) >= MOST_OPEN:
            return
        content = self._random.randbytes(60_000)
        location = _asked(http, "POST", f"/v2/{self.repository}/blobs/uploads/").headers["location"]
        patched = _asked(http, "PATCH", location, content[:30_000])
        assert patched.headers["range"] == "0-29999", patched.text
        self.promises.uploads[location] = (content, 30_000)

    def _untag(self, http: httpx.Client) -> None:
        for tag in list(self.promises.tags)[:1]:
            with self._doubting(tag):
                answer = _asked(http, "DELETE", f"/v2/{self.repository}/manifests/{tag}")
            assert answer.status_code == httpx.codes.ACCEPTED, answer.text
            del self.promises.tags[tag]

    def _delete(self, http: httpx.Client) -> None:
        for digest in list(self.promises.manifests)[:1]:
            tags = [tag for tag, image in self.promises.tags.items() if image.digest == digest]
            with self._doubting(digest, *tags):
                answer = _asked(http, "DELETE", f"/v2/{self.repository}/manifests/{digest}")
            assert answer.status_code == httpx.codes.ACCEPTED, answer.text
            del self.promises.manifests[digest]
            for tag in tags:
                del self.promises.tags[tag]

    def _doubting(self, *names: str) -> "_Doubt":
        return _Doubt(self.promises, names)

    def verify(self, registry: Registry) -> None:
        """Every promise is kept: each image whole, each tag where it was, each open upload resumable."""
        with client_of(registry) as http:
            for name in self.promises.doubtful:
                self._settle(http, name)
            self.promises.doubtful.clear()
            for tag, image in self.promises.tags.items():
                self._verify_manifest(http, tag, image)
            for digest, image in self.promises.manifests.items():
                self._verify_manifest(http, digest, image)
                for blob, content in image.blobs.items():
                    pulled = http.get(f"/v2/{self.repository}/blobs/{blob}")
                    assert pulled.status_code == httpx.codes.OK, (blob, pulled.text)
                    assert pulled.content == content, blob
            for location, (content, sent) in self.promises.uploads.items():
                self._finish(http, location, content, sent)
            self.promises.uploads.clear()

    def _settle(self, http: httpx.Client, name: str) -> None:
        """What was under way at the kill may have happened: take what is there for true, if it is whole."""
        found = http.get(f"/v2/{self.repository}/manifests/{name}")
        known = {image.digest: image for image in self._every_image()}
        if found.status_code == httpx.codes.OK:
            image = known[found.headers["docker-content-digest"]]
            self.promises.manifests[image.digest] = image
            if ":" not in name:
                self.promises.tags[name] = image
        else:
            assert found.status_code == httpx.codes.NOT_FOUND, found.text
            self.promises.tags.pop(name, None)
            gone = self.promises.manifests.pop(name, None)
            if gone is not None:
                self.promises.tags = {tag: image for tag, image in self.promises.tags.items() if image != gone}

    def _every_image(self) -> Iterator[Manifest]:
        for number in range(40):
            for size in (64, 5000, 200_000):
                yield an_image(f"{self._seed}/{number}", layers=2, size=size)

    def _verify_manifest(self, http: httpx.Client, reference: str, image: Manifest) -> None:
        found = http.get(f"/v2/{self.repository}/manifests/{reference}")
        assert found.status_code == httpx.codes.OK, (reference, found.text)
        assert found.content == image.body, reference

    def _finish(self, http: httpx.Client, location: str, content: bytes, sent: int) -> None:
        status = http.get(location)
        assert status.status_code == httpx.codes.NO_CONTENT, status.text
        offset = int(status.headers["range"].removeprefix("0-")) + 1
        assert offset >= sent, "an acknowledged chunk is gone"
        digest = digest_of(content)
        closed = http.put(f"{location}?digest={digest}", content=content[offset:])
        assert closed.status_code == httpx.codes.CREATED, closed.text


class _Doubt:
    """While a request is under way, these names are in doubt; an answer ends it."""

    def __init__(self, promises: Promises, names: tuple[str, ...]) -> None:
        self._promises = promises
        self._names = names

    def __enter__(self) -> None:
        self._promises.doubtful.update(self._names)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if kind is None:
            self._promises.doubtful.difference_update(self._names)
        if isinstance(error, httpx.TransportError):
            raise ServerDied from error


def _asked(http: httpx.Client, method: str, url: str, content: bytes = b"") -> httpx.Response:
    try:
        return http.request(method, url, content=content)
    except httpx.TransportError as error:
        raise ServerDied from error


def client_of(registry: Registry) -> httpx.Client:
    return httpx.Client(
        base_url=registry.endpoint,
        auth=(registry.user, registry.password),
        verify=trust(registry.ca),
        timeout=30,
    )


def trust(ca: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)
