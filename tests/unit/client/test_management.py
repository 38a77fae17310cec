"""The management API and the directory as this client reads them."""

from collections.abc import Callable

import httpx
import pytest

from entrepot.client.account import Account, Token, await_person, begin_device_code, token_for
from entrepot.client.http import Http
from entrepot.client.management import Management
from entrepot.client.model import Found
from entrepot.client.refusals import Refused, SignInNeeded, Unreadable, refusal
from entrepot.client.tokens import content_of

ENDPOINT = "https://registry.example.com"
NOW = 1_000_000.0
Answering = Callable[[httpx.Request], httpx.Response]


def application(**tokens: Token) -> Account:
    return Account(ENDPOINT, "the-client", client_secret="the-secret", tokens=dict(tokens))


def signed_in() -> Account:
    account = application()
    account.tokens[account.management_scope] = Token("the-token", NOW + 3600)
    return account


def management(answering: Answering, account: Account | None = None, waited: list[float] | None = None) -> Management:
    http = Http(None, lambda _: None, httpx.MockTransport(answering))
    pause = (waited if waited is not None else []).append
    return Management(http, account or signed_in(), lambda: NOW, pause)


def test_pages_are_read_to_their_end_and_no_further_than_asked() -> None:
    asked: list[str] = []

    def answering(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        page = len(asked)
        following = {} if page == 3 else {"nextLink": f"{ENDPOINT}/list?api-version=1&$skiptoken={page}"}
        return httpx.Response(200, json={"value": [{"id": f"/{page}", "name": str(page), "more": 1}], **following})

    found = management(answering).pages("/list", Found)
    assert next(found).name == "1"
    assert len(asked) == 1
    assert [each.name for each in found] == ["2", "3"]


def test_a_link_to_another_host_is_not_followed() -> None:
    def answering(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "registry.example.com"
        return httpx.Response(200, json={"value": [], "nextLink": "https://registry.example.com.evil.example/list"})

    with pytest.raises(Unreadable, match=r"evil\.example"):
        list(management(answering).pages("/list", Found))


def test_a_revoked_token_is_replaced_once() -> None:
    sent: list[str] = []

    def answering(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "new", "expires_in": 3600})
        sent.append(request.headers["authorization"])
        return httpx.Response(401, json={"error": {"code": "AuthenticationFailed", "message": "m"}})

    account = signed_in()
    with pytest.raises(Refused, match="m"):
        management(answering, account).get("/one", Found)
    assert sent == ["Bearer the-token", "Bearer new"]
    assert account.tokens[account.management_scope] == Token("new", NOW + 3600)


def test_a_long_operation_is_looked_at_as_seldom_as_the_server_asks() -> None:
    states = iter(["Accepted", "Accepted", "Succeeded"])

    def answering(_: httpx.Request) -> httpx.Response:
        document = {"id": "/o", "name": "o", "status": next(states), "startTime": "t"}
        return httpx.Response(200, json=document, headers={"retry-after": "4"})

    waited: list[float] = []
    found = list(management(answering, None, waited).follow(f"{ENDPOINT}/o"))
    assert ([each.status for each in found], waited) == (["Accepted", "Accepted", "Succeeded"], [4, 4])


def test_a_token_is_asked_for_again_before_it_ends() -> None:
    def answering(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"access_token": "new", "expires_in": 3600})

    http = Http(None, lambda _: None, httpx.MockTransport(answering))
    account = application(scope=Token("old", NOW + 61))
    assert token_for(http, account, "scope", NOW) == "old"
    assert token_for(http, account, "scope", NOW + 2) == "new"


def test_a_directory_that_refuses_needs_a_sign_in_and_one_that_fails_does_not() -> None:
    def http(status: int) -> Http:
        body = {"error": "invalid_client", "error_description": "AADSTS7000215: wrong"}
        return Http(None, lambda _: None, httpx.MockTransport(lambda _: httpx.Response(status, json=body)))

    with pytest.raises(SignInNeeded, match="AADSTS7000215"):
        token_for(http(401), application(), "scope", NOW)
    with pytest.raises(Refused):
        token_for(http(503), application(), "scope", NOW)


def test_a_device_code_is_waited_for_as_long_as_it_is_good() -> None:
    answers = iter(["authorization_pending", "slow_down", "authorization_pending", "authorization_pending"])

    def answering(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/devicecode"):
            code = {"device_code": "d", "user_code": "u", "verification_uri": "v", "message": "m"}
            return httpx.Response(200, json={**code, "expires_in": 25, "interval": 5})
        return httpx.Response(400, json={"error": next(answers)})

    http, waited = Http(None, lambda _: None, httpx.MockTransport(answering)), list[float]()
    account = Account(ENDPOINT, "the-client")
    with pytest.raises(SignInNeeded, match="expired"):
        await_person(http, account, begin_device_code(http, account), waited.append)
    assert waited == [5, 5, 10, 10]


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error":{"code":"A","message":"of the management API"}}', "A", "of the management API"),
        (b'{"errors":[{"code":"B","message":"of the data plane","detail":null}]}', "B", "of the data plane"),
        (b'{"error":"C","error_description":"of the directory"}', "C", "of the directory"),
        (b"<html>", "", "the server answered 500 and did not say why"),
        (b'{"errors":[]}', "", "the server refused it and did not say why"),
    ],
)
def test_a_refusal_is_read_in_each_of_the_dialects(body: bytes, code: str, message: str) -> None:
    no = refusal(500, body, "the-id")
    assert (no.status, no.code, no.message, no.request_id) == (500, code, message, "the-id")


def test_pages_of_the_data_plane_go_on_at_the_registry_alone() -> None:
    def answering(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "team.example.com"
        match request.url.path:
            case "/oauth2/exchange":
                return httpx.Response(200, json={"refresh_token": "refresh"})
            case "/oauth2/token":
                return httpx.Response(200, json={"access_token": "access"})
            case _ if "last" in request.url.params:
                return httpx.Response(200, json={"repositories": ["b"]}, headers={"link": '<//evil/x>; rel="prev"'})
            case _:
                link = '</acr/v1/_catalog?last=a&n=100>; rel="next"'
                return httpx.Response(200, json={"repositories": ["a"]}, headers={"link": link})

    account = application()
    account.tokens["https://containerregistry.azure.net/.default"] = Token("t", NOW + 3600)
    http = Http(None, lambda _: None, httpx.MockTransport(answering))
    assert list(content_of(http, account, "team.example.com", lambda: NOW).repositories()) == ["a", "b"]


def test_an_account_shows_no_secret() -> None:
    account = signed_in()
    account.refresh_token = "the-refresh"
    shown = repr(account) + repr(account.tokens)
    assert [secret for secret in ("the-secret", "the-token", "the-refresh") if secret in shown] == []
