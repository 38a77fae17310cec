"""The sign-in pages in Chromium, with scripts turned off."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page
from tests.directory import authorize_path
from tests.e2e.identity.conftest import Site

pytestmark = pytest.mark.timeout(180)


class _Listener(BaseHTTPRequestHandler):
    """What a program on the person's machine listens with."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<h1>back at the program</h1>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name in the library
        """Nobody reads it."""


@pytest.fixture
def listener() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Listener)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def address(site: Site, redirect_uri: str) -> str:
    return site.server.endpoint + authorize_path(redirect_uri=redirect_uri)


def sign_in(page: Page, upn: str, password: str) -> None:
    page.get_by_label("User name").fill(upn)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_person_signs_in_and_is_back_at_the_program(site: Site, page: Page, listener: str):
    upn = site.add_person("chromium")
    page.goto(address(site, listener))
    sign_in(page, upn, site.password)
    assert page.get_by_role("heading").inner_text() == "back at the program"
    query = parse_qs(urlsplit(page.url).query)
    assert (query["state"], len(query["code"])) == (["the-state"], 1)


def test_the_page_looks_as_it_should(site: Site, page: Page, listener: str):
    """The policy lets our stylesheet in, and nothing complains."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(address(site, listener))
    button = page.get_by_role("button", name="Sign in")
    assert button.evaluate("button => getComputedStyle(button).fontWeight") == "600"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert complaints == []


def test_a_person_signs_in_with_the_keyboard_alone(site: Site, page: Page, listener: str):
    upn = site.add_person("keyboard")
    page.goto(address(site, listener))
    page.keyboard.type(upn)
    page.keyboard.press("Tab")
    page.keyboard.type(site.password)
    page.keyboard.press("Enter")
    assert page.get_by_role("heading").inner_text() == "back at the program"


def test_a_wrong_password_is_told_and_then_slowed_down(site: Site, page: Page, listener: str):
    upn = site.add_person("guessed")
    page.goto(address(site, listener))
    for _ in range(5):
        sign_in(page, upn, "wrong")
        assert "wrong user name or password" in page.get_by_role("alert").inner_text()
    sign_in(page, upn, site.password)
    assert "Wait" in page.get_by_role("alert").inner_text()


def test_a_form_on_another_site_signs_nobody_in(site: Site, page: Page, listener: str):
    upn = site.add_person("forged")
    page.goto(address(site, listener))  # so that the browser has our cookie
    form = (
        f'<form method="post" action="{address(site, listener).replace("&", "&amp;")}">'
        f'<input name="username" value="{upn}"><input name="password" value="{site.password}">'
        '<input name="csrf" value="guessed"><button name="step" value="password">go</button></form>'
    )
    page.goto(listener)
    page.set_content(form)
    page.get_by_role("button", name="go").click()
    assert page.get_by_role("heading").inner_text() == "This did not work"
    assert {cookie.get("name") for cookie in page.context.cookies()} == {"__Host-entrepot-form"}


def test_nobody_is_sent_to_an_address_that_is_not_the_client_s(site: Site, page: Page):
    page.goto(address(site, "http://localhost:8400@evil.example/"))
    assert page.get_by_role("heading").inner_text() == "This did not work"
    assert page.url.startswith(site.server.endpoint)
