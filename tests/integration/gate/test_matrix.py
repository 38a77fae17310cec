"""Each route of each surface under each credential (MARKET 5b, 4). A route without a line here fails."""

import json
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import pytest
from tests.content import OCI_MANIFEST, an_image, digest_of
from tests.integration.gate.credentials import CREDENTIALS, Credential, Presented, Start
from tests.registry import FakeClock, Registry
from tests.wire import Answer, Client

from entrepot.app.application import Application
from entrepot.gate.data_plane import DataPlane
from entrepot.metadata.helm import ROUTES as HELM
from entrepot.web.routing import Route

IMAGE: Final = an_image()
LAYER: Final = next(iter(IMAGE.blobs))
SPARE: Final = b"a blob that no manifest names"
UPLOADED: Final = b"what the upload holds"
ABSENT: Final = digest_of(b"absent")
NO_UPLOAD: Final = "0" * 32


@dataclass(frozen=True)
class Line:
    """What a route asks for, in words; what is there and what is not; how the two are answered to who may."""

    needs: str
    there: str
    absent: str
    found: int
    not_found: int
    body: bytes | None = None

    def is_open_to(self, credential: Credential) -> bool:
        return credential.may.issuperset(self.needs.split())

    def headers(self) -> dict[str, str]:
        return {"content-type": OCI_MANIFEST} if self.body == IMAGE.body else {}


_MANIFEST: Final = "/v2/{repository}/manifests/{reference}"
_BLOB: Final = "/v2/{repository}/blobs/{digest}"
_UPLOAD: Final = "/v2/{repository}/blobs/uploads/{upload}"
_DELETED: Final = "/acr/v1/_deleted/{repository}"
_REPOSITORY: Final = "/acr/v1/{repository}"
_TAGS: Final = "/acr/v1/{repository}/_tags"
_TAG: Final = "/acr/v1/{repository}/_tags/{tag}"
_MANIFESTS: Final = "/acr/v1/{repository}/_manifests"
_ONE_MANIFEST: Final = "/acr/v1/{repository}/_manifests/{digest}"
_HISTORY: Final = "/acr/v1/{repository}/_tags/{tag}/_history"
_ROLLBACK: Final = "/acr/v1/{repository}/_tags/{tag}/_rollback"
_ONE_TAG: Final = "/acr/v1/app/_tags/v1"
ROLLED_BACK: Final = json.dumps({"digest": IMAGE.digest}).encode()
UNLOCKED: Final = b'{"writeEnabled":true}'
_CLOSE: Final = f"?digest={digest_of(UPLOADED)}"

LINES: Final[dict[tuple[str, str], Line]] = {
    ("GET", "/v2/"): Line("ping", "/v2/", "/v2/", 200, 200),
    ("GET", "/v2"): Line("ping", "/v2", "/v2", 200, 200),
    ("GET", _MANIFEST): Line("pull", "/v2/app/manifests/v1", "/v2/app/manifests/absent", 200, 404),
    ("PUT", _MANIFEST): Line("push", "/v2/app/manifests/v1", "/v2/app/manifests/new", 201, 201, IMAGE.body),
    ("GET", _BLOB): Line("pull", f"/v2/app/blobs/{LAYER}", f"/v2/app/blobs/{ABSENT}", 200, 404),
    ("GET", "/v2/_catalog"): Line("catalog", "/v2/_catalog", "/v2/_catalog", 200, 200),
    ("GET", "/v2/{repository}/tags/list"): Line("tags", "/v2/app/tags/list", "/v2/app/tags/list", 200, 200),
    ("GET", "/v2/{repository}/referrers/{digest}"): Line(
        "pull", f"/v2/app/referrers/{IMAGE.digest}", f"/v2/app/referrers/{ABSENT}", 200, 200
    ),
    ("POST", "/v2/{repository}/blobs/uploads/"): Line(
        "push", f"/v2/app/blobs/uploads/?mount={LAYER}", f"/v2/app/blobs/uploads/?mount={ABSENT}", 201, 202, b""
    ),
    ("GET", _UPLOAD): Line("upload", "{upload}", f"/v2/app/blobs/uploads/{NO_UPLOAD}", 204, 404),
    ("PATCH", _UPLOAD): Line("upload", "{upload}", f"/v2/app/blobs/uploads/{NO_UPLOAD}", 202, 404, b""),
    ("PUT", _UPLOAD): Line("upload", "{upload}" + _CLOSE, f"/v2/app/blobs/uploads/{NO_UPLOAD}{_CLOSE}", 201, 404, b""),
    ("DELETE", _UPLOAD): Line("upload", "{upload}", f"/v2/app/blobs/uploads/{NO_UPLOAD}", 204, 404),
    ("DELETE", _BLOB): Line("delete", f"/v2/app/blobs/{digest_of(SPARE)}", f"/v2/app/blobs/{ABSENT}", 202, 404),
    ("GET", "/acr/v1/_catalog"): Line("catalog", "/acr/v1/_catalog", "/acr/v1/_catalog", 200, 200),
    ("GET", "/acr/v1/_deleted/_catalog"): Line(
        "undo", "/acr/v1/_deleted/_catalog", "/acr/v1/_deleted/_catalog", 200, 200
    ),
    ("GET", f"{_DELETED}/_manifests"): Line(
        "undo", "/acr/v1/_deleted/app/_manifests", "/acr/v1/_deleted/app/_manifests", 200, 200
    ),
    ("GET", f"{_DELETED}/_tags"): Line("undo", "/acr/v1/_deleted/app/_tags", "/acr/v1/_deleted/app/_tags", 200, 200),
    # Nothing was deleted, which is for them to know.
    ("POST", f"{_DELETED}/_manifests/{{digest}}"): Line(
        "undo", f"/acr/v1/_deleted/app/_manifests/{IMAGE.digest}", f"/acr/v1/_deleted/app/_manifests/{ABSENT}", 404, 404
    ),
    ("POST", _DELETED): Line("undo", "/acr/v1/_deleted/app", "/acr/v1/_deleted/app", 404, 404),
    ("GET", _TAGS): Line("tags", "/acr/v1/app/_tags", "/acr/v1/app/_tags", 200, 200),
    ("GET", _TAG): Line("tags", "/acr/v1/app/_tags/v1", "/acr/v1/app/_tags/absent", 200, 404),
    ("PATCH", _TAG): Line("lock", "/acr/v1/app/_tags/v1", "/acr/v1/app/_tags/absent", 200, 404, UNLOCKED),
    ("GET", _MANIFESTS): Line("tags", "/acr/v1/app/_manifests", "/acr/v1/app/_manifests", 200, 200),
    ("GET", _ONE_MANIFEST): Line(
        "tags", f"/acr/v1/app/_manifests/{IMAGE.digest}", f"/acr/v1/app/_manifests/{ABSENT}", 200, 404
    ),
    ("PATCH", _ONE_MANIFEST): Line(
        "lock", f"/acr/v1/app/_manifests/{IMAGE.digest}", f"/acr/v1/app/_manifests/{ABSENT}", 200, 404, UNLOCKED
    ),
    ("GET", _REPOSITORY): Line("tags", "/acr/v1/app", "/acr/v1/app", 200, 200),
    ("PATCH", _REPOSITORY): Line("lock", "/acr/v1/app", "/acr/v1/app", 200, 200, UNLOCKED),
    ("GET", _HISTORY): Line("tags", f"{_ONE_TAG}/_history", "/acr/v1/app/_tags/absent/_history", 200, 404),
    ("POST", _ROLLBACK): Line(
        "push tags", f"{_ONE_TAG}/_rollback", "/acr/v1/app/_tags/absent/_rollback", 200, 404, ROLLED_BACK
    ),
    ("DELETE", _TAG): Line("delete", "/acr/v1/app/_tags/v1", "/acr/v1/app/_tags/absent", 202, 404),
    # The second time it is gone.
    ("DELETE", _REPOSITORY): Line("delete", "/acr/v1/app", "/acr/v1/app", 202, 404),
    ("DELETE", "/v2/_acr/{repository}/tags/{tag}"): Line(
        "delete", "/v2/_acr/app/tags/v1", "/v2/_acr/app/tags/absent", 202, 404
    ),
    ("DELETE", "/v2/_acr/{repository}/repository"): Line(
        "delete", "/v2/_acr/app/repository", "/v2/_acr/app/repository", 202, 404
    ),
    ("DELETE", _MANIFEST): Line("delete", "/v2/app/manifests/v1", "/v2/app/manifests/absent", 202, 404),
}
# Open to everyone: who gets a token there is Credential.signs_in; Helm 2's are refused whoever asks.
PUBLIC: Final = {
    ("GET", "/oauth2/token"),
    ("POST", "/oauth2/token"),
    ("POST", "/oauth2/exchange"),
    *((route.method, route.path) for route in HELM),
}


async def test_every_route_of_every_surface_has_its_line(registry: Registry) -> None:
    """The tables are the application's own, so that those of a new surface are among them."""
    routes = {(route.method, route.path) for route in _routes(registry.app)}
    assert routes == LINES.keys() | PUBLIC


def _routes(app: Application) -> list[Route]:
    """Of the data plane: those of the management API are in integration/arm/test_matrix.py."""
    surfaces = [surface for surface in app.surfaces.every() if isinstance(surface.admission, DataPlane)]
    return [route for surface in surfaces for route in surface.table.routes]


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_a_credential_opens_what_it_may_and_nothing_else(
    start_registry: Start, clock: FakeClock, name: str
) -> None:
    owner = await start_registry()
    presented = await CREDENTIALS[name].present(start_registry, clock)
    upload: str | None = None
    for (method, path), line in LINES.items():
        for asked in ("GET", "HEAD") if method == "GET" else (method,):
            upload = upload or await _prepared(owner)
            await _assert_line(presented.client, CREDENTIALS[name], asked, path, line, upload)
            if asked not in {"GET", "HEAD"} and line.is_open_to(CREDENTIALS[name]):
                upload = None  # what was there is changed


async def _prepared(owner: Registry) -> str:
    """The image, a blob that can go, and an upload of the owner's are there."""
    app = owner.repository("app")
    await app.push(IMAGE, "v1")
    await app.push_blob(SPARE)
    upload = await app.start()
    await upload.append(UPLOADED)
    return upload.location


async def _assert_line(client: Client, credential: Credential, method: str, path: str, line: Line, upload: str) -> None:
    target = line.there.replace("{upload}", upload)
    answers = [await client.send(method, asked, line.headers(), line.body) for asked in (target, line.absent)]
    if line.is_open_to(credential):
        found = line.found if credential.is_owner or line.needs != "upload" else line.not_found
        assert [answer.status for answer in answers] == [found, line.not_found], (method, path)
        return
    for answer in answers:
        _assert_challenged(answer, credential, method)
    assert _told(answers[0]) == _told(answers[1]), "what is there differs from what is not"
    if "{repository}" in path:
        nowhere = await client.send(method, re.sub(r"/app\b", "/hid", target), line.headers(), line.body)
        assert _told(nowhere) == [_of_hid(text) for text in _told(answers[0])]


def _of_hid(told: str) -> str:
    """What is told of the repository app, of another one."""
    return told.replace("repository:app:", "repository:hid:").replace('"Name":"app"', '"Name":"hid"')


def _assert_challenged(answer: Answer, credential: Credential, method: str) -> None:
    assert answer.status == 401
    assert method == "HEAD" or answer.code == "UNAUTHORIZED"
    challenge = answer["www-authenticate"]
    assert challenge.startswith('Bearer realm="http://localhost:5000/oauth2/token",service="localhost:5000"')
    assert ("error=" in challenge) is (credential.error is not None)
    assert credential.error is None or challenge.endswith(f',error="{credential.error}"')


def _told(answer: Answer) -> list[str]:
    """All that a client can learn from an answer."""
    headers = [f"{name}: {value}" for name, value in answer.headers if name != "x-request-id"]
    return [str(answer.status), *headers, answer.body.decode()]


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_a_token_is_given_to_who_signs_in_and_lists_no_more_than_it_may(
    start_registry: Start, clock: FakeClock, name: str
) -> None:
    credential = CREDENTIALS[name]
    presented = await credential.present(start_registry, clock)
    asked = [
        ("service", "localhost:5000"),
        ("scope", "repository:app:pull,push,delete,metadata_read,metadata_write"),
        ("scope", "registry:catalog:*"),
    ]
    answer = await presented.client.get("/oauth2/token?" + urlencode(asked))
    assert answer.status == (200 if credential.signs_in else 401)
    if credential.signs_in:
        given = presented.registry.nobody.bearing(answer.json()["access_token"])
        await _assert_no_more(given, credential)
    await _assert_form(presented, credential, asked)


async def _assert_form(presented: Presented, credential: Credential, asked: list[tuple[str, str]]) -> None:
    """A form holds the user and the password itself, and what stands in the header does not count."""
    if presented.user is None:
        return
    user, password = presented.user
    form = [("grant_type", "password"), ("username", user), ("password", password), *asked]
    answer = await presented.registry.nobody.post("/oauth2/token", urlencode(form).encode())
    assert answer.status == (200 if credential.signs_in else 401)


async def _assert_no_more(given: Client, credential: Credential) -> None:
    for needs, method, target in (
        ("pull", "GET", "/v2/app/manifests/v1"),
        ("push", "POST", "/v2/app/blobs/uploads/"),
        ("delete", "DELETE", "/v2/app/manifests/v1"),
        ("catalog", "GET", "/v2/_catalog"),
        ("tags", "GET", "/acr/v1/app"),
        ("lock", "PATCH", "/acr/v1/app"),
    ):
        answer = await given.send(method, target)
        assert (answer.status == 401) is (needs not in credential.may), (method, target)
