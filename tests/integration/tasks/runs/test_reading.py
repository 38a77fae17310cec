"""What a plan says in full, where its task file names secrets of a vault (ACR-TASKS 3.2)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.tasks.language.reading import Task
from entrepot.tasks.language.rendering import Renderer
from entrepot.tasks.model import Platform
from entrepot.tasks.runs.model import Plan, Secrets, Steps
from entrepot.tasks.runs.reading import Reader, Reading, Unlock, read_job

TASK = """\
version: v1.1.0
secrets:
  - id: key
    keyvault: https://{{.Values.vault}}.vault.azure.net/secrets/$ID
  - id: other
    keyvault: https://v.vault.azure.net/secrets/other
    clientID: 0b0e0d0c-0000-4000-8000-000000000000
steps:
  - cmd: x --key '{{.Secrets.key}}' --other {{.Secrets.other}}
"""


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = Renderer()
    yield made
    made.close()


def read(renderer: Renderer, unlock: Unlock, folder: Path) -> Task:
    plan = Plan(Steps(text=TASK, values={"vault": "builds"}), Platform("linux"), 300)
    known = Reading("ca1", "local", "localhost:5000")
    found = read_job(plan, Secrets(), known, Reader(renderer, {}, unlock), folder)
    assert isinstance(found, Task)
    return found


def test_secrets_are_read_by_their_rendered_addresses_and_put_in(renderer: Renderer, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def unlock(url: str, client_id: str) -> str:
        asked.append((url, client_id))
        return f"secret-{len(asked)}"

    task = read(renderer, unlock, tmp_path)
    assert task.steps[0].cmd == "x --key 'secret-1' --other secret-2"
    assert asked == [
        ("https://builds.vault.azure.net/secrets/ca1", ""),
        ("https://v.vault.azure.net/secrets/other", "0b0e0d0c-0000-4000-8000-000000000000"),
    ]


def test_a_secret_that_is_not_to_be_had_ends_the_reading(renderer: Renderer, tmp_path: Path) -> None:
    def unlock(url: str, client_id: str) -> str:
        raise LookupError(url, client_id)

    with pytest.raises(LookupError, match=r"builds\.vault"):
        read(renderer, unlock, tmp_path)
