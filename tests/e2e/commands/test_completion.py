"""Completion scripts in the shells that they are for."""

import pytest
from tests.e2e.clients import Shell
from tests.e2e.commands.program import PYTHON


@pytest.fixture
def scripts(shell: Shell) -> Shell:
    """The shell, with a script for each in its folder, and an `entrepot` on its PATH."""
    for name in ("bash", "zsh", "fish"):
        (shell.folder / f"{name}.sh").write_text(shell.run(*PYTHON, "completion", name))
    return shell


def test_bash_completes_commands_and_flags(scripts: Shell) -> None:
    complete = """
    source bash.sh
    words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _shtab_entrepot; echo "${COMPREPLY[@]}"; }
    words entrepot re; words entrepot registry cr; words entrepot tag list --ord
    """
    printed = scripts.run("bash", "-c", complete).splitlines()
    assert [set(line.split()) for line in printed] == [
        {"recover", "registry", "repository", "restore"},
        {"create"},
        {"--order"},
    ]


def test_zsh_finds_the_script_in_a_folder_of_its_functions(scripts: Shell) -> None:
    scripts.run("sh", "-c", "mkdir functions && cp zsh.sh functions/_entrepot && zsh -n zsh.sh")
    found = "fpath=($PWD/functions $fpath); autoload -U compinit && compinit -u && echo $_comps[entrepot]"
    assert scripts.run("zsh", "-fc", found).strip() == "_entrepot"


def test_fish_completes_commands_and_flags(scripts: Shell) -> None:
    complete = "source fish.sh; complete -C 'entrepot registry cr'; complete -C 'entrepot tag list --ord'"
    printed = scripts.run("fish", "-c", complete)
    assert [line.split("\t")[0] for line in printed.splitlines()] == ["create", "--order"]
