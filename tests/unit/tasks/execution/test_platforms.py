"""Builds for several platforms, and what is said of images beside them."""

import json

import pytest
from tests.unit.tasks.execution.recording import Bench, RecordingPublisher, ends

from entrepot.tasks.engines.model import EngineImage
from entrepot.tasks.execution.model import BuildArgument, Ending, Login, QuickBuild

LOGINS = (Login("app.example.com", "run", "s3cret"), Login("b.example.com", "me", "pw"))
AMD, ARM, BASE = ("sha256:" + letter * 64 for letter in "abc")
BOTH = ("linux/amd64", "linux/arm64/v8")


@pytest.fixture
def publisher(bench: Bench) -> RecordingPublisher:
    """Of the bench's registry."""
    bench.logins, bench.publisher, bench.keeps_cache = LOGINS, RecordingPublisher(), False
    bench.machine.on("docker push.*(amd64|:v1)", ends(0, f"x: digest: {AMD} size: 528\n".encode()))
    bench.machine.on("docker push.*arm64", ends(0, f"x: digest: {ARM} size: 528\n".encode()))
    return bench.publisher


def test_an_image_of_two_platforms_is_built_twice_and_is_one_index(bench: Bench, publisher: RecordingPublisher) -> None:
    outcome = bench.run(QuickBuild(images=("x:v1", "x:v2"), platforms=BOTH))
    assert outcome.ending is Ending.SUCCEEDED
    names = [f"app.example.com/x:build-r1-{each}" for each in ("linux-amd64", "linux-arm64-v8")]
    built = [each.text for each in bench.machine.of("docker build")]
    assert built == [
        f"docker build --file Dockerfile --tag {name} --platform {platform} ."
        for name, platform in zip(names, BOTH, strict=True)
    ]
    assert [each.text for each in bench.machine.of("docker push")] == [f"docker push -- {name}" for name in names]
    children = dict(zip(BOTH, (AMD, ARM), strict=True))
    gone = [name.rpartition(":")[2] for name in names]
    assert publisher.indexes == [("app.example.com/x:v1", children, []), ("app.example.com/x:v2", children, gone)]
    assert {(image.reference, image.digest) for image in outcome.images} == {
        (f"app.example.com/x:{tag}", "sha256:" + "1" * 64) for tag in ("v1", "v2")
    }


def test_a_base_image_is_asked_for_again_for_the_platform_of_the_build(
    bench: Bench, publisher: RecordingPublisher
) -> None:
    bench.machine.files["/workspace/Dockerfile"] = b"FROM b.example.com/os:1\n"
    bench.machine.there = [EngineImage(("b.example.com/os:1",), (f"b.example.com/os@{BASE}",))]
    bench.run(QuickBuild(images=("x:v1",), platforms=BOTH))
    assert [each.text for each in bench.machine.of("docker pull")] == [
        f"docker pull --platform {platform} -- b.example.com/os:1" for platform in BOTH
    ]


def test_a_program_that_cannot_run_here_is_explained(bench: Bench) -> None:
    bench.machine.on("docker build", ends(1, b"#5 0.1 exec /bin/sh: exec format error\n"))
    bench.run(QuickBuild(is_pushed=False, platforms=("linux/arm64",)))
    assert bench.told("RUN for another platform needs emulation on the engine's machine")


@pytest.mark.parametrize("image", ["b.example.com/x:1", "x@" + AMD, "X"])
def test_an_index_lies_in_the_runs_own_registry_under_a_tag(
    bench: Bench, publisher: RecordingPublisher, image: str
) -> None:
    outcome = bench.run(QuickBuild(images=(image,), platforms=BOTH))
    assert outcome.ending is Ending.FAILED
    assert bench.machine.calls == []


def test_an_index_that_is_not_taken_fails_the_push(bench: Bench, publisher: RecordingPublisher) -> None:
    publisher.refuses = "locked (tag v1)"
    outcome = bench.run(QuickBuild(images=("x:v1",), platforms=BOTH))
    assert outcome.error.endswith("failed to push the index app.example.com/x:v1: locked (tag v1)")


def test_provenance_says_what_was_built_of_what_and_no_secret(bench: Bench, publisher: RecordingPublisher) -> None:
    bench.commit = "c0ffee"
    bench.machine.files["/workspace/Dockerfile"] = b"FROM alpine:3 AS t\n"
    bench.machine.on("docker build", ends(0, f"#5 [1/2] FROM docker.io/library/alpine:3@{BASE}\n".encode()))
    arguments = (BuildArgument("V", "4"), BuildArgument("TOKEN", "hush", is_secret=True))
    bench.run(QuickBuild(images=("x:v1",), arguments=arguments, target="t", attestations=("provenance",)))
    ((of, attachment),) = publisher.attached
    assert (of, attachment.media_type) == (f"app.example.com/x@{AMD}", "application/vnd.in-toto+json")
    assert b"hush" not in attachment.content
    statement = json.loads(attachment.content)
    assert statement["subject"] == [{"name": "app.example.com/x", "digest": {"sha256": AMD.partition(":")[2]}}]
    definition = statement["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["arguments"] == {"V": "4"}
    assert definition["externalParameters"]["secretArguments"] == ["TOKEN"]
    assert definition["resolvedDependencies"] == [
        {
            "uri": "pkg:docker/registry.hub.docker.com/library/alpine@3",
            "digest": {"sha256": BASE.partition(":")[2]},
        },
        {"uri": "git+https://git.example.com/a.git", "digest": {"gitCommit": "c0ffee"}},
    ]
    assert statement["predicate"]["runDetails"] == {
        "builder": {"id": "urn:entrepot:d"},
        "metadata": {"invocationId": "urn:entrepot:d/runs/ca1"},
    }


def test_a_build_step_asks_for_an_sbom_and_its_push_attaches_it(bench: Bench, publisher: RecordingPublisher) -> None:
    bench.sbom_image = "tools/syft:1"
    bench.machine.on("docker run", ends(0, b'{"spdxVersion": "SPDX-2.3"}'))
    bench.run("steps: [{build: -t app.example.com/x:v1 ., attestations: [sbom]}, {push: ['app.example.com/x:v1']}]")
    ((_, attachment),) = publisher.attached
    assert (attachment.media_type, json.loads(attachment.content)) == (
        "application/spdx+json",
        {"spdxVersion": "SPDX-2.3"},
    )
    (ran,) = bench.machine.of("docker run")
    assert "tools/syft:1 docker:app.example.com/x:v1 --output spdx-json" in ran.text


@pytest.mark.parametrize(
    ("image", "output", "reason"),
    [
        ("", b"", "there is no generator of SBOMs: --task-images sbom=REFERENCE"),
        ("tools/syft:1", b"no JSON", "wrote no JSON document"),
        ("tools/syft:1", b"[1]", "wrote no JSON document"),
    ],
)
def test_an_sbom_that_cannot_be_had_fails_the_push(
    bench: Bench, publisher: RecordingPublisher, image: str, output: bytes, reason: str
) -> None:
    bench.sbom_image = image
    bench.machine.on("docker run", ends(0, output))
    outcome = bench.run(QuickBuild(images=("x:v1",), attestations=("sbom",)))
    assert outcome.ending is Ending.FAILED
    assert reason in outcome.error


def test_a_generator_that_fails_says_why(bench: Bench, publisher: RecordingPublisher) -> None:
    bench.sbom_image = "tools/syft:1"
    bench.machine.on("docker run", ends(125, b"manifest for tools/syft:1\nnot found\n"))
    outcome = bench.run(QuickBuild(images=("x:v1",), attestations=("sbom",)))
    assert "exit status 125: manifest for tools/syft:1 not found" in outcome.error


def test_attestations_of_an_image_elsewhere_are_refused(bench: Bench, publisher: RecordingPublisher) -> None:
    outcome = bench.run(QuickBuild(images=("b.example.com/x:v1",), attestations=("provenance",)))
    assert "they lie in the run's own registry alone" in outcome.error
