"""The server's certificate: made by a local CA in the data folder, or the operator's files, checked.

Made as RFC 5280 and the CA/Browser Forum profile want it, so that OpenSSL, Go and browsers accept it. The CA has no
name constraints: another domain keeps the CA that clients already trust.
"""

import ipaddress
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from entrepot.settings import SettingError, Settings, is_ip_address

log = structlog.stdlib.get_logger(__name__)

CA_LIFE: Final = timedelta(days=3650)
LEAF_LIFE: Final = timedelta(days=90)
# A third of its life: a machine that is switched off for a month still starts with a valid one.
RENEW_WHEN_LEFT: Final = LEAF_LIFE / 3
# Clients' clocks may be behind.
_BACKDATED: Final = timedelta(hours=24)
_NO_USAGE: Final = dict.fromkeys(
    (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ),
    False,
)
_CA_USAGE: Final = x509.KeyUsage(**{**_NO_USAGE, "key_cert_sign": True, "crl_sign": True})
_LEAF_USAGE: Final = x509.KeyUsage(**{**_NO_USAGE, "digital_signature": True})


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the server shows: chain and key as one PEM text, and the CA's file when it is ours."""

    pem: bytes
    expires: datetime
    ca_file: Path | None


def certificate_of(settings: Settings, now: datetime) -> Certificate:
    """The certificate to serve with now; makes or renews our own. Raises SettingError, OSError."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        return given_certificate(settings.tls_cert, settings.tls_key, now)
    return made_certificate(settings.data_dir / "tls", names_of(settings), now)


def names_of(settings: Settings) -> tuple[str, ...]:
    """The names in a certificate that we make, in a fixed order."""
    names = ["localhost", "127.0.0.1", "::1", settings.domain, f"*.{settings.domain}", *settings.tls_names]
    if not (is_ip_address(settings.host) and ipaddress.ip_address(settings.host).is_unspecified):
        names.append(settings.host)
    return tuple(dict.fromkeys(names))


def given_certificate(cert: Path, key: Path, now: datetime) -> Certificate:
    """The operator's pair. Raises SettingError when it cannot serve: unreadable, not a pair, not valid now."""
    chain_pem, key_pem = _read(cert, "tls_cert"), _read(key, "tls_key")
    try:
        leaf = x509.load_pem_x509_certificates(chain_pem)[0]
    except ValueError as error:
        raise SettingError("tls_cert", f"{cert} holds no PEM certificate") from error
    if _private_key(key, key_pem).public_key() != leaf.public_key():
        raise SettingError("tls_key", f"{key} is not the key of the first certificate in {cert}")
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        raise SettingError(
            "tls_cert", f"{cert} is valid from {leaf.not_valid_before_utc} to {leaf.not_valid_after_utc}, not now"
        )
    return Certificate(chain_pem.rstrip() + b"\n" + key_pem, leaf.not_valid_after_utc, None)


def made_certificate(folder: Path, names: Sequence[str], now: datetime) -> Certificate:
    """Our own pair in the folder; made anew when it is missing, broken, near its end, or has other names."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_cert, ca_key = _authority(folder, now)
    leaf = _stored(folder / "server.crt", folder / "server.key")
    if leaf is None or not _serves(leaf[0], ca_cert, names, now):
        leaf = _issue(ca_cert, ca_key, names, now)
        _store(folder / "server.crt", folder / "server.key", *leaf)
    return Certificate(_cert_pem(leaf[0]) + _key_pem(leaf[1]), leaf[0].not_valid_after_utc, folder / "ca.crt")


Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _authority(folder: Path, now: datetime) -> Pair:
    authority = _stored(folder / "ca.crt", folder / "ca.key")
    if authority is not None and authority[0].not_valid_after_utc - now > LEAF_LIFE:
        return authority
    authority = _make_authority(now)
    _store(folder / "ca.crt", folder / "ca.key", *authority)
    return authority


def _stored(cert: Path, key: Path) -> Pair | None:
    """The pair in the files, or None when one is missing or they do not belong together (a write that was cut)."""
    try:
        certificate = x509.load_pem_x509_certificate(cert.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (FileNotFoundError, ValueError):
        return None
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.public_key() == certificate.public_key():
        return certificate, private
    return None


def _serves(leaf: x509.Certificate, ca: x509.Certificate, names: Sequence[str], now: datetime) -> bool:
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - RENEW_WHEN_LEFT:
        return False
    try:
        leaf.verify_directly_issued_by(ca)
        named = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return named == _alternative(names)


def _make_authority(now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # Two installations have two names: a client that trusts both must not try the wrong key.
    name = _name(f"Entrepot local CA {os.urandom(4).hex()}")
    certificate = (
        _unsigned(name, name, key, now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CA_USAGE, critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _issue(ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _unsigned(_name("Entrepot server"), ca.subject, key, now, LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_LEAF_USAGE, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_alternative(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return certificate, key


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address(name)) if is_ip_address(name) else x509.DNSName(name) for name in names]
    )


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingError(setting, f"cannot read {path}: {error.strerror}") from error


def _private_key(path: Path, pem: bytes) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, None)
    except TypeError as error:
        raise SettingError("tls_key", f"{path} is locked with a password; give the key without one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingError("tls_key", f"{path} holds no PEM private key") from error


def _cert_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _store(cert_path: Path, key_path: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write_durably(key_path, _key_pem(key), 0o600)
    write_durably(cert_path, _cert_pem(certificate), 0o644)


def write_durably(path: Path, content: bytes, mode: int) -> None:
    """Replace the file whole or not at all, also when the power fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class ServedCertificate:
    """The file that the workers read, always a pair that was checked: a half-written file of the operator's, or one
    that expired, never takes a server down that has a good one.
    """

    def __init__(self, settings: Settings, file: Path) -> None:
        self.file = file
        self._settings = settings
        self._current = certificate_of(settings, datetime.now(UTC))
        self._refused = ""
        write_durably(file, self._current.pem, 0o600)

    def refresh(self) -> bool:
        """Whether there is another certificate now than at the last look; it is then in the file."""
        try:
            found = certificate_of(self._settings, datetime.now(UTC))
            if found.pem == self._current.pem:
                return False
            write_durably(self.file, found.pem, 0o600)
        except (SettingError, OSError) as error:
            self._tell_once(str(error))
            return False
        self._current, self._refused = found, ""
        log.info("certificate_changed", expires=found.expires.isoformat())
        return True

    def _tell_once(self, reason: str) -> None:
        if reason != self._refused:
            self._refused = reason
            log.error("certificate_refused", reason=reason, serving_until=self._current.expires.isoformat())
