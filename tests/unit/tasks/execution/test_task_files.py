"""Whole task files of the kinds that ACR's samples show (ACR-TASKS 11): what each runs, in which order."""

import re
import string
from dataclasses import replace

import pytest
from tests.unit.tasks.execution.recording import Bench, ends

from entrepot.tasks.execution.executor import execute
from entrepot.tasks.execution.model import Ending, Login, Outcome, Work
from entrepot.tasks.language.reading import Given, Run, read_task

GIVEN = Given(
    Run(id="cf1", registry="app.example.com", registry_name="app", date="20260504-133000z"),
    values={"secret1": "s1", "registryName": "app"},
    images={"bash": "mcr.example.com/bash:1", "acr": "mcr.example.com/acr:1"},
)
ONE_IMAGE = """
version: v1.1.0
steps:
  - build: -t $Registry/hello-world:$ID .
  - push: ["$Registry/hello-world:$ID"]
"""
TWO_TAGS = """
version: v1.1.0
steps:
  - id: make
    build: -t $Registry/web:$ID -t $Registry/web:latest -f sub/Dockerfile .
  - push:
    - $Registry/web:$ID
    - $Registry/web
"""
BUILD_THEN_RUN = """
version: v1.1.0
steps:
  - build: -t $Registry/hello-world:$ID .
  - push: ["$Registry/hello-world:$ID"]
  - cmd: $Registry/hello-world:$ID
"""
BUILT_SIDE_BY_SIDE = """
version: v1.0.0
steps:
  - {id: build-web, build: -t web ., when: ["-"]}
  - {id: build-test, build: -t test -f Test/Dockerfile ., when: ["-"]}
  - {id: web, cmd: web, when: [build-web], detach: true, ports: ["8080:80"]}
  - {id: test, cmd: test http://web, when: [web, build-test], retries: 3, retryDelay: 1}
  - {id: stop, cmd: docker stop web, when: [test]}
"""
NO_ALIASES = "steps: [{cmd: bash echo hello}]"
ALIASES = "version: v1.1.0\nsteps: [{cmd: bash echo hello}, {cmd: 'bash:3.0 echo hello'}, {cmd: acr purge --untagged}]"
FLAGS_FIRST = "version: v1.1.0\nsteps: [{id: web, cmd: -t $Registry/web:1, detach: true, ports: ['80']}]"
LINES = """
steps:
  - id: login
    cmd: >-
      bash echo '{{.Values.secret1}}' |
      docker login --username me --password-stdin hub.example.com
  - cmd: |
      docker pull a
      docker pull b
"""
BOOTSTRAP = """
version: v1.1.0
steps:
  - id: builder
    env: [DOCKER_BUILDKIT=1, my-name=x]
    cmd: |
      docker buildx create --use --name "a builder" --driver-opt 'image={{.Values.registryName}}:1'
  - build: -t {{.Run.Registry}}/web .
  - push: [ {{.Run.Registry}}/web ]
"""
STEP = "docker run --rm --network acb_default_network --name"
OLD_STYLE = """
stepTimeout: 60
workingDirectory: app
env: [A=1, "B=2,C=3"]
steps:
  - {id: a, cmd: "build -f acb.yaml", env: ["B='{{.Values.registryName}}'"]}
  - {id: b, build: ".", env: [C=4], network: host}
"""


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            ONE_IMAGE,
            ["docker build -t app.example.com/hello-world:cf1 .", "docker push -- app.example.com/hello-world:cf1"],
        ),
        (
            TWO_TAGS,
            [
                "docker build -t app.example.com/web:cf1 -t app.example.com/web:latest -f sub/Dockerfile .",
                "docker push -- app.example.com/web:cf1",
                "docker push -- app.example.com/web:latest",
            ],
        ),
        (
            BUILD_THEN_RUN,
            [
                "docker build -t app.example.com/hello-world:cf1 .",
                "docker push -- app.example.com/hello-world:cf1",
                f"{STEP} acb_step_2 ... app.example.com/hello-world:cf1",
            ],
        ),
        (NO_ALIASES, [f"{STEP} acb_step_0 ... bash echo hello"]),
        (
            ALIASES,
            [
                f"{STEP} acb_step_0 ... mcr.example.com/bash:1 echo hello",
                f"{STEP} acb_step_1 ... bash:3.0 echo hello",
                f"{STEP} acb_step_2 ... mcr.example.com/acr:1 purge --untagged",
            ],
        ),
        (
            FLAGS_FIRST,
            [
                "docker run --rm --detach -p 80 --network acb_default_network --name web ... -t app.example.com/web:1",
            ],
        ),
        (
            LINES,
            [
                f"{STEP} login ... bash echo 's1' | docker login --username me --password-stdin hub.example.com",
                f"{STEP} acb_step_1 ... docker pull a\ndocker pull b\n",
            ],
        ),
        (
            OLD_STYLE,
            [
                f"{STEP} a ...app build -f acb.yaml",
                "env A=1 B=2 C=4 docker build .",
            ],
        ),
        (
            BOOTSTRAP,
            [
                f"{STEP} builder ... docker buildx create --use --name \"a builder\" --driver-opt 'image=app:1'",
                "docker build -t app.example.com/web .",
                "docker push -- app.example.com/web:latest",
            ],
        ),
    ],
    ids=[
        "one image",
        "two tags",
        "build then run",
        "no aliases",
        "aliases",
        "flags first",
        "lines",
        "old style",
        "bootstrap",
    ],
)
def test_a_file_runs_these_lines(bench: Bench, text: str, lines: list[str]) -> None:
    assert run(bench, text) is Ending.SUCCEEDED
    assert ran(bench) == lines


# A graph of every shape: four steps that begin at once, one that waits for one of them, and two chains in one.
GRAPH = """
env: [COLOR=red, SIZE=1]
networks:
  - {name: own, isDefault: true}
steps:
  - {id: fetch, cmd: "docker pull base", when: ["-"], retries: 2, retryDelay: 90, network: host}
  - {id: A, cmd: "a", when: ["-"], repeat: 2, exitedWith: [0, 3], exitedWithout: [1]}
  - {id: B, cmd: "b", when: [A], env: [COLOR=blue]}
  - {id: base, build: "-t base .", when: ["-"], startDelay: 50}
  - {id: other, build: "-t other .", when: ["-"]}
  - {id: middle, build: "-t middle .", when: [base]}
  - {id: last, build: "-t last .", when: [middle, fetch], timeout: 30}
"""


def test_a_file_with_a_graph_of_every_shape_is_read_with_its_defaults() -> None:
    task = read_task(GRAPH, GIVEN)
    assert task.parents == {
        "fetch": (),
        "A": (),
        "B": ("A",),
        "base": (),
        "other": (),
        "middle": ("base",),
        "last": ("middle", "fetch"),
    }
    steps = {step.id: step for step in task.steps}
    assert {name: (step.timeout, step.retry_delay, step.network) for name, step in steps.items()} == {
        "fetch": (600, 90, "host"),
        **dict.fromkeys(("A", "B", "base", "other", "middle"), (600, 5, "own")),
        "last": (30, 5, "own"),
    }
    assert {name: step.start_delay for name, step in steps.items() if step.start_delay} == {"base": 50}
    assert (steps["A"].env, steps["B"].env) == (["COLOR=red", "SIZE=1"], ["SIZE=1", "COLOR=blue"])
    assert (steps["A"].repeat, steps["A"].exited_with, steps["A"].exited_without) == (2, [0, 3], [1])


def test_a_graph_runs_each_step_after_those_it_names(bench: Bench) -> None:
    bench.machine.files["/workspace/Dockerfile"] = b"FROM scratch\n"
    assert run(bench, GRAPH) is Ending.SUCCEEDED
    texts = ran(bench)
    at = {name: index for index, text in enumerate(texts) for name in steps_of(text)}
    assert at["A"] < at["B"]
    assert at["base"] < at["middle"] < at["last"]
    assert at["fetch"] < at["last"]
    # Once, and two times more.
    assert sum("--name A " in text for text in texts) == 3
    assert 50 in bench.clock.waits


def steps_of(text: str) -> list[str]:
    """The name of a container, or of the image that is built."""
    return re.findall(r"(?:--name|-t) (\S+)", text)


def test_sixty_two_aliases_of_one_sign_each_come_from_a_file() -> None:
    names = string.ascii_letters + string.digits
    listed = "".join(f"{name}: <{name}>\n" for name in names)
    given = replace(GIVEN, load={"more.yaml": listed}.__getitem__)
    used = ".".join(f"${name}" for name in names)
    text = f"version: v1.1.0\nalias: {{src: [more.yaml]}}\nsteps: [{{cmd: run {used}}}]"
    (step,) = read_task(text, given).steps
    assert step.cmd == f"run {'.'.join(f'<{name}>' for name in names)}"


def test_templates_write_small_letters_and_dates() -> None:
    text = """
version: v1.1.0
steps:
  - cmd: x {{ "APP" | lower }} {{ .Values.registryName | upper | lower }} {{ now | date "2006-01-02" }}
  - cmd: x $Date {{ .Run.Date }}
"""
    named, dated = read_task(text, GIVEN).steps
    assert re.fullmatch(r"x app app \d{4}-\d{2}-\d{2}", named.cmd)
    assert dated.cmd == "x 20260504-133000z 20260504-133000z"


def test_two_images_that_are_pushed_are_two_entries_of_the_dependencies(bench: Bench) -> None:
    bench.machine.files["/workspace/sub/Dockerfile"] = b"FROM alpine:3\n"
    outcome = outcome_of(bench, TWO_TAGS)
    found = [(each.image.repository, each.image.tag) for each in outcome.dependencies if each.image]
    assert found == [("web", "cf1"), ("web", "latest")]
    assert [each.runtime.reference for each in outcome.dependencies if each.runtime] == ["alpine:3", "alpine:3"]
    (block,) = [line for line in bench.log.lines if line.startswith("- image:")]
    assert re.findall("    tag: (.*)", block) == ["cf1", '"3"', "latest", '"3"']


TWO_REGISTRIES = """
version: v1.1.0
steps:
  - {id: one, build: "-t {{.Values.first}}/web:$ID ."}
  - {id: two, build: "-t {{.Values.second}}/web:$ID ."}
  - push: ["{{.Values.first}}/web:$ID"]
  - push: ["{{.Values.second}}/web:$ID"]
"""


def test_one_file_pushes_to_two_registries_once_it_is_signed_in_to_both(bench: Bench) -> None:
    servers = ("one.example.com", "two.example.com")
    bench.logins = tuple(Login(server, "u", f"password-{server}") for server in servers)
    given = replace(GIVEN, values=dict(zip(("first", "second"), servers, strict=True)))
    assert outcome_of(bench, TWO_REGISTRIES, given).ending is Ending.SUCCEEDED
    signed_in = [(each.text.rpartition(" ")[2], each.call.input) for each in bench.machine.of("^docker login")]
    assert signed_in == [(server, f"password-{server}".encode()) for server in servers]
    pushed = [f"docker push -- {server}/web:cf1" for server in servers]
    assert ran(bench) == [*(f"docker build -t {server}/web:cf1 ." for server in servers), *pushed]
    texts = bench.machine.texts
    last = max(at for at, text in enumerate(texts) if text.startswith("docker login"))
    assert last < texts.index("docker build -t one.example.com/web:cf1 .")


PULL_FIRST = """
version: v1.1.0
steps:
  - {id: pull, cmd: docker pull hub.example.com/sdk:8, retries: 3, retryDelay: 5}
  - build: -t $Registry/weather:$ID --build-arg SDK=hub.example.com/sdk:8 --build-arg MODE=Release -f Web/Dockerfile .
  - push: ["$Registry/weather:$ID"]
"""


def test_a_pull_that_is_retried_comes_before_a_build_with_arguments(bench: Bench) -> None:
    bench.machine.files["/workspace/Web/Dockerfile"] = b"ARG SDK\nARG MODE\nFROM $SDK\n"
    bench.machine.on("docker pull", ends(1), ends(1), ends(0))
    outcome = outcome_of(bench, PULL_FIRST)
    assert outcome.ending is Ending.SUCCEEDED
    assert bench.clock.waits == [5, 5]
    arguments = "--build-arg SDK=hub.example.com/sdk:8 --build-arg MODE=Release"
    assert ran(bench) == [
        *[f"{STEP} pull ... docker pull hub.example.com/sdk:8"] * 3,
        f"docker build -t app.example.com/weather:cf1 {arguments} -f Web/Dockerfile .",
        "docker push -- app.example.com/weather:cf1",
    ]
    assert [each.runtime.reference for each in outcome.dependencies if each.runtime] == ["hub.example.com/sdk:8"]


def test_builds_side_by_side_come_before_what_needs_them(bench: Bench) -> None:
    assert run(bench, BUILT_SIDE_BY_SIDE) is Ending.SUCCEEDED
    texts = ran(bench)
    assert texts.index("docker build -t web .") < 2
    assert "docker build -t test -f Test/Dockerfile ." in texts[:3]
    names = [found[1] for each in texts if (found := re.search("--name (\\S+)", each))]
    assert names == ["web", "test", "stop"]
    assert bench.machine.removed == ["web"]


def test_a_name_in_the_environment_may_have_a_hyphen(bench: Bench) -> None:
    run(bench, BOOTSTRAP)
    (line,) = [each.text for each in bench.machine.of("--name builder ")]
    assert " --env DOCKER_BUILDKIT=1 --env my-name=x --workdir /workspace docker buildx " in line


def test_environment_is_the_tasks_with_the_steps_over_it(bench: Bench) -> None:
    run(bench, OLD_STYLE)
    (line,) = [each.text for each in bench.machine.of("--name a ")]
    assert "--env HOME=/acb/home --env A=1 --env C=3 --env B='app' --workdir /workspace/app " in line
    assert bench.told(
        "Executing step ID: a. Timeout(sec): 60, Working directory: 'app', Network: 'acb_default_network'"
    )


def run(bench: Bench, text: str) -> Ending:
    return outcome_of(bench, text).ending


def outcome_of(bench: Bench, text: str, given: Given = GIVEN) -> Outcome:
    work = Work("r1", read_task(text, given), "app.example.com", 3600, 3600, bench.logins)
    return execute(work, bench.machine, bench.log, bench.canceled, bench.clock)


def ran(bench: Bench) -> list[str]:
    """Without what all steps have in common, and without what comes before and after them."""
    steps = [each.text for each in bench.machine.calls if re.match("(env .*)?docker (run|build|push) ", each.text)]
    return [re.sub("--volume .*--env HOME.*--workdir /workspace/?", "...", each) for each in steps]
