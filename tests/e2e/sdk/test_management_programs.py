"""Every operation of the unchanged SDKs of the management API for JavaScript and Go, also of what is to come.

Each is one program, which goes through all that its SDK has and prints what came of it; both see the same, on
either database.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from tests.content import an_image
from tests.e2e.clients import GO_SDKS, NPM, Shell, http_of
from tests.faults.plain import Repository
from tests.services import Registry

HERE: Final = Path(__file__).parent
IMAGE: Final = "e2e/sdk-programs"
COMMANDS: Final[dict[str, tuple[Path, ...]]] = {
    "javascript": (NPM / "node", HERE / "management.cjs"),
    "go": (GO_SDKS, Path("management")),
}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module", params=COMMANDS)
def report(request: pytest.FixtureRequest, either: Registry, programs_on_either: Shell) -> Any:  # noqa: ANN401  what the program printed
    group = f"/subscriptions/{programs_on_either.environment['SUBSCRIPTION']}/resourceGroups/entrepot"
    with http_of(either) as http:
        assert Repository(http, IMAGE).push(an_image("for programs"), "v1").status_code == 201
    shell = programs_on_either.having(
        SOURCE=f"{group}/providers/Microsoft.ContainerRegistry/registries/local", SOURCE_IMAGE=f"{IMAGE}:v1"
    )
    return json.loads(shell.run(*COMMANDS[request.param], within=120))


@pytest.fixture
def seen(report: Any) -> Any:  # noqa: ANN401
    return report["seen"]


def test_no_operation_of_the_sdk_is_left_out(report: Any) -> None:  # noqa: ANN401
    assert report["tried"] == report["has"]
    assert len(report["has"]) > 50


def test_registries(seen: Any) -> None:  # noqa: ANN401
    told = seen["registries"]
    assert told["made"][1:] == ["Premium", "Succeeded"]
    assert told["free"] == [False, True]
    assert told["tags"] == [{"team": "a"}, {"team": "a"}]
    assert told["listed"] == [True, True]
    assert told["described"]
    assert seen["gone"] == "ResourceNotFound"


def test_the_admin_account(seen: Any) -> None:  # noqa: ANN401
    assert seen["admin"] == {"users": [True, True], "same": [True, False]}


def test_replications(seen: Any) -> None:  # noqa: ANN401
    told = seen["replications"]
    assert told["status"] == "Ready"
    assert told["tags"] == [{"a": "b"}, {"a": "b"}]
    assert (told["listed"], told["left"]) == (["eastus", "westus"], [])


def test_webhooks(seen: Any) -> None:  # noqa: ANN401
    told = seen["webhooks"]
    assert told["actions"] == ["push"]
    assert told["scopes"] == ["app:*", "app:*"]
    assert told["uri"] == "https://hooks.example/a"
    assert told["events"] == [True]
    assert (told["listed"], told["used"], told["left"]) == (["sdkhook"], 1, [])


def test_scope_maps_and_tokens(seen: Any) -> None:  # noqa: ANN401
    told = seen["tokens"]
    assert told["actions"] == ["repositories/app/content/read", "repositories/app/metadata/read"]
    assert told["listedMap"]
    assert told["given"] == ["sdktoken", True]
    assert told["status"] == ["disabled", "disabled"]
    assert (told["listed"], told["left"]) == (["sdktoken"], [])


def test_credential_sets_and_cache_rules(seen: Any) -> None:  # noqa: ANN401
    told = seen["cached"]
    assert (told["server"], told["health"]) == ("docker.io", "SecretNotFound")
    assert told["user"] == "https://keys.vault.azure.net/secrets/other"
    assert (told["source"], told["named"]) == ("docker.io/library/alpine", [True, True])
    assert (told["listed"], told["left"]) == ([["sdkset"], ["sdkrule"]], [[], []])


def test_an_import(seen: Any) -> None:  # noqa: ANN401
    assert seen["imported"]


@pytest.fixture
def of_tasks(seen: Any) -> Any:  # noqa: ANN401
    """The SDK for JavaScript has lost them to one of their own."""
    if "tasks" not in seen:
        pytest.skip("the SDK has no tasks")
    return seen


def test_agent_pools(of_tasks: Any) -> None:  # noqa: ANN401
    told = of_tasks["pools"]
    assert (told["tier"], told["counts"], told["queued"]) == ("S2", [2, 0, 0], 0)
    assert (told["listed"], told["left"]) == (["sdkpool"], [])


def test_tasks(of_tasks: Any) -> None:  # noqa: ANN401
    told = of_tasks["tasks"]
    assert (told["state"], told["targets"]) == ("Succeeded", ["release", "release"])
    assert told["secrets"] == [None, "the-key"]
    assert (told["listed"], told["left"]) == (["sdktask"], [])


def test_task_runs(of_tasks: Any) -> None:  # noqa: ANN401
    told = of_tasks["taskRuns"]
    assert told["runs"] == ["ca1", "ca2"]
    assert (told["listed"], told["left"]) == (["sdktaskrun"], [])


def test_runs(of_tasks: Any) -> None:  # noqa: ANN401
    told = of_tasks["runs"]
    assert told["begun"] == ["QuickRun", "Succeeded"]
    assert (told["same"], told["archived"], told["listed"], told["log"], told["upload"]) == (True,) * 5


def test_what_is_to_come_says_so(seen: Any) -> None:  # noqa: ANN401
    told = seen["absent"]
    assert set(told["writes"].values()) == {"FeatureNotAvailable"}, told["writes"]
    assert set(told["reads"].values()) == {"ResourceNotFound"}, told["reads"]
    assert not any(told["lists"].values()), told["lists"]
