"""What gets into the audit log, and what does not."""

from typing import Any

import pytest
from tests.content import an_image, digest_of
from tests.integration.auditing.conftest import Written
from tests.integration.gate.credentials import ACR_PULL
from tests.integration.rows import add_principal, audit_entries, disable, set_repository
from tests.registry import OWNER, OWNER_SECRET, Registry, Repository, started

from entrepot.app.first_start import prepare
from entrepot.app.recover import recover
from entrepot.events.gathering import WINDOW
from entrepot.settings import Settings

IMAGE = an_image()
AGENT = "docker/27.0 go/1.22"


def all_entries(registry: Registry) -> list[dict[str, Any]]:
    return registry.query(audit_entries)


@pytest.fixture
def app(registry: Registry) -> Repository:
    return registry.repository("app", registry.http.having(user_agent=AGENT))


# --- changes ----------------------------------------------------------------------------------------------------------


async def test_a_push_is_one_entry_that_says_who_from_where_and_what(app: Repository, registry: Registry) -> None:
    answer = await app.push(IMAGE, "v1", "v2")
    (entry,) = registry.query(lambda tx: audit_entries(tx, "manifest.push"))
    assert entry["principal"]
    assert entry["credential"]
    assert entry["at"] == registry.clock.now
    assert {name: entry[name] for name in ("method", "registry", "target", "address", "user_agent", "result")} == {
        "method": "basic",
        "registry": "local",
        "target": f"app@{IMAGE.digest}",
        "address": "127.0.0.1",
        "user_agent": AGENT,
        "result": "success",
    }
    assert entry["request_id"] == answer["x-request-id"]
    assert entry["detail"] == {"mediaType": IMAGE.media_type, "size": len(IMAGE.body), "tags": ["v1", "v2"]}


async def test_each_change_is_an_entry_that_is_there_when_it_is_answered(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    lone = await app.push_blob(b"a blob that no manifest names")
    upload = await app.start()
    await app.http.delete(app.path("manifests/v1"))
    await app.http.delete(app.path(f"manifests/{IMAGE.digest}"))
    await app.http.delete(app.path(f"blobs/{lone}"))
    await upload.cancel()
    changes = [entry for entry in all_entries(registry) if entry["action"] != "sign_in"]
    assert [(entry["action"], entry["target"]) for entry in changes] == [
        ("manifest.push", f"app@{IMAGE.digest}"),
        ("tag.delete", "app:v1"),
        ("manifest.delete", f"app@{IMAGE.digest}"),
        ("blob.delete", f"app@{lone}"),
        ("upload.cancel", "app"),
    ]


async def test_a_lock_and_the_end_of_a_repository_are_entries(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    locks = (("_tags/v1", "app:v1"), (f"_manifests/{IMAGE.digest}", f"app@{IMAGE.digest}"), ("", "app"))
    for path, _ in locks:
        target = f"/acr/v1/app/{path}".rstrip("/")
        answer = await app.http.patch(target, b'{"listEnabled":false}', {"content-type": "application/json"})
        assert answer.status == 200, answer.body
    assert (await app.http.delete("/acr/v1/app")).status == 202
    updates = registry.query(lambda tx: audit_entries(tx, "attributes.update"))
    assert [entry["target"] for entry in updates] == [target for _, target in locks]
    assert updates[0]["detail"] == {"after": {"list_enabled": False}}
    (gone,) = registry.query(lambda tx: audit_entries(tx, "repository.delete"))
    assert (gone["target"], gone["detail"]) == ("app", {"manifests": 1, "tags": 1})


async def test_a_change_that_is_refused_is_no_entry(app: Repository, registry: Registry) -> None:
    await app.push(IMAGE, "v1")
    registry.query(lambda tx: set_repository(tx, "app", write_enabled=False))
    assert (await app.put(IMAGE, "v2")).status == 405
    assert (await app.http.delete(app.path("manifests/absent"))).status in {404, 405}
    assert len(registry.query(lambda tx: audit_entries(tx, "manifest.push"))) == 1
    assert registry.query(lambda tx: audit_entries(tx, "tag.delete")) == []


async def test_what_the_operator_changes_from_the_machine_itself_is_an_entry(registry: Registry) -> None:
    prepare(registry.settings.model_copy(update={"anonymous_pull": True}))
    client_id, secret = recover(registry.settings)
    setting, owner = all_entries(registry)
    assert (setting["action"], setting["detail"]) == ("registry.setting", {"anonymousPull": True})
    assert (owner["action"], owner["principal"], owner["detail"]) == (
        *("owner.secret", "operator"),
        {"clientId": client_id},
    )
    assert secret not in repr(all_entries(registry))


# --- sign-ins and tokens ----------------------------------------------------------------------------------------------


async def test_a_sign_in_with_every_request_is_one_entry_and_a_count(
    registry: Registry, written: Written, app: Repository
) -> None:
    for _ in range(5):
        await app.http.get("/v2/")
    (entry,) = await written("sign_in", 1)
    assert (entry["result"], entry["method"], bool(entry["credential"])) == ("success", "basic", True)
    registry.clock.advance(seconds=WINDOW.total_seconds())
    _, summed = await written("sign_in", 2)
    assert summed["detail"] == {"repeated": 4}


async def test_a_wrong_secret_is_a_failure_of_whose_name_it_was(registry: Registry, written: Written) -> None:
    await registry.http.get("/v2/")
    (success,) = await written("sign_in", 1)
    await registry.nobody.signed_in(OWNER, "wrong").get("/v2/")
    *_, entry = await written("sign_in", 2)
    assert (entry["result"], entry["principal"]) == ("failure", success["principal"])
    assert entry["detail"] == {"reason": "the user name or the password is wrong"}


async def test_a_name_that_nobody_has_is_not_written(registry: Registry, written: Written) -> None:
    """It may be a password in the wrong field."""
    await registry.nobody.signed_in("hunter2-is-my-password", "").get("/v2/")
    (entry,) = await written("sign_in", 1)
    assert str(entry["principal"]).startswith("unknown:")
    assert "hunter2" not in repr(all_entries(registry))


@pytest.mark.parametrize("name", [OWNER, "somebody"])
async def test_a_failure_at_the_token_endpoint_is_an_entry(registry: Registry, written: Written, name: str) -> None:
    await registry.nobody.signed_in(name, "wrong").get(f"/oauth2/token?service={registry.host}")
    form = f"grant_type=password&service={registry.host}&username={name}&password=wrong".encode()
    await registry.nobody.having(user_agent="by form").post("/oauth2/token", form)
    registry.clock.advance(seconds=WINDOW.total_seconds())
    first, summed = await written("sign_in", 2)
    assert (first["result"], first["registry"]) == ("failure", "local")
    assert summed["detail"]["repeated"] == 1


async def test_each_token_is_an_entry_with_its_id_and_its_rights(registry: Registry, written: Written) -> None:
    for _ in range(2):
        await registry.token("repository:app:pull,push")
    one, other = await written("token.issue", 2)
    assert one["detail"]["jti"] != other["detail"]["jti"]
    assert one["detail"]["scopes"] == ["repository:app:pull,push"]
    assert (one["credential"], one["target"]) != ("", "")


async def test_anonymous_tokens_are_counted(start_registry, registry: Registry, written: Written) -> None:
    open_to_all = await start_registry(anonymous_pull=True)
    for _ in range(4):
        await open_to_all.token("repository:app:pull", client=open_to_all.nobody)
    registry.clock.advance(seconds=WINDOW.total_seconds())
    first, summed = await written("token.issue", 2)
    assert (first["principal"], summed["detail"]["repeated"]) == ("anonymous", 3)


async def test_a_token_of_an_unknown_key_is_an_entry(registry: Registry, written: Written) -> None:
    await registry.nobody.bearing("e30.e30.e30").get("/v2/")
    (entry,) = await written("token.refuse", 1)
    assert (entry["result"], entry["method"]) == ("failure", "bearer")


# --- denials ----------------------------------------------------------------------------------------------------------


async def test_a_right_that_is_missing_is_a_denial_of_who_asked(registry: Registry, written: Written) -> None:
    registry.query(lambda tx: add_principal(tx, "reader", "the reader's secret", ACR_PULL))
    reader = registry.nobody.signed_in("reader", "the reader's secret")
    assert (await reader.put("/v2/app/manifests/v1", IMAGE.body)).status == 401
    (entry,) = await written("denied", 1)
    assert (entry["result"], entry["principal"], entry["target"]) == ("denied", "id-reader", "/v2/app/manifests/v1")
    assert entry["detail"] == {
        "kind": "UNAUTHORIZED",
        "route": "PUT /v2/{repository}/manifests/{reference}",
        "type": "repository",
        "name": "app",
        "action": "pull,push",
    }


async def test_a_token_without_the_scope_is_a_denial(registry: Registry, written: Written) -> None:
    bearer = await registry.bearer("repository:app:pull")
    assert (await bearer.delete("/v2/app/manifests/v1")).status == 401
    (entry,) = await written("denied", 1)
    assert entry["method"] == "bearer"
    assert entry["credential"]


# --- what is not there ------------------------------------------------------------------------------------------------


async def test_reads_and_the_challenge_before_a_sign_in_are_no_entries(
    start_registry, registry: Registry, written: Written, app: Repository
) -> None:
    await app.push(IMAGE, "v1")
    open_to_all = await start_registry(anonymous_pull=True)
    before = len(all_entries(registry))
    assert (await registry.nobody.get("/v2/")).status == 401
    for target in ("/v2/app/manifests/v1", f"/v2/app/blobs/{digest_of(b'{}')}", "/v2/app/tags/list", "/v2/_catalog"):
        await open_to_all.nobody.get(target)
    bearer = await registry.bearer("repository:app:pull")
    await written("token.issue", 1)
    assert (await bearer.get("/v2/app/manifests/v1")).status == 200
    await registry.nobody.bearing("e30.e30.e30").get("/v2/")  # a later entry: what came before would be there, too
    await written("token.refuse", 1)
    after = [entry["action"] for entry in all_entries(registry)[before:] if entry["action"] != "sign_in"]
    assert after == ["token.issue", "token.refuse"]


async def test_no_secret_and_no_token_gets_into_an_entry(registry: Registry, written: Written) -> None:
    token = await registry.token("repository:app:pull")
    await registry.nobody.signed_in(OWNER, OWNER_SECRET + "x").get("/v2/")
    registry.query(lambda tx: disable(tx, OWNER))
    await registry.nobody.bearing(token).get("/v2/")
    await written("sign_in", 2)
    entries = repr(all_entries(registry))
    assert OWNER_SECRET not in entries
    assert token not in entries
    assert token.rpartition(".")[2] not in entries


async def test_a_worker_that_stops_writes_what_it_still_has(registry: Registry, settings: Settings) -> None:
    async with started(settings, registry.clock) as other:
        await other.token()
    assert len(registry.query(lambda tx: audit_entries(tx, "token.issue"))) == 1
