"""Builds without a task file, whole (ACR-TASKS 4.1, 6.5)."""

from tests.unit.tasks.execution.recording import Bench, ends

from entrepot.tasks.execution.model import BuildArgument, Ending, Login, QuickBuild

LOGIN = Login("app.example.com", "run", "s3cret")
OTHER = Login("b.example.com:5000", "me", "pw")
DIGEST = "sha256:" + "d" * 64
IMAGE_BLOCK = f"""\
- image:
    registry: app.example.com
    repository: sample/hello
    tag: v1
    digest: {DIGEST}
  git: {{}}
"""


def test_a_quick_build_builds_and_pushes_with_acrs_log(bench: Bench) -> None:
    bench.logins = (LOGIN,)
    bench.machine.files["/workspace/Dockerfile"] = b"FROM scratch\n"
    bench.machine.on("docker build", ends(0, b"built\n", 12.5))
    bench.machine.on("docker push .*:v1", ends(0, f"v1: digest: {DIGEST} size: 528\n".encode(), 4))
    outcome = bench.run(QuickBuild(images=("sample/hello:v1",)))
    assert outcome.ending is Ending.SUCCEEDED
    assert bench.log.lines == [
        "Setting up Docker configuration...",
        "Successfully set up Docker configuration",
        "Logging in to registry: app.example.com",
        "Successfully logged into app.example.com",
        "Executing step ID: build. Timeout(sec): 28800, Working directory: '', Network: ''",
        "Scanning for dependencies...",
        "Successfully scanned dependencies",
        "Launching container with name: build",
        "built\n",
        "Successfully executed container: build",
        "Executing step ID: push. Timeout(sec): 3600, Working directory: '', Network: ''",
        "Pushing image: app.example.com/sample/hello:v1, attempt 1",
        f"v1: digest: {DIGEST} size: 528\n",
        "Successfully pushed image: app.example.com/sample/hello:v1",
        "Step ID: build marked as successful (elapsed time in seconds: 12.500000)",
        "Populating digests for step ID: build...",
        "Successfully populated digests for step ID: build",
        "Step ID: push marked as successful (elapsed time in seconds: 4.000000)",
        "The following dependencies were found:",
        IMAGE_BLOCK,
    ]
    assert [(image.repository, image.tag, image.digest) for image in outcome.images] == [("sample/hello", "v1", DIGEST)]


def test_several_images_are_built_once_and_all_pushed(bench: Bench) -> None:
    bench.logins = (LOGIN, OTHER)
    images = ("x:1", "app.example.com/y", "b.example.com:5000/z:2", "other.io/w:3", "x:1")
    outcome = bench.run(QuickBuild(images=images))
    whole = ["app.example.com/x:1", "app.example.com/y", "b.example.com:5000/z:2", "app.example.com/other.io/w:3"]
    (build,) = bench.machine.of("docker build")
    named = " ".join(f"--tag {each}" for each in whole)
    assert build.text.startswith(f"docker build --file Dockerfile {named} ")
    pushed = [each.text.removeprefix("docker push -- ") for each in bench.machine.of("docker push")]
    assert [name for name in pushed if ":cache" not in name] == [whole[0], f"{whole[1]}:latest", *whole[2:]]
    assert len(outcome.dependencies) == 4


def test_without_push_nothing_is_pushed_and_no_image_is_told(bench: Bench) -> None:
    outcome = bench.run(QuickBuild(images=("x:1",), is_pushed=False))
    assert [step.id for step in outcome.steps] == ["build"]
    assert outcome.ending is Ending.SUCCEEDED
    assert outcome.images == ()
    assert bench.machine.of("push") == []


def test_a_failed_build_pushes_nothing(bench: Bench) -> None:
    bench.logins = (LOGIN,)
    bench.machine.on("docker build", ends(1))
    outcome = bench.run(QuickBuild(images=("x:1",)))
    assert outcome.error == "failed to run step ID: build: exit status 1"
    assert bench.machine.of("push") == []


def test_no_value_of_a_request_comes_near_a_shell(bench: Bench) -> None:
    bench.logins = (LOGIN,)
    arguments = (BuildArgument("A", "$(id); `id`"), BuildArgument("TOKEN", "hush", is_secret=True))
    build = QuickBuild("a b;id", ("x:1",), target="$(id)", arguments=arguments, folder="my src")
    bench.run(build)
    (built,) = bench.machine.of("docker build")
    assert built.call.folder == "/workspace/my src"
    assert built.call.env == {"DOCKER_BUILDKIT": "1", "BUILDKIT_NO_CLIENT_TOKEN": "1", "TOKEN": "hush"}
    assert not any("hush" in text for text in bench.machine.texts)
    assert all(text.startswith("docker ") for text in bench.machine.texts)
    assert bench.machine.read_paths == ["/workspace/my src/a b;id"]


def test_a_dockerfile_is_found_as_docker_finds_it(bench: Bench) -> None:
    bench.run(QuickBuild("/workspace/sub/Dockerfile", is_pushed=False, folder="sub"))
    assert bench.machine.read_paths == ["/workspace/sub/Dockerfile"]
    assert bench.machine.of("docker build")[0].text == "docker build --file /workspace/sub/Dockerfile ."


def test_a_context_outside_the_work_folder_is_refused(bench: Bench) -> None:
    outcome = bench.run(QuickBuild(is_pushed=False, folder="../etc"))
    assert "working directory /etc is not within /workspace" in outcome.error


def test_a_push_without_names_or_credentials_is_refused_in_acrs_words(bench: Bench) -> None:
    assert bench.run(QuickBuild()).error == "step is missing a cmd, build, or push property"
    assert bench.run(QuickBuild(images=("x",))).error == "when specifying push, at least one credential is required"
    assert bench.machine.calls == []


def test_a_secret_argument_that_would_change_the_client_is_refused(bench: Bench) -> None:
    build = QuickBuild(is_pushed=False, arguments=(BuildArgument("DOCKER_HOST", "x", is_secret=True),))
    assert "may not be called DOCKER_HOST" in bench.run(build).error
    assert bench.machine.calls == []
