import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.gate.hosts import Hosts

HOSTS = Hosts("registry.example.com", 5000, "entrepot.localhost", ["10.1.2.3", "other.example"])
AUTHORITY = re.compile(r"([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]):5000")


@pytest.mark.parametrize(
    ("header", "registry", "authority"),
    [
        ("registry.example.com", "local", "registry.example.com:5000"),
        ("mine.registry.example.com:443", "mine", "mine.registry.example.com:5000"),
        ("other.example", "local", "other.example:5000"),
        ("10.1.2.3:1", "local", "10.1.2.3:5000"),
        ("localhost", "local", "localhost:5000"),
        ("[::1]:5000", "local", "[::1]:5000"),
        ("MINE.Registry.Example.Com", "mine", "mine.registry.example.com:5000"),
    ],
)
def test_a_host_means_a_registry(header: str, registry: str, authority: str) -> None:
    found = HOSTS.find(header)
    assert found is not None
    assert (found.registry, found.authority) == (registry, authority)


@examples(500)
@given(
    st.text(st.characters(codec="latin-1"), max_size=40)
    | st.builds(
        lambda *parts: "".join(parts),
        st.sampled_from(
            ["localhost", "[::1]", "[::1%", "mine.registry.example.com", "127.0.0.1", "registry.example.com"]
        ),
        st.text(st.characters(codec="latin-1"), max_size=12),
        st.sampled_from(["", ":5000", "]:5000", ".", "@x", '"']),
    )
)
def test_whatever_a_header_holds_an_authority_is_a_plain_name_and_our_port(header: str) -> None:
    found = HOSTS.find(header)
    assert found is None or AUTHORITY.fullmatch(found.authority)


def test_a_login_server_is_what_docker_trusts_as_long_as_there_is_no_domain() -> None:
    bare = Hosts("entrepot.localhost", 443, "entrepot.localhost")
    assert bare.login_server("local") == "localhost"
    assert bare.login_server("mine") == "mine.entrepot.localhost"
    assert HOSTS.login_server("local") == "local.registry.example.com:5000"
    assert HOSTS.endpoint() == "registry.example.com:5000"


def test_no_header_takes_long_to_read() -> None:
    """A pattern that goes back over each of them would take minutes."""
    started = time.thread_time()
    for header in ("a." * 30_000, "[" + ":" * 60_000 + "]", "localhost:" + "9" * 60_000, "-" * 60_000):
        assert HOSTS.find(header) is None
    assert time.thread_time() - started < 5
