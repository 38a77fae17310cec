"""Certificates: what we make, and what an operator gives."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from entrepot.app.certificates import (
    CA_LIFE,
    LEAF_LIFE,
    ServedCertificate,
    certificate_of,
    given_certificate,
    made_certificate,
    names_of,
)
from entrepot.settings import SettingError, Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = ("localhost", "127.0.0.1", "registry.example.com", "*.registry.example.com")


def leaf_of(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificates(pem)[0]


def authority_in(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())


def made(folder: Path, names: tuple[str, ...] = NAMES, now: datetime = NOW) -> x509.Certificate:
    return leaf_of(made_certificate(folder, names, now).pem)


@pytest.fixture
def given(tmp_path: Path) -> tuple[Path, Path]:
    """A pair as an operator would bring it: chain and key in two files."""
    made_certificate(tmp_path / "elsewhere", NAMES, NOW)
    return tmp_path / "elsewhere" / "server.crt", tmp_path / "elsewhere" / "server.key"


@pytest.mark.parametrize("name", ["localhost", "registry.example.com", "local.registry.example.com"])
def test_a_client_that_trusts_the_ca_accepts_every_name(tmp_path: Path, name: str) -> None:
    leaf = made(tmp_path)
    verifier = (
        PolicyBuilder().store(Store([authority_in(tmp_path)])).time(NOW).build_server_verifier(x509.DNSName(name))
    )
    assert verifier.verify(leaf, []) == [leaf, authority_in(tmp_path)]


def test_the_names_are_those_that_clients_use() -> None:
    settings = Settings.model_validate(
        {"domain": "registry.example.com", "host": "192.0.2.7", "tls_names": "box.lan, 10.0.0.3"}
    )
    assert names_of(settings) == (
        "localhost",
        "127.0.0.1",
        "::1",
        "registry.example.com",
        "*.registry.example.com",
        "box.lan",
        "10.0.0.3",
        "192.0.2.7",
    )


def test_the_address_of_every_interface_is_no_name() -> None:
    assert "0.0.0.0" not in names_of(Settings(host="0.0.0.0"))


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    made(tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"ca.crt": 0o644, "ca.key": 0o600, "server.crt": 0o644, "server.key": 0o600}


def test_the_certificate_stays_until_a_third_of_its_life_is_left(tmp_path: Path) -> None:
    first = made(tmp_path)
    assert made(tmp_path, now=NOW + LEAF_LIFE * 2 / 3 - timedelta(minutes=1)) == first
    renewed = made(tmp_path, now=NOW + LEAF_LIFE * 2 / 3 + timedelta(minutes=1))
    assert renewed.not_valid_after_utc > first.not_valid_after_utc
    assert renewed.issuer == first.issuer


def test_another_domain_gets_another_certificate_of_the_same_ca(tmp_path: Path) -> None:
    first = made(tmp_path)
    second = made(tmp_path, (*NAMES, "box.lan"))
    assert second != first
    second.verify_directly_issued_by(authority_in(tmp_path))
    first.verify_directly_issued_by(authority_in(tmp_path))


def test_a_ca_near_its_end_is_made_anew_before_it_signs_again(tmp_path: Path) -> None:
    made(tmp_path)
    first, late = authority_in(tmp_path), NOW + CA_LIFE - timedelta(days=1)
    leaf = made(tmp_path, now=late)
    assert authority_in(tmp_path) != first
    assert leaf.not_valid_after_utc <= authority_in(tmp_path).not_valid_after_utc


@pytest.mark.parametrize("file", ["server.crt", "server.key"])
@pytest.mark.parametrize("damage", [b"", b"-----BEGIN CERTIFICATE-----\n"])
def test_a_file_that_was_cut_short_is_made_anew_with_the_same_ca(tmp_path: Path, file: str, damage: bytes) -> None:
    first = made(tmp_path)
    (tmp_path / file).write_bytes(damage)
    assert made(tmp_path).issuer == first.issuer
    assert made(tmp_path) == made(tmp_path)


def test_a_key_that_belongs_to_another_certificate_is_not_used(tmp_path: Path) -> None:
    made(tmp_path / "a")
    made(tmp_path / "b")
    (tmp_path / "a" / "server.key").write_bytes((tmp_path / "b" / "server.key").read_bytes())
    served = made_certificate(tmp_path / "a", NAMES, NOW)
    leaf_of(served.pem).verify_directly_issued_by(authority_in(tmp_path / "a"))


def test_an_operators_pair_is_served_as_it_is(given: tuple[Path, Path]) -> None:
    served = given_certificate(*given, NOW)
    assert served.pem == given[0].read_bytes() + given[1].read_bytes()
    assert served.ca_file is None


@pytest.mark.parametrize(
    ("damage", "setting", "reason"),
    [
        (lambda cert, _: cert.unlink(), "tls_cert", "cannot read .*: No such file"),
        (lambda _, key: key.unlink(), "tls_key", "cannot read .*: No such file"),
        (lambda cert, key: cert.write_bytes(key.read_bytes()), "tls_cert", "holds no PEM certificate"),
        (lambda cert, key: key.write_bytes(cert.read_bytes()), "tls_key", "holds no PEM private key"),
        (lambda cert, key: key.write_bytes(cert.with_name("ca.key").read_bytes()), "tls_key", "is not the key of"),
    ],
    ids=["no-cert", "no-key", "key-as-cert", "cert-as-key", "another-key"],
)
def test_a_pair_that_cannot_serve_is_refused(given: tuple[Path, Path], damage, setting: str, reason: str) -> None:
    damage(*given)
    with pytest.raises(SettingError, match=reason) as told:
        given_certificate(*given, NOW)
    assert told.value.setting == setting


@pytest.mark.parametrize("now", [NOW - timedelta(days=3), NOW + LEAF_LIFE + timedelta(days=1)], ids=["early", "late"])
def test_a_certificate_that_is_not_valid_now_is_refused(given: tuple[Path, Path], now: datetime) -> None:
    with pytest.raises(SettingError, match=r"is valid from .* to .*, not now"):
        given_certificate(*given, now)


def settings_with(given: tuple[Path, Path], data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, tls_cert=given[0], tls_key=given[1])


def test_what_is_served_changes_with_the_operators_files_and_only_to_a_good_pair(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first, second = (made_certificate(tmp_path / name, NAMES, now).pem for name in ("1", "2"))
    cert, key = tmp_path / "1" / "server.crt", tmp_path / "1" / "server.key"
    served = ServedCertificate(settings_with((cert, key), tmp_path), tmp_path / "serving.pem")
    assert not served.refresh()
    cert.write_bytes((tmp_path / "2" / "server.crt").read_bytes())
    assert not served.refresh(), "the key has not come yet"
    assert served.file.read_bytes() == first
    key.write_bytes((tmp_path / "2" / "server.key").read_bytes())
    assert served.refresh()
    assert served.file.read_bytes() == second


def test_our_own_certificate_lies_in_the_data_folder(tmp_path: Path) -> None:
    served = certificate_of(Settings(data_dir=tmp_path), NOW)
    assert served.ca_file == tmp_path / "tls" / "ca.crt"
