"""The OpenAPI 3.1 document of the management API, printed from the descriptors."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import msgspec

from entrepot.access.model import Operation, Public
from entrepot.arm.descriptor import Act, AnyResource, Listing, nothing
from entrepot.arm.metadata import METADATA, Endpoints
from entrepot.arm.operations.routes import OPERATIONS, OperationResult, OperationStatus
from entrepot.arm.routes import PARAMETER, ArmRoute, rows_of
from entrepot.arm.versions import CONTAINER_REGISTRY, SUPPORTED

# The document's own form is open: JSON.
Json = dict[str, Any]

_ERROR: Final[Json] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "target": {"type": "string"},
                "details": {
                    "type": "array",
                    "items": {"type": "object", "required": ["code", "message"]},
                },
            },
        }
    },
}
_REFERENCE: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_SUPPORTED: Final = SUPPORTED.decode()
_SUPPORTED_HEADER: Final[Json] = {
    "description": "The api-versions of the type, with commas between them.",
    "required": True,
    "schema": {"type": "string"},
}


@dataclass(frozen=True, slots=True)
class Other:
    """A row of no resource. ``name``: under which it stands. ``versions``: none, if it looks at none. ``answers``: what
    each status means and shows.
    """

    row: ArmRoute
    name: str
    versions: tuple[str, ...]
    answers: Mapping[str, tuple[str, type[Any]]]


_STATUS, _RESULT = OPERATIONS
_LOCATIONS: Final = "Microsoft.ContainerRegistry/locations"
_OTHERS: Final = (
    *(Other(row, "Metadata", (), {"200": ("The deployment.", Endpoints)}) for row in METADATA),
    Other(
        _STATUS,
        f"{_LOCATIONS}/operationStatuses",
        CONTAINER_REGISTRY,
        {"200": ("How it stands, or how it ended.", OperationStatus)},
    ),
    Other(
        _RESULT,
        f"{_LOCATIONS}/operationResults",
        CONTAINER_REGISTRY,
        {"200": ("It has succeeded.", OperationResult), "202": ("It goes on: ask again.", OperationResult)},
    ),
)

# Of the document: what it describes has versions of its own.
VERSION: Final = "1"


def document(resources: Iterable[AnyResource]) -> Json:
    """Of every resource type, and of what belongs to none."""
    resources = tuple(resources)
    references, schemas = _schemas(resources)
    paths: Json = {}
    for resource in resources:
        for row in rows_of(resource):
            paths.setdefault(row.path, {})[row.method.lower()] = _operation(resource, row, references)
    for other in _OTHERS:
        paths.setdefault(other.row.path, {})[other.row.method.lower()] = _other(other, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Entrepot management API", "version": VERSION},
        "paths": dict(sorted(paths.items())),
        "components": {
            "parameters": _versions(resources),
            "headers": {_SUPPORTED: _SUPPORTED_HEADER},
            "schemas": {**schemas, "Error": _ERROR},
            "securitySchemes": {"directory": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"directory": []}],
    }


def _schemas(resources: tuple[AnyResource, ...]) -> tuple[dict[type[Any], Json], Json]:
    """How each type is referred to, and the schemas; a member that cannot be written is read-only."""
    types: list[type[Any]] = []
    for resource in resources:
        acts = [found for act in resource.acts for found in (act.body, act.answer)]
        types += [found for found in (resource.document, resource.body, *acts) if found is not None]
    types += [shown for other in _OTHERS for _, shown in other.answers.values()]
    types = list(dict.fromkeys(types))
    found, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    schemas: Json = {name: components[name] for name in sorted(components)}
    for resource in resources:
        _mark_read_only(resource, schemas)
    return dict(zip(types, found, strict=True)), schemas


def _mark_read_only(resource: AnyResource, schemas: Json) -> None:
    if resource.body is None:
        return
    written = {field.encode_name for field in msgspec.structs.fields(resource.body)}
    members: Json = schemas[resource.document.__name__]["properties"]
    for name, schema in members.items():
        if name not in written:
            schema["readOnly"] = True


def _operation(resource: AnyResource, row: ArmRoute, references: dict[type[Any], Json]) -> Json:
    operation: Json = {
        "operationId": _operation_id(row),
        "summary": row.handler.__doc__ or "",
        "tags": [resource.name],
        "parameters": list(_parameters(resource, row)),
        "responses": _answers(resource, row, references),
    }
    if isinstance(row.access, Operation):
        operation["x-permission"] = row.access.name
    body = _body(resource, row)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": references[body]}}}
    return operation


def _other(other: Other, references: dict[type[Any], Json]) -> Json:
    row = other.row
    operation: Json = {
        "operationId": _operation_id(row),
        "summary": row.handler.__doc__ or "",
        "tags": [other.name],
        "parameters": [*_in_path(row), *([_version_parameter(other.name)] if other.versions else [])],
        "responses": {
            **{status: _shown(said, references[shown]) for status, (said, shown) in other.answers.items()},
            **_REFUSALS,
        },
    }
    return {**operation, "security": []} if isinstance(row.access, Public) else operation


def _operation_id(row: ArmRoute) -> str:
    """One for each row: the method and the path, as words."""
    words = [word.strip("{}") for word in row.path.split("/") if word]
    return "_".join([row.method.lower(), *(word.replace(".", "_") for word in words)])


def _parameters(resource: AnyResource, row: ArmRoute) -> Iterator[Json]:
    yield from _in_path(row)
    yield _version_parameter(resource.name)
    if _listing(resource, row) is not None:
        for name, kind in (("$filter", "string"), ("$select", "string"), ("$top", "integer"), ("$skiptoken", "string")):
            yield {"name": name, "in": "query", "required": False, "schema": {"type": kind}}


def _in_path(row: ArmRoute) -> Iterator[Json]:
    for name in PARAMETER.findall(row.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _version_parameter(name: str) -> Json:
    return {"$ref": f"#/components/parameters/{_version_of(name)}"}


def _versions(resources: tuple[AnyResource, ...]) -> Json:
    """The parameter of each type, which says what its versions are."""
    named = {each.name: each.versions for each in (*resources, *_OTHERS) if each.versions}
    return {
        _version_of(name): {
            "name": "api-version",
            "in": "query",
            "required": True,
            "schema": {"type": "string", "enum": list(versions)},
        }
        for name, versions in named.items()
    }


def _version_of(name: str) -> str:
    return f"version.{name.replace('/', '.')}"


def _listing(resource: AnyResource, row: ArmRoute) -> Listing[Any] | None:
    return next((found for found in resource.lists if found.path == row.path and row.method == "GET"), None)


def _act(resource: AnyResource, row: ArmRoute) -> Act | None:
    return next((found for found in resource.acts if found.path == row.path and row.method == found.method), None)


def _body(resource: AnyResource, row: ArmRoute) -> type[Any] | None:
    if row.method in {"PUT", "PATCH"}:
        return resource.body
    act = _act(resource, row)
    return None if act is None else act.body


def _answers(resource: AnyResource, row: ArmRoute, references: dict[type[Any], Json]) -> Json:
    """Every refusal has the one form; which they are is the same everywhere."""
    one = references[resource.document]
    answers = dict(_REFUSALS)
    act = _act(resource, row)
    if _listing(resource, row) is not None:
        members = {"value": {"type": "array", "items": one}, "nextLink": {"type": "string"}}
        page = {"type": "object", "required": ["value"], "properties": members}
        answers["200"] = _shown("A page.", page)
    elif resource.get is nothing or (act is not None and act.refuses):
        pass  # of a feature that does not exist yet
    elif act is not None:
        if act.is_long:
            answers["202"] = {"description": "Accepted: poll what the headers name."}
        else:
            answers["200"] = _shown("Done.", {} if act.answer is None else references[act.answer])
    elif row.method == "DELETE":
        answers |= {
            "200": {"description": "Deleted, perhaps with what was."},
            "202": {"description": "It goes on: poll what the headers name."},
            "204": {"description": "There was none."},
        }
    else:
        answers["200"] = _shown("The resource.", one)
        is_told = row.method == "PUT" and resource.created is HTTPStatus.CREATED
        answers |= {"201": _shown("Created.", one)} if is_told else {}
        answers |= {"304": {"description": "The client holds it already."}} if row.method == "GET" else {}
    for status in answers.keys() - _REFUSALS.keys():
        answers[status] = {**answers[status], "headers": {_SUPPORTED: {"$ref": f"#/components/headers/{_SUPPORTED}"}}}
    return dict(sorted(answers.items()))


def _shown(description: str, schema: Json) -> Json:
    return {"description": description, "content": {_JSON: {"schema": schema}}}


def _reference(name: str) -> Json:
    return {"$ref": _REFERENCE.format(name=name)}


_REFUSALS: Final[Json] = {
    "4XX": _shown("Refused. What a later version will have is refused with FeatureNotAvailable.", _reference("Error")),
    "5XX": _shown("Failed, through no fault of the request.", _reference("Error")),
}
