"""`entrepot recover`: a new secret for the owner who lost it."""

import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy import Connection, delete, update
from tests.integration.cli.conftest import Command
from tests.registry import OWNER, OWNER_SECRET, Registry, settings_for

from entrepot.access.queries import raise_epoch
from entrepot.app.first_start import prepare
from entrepot.db.access_tables import principal
from entrepot.settings import Settings

Until = Callable[..., Awaitable[None]]


def recovered(entrepot: Command) -> tuple[str, str]:
    client_id, secret = (line.split(": ")[1].strip() for line in entrepot.succeeds("recover").splitlines())
    return client_id, secret


async def status(registry: Registry, user: str, password: str) -> int:
    return (await registry.nobody.signed_in(user, password).get("/v2/")).status


async def test_the_new_secret_works_and_the_old_one_stops_within_two_seconds(
    registry: Registry, entrepot: Command, until: Until
) -> None:
    assert await status(registry, OWNER, OWNER_SECRET) == 200
    client_id, secret = recovered(entrepot)
    assert client_id == OWNER

    async def changed() -> bool:
        return await status(registry, OWNER, OWNER_SECRET) == 401 and await status(registry, OWNER, secret) == 200

    await until(changed, within=2.0)


async def test_bootstrap_json_tells_the_new_secret_to_nobody_else(
    settings: Settings, entrepot: Command, registry: Registry
) -> None:
    prepare(settings)
    before = json.loads((settings.data_dir / "bootstrap.json").read_bytes())
    _, secret = recovered(entrepot)
    file = settings.data_dir / "bootstrap.json"
    assert json.loads(file.read_bytes()) == before | {"clientSecret": secret}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_an_owner_who_was_disabled_is_let_in_again(registry: Registry, entrepot: Command, until: Until) -> None:
    registry.query(disable_everybody)
    _, secret = recovered(entrepot)

    async def let_in() -> bool:
        return await status(registry, OWNER, secret) == 200

    await until(let_in)


async def test_a_registry_whose_owner_was_deleted_gets_a_new_one(
    registry: Registry, entrepot: Command, until: Until
) -> None:
    registry.query(delete_everybody)
    client_id, secret = recovered(entrepot)
    assert client_id != OWNER

    async def let_in() -> bool:
        return await status(registry, client_id, secret) == 200

    await until(let_in)


async def test_where_nothing_was_served_there_is_nobody_to_recover(entrepot: Command, tmp_path: Path) -> None:
    done = entrepot.on(settings_for(tmp_path / "nowhere"))("recover")
    assert (done.exit_code, done.error) == (1, f"entrepot recover: --data-dir: {tmp_path}/nowhere holds no registry\n")


def disable_everybody(tx: Connection) -> None:
    tx.execute(update(principal).values(enabled=False))
    raise_epoch(tx)


def delete_everybody(tx: Connection) -> None:
    tx.execute(delete(principal))
    raise_epoch(tx)
