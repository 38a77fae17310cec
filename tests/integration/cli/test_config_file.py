"""Settings from a TOML file."""

import argparse
from pathlib import Path

import pytest

from entrepot.cli.refusal import Refusal
from entrepot.cli.sources import Loaded, add_flags, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "entrepot.toml"


def loaded(*flags: str, **variables: str) -> Loaded:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return load(parser.parse_args(flags), variables)


def refused(file: Path, **variables: str) -> tuple[str, ...]:
    with pytest.raises(Refusal) as told:
        loaded("--config", str(file), **variables)
    return told.value.lines


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file(file: Path) -> None:
    file.write_text('port = 1001\nhost = "::1"\nworkers = 3\n')
    settings = loaded("--config", str(file), "--port", "3003", ENTREPOT_PORT="2002", ENTREPOT_HOST="127.0.0.2").settings
    assert (settings.port, settings.host, settings.workers) == (3003, "127.0.0.2", 3)


def test_the_file_may_be_named_by_a_variable(file: Path) -> None:
    file.write_text("port = 1001\n")
    assert loaded(ENTREPOT_CONFIG=str(file)).settings.port == 1001


def test_a_list_in_the_file_is_a_list(file: Path) -> None:
    file.write_text('trusted_proxies = ["10.0.0.0/8", "fd00::/8"]\n')
    assert [str(network) for network in loaded("--config", str(file)).settings.trusted_proxies] == [
        "10.0.0.0/8",
        "fd00::/8",
    ]


def test_an_unknown_key_is_refused_with_the_nearest_name(file: Path) -> None:
    file.write_text("prot = 1001\nxyzzy = true\n")
    assert refused(file) == (f"prot: unknown key of {file}; did you mean port?", f"xyzzy: unknown key of {file}")


def test_a_wrong_value_is_named_with_its_file(file: Path) -> None:
    file.write_text("port = 0\n")
    assert refused(file) == (f"port in {file} 0: input should be greater than or equal to 1",)


def test_a_file_that_is_not_toml_is_refused_with_the_place(file: Path) -> None:
    file.write_text("port: 1001\n")
    (line,) = refused(file)
    assert str(file) in line
    assert "line 1" in line


def test_a_file_that_is_not_there_is_refused(file: Path) -> None:
    assert refused(file) == (f"--config {file}: No such file or directory",)
