"""What builds stand on, each image once; where chains of tasks are cut; which pushes a pattern is for."""

import pytest

from entrepot.tasks.execution.images import ImageName, parse_image, registry_of
from entrepot.tasks.execution.model import Dependency
from entrepot.tasks.model import BaseImageKind
from entrepot.tasks.runs.base_images import bases_of
from entrepot.tasks.triggers.events.patterns import first_like
from entrepot.tasks.triggers.images.changes import CHAIN_LIMIT, why_cut

DIGEST = "sha256:" + "a" * 64


def image(text: str, digest: str = "") -> ImageName:
    found = parse_image(text)
    assert found is not None
    return found.with_digest(digest) if digest else found


def test_what_one_image_stands_on_counts_as_that_whatever_else_needs_it() -> None:
    one = Dependency(None, image("base:1", DIGEST), (image("tools"), image("r.example:5000/a/b:2")))
    other = Dependency(None, image("tools:latest"), (image("docker.io/library/base:1"),))
    found = [(each.type, each.name, each.digest) for each in bases_of([one, other])]
    assert found == [
        (BaseImageKind.RUNTIME, "registry.hub.docker.com/library/base:1", DIGEST),
        (BaseImageKind.RUNTIME, "registry.hub.docker.com/library/tools:latest", None),
        (BaseImageKind.BUILDTIME, "r.example:5000/a/b:2", None),
    ]


def test_an_image_that_a_digest_names_has_no_tag_that_could_move() -> None:
    (found,) = bases_of([Dependency(None, image(f"r.example/base:1@{DIGEST}"))])
    assert (found.tag, found.digest) == (None, DIGEST)


def test_what_no_row_could_hold_is_left_out() -> None:
    assert bases_of([Dependency(None, ImageName("r.example", "a" * 256, "1", "", "x"))]) == ()


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "Registry-1.docker.io", "registry.hub.docker.com"])
def test_docker_hub_has_one_name(host: str) -> None:
    assert registry_of(host) == "registry.hub.docker.com"


def test_a_chain_is_cut_at_a_task_that_is_in_it_whatever_the_case() -> None:
    assert why_cut("local/c", ("local/a", "local/b")) == ""
    assert "local/a → local/b → local/A" in why_cut("local/A", ("local/a", "local/b"))
    assert why_cut("local/a", ("other/a",)) == ""
    long = tuple(f"local/{number}" for number in range(CHAIN_LIMIT))
    assert why_cut("local/a", long[:-1]) == ""
    assert "No run begins" in why_cut("local/a", long)


@pytest.mark.parametrize(
    ("names", "patterns", "found"),
    [
        (["v1", "latest"], ["*"], "v1"),
        (["latest", "v1"], ["v*"], "v1"),
        (["team/app"], ["team/*"], "team/app"),
        (["team/a/b"], ["team/*"], "team/a/b"),
        (["team"], ["team/*"], None),
        (["v1"], ["v"], None),
        (["v1"], ["x", "*1"], "v1"),
        ([], ["*"], None),
        (["a" * 128 + "!"], ["*".join("a" * 60) + "b"], None),
    ],
)
def test_a_star_is_any_text(names: list[str], patterns: list[str], found: str | None) -> None:
    assert first_like(names, patterns) == found
