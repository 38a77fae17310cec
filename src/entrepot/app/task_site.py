"""What a worker runs tasks with: its engine, its folder, the registries, and where sources lie."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from entrepot.access.rights import Where
from entrepot.access.sealing import Sealer
from entrepot.app import queries
from entrepot.app.parts import hosts_of, open_outbound, vaults_of
from entrepot.app.task_engine import Engines
from entrepot.catalog.model import RegistryId
from entrepot.content.model import ContentStore
from entrepot.db.database import Database
from entrepot.gate.hosts import Hosts
from entrepot.gate.queries import find_registry
from entrepot.gate.registries import registry_of as as_registry
from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound, tls_context
from entrepot.outbound.streams import Streams
from entrepot.settings import SettingError, Settings
from entrepot.tasks.attempts import attempts_of
from entrepot.tasks.contexts.model import ContextFailed
from entrepot.tasks.egress import Egress, EgressUnknown, egress_of
from entrepot.tasks.engines.model import Allowance
from entrepot.tasks.engines.registry import client_of
from entrepot.tasks.language.rendering import Renderer
from entrepot.tasks.publishing.registry import OwnRegistry
from entrepot.tasks.runs.acting import registry_of
from entrepot.tasks.runs.attempt import Site
from entrepot.tasks.runs.identity import Reach
from entrepot.tasks.runs.queries import tags_of
from entrepot.tasks.runs.reading import Reader
from entrepot.tasks.storage.links import find_source


@dataclass(frozen=True, slots=True)
class Kept:
    """What a deployment keeps outside its catalog."""

    store: ContentStore
    sealer: Sealer


def site_of(settings: Settings, database: Database, kept: Kept, engines: Engines) -> Site:
    """Raises SettingError."""
    hosts, store = hosts_of(settings), kept.store
    egress = egress_of_setting(settings)

    def registry(registry_id: int) -> tuple[str, str]:
        name = database.read(queries.name_of_registry, registry_id)
        return name, hosts.login_server(name)

    return Site(
        engine=engines.get,
        folder=settings.data_dir.absolute() / "tasks",
        outbound=open_outbound(settings),
        streams=Streams(reached_by_runs(settings, egress)),
        sealer=kept.sealer,
        upload=_upload_from(database, store),
        registry=registry,
        allowance=Allowance(settings.task_memory_bytes, None, settings.task_processes),
        log_bytes=settings.task_log_bytes,
        reader=Reader(Renderer(), dict(each.split("=", 1) for each in settings.task_images)),
        reach=reach_of(settings, hosts),
        scheme=settings.scheme,
        client=partial(_client_of, settings),
        egress=partial(egress_in, database, egress),
        attempts=partial(attempts_in, database),
        keeps_cache=settings.task_build_cache,
        publisher=lambda run, row: OwnRegistry(run, store, RegistryId(row.registry_id), row.id),
        deployment=lambda: f"urn:entrepot:{database.read(queries.deployment_id)}",
    )


def reach_of(settings: Settings, hosts: Hosts) -> Reach:
    def named(tx: Connection, name: str | None) -> Where | None:
        row = None if name is None else find_registry(tx, name)
        return None if row is None else as_registry(row).where

    def own(tx: Connection, registry_id: int) -> tuple[Where | None, str]:
        name = queries.name_of_registry(tx, registry_id)
        return named(tx, name), hosts.login_server(name)

    def registry(tx: Connection, server: str) -> Where | None:
        return named(tx, registry_of(server, hosts.login_server))

    return Reach(registry, own, vaults_of(settings), f"{settings.scheme}://{hosts.endpoint()}/msi/token")


def egress_of_setting(settings: Settings) -> Egress:
    """Raises SettingError."""
    try:
        return Egress.parse(settings.task_egress)
    except EgressUnknown as unknown:
        raise SettingError("task_egress", str(unknown)) from None


def reached_by_runs(settings: Settings, egress: Egress) -> Permitted:
    """Beside what is public: addresses that the operator's list names as such, and what calls may go to. Where the list
    is a tag's, nothing: open, its steps would not reach the worker's loopback either.
    """
    if egress.hosts is None:
        return Permitted()
    return Permitted.of([*settings.outbound_allow, *egress.addresses()])


def egress_in(database: Database, setting: Egress, registry_id: int, task: str | None) -> Egress:
    """Of a run of a registry, and of a task if it is one's. Raises EgressUnknown."""
    return egress_of(setting, database.read(tags_of, registry_id, task))


def attempts_in(database: Database, registry_id: int, task: str | None) -> int:
    """The same, for how often a run may begin. Raises AttemptsUnknown."""
    return attempts_of(database.read(tags_of, registry_id, task))


def _client_of(settings: Settings, server: str) -> Outbound:
    """For calls to one of our own registries. Raises OSError for a CA that cannot be read."""
    tls = tls_context(settings.outbound_ca_file)
    ours = settings.data_dir / "tls" / "ca.crt"
    if settings.scheme == "https" and settings.tls_cert is None and ours.exists():
        tls.load_verify_locations(ours)
    return client_of(server, tls)


def _upload_from(database: Database, store: ContentStore) -> Callable[[int, str], Iterable[bytes]]:
    def upload(registry_id: int, path: str) -> Iterable[bytes]:
        """Raises ContextFailed."""
        found = database.read(find_source, RegistryId(registry_id), path)
        if found is None:
            raise ContextFailed("the uploaded source is gone: it is kept for a week after the run was asked for")
        return store.read(found.pieces, 0, found.length)

    return upload
