"""What a call sends and gets, over real sockets."""

import gzip
from pathlib import Path

import pytest
from tests.integration.outbound.conftest import Names, StartOutbound
from tests.outside import Authority, accepting, answer, authority, ok, serving

from entrepot.app.parts import open_outbound
from entrepot.outbound.client import Outbound
from entrepot.outbound.model import OutboundError, Reason, Request
from entrepot.settings import SettingError, Settings


def test_a_call_brings_the_answer_of_whatever_status(outbound: Outbound) -> None:
    with serving(lambda _: answer(418, b"short and stout", {"x-pot": "tea"})) as server:
        got = outbound.send(Request("GET", f"http://{server.place}/pot?kind=tea", {"x-cup": "1"}))
    assert (got.status, got.body, got.headers["X-Pot"]) == (418, b"short and stout", "tea")
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.headers["x-cup"]) == ("GET", "/pot?kind=tea", "1")
    assert (asked.headers["host"], asked.headers["user-agent"]) == (server.place, "entrepot")


def test_a_body_is_sent_with_its_length(outbound: Outbound) -> None:
    body = bytes(300_000)
    with serving(lambda _: ok()) as server:
        outbound.send(Request("POST", f"http://{server.place}/", body=body))
        outbound.send(Request("POST", f"http://{server.place}/"))
    assert [len(asked.body) for asked in server.asked] == [300_000, 0]
    assert server.asked[1].headers["content-length"] == "0"


def test_a_packed_answer_that_nobody_asked_for_is_unpacked(outbound: Outbound) -> None:
    with serving(lambda _: ok(gzip.compress(b"hello"), {"content-encoding": "gzip"})) as server:
        got = outbound.send(Request("GET", f"http://{server.place}/"))
    assert got.body == b"hello"
    assert server.asked[0].headers["accept-encoding"] == "identity"


def test_the_head_of_a_large_thing_is_no_large_answer(outbound: Outbound) -> None:
    with serving(lambda _: answer(200, headers={"content-length": "9" * 12, "content-encoding": "br"})) as server:
        assert outbound.send(Request("HEAD", f"http://{server.place}/")).status == 200


def test_tls_and_the_host_header_name_the_name_and_the_address_is_the_checked_one(
    outbound: Outbound, names: Names, ca: Authority
) -> None:
    names.answers["idp.example"] = [["127.0.0.1"]]
    with serving(lambda _: ok(b"hello"), ca.server) as server:
        got = outbound.send(Request("GET", f"https://idp.example:{server.port}/"))
    assert got.body == b"hello"
    (asked,) = server.asked
    assert (asked.server_name, asked.headers["host"]) == ("idp.example", f"idp.example:{server.port}")


def test_a_certificate_for_another_name_is_refused(outbound: Outbound, names: Names, ca: Authority) -> None:
    names.answers["stranger.example"] = [["127.0.0.1"]]
    with serving(lambda _: ok(b"hello"), ca.server) as server:
        assert _reason(outbound, f"https://stranger.example:{server.port}/") is Reason.TLS_FAILED
    assert server.asked == []


def test_a_certificate_of_an_unknown_ca_is_refused(outbound: Outbound, names: Names, tmp_path: Path) -> None:
    names.answers["idp.example"] = [["127.0.0.1"]]
    with serving(lambda _: ok(b"hello"), authority(tmp_path, "idp.example").server) as server:
        assert _reason(outbound, f"https://idp.example:{server.port}/") is Reason.TLS_FAILED
    assert server.asked == []


def test_https_to_a_server_without_tls_fails(outbound: Outbound) -> None:
    with accepting(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        assert _reason(outbound, f"https://{server.place}/") is Reason.TLS_FAILED


def test_a_port_where_nobody_listens_is_no_connection(outbound: Outbound) -> None:
    with serving(lambda _: ok()) as server:
        place = server.place
    assert _reason(outbound, f"http://{place}/") is Reason.CONNECTION_FAILED


def test_an_unknown_name_is_said_to_be_unknown(outbound: Outbound) -> None:
    assert _reason(outbound, "https://nowhere.example/") is Reason.NAME_UNKNOWN


def test_the_second_address_is_tried_when_the_first_does_not_answer(
    start_outbound: StartOutbound, names: Names
) -> None:
    with serving(lambda _: ok(b"hello")) as server:
        names.answers["two.example"] = [["127.0.0.3", "127.0.0.1"]]
        got = start_outbound("127.0.0.0/8").send(Request("GET", f"http://two.example:{server.port}/"))
    assert got.body == b"hello"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://idp.example/",
        "file:///etc/passwd",
        "gopher://idp.example/",
        "//idp.example/",
        "idp.example",
        "https:///path",
        "https://user:password@idp.example/",
        "https://user@idp.example/",
        "https://idp.example:99999/",
        "https://idp.example:0/",
        "https://idp.example:port/",
        "https://id\np.example/",
        "https://" + "a" * 9000 + ".example/",
        "",
    ],
)
def test_a_url_that_is_not_a_plain_web_address_is_refused(outbound: Outbound, names: Names, url: str) -> None:
    assert _reason(outbound, url) is Reason.REQUEST_REFUSED
    assert names.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "elsewhere.example"},
        {"Transfer-Encoding": "chunked"},
        {"content-length": "3"},
        {"x-note": "one\r\nx-two: 2"},
        {"x-note\r\nx-two": "2"},
        {"x-note": "café"},
        {"x note": "1"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_a_header_that_would_change_where_a_request_goes_or_ends_is_refused(
    outbound: Outbound, headers: dict[str, str]
) -> None:
    with serving(lambda _: ok()) as server:
        with pytest.raises(OutboundError) as raised:
            outbound.send(Request("POST", f"http://{server.place}/", headers))
        assert raised.value.reason is Reason.REQUEST_REFUSED
    assert server.asked == []


def test_the_environment_s_proxies_and_netrc_are_not_looked_at(
    outbound: Outbound, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(lambda _: ok(b"hello")) as server:
        assert outbound.send(Request("GET", f"http://{server.place}/")).body == b"hello"
    assert "authorization" not in server.asked[0].headers


def test_a_cookie_is_never_kept(outbound: Outbound) -> None:
    with serving(lambda _: ok(headers={"set-cookie": "session=1; path=/"})) as server:
        for _ in range(2):
            outbound.send(Request("GET", f"http://{server.place}/"))
    assert ["cookie" in asked.headers for asked in server.asked] == [False, False]


def test_the_settings_make_the_client(ca: Authority) -> None:
    settings = Settings(outbound_allow=("127.0.0.1",), outbound_ca_file=ca.ca_file)
    client = open_outbound(settings)
    with serving(lambda _: ok(b"hello"), ca.server) as server:
        assert client.send(Request("GET", f"https://{server.place}/")).body == b"hello"
    client.close()


def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "ca.crt"
    empty.write_text("no certificate\n")
    for path in (empty, tmp_path / "missing"):
        with pytest.raises(SettingError, match=f"outbound_ca_file: {path}: (holds no PEM certificate|No such file)"):
            open_outbound(Settings(outbound_ca_file=path))


def _reason(outbound: Outbound, url: str) -> Reason:
    with pytest.raises(OutboundError) as raised:
        outbound.send(Request("GET", url, seconds=2))
    return raised.value.reason
