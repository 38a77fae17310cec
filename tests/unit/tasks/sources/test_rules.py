"""Which changes begin runs: events, branches, repositories, paths."""

import time
from dataclasses import replace

import pytest
from tests.githooks import commit

from entrepot.tasks.resource.model import (
    DockerStep,
    SourceControl,
    SourceEvent,
    SourceRepository,
    SourceTrigger,
    Status,
    TaskSettings,
)
from entrepot.tasks.sources.model import Change
from entrepot.tasks.sources.rules import concerns, is_of, token_of, why_not

CHANGE = Change(
    event=SourceEvent.COMMIT,
    ref="refs/heads/main",
    commit=commit(1),
    branch="main",
    default_branch="main",
    told_by="GitHub",
    repository="team/app",
    paths=frozenset({"src/main.c"}),
)


def trigger(branch: str | None = "main", url: str = "https://git.example/team/app.git") -> SourceTrigger:
    repository = SourceRepository(source_control_type=SourceControl.GITHUB, repository_url=url, branch=branch)
    return SourceTrigger("source", repository, [SourceEvent.COMMIT])


def test_a_push_to_the_watched_branch_begins_a_run() -> None:
    assert why_not(TaskSettings(), trigger(), "", CHANGE) == ""


@pytest.mark.parametrize(
    ("settings", "of", "change", "why"),
    [
        (TaskSettings(status=Status.DISABLED), trigger(), CHANGE, "The task is disabled"),
        (TaskSettings(), trigger("other"), CHANGE, "for 'other'"),
        (TaskSettings(), trigger(None), replace(CHANGE, branch="other"), "for 'main'"),
        (TaskSettings(), trigger(None, "https://git.example/team/app.git#release"), CHANGE, "for 'release'"),
        (TaskSettings(), trigger(), replace(CHANGE, event=SourceEvent.PULL_REQUEST), "not for those"),
        (TaskSettings(), trigger(), replace(CHANGE, repository="team/other"), "another repository"),
        (TaskSettings(), trigger(), replace(CHANGE, quiet="it was deleted"), "it was deleted"),
        (TaskSettings(), trigger(), replace(CHANGE, branch="$(touch /x)"), "'$(touch /x)'"),
    ],
)
def test_why_a_change_begins_none(settings: TaskSettings, of: SourceTrigger, change: Change, why: str) -> None:
    assert why in why_not(settings, of, "", change)


def test_a_disabled_trigger_begins_none() -> None:
    disabled = SourceTrigger("source", trigger().source_repository, [], Status.DISABLED)
    assert "trigger source is disabled" in why_not(TaskSettings(), disabled, "", CHANGE)


@pytest.mark.parametrize(
    ("patterns", "is_meant"),
    [
        ("", True),
        (" , ", True),
        ("src", True),
        ("src/", True),
        ("src/*", True),
        ("src/**", True),
        ("*.c", True),
        ("docs, src/main.c", True),
        ("/src", True),
        ("main.c", False),
        ("docs", False),
        ("sr", False),
        ("src/main.c/x", False),
        ("*.h,*.py", False),
    ],
)
def test_patterns_mean_files_and_folders(patterns: str, is_meant: bool) -> None:
    assert concerns(patterns, frozenset({"src/main.c"})) is is_meant
    assert (why_not(TaskSettings(), trigger(), patterns, CHANGE) == "") is is_meant


def test_files_that_are_not_known_may_be_any() -> None:
    assert why_not(TaskSettings(), trigger(), "docs", replace(CHANGE, paths=None)) == ""


@pytest.mark.parametrize(
    ("context", "token"),
    [
        ("https://git.example/team/app.git#main:src", "the-token"),
        ("https://GIT.example/Team/app.git#v1", "the-token"),
        ("https://other.example/team/app.git", ""),
        ("https://git.example/team/other.git", ""),
        (None, ""),
    ],
)
def test_the_task_s_token_is_for_its_own_repository(context: str | None, token: str) -> None:
    step = DockerStep(docker_file_path="Dockerfile", context_path=context, context_access_token="the-token")
    assert token_of(TaskSettings(step=step), trigger()) == token


def test_no_pattern_takes_long() -> None:
    began = time.process_time()
    assert not concerns("*a" * 120 + "b", frozenset("a" * 4000 + str(number) for number in range(20)))
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("url", "repository", "is_so"),
    [
        ("https://git.example/team/app.git", "team/app", True),
        ("https://git.example/TEAM/App#main:src", "team/app", True),
        ("https://git.example/gitea/team/app.git", "team/app", True),
        ("https://dev.azure.com/org/project/_git/app", "app", True),
        ("https://git.example/team/app.git", "", True),
        ("https://git.example/team/app.git", "am/app", False),
        ("https://git.example/team/app.git", "other/app", False),
    ],
)
def test_an_address_is_of_a_repository(url: str, repository: str, is_so: bool) -> None:
    assert is_of(url, repository) is is_so
