"""What the text of a build says (ACR-TASKS 1.6, 4.4)."""

import pytest

from entrepot.tasks.execution.builds import (
    Build,
    cache_image,
    is_remote,
    parse_build,
    remote_contexts,
    stage_cache_image,
    unnamed_text,
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


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("-t x .", "."),
        ("-tx --tag=y:1 -t 'z' -f D .", "-f D ."),
        ("--build-arg A='b c' --target one -t x:$V app", "--build-arg A='b c'   app"),
        ("-t x \\\n  --secret id=a,src=/a .", "--secret id=a,src=/a ."),
    ],
)
def test_a_build_is_said_without_its_names(text: str, left: str) -> None:
    assert unnamed_text(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "-t x . && docker push x",
        "-t x . | tee log",
        "-t x . > log",
        "-t x:$(date) .",
        "-t x:`date` .",
        "-t x . &",
        "-t x --iidfile id .",
        "-t x --output=out .",
        "-t x -o out .",
        "-t x --no-cache .",
        '-t "x":1 .',
    ],
)
def test_what_would_do_more_than_a_build_is_not_said_again(text: str) -> None:
    assert unnamed_text(text) == ""


def test_the_cache_of_a_stage_has_a_name_that_a_registry_takes() -> None:
    assert stage_cache_image("localhost:5000/x:cache_t_s", "one") == "localhost:5000/x:cache_t_s.one"
    assert stage_cache_image("localhost:5000/x:cache_t_s", "o" * 128) == ""
