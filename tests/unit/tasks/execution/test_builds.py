"""What the text of a build says (ACR-TASKS 1.6, 4.4)."""

import pytest

from entrepot.tasks.execution.builds import (
    Build,
    cache_image,
    is_remote,
    parse_build,
    remote_contexts,
    with_context_here,
)
from entrepot.tasks.language.reading import Given, read_task


@pytest.mark.parametrize(
    ("text", "build"),
    [
        ("", Build()),
        (".", Build()),
        ("-t app:1 .", Build(("app:1",))),
        ("-tapp:1 --tag=b --tag c src", Build(("app:1", "b", "c"), context="src")),
        ("-f a/Dockerfile .", Build(dockerfile="a/Dockerfile")),
        ("--file=x -fy .", Build(dockerfile="y")),
        ("-f 'my files/Dockerfile' \"my files\"", Build(dockerfile="my files/Dockerfile", context="my files")),
        ("--no-cache --pull -q src", Build(context="src")),
        ("--rm=false src", Build(context="src")),
        ("--label a --memory 1g src", Build(context="src")),
        ("--target t .", Build(target="t")),
        ("--build-arg A=1=2 --build-arg B --build-arg 'C=x y' .", Build(arguments={"A": "1=2", "C": "x y"})),
        ("-t a . && docker tag a b", Build(("a",))),
        ("-t a . ; echo", Build(("a",))),
        ("-t a src | tee log", Build(("a",), context="src")),
        ("-t a - < Dockerfile", Build(("a",), context="-")),
        ("-t a src\n-t b .", Build(("a",), context="src")),
        ("-t a \\\n src", Build(("a",), context="src")),
        ("-t a . 'not closed", Build(("a",))),
        ("-t", Build(("",))),
    ],
)
def test_a_text_is_read_as_the_shell_and_docker_do(text: str, build: Build) -> None:
    assert parse_build(text) == build


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (".", "./Dockerfile"),
        ("src", "src/Dockerfile"),
        ("-f x src", "x"),
        ("-f - .", ""),
        ("-", ""),
        ("https://git.example.com/a.git", ""),
    ],
)
def test_the_dockerfile_is_where_docker_looks_for_it(text: str, path: str) -> None:
    assert parse_build(text).dockerfile_path == path


@pytest.mark.parametrize(
    ("context", "is_it"),
    [
        (".", False),
        ("src/app", False),
        ("/workspace/x", False),
        ("$Registry", False),
        ("https://git.example.com/a.git#main:src", True),
        ("https://example.com/app.tar.gz", True),
        ("github.com/a/b", True),
        ("oci://app.example.com/x:1", True),
    ],
)
def test_a_context_elsewhere_is_told_from_a_folder(context: str, is_it: bool) -> None:
    assert is_remote(context) is is_it


def test_contexts_elsewhere_are_known_before_the_run() -> None:
    text = """
version: v1.1.0
steps:
  - id: here
    build: -t a .
  - id: there
    build: --no-cache https://git.example.com/a.git#v1:src
  - cmd: bash
"""
    assert remote_contexts(read_task(text, Given())) == {"there": "https://git.example.com/a.git#v1:src"}


def test_a_context_that_was_fetched_is_the_folder_of_the_build() -> None:
    context = "https://git.example.com/a.git#v1"
    assert with_context_here(f"-t a {context}", context) == "-t a ."
    assert with_context_here(f"-t a '{context}' --pull", context) == "-t a . --pull"
    assert with_context_here(f"-t x{context} {context}", context) == f"-t x{context} ."


@pytest.mark.parametrize(
    ("tags", "task", "image"),
    [
        ((), "t", ""),
        (("x:1", "b.example.com:5000/y:2"), "t", "b.example.com:5000/y:cache_t_s"),
        (("x:1",), "t", "app.example.com/x:cache_t_s"),
        (("a/x",), "", "app.example.com/a/x:cache_quickrun_s"),
        (("$Registry/x",), "t", ""),
        (("localhost/x",), "a b", "localhost/x:cache_a_b_s"),
    ],
)
def test_the_cache_lies_beside_the_first_image(tags: tuple[str, ...], task: str, image: str) -> None:
    assert cache_image(Build(tags), "app.example.com", task, "s") == image
