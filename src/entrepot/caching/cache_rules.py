"""The resource type Microsoft.ContainerRegistry/registries/cacheRules. Source: ACR-REFERENCE 6.5 and 8.8.

Every change ends at once, which az takes as done. Workers remember rules until the access epoch moves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Struct, field
from sqlalchemy import Connection

from entrepot.access.queries import raise_epoch
from entrepot.arm.descriptor import Ask, Going, Listing, Page, ResourceType
from entrepot.arm.identities import IdentityBody, IdentityType
from entrepot.arm.versions import CONTAINER_REGISTRY
from entrepot.caching import queries
from entrepot.caching.model import Rule, is_wildcard
from entrepot.caching.queries import RuleRow
from entrepot.caching.resources import Moments, Owner, Registries, deleted, lock_cache, moment
from entrepot.caching.rules import (
    SOURCE,
    TARGET,
    Source,
    expect_elsewhere,
    expect_free,
    expect_name,
    expect_pair,
    invalid,
    parse_source,
    parse_target,
)
from entrepot.errors import Kind, Problem
from entrepot.remote.place import api_of

_TYPE: Final = "Microsoft.ContainerRegistry/registries/cacheRules"
_SET: Final = "properties.credentialSetResourceId"
_SET_ID: Final = re.compile(r"(?P<registry>.+)/credentialSets/(?P<name>[^/\0]+)", re.IGNORECASE)


class AdditionalAuthentication(Struct, frozen=True, rename="camel"):
    """How to sign in to a registry of Google's without a password: not available yet."""

    authentication_type: str | None = None
    project_number: str | None = None
    workload_identity_pool: str | None = None
    workload_identity_provider: str | None = None


class CacheRuleSettings(Struct, frozen=True, rename="camel"):
    source_repository: str
    target_repository: str
    credential_set_resource_id: str | None = None
    additional_authentication_properties: AdditionalAuthentication | None = None


class CacheRuleBody(Struct, frozen=True):
    properties: CacheRuleSettings
    identity: IdentityBody = field(default_factory=IdentityBody)


class CacheRuleProperties(Struct, frozen=True, rename="camel", kw_only=True):
    source_repository: str
    target_repository: str
    credential_set_resource_id: str | None
    creation_date: str
    provisioning_state: str = "Succeeded"


class CacheRuleDocument(Struct, frozen=True, rename="camel", kw_only=True):
    id: str
    name: str
    system_data: Moments
    properties: CacheRuleProperties
    type: str = _TYPE


def cache_rules(registries: Registries) -> ResourceType[CacheRuleDocument, CacheRuleBody]:
    """The type below that of registries."""
    path, handlers = f"{registries.resource.paths[0]}/cacheRules", _Handlers(registries)
    return ResourceType(
        name=_TYPE,
        paths=(f"{path}/{{cacheRule}}",),
        versions=CONTAINER_REGISTRY,
        document=CacheRuleDocument,
        get=handlers.find,
        body=CacheRuleBody,
        lists=(Listing(path, registries.resource.paths[0], handlers.rows),),
        put=handlers.put,
        patch=handlers.put,
        delete=handlers.delete,
        parents=registries.parents,
    )


@dataclass(frozen=True, slots=True)
class _Handlers:
    registries: Registries

    def find(self, tx: Connection, ask: Ask) -> CacheRuleDocument | None:
        registry = self.registries.find(tx, ask)
        row = None if registry is None else queries.find_rule(tx, registry.id, ask["cacheRule"])
        return None if registry is None or row is None else _document(registry, row)

    def rows(self, tx: Connection, ask: Ask, page: Page) -> Sequence[CacheRuleDocument]:
        registry = self.registries.find(tx, ask)
        if registry is None:
            return []
        return [_document(registry, row) for row in queries.rules(tx, registry.id, page.after, page.limit)]

    def put(
        self, tx: Connection, ask: Ask, body: CacheRuleBody, current: CacheRuleDocument | None
    ) -> CacheRuleDocument:
        """Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS, QUOTA_EXCEEDED, UNSUPPORTED."""
        _expect_built(body)
        registry, settings = self.registries.owner(tx, ask), body.properties
        source, target = parse_source(settings.source_repository), parse_target(settings.target_repository)
        if current is not None:
            _expect_same(current, source, target)
        lock_cache(tx, registry)
        set_id = _credential_set(tx, registry, settings.credential_set_resource_id, source.host)
        if current is None:
            rule = Rule(0, registry.id, ask["cacheRule"], source.host, str(source), target, set_id)
            self._make(tx, ask, rule, source)
        else:
            queries.set_credential_set(tx, self._row(tx, ask)[1].rule.id, set_id, ask.now)
        raise_epoch(tx)
        return _document(*self._row(tx, ask))

    def _make(self, tx: Connection, ask: Ask, rule: Rule, source: Source) -> None:
        """Raises NAME_INVALID, RESOURCE_INVALID, RESOURCE_EXISTS, QUOTA_EXCEEDED."""
        expect_name(rule.name, "A cache rule's name")
        expect_pair(source, rule.target)
        expect_elsewhere(source.host, ask.login_server)
        there = queries.rules_of(tx, rule.registry_id)
        expect_free(rule.target, there)
        self.registries.expect_room(tx, ask, rule.registry_id, len(there))
        if not is_wildcard(rule.target) and queries.has_repository(tx, rule.registry_id, rule.target):
            reason = f"There is already a repository '{rule.target}': a cache rule fills one that is not there yet."
            raise Problem(Kind.RESOURCE_EXISTS, code="TargetRepositoryExists", reason=reason)
        queries.insert_rule(tx, rule, ask.now)

    def delete(self, tx: Connection, ask: Ask, current: CacheRuleDocument) -> Going[CacheRuleDocument]:  # noqa: ARG002  one shape
        """What it has brought here stays."""
        registry, row = self._row(tx, ask)
        lock_cache(tx, registry)
        queries.delete_rule(tx, row.rule.id)
        raise_epoch(tx)
        return deleted(tx, ask, "cacheRules")

    def _row(self, tx: Connection, ask: Ask) -> tuple[Owner, RuleRow]:
        """Raises RESOURCE_UNKNOWN."""
        registry = self.registries.owner(tx, ask)
        row = queries.find_rule(tx, registry.id, ask["cacheRule"])
        if row is None:
            reason = f"The Resource '{_TYPE}/{ask['cacheRule']}' was not found."
            raise Problem(Kind.RESOURCE_UNKNOWN, code="ResourceNotFound", reason=reason)
        return registry, row


def _expect_built(body: CacheRuleBody) -> None:
    """Raises UNSUPPORTED."""
    lacking = {
        "identity": body.identity.type is not IdentityType.NONE,
        "properties.additionalAuthenticationProperties": (
            body.properties.additional_authentication_properties is not None
        ),
    }
    for target, is_asked in lacking.items():
        if is_asked:
            reason = f"'{target}' is not available yet: name a credential set, az acr cache update --cred-set."
            raise Problem(Kind.UNSUPPORTED, target=target, reason=reason)


def _expect_same(current: CacheRuleDocument, source: Source, target: str) -> None:
    """Raises RESOURCE_INVALID: what a repository has from one place does not go on from another."""
    shown = current.properties
    for member, was, wanted in (
        (SOURCE, shown.source_repository, str(source)),
        (TARGET, shown.target_repository, target),
    ):
        if wanted != was:
            raise invalid(member, f"it is '{was}' and cannot be changed: delete the rule, and make another")


def _credential_set(tx: Connection, registry: Owner, resource_id: str | None, host: str) -> int | None:
    """The row of the set that a rule for this host names. Raises RESOURCE_INVALID."""
    if resource_id is None:
        return None
    named = _SET_ID.fullmatch(resource_id)
    is_ours = named is not None and named["registry"].lower() == registry.resource_id.lower()
    found = queries.find_credential_set(tx, registry.id, named["name"]) if named is not None and is_ours else None
    if found is None:
        raise invalid(_SET, f"it is null, or the id of a credential set of '{registry.name}'")
    if api_of(found.login_server) != api_of(host):
        reason = f"the credential set '{found.name}' is for '{found.login_server}', and the source is at '{host}'"
        raise invalid(_SET, reason)
    return found.id


def _document(registry: Owner, row: RuleRow) -> CacheRuleDocument:
    rule, named = row.rule, row.credential_set
    return CacheRuleDocument(
        id=f"{registry.resource_id}/cacheRules/{rule.name}",
        name=rule.name,
        system_data=Moments(moment(row.created_at), moment(row.updated_at)),
        properties=CacheRuleProperties(
            source_repository=rule.source,
            target_repository=rule.target,
            credential_set_resource_id=None if named is None else f"{registry.resource_id}/credentialSets/{named}",
            creation_date=moment(row.created_at),
        ),
    )
