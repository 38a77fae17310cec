import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.content import a_config
from tests.examples import examples

from entrepot.oci.platform import Platform, read_platform


def test_a_config_says_its_platform() -> None:
    assert read_platform(a_config(architecture="arm64", os="windows")) == Platform("arm64", "windows")


@pytest.mark.parametrize("config", [b"", b"{", b"[]", b"null", b"5", b'{"architecture":5}', b"\xff", b"[" * 100_000])
def test_what_is_no_image_s_config_says_nothing(config: bytes) -> None:
    assert read_platform(config) == Platform()


@examples(200)
@given(
    st.binary(max_size=100)
    | st.fixed_dictionaries({"architecture": st.text(max_size=80), "os": st.text(max_size=80)}).map(
        lambda found: json.dumps(found).encode()
    )
)
def test_whatever_a_config_says_a_database_can_hold(config: bytes) -> None:
    platform = read_platform(config)
    for text in (platform.architecture, platform.os):
        assert text is None or (0 < len(text) <= 64 and "\0" not in text and text.encode())
