import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.oauth.directory.clients import fits

LOOPBACK = ("http://localhost", "http://127.0.0.1/back")
HOSTS = ("localhost", "127.0.0.1")


@pytest.mark.parametrize(
    "uri", ["http://localhost", "http://localhost/", "http://localhost:8400", "http://127.0.0.1:1/back"]
)
def test_a_loopback_address_is_right_at_any_port(uri: str):
    assert fits(uri, LOOPBACK)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:1/",
        "https://localhost:1",
        "http://localhost:0",
        "http://LOCALHOST.example",
        "http://localhost:1?x",
    ],
)
def test_another_path_scheme_or_host_is_not(uri: str):
    assert not fits(uri, LOOPBACK)


@given(st.text(alphabet="htp:/localos127.0@\\#?%evil[]", max_size=40))
def test_what_fits_begins_with_the_host_that_was_registered(uri: str):
    if fits(uri, LOOPBACK):
        rest = uri.removeprefix("http://")
        assert any(rest == host or rest.startswith((f"{host}:", f"{host}/")) for host in HOSTS)
