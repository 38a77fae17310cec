"""Whole task files of the kinds that ACR's samples show (ACR-TASKS 11): what each runs, in which order."""

import re

import pytest
from tests.unit.tasks.execution.recording import Bench

from entrepot.tasks.execution.executor import execute
from entrepot.tasks.execution.model import Ending, Work
from entrepot.tasks.language.reading import Given, Run, read_task

GIVEN = Given(
    Run(id="cf1", registry="app.example.com", registry_name="app"),
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
    ],
    ids=["one image", "two tags", "build then run", "no aliases", "aliases", "flags first", "lines", "old style"],
)
def test_a_file_runs_these_lines(bench: Bench, text: str, lines: list[str]) -> None:
    assert run(bench, text) is Ending.SUCCEEDED
    assert ran(bench) == lines


def test_builds_side_by_side_come_before_what_needs_them(bench: Bench) -> None:
    assert run(bench, BUILT_SIDE_BY_SIDE) is Ending.SUCCEEDED
    texts = ran(bench)
    assert texts.index("docker build -t web .") < 2
    assert "docker build -t test -f Test/Dockerfile ." in texts[:3]
    names = [found[1] for each in texts if (found := re.search("--name (\\S+)", each))]
    assert names == ["web", "test", "stop"]
    assert bench.machine.removed == ["web"]


def test_environment_is_the_tasks_with_the_steps_over_it(bench: Bench) -> None:
    run(bench, OLD_STYLE)
    (line,) = [each.text for each in bench.machine.of("--name a ")]
    assert "--env HOME=/acb/home --env A=1 --env C=3 --env B='app' --workdir /workspace/app " in line
    assert bench.told(
        "Executing step ID: a. Timeout(sec): 60, Working directory: 'app', Network: 'acb_default_network'"
    )


def run(bench: Bench, text: str) -> Ending:
    work = Work("r1", read_task(text, GIVEN), "app.example.com", 3600, 3600)
    return execute(work, bench.machine, bench.log, bench.canceled, bench.clock).ending


def ran(bench: Bench) -> list[str]:
    """Without what all steps have in common, and without what comes before and after them."""
    steps = [each.text for each in bench.machine.calls if re.match("(env .*)?docker (run|build|push) ", each.text)]
    return [re.sub("--volume .*--env HOME.*--workdir /workspace/?", "...", each) for each in steps]
