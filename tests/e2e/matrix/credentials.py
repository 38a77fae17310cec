"""Every kind of credential of a registry: how a test gets one, and whether it may push. By the public interfaces."""

import json
import ssl
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from sqlalchemy import Connection, select
from tests.services import Registry

from entrepot.catalog.model import RegistryId
from entrepot.db.database import open_database
from entrepot.db.tables import registry as registry_table
from entrepot.registries.model import Making
from entrepot.registries.scope_maps import Written, put_scope_map
from entrepot.registries.tokens import Generating, create_token, generate_passwords

NIL_USER: Final = "00000000-0000-0000-0000-000000000000"
ARM: Final = "https://management.azure.com"
GRAPH: Final = "https://graph.microsoft.com"
REGISTRIES: Final = "https://containerregistry.azure.net"
VERSIONS: Final = {"roleAssignments": "2022-04-01", "registries": "2026-09-01-preview"}
ROLES: Final = {"AcrPush": "8311e382-0749-4cb8-b61a-304f252e45ec", "AcrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d"}
READS: Final = ("content/read", "metadata/read")
WRITES: Final = (*READS, "content/write", "metadata/write")


@dataclass
class Issuer:
    """Hands out credentials of a server. ``prefix``: of the repositories that repository tokens may use."""

    server: Registry
    prefix: str
    http: httpx.Client = field(init=False)
    told: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        trust = ssl.create_default_context(cafile=self.server.ca)
        self.http = httpx.Client(base_url=self.server.endpoint, verify=trust, timeout=60)
        self.told = json.loads((self.server.data_dir / "bootstrap.json").read_bytes())

    @property
    def path(self) -> str:
        group = f"/subscriptions/{self.told['subscriptionId']}/resourceGroups/entrepot"
        return f"{group}/providers/Microsoft.ContainerRegistry/registries/local"

    def directory_token(self, user: str, secret: str, resource: str) -> str:
        form = {"grant_type": "client_credentials", "client_id": user, "client_secret": secret}
        answer = self.http.post("/common/oauth2/v2.0/token", data={**form, "scope": f"{resource}/.default"})
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def send(self, method: str, path: str, body: object, resource: str = ARM) -> Any:  # noqa: ANN401  any document
        """As the owner."""
        token = self.directory_token(self.server.user, self.server.password, resource)
        version = next((each for name, each in VERSIONS.items() if f"/{name}/" in path), None)
        query = {} if version is None else {"api-version": version}
        answer = self.http.request(method, path, json=body, params=query, headers={"authorization": f"Bearer {token}"})
        assert answer.is_success, answer.text
        return answer.json()

    def service_principal(self, role: str) -> tuple[str, str]:
        application = self.send("POST", "/v1.0/applications", {"displayName": role}, GRAPH)
        principal = self.send("POST", "/v1.0/servicePrincipals", {"appId": application["appId"]}, GRAPH)
        secret = self.send("POST", f"/v1.0/applications/{application['id']}/addPassword", {}, GRAPH)
        definition = f"/providers/Microsoft.Authorization/roleDefinitions/{ROLES[role]}"
        given = {"roleDefinitionId": definition, "principalId": principal["id"], "principalType": "ServicePrincipal"}
        assignment = f"{self.path}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        self.send("PUT", assignment, {"properties": given})
        return application["appId"], secret["secretText"]

    def admin_account(self) -> tuple[str, str]:
        self.send("PATCH", self.path, {"properties": {"adminUserEnabled": True}})
        shown = self.send("POST", f"{self.path}/listCredentials", {})
        return shown["username"], shown["passwords"][1]["value"]

    def repository_token(self, words: tuple[str, ...]) -> tuple[str, str]:
        making, name = Making(datetime.now(UTC), lambda: str(uuid.uuid4())), f"t-{uuid.uuid4().hex[:12]}"
        actions = tuple(f"repositories/{self.prefix}/*/{word}" for word in words)

        def make(tx: Connection) -> str:
            registry = RegistryId(
                tx.execute(select(registry_table.c.id).where(registry_table.c.name == "local")).scalar_one()
            )
            put_scope_map(tx, registry, name, Written("", actions), making)
            create_token(tx, registry, name, name, making)
            made = generate_passwords(tx, registry, name, Generating(), making)
            assert made is not None
            return made.passwords[0].value

        with closing(open_database(None, self.server.data_dir)) as database:
            return name, database.write(make)

    def exchanged(self, user: str, secret: str) -> tuple[str, str]:
        """A refresh token of the registry, as ``az acr login --expose-token`` shows it."""
        token = self.directory_token(user, secret, REGISTRIES)
        form = {"grant_type": "access_token", "service": self.server.login_server, "access_token": token}
        answer = self.http.post("/oauth2/exchange", data=form)
        assert answer.status_code == 200, answer.text
        return NIL_USER, answer.json()["refresh_token"]


@dataclass(frozen=True)
class Kind:
    """A kind of credential. ``pair`` makes one: user and password."""

    name: str
    pair: Callable[[Issuer], tuple[str, str]]
    pushes: bool = True
    by_helper: bool = False

    def __str__(self) -> str:
        return self.name


def _owner(issuer: Issuer) -> tuple[str, str]:
    return issuer.server.user, issuer.server.password


KINDS: Final = (
    Kind("the owner's secret", _owner),
    Kind("the owner's secret, kept by a credential helper", _owner, by_helper=True),
    Kind("a service principal's secret", lambda issuer: issuer.service_principal("AcrPush")),
    Kind("a service principal that pulls", lambda issuer: issuer.service_principal("AcrPull"), pushes=False),
    Kind("the admin account", lambda issuer: issuer.admin_account()),
    Kind("a repository token", lambda issuer: issuer.repository_token(WRITES)),
    Kind("a repository token that reads", lambda issuer: issuer.repository_token(READS), pushes=False),
    Kind("a refresh token", lambda issuer: issuer.exchanged(*_owner(issuer))),
    Kind(
        "a refresh token that pulls",
        lambda issuer: issuer.exchanged(*issuer.service_principal("AcrPull")),
        pushes=False,
    ),
)
