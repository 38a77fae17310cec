"""Lines and arguments (ACR-TASKS 1.5 to 1.7, 2.4, 4.1)."""

import shlex
import subprocess

import pytest

from entrepot.tasks.execution import commands
from entrepot.tasks.execution.model import BuildArgument, QuickBuild
from entrepot.tasks.language.model import Step, VolumeMount

SHARED = (
    "--volume acb-workspace:/workspace --volume /var/run/docker.sock:/var/run/docker.sock --volume acb-home:/acb/home"
)


def line(step: Step, exits: dict[str, int] | None = None) -> str:
    return commands.run_line(step, exits or {})


def test_a_step_is_docker_run_with_the_text_behind_it() -> None:
    found = line(Step(id="a", cmd="bash -c 'echo $(date)' | tee x"))
    assert found == (
        f"docker run --rm --name a {SHARED} --env HOME=/acb/home --workdir /workspace bash -c 'echo $(date)' | tee x"
    )


def test_every_property_is_in_its_place() -> None:
    step = Step(
        id="web",
        cmd="nginx -g x",
        detach=True,
        keep=True,
        ports=["8080:80", "22"],
        expose=["80"],
        user="1000:1000",
        network="net",
        cpus="1.5",
        entry_point="/bin/sh",
        volume_mounts=[VolumeMount("vol", "/run/v")],
        env=["A=1", "S='x y'"],
        working_directory="src/./app",
    )
    assert line(step) == (
        "docker run --detach -p 8080:80 -p 22 --expose 80 --user 1000:1000 --network net --cpus 1.5 "
        f"--entrypoint /bin/sh --name web {SHARED} --volume vol:/run/v --env HOME=/acb/home --env A=1 --env S='x y' "
        "--workdir /workspace/src/app nginx -g x"
    )


def test_what_is_named_in_a_property_of_ours_is_one_word_of_the_shell() -> None:
    step = Step(
        id="a;reboot",
        cmd="x",
        network="$(id)",
        working_directory="a b`id`",
        volume_mounts=[VolumeMount("vol", "/m;ls")],
    )
    words = shlex.split(line(step))
    assert {"a;reboot", "$(id)", "/workspace/a b`id`", "vol:/m;ls"} <= set(words)


def test_a_value_of_env_loses_its_shell_quotes_as_in_acr() -> None:
    text = line(Step(id="a", cmd="x", env=['S=\'{"a": "$b"}\''])).replace("docker run", "printf '%s\\n'", 1)
    said = subprocess.run(["sh", "-c", text], check=True, capture_output=True, text=True)
    assert 'S={"a": "$b"}' in said.stdout.splitlines()


def test_the_images_own_working_directory_counts_when_asked() -> None:
    assert "--workdir" not in line(Step(id="a", cmd="x", disable_working_directory_override=True))


def test_exit_codes_of_earlier_steps_are_variables_below_the_authors_own() -> None:
    found = line(Step(id="a", cmd="x", env=["B=1"]), {"unit-tests.1": 3})
    assert "--env HOME=/acb/home --env ACR_STEP_UNIT_TESTS_1_EXIT=3 --env B=1" in found


@pytest.mark.parametrize(
    ("folder", "whole"),
    [
        ("", "/workspace"),
        ("a/b", "/workspace/a/b"),
        ("/opt", "/opt"),
        ("..", "/"),
        ("a/../../x", "/x"),
    ],
)
def test_a_working_folder_is_below_the_work_folder_unless_it_leaves_it(folder: str, whole: str) -> None:
    assert commands.folder_of(Step(working_directory=folder)) == whole


@pytest.mark.parametrize(
    ("command", "image"),
    [
        ("bash -c 'x y'", "bash"),
        ("-t app.example.com/x", "app.example.com/x"),
        ("'quoted' run", "quoted"),
        ("it's", "it's"),
        ("--rm", ""),
    ],
)
def test_the_image_is_the_first_word_that_is_no_option(command: str, image: str) -> None:
    assert commands.image_of(command) == image


def test_a_build_is_docker_build_with_the_text_behind_it() -> None:
    assert commands.build_line(Step(), "-t x . && true", "") == "docker build -t x . && true"
    found = commands.build_line(Step(env=["DOCKER_BUILDKIT=0", "B='c d'"]), "-t x .", "")
    assert found == "env DOCKER_BUILDKIT=0 B='c d' docker build -t x ."


def test_a_cached_build_uses_its_image_and_writes_it() -> None:
    found = commands.build_line(Step(), "-t x .", "app.example.com/x:cache_t_s")
    cache = "app.example.com/x:cache_t_s"
    assert found == (f"docker build --cache-from {cache} --build-arg BUILDKIT_INLINE_CACHE=1 --tag {cache} -t x .")


def test_a_build_finds_the_files_of_a_volume_where_it_says_that_they_are() -> None:
    step = Step(volume_mounts=[VolumeMount("v", "/run/my/")])
    text = "--secret id=a,src=/run/my/a --secret id=b,src='/run/my' -f /run/my-own/D /x/run/my/a ."
    v = "/acb/home/.entrepot/volumes/v"
    assert commands.build_line(step, text, "") == (
        f"docker build --secret id=a,src={v}/a --secret id=b,src='{v}' -f /run/my-own/D /x/run/my/a ."
    )


@pytest.mark.parametrize(
    ("env", "is_classic"),
    [
        ([], False),
        (["DOCKER_BUILDKIT=1"], False),
        (["DOCKER_BUILDKIT=0"], True),
        (["DOCKER_BUILDKIT='0'"], True),
        (["DOCKER_BUILDKIT=0", "DOCKER_BUILDKIT=1"], False),
    ],
)
def test_the_last_word_on_buildkit_counts(env: list[str], is_classic: bool) -> None:
    assert commands.is_classic(Step(env=env)) is is_classic


def test_a_quick_build_is_arguments_and_its_secrets_are_in_none() -> None:
    build = QuickBuild(
        dockerfile="a b/Dockerfile; id",
        no_cache=True,
        target="$(id)",
        platforms=("linux/arm64/v8",),
        arguments=(
            BuildArgument("A", "1 2"),
            BuildArgument("FROM_ENV", None),
            BuildArgument("TOKEN", "s3cret", is_secret=True),
        ),
    )
    words = commands.quick_arguments(build, ["app.example.com/x:1", "app.example.com/y"])
    assert words[:8] == [
        "build",
        "--no-cache",
        "--file",
        "a b/Dockerfile; id",
        "--tag",
        "app.example.com/x:1",
        "--tag",
        "app.example.com/y",
    ]
    assert words[8:] == [
        *("--build-arg", "A=1 2", "--build-arg", "FROM_ENV", "--build-arg", "TOKEN"),
        *("--target", "$(id)", "--platform", "linux/arm64/v8"),
    ]
    assert commands.quick_secrets(build) == ["--secret", "id=TOKEN,env=TOKEN"]
    assert commands.quick_environment(build) == {"TOKEN": "s3cret"}
    assert "s3cret" not in repr(build)


@pytest.mark.parametrize("name", ["PATH", "HOME", "DOCKER_HOST", "docker_config", "BUILDKIT_PROGRESS", "LD_PRELOAD"])
def test_a_secret_argument_may_not_change_the_client(name: str) -> None:
    arguments = (BuildArgument(name, "x", is_secret=True), BuildArgument("PATH", "fine"))
    assert commands.unusable_secrets(QuickBuild(arguments=arguments)) == [name]
