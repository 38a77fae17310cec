"""What is taken away stops on every worker within two seconds, on connections that stay open (DESIGN D9)."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, delete
from tests.faults.access.deployment import PULL, Deployment, registry_id
from tests.faults.plain import OWNER, OWNER_SECRET

from entrepot.access.queries import raise_epoch
from entrepot.db.tables import registry
from entrepot.registries.admin import admin_credentials, disable_admin, enable_admin, regenerate_admin_password
from entrepot.registries.model import AdminPassword, Status, TokenPassword
from entrepot.registries.scope_maps import Written, delete_scope_map, put_scope_map
from entrepot.registries.tokens import (
    Generating,
    TokenChange,
    create_token,
    delete_token,
    generate_passwords,
    keep_passwords,
    update_token,
)

WITHIN = 2.5  # two seconds, and the requests that show it
NAME = "revoked"
MAP = "revoked-map"


@dataclass(frozen=True)
class Case:
    """An account to sign in with, and how it, or what it signs in with, is taken away."""

    sign_in: Callable[[Deployment], tuple[str, str]]
    take_away: Callable[[Deployment], object]
    status: int = 401
    target: str = PULL
    host: str = "localhost"


def a_token(deployment: Deployment) -> tuple[str, str]:
    making = deployment.making
    deployment.here(delete_token, NAME)
    deployment.here(put_scope_map, MAP, Written("", ("repositories/app/content/read",)), making)
    deployment.here(create_token, NAME, MAP, making)
    made = deployment.here(generate_passwords, NAME, Generating(), making)
    return NAME, made.passwords[0].value


def the_admin(deployment: Deployment) -> tuple[str, str]:
    deployment.here(enable_admin, deployment.sealer, deployment.making)
    made = deployment.here(admin_credentials, deployment.sealer)
    return made.user_name, made.passwords[0].value


def the_owner(_deployment: Deployment) -> tuple[str, str]:
    return OWNER, OWNER_SECRET


def delete_registry(deployment: Deployment) -> None:
    def work(tx: Connection) -> None:
        tx.execute(delete(registry).where(registry.c.id == registry_id(tx, "doomed")))
        raise_epoch(tx)

    deployment.database.write(work)


CASES = {
    "a token is disabled": Case(
        a_token, lambda there: there.here(update_token, NAME, TokenChange(status=Status.DISABLED))
    ),
    "a token is deleted": Case(a_token, lambda there: there.here(delete_token, NAME)),
    "its password is deleted": Case(a_token, lambda there: there.here(keep_passwords, NAME, (TokenPassword.SECOND,))),
    "its scope map is deleted": Case(a_token, lambda there: there.here(delete_scope_map, MAP)),
    "the admin account is turned off": Case(the_admin, lambda there: there.here(disable_admin)),
    "an admin password is made anew": Case(
        the_admin,
        lambda there: there.here(regenerate_admin_password, AdminPassword.FIRST, there.sealer, there.making),
    ),
    "a registry is deleted": Case(the_owner, delete_registry, 404, "/v2/_catalog", "doomed.entrepot.localhost"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_taken_away_stops_everywhere_within_two_seconds(deployment: Deployment, name: str) -> None:
    case = CASES[name]
    token = deployment.token(*case.sign_in(deployment), host=case.host)
    with deployment.clients(token, case.target, case.host) as clients:
        clients.seconds_until(200)
        ports = clients.ports
        case.take_away(deployment)
        assert clients.seconds_until(case.status) < WITHIN
        assert clients.ports == ports
