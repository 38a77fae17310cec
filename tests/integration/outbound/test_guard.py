"""What is not public is never connected to: named, written otherwise, rebound or reached by a redirect."""

from collections.abc import Iterator

import pytest
from tests.integration.outbound.conftest import FORBIDDEN, Names, StartOutbound
from tests.outside import Asked, Authority, Server, ok, redirect, serving

from entrepot.outbound.client import MAX_REDIRECTS, Outbound
from entrepot.outbound.model import OutboundError, Reason, Request

SECRETS = {
    "authorization": "Bearer secret",
    "Cookie": "session=1",
    "X-Api-Key": "secret",
    "Accept": "application/json",
}


@pytest.fixture
def inner() -> Iterator[Server]:
    """A server of this machine that nobody may call."""
    with serving(lambda _: ok(b"the metadata service"), address=FORBIDDEN) as server:
        yield server


@pytest.mark.parametrize("host", ["{0}", "127.2", "0x7f000002", "2130706434", "[::ffff:{0}]", "[::ffff:7f00:2]"])
def test_a_private_address_is_refused_however_it_is_written(outbound: Outbound, inner: Server, host: str) -> None:
    url = f"http://{host.format(FORBIDDEN)}:{inner.port}/"
    assert _refusal(outbound, url) is Reason.ADDRESS_REFUSED
    assert inner.connections == 0


@pytest.mark.parametrize("addresses", [[FORBIDDEN], [f"::ffff:{FORBIDDEN}"], ["10.0.0.1", FORBIDDEN], ["fe80::1%lo"]])
def test_a_name_that_leads_inside_is_refused(
    outbound: Outbound, inner: Server, names: Names, addresses: list[str]
) -> None:
    names.answers["innocent.example"] = [addresses]
    assert _refusal(outbound, f"http://innocent.example:{inner.port}/") is Reason.ADDRESS_REFUSED
    assert inner.connections == 0


def test_a_name_that_answers_otherwise_the_second_time_is_asked_once(
    outbound: Outbound, inner: Server, names: Names
) -> None:
    names.answers["rebinding.example"] = [["127.0.0.1"], [FORBIDDEN]]
    assert _refusal(outbound, f"http://rebinding.example:{inner.port}/") is Reason.CONNECTION_FAILED
    assert names.asked == ["rebinding.example"]
    assert inner.connections == 0


def test_a_rebound_name_is_checked_again_for_the_next_request(outbound: Outbound, inner: Server, names: Names) -> None:
    names.answers["rebinding.example"] = [["127.0.0.1"], [FORBIDDEN]]
    with serving(lambda _: redirect(f"http://rebinding.example:{inner.port}/")) as server:
        url = f"http://rebinding.example:{server.port}/"
        assert _refusal(outbound, url) is Reason.ADDRESS_REFUSED
    assert len(server.asked) == 1
    assert inner.connections == 0


def test_of_a_name_s_addresses_only_those_that_are_allowed_are_called(
    outbound: Outbound, inner: Server, names: Names
) -> None:
    names.answers["both.example"] = [[FORBIDDEN, "127.0.0.1"]]
    assert _refusal(outbound, f"http://both.example:{inner.port}/") is Reason.CONNECTION_FAILED
    assert inner.connections == 0


def test_a_name_that_the_operator_allows_leads_wherever_it_leads(
    start_outbound: StartOutbound, inner: Server, names: Names
) -> None:
    names.answers["idp.corp.example"] = [[FORBIDDEN]]
    answer = start_outbound("idp.corp.example").send(Request("GET", f"http://idp.corp.example:{inner.port}/"))
    assert answer.body == b"the metadata service"


@pytest.mark.parametrize("location", ["http://127.0.0.2:{0}/", "//127.2:{0}/", "http://inner.example:{0}/latest"])
def test_a_redirect_inside_is_refused(outbound: Outbound, inner: Server, names: Names, location: str) -> None:
    names.answers["inner.example"] = [[FORBIDDEN]]
    with serving(lambda _: redirect(location.format(inner.port))) as server:
        assert _refusal(outbound, f"http://{server.place}/") is Reason.ADDRESS_REFUSED
    assert inner.connections == 0


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://files.example/", "http://me:pw@idp.example/"])
def test_a_redirect_to_something_else_than_a_web_address_is_refused(outbound: Outbound, location: str) -> None:
    with serving(lambda _: redirect(location)) as server:
        assert _refusal(outbound, f"http://{server.place}/") is Reason.REQUEST_REFUSED


def test_a_few_redirects_are_followed_and_no_more(outbound: Outbound) -> None:
    def answering(asked: Asked) -> list[bytes]:
        hops = int(asked.target[1:])
        return ok(b"there") if hops == 0 else redirect(f"/{hops - 1}")

    with serving(answering) as server:
        followed = outbound.send(Request("GET", f"http://{server.place}/{MAX_REDIRECTS}"))
        assert (followed.body, followed.url) == (b"there", f"http://{server.place}/0")
        assert _refusal(outbound, f"http://{server.place}/{MAX_REDIRECTS + 1}") is Reason.REDIRECT_REFUSED


def test_a_redirect_from_https_to_http_is_refused(outbound: Outbound, names: Names, ca: Authority) -> None:
    names.answers["idp.example"] = [["127.0.0.1"]]
    with (
        serving(lambda _: ok()) as plain,
        serving(lambda _: redirect(f"http://{plain.place}/"), ca.server) as s,
    ):
        assert _refusal(outbound, f"https://idp.example:{s.port}/") is Reason.REDIRECT_REFUSED
    assert plain.connections == 0


def test_credentials_go_on_to_the_same_origin(outbound: Outbound) -> None:
    with serving(lambda asked: redirect("/there") if asked.target == "/" else ok()) as server:
        outbound.send(Request("GET", f"http://{server.place}/", SECRETS))
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer secret"] * 2


@pytest.mark.parametrize("other", ["port", "host", "scheme"])
def test_credentials_never_go_to_another_origin(outbound: Outbound, names: Names, ca: Authority, other: str) -> None:
    names.answers["idp.example"] = names.answers["other.example"] = [["127.0.0.1"]]
    with serving(lambda _: ok(), ca.server if other == "scheme" else None) as elsewhere:
        place = {"port": "http://127.0.0.1", "host": "http://other.example", "scheme": "https://idp.example"}[other]
        with serving(lambda _: redirect(f"{place}:{elsewhere.port}/")) as server:
            outbound.send(Request("GET", f"http://{server.place}/", SECRETS))
    (asked,) = elsewhere.asked
    assert asked.headers["accept"] == "application/json"
    assert not {"authorization", "cookie", "x-api-key"} & set(asked.headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_what_was_posted_is_never_sent_on(outbound: Outbound, status: int) -> None:
    with (
        serving(lambda _: ok()) as elsewhere,
        serving(lambda _: redirect(f"http://{elsewhere.place}/", status)) as s,
    ):
        answer = outbound.send(Request("POST", f"http://{s.place}/", body=b"an event"))
    assert answer.status == status
    assert elsewhere.connections == 0


def _refusal(outbound: Outbound, url: str) -> Reason:
    with pytest.raises(OutboundError) as raised:
        outbound.send(Request("GET", url, SECRETS))
    assert "metadata service" not in str(raised.value)
    return raised.value.reason
