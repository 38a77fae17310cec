"""The pages where people sign in: what they ask, what they tell, and how they hold out."""

import pytest
from pyotp.totp import TOTP
from tests.directory import (
    ADA,
    PASSWORD,
    Browser,
    add_person,
    add_totp,
    authorize_path,
    browser,
    sent_back,
)
from tests.registry import Registry
from tests.wire import Client

NEW = "a quite different phrase"


@pytest.fixture
async def person(registry: Registry):
    return add_person(registry)


async def guess(who: Browser, times: int, upn: str = ADA) -> None:
    for _ in range(times):
        await who.submit("password", username=upn, password="wrong")


async def test_a_page_runs_nothing_and_is_shown_in_no_frame(registry: Registry):
    answer = await browser(registry).open(authorize_path())
    policy = answer["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://localhost:8400" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (answer["x-frame-options"], answer["cache-control"]) == ("DENY", "no-store")
    assert b"<script" not in answer.body
    assert b"style=" not in answer.body


async def test_the_stylesheet_is_ours(registry: Registry):
    answer = await registry.nobody.get("/sign-in.css")
    assert (answer.status, answer["content-type"]) == (200, "text/css; charset=utf-8")


async def test_what_a_client_sends_is_shown_as_text(registry: Registry):
    who = browser(registry)
    await who.open(authorize_path(login_hint='"><script>alert(1)</script>'))
    assert "<script>" not in who.text
    assert "&lt;script&gt;" in who.text


async def test_a_wrong_password_and_a_name_that_nobody_has_look_alike(registry: Registry, person):
    told: list[tuple[int, str]] = []
    for upn in (ADA, "nobody@example.com"):
        who = browser(registry)
        await who.open(authorize_path())
        answer = await who.submit("password", username=upn, password="wrong")
        told.append((answer.status, who.text.replace(upn, "").replace(who.form.hidden["csrf"], "")))
    assert told[0] == told[1]
    assert told[0][0] == 401


async def test_cookies_are_for_us_alone(start_registry):
    registry = await start_registry(no_tls=False)
    add_person(registry)
    who = browser(registry)
    answer = await who.sign_in(authorize_path())
    lines = answer.every("set-cookie")
    assert {line.partition("=")[0] for line in lines} == {"__Host-entrepot-session", "__Host-entrepot-browser"}
    assert all("; Path=/; HttpOnly; SameSite=Lax; Secure" in line for line in lines)


# --- forms of other sites ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("csrf", ["", "0" * 64])
async def test_a_form_without_the_browser_s_own_token_is_refused(registry: Registry, person, csrf: str):
    who = browser(registry)
    await who.open(authorize_path())
    answer = await who.submit("password", username=ADA, password=PASSWORD, csrf=csrf)
    assert (answer.status, answer.every("set-cookie")) == (400, [])


async def test_the_token_of_another_browser_does_not_do(registry: Registry, person):
    mine, theirs = browser(registry), browser(registry)
    await mine.open(authorize_path())
    await theirs.open(authorize_path())
    answer = await mine.submit("password", username=ADA, password=PASSWORD, csrf=theirs.form.hidden["csrf"])
    assert answer.status == 400


async def test_a_form_that_says_it_comes_from_elsewhere_is_refused(registry: Registry, person):
    who = browser(registry)
    await who.open(authorize_path())
    target, form = who.form.action, {**who.form.hidden, "step": "password", "username": ADA, "password": PASSWORD}
    assert (await who.send(target, form, origin="https://evil.example")).status == 400
    assert (await who.send(target, form, origin="null")).status == 400
    assert (await who.send(target, form, origin=f"http://{registry.host}")).status == 303


async def test_a_cookie_that_stands_twice_is_none(registry: Registry, person):
    who = browser(registry)
    await who.sign_in(authorize_path())
    session = who.cookies["entrepot-session"]
    who.cookies["entrepot-session"] = f"{session}; entrepot-session={session}"
    assert "Password" in (await who.open(authorize_path())).body.decode()


# --- lockout ----------------------------------------------------------------------------------------------------------


async def test_guessing_locks_even_the_right_password_for_a_while(registry: Registry, person):
    who = browser(registry)
    await who.open(authorize_path())
    await guess(who, 5)
    answer = await who.submit("password", username=ADA, password=PASSWORD)
    assert (answer.status, "Wait 30 seconds" in who.text) == (401, True)
    registry.clock.advance(seconds=31)
    assert "code" in sent_back(await who.submit("password", username=ADA, password=PASSWORD))


async def test_each_further_guess_locks_for_longer_and_never_for_more_than_a_quarter_of_an_hour(
    registry: Registry, person
):
    who = browser(registry)
    await who.open(authorize_path())
    await guess(who, 5)
    waits: list[int] = []
    for _ in range(8):
        await guess(who, 1)
        waits.append(int(who.text.partition("Wait ")[2].split()[0]))
        registry.clock.advance(seconds=waits[-1])
        await guess(who, 1)
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


async def test_a_name_that_nobody_has_locks_alike(registry: Registry):
    who = browser(registry)
    await who.open(authorize_path())
    await guess(who, 6, "nobody@example.com")
    assert "Wait 30 seconds" in who.text


async def test_the_owner_s_own_browser_goes_on_while_somebody_guesses_elsewhere(registry: Registry, person):
    own = browser(registry, "192.0.2.1")
    await own.sign_in(authorize_path())
    del own.cookies["entrepot-session"]
    for place in range(4):
        stranger = browser(registry, f"198.51.100.{place}")
        await stranger.open(authorize_path())
        await guess(stranger, 5)
    assert "code" in sent_back(await own.sign_in(authorize_path()))


async def test_an_address_that_guesses_at_many_names_is_slowed_down(registry: Registry, person):
    who = browser(registry, "198.51.100.7")
    await who.open(authorize_path())
    for place in range(50):
        await guess(who, 1, f"name{place}@example.com")
    answer = await who.submit("password", username=ADA, password=PASSWORD)
    assert (answer.status, "Wait" in who.text) == (401, True)
    assert "code" in sent_back(await browser(registry, "192.0.2.1").sign_in(authorize_path()))


# --- more than a password ---------------------------------------------------------------------------------------------


async def test_a_first_password_is_good_for_choosing_another(registry: Registry):
    add_person(registry, must_change=True)
    who = browser(registry)
    await who.sign_in(authorize_path())
    assert "Choose a new password" in who.text
    for chosen, reason in (("short", "12 to 256"), (PASSWORD, "another one"), ("adaadaadaada", "different characters")):
        assert (await who.submit("change", new=chosen, again=chosen)).status == 400
        assert reason in who.text
    await who.submit("change", new=NEW, again=f"{NEW}!")
    assert "not the same" in who.text
    assert "code" in sent_back(await who.submit("change", new=NEW, again=NEW))
    assert "code" in sent_back(await browser(registry).sign_in(authorize_path(), password=NEW))


async def test_half_a_sign_in_opens_nothing(registry: Registry):
    add_person(registry, must_change=True)
    who = browser(registry)
    await who.sign_in(authorize_path())
    assert "entrepot-session" not in who.cookies
    answer = await who.send(who.form.action, {"csrf": who.form.hidden["csrf"], "step": "continue"})
    assert (answer.status, "Password" in who.text) == (200, True)


async def test_a_second_factor_is_asked_for_and_each_code_is_good_once(registry: Registry, person):
    clock = TOTP(add_totp(registry, person))
    who = browser(registry)
    await who.sign_in(authorize_path())
    assert "Enter your code" in who.text
    assert (await who.submit("totp", code="000000")).status == 401
    code = clock.at(registry.clock.now)
    assert "code" in sent_back(await who.submit("totp", code=code))
    again = browser(registry)
    await again.sign_in(authorize_path())
    assert (await again.submit("totp", code=code)).status == 401


async def test_guessing_codes_locks_too(registry: Registry, person):
    add_totp(registry, person)
    who = browser(registry)
    await who.sign_in(authorize_path())
    for _ in range(5):
        await who.submit("totp", code="000000")
    assert "Wait" in who.text


async def test_the_second_page_cannot_be_reached_without_the_first(registry: Registry, person):
    clock = TOTP(add_totp(registry, person))
    who = browser(registry)
    await who.open(authorize_path())
    form = {"csrf": who.form.hidden["csrf"], "step": "totp", "code": clock.at(registry.clock.now), "pending": "x"}
    await who.send(who.form.action, form)
    assert ("This took too long" in who.text, "entrepot-session" in who.cookies) == (True, False)


# --- signing out ------------------------------------------------------------------------------------------------------


async def test_signing_out_is_asked_for_and_then_ends_the_session(registry: Registry, person):
    who = browser(registry)
    await who.sign_in(authorize_path())
    kept = dict(who.cookies)
    await who.open("/common/oauth2/v2.0/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.example")
    assert "code" in sent_back(await Browser(Client(registry.app, registry.host), kept).open(authorize_path()))
    await who.open("/common/oauth2/v2.0/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.example")
    answer = await who.submit("sign_out")
    assert (answer.status, "Signed out" in who.text, "evil" in who.text) == (200, True, False)
    stolen = await Browser(Client(registry.app, registry.host), kept).open(authorize_path())
    assert b"Password" in stolen.body
