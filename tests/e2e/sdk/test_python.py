"""The unchanged azure-containerregistry SDK for Python, against a server whose certificate it verifies."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.containerregistry import (
    ArtifactManifestOrder,
    ArtifactTagOrder,
    ContainerRegistryClient,
    RepositoryProperties,
)
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from tests.content import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, a_config, describe, digest_of
from tests.services import Registry

LAYER = b"a layer"


@pytest.fixture(autouse=True)
def trusts(trusted_ca: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How a person tells requests of a CA."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted_ca))


@pytest.fixture
def owner(public: Registry, tenant: str) -> Iterator[ContainerRegistryClient]:
    """Its tokens come from POST /oauth2/exchange, for one that the directory gave."""
    signing_in = ClientSecretCredential(
        tenant, public.user, public.password, authority=public.endpoint, disable_instance_discovery=True
    )
    # retry_total: a refusal shall be seen at once.
    with signing_in, ContainerRegistryClient(public.endpoint, signing_in, retry_total=0) as client:
        yield client


@pytest.fixture
def anyone(public: Registry) -> Iterator[ContainerRegistryClient]:
    """Anonymous: its tokens come from POST /oauth2/token."""
    with ContainerRegistryClient(public.endpoint, None, retry_total=0) as client:
        yield client


def push(client: ContainerRegistryClient, repository: str, tag: str, architecture: str = "amd64") -> str:
    """An image through the SDK; its digest."""
    config = a_config(tag, architecture)
    for content in (config, LAYER):
        assert client.upload_blob(repository, io.BytesIO(content)) == (digest_of(content), len(content))
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": describe(config, OCI_CONFIG),
        "layers": [describe(LAYER, OCI_LAYER)],
    }
    return client.set_manifest(repository, document, tag=tag)


@pytest.fixture
def pushed(owner: ContainerRegistryClient, repository: str) -> dict[str, str]:
    """The repository with v1 to v3, pushed in this order."""
    return {tag: push(owner, repository, tag) for tag in ("v1", "v3", "v2")}


def test_anyone_reads_repositories_tags_and_manifests_in_pages(
    anyone: ContainerRegistryClient, repository: str, pushed: dict[str, str]
) -> None:
    pages = anyone.list_repository_names(results_per_page=1).by_page()
    assert repository in [name for page in pages for name in page]
    told = anyone.get_repository_properties(repository)
    assert (told.name, told.manifest_count, told.tag_count, told.can_write) == (repository, 3, 3, True)
    assert told.created_on <= told.last_updated_on
    for order, names in (
        (None, ["v1", "v2", "v3"]),
        (ArtifactTagOrder.LAST_UPDATED_ON_ASCENDING, ["v1", "v3", "v2"]),
        (ArtifactTagOrder.LAST_UPDATED_ON_DESCENDING, ["v2", "v3", "v1"]),
    ):
        tags = list(anyone.list_tag_properties(repository, order_by=order, results_per_page=1))
        assert [tag.name for tag in tags] == names
        assert {tag.name: tag.digest for tag in tags} == pushed
    newest = list(
        anyone.list_manifest_properties(
            repository, order_by=ArtifactManifestOrder.LAST_UPDATED_ON_DESCENDING, results_per_page=2
        )
    )
    assert [manifest.digest for manifest in newest] == [pushed[tag] for tag in ("v2", "v3", "v1")]
    assert newest[0].tags == ["v2"]
    assert newest[0].size_in_bytes == len(a_config("v2")) + len(LAYER)


def test_anyone_downloads_what_was_uploaded(
    anyone: ContainerRegistryClient, repository: str, pushed: dict[str, str]
) -> None:
    found = anyone.get_manifest(repository, "v1")
    assert (found.digest, found.media_type) == (pushed["v1"], OCI_MANIFEST)
    assert b"".join(anyone.download_blob(repository, digest_of(LAYER))) == LAYER


def test_an_index_is_told_with_the_platforms_of_its_children(
    owner: ContainerRegistryClient, anyone: ContainerRegistryClient, repository: str
) -> None:
    children = {
        architecture: push(owner, repository, architecture, architecture) for architecture in ("amd64", "arm64")
    }
    entries = [
        {
            "mediaType": OCI_MANIFEST,
            "digest": digest,
            "size": len(json.dumps(owner.get_manifest(repository, digest).manifest, separators=(",", ":"))),
            "platform": {"architecture": architecture, "os": "linux"},
        }
        for architecture, digest in children.items()
    ]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    owner.set_manifest(repository, document, tag="multi", media_type=OCI_INDEX)
    told = anyone.get_manifest_properties(repository, "multi")
    assert told.architecture is None
    one = anyone.get_manifest_properties(repository, children["arm64"])
    assert (one.architecture, one.operating_system, one.tags) == ("arm64", "linux", ["arm64"])


def test_the_owner_locks_and_unlocks_what_was_pushed(
    owner: ContainerRegistryClient, anyone: ContainerRegistryClient, repository: str, pushed: dict[str, str]
) -> None:
    locked = owner.update_tag_properties(repository, "v1", can_write=False, can_delete=False)
    assert (locked.can_write, locked.can_delete, locked.can_read, locked.can_list) == (False, False, True, True)
    with pytest.raises(HttpResponseError, match="disallowed") as refused:
        push(owner, repository, "v1", "arm64")
    assert refused.value.status_code == 405
    for delete in (lambda: owner.delete_tag(repository, "v1"), lambda: owner.delete_repository(repository)):
        with pytest.raises(HttpResponseError, match="disallowed"):
            delete()
    assert anyone.get_tag_properties(repository, "v1").digest == pushed["v1"]
    owner.update_tag_properties(repository, "v1", can_write=True, can_delete=True)
    push(owner, repository, "v1", "arm64")
    manifest = owner.update_manifest_properties(repository, "v2", can_list=False)
    assert manifest.can_list is False
    assert pushed["v2"] not in [row.digest for row in anyone.list_manifest_properties(repository)]
    hidden = owner.update_repository_properties(repository, can_list=False)
    assert isinstance(hidden, RepositoryProperties)
    assert repository not in list(anyone.list_repository_names())


def test_what_may_not_be_read_is_refused_to_a_client_that_pulls_it(
    owner: ContainerRegistryClient, anyone: ContainerRegistryClient, repository: str, pushed: dict[str, str]
) -> None:
    owner.update_manifest_properties(repository, pushed["v1"], can_read=False)
    with pytest.raises(HttpResponseError) as refused:
        anyone.get_manifest(repository, "v1")
    assert refused.value.status_code == 405
    assert anyone.get_manifest_properties(repository, "v1").can_read is False


def test_the_owner_deletes_tags_manifests_and_the_repository(
    owner: ContainerRegistryClient, anyone: ContainerRegistryClient, repository: str, pushed: dict[str, str]
) -> None:
    owner.delete_tag(repository, "v1")
    owner.delete_tag(repository, "v1")  # the SDK takes a second time for done
    assert anyone.get_manifest_properties(repository, pushed["v1"]).tags is None
    owner.delete_manifest(repository, "v2")
    with pytest.raises(ResourceNotFoundError):
        anyone.get_manifest_properties(repository, pushed["v2"])
    owner.delete_repository(repository)
    owner.delete_repository(repository)
    with pytest.raises(ResourceNotFoundError):
        anyone.get_repository_properties(repository)


def test_anyone_changes_nothing(anyone: ContainerRegistryClient, repository: str, pushed: dict[str, str]) -> None:
    for change in (
        lambda: anyone.update_repository_properties(repository, can_write=False),
        lambda: anyone.delete_tag(repository, "v1"),
        lambda: anyone.delete_repository(repository),
    ):
        with pytest.raises(ClientAuthenticationError):
            change()
    assert anyone.get_repository_properties(repository).tag_count == len(pushed)
