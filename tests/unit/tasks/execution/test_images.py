"""Names of images (ACR-TASKS 1.8, 4.1, 4.5)."""

import pytest

from entrepot.tasks.execution.images import ImageName, parse_image, to_push, with_server

DIGEST = "sha256:" + "a" * 64
HUB = "registry.hub.docker.com"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("alpine", (HUB, "library/alpine", "latest", "")),
        ("library/alpine:3", (HUB, "library/alpine", "3", "")),
        ("docker.io/library/alpine:3", (HUB, "library/alpine", "3", "")),
        ("index.docker.io/a/b", (HUB, "a/b", "latest", "")),
        ("docker.io/alpine", (HUB, "library/alpine", "latest", "")),
        ("a/b", (HUB, "a/b", "latest", "")),
        ("mcr.microsoft.com/a/b:1", ("mcr.microsoft.com", "a/b", "1", "")),
        ("localhost:5000/x", ("localhost:5000", "x", "latest", "")),
        ("localhost/x", ("localhost", "x", "latest", "")),
        ("[::1]:5000/x:1", ("[::1]:5000", "x", "1", "")),
        (f"alpine@{DIGEST}", (HUB, "library/alpine", "", DIGEST)),
        (f"alpine:3@{DIGEST}", (HUB, "library/alpine", "3", DIGEST)),
    ],
)
def test_a_name_is_read_as_docker_reads_it(text: str, place: tuple[str, str, str, str]) -> None:
    assert parse_image(text) == ImageName(*place, text)


@pytest.mark.parametrize("text", ["", "Alpine", "$x/y", "a b", "alpine:", "alpine@", "alpine@sha256:1", "a.b;c/x"])
def test_what_is_no_name_is_none(text: str) -> None:
    assert parse_image(text) is None


def test_images_are_pushed_once_each_and_with_a_tag() -> None:
    names = ["a", "a:latest", "b:1", f"c@{DIGEST}", "localhost:5000/x", "b:1"]
    assert to_push(names) == ["a:latest", "b:1", f"c@{DIGEST}", "localhost:5000/x:latest"]


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("x:1", "app.example.com/x:1"),
        ("app.example.com/x", "app.example.com/x"),
        ("library/x", "library/x"),
        ("b.example.com/x", "b.example.com/x"),
        ("other.io/x", "app.example.com/other.io/x"),
        ("app.example.community/x", "app.example.com/app.example.community/x"),
    ],
)
def test_a_quick_builds_image_lies_in_its_registry_unless_it_says_another_known_one(name: str, whole: str) -> None:
    assert with_server(name, "app.example.com", ("b.example.com",)) == whole
