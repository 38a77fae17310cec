"""Whether a task file is refused before it runs (ACR-TASKS 10, acr#390)."""

import pytest

from entrepot.tasks.language.findings import TaskInvalid
from entrepot.tasks.model import Credentials
from entrepot.tasks.resource.model import TaskSettings, Triggers
from entrepot.tasks.resource.rules import expect_task_file, without_empty


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing but a comment\n",
        "steps:\n- cmd: bash echo hi\n",
        "version: v1.1.0\nsteps:\n- cmd: $Registry/app:$ID\n",
        "steps:\n- {{.Values.step}}\n",
        "{{.Values.everything}}",
        "version: v1.1.0\nalias:\n  src: [more.yaml]\nsteps: $steps\n",
        "version: v1.1.0\nalias:\n  values: {o: '{'}\nsteps: $o$o.Values.x}}\n",
        "steps: 1\n" + "#" * 20_000,
    ],
    ids=["empty", "comment", "plain", "aliases", "a step", "all of it", "aliases elsewhere", "aliases here", "long"],
)
def test_what_could_be_a_task_is_taken(text: str) -> None:
    expect_task_file(text)


@pytest.mark.parametrize(
    "text",
    [
        "FROM alpine\nRUN make\n",
        "steps: 1\n",
        "steps:\n- cmd: a\n  build: b\n",
        "steps:\n- cmd: {{ .Run.ID\n",
        "version: v1.1.0\nsteps: $steps\n",
        "steps:\n- [",
    ],
    ids=["Dockerfile", "type", "two kinds", "template", "unknown alias", "YAML"],
)
def test_what_no_value_could_mend_is_refused(text: str) -> None:
    with pytest.raises(TaskInvalid):
        expect_task_file(text)


def test_parts_in_which_nothing_is_said_are_left_out() -> None:
    settings = TaskSettings(trigger=Triggers(), credentials=Credentials(custom_registries={}))
    assert without_empty(settings) == TaskSettings()
