"""The API's own description, for programs (OpenAPI) and for people: one page without any script, good offline."""

from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import msgspec
from jinja2 import Environment, PackageLoader

from entrepot.access.model import Public
from entrepot.arm.descriptor import AnyResource, Deployment
from entrepot.arm.openapi import document
from entrepot.arm.routes import ArmRoute
from entrepot.gate.management import ManagementCall
from entrepot.web.answer import JSON, Answer, AnyAnswer, header
from entrepot.web.routing import Route

DOCUMENT_PATH: Final = "/openapi.json"
PAGE_PATH: Final = "/openapi"
_SCHEMAS: Final = "#/components/schemas/"
# What an open document lacks is undefined, and shown as nothing.
_TEMPLATES: Final = Environment(
    loader=PackageLoader("entrepot.arm"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def printed(resources: tuple[AnyResource, ...]) -> str:
    """The document as it is served and published."""
    return msgspec.json.format(msgspec.json.encode(document(resources)), indent=1).decode() + "\n"


def page(resources: tuple[AnyResource, ...]) -> str:
    """The same, to be read."""
    described = document(resources)
    operations: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            operations.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    return _TEMPLATES.get_template("openapi.html").render(
        style=_style(), described=described, operations=dict(sorted(operations.items())), schema=_named
    )


def _style() -> str:
    source, _, _ = PackageLoader("entrepot.arm").get_source(_TEMPLATES, "openapi.css")
    return source


def _named(schema: dict[str, Any]) -> tuple[str, str]:
    """The name of a schema that stands elsewhere in the document, or none; and what there is to say of it here."""
    if "$ref" in schema:
        return schema["$ref"].removeprefix(_SCHEMAS), ""
    if "$ref" in schema.get("items", {}):
        return schema["items"]["$ref"].removeprefix(_SCHEMAS), "list of "
    if "nextLink" in schema.get("properties", {}):
        return schema["properties"]["value"]["items"]["$ref"].removeprefix(_SCHEMAS), "page of "
    rest = {name: value for name, value in schema.items() if name not in {"readOnly", "default"}}
    return "", msgspec.json.encode(rest).decode()


async def get_document(call: ManagementCall, deployment: Deployment) -> AnyAnswer:  # noqa: ARG001  handlers have one shape
    """This API as an OpenAPI 3.1 document."""
    return Answer(200, [JSON], _printed(deployment.resources))


async def get_page(call: ManagementCall, deployment: Deployment) -> AnyAnswer:  # noqa: ARG001  handlers have one shape
    """The same, for people."""
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        header(b"content-security-policy", _policy()),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
    ]
    return Answer(200, headers, _page(deployment.resources))


@lru_cache(maxsize=1)
def _printed(resources: tuple[AnyResource, ...]) -> bytes:
    return printed(resources).encode()


@lru_cache(maxsize=1)
def _page(resources: tuple[AnyResource, ...]) -> bytes:
    return page(resources).encode()


@lru_cache(maxsize=1)
def _policy() -> str:
    """One style, known by its hash, and nothing else: no script, no image, no frame, no form."""
    known = b64encode(sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{known}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


_WHY: Final = Public("it describes the program, and tells nothing of this deployment")
READING: Final[tuple[ArmRoute, ...]] = (
    Route("GET", DOCUMENT_PATH, get_document, _WHY),
    Route("GET", PAGE_PATH, get_page, _WHY),
)
