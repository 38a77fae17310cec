"""Streams to hosts of others' choice: to what is public or permitted, at an address that was looked at."""

import socket
from collections.abc import Callable, Iterator

import pytest
from tests.integration.outbound.conftest import ALLOWED, FORBIDDEN, Names

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.model import OutboundError, Reason
from entrepot.outbound.streams import Streams


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """On every address of this machine, so that only the guard keeps anybody out."""
    with socket.create_server(("", 0)) as made:
        yield made


@pytest.fixture
def streams(names: Names) -> Iterator[Streams]:
    made = Streams(Permitted.of([ALLOWED]), names)
    yield made
    made.close()


@pytest.fixture
def refusal(streams: Streams, listener: socket.socket) -> Callable[[str], Reason]:
    def ask(host: str) -> Reason:
        with pytest.raises(OutboundError) as caught:
            streams.open(host, listener.getsockname()[1])
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
        return caught.value.reason

    return ask


def test_a_stream_goes_to_the_first_address_that_answers(
    streams: Streams, names: Names, listener: socket.socket
) -> None:
    names.answers["a.example"] = [["::1", FORBIDDEN, ALLOWED]]
    with streams.open("a.example", listener.getsockname()[1]) as stream, listener.accept()[0] as served:
        assert stream.getpeername()[0] == ALLOWED
        assert stream.gettimeout() is None
        served.sendall(b"hello")
        assert stream.recv(5) == b"hello"
    assert names.asked == ["a.example"]


@pytest.mark.parametrize(
    "host", [FORBIDDEN, "127.2", "2130706434", f"::ffff:{FORBIDDEN}", "169.254.169.254", "localhost"]
)
def test_no_address_that_is_not_public_is_called(refusal: Callable[[str], Reason], host: str) -> None:
    assert refusal(host) is Reason.ADDRESS_REFUSED


@pytest.mark.parametrize("answer", [FORBIDDEN, f"::ffff:{FORBIDDEN}", "169.254.169.254", "fe80::1%lo", "10.0.0.1"])
def test_nor_one_that_a_name_leads_to(refusal: Callable[[str], Reason], names: Names, answer: str) -> None:
    names.answers["innocent.example"] = [[answer], [ALLOWED]]
    assert refusal("innocent.example") is Reason.ADDRESS_REFUSED


def test_what_has_no_address_or_does_not_answer_is_told(streams: Streams, names: Names) -> None:
    names.answers["a.example"] = [[ALLOWED]]
    for host, reason in (("gone.example", Reason.NAME_UNKNOWN), ("a.example", Reason.CONNECTION_FAILED)):
        with pytest.raises(OutboundError) as caught:
            streams.open(host, 1)
        assert caught.value.reason is reason
