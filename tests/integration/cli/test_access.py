"""`entrepot access explain`, on the data folder."""

import json

import pytest
from tests.integration.cli.conftest import Command
from tests.integration.rows import add_principal
from tests.registry import OWNER, SECRET_KEY, Registry

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


@pytest.fixture(autouse=True)
def secret_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTREPOT_SECRET_KEY", SECRET_KEY)


async def test_a_person_reads_the_answer_what_was_looked_at_and_what_would_permit_it(
    registry: Registry, entrepot: Command
) -> None:
    registry.query(lambda tx: add_principal(tx, "guest", "secret", ACR_PULL))
    asked = ("access", "explain", "--principal", "guest", "--repository", "team/app")
    assert entrepot.succeeds(*asked, "--action", "pull").splitlines()[0] == (
        "guest (ServicePrincipal id-guest) may pull team/app"
    )
    done = entrepot(*asked, "--action", "push")
    lines = done.out.splitlines()
    assert (done.exit_code, lines[0]) == (1, "guest (ServicePrincipal id-guest) may not push team/app")
    assert lines[1].endswith("/registries/local, mode LegacyRegistryPermissions")
    assert lines[2].startswith("it takes: Microsoft.ContainerRegistry/registries/push/write on /subscriptions/")
    assert lines[3] == "looked at:"
    assert lines[4].startswith("  - role AcrPull at /subscriptions/")
    assert lines[5] == "to permit it:"
    assert lines[6].startswith("  az role assignment create --assignee-object-id id-guest ")


async def test_a_name_does_not_command_a_terminal(registry: Registry, entrepot: Command) -> None:
    registry.query(lambda tx: add_principal(tx, "\x1b[2J", "secret", ACR_PULL))
    assert "\x1b" not in entrepot.succeeds("access", "explain", "--principal", "\x1b[2J", "--action", "catalog")


async def test_a_program_reads_json(registry: Registry, entrepot: Command) -> None:
    found = json.loads(entrepot.succeeds("access", "explain", "--principal", OWNER, "--action", "list", "--json"))
    assert (found["allowed"], found["action"], found["considered"][0]["what"]) == (True, "catalog", "role Owner")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--principal", "nobody", "--action", "catalog"), "nobody is called 'nobody'"),
        (("--principal", OWNER, "--action", "fly"), "it is one of pull, push"),
        (("--principal", OWNER, "--action", "pull"), "name a repository"),
        (("--principal", OWNER, "--action", "catalog", "--registry", "none"), "there is no registry 'none'"),
    ],
)
async def test_a_question_that_cannot_be_answered_is_told_in_a_line(
    registry: Registry, entrepot: Command, words: tuple[str, ...], reason: str
) -> None:
    done = entrepot("access", "explain", *words)
    assert (done.exit_code, reason in done.error, "Traceback" in done.error) == (2, True, False)
