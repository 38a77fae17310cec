"""How requests are sent: what is tried again, what is not, and what never leaves."""

from collections.abc import Callable

import httpx
import pytest

from entrepot.client.http import ANSWER_LIMIT, Http, Request, refused
from entrepot.client.refusals import Unreachable, Unreadable

URL = "https://registry.example.com/subscriptions"
Answering = Callable[[httpx.Request], httpx.Response]


class Line:
    """What was sent, and how long was waited, in place of a network and a clock."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[httpx.Request] = []
        self.waited: list[float] = []
        self.http = Http(None, self.waited.append, httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok() -> httpx.Response:
    return httpx.Response(200, json={})


@pytest.mark.parametrize(
    "passing",
    [httpx.Response(503), httpx.Response(502), httpx.ReadError("cut"), httpx.ConnectError("refused")],
    ids=str,
)
def test_what_only_reads_is_tried_again(passing: httpx.Response | Exception) -> None:
    line = Line(passing, passing, ok())
    assert line.http.send(Request("GET", URL)).status == 200
    assert line.waited == [0.25, 0.5]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_change_that_may_have_happened_is_not_sent_again(method: str) -> None:
    cut = Line(httpx.ReadError("cut"), ok())
    with pytest.raises(Unreachable, match="does not answer: cut"):
        cut.http.send(Request(method, URL))
    down = Line(httpx.Response(503), ok())
    assert down.http.send(Request(method, URL)).status == 503
    assert (len(cut.sent), len(down.sent)) == (1, 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_change_that_was_never_sent_is(method: str) -> None:
    assert Line(httpx.ConnectError("refused"), ok()).http.send(Request(method, URL)).status == 200


def test_the_last_try_tells_what_was_tried() -> None:
    line = Line(*[httpx.ConnectError("refused")] * 4)
    with pytest.raises(Unreachable) as none:
        line.http.send(Request("GET", f"{URL}?token=secret"))
    assert none.value.reason == "https://registry.example.com does not answer: refused"
    assert none.value.tried == f"GET {URL}, 4 times"


def test_a_certificate_that_is_not_trusted_is_not_tried_again() -> None:
    line = Line(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"))
    with pytest.raises(Unreachable, match="is not trusted"):
        line.http.send(Request("GET", URL))
    assert line.waited == []


def test_patience_lasts_as_long_as_the_server_asks_for() -> None:
    line = Line(httpx.Response(429, headers={"retry-after": "7"}), ok())
    assert line.http.send(Request("POST", URL)).status == 200
    assert line.waited == [7]


def test_who_asks_for_too_much_patience_is_told_to_the_person() -> None:
    line = Line(httpx.Response(429, headers={"retry-after": "3600"}, json={"errors": [{"code": "T", "message": "m."}]}))
    no = refused(line.http.send(Request("GET", URL)))
    assert no is not None
    assert (no.status, no.message, line.waited) == (429, "m. Wait 3600 seconds.", [])


def test_nobody_is_redirected_with_a_token() -> None:
    line = Line(httpx.Response(307, headers={"location": "https://elsewhere.example.com/"}))
    no = refused(line.http.send(Request("GET", URL, {"authorization": "Bearer token"})))
    assert no is not None
    assert [request.url.host for request in line.sent] == ["registry.example.com"]


def test_an_answer_without_end_is_cut() -> None:
    line = Line(httpx.Response(200, content=b"x" * (ANSWER_LIMIT + 1)))
    with pytest.raises(Unreadable):
        line.http.send(Request("GET", URL))


def test_a_name_below_localhost_is_this_machine() -> None:
    line = Line(ok())
    line.http.send(Request("GET", "https://team.entrepot.localhost:5000/v2/"))
    (request,) = line.sent
    assert (request.url.host, request.url.port) == ("localhost", 5000)
    assert request.headers["host"] == "team.entrepot.localhost:5000"
    assert request.extensions["sni_hostname"] == "team.entrepot.localhost"


def test_a_request_shows_no_token_and_no_secret() -> None:
    shown = repr(Request("POST", URL, {"authorization": "Bearer the-token"}, b"client_secret=the-secret"))
    assert "the-" not in shown


@pytest.mark.parametrize("ca", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----"])
def test_a_ca_that_is_none_does_not_mean_that_everybody_is_trusted(ca: str) -> None:
    with pytest.raises(ValueError, match="certificate"):
        Http(ca)
