"""``entrepot task exec``: the same steps on a machine of the user's, pushed with the user's own sign-in."""

import sys
from pathlib import Path

import pytest
from tests.e2e.az.cli import Az
from tests.e2e.clients import Shell
from tests.e2e.tasks.conftest import TOOLS, Site
from tests.e2e.tasks.test_az_build import tags
from tests.gits import Repository

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]


@pytest.fixture
def steps(source: Path) -> Path:
    return source / "acb.yaml"


def exec_words(site: Site, steps: Path, *more: str) -> list[str]:
    here = ["task", "exec", str(steps), str(steps.parent), "--engine", str(site.engine.socket)]
    return [sys.executable, "-m", "entrepot", *here, "--registry", site.server.login_server, *more]


def test_a_task_file_builds_and_pushes(site: Site, az: Az, steps: Path, repository: str) -> None:
    steps.write_text(
        f"""\
version: v1.1.0
steps:
  - build: -t $Registry/{repository}:{{{{.Values.tag}}}} .
  - cmd: $Registry/{TOOLS} sh -c 'echo "the key is {{{{.Values.key}}}}" && cat greeting'
  - push: ["$Registry/{repository}:{{{{.Values.tag}}}}"]
"""
    )
    told = ["--set", "tag=v7", "--set-secret", "key=correct-horse"]
    said = site.docker.run(*exec_words(site, steps, *told))
    assert "the key is ***" in said, said
    assert "hello from" in said
    assert "succeeded" in said
    assert tags(az, repository) == ["v7"]
    assert steps.exists()  # the run had a copy


def test_aliases_secrets_and_git_are_what_they_are_in_the_registry(
    site: Site, steps: Path, app: Repository, git_at: str, repository: str, tmp_path: Path
) -> None:
    (tmp_path / "vault").mkdir()
    (tmp_path / "vault" / "signing-key").write_text("correct-horse\n")
    (steps.parent / "more.yaml").write_text(f"image: {site.tools}\n")
    steps.write_text(
        f"""\
version: v1.1.0
alias:
  src: [more.yaml]
secrets:
  - id: key
    keyvault: https://builds.vault.azure.net/secrets/signing-key
steps:
  - id: app
    build: -t {repository}:git {git_at}/team/app.git
  - cmd: $image sh -c 'echo "the key is {{{{.Secrets.key}}}}" && cat app/greeting && cat greeting'
"""
    )
    said = site.docker.run(*exec_words(site, steps, "--vaults", f"builds={tmp_path / 'vault'}"))
    assert "the key is ***" in said, said
    assert "first\n" in said
    assert "hello from" in said
    assert f"git-head-revision: {app.git('rev-parse', 'HEAD')}" in said


def test_a_step_that_fails_fails_the_command(site: Site, steps: Path) -> None:
    steps.write_text(f"version: v1.1.0\nsteps:\n  - cmd: $Registry/{TOOLS} false\n")
    said = site.docker.refused(*exec_words(site, steps))
    assert "exit status 1" in said


def test_what_is_no_task_is_told_before_anything_runs(site: Site, steps: Path) -> None:
    steps.write_text("steps:\n  - cmd: a\n    build: b\n")
    said = site.docker.refused(*exec_words(site, steps))
    assert "step must only contain a single build, cmd, or push property" in said


def test_an_engine_that_is_not_there_is_told(site: Site, steps: Path, shell: Shell, tmp_path: Path) -> None:
    steps.write_text(f"version: v1.1.0\nsteps:\n  - cmd: $Registry/{TOOLS} true\n")
    words = exec_words(site, steps, "--engine", str(tmp_path / "none.sock"))
    assert "none.sock" in shell.refused(*words)
