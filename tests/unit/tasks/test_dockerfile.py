"""What a Dockerfile builds on. Many rows are files that ACR's line scanner fails on or misreads (ACR-TASKS 4.5)."""

import pytest

from entrepot.tasks.dockerfile import Bases, DockerfileInvalid, bases, side_stages


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM alpine:3", Bases("alpine:3", ())),
        ("from alpine\n", Bases("alpine", ())),
        ("FROM scratch\nCOPY x /", Bases(None, ())),
        ("FROM --platform=linux/arm64 alpine:3", Bases("alpine:3", ())),
        ("FROM --platform=$BUILDPLATFORM golang AS b\nFROM scratch\nCOPY --from=b /x /", Bases(None, ("golang",))),
        ("ARG V=3\nFROM alpine:$V", Bases("alpine:3", ())),
        ("ARG A=al B=pine\nFROM ${A}${B}:1", Bases("alpine:1", ())),
        ("ARG V\nFROM alpine:${V:-3}", Bases("alpine:3", ())),
        ("FROM alpine:${V:-${W:-3}}", Bases("alpine:3", ())),
        ("ARG V=\nFROM alpine${V:+:}${V-4}", Bases("alpine", ())),
        ("ARG V=2\nFROM alpine${V:+:$V}", Bases("alpine:2", ())),
        ('ARG I="alpine:3"\nFROM "$I"', Bases("alpine:3", ())),
        ("ARG R=registry.example.com:5000\nFROM $R/base:1", Bases("registry.example.com:5000/base:1", ())),
        ("ARG TARGETARCH\nFROM base-$TARGETARCH", Bases("base-amd64", ())),
        ("FROM a AS Build\nFROM build", Bases("a", ())),
        ("FROM a AS one\nFROM b AS two\nFROM one\nCOPY --from=two /x /", Bases("a", ("b",))),
        ("FROM a AS one\nFROM b\nCOPY --from=0 /x /", Bases("b", ("a",))),
        ("FROM a\nCOPY --from=nginx:1 --chown=1 /x /", Bases("a", ("nginx:1",))),
        (
            "FROM a\nRUN --mount=type=cache,target=/c --mount=type=bind,from=tools:2,target=/t x",
            Bases("a", ("tools:2",)),
        ),
        ("FROM a AS unused\nFROM b", Bases("b", ())),
        ("FROM a AS x\nFROM b AS x\nFROM x", Bases("b", ())),
        (
            "\ufeff# syntax=docker/dockerfile:1\n\n# c\nFROM a # no comment\n".replace(" # no comment", ""),
            Bases("a", ()),
        ),
        (r"FROM a\$b", Bases("a$b", ())),
        ("FROM \\\n  # between\n\n  a \\\n  AS b\n", Bases("a", ())),
        ("# escape=`\nFROM `\n a\nRUN dir C:\\\nRUN x", Bases("a", ())),
        ("FROM a\r\nRUN x\r\n", Bases("a", ())),
        ("FROM a\nRUN <<EOF\nFROM b\nEOF\nCOPY --from=c x y", Bases("a", ("c",))),
        ("FROM a\nCOPY <<-'ONE' <<TWO /\n\tFROM b\n\tONE\nFROM c\nTWO\n", Bases("a", ())),
        ("FROM a\nRUN echo \\\n  FROM b\n", Bases("a", ())),
        ("FROM a@sha256:" + "0" * 64, Bases("a@sha256:" + "0" * 64, ())),
        ("FROM a\nONBUILD COPY --from=b x y", Bases("a", ())),
        ("FROM a\nARG V=1\nFROM b:${V:-2}", Bases("b:2", ())),
    ],
)
def test_what_a_file_stands_on(text: str, found: Bases) -> None:
    assert bases(text) == found


def test_arguments_of_the_build_count_before_those_of_the_file() -> None:
    assert bases("ARG V=1\nFROM a:$V", {"V": "2"}) == Bases("a:2", ())
    assert bases("ARG V\nFROM a:$V", {"V": "2"}) == Bases("a:2", ())
    assert bases("FROM a:${V:-1}", {"V": "2"}) == Bases("a:1", ())  # nobody declared it
    assert bases("ARG TARGETARCH\nFROM a:$TARGETARCH", {"TARGETARCH": "arm64"}) == Bases("a:arm64", ())


@pytest.mark.parametrize(
    ("target", "found"),
    [("one", Bases("a", ())), ("TWO", Bases("b", ("c",))), ("", Bases("d", ())), ("1", Bases("b", ("c",)))],
)
def test_only_what_the_target_needs_counts(target: str, found: Bases) -> None:
    assert bases("FROM a AS one\nFROM b AS two\nCOPY --from=c x y\nFROM d", target=target) == found


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("FROM a AS one\nFROM b\nCOPY --from=one x y", ("one",)),
        ("FROM a AS One\nFROM b\nRUN --mount=type=bind,from=one,target=/x y", ("one",)),
        ("FROM a AS one\nFROM one\nRUN x", ()),
        ("FROM a AS one\nFROM one AS two\nFROM b\nCOPY --from=two x y\nCOPY --from=one x y", ("two",)),
        ("FROM a AS one\nFROM b AS two\nCOPY --from=one x y\nFROM c\nCOPY --from=two x y", ("one", "two")),
        ("FROM a\nFROM b\nCOPY --from=0 x y", ()),
        ("FROM a AS x\nFROM b\nCOPY --from=x x y\nFROM c AS x\nFROM d\nCOPY --from=1 x y", ()),
        ("FROM a AS unused\nFROM b AS last", ()),
    ],
    ids=["copied", "mounted", "stood on", "stood on by another", "in a row", "no name", "a name twice", "unused"],
)
def test_stages_beside_the_built_image_are_those_that_it_takes_from(text: str, stages: tuple[str, ...]) -> None:
    assert side_stages(text) == stages


def test_stages_of_a_target_are_its_own() -> None:
    text = "FROM a AS one\nFROM b AS two\nCOPY --from=one x y\nFROM c\nCOPY --from=two x y"
    assert side_stages(text, target="two") == ("one",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no FROM"),
        ("# FROM a", "no FROM"),
        ("FROM", "line 1: FROM requires"),
        ("\nFROM a b", "line 2: FROM requires"),
        ("FROM a AS", "line 1: FROM requires"),
        ("FROM $V", "should not be blank"),
        ("FROM ${V:?missing}", "V: missing"),
        ("FROM ${V?}", "V: is not set"),
        ("FROM ${V", "is not closed"),
        ("FROM ${V#x}", "unsupported modifier"),
        pytest.param("FROM " + "${V:-" * 600 + "}" * 600, "too deep", id="deep"),
        pytest.param("FROM a\n" * 1001, "more than 1000 stages", id="stages"),
        pytest.param("x" * (1024 * 1024 + 1), "longer than", id="long"),
        pytest.param("ARG A=" + "x" * 4000 + "\nFROM $A$A", "longer than", id="a long name"),
    ],
)
def test_what_is_no_dockerfile_says_why(text: str, message: str) -> None:
    with pytest.raises(DockerfileInvalid) as raised:
        bases(text)
    assert message in str(raised.value)


def test_a_target_that_is_not_there_is_named() -> None:
    with pytest.raises(DockerfileInvalid, match="target stage 'x' could not be found"):
        bases("FROM a", target="x")


def test_variables_that_grow_have_an_end() -> None:
    text = "ARG A=xxxxxxxxxx\n" + "".join("ARG A=$A$A$A\n" for _ in range(40)) + "FROM $A"
    with pytest.raises(DockerfileInvalid, match="longer than"):
        bases(text)
