"""Resource providers, which is what the descriptors say of them, and the list of everything in a subscription or group.

az finds a registry by its name in that list (AZ-CLI-FLOWS 2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import merge
from itertools import islice
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Act, AnyResource, Ask, Document, Listing, Page, ResourceType, name_of
from entrepot.arm.filters import Term, equals, parse_filter
from entrepot.arm.resources.groups import GROUPS
from entrepot.arm.resources.subscriptions import SUBSCRIPTIONS
from entrepot.arm.versions import RESOURCES

_FILTERS: Final = {
    "resourceType eq": equals("resourceType"),
    "name eq": equals("name"),
    "resourceGroup eq": equals("resourceGroup"),
    "location eq": equals("location"),
}


class ProvidedType(msgspec.Struct, rename="camel"):
    resource_type: str
    locations: list[str]
    api_versions: list[str]
    capabilities: str = "None"


class ProviderDocument(msgspec.Struct, rename="camel"):
    id: str
    namespace: str
    resource_types: list[ProvidedType]
    registration_state: str = "Registered"
    registration_policy: str = "RegistrationFree"


def _provider(ask: Ask, namespace: str) -> ProviderDocument | None:
    here = list(ask.deployment.locations.values())
    provided = [
        ProvidedType(resource.name.partition("/")[2], here, list(reversed(resource.versions)))
        for resource in ask.deployment.resources
        if resource.provider.lower() == namespace.lower()
    ]
    if not provided:
        return None
    name = next(each.provider for each in ask.deployment.resources if each.provider.lower() == namespace.lower())
    return ProviderDocument(f"/subscriptions/{ask['subscription']}/providers/{name}", name, provided)


def _one_provider(tx: Connection, ask: Ask) -> ProviderDocument | None:  # noqa: ARG001  handlers have one shape
    return _provider(ask, ask["namespace"])


def _providers(tx: Connection, ask: Ask, page: Page) -> Sequence[ProviderDocument]:  # noqa: ARG001  the same
    names = sorted({resource.provider for resource in ask.deployment.resources}, key=str.lower)
    found = [_provider(ask, name) for name in names if name.lower() > page.after]
    return [document for document in found if document is not None][: page.limit]


def registration(namespace: str) -> Act:
    """The action by which clients make sure of a provider before they use it: all are there from the start."""

    def register(tx: Connection, ask: Ask, body: None) -> ProviderDocument | None:  # noqa: ARG001  they have one shape
        """Register a provider: all are registered."""
        return _provider(ask, namespace)

    subscription = SUBSCRIPTIONS.paths[0]
    path = f"{subscription}/providers/{namespace}/register"
    return Act(path, subscription, f"{namespace}/register/action", register, answer=ProviderDocument)


class ResourceDocument(msgspec.Struct, rename="camel", omit_defaults=True):
    """A resource as a list of everything shows it."""

    id: str
    name: str
    type: str
    location: str
    tags: dict[str, str] = {}
    sku: dict[str, str] | None = None


def _resources(tx: Connection, ask: Ask, page: Page) -> Sequence[ResourceDocument]:
    terms = parse_filter(ask.filter, _FILTERS)
    wanted = {term.what: term.value for term in terms}
    group = ask.params.get("group") or wanted.get("resourceGroup eq")
    if group is not None:
        ask = replace(ask, params={**ask.params, "group": group})
    page = replace(page, name=wanted.get("name eq"), location=wanted.get("location eq"))
    found = merge(*(_all_of(tx, resource, ask, page) for resource in _tracked(ask, terms)), key=name_of)
    return list(islice((document for document in found if _fits(document, ask, terms)), page.limit))


def _tracked(ask: Ask, terms: tuple[Term, ...]) -> Iterator[AnyResource]:
    """The types whose resources lie in groups, as far as the filter asks for them."""
    types = [term.value.lower() for term in terms if term.what == "resourceType eq"]
    for resource in ask.deployment.resources:
        if _listing_of(resource, ask) is not None and all(resource.name.lower() == wanted for wanted in types):
            yield resource


def _listing_of(resource: AnyResource, ask: Ask) -> Listing[Any] | None:
    """The list of all of a type in the subscription or, where one is asked for, in a group; None for a type that does
    not lie anywhere, as roles do.
    """
    if "location" not in {field.name for field in msgspec.structs.fields(resource.document)}:
        return None
    path = f"{(GROUPS if 'group' in ask.params else SUBSCRIPTIONS).paths[0]}/providers/{resource.name}"
    return next((listing for listing in resource.lists if listing.path == path), None)


def _all_of(tx: Connection, resource: AnyResource, ask: Ask, page: Page) -> Iterator[ResourceDocument]:
    """In the order of their names, read as far as they are asked for."""
    listing = _listing_of(resource, ask)
    while listing is not None:
        rows: Sequence[Document] = listing.rows(tx, ask, page)
        for row in rows:
            yield msgspec.convert({"type": resource.name, **msgspec.to_builtins(row)}, type=ResourceDocument)
        if len(rows) < page.limit:
            return
        page = replace(page, after=name_of(rows[-1]))


def _fits(document: ResourceDocument, ask: Ask, terms: tuple[Term, ...]) -> bool:
    group = document.id.split("/")[4].lower()
    if ask.params.get("group", group).lower() != group:
        return False
    told = {
        "resourceType eq": document.type,
        "name eq": document.name,
        "resourceGroup eq": group,
        "location eq": document.location,
    }
    return all(told[term.what].lower() == term.value.lower() for term in terms)


PROVIDERS: Final[ResourceType[ProviderDocument, None]] = ResourceType(
    name="Microsoft.Resources/subscriptions/providers",
    paths=("/subscriptions/{subscription}/providers/{namespace}",),
    versions=RESOURCES,
    document=ProviderDocument,
    get=_one_provider,
    lists=(Listing("/subscriptions/{subscription}/providers", None, _providers),),
    acts=(registration("Microsoft.ContainerRegistry"), registration("Microsoft.Authorization")),
    parents=(SUBSCRIPTIONS,),
    open_to="it says what the software can do, and nothing of what is there",
    not_found="InvalidResourceNamespace",
)
EVERYTHING: Final[ResourceType[ResourceDocument, None]] = ResourceType(
    name="Microsoft.Resources/subscriptions/resources",
    paths=(),
    versions=RESOURCES,
    document=ResourceDocument,
    lists=(
        Listing(
            "/subscriptions/{subscription}/resources",
            "/subscriptions/{subscription}",
            _resources,
            lambda document: f"{document.type}/read",
        ),
        Listing(
            "/subscriptions/{subscription}/resourceGroups/{group}/resources",
            "/subscriptions/{subscription}/resourceGroups/{group}",
            _resources,
            lambda document: f"{document.type}/read",
        ),
    ),
    parents=(SUBSCRIPTIONS, GROUPS),
)
