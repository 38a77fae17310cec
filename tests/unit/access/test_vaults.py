"""Vaults: Key Vault's addresses, and the operator's folders behind them."""

from pathlib import Path

import pytest

from entrepot.access.vaults import READERS, NotReader, VaultFailed, Vaults
from entrepot.tasks.runs.model import Lent

READER = Lent("0b0e0d0c-1111-4000-8000-00000000000a", "0b0e0d0c-2222-4000-8000-00000000000b")
URL = "https://builds.vault.azure.net/secrets/robot"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / READERS).write_text(f"# builds\n  {READER.client.upper()}  # the builder\n")
    (tmp_path / "robot").write_text("the-password\n")
    (tmp_path / "robot.1a").write_text("the-old-password")
    return tmp_path


def read(folder: Path, url: str = URL, reader: Lent = READER) -> str:
    return Vaults({"builds": folder}).read(url, reader)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        (URL, "the-password"),
        (f"{URL}/", "the-password"),
        ("HTTPS://Builds.Vault.azure.net:443/secrets/Robot", "the-password"),
        ("https://builds.localhost/secrets/robot", "the-password"),
        (f"{URL}/1A", "the-old-password"),
    ],
)
def test_an_address_of_a_secret_is_a_file_of_the_vaults_folder(folder: Path, url: str, secret: str) -> None:
    assert read(folder, url) == secret


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("https://other.vault.azure.net/secrets/robot", "no vault 'other' here.*vaults"),
        ("https://builds.vault.azure.net/secrets/nothing", "'builds' has no secret 'nothing'"),
        ("https://builds.vault.azure.net/secrets/../robot", "names no secret"),
        ("https://builds.vault.azure.net/secrets/.readers", "names no secret"),
        ("https://builds.vault.azure.net/keys/robot", "names no secret"),
        ("https://builds.vault.azure.net/secrets/robot?x=1", "names no secret"),
        ("https://builds.vault.azure.net:8443/secrets/robot", "names no secret"),
        ("https://builds/secrets/robot", "names no secret"),
        ("http://builds.vault.azure.net/secrets/robot", "names no secret"),
        ("https://[/secrets/robot", "names no secret"),
    ],
)
def test_what_is_no_secret_is_told(folder: Path, url: str, says: str) -> None:
    with pytest.raises(VaultFailed, match=says) as failed:
        read(folder, url)
    assert not isinstance(failed.value, NotReader)


@pytest.mark.parametrize(("readers", "may"), [("*", True), (READER.principal, True), ("someone", False), ("", False)])
def test_who_may_read_stands_beside_the_secrets(folder: Path, readers: str, *, may: bool) -> None:
    (folder / READERS).write_text(readers)
    if may:
        assert read(folder) == "the-password"
    else:
        with pytest.raises(NotReader, match=f"{READER.client} may not read the vault 'builds'"):
            read(folder)


def test_without_a_list_of_readers_nobody_may_read(folder: Path) -> None:
    (folder / READERS).unlink()
    with pytest.raises(VaultFailed, match="may not read"):
        read(folder)
    # An identity without a client id is not everybody.
    (folder / READERS).write_text("\n\n")
    with pytest.raises(VaultFailed, match="may not read"):
        read(folder, reader=Lent("x"))


@pytest.mark.parametrize("content", [b"x" * (25 * 1024 + 1), b"\xff\xfe"], ids=["long", "binary"])
def test_what_is_too_long_or_no_text_is_no_secret(folder: Path, content: bytes) -> None:
    (folder / "robot").write_bytes(content)
    with pytest.raises(VaultFailed, match="has no secret"):
        read(folder)
