"""What tasks need of other features, and runs that resources begin."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection

from entrepot.arm.descriptor import Ask
from entrepot.arm.identities import Identity
from entrepot.catalog.model import RegistryId
from entrepot.errors import Kind, Problem
from entrepot.tasks.context import Upload, parse_context
from entrepot.tasks.owners import Owner, Registries
from entrepot.tasks.resource.rules import expect_identities
from entrepot.tasks.runs.acting import lent_of
from entrepot.tasks.runs.descriptor import Parts, SourceUpload
from entrepot.tasks.runs.documents import document
from entrepot.tasks.runs.queries import RunRow, run_of
from entrepot.tasks.runs.requests import RunRequest
from entrepot.tasks.runs.schedule import Scheduler
from entrepot.tasks.storage.links import Links, hold_source, log_url, upload_url
from entrepot.tasks.wishes import wish_of

# How long a run may wait before it begins: its source is kept meanwhile.
_WAITING: Final = timedelta(days=7)


def schedule(tx: Connection, ask: Ask, registry: Owner, request: RunRequest, identity: Identity | None) -> int:
    """``identity``: whom the run may be, beside those of its task. Raises RESOURCE_INVALID, RESOURCE_UNKNOWN,
    RESOURCE_EXISTS.
    """
    sealer = ask.deployment.sealer
    wish = wish_of(tx, sealer, registry.id, request, ask.caller.principal)
    wish = replace(wish, plan=msgspec.structs.replace(wish.plan, identities=lent_of(identity)))
    if wish.task is None:
        expect_identities(wish.plan.credentials, identity, ask.login_server, "credentials")
    if isinstance(parse_context(wish.plan.context), Upload):
        until = ask.now + timedelta(seconds=wish.plan.timeout) + _WAITING
        if hold_source(tx, RegistryId(registry.id), wish.plan.context, until) is None:
            reason = "there is no such upload in this registry: put the archive where listBuildSourceUploadUrl says"
            raise Problem(Kind.RESOURCE_INVALID, target="sourceLocation", reason=reason)
    return Scheduler(sealer).schedule(tx, registry.id, wish, ask.now)


def _asked(tx: Connection, ask: Ask, registry: Owner, request: RunRequest) -> int:
    return schedule(tx, ask, registry, request, None)


def _source_upload(tx: Connection, ask: Ask, registry: Owner) -> SourceUpload:
    links = Links.of(ask.deployment.sealer, ask.origin)
    return SourceUpload(*upload_url(tx, links, RegistryId(registry.id), ask.new_id(), ask.now))


def _log_link(tx: Connection, ask: Ask, row: RunRow) -> str:
    return log_url(tx, Links.of(ask.deployment.sealer, ask.origin), row.id, ask.now)


def show_run(tx: Connection, ask: Ask, registry: Owner, run_id: int) -> object:
    """None for one that is not kept any more."""
    row = run_of(tx, run_id)
    return None if row is None else document(registry.resource_id, ask.login_server(registry.name), row, None)


def run_parts(registries: Registries) -> Parts:
    """What runs are made of."""
    return Parts(registries, _asked, _source_upload, _log_link)
