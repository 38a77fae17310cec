"""How other registries are named, and what their API is called by."""

import pytest

from entrepot.oci.reference import RepositoryName
from entrepot.remote.place import RemotePlace, api_of, parse_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("mcr.microsoft.com", "mcr.microsoft.com"),
        ("MCR.Microsoft.com", "mcr.microsoft.com"),
        ("https://quay.io/", "quay.io"),
        ("registry.example:5000", "registry.example:5000"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("[::1]:5000", "[::1]:5000"),
        ("localhost", "localhost"),
    ],
)
def test_a_host_with_or_without_a_port(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://registry.example",
        "registry.example/v2",
        "user@registry.example",
        "registry.example:port",
        "a b",
        "a\r\nb",
        "-a",
        "a?b",
        "a#b",
        "https://https://a",
    ],
)
def test_anything_else_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"mcr\.microsoft\.com"):
        parse_host(text)


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_has_its_api_elsewhere_and_short_names(host: str) -> None:
    short = RemotePlace.of(host, RepositoryName("busybox"))
    assert short.url("manifests", "1.36") == "https://registry-1.docker.io/v2/library/busybox/manifests/1.36"
    assert RemotePlace.of(host, RepositoryName("bitnami/nginx")).repository == "bitnami/nginx"


def test_short_names_are_of_docker_hub_alone() -> None:
    assert RemotePlace.of("quay.io", RepositoryName("busybox")).repository == "busybox"


def test_all_names_of_docker_hub_are_one_registry() -> None:
    assert api_of("docker.io") == api_of("index.docker.io") == api_of("registry-1.docker.io")
    assert api_of("quay.io") == "quay.io"
