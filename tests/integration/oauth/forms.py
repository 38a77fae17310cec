"""What clients post to /oauth2, and what the tokens that they get say."""

from typing import Any
from urllib.parse import urlencode

import jwt
from tests.integration.accounts import directory_token
from tests.registry import Registry
from tests.wire import Answer

SERVICE = "localhost:5000"
NIL = "00000000-0000-0000-0000-000000000000"


async def post(registry: Registry, path: str, **fields: str) -> Answer:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return await registry.nobody.post(path, urlencode(fields).encode(), headers)


async def exchange(registry: Registry, token: str, **fields: str) -> Answer:
    form = {"grant_type": "access_token", "service": SERVICE, "access_token": token} | fields
    return await post(registry, "/oauth2/exchange", **form)


async def refresh_token(registry: Registry) -> str:
    """One of the owner's, as ``az acr login`` gets it."""
    answer = await exchange(registry, directory_token(registry))
    assert answer.status == 200, answer.body
    return answer.json()["refresh_token"]


async def ask(registry: Registry, scope: str, **fields: str) -> Answer:
    """For an access token, by form."""
    return await post(registry, "/oauth2/token", service=SERVICE, scope=scope, **fields)


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def access_of(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    return claims_of(answer.json()["access_token"])["access"]
