"""Imports from real registries: Debian's docker-registry with htpasswd and TLS, and a second Entrepot."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from tests.content import Manifest, an_artifact, an_image, an_index
from tests.distribution import PASSWORD, USER, Distribution, distribution
from tests.integration.registries.imports.conftest import Import, bodies, outbound_to, result
from tests.integration.working import working
from tests.management import Management
from tests.outside import Authority
from tests.registry import Registry, Repository
from tests.services import Registry as Instance
from tests.services import entrepot

CREDENTIALS = {"username": USER, "password": PASSWORD}


@pytest.fixture(scope="module")
def other(ca: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Distribution]:
    with distribution(tmp_path_factory.mktemp("distribution") / "data", ca) as registry:
        yield registry


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with entrepot(tmp_path_factory.mktemp("instance") / "data") as registry:
        yield registry


def an_image_for_two() -> tuple[Manifest, list[Manifest]]:
    """An index of its own for each test, as the source is shared."""
    seed = uuid4()
    children = [an_image(f"{seed}{name}", size=200_000, architecture=name) for name in ("amd64", "arm64")]
    return an_index(children), children


async def test_from_docker_registry(other: Distribution, bring: Import, app: Repository) -> None:
    index, children = an_image_for_two()
    for child in children:
        other.push("team/app", child)
    other.push("team/app", index, "v1")
    source = {"registryUri": other.place, "sourceImage": "team/app:v1", "credentials": CREDENTIALS}
    ended = await bring(source, "app:v1")
    assert ended.status == 200, ended.body
    assert (await app.manifest("v1")).body == index.body
    for child in children:
        for digest, content in child.blobs.items():
            assert (await app.blob(digest)).body == content


async def test_docker_registry_refuses_wrong_credentials(other: Distribution, bring: Import) -> None:
    source = {"registryUri": other.place, "sourceImage": "team/app:v1"}
    ended = await bring({**source, "credentials": {**CREDENTIALS, "password": "wrong"}}, "app:v1")
    assert ended.status == 400
    told = ended.json()["error"]["message"]
    assert other.place in told
    assert "credentials" in told


@pytest.mark.timeout(300)
async def test_from_a_second_instance_with_what_refers_to_it(
    instance: Instance, ask: Import, arm: Management, registry: Registry, app: Repository
) -> None:
    index, children = an_image_for_two()
    signature = an_artifact(seed=uuid4(), subject=index.descriptor())
    with httpx.Client(
        base_url=instance.endpoint,
        verify=ssl.create_default_context(cafile=instance.ca),
        auth=(instance.user, instance.password),
        timeout=60,
    ) as http:
        for manifest in (*children, signature, index):
            _push(http, manifest)
        assert _push(http, index, "v1").status_code == httpx.codes.CREATED
    credentials = {"username": instance.user, "password": instance.password}
    source = {"registryUri": instance.login_server, "sourceImage": "team/app:v1", "credentials": credentials}
    accepted = await ask(source, "app:v1", includeReferrers=True)
    assert accepted.status == 202, accepted.body
    with closing(outbound_to(Path(instance.ca))) as outbound, working(registry, bodies(registry, outbound)):
        ended = await result(arm, accepted)
    assert ended.status == 200, ended.body
    assert (await app.manifest("v1")).body == index.body
    assert [each["digest"] for each in await app.referrers(index.digest)] == [signature.digest]


def _push(http: httpx.Client, manifest: Manifest, reference: str | None = None) -> httpx.Response:
    for digest, content in manifest.blobs.items():
        pushed = http.post(f"/v2/team/app/blobs/uploads/?digest={digest}", content=content)
        assert pushed.status_code == httpx.codes.CREATED, pushed.text
    headers = {"content-type": manifest.media_type}
    return http.put(f"/v2/team/app/manifests/{reference or manifest.digest}", content=manifest.body, headers=headers)
