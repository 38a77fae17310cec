"""A registry elsewhere that answers what a test tells it, over TLS: also with other bytes, other ranges, no end.

A fake of the source alone, for what no real registry would do; real ones are docker-registry and a second Entrepot.

    with foreign_registry(ca) as hub:
        hub.hold("team/app", an_image(), "v1")
        ...  # hub.place is its host with the port
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.content import Manifest
from tests.outside import Asked, Authority, Server, answer, ok_json, serving

TOKEN = "a-token"
_PATH = re.compile(r"/v2/(?P<name>.+)/(?P<kind>manifests|blobs|referrers)/(?P<reference>[^/?]+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
Wrong = Callable[[Asked], Iterable[bytes] | None]


@dataclass
class ForeignRegistry:
    """What a test may change is what a test may set. ``wrong`` is asked first; None lets the right answer pass."""

    server: Server
    manifests: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    challenge: str | None = None
    basic: tuple[str, str] | None = None
    ranges: bool = True
    wrong: Wrong = lambda _asked: None

    @property
    def place(self) -> str:
        return self.server.place

    @property
    def asked(self) -> list[Asked]:
        return self.server.asked

    def hold(self, repository: str, manifest: Manifest, *tags: str) -> None:
        for reference in (manifest.digest, *tags):
            self.manifests[repository, reference] = manifest
        self.blobs.update(manifest.blobs)

    def bearer(self, realm: str | None = None) -> None:
        """Want a token, from here or from another realm."""
        self.challenge = f'Bearer realm="{realm or f"https://{self.place}/token"}",service="{self.place}"'

    def answer(self, asked: Asked) -> Iterable[bytes]:
        wrong = self.wrong(asked)
        if wrong is not None:
            return wrong
        if asked.target.startswith("/token"):
            return self._token(asked)
        if self.challenge is not None and not self._is_signed_in(asked):
            return answer(401, b"{}", {"www-authenticate": self.challenge})
        found = _PATH.fullmatch(asked.target)
        if found is not None and found["kind"] == "manifests":
            return self._manifest(self.manifests.get((found["name"], found["reference"])))
        return self.blob(asked, None if found is None else self.blobs.get(found["reference"]))

    def _is_signed_in(self, asked: Asked) -> bool:
        sent = asked.headers.get("authorization")
        return sent == f"Bearer {TOKEN}" if "Bearer" in str(self.challenge) else sent == self._basic()

    def _basic(self) -> str | None:
        return None if self.basic is None else "Basic " + base64.b64encode(":".join(self.basic).encode()).decode()

    def _token(self, asked: Asked) -> Iterable[bytes]:
        return ok_json({"token": TOKEN}) if asked.headers.get("authorization") == self._basic() else answer(401)

    def _manifest(self, found: Manifest | None) -> Iterable[bytes]:
        if found is None:
            return answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}')
        return answer(200, found.body, {"content-type": found.media_type, "docker-content-digest": found.digest})

    def blob(self, asked: Asked, content: bytes | None) -> Iterable[bytes]:
        if content is None:
            return answer(404)
        wanted = _RANGE.fullmatch(asked.headers.get("range", ""))
        if wanted is None or not self.ranges:
            return answer(200, content)
        start, stop = int(wanted[1]), min(int(wanted[2]) + 1 if wanted[2] else len(content), len(content))
        return answer(206, content[start:stop], {"content-range": f"bytes {start}-{stop - 1}/{len(content)}"})


@contextmanager
def foreign_registry(ca: Authority, address: str = "127.0.0.1") -> Iterator[ForeignRegistry]:
    made: list[ForeignRegistry] = []

    def answering(asked: Asked) -> Iterable[bytes]:
        return made[0].answer(asked)

    with serving(answering, ca.server, address) as server:
        made.append(ForeignRegistry(server))
        yield made[0]
