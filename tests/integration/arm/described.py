"""The management API as its OpenAPI document describes it: requests for each operation, sent, and the answers checked.

What a new resource type needs is derived from its schema: the members that must be there, with the least value of each.
A type, or an action, whose least body is refused gets one in ``Walker.known``.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zlib import crc32

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import Connection
from tests.management import Management
from tests.registry import BEGINNING, OWNER
from tests.wire import Answer

from entrepot.access.builtin_roles import OWNER as OWNER_ROLE
from entrepot.access.queries import Assignment, insert_role
from entrepot.app import queries
from entrepot.app.management import RESOURCES
from entrepot.arm.openapi import document

Json = Any  # what a schema allows
DOCUMENT = document(RESOURCES)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
GROUP, REGISTRY = "walkgroup", "walkregistry"
GUEST = "id-guest"
_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_CONTAINER_REGISTRY = "Microsoft.ContainerRegistry"
# What a list cannot do without, by the last part of its path.
_QUERIES = {"values": {"$filter": "eventTimestamp ge '2024-05-01T00:00:00Z'"}}
# Of members that are no free text, by their name.
_VALUES = {"location": "eastus", "os": "linux"}
_CACHE_RULE = {"sourceRepository": "docker.io/library/alpine", "targetRepository": "walkcache"}
_CREDENTIAL = {
    "name": "Credential1",
    "usernameSecretIdentifier": "https://walk.vault.example/secrets/user",
    "passwordSecretIdentifier": "https://walk.vault.example/secrets/password",
}
_CREDENTIAL_SET = {"loginServer": "docker.io", "authCredentials": [_CREDENTIAL]}
_CONTEXT = "https://git.example/app.git"
_SOURCE = {
    "name": "walktrigger",
    "sourceTriggerEvents": ["commit"],
    "sourceRepository": {"sourceControlType": "Github", "repositoryUrl": _CONTEXT},
}
_REQUEST = {
    "type": "DockerBuildRequest",
    "dockerFilePath": "Dockerfile",
    "platform": {"os": "linux"},
    "sourceLocation": _CONTEXT,
}


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    described: dict[str, Json] = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def resource(self) -> str:
        """The type that it belongs to."""
        return self.described["tags"][0]

    @property
    def is_built(self) -> bool:
        """Whether the document says that it can succeed: features to come have operations that refuse."""
        return any(status.startswith("2") for status in self.described["responses"])

    @property
    def action(self) -> str:
        return self.path.rpartition("/")[2]

    def case(self, params: dict[str, str], body: Json) -> Case:
        """A request for it in the newest version."""
        operation = SCHEMA[self.path][self.method]
        query = {**({"api-version": self.versions[-1]} if self.versions else {}), **_QUERIES.get(self.action, {})}
        if "requestBody" not in self.described:
            return operation.Case(path_parameters=params, query=query)
        return operation.Case(path_parameters=params, query=query, body=body, media_type="application/json")

    @property
    def versions(self) -> list[str]:
        """None, if it looks at none."""
        named = [each["$ref"].rpartition("/")[2] for each in self.described["parameters"] if "$ref" in each]
        return DOCUMENT["components"]["parameters"][named[0]]["schema"]["enum"] if named else []

    @property
    def params(self) -> list[str]:
        return [each["name"] for each in self.described["parameters"] if each.get("in") == "path"]


def operations() -> Iterator[Operation]:
    """All that the document describes."""
    for path, methods in DOCUMENT["paths"].items():
        for method, described in methods.items():
            yield Operation(method.upper(), path, described)


@dataclass(frozen=True)
class Walker:
    """Sends requests as the owner, and holds each answer to the document."""

    arm: Management

    def params(self, operation: Operation) -> dict[str, str]:
        """Names of what a walk makes, or finds there."""
        known = {"subscription": self.arm.subscription, "group": GROUP, "registry": REGISTRY}
        known |= {"namespace": _CONTAINER_REGISTRY, "run": "ca1"}
        known |= {name: str(uuid5(NAMESPACE_URL, operation.path)) for name in ("role", "assignment")}
        return {name: known.get(name, f"walk{name.lower()}") for name in operation.params}

    def body(self, operation: Operation) -> Json:
        """One that is accepted."""
        if "requestBody" not in operation.described:
            return None
        schema = operation.described["requestBody"]["content"]["application/json"]["schema"]
        return self.known(operation) or least(schema)

    def known(self, operation: Operation) -> Json:
        """A body that only people know, by the action or the type."""
        registry = self.arm.registry(REGISTRY).replace("/resourceGroups/entrepot/", f"/resourceGroups/{GROUP}/")
        actions = {
            "checkNameAvailability": {"name": "freename"},
            "explainAccess": {"principal": OWNER, "action": "catalog"},
            "generateCredentials": {"tokenId": f"{registry}/tokens/walktoken"},
            "importImage": {
                "source": {"resourceId": self.arm.registry(), "sourceImage": "app:v1"},
                "targetTags": ["copy:v1"],
            },
            "scheduleRun": _REQUEST,
            "regenerateSourceHook": {"trigger": "walktrigger"},
        }
        role = f"/subscriptions/{self.arm.subscription}/providers/Microsoft.Authorization/roleDefinitions/{_PULL}"
        bodies = {
            "Microsoft.Authorization/roleAssignments": {"properties": {"principalId": GUEST, "roleDefinitionId": role}},
            "Microsoft.Authorization/roleDefinitions": {
                "properties": {
                    "roleName": f"role {uuid5(NAMESPACE_URL, operation.path)}",
                    "permissions": [{"actions": [f"{_CONTAINER_REGISTRY}/registries/read"]}],
                    "assignableScopes": [f"/subscriptions/{self.arm.subscription}"],
                }
            },
            "Microsoft.ContainerRegistry/registries": {
                "location": "eastus",
                "sku": {"name": "Premium"},
                "properties": {"adminUserEnabled": True},
            },
            "Microsoft.ContainerRegistry/registries/cacheRules": {"properties": _CACHE_RULE},
            "Microsoft.ContainerRegistry/registries/credentialSets": {"properties": _CREDENTIAL_SET},
            "Microsoft.ContainerRegistry/registries/purgeRules": {
                "properties": {"filters": ["app:.*"], "olderThan": "30d"}
            },
            "Microsoft.ContainerRegistry/registries/replications": {"location": "westus"},
            "Microsoft.ContainerRegistry/registries/scopeMaps": {
                "properties": {"actions": ["repositories/app/content/read"]}
            },
            "Microsoft.ContainerRegistry/registries/taskRuns": {"properties": {"runRequest": _REQUEST}},
            "Microsoft.ContainerRegistry/registries/tasks": {
                "properties": {
                    "platform": {"os": "linux"},
                    "step": {"type": "Docker", "dockerFilePath": "Dockerfile", "contextPath": _CONTEXT},
                    "trigger": {"sourceTriggers": [_SOURCE]},
                }
            },
            "Microsoft.ContainerRegistry/registries/tokens": {
                "properties": {"scopeMapId": f"{registry}/scopeMaps/walkscopemap"}
            },
            "Microsoft.ContainerRegistry/registries/webhooks": {
                "location": "eastus",
                "properties": {"serviceUri": "https://hooks.example", "actions": ["push"]},
            },
        }
        return (actions if operation.method == "POST" else bodies).get(
            operation.action if operation.method == "POST" else operation.resource
        )

    async def walk(self, operation: Operation) -> Answer:
        """The operation with its example."""
        return await self.send(operation.case(self.params(operation), self.body(operation)))

    async def send(self, case: Case) -> Answer:
        """The answer, which is one that the document describes."""
        prepared = requests.Request(**_sendable(case)).prepare()
        # Whoever is not signed in is answered 401 whatever they ask: tests of requests have that.
        headers = {name.lower(): str(value) for name, value in prepared.headers.items() if name != "Authorization"}
        content = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        body = content if isinstance(content, bytes) else b""
        answer = await self.arm.http.send(prepared.method or "", prepared.path_url, headers, body)
        check(case, answer)
        return answer


def check(case: Case, answer: Answer) -> None:
    """Raises what schemathesis raises for an answer that the document does not describe."""
    request = httpx.Request(case.method, "http://localhost")
    heard = httpx.Response(answer.status, headers=list(answer.headers), content=answer.body, request=request)
    heard.elapsed = timedelta(0)
    case.validate_response(heard, checks=CHECKS)


def _sendable(case: Case) -> dict[str, Any]:
    wanted = {"method", "url", "headers", "params", "data", "json", "cookies"}
    return {
        name: value for name, value in case.as_transport_kwargs(base_url="http://localhost").items() if name in wanted
    }


def resolved(schema: dict[str, Json]) -> dict[str, Json]:
    """What the schema refers to, if it does."""
    named = schema.get("$ref")
    return schema if named is None else DOCUMENT["components"]["schemas"][named.rpartition("/")[2]]


def least(schema: dict[str, Json], name: str = "") -> Json:
    """The least value that the schema takes. ``name``: of the member that it is for."""
    schema = resolved(schema)
    if "anyOf" in schema:
        return least(schema["anyOf"][0], name)
    if schema.get("type") == "object":
        members = schema.get("properties", {})
        return {member: least(members[member], member) for member in schema.get("required", [])}
    if schema.get("type") == "array":
        return [least(schema["items"])] * schema.get("minItems", 0)
    simple = {"integer": schema.get("minimum", 1), "boolean": False, "string": _VALUES.get(name, "text")}
    return schema["enum"][0] if "enum" in schema else simple[schema["type"]]


def own_everything(tx: Connection) -> None:
    """Role definitions are made at the root, too, where nobody has a right by themselves."""
    owner = queries.oldest_principal(tx)
    assert owner is not None
    insert_role(tx, Assignment("role-at-the-root", owner[0], OWNER_ROLE, "/", BEGINNING))


@functools.cache
def generated() -> list[tuple[Operation, Case]]:
    """What schemathesis makes of the document: the same in each run, as valid as the schemas tell, and not."""
    return [
        (operation, case)
        for operation in operations()
        for mode, count in ((GenerationMode.POSITIVE, 5), (GenerationMode.NEGATIVE, 3))
        if mode is GenerationMode.POSITIVE or operation.described["parameters"]  # what has none cannot be wrong
        for case in _generated(operation, mode, count)
    ]


def _generated(operation: Operation, mode: GenerationMode, count: int) -> list[Case]:
    found: list[Case] = []

    @seed(crc32(str(operation).encode()))
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(SCHEMA[operation.path][operation.method].as_strategy(generation_mode=mode))
    def keep(case: Case) -> None:
        found.append(case)

    keep()
    return found
