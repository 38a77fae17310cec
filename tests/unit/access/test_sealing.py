import base64
import os

import pytest

from entrepot.access.sealing import KEY_BYTES, SealBrokenError, Sealer, is_sealed

SEALER = Sealer(b"k" * KEY_BYTES)


def test_what_was_sealed_opens_for_the_same_purpose() -> None:
    sealed = SEALER.seal("a secret, ü", "admin password")
    assert is_sealed(sealed)
    assert "secret" not in sealed
    assert SEALER.open(sealed, "admin password") == "a secret, ü"


def test_the_same_content_is_never_sealed_to_the_same_text() -> None:
    assert SEALER.seal("same", "x") != SEALER.seal("same", "x")


def test_another_key_or_another_purpose_does_not_open_it() -> None:
    sealed = SEALER.seal("a secret", "admin password")
    with pytest.raises(SealBrokenError):
        SEALER.open(sealed, "signing key")
    with pytest.raises(SealBrokenError):
        Sealer(os.urandom(KEY_BYTES)).open(sealed, "admin password")


@pytest.mark.parametrize("place", [0, 11, 12, 20, -1])
def test_a_changed_byte_is_noticed(place: int) -> None:
    prefix, _, text = SEALER.seal("a secret", "x").partition(".")
    raw = bytearray(base64.urlsafe_b64decode(text))
    raw[place] ^= 1
    with pytest.raises(SealBrokenError):
        SEALER.open(f"{prefix}.{base64.urlsafe_b64encode(raw).decode()}", "x")


@pytest.mark.parametrize("text", ["", "v1.", "v1.AAAA", "v1.!", "v2.AAAA", "in clear", "v1.ü"])
def test_what_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(SealBrokenError):
        SEALER.open(text, "x")
