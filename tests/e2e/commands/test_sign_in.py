"""`entrepot login` and `logout`: by what each signs in, where the sign-in is kept, and how its end is told."""

import json
import os
import re
import shutil
import stat
import time
from pathlib import Path

import httpx
import pytest
from tests.e2e.commands.program import Plain, Program, anonymous
from tests.faults.auditing.acts import submit

pytestmark = pytest.mark.timeout(240)

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
PASSWORD = "an unusual phrase of theirs"


def test_the_owner_on_the_same_machine_needs_no_word(elsewhere: Program) -> None:
    data = elsewhere.shell.folder / "data"
    data.mkdir()
    shutil.copy(elsewhere.server.data_dir / "bootstrap.json", data)
    done = elsewhere("login")
    assert done.exit_code == 0, done
    assert elsewhere.server.endpoint in done.error
    assert stat.S_IMODE(elsewhere.kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(elsewhere.kept.parent.stat().st_mode) == 0o700
    assert [each["name"] for each in elsewhere.json("registry", "list")] != []
    assert "signed out" in elsewhere("logout").error
    assert not elsewhere.kept.exists()
    assert "run entrepot login" in elsewhere.fails(4, "registry", "list")


def test_an_application_signs_in_with_a_secret_that_no_command_line_and_no_output_holds(
    elsewhere: Program, plain: Plain
) -> None:
    made = plain.add_application("robot")
    plain.give_role(made.principal, READER, plain.local)
    login = ("login", elsewhere.server.endpoint, "--ca-file", elsewhere.server.ca, "--client-id", made.client_id)
    said = [elsewhere(*login, "--secret-stdin", stdin=f"{made.secret}\n")]
    said += [elsewhere.having(ENTREPOT_CLIENT_SECRET=made.secret)(*login)]
    assert [done.exit_code for done in said] == [0, 0]
    kept = elsewhere.kept.read_text()
    tokens = [each["value"] for each in json.loads(kept)["tokens"].values()]
    said += [elsewhere("registry", "list", "--output", form) for form in ("table", "json")]
    secrets = [made.secret, *tokens]
    assert [secret for secret in secrets for done in said if secret in done.out + done.error] == []
    assert [secret for secret in secrets if secret in elsewhere.server.said] == []
    assert "no client secret" in elsewhere.fails(2, *login)


def test_what_a_running_command_shows_to_other_users_holds_no_secret(program: Program) -> None:
    """Of `ps`: the command line. The environment is the person's own to read."""
    with program.started("login", program.server.endpoint, "--ca-file", program.server.ca) as process:
        wait = time.monotonic() + 30
        while process.stderr is not None and "enter the code" not in process.stderr.readline():
            assert time.monotonic() < wait
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
    assert "login" in shown
    assert program.server.password not in shown


def test_a_person_signs_in_with_a_code_and_goes_on_when_the_token_has_ended(elsewhere: Program, plain: Plain) -> None:
    person = _add_person(elsewhere, "commands@example.com")
    plain.give_role(person, READER, plain.local)
    with elsewhere.started("login", elsewhere.server.endpoint, "--ca-file", elsewhere.server.ca) as process:
        assert process.stderr is not None
        code = re.search(r"enter the code (\S+)", process.stderr.readline())
        assert code is not None
        with anonymous(elsewhere.server) as browser:
            _confirm(browser, code[1])
        assert process.wait(60) == 0
    assert [each["name"] for each in elsewhere.json("registry", "list")] == ["local"]
    account = json.loads(elsewhere.kept.read_text())
    assert "clientSecret" not in account
    account["tokens"] = {}
    elsewhere.kept.write_text(json.dumps(account))
    assert elsewhere.json("repository", "list", "--registry", "local") is not None
    assert json.loads(elsewhere.kept.read_text())["tokens"] != {}


def _add_person(program: Program, upn: str) -> str:
    """Their id."""
    file = program.shell.folder / "password"
    file.write_text(PASSWORD)
    data = ("--data-dir", program.server.data_dir)
    said = program.run("user", "add", upn, "--password-file", file, *data)
    return said.split("id:")[1].split()[0]


def _confirm(browser: httpx.Client, code: str) -> None:
    asked = submit(browser, browser.get("/devicelogin"), "code", user_code=code)
    asked = submit(browser, asked, "password", username="commands@example.com", password=PASSWORD)
    assert "Entrepot's command line" in asked.text.replace("&#39;", "'")
    assert "Done" in submit(browser, asked, "confirm").text


def test_an_end_of_the_sign_in_names_the_command_that_signs_in_again(elsewhere: Program, plain: Plain) -> None:
    made = plain.add_application("shortlived")
    login = ("login", elsewhere.server.endpoint, "--ca-file", elsewhere.server.ca, "--client-id", made.client_id)
    elsewhere.run(*login, "--secret-stdin", stdin=made.secret)
    account = json.loads(elsewhere.kept.read_text())
    elsewhere.kept.write_text(json.dumps({**account, "clientSecret": "wrong", "tokens": {}}))
    said = elsewhere.fails(4, "registry", "list")
    assert "Invalid client secret" in said
    assert f"entrepot login {elsewhere.server.endpoint} --client-id {made.client_id}" in said
    assert "Invalid client secret" in elsewhere.fails(4, *login, "--secret-stdin", stdin="wrong")


def test_a_server_that_is_not_there_or_not_trusted_is_told_with_what_to_do(elsewhere: Program) -> None:
    endpoint = elsewhere.server.endpoint
    asking = ("--client-id", "nobody", "--secret-stdin")
    nothing = elsewhere.fails(3, "login", "https://127.0.0.1:1", *asking, stdin="secret")
    assert "https://127.0.0.1:1 does not answer" in nothing
    assert "tried: POST https://127.0.0.1:1/common/oauth2/v2.0/token, 4 times" in nothing
    untrusted = elsewhere.fails(3, "login", endpoint, *asking, stdin="secret")
    assert "is not trusted" in untrusted
    assert "--ca-file" in untrusted
    assert "https://HOST" in elsewhere.fails(2, "login", "http://registry.example.com", *asking, stdin="secret")
    assert "bootstrap.json" in elsewhere.fails(2, "login")
    assert "no certificate" in elsewhere.fails(2, "login", endpoint, "--ca-file", os.devnull, *asking, stdin="secret")
