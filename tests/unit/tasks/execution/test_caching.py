"""The cache that builds leave beside what they push (ACR-TASKS 4.4, 10)."""

import pytest
from tests.unit.tasks.execution.recording import Bench, ends

from entrepot.tasks.execution.model import Ending, Login, QuickBuild

LOGIN = Login("app.example.com", "run", "s3cret")
CACHE = "app.example.com/x:cache-feature-a-linux-arm64"
BUILT_AND_PUSHED = "steps: [{build: -t app.example.com/x:1 .}, {push: ['app.example.com/x:1']}]"


@pytest.fixture
def branch(bench: Bench) -> Bench:
    bench.logins, bench.branch, bench.platform = (LOGIN,), "feature/a", "linux/arm64"
    return bench


def pushed(bench: Bench) -> list[str]:
    return [each.text.removeprefix("docker push -- ") for each in bench.machine.of("docker push")]


@pytest.mark.parametrize("job", [QuickBuild(images=("x:1",)), BUILT_AND_PUSHED], ids=["quick", "steps"])
def test_a_pushed_image_has_a_cache_for_its_branch_and_platform(branch: Bench, job: QuickBuild | str) -> None:
    branch.run(job)
    (build,) = branch.machine.of("docker build")
    assert f"--cache-from {CACHE} --build-arg BUILDKIT_INLINE_CACHE=1 --tag {CACHE} " in build.text
    assert pushed(branch) == ["app.example.com/x:1", CACHE]


def test_a_build_says_its_own_platform(branch: Bench) -> None:
    branch.run(BUILT_AND_PUSHED.replace("-t ", "--platform linux/arm/v7 -t "))
    assert pushed(branch)[1] == "app.example.com/x:cache-feature-a-linux-arm-v7"


@pytest.mark.parametrize(
    "job",
    [
        QuickBuild(images=("x:1",), is_pushed=False),
        QuickBuild(images=("x:1",), no_cache=True),
        BUILT_AND_PUSHED.replace("build:", "cache: disabled, build:"),
        BUILT_AND_PUSHED.replace("build:", "env: [DOCKER_BUILDKIT=0], build:"),
        BUILT_AND_PUSHED.replace("app.example.com", "b.example.com"),
        BUILT_AND_PUSHED.partition(", {push")[0] + "]",
    ],
    ids=["not pushed", "no cache", "disabled", "classic", "elsewhere", "no push step"],
)
def test_what_the_task_would_not_write_is_not_written(branch: Bench, job: QuickBuild | str) -> None:
    branch.run(job)
    assert branch.machine.of("cache-") == []


def test_a_worker_may_keep_no_caches(branch: Bench) -> None:
    branch.keeps_cache = False
    branch.run(BUILT_AND_PUSHED)
    assert pushed(branch) == ["app.example.com/x:1"]


def test_an_image_that_was_not_pushed_has_no_cache(branch: Bench) -> None:
    branch.machine.on("docker push", ends(1))
    assert branch.run(BUILT_AND_PUSHED).ending is Ending.FAILED
    assert CACHE not in pushed(branch)


def test_a_cache_that_cannot_be_pushed_does_not_fail_the_run(branch: Bench) -> None:
    branch.machine.on("docker push.*cache-", ends(1, b"denied\n"))
    assert branch.run(BUILT_AND_PUSHED).ending is Ending.SUCCEEDED
    assert branch.told(f"The build cache was not pushed to {CACHE}: denied")
