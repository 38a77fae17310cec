"""The tour: every ``az acr`` command against a real server, at a name with port 443 as ACR's, in one az process."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from tests.content import an_image
from tests.e2e.az.tour.commands import ABSENT, HOME, REGISTRY, STEPS, Made, Seen, Step
from tests.e2e.az.tour.guide import Guide, Told, guided
from tests.e2e.clients import shell_in
from tests.e2e.namespaces import DOMAIN, named_server, namespaces
from tests.faults.plain import Repository
from tests.services import entrepot, postgres

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("az-tour")]

REGISTRIES = "Microsoft.ContainerRegistry/registries"
# What the tour changes, as the activity log names it.
CHANGES = {
    f"{REGISTRIES}/{change}"
    for change in (
        *("write", "delete", "listCredentials/action", "regenerateCredential/action", "generateCredentials/action"),
        *("scopeMaps/write", "scopeMaps/delete", "tokens/write", "tokens/delete"),
        *("webhooks/write", "webhooks/delete", "webhooks/ping/action", "webhooks/getCallbackConfig/action"),
        *("replications/write", "replications/delete"),
        *("credentialSets/write", "credentialSets/delete", "cacheRules/write", "cacheRules/delete"),
        *("agentPools/write", "agentPools/delete", "tasks/write", "tasks/delete", "tasks/listDetails/action"),
    )
}


@dataclass
class Tour:
    """The steps' arguments name what is in the registry ``local``; ``faults`` tells what was not as the list says."""

    guide: Guide
    images: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def begin(self) -> None:
        with self.guide.data_plane() as http:
            for tag in ("v1", "v2", "v3"):
                image = an_image(seed=tag)
                assert Repository(http, "tour/app").push(image, tag).status_code == 201
                self.images[tag] = image.digest
        (self.guide.folder / "Dockerfile").write_text("FROM scratch\n")
        (self.guide.folder / "chart.tgz").write_bytes(b"no chart")

    def take(self, steps: Sequence[Step]) -> None:
        with self.guide.data_plane() as content, self.guide.arm() as arm:
            for step in steps:
                if step.made is not None:
                    _make(arm, step.made)
                arguments = shlex.split(step.arguments.format(folder=self.guide.folder, **self.images))
                told = self.guide.az(*step.command.split(), *arguments)
                fault = _fault(step, told)
                if fault is None and step.seen is not None and not step.later:
                    fault = _difference(content if step.seen.is_content else arm, step.seen)
                if fault is not None:
                    self.faults.append(f"az {step.command}: {fault}\n{told.out[-500:]}{told.said[-1500:]}")


def _make(http: httpx.Client, made: Made) -> None:
    body = {"location": HOME, "properties": {"runRequest": made.request}}
    answer = http.put(f"{REGISTRY}{made.path}", params={"api-version": "2025-03-01-preview"}, json=body)
    assert answer.status_code == 201, answer.text


def _fault(step: Step, told: Told) -> str | None:
    """What of the command's end and answer is not as the list says."""
    if step.later and step.prints is ...:
        if told.code == 0:
            return f"succeeds although {step.later} is to come: let it count"
        return None if step.says in told.said else f"does not say {step.says!r}"
    if told.code != 0:
        return f"ended with {told.code}"
    if step.prints is not ... and told.printed != step.prints:
        return f"does not print {step.prints!r}"
    # Logs are no JSON.
    return _missing(step.shows, told.printed) if step.shows else None


def _missing(members: tuple[str, ...], printed: Any) -> str | None:  # noqa: ANN401  each command has its own
    elements = printed if isinstance(printed, list) else [printed]
    if members and not elements:
        return "lists nothing"
    lacking = {member for element in elements for member in members if member not in (element or {})}
    return f"does not show {sorted(lacking)}" if lacking else None


def _difference(http: httpx.Client, seen: Seen) -> str | None:
    answer = http.get(seen.path if seen.is_content else f"{seen.registry}{seen.path}")
    if seen.value is None:
        return None if answer.status_code == 404 else f"{seen.path} is still there"
    if answer.status_code != 200:
        return f"{seen.path} answers {answer.status_code}"
    found: Any = answer.json()
    for name in seen.member.split("."):
        found = _below(found, name)
    wanted = None if seen.value is ABSENT else seen.value
    return None if found == wanted else f"{seen.path} has {found!r} as {seen.member}"


def _below(found: Any, name: str) -> Any:  # noqa: ANN401  what an answer holds
    if isinstance(found, list):
        return found[int(name)]
    return found.get(name) if isinstance(found, dict) else None


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guide]:
    """On SQLite; the login servers have names, and their port is 443."""
    folder, hosts = tmp_path_factory.mktemp("tour"), [DOMAIN, f"local.{DOMAIN}", f"{REGISTRY}.{DOMAIN}"]
    with namespaces(folder, hosts) as inside, named_server(inside, folder / "data", 443) as server:
        shell = inside.of(shell_in(folder / "az"))
        with guided(server, shell) as guide:
            yield guide


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guide]:
    folder = tmp_path_factory.mktemp("tour")
    with (
        postgres() as url,
        entrepot(folder / "data", environment={"ENTREPOT_DATABASE_URL": url}) as server,
        guided(server, shell_in(folder / "az")) as guide,
    ):
        yield guide


@pytest.fixture(scope="module")
def toured(named: Guide) -> Tour:
    tour = Tour(named)
    tour.begin()
    tour.take(STEPS)
    return tour


def test_the_list_has_every_command_that_az_has_and_no_other(named: Guide) -> None:
    assert sorted(step.command for step in STEPS) == named.table("acr")


def test_every_command_does_what_the_list_says(toured: Tour) -> None:
    assert not toured.faults, "\n\n".join(toured.faults)


def test_the_commands_that_count_do_the_same_on_postgresql(on_postgresql: Guide) -> None:
    tour = Tour(on_postgresql)
    tour.begin()
    tour.take([step for step in STEPS if not step.later and not step.only_named])
    assert not tour.faults, "\n\n".join(tour.faults)


def test_what_the_tour_changed_is_in_the_activity_log(toured: Tour) -> None:
    named = toured.guide
    group = f"/subscriptions/{named.bootstrap['subscriptionId']}/resourceGroups/{named.bootstrap['resourceGroup']}"
    registry = f"{group}/providers/{REGISTRIES}/{REGISTRY}"
    told = named.az("monitor", "activity-log", "list", "--resource-id", registry, "--max-events", "1000")
    assert told.code == 0, told.said
    assert CHANGES - {event["operationName"]["value"] for event in told.printed} == set()
    made = told.printed[-1]["properties"]
    assert ("before" in made, json.loads(made["after"])["name"]) == (False, REGISTRY)


def test_the_password_of_a_docker_login_signs_in(named: Guide) -> None:
    assert named.az("acr", "login", "--name", "local").code == 0
    password = (named.folder / "password").read_text()
    user = ("00000000-0000-0000-0000-000000000000", password)
    server = named.bootstrap["loginServer"]
    with httpx.Client(base_url=f"https://{server}", transport=named, auth=user) as http:
        assert http.get("/oauth2/token", params={"service": server}).status_code == 200
