"""What a run's worker puts into the run's registry: only what is about images that the run itself has pushed there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection
from tests.content import Manifest, an_image
from tests.integration.accounts import registry_id
from tests.registry import Registry, Repository

from entrepot.access.queries import RUN_PREFIX, RunPrincipal, insert_run_principal
from entrepot.access.secrets import generate_secret, hash_generated
from entrepot.app.parts import open_content
from entrepot.tasks.execution.images import ImageName
from entrepot.tasks.execution.model import Attachment, PublishFailed
from entrepot.tasks.publishing.registry import OwnRegistry

P = ParamSpec("P")
T = TypeVar("T")
AMD, ARM = an_image("amd"), an_image("arm", architecture="arm64")
NAME = ImageName("local", "team/app", "v1", "", "local/team/app:v1")
TEMPORARY = {"linux/amd64": AMD, "linux/arm64/v8": ARM}


@dataclass
class Doors:
    """A job's, without the job."""

    registry: Registry

    @property
    def now(self) -> datetime:
        return self.registry.clock()

    def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.registry.database.read(work, *args, **kwargs)

    def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.registry.database.write(work, *args, **kwargs)


def signed_in(registry: Registry, run_id: int) -> Repository:
    """As a run's engine is."""
    secret, now = generate_secret(), registry.clock()
    made = f"00000000-0000-0000-0000-{run_id:012}"

    def sign_in(tx: Connection) -> str:
        name = f"{RUN_PREFIX}{run_id}-{made}"
        own, ends = registry_id(tx), now + timedelta(hours=1)
        insert_run_principal(tx, RunPrincipal(made, name, own, None, hash_generated(secret), now, ends))
        return name

    return registry.repository("team/app", registry.nobody.signed_in(registry.query(sign_in), secret))


@pytest.fixture
def own(registry: Registry) -> OwnRegistry:
    """Of run 7."""
    return OwnRegistry(Doors(registry), open_content(registry.settings), registry.query(registry_id), 7)


async def pushed(repository: Repository) -> dict[str, str]:
    """Digests by platform."""
    for platform, image in TEMPORARY.items():
        answer = await repository.push(image, f"tmp-{platform.replace('/', '-')}")
        assert answer.status == 201, answer.body
    return {platform: image.digest for platform, image in TEMPORARY.items()}


async def test_an_index_has_the_platforms_and_their_tags_are_gone(registry: Registry, own: OwnRegistry) -> None:
    repository = signed_in(registry, 7)
    children = await pushed(repository)
    digest = own.put_index(NAME, children, ["tmp-linux-amd64", "tmp-linux-arm64-v8"])
    answer = await repository.manifest("v1")
    assert answer["docker-content-digest"] == digest
    assert [(each["digest"], each["size"], each["platform"]) for each in answer.json()["manifests"]] == [
        (AMD.digest, len(AMD.body), {"os": "linux", "architecture": "amd64"}),
        (ARM.digest, len(ARM.body), {"os": "linux", "architecture": "arm64", "variant": "v8"}),
    ]
    assert await repository.tags() == ["v1"]
    assert (await repository.manifest(ARM.digest)).status == 200


async def test_an_attestation_is_a_referrer(registry: Registry, own: OwnRegistry) -> None:
    repository = signed_in(registry, 7)
    await repository.push(AMD, "v1")
    image = NAME.with_digest(AMD.digest)
    digest = own.attach(image, Attachment("application/vnd.in-toto+json", b'{"said": 1}', {"a": "b"}))
    (found,) = await repository.referrers(AMD.digest)
    assert (found["digest"], found["artifactType"]) == (digest, "application/vnd.in-toto+json")
    assert found["annotations"] == {"a": "b"}
    (layer,) = (await repository.manifest(digest)).json()["layers"]
    assert (await repository.blob(layer["digest"])).body == b'{"said": 1}'


async def _by_the_owner(registry: Registry, manifest: Manifest) -> None:
    await registry.repository("team/app").push(manifest, "v1")


async def _by_another_run(registry: Registry, manifest: Manifest) -> None:
    await signed_in(registry, 70).push(manifest, "v1")


async def _elsewhere(registry: Registry, manifest: Manifest) -> None:
    repository = signed_in(registry, 7)
    await Repository(repository.http, "other/app").push(manifest, "v1")
    await registry.repository("team/app").push(manifest, "v1")


@pytest.mark.parametrize("push", [_by_the_owner, _by_another_run, _elsewhere])
async def test_what_the_run_did_not_push_there_is_not_built_upon(
    registry: Registry, own: OwnRegistry, push: Callable[[Registry, Manifest], Awaitable[None]]
) -> None:
    """A step may let the client say that it pushed something: the audit log knows better."""
    await push(registry, AMD)
    with pytest.raises(PublishFailed, match="did not push team/app@"):
        own.put_index(NAME, {"linux/amd64": AMD.digest}, [])
    with pytest.raises(PublishFailed, match="did not push team/app@"):
        own.attach(NAME.with_digest(AMD.digest), Attachment("a/b", b"{}"))
    assert await registry.repository("team/app").referrers(AMD.digest) == []


async def test_a_locked_tag_keeps_what_it_names(registry: Registry, own: OwnRegistry) -> None:
    repository = signed_in(registry, 7)
    children = await pushed(repository)
    await repository.push(AMD, "v1")
    await registry.http.patch("/acr/v1/team/app/_tags/v1", b'{"writeEnabled": false}')
    with pytest.raises(PublishFailed, match="locked"):
        own.put_index(NAME, children, [])
    assert (await repository.manifest("v1"))["docker-content-digest"] == AMD.digest
