"""What the members of an import may say."""

from typing import Any

import msgspec
import pytest

from entrepot.errors import Kind, Problem
from entrepot.oci.digest import Digest
from entrepot.registries.imports.model import TARGETS_LIMIT, ImportBody
from entrepot.registries.imports.rules import expect_one_source, parse_image, parse_resource, parse_targets

DIGEST = "sha256:" + "a" * 64
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/hub"


def body(**members: Any) -> ImportBody:  # noqa: ANN401  members of JSON
    source = {"sourceImage": "app", "registryUri": "hub.example", **members.pop("source", {})}
    return msgspec.convert({"source": source, **members}, ImportBody)


def targets(image: str, **members: Any) -> dict[str, list[str]]:  # noqa: ANN401  members of JSON
    return parse_targets(body(**members), parse_image(image))


@pytest.mark.parametrize(
    ("text", "repository", "reference"),
    [
        ("app", "app", "latest"),
        ("team/app:v1", "team/app", "v1"),
        (f"app@{DIGEST}", "app", DIGEST),
        (f"app:v1@{DIGEST}", "app", DIGEST),
    ],
)
def test_an_image_in_each_form(text: str, repository: str, reference: str) -> None:
    found = parse_image(text)
    assert (found.repository, str(found.reference)) == (repository, reference)
    assert isinstance(found.reference, Digest) is ("@" in text)


@pytest.mark.parametrize("text", ["", "App", "app:", "app@sha256:abc", "hub.example:5000/app", "app:v1:v2", "a" * 300])
def test_what_names_no_image_is_refused_by_its_member(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        parse_image(text)
    assert (refusal.value.kind, refusal.value.detail["target"]) == (Kind.RESOURCE_INVALID, "source.sourceImage")


def test_targets_without_a_tag_take_the_sources_or_latest() -> None:
    assert targets("app:v1", targetTags=["copy", "copy:v2", "copy:v2", "other"]) == {
        "copy": ["v1", "v2"],
        "other": ["v1"],
    }
    assert targets(f"app@{DIGEST}", targetTags=["copy"]) == {"copy": ["latest"]}


def test_repositories_without_tags() -> None:
    assert targets("app:v1", untaggedTargetRepositories=["a", "b"], targetTags=["b:v2"]) == {"b": ["v2"], "a": []}


def test_an_image_keeps_its_name_when_no_target_is_named() -> None:
    assert targets("team/app:v1") == {"team/app": ["v1"]}
    assert targets(f"team/app@{DIGEST}") == {"team/app": []}


@pytest.mark.parametrize(
    ("member", "members"),
    [
        ("targetTags[1]", {"targetTags": ["a", "A"]}),
        ("targetTags[0]", {"targetTags": ["a:"]}),
        ("targetTags[0]", {"targetTags": [f"a@{DIGEST}"]}),
        ("untaggedTargetRepositories[0]", {"untaggedTargetRepositories": ["a:v1"]}),
        ("targetTags", {"targetTags": ["a"] * (TARGETS_LIMIT + 1)}),
    ],
)
def test_a_wrong_target_is_named(member: str, members: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refusal:
        targets("app", **members)
    assert refusal.value.detail["target"] == member


@pytest.mark.parametrize(
    ("member", "source"),
    [
        ("source.registryUri", {"resourceId": ID}),
        ("source.registryUri", {"registryUri": None}),
        ("source.credentials", {"registryUri": None, "resourceId": ID, "credentials": {"password": "x"}}),
        ("source.credentials.password", {"credentials": {"password": ""}}),
        ("source.credentials.username", {"credentials": {"username": "a:b", "password": "x"}}),
    ],
)
def test_one_source_and_credentials_that_can_be_sent(member: str, source: dict[str, Any]) -> None:
    with pytest.raises(Problem) as refusal:
        expect_one_source(body(source=source).source)
    assert refusal.value.detail["target"] == member


def test_a_resource_id_in_any_case() -> None:
    assert (
        parse_resource(ID.upper().replace("MICROSOFT.CONTAINERREGISTRY", "microsoft.containerregistry")).name == "HUB"
    )
    with pytest.raises(Problem):
        parse_resource(ID + "/tokens/x")
