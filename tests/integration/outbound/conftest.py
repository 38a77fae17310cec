"""A client that may call 127.0.0.1 and nothing else of this machine, and names that a test makes up."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import pytest
from tests.outside import Authority, authority

from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound, proxy_of

ALLOWED = "127.0.0.1"
FORBIDDEN = "127.0.0.2"


class Names:
    """A resolver; each name has its answers in order, and the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Sequence[str]]] = {}
        self.asked: list[str] = []

    def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.answers:
            raise OSError("no such name")
        found = self.answers[host]
        return found.pop(0) if len(found) > 1 else found[0]


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture(scope="session")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA that the client trusts, with a server for these names."""
    names = ("idp.example", "other.example", "proxy.example", "127.0.0.1", "127.0.0.2")
    return authority(tmp_path_factory.mktemp("ca"), *names)


StartOutbound = Callable[..., Outbound]


@pytest.fixture
def start_outbound(names: Names, ca: Authority) -> Iterator[StartOutbound]:
    with ExitStack() as stack:

        def start(*allowed: str, proxy: str | None = None) -> Outbound:
            tls = ca.trusting
            made = Outbound(Permitted.of(allowed), tls, proxy_of(proxy, tls) if proxy else None, names)
            stack.callback(made.close)
            return made

        yield start


@pytest.fixture
def outbound(start_outbound: StartOutbound) -> Outbound:
    return start_outbound(ALLOWED)
