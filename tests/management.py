"""A client of the management API or of Graph in this process, with a token as a sign-in would give it."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, select
from tests.registry import OWNER, Registry
from tests.wire import Answer, Client, Headers

from entrepot.access.directory_tokens import Assertion, issue_directory_token
from entrepot.access.keys import Use
from entrepot.db.access_tables import credential, principal, role_assignment
from entrepot.db.tables import subscription

VERSIONS = {
    "Microsoft.ContainerRegistry": "2026-09-01-preview",
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.Authorization/locks": "2020-05-01",
}
Json = Any  # what a test sends
ARM = "https://management.azure.com"
GRAPH = "https://graph.microsoft.com"


@dataclass(frozen=True)
class Management:
    """The API as somebody sees it. ``version``: the api-version; empty for one that the provider has, None for none."""

    http: Client
    subscription: str
    version: str | None = ""

    @property
    def group(self) -> str:
        """The group that the first start made."""
        return f"/subscriptions/{self.subscription}/resourceGroups/entrepot"

    def registry(self, name: str = "local") -> str:
        return f"{self.group}/providers/Microsoft.ContainerRegistry/registries/{name}"

    async def send(
        self, method: str, path: str, body: Json = None, headers: Headers | None = None, **query: str
    ) -> Answer:
        """``query``: names without their dollar sign."""
        fields = [f"${name}={quote(value)}" for name, value in query.items()]
        if self.version is not None:
            fields.append(f"api-version={self.version or _version_of(path)}")
        target = path + ("&" if "?" in path else "?") + "&".join(fields)
        content = None if body is None else json.dumps(body).encode()
        return await self.http.send(method, target, headers, content)

    async def get(self, path: str, headers: Headers | None = None, **query: str) -> Answer:
        return await self.send("GET", path, None, headers, **query)

    async def put(self, path: str, body: Json, headers: Headers | None = None) -> Answer:
        return await self.send("PUT", path, body, headers)

    async def patch(self, path: str, body: Json, headers: Headers | None = None) -> Answer:
        return await self.send("PATCH", path, body, headers)

    async def post(self, path: str, body: Json = None) -> Answer:
        return await self.send("POST", path, {} if body is None else body)

    async def delete(self, path: str, headers: Headers | None = None) -> Answer:
        return await self.send("DELETE", path, None, headers)

    async def names(self, path: str, **query: str) -> list[str]:
        """What a list holds, all pages."""
        answer = await self.get(path, None, **query)
        found: list[str] = []
        while True:
            assert answer.status == 200, answer.body
            document = answer.json()
            found += [each["id"].rpartition("/")[2] for each in document["value"]]
            if "nextLink" not in document:
                return found
            answer = await self.http.get("/" + document["nextLink"].split("/", 3)[3])


async def management(registry: Registry, client_id: str = OWNER, audience: str = ARM) -> Management:
    """As the principal with this client id."""
    return Management(
        registry.nobody.bearing(await directory_token(registry, client_id, audience)), registry.query(_subscription)
    )


async def directory_token(registry: Registry, client_id: str = OWNER, audience: str = ARM) -> str:
    says = registry.query(lambda tx: _assertion(tx, client_id, audience, registry))
    key = await registry.app._authenticator.signing_key(Use.DIRECTORY)
    return issue_directory_token(says, f"http://{registry.host}/{says.tenant}/v2.0", "the-token", key)


def _assertion(tx: Connection, client_id: str, audience: str, registry: Registry) -> Assertion:
    row = tx.execute(
        select(principal).where((principal.c.client_id == client_id) | (principal.c.upn == client_id))
    ).one()
    proof = tx.execute(select(credential.c.id).where(credential.c.principal_id == row.id).limit(1)).scalar_one()
    now = registry.clock()
    return Assertion(row.id, row.tenant_id, audience, client_id, row.upn or "", proof, now, now + timedelta(hours=1))


def _version_of(path: str) -> str:
    provider, _, below = path.rpartition("/providers/")[2].partition("/")
    kind = f"{provider}/{below.partition('/')[0]}"
    return VERSIONS.get(kind) or VERSIONS.get(provider, "2024-11-01")


def _subscription(tx: Connection) -> str:
    return tx.execute(select(subscription.c.id)).scalar_one()


def scope_role(tx: Connection, client_id: str, scope: str) -> None:
    """Move the one role of the principal to another scope."""
    owner = select(principal.c.id).where(principal.c.client_id == client_id).scalar_subquery()
    tx.execute(
        role_assignment.update()
        .where(role_assignment.c.principal_id == owner)
        .values(scope=scope, scope_key=scope.lower())
    )
