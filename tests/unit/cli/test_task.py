"""`entrepot task`: what it says of a file, and how it ends."""

import io
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from entrepot.cli import main
from entrepot.tasks.language.schema import schema

GOOD = "version: v1.1.0\nsteps:\n  - build: -t $Registry/app:{{.Values.tag}} .\n  - push: [$Registry/app]\n"


def written(folder: Path, text: str) -> str:
    (folder / "acb.yaml").write_text(text)
    return str(folder / "acb.yaml")


def test_a_good_file_is_said_to_be_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, GOOD)
    assert main(["task", "lint", "--set", "tag=v1", file]) == 0
    assert capsys.readouterr().out == f"{file}: good, 2 steps\n"


def test_values_that_nobody_gave_are_named_where_something_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, GOOD)
    assert main(["task", "lint", file]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:3:39: error: yaml: mapping values are not allowed here",
        f"{file}: note: no value is given for tag (--set NAME=VALUE)",
    ]


def test_what_is_wrong_is_told_as_compilers_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "# c\nsteps:\n- cmd: x\n  retries: -1\n  timeot: 3\n")
    assert main(["task", "lint", file]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:5:3: warning: unknown key 'timeot' is ignored (did you mean timeout?)",
        f"{file}:4:12: error: step must specify retries >= 0",
    ]


def test_a_key_that_nobody_knows_is_an_error_if_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, "steps:\n- cmd: x\n  timeot: 3\n")
    assert main(["task", "lint", file]) == 0
    assert main(["task", "lint", "--strict", file]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{file}:3:3: error: unknown key")


def test_a_file_is_rendered_with_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["task", "render", "--set", "tag=v=1", written(tmp_path, GOOD)]) == 0
    assert "- build: -t registry.example.com/app:v=1 ." in capsys.readouterr().out


def test_further_aliases_are_read_from_files_of_this_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more.yaml").write_text("image: busybox\n")
    text = "version: v1.1.0\nalias:\n  src: [SOURCE]\nsteps:\n  - cmd: $image\n"
    assert main(["task", "render", written(tmp_path, text.replace("SOURCE", str(tmp_path / "more.yaml")))]) == 0
    assert "cmd: busybox" in capsys.readouterr().out
    file = written(tmp_path, text.replace("SOURCE", "https://example.com/x"))
    assert main(["task", "lint", file]) == 1
    assert "addresses are read when the task runs" in capsys.readouterr().out


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(GOOD))
    assert main(["task", "lint", "--set", "tag=v1", "-"]) == 0
    assert capsys.readouterr().out == "-: good, 2 steps\n"


def test_what_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["task", "lint", str(tmp_path / "absent")]) == 2
    assert main(["task", "render", "--set", "=x", written(tmp_path, GOOD)]) == 2
    assert main(["task", "render", written(tmp_path, "{{")]) == 1
    said = capsys.readouterr().err
    assert "No such file or directory" in said
    assert "NAME=VALUE is expected" in said
    assert "failed to parse template" in said


def test_the_schema_says_what_the_parser_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["task", "schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == schema()
    jsonschema.Draft202012Validator.check_schema(printed)
    validator = jsonschema.Draft202012Validator(printed)
    taken = "version: v1.1.0\nalias: {values: {a: 5}}\nsteps:\n- {cmd: x, user: 7, when: ~, mounts: []}\n"
    assert not list(validator.iter_errors(yaml.safe_load(taken)))
    for wrong in ("steps: text", "steps: [{timeout: soon}]", "steps: [{push: x}]", "secrets: [{id: [a]}]"):
        assert list(validator.iter_errors(yaml.safe_load(wrong))), wrong
