"""The `entrepot` command as a whole."""

import pytest

from entrepot.cli import MODULES, main
from entrepot.cli.sources import NOT_A_FLAG
from entrepot.settings import Settings


def test_a_misspelt_flag_is_refused_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--prot=6000", "--domian", "registry.example.com"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "entrepot serve: --prot=6000: unknown argument; did you mean --port?",
        "entrepot serve: --domian: unknown argument; did you mean --domain?",
        "entrepot serve: registry.example.com: unknown argument",
    ]


def test_a_misspelt_flag_of_a_command_of_commands_is_refused_with_the_nearest_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["gc", "run", "--dry-ran"]) == 2
    assert capsys.readouterr().err == "entrepot gc: --dry-ran: unknown argument; did you mean --dry-run?\n"


def test_a_flag_is_not_guessed_from_its_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--por", "6000"]) == 2
    assert "--por: unknown argument; did you mean --port?" in capsys.readouterr().err


def test_a_wrong_setting_is_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTREPOT_PORT", "a")
    assert main(["serve", "--data-dir", "/nonexistent/never-made"]) == 2
    assert capsys.readouterr().err.startswith("entrepot serve: ENTREPOT_PORT a: use a whole number")


COMMANDS = ("serve", "worker", "backup", "restore", "recover", "check", "gc run", "gc explain")


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_explains_every_setting(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    told = "".join(capsys.readouterr().out.split())
    unexplained = [
        name
        for name, field in Settings.model_fields.items()
        if name not in NOT_A_FLAG and "".join((field.description or "?").split()) not in told
    ]
    assert unexplained == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["gc", "--help"]], ids=" ".join)
def test_asking_for_help_or_version_succeeds(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert "entrepot" in capsys.readouterr().out


@pytest.mark.parametrize("command", MODULES)
def test_every_command_stands_where_it_is_looked_for(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"usage: entrepot {command} " in capsys.readouterr().out


def test_the_commands_that_are_looked_for_are_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["no-such-command"])
    told = capsys.readouterr().err
    assert "invalid choice: 'no-such-command'" in told
    assert [command for command in MODULES if f"'{command}'" not in told] == []
