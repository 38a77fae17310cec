"""Speaking to a registry as docker does: the token challenge, and pushes by POST, PATCH, PUT.

Source: OCI distribution-spec, "Push"; Docker registry token authentication.
"""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

from bench.images import MANIFEST, Image, Stream, digest_of
from bench.model import Running, Shelf, Tokens, Wrong
from bench.wire import Answer, Client

CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
ACCEPT: Final = {"Accept": MANIFEST}


def pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def pull_and_push(repository: str) -> str:
    return f"repository:{repository}:pull,push"


def bearer(tokens: Tokens, *scopes: str) -> dict[str, str]:
    """The headers that carry a fresh token; none for a contender that asks for none."""
    token = tokens(*scopes)
    return {} if token is None else {"Authorization": token}


@dataclass(frozen=True, slots=True)
class ChallengedTokens:
    """Asks the server itself how it wants to be asked, with Basic credentials where there are any."""

    url: str
    basic: str | None

    def __call__(self, *scopes: str) -> str | None:
        client = Client(self.url)
        answer = client.ask("GET", "/v2/").expect(200, 401)
        client.close()
        challenge = answer.headers.get("www-authenticate", "")
        if challenge.lower().startswith("bearer "):
            return f"Bearer {self._fetch(dict(CHALLENGE.findall(challenge)), scopes)}"
        return self.basic if answer.status == 401 else None

    def _fetch(self, challenge: dict[str, str], scopes: tuple[str, ...]) -> str:
        asked = [("service", challenge.get("service", "")), *(("scope", scope) for scope in scopes)]
        realm = urlsplit(challenge["realm"])
        client = Client(f"{realm.scheme}://{realm.netloc}")
        headers = {} if self.basic is None else {"Authorization": self.basic}
        answer = client.ask("GET", f"{realm.path}?{urlencode(asked)}", headers).expect(200)
        client.close()
        granted = json.loads(answer.body)
        return str(granted.get("access_token") or granted["token"])


def basic(user: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


class OverHttp:
    """Puts content into a registry through its own interface."""

    def __init__(self, url: str, tokens: Tokens) -> None:
        self._url, self._tokens = url, tokens

    def put_blob(self, repository: str, digest: str, content: bytes) -> None:
        client, headers = Client(self._url), bearer(self._tokens, pull_and_push(repository))
        upload = start_upload(client, repository, headers)
        client.ask("PUT", with_digest(upload, digest), headers, content).expect(201)
        client.close()

    def put_manifest(self, repository: str, reference: str, content: bytes) -> None:
        client, headers = Client(self._url), bearer(self._tokens, pull_and_push(repository))
        path = f"/v2/{repository}/manifests/{reference}"
        client.ask("PUT", path, headers | {"Content-Type": MANIFEST}, content).expect(201)
        client.close()


class StaticFiles:
    """Puts the same bytes under the same paths into a web server's folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_blob(self, repository: str, digest: str, content: bytes) -> None:
        self._write(f"v2/{repository}/blobs/{digest}", content)

    def put_manifest(self, repository: str, reference: str, content: bytes) -> None:
        self._write(f"v2/{repository}/manifests/{reference}", content)

    def _write(self, path: str, content: bytes) -> None:
        file = self._root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def put_image(shelf: Shelf, repository: str, tag: str, image: Image) -> None:
    """By tag and by digest: a static server knows no tags."""
    for blob in image.blobs:
        shelf.put_blob(repository, digest_of(blob), blob)
    for reference in (tag, digest_of(image.manifest)):
        shelf.put_manifest(repository, reference, image.manifest)


def push_stream(client: Client, repository: str, headers: dict[str, str], blob: Stream) -> None:
    """One PATCH with the whole blob, one closing PUT, as docker pushes a layer."""
    upload = start_upload(client, repository, headers)
    kind = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
    patched = client.ask("PATCH", upload, headers | kind, blob).expect(202)
    client.ask("PUT", with_digest(_location(patched), blob.digest), headers).expect(201)


def start_upload(client: Client, repository: str, headers: dict[str, str]) -> str:
    return _location(client.ask("POST", f"/v2/{repository}/blobs/uploads/", headers).expect(202))


def with_digest(location: str, digest: str) -> str:
    return f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': digest})}"


def check_content(running: Running, path: str, scope: str, expected: bytes) -> None:
    """A figure counts only when the bytes are right."""
    client = Client(running.url)
    answer = client.ask("GET", path, bearer(running.tokens, scope) | ACCEPT).expect(200)
    client.close()
    if answer.body != expected:
        raise Wrong(f"GET {path} answered {len(answer.body)} other bytes")


def check_image(running: Running, repository: str) -> None:
    """What was pushed last is there whole: every blob of one tagged image has the bytes that its digest says."""
    client, headers = Client(running.url), bearer(running.tokens, pull(repository)) | ACCEPT
    listed = json.loads(client.ask("GET", f"/v2/{repository}/tags/list?n=1", headers).expect(200).body)
    manifest = client.ask("GET", f"/v2/{repository}/manifests/{listed['tags'][0]}", headers).expect(200)
    told = json.loads(manifest.body)
    for part in (told["config"], *told["layers"]):
        blob = client.ask("GET", f"/v2/{repository}/blobs/{part['digest']}", headers).expect(200)
        if digest_of(blob.body) != part["digest"]:
            raise Wrong(f"{part['digest']} came with {len(blob.body)} other bytes")
    client.close()


def _location(answer: Answer) -> str:
    if "location" not in answer.headers:
        raise Wrong("an upload answered without Location")
    return answer.headers["location"]
