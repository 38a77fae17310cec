"""``acr``, the program of the image of that name, against the registry (ACR-REFERENCE 8.7)."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from tests.content import an_artifact, an_image, an_index
from tests.registry import HOST, OWNER, OWNER_SECRET, Registry

from entrepot.client.acr.program import main


@dataclass(frozen=True)
class Done:
    code: int
    lines: list[str]
    error: str


Acr = Callable[..., Awaitable[Done]]


class ThroughTheRun(httpx.BaseTransport):
    """What the worker passes on, without the worker."""

    def __init__(self, registry: Registry, loop: asyncio.AbstractEventLoop) -> None:
        self._registry, self._loop = registry, loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode().removeprefix("/registry")
        headers = {name: value for name, value in request.headers.items() if name in {"authorization", "content-type"}}
        sent = self._registry.nobody.send(request.method, target, headers, request.content or None)
        answer = asyncio.run_coroutine_threadsafe(sent, self._loop).result(60)
        return httpx.Response(answer.status, headers=list(answer.headers), content=answer.body)


@pytest.fixture
def acr(registry: Registry, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Acr:
    monkeypatch.setenv("ACR_DEFAULT_REGISTRY", HOST)

    async def run(*words: str) -> Done:
        transport = ThroughTheRun(registry, asyncio.get_running_loop())
        signed_in = [*words, "-u", OWNER, "-p", OWNER_SECRET]
        code = await asyncio.to_thread(main, signed_in, transport)
        said = capfd.readouterr()
        return Done(code, said.out.splitlines(), said.err)

    return run


async def test_tags_that_fit_go_and_untagged_manifests_with_them(registry: Registry, acr: Acr) -> None:
    app, web = registry.repository("team/app"), registry.repository("team/web")
    image, other = an_image(1), an_image(2)
    await app.push(image, "dev-1", "dev-2")
    await app.push(other, "v1")
    await web.push(image, "dev-1")
    done = await acr("purge", "--filter", "team/app:^dev", "--ago", "0d", "--untagged", "--concurrency", "1")
    assert done.code == 0, done
    assert done.lines == [
        "Deleting tags for repository: team/app",
        *sorted(f"Deleted {HOST}/team/app:dev-{n}" for n in (1, 2)),
        "Deleting manifests for repository: team/app",
        f"Deleted {HOST}/team/app@{image.digest}",
        "",
        "Number of deleted tags: 2",
        "Number of deleted manifests: 1",
    ]
    assert (await app.tags(), await web.tags()) == (["v1"], ["dev-1"])


async def test_a_dry_run_says_the_same_and_deletes_nothing(registry: Registry, acr: Acr) -> None:
    app = registry.repository("app")
    image = an_image(1)
    await app.push(image, "a", "b")
    await app.push(an_image(2), "c")
    done = await acr("purge", "-f", "app:[ab]", "--ago", "0d", "--untagged", "--dry-run")
    assert done.lines[0].startswith("DRY RUN: ")
    assert f"Would delete: {HOST}/app@{image.digest}" in done.lines
    assert done.lines[-2:] == ["Number of tags to be deleted: 2", "Number of manifests to be deleted: 1"]
    assert await app.tags() == ["a", "b", "c"]


async def test_what_something_keeps_stays(registry: Registry, acr: Acr) -> None:
    """Children of an index that stays, referrers, what is locked."""
    app = registry.repository("app")
    child, lonely, locked = an_image(1), an_image(2), an_image(3)
    index = an_index([child])
    tagged = an_image(4)
    referrer = an_artifact(subject=tagged.descriptor())
    for manifest in (child, lonely, locked, referrer):
        await app.push(manifest)
    await app.push(tagged, "kept")
    await app.push(index, "index")
    await registry.http.patch(f"/acr/v1/app/_manifests/{locked.digest}", b'{"deleteEnabled": false}')
    done = await acr("purge", "--untagged-only", "--repository-page-size", "1")
    assert done.lines[:2] == ["Deleting manifests for repository: app", f"Deleted {HOST}/app@{lonely.digest}"]
    assert done.lines[-2:] == ["Number of deleted tags: 0", "Number of deleted manifests: 1"]
    done = await acr("purge", "--untagged-only", "--include-locked")
    assert f"Unlocked {HOST}/app@{locked.digest}" in done.lines
    assert f"Deleted {HOST}/app@{locked.digest}" in done.lines
    for manifest in (child, tagged, referrer, index):
        assert (await app.manifest(manifest.digest)).status == 200


async def test_age_and_keep_bound_what_goes(registry: Registry, acr: Acr) -> None:
    app = registry.repository("app")
    for number in range(4):
        await app.push(an_image(number), f"v{number}")
        registry.clock.advance(hours=1)
    assert (await acr("purge", "-f", "app:.*", "--ago", "0d", "--keep", "3")).lines[-2] == "Number of deleted tags: 1"
    assert await app.tags() == ["v1", "v2", "v3"]
    # The program's clock is the machine's: all of this was pushed years ago.
    assert (await acr("purge", "-f", "app:.*", "--ago", "54750d")).lines[-2] == "Number of deleted tags: 0"
    capped = await acr("purge", "-f", "app:.*", "--ago", "99999999d")
    assert capped.lines[0] == "Warning: ago value exceeds maximum duration of 150 years, capping to 150 years"


async def test_an_age_has_days_hours_and_minutes(registry: Registry, acr: Acr) -> None:
    app = registry.repository("app")
    # The program's clock is the machine's: one of them is as old as that by a good minute, the other is not.
    registry.clock.now = datetime.now(UTC) - timedelta(days=2, hours=3, minutes=8)
    await app.push(an_image(1), "older")
    registry.clock.advance(minutes=30)
    await app.push(an_image(2), "newer")
    done = await acr("purge", "-f", "app:.*", "--ago", "2d3h6m")
    assert f"Deleted {HOST}/app:older" in done.lines, done
    assert await app.tags() == ["newer"]


async def test_a_password_comes_from_a_configuration_that_is_named(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACR_DEFAULT_REGISTRY", HOST)
    await registry.repository("app").push(an_image(1), "v1")
    kept = base64.b64encode(f"{OWNER}:{OWNER_SECRET}".encode()).decode()
    (tmp_path / "without.json").write_text("{}")
    (tmp_path / "with.json").write_text(json.dumps({"auths": {HOST: {"auth": kept}}}))
    transport = ThroughTheRun(registry, asyncio.get_running_loop())

    async def purged(*configs: str) -> int:
        files = [word for name in configs for word in ("--config", str(tmp_path / name))]
        words = ["purge", "-f", "app:.*", "--ago", "0d", *files]
        return await asyncio.to_thread(main, words, transport)

    assert await purged("without.json") == 1
    assert "authentication" in capfd.readouterr().err
    assert await registry.repository("app").tags() == ["v1"]
    assert await purged("without.json", "with.json") == 0, capfd.readouterr().err
    assert await registry.repository("app").tags() == []


@pytest.mark.parametrize("more", [["--verbose"], ["--filter-timeout-seconds", "1"]], ids=["verbose", "filter timeout"])
async def test_a_flag_that_changes_nothing_here_is_taken(registry: Registry, acr: Acr, more: list[str]) -> None:
    app = registry.repository("app")
    await app.push(an_image(1), "v1")
    done = await acr("purge", "-f", "app:v.*", "--ago", "0d", *more)
    assert (done.code, done.lines[-2:]) == (0, ["Number of deleted tags: 1", "Number of deleted manifests: 0"])
    assert await app.tags() == []


async def test_a_locked_tag_stays_unless_it_is_included(registry: Registry, acr: Acr) -> None:
    app = registry.repository("app")
    await app.push(an_image(1), "v1")
    await registry.http.patch("/acr/v1/app/_tags/v1", b'{"writeEnabled": false}')
    assert (await acr("purge", "-f", "app:v1", "--ago", "0d")).lines[-2] == "Number of deleted tags: 0"
    done = await acr("purge", "-f", "app:v1", "--ago", "0d", "--include-locked")
    assert done.lines[1:3] == [f"Unlocked {HOST}/app:v1", f"Deleted {HOST}/app:v1"]


async def test_tags_and_manifests_are_listed_and_deleted(registry: Registry, acr: Acr) -> None:
    app, image = registry.repository("app"), an_image(1)
    await app.push(image, "v1", "v2")
    of = ("--repository", "app")
    listed = (await acr("tag", "list", *of)).lines
    assert listed == ['Listing tags for the "app" repository:', f"{HOST}/app:v1", f"{HOST}/app:v2"]
    assert (await acr("tag", "delete", *of, "v1")).lines == [f"{HOST}/app:v1"]
    assert (await acr("manifest", "list", *of)).lines[1:] == [f"{HOST}/app@{image.digest}"]
    assert (await acr("manifest", "delete", *of, image.digest)).lines == [f"{HOST}/app@{image.digest}"]
    missing = await acr("tag", "delete", *of, "v1")
    assert (missing.code, missing.error.startswith("Error: failed to delete tags: ")) == (1, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["purge"], "--filter is required when not using --untagged-only"),
        (["purge", "-f", "a:b"], "--ago is required when not using --untagged-only"),
        (["purge", "-f", "a:b", "--ago", "5"], 'time: invalid duration "5"'),
        (["purge", "-f", "a:b", "--ago", "5d", "--filter-timeout-seconds", "soon"], "invalid int value"),
        (["purge", "-f", "a", "--ago", "5d"], "unable to correctly parse filter flag"),
        (["purge", "--untagged", "--untagged-only"], "not allowed with argument"),
        (["purge", "-r", "other", "-f", "a:b", "--ago", "5d"], "a run reaches its own registry alone"),
    ],
)
async def test_what_makes_no_sense_is_told(acr: Acr, words: list[str], reason: str) -> None:
    done = await acr(*words)
    assert done.code == 1
    assert reason in done.error


async def test_a_wrong_password_deletes_nothing_and_says_so(registry: Registry, acr: Acr) -> None:
    await registry.repository("app").push(an_image(1), "v1")
    transport = ThroughTheRun(registry, asyncio.get_running_loop())
    words = ["purge", "-f", "app:.*", "--ago", "0d", "-u", OWNER, "-p", "wrong"]
    assert await asyncio.to_thread(main, words, transport) == 1
    assert await registry.repository("app").tags() == ["v1"]
