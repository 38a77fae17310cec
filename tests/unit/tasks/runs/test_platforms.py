"""Platforms of requests, as docker writes them."""

import msgspec
import pytest

from entrepot.tasks.model import Platform
from entrepot.tasks.runs.reading import docker_platforms


@pytest.mark.parametrize(
    ("document", "platforms"),
    [
        ({"os": "Linux"}, ()),
        ({"os": "Linux", "architecture": "x86"}, ("linux/386",)),
        ({"os": "linux", "architecture": "arm", "variant": "v7"}, ("linux/arm/v7",)),
        ({"os": "linux", "architecture": "amd64,arm64,ARM/v7"}, ("linux/amd64", "linux/arm64", "linux/arm/v7")),
        ({"os": "linux", "architecture": "amd64,amd64"}, ("linux/amd64",)),
    ],
)
def test_a_request_names_one_platform_or_several(document: dict[str, str], platforms: tuple[str, ...]) -> None:
    assert docker_platforms(msgspec.convert(document, Platform)) == platforms


@pytest.mark.parametrize("architecture", ["", "amd64,", "sparc", "amd64;arm64", ",".join(["amd64"] * 9)])
def test_what_is_no_list_of_architectures_is_refused(architecture: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"os": "linux", "architecture": architecture}, Platform)
