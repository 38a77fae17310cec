"""Build steps: the builder, the cache, what an image stands on (ACR-TASKS 4.1, 4.4, 4.5, 6.5)."""

import pytest
from tests.unit.tasks.execution.recording import Bench, ends

from entrepot.tasks.engines.model import EngineImage
from entrepot.tasks.execution.images import ImageName
from entrepot.tasks.execution.model import BuildArgument, Ending, Fetched, Login, QuickBuild

BUILD = "docker build"
DOCKERFILE = "/workspace/Dockerfile"
DIGESTS = ["sha256:" + letter * 64 for letter in "abcd"]


def test_a_build_runs_in_the_steps_folder_with_buildkit(bench: Bench) -> None:
    bench.run("steps: [{id: a, build: -t x ., workingDirectory: src}]")
    (build,) = bench.machine.of(BUILD)
    assert build.text == "docker build -t x ."
    assert build.call.folder == "/workspace/src"
    # The machine has no network, so the client fetches no tokens.
    assert build.call.env == {"DOCKER_BUILDKIT": "1", "BUILDKIT_NO_CLIENT_TOKEN": "1"}


def test_the_classic_builder_is_there_when_asked(bench: Bench) -> None:
    bench.run("env: [DOCKER_BUILDKIT=0]\nsteps: [{id: a, build: -t x .}]")
    assert [each.text for each in bench.machine.of(BUILD)] == ["env DOCKER_BUILDKIT=0 docker build -t x ."]


def test_a_build_outside_the_runs_folders_is_refused_in_clear_words(bench: Bench) -> None:
    outcome = bench.run("steps: [{id: a, build: -t x ., workingDirectory: ../etc}]")
    assert outcome.error.startswith("failed to run step ID: a: working directory /etc is not within /workspace")
    assert bench.machine.of(BUILD) == []


def test_a_build_has_retries_as_any_step(bench: Bench) -> None:
    bench.machine.on(BUILD, ends(1), ends(0))
    assert bench.run("steps: [{build: -t x ., retries: 1}]").ending is Ending.SUCCEEDED
    assert len(bench.machine.of(BUILD)) == 2


def test_a_context_elsewhere_was_fetched_and_is_built_where_it_lies(bench: Bench) -> None:
    bench.fetched = {"a": Fetched("a/src", "c0ffee")}
    outcome = bench.run("steps: [{id: a, build: '-t x -f D https://git.example.com/a.git#v1:src'}]")
    (build,) = bench.machine.of(BUILD)
    assert (build.text, build.call.folder) == ("docker build -t x -f D .", "/workspace/a/src")
    assert [each.commit for each in outcome.dependencies] == ["c0ffee"]


def test_base_images_are_read_from_where_docker_finds_the_file(bench: Bench) -> None:
    dockerfile = b"ARG V=3\nFROM --platform=linux/amd64 golang:1.22 AS b\nFROM alpine:$V\nCOPY --from=b /x /\n"
    bench.machine.files["/workspace/src/my files/D"] = dockerfile
    outcome = bench.run("steps: [{build: -t x -f 'my files/D' --build-arg V=4 ., workingDirectory: src}]")
    (found,) = outcome.dependencies
    assert found.runtime is not None
    assert (found.runtime.reference, [each.reference for each in found.buildtime]) == ("alpine:4", ["golang:1.22"])
    assert bench.told("Successfully scanned dependencies")


@pytest.mark.parametrize(
    ("dockerfile", "reason"),
    [
        (None, "there is no ./Dockerfile"),
        (b"RUN x\n", "no FROM: the file has no build stage"),
        (b"x" * 2_000_000, "the file is longer than"),
    ],
)
def test_what_cannot_be_scanned_is_the_builders_to_judge(bench: Bench, dockerfile: bytes | None, reason: str) -> None:
    if dockerfile is not None:
        bench.machine.files[DOCKERFILE] = dockerfile
    outcome = bench.run("steps: [{build: -t x .}]")
    assert outcome.ending is Ending.SUCCEEDED
    assert bench.told(f"Base images are not known: {reason}")


def test_the_time_of_the_look_for_a_base_image_is_not_the_steps(bench: Bench) -> None:
    bases_on(bench, OLD)
    bench.machine.on("docker pull", ends(0, seconds=500))
    bench.run("steps: [{build: -t x ., timeout: 100}]")
    assert [each.call.seconds for each in bench.machine.of(BUILD)] == [100]


def test_digests_come_from_what_buildkit_and_the_push_tell(bench: Bench) -> None:
    bench.machine.files[DOCKERFILE] = b"FROM golang:1 AS b\nFROM alpine:3\nCOPY --from=b / /\n"
    told = (
        f"#5 [b 1/1] FROM docker.io/library/golang:1@{DIGESTS[0]}\n"
        f"#6 [stage-1 1/2] FROM docker.io/library/alpine@{DIGESTS[1]}\n"
        f"#7 0.25 #6 [x] FROM docker.io/library/alpine:3@{DIGESTS[2]}\n"
    )
    bench.machine.on(BUILD, ends(0, told.encode()))
    bench.machine.on("push", ends(0, f"1: digest: {DIGESTS[3]} size: 528\n".encode()))
    bench.commit = "c0ffee"
    outcome = bench.run("steps: [{id: b, build: -t app.example.com/x:1 .}, {push: ['app.example.com/x:1']}]")
    image = ImageName("app.example.com", "x", "1", DIGESTS[3], "app.example.com/x:1")
    assert outcome.images == (image,)
    assert bench.machine.asked == [["alpine:3", "golang:1"]]
    at = bench.log.lines.index("The following dependencies were found:")
    assert bench.log.lines[at - 4 : at] == [
        "Step ID: b marked as successful (elapsed time in seconds: 0.000000)",
        "Populating digests for step ID: b...",
        "Successfully populated digests for step ID: b",
        "Step ID: acb_step_1 marked as successful (elapsed time in seconds: 0.000000)",
    ]
    assert bench.log.lines[at + 1 :] == [
        f"""\
- image:
    registry: app.example.com
    repository: x
    tag: "1"
    digest: {DIGESTS[3]}
  runtime-dependency:
    registry: registry.hub.docker.com
    repository: library/alpine
    tag: "3"
    digest: {DIGESTS[1]}
  buildtime-dependency:
  - registry: registry.hub.docker.com
    repository: library/golang
    tag: "1"
    digest: {DIGESTS[0]}
  git:
    git-head-revision: c0ffee
"""
    ]


def test_digests_that_no_output_told_are_looked_up_at_once(bench: Bench) -> None:
    bench.machine.there = [EngineImage(("x:1",), ()), EngineImage(("x:1", "z:2"), (f"z@{DIGESTS[1]}",))]
    outcome = bench.run("steps: [{build: '-t x:1 -t y -t z:2 .'}]")
    assert bench.machine.asked == [["x:1", "y", "z:2"]]
    found = [(each.image.reference, each.image.digest) for each in outcome.dependencies if each.image]
    assert found == [("x:1", ""), ("y", ""), ("z:2", DIGESTS[1])]
    assert [image.reference for image in outcome.images] == ["z:2"]


def test_an_engine_that_tells_no_digests_ends_no_run(bench: Bench) -> None:
    bench.machine.is_silent = True
    assert bench.run("steps: [{build: '-t x:1 .'}]").ending is Ending.SUCCEEDED
    assert bench.told("Digests are not known: it does not answer")


def bases_on(bench: Bench, *digests: str) -> None:
    """A build on one image, of which the engine says this; it is behind the registry."""
    bench.machine.files[DOCKERFILE] = b"FROM localhost:5000/os:1\n"
    bench.machine.there = [EngineImage(("localhost:5000/os:1",), digests)]


OLD = f"localhost:5000/os@{DIGESTS[0]}"


def test_a_base_image_that_the_engine_has_is_asked_for_again(bench: Bench) -> None:
    bases_on(bench, OLD)
    bench.machine.on("docker pull", ends(0, f"1: Pulling from os\nDigest: {DIGESTS[1]}\nStatus: ...\n".encode()))
    outcome = bench.run("steps: [{build: .}]")
    assert [each.text for each in bench.machine.of("pull|docker build")] == [
        "docker pull -- localhost:5000/os:1",
        "docker build .",
    ]
    assert [each.runtime.digest for each in outcome.dependencies if each.runtime] == [DIGESTS[1]]
    assert bench.told("Looking for a newer base image: localhost:5000/os:1")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(ends(1, b"no such host\n"), "no such host"), (ends(0, seconds=10_000), "it did not come within 900 seconds")],
)
def test_a_base_image_whose_registry_does_not_answer_is_used_as_it_is(bench: Bench, answer, reason: str) -> None:
    bench.timeout = 28_800
    bases_on(bench, OLD)
    bench.machine.on("docker pull", answer)
    outcome = bench.run("steps: [{build: .}]")
    assert outcome.ending is Ending.SUCCEEDED
    assert bench.told(f"The base image is used as it is here: {reason}")
    assert [each.runtime.digest for each in outcome.dependencies if each.runtime] == [DIGESTS[0]]


def test_a_base_image_that_no_registry_had_is_not_asked_for(bench: Bench) -> None:
    bases_on(bench)
    bench.run("steps: [{build: .}]")
    assert bench.machine.of("docker pull") == []


def test_a_base_image_that_is_named_by_its_digest_is_not_asked_for(bench: Bench) -> None:
    bench.machine.files[DOCKERFILE] = f"FROM os@{DIGESTS[0]}\n".encode()
    bench.run("steps: [{build: .}]")
    assert bench.machine.of("pull") == []
    assert bench.machine.asked == []


def test_a_build_without_a_name_has_dependencies_all_the_same(bench: Bench) -> None:
    bench.machine.files[DOCKERFILE] = f"FROM a.example.com/no@{DIGESTS[0]}\n".encode()
    outcome = bench.run("steps: [{build: .}]")
    assert [each.image for each in outcome.dependencies] == [None]
    assert bench.log.lines[-1] == (
        "- runtime-dependency:\n"
        "    registry: a.example.com\n"
        '    repository: "no"\n'
        f"    digest: {DIGESTS[0]}\n"
        "  git: {}\n"
    )
    assert outcome.images == ()


def test_a_build_that_may_fail_and_did_has_none(bench: Bench) -> None:
    bench.machine.on(BUILD, ends(1))
    outcome = bench.run("steps: [{build: -t x ., ignoreErrors: true}]")
    assert (outcome.ending, outcome.dependencies) == (Ending.SUCCEEDED, ())
    assert not bench.told("dependencies were found")


def test_a_cached_build_pushes_its_cache(bench: Bench) -> None:
    bench.task_name = "nightly"
    bench.run("steps: [{id: b, build: -t x:1 ., cache: Enabled}]")
    cache = "app.example.com/x:cache_nightly_b"
    (build,) = bench.machine.of(BUILD)
    assert build.text.startswith(f"docker build --cache-from {cache} ")
    assert [each.text for each in bench.machine.of("push")] == [f"docker push -- {cache}"]


def test_a_cache_that_cannot_be_pushed_is_told_and_nothing_more(bench: Bench) -> None:
    bench.machine.on("push", ends(1, b"denied\n"))
    assert bench.run("steps: [{id: b, build: -t x:1 ., cache: enabled}]").ending is Ending.SUCCEEDED
    assert bench.told("The build cache was not pushed to app.example.com/x:cache_quickrun_b: denied")


STAGES = b"FROM a AS deps\nRUN x\nFROM b AS other\nRUN y\nFROM c\nCOPY --from=deps / /\nCOPY --from=other / /\n"
# As BuildKit writes it: an instruction that was done, and one that was found in a cache.
DONE = b"#4 [deps 1/2] FROM a\n#4 DONE 0.0s\n#5 [deps 2/2] RUN x\n#5 0.2 said\n#5 DONE 1.4s\n"
CACHED = b"#4 [other 1/2] FROM b\n#4 DONE 0.0s\n#6 [other 2/2] RUN y\n#6 CACHED\n#7 exporting\n#7 DONE 0.1s\n"
CACHE = "app.example.com/x:cache_quickrun_b"


def test_a_cached_build_keeps_the_stages_in_which_something_was_done(bench: Bench) -> None:
    bench.machine.files[DOCKERFILE] = STAGES
    bench.machine.on("--target deps", ends(0, DONE))
    bench.machine.on("--target other", ends(0, CACHED))
    bench.run("steps: [{id: b, build: -t x:1 --build-arg V=$V ., cache: enabled, env: [V=1]}]")

    def built(cache: str, text: str) -> str:
        return f"env V=1 docker build --cache-from {cache} --build-arg BUILDKIT_INLINE_CACHE=1 --tag {cache} {text}"

    assert [each.text for each in bench.machine.of(BUILD)] == [
        built(f"{CACHE}.deps", "--target deps --build-arg V=$V ."),
        built(f"{CACHE}.other", "--target other --build-arg V=$V ."),
        built(CACHE, "-t x:1 --build-arg V=$V ."),
    ]
    pushed = [each.text for each in bench.machine.of("push")]
    assert pushed == [f"docker push -- {CACHE}", f"docker push -- {CACHE}.deps"]


def test_a_stage_that_fails_fails_the_build(bench: Bench) -> None:
    bench.machine.files[DOCKERFILE] = STAGES
    bench.machine.on("--target other", ends(3))
    outcome = bench.run("steps: [{id: b, build: -t x:1 ., cache: enabled}]")
    assert outcome.error == "failed to run step ID: b: exit status 3"
    assert len(bench.machine.of(BUILD)) == 2
    assert bench.machine.of("push") == []


def test_what_is_more_than_a_build_is_done_once(bench: Bench) -> None:
    bench.machine.files[DOCKERFILE] = STAGES
    bench.run("steps: [{id: b, build: '-t x:1 . && docker push x:1', cache: enabled}]")
    (build,) = bench.machine.of(BUILD)
    assert "--target" not in build.text
    assert bench.told("the cache has the last stage alone")


def test_stages_are_kept_for_who_asks_for_a_cache_alone(bench: Bench) -> None:
    """They may hold what the image does not show."""
    bench.logins = (Login("app.example.com", "run", "s3cret"),)
    bench.machine.files[DOCKERFILE] = STAGES
    bench.run("steps: [{build: -t app.example.com/x:1 .}, {push: ['app.example.com/x:1']}]")
    (build,) = bench.machine.of(BUILD)
    assert "--target" not in build.text


def test_the_classic_builder_has_no_cache_of_ours(bench: Bench) -> None:
    bench.run("steps: [{build: -t x:1 ., cache: enabled, env: [DOCKER_BUILDKIT=0]}]")
    assert bench.told("the cache is not used, it needs BuildKit")
    assert bench.machine.of("cache") == []


def test_a_build_that_failed_leaves_no_cache(bench: Bench) -> None:
    bench.machine.on(BUILD, ends(1))
    bench.run("steps: [{build: -t x:1 ., cache: enabled}]")
    assert bench.machine.of("push") == []


def test_a_machine_without_buildkit_is_not_mistaken_for_others_of_its_engine(bench: Bench) -> None:
    """One of a run whose egress is a list has none, where earlier runs found it."""
    line = "steps: [{build: -t x .}]"
    bench.run(line)
    bench.machine.has_buildkit = False
    bench.run(line)
    bench.machine.has_buildkit = True
    bench.run(line)
    assert ["DOCKER_BUILDKIT" in each.call.env for each in bench.machine.of(BUILD)] == [True, False, True]


def test_a_client_without_buildkit_builds_as_it_can(bench: Bench) -> None:
    bench.machine.has_buildkit = False
    arguments = (BuildArgument("TOKEN", "hush", is_secret=True),)
    bench.run(QuickBuild(arguments=arguments, is_pushed=False))
    bench.run("steps: [{build: -t x ., cache: enabled}]")
    assert [(each.text, dict(each.call.env)) for each in bench.machine.of(BUILD)] == [
        ("docker build --file Dockerfile --build-arg TOKEN .", {"TOKEN": "hush"}),
        ("docker build -t x .", {}),
    ]
    assert bench.told("BuildKit is not here (it needs docker")
    assert bench.told("the cache is not used, it needs BuildKit")
