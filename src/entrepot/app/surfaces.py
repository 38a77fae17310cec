"""Every surface of a worker: which rows, admission, parts and words make it up, and which paths are its own."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from entrepot.access.sealing import Sealer
from entrepot.app.management import RESOURCES
from entrepot.app.parts import management_firewall, vaults_of
from entrepot.app.people import SigningIn
from entrepot.app.resource_identities import IDENTITIES
from entrepot.arm.descriptor import Deployment
from entrepot.arm.locations import locations
from entrepot.arm.surface import PREFIXES, arm_surface
from entrepot.auditing.routes import ROUTES as AUDITING
from entrepot.distribution import parts as distribution
from entrepot.distribution.routes import ROUTES as DISTRIBUTION
from entrepot.gate.call import Site, Surface
from entrepot.gate.data_plane import DataPlane
from entrepot.gate.hosts import Host
from entrepot.gate.management import Audiences, Management, arm_audiences
from entrepot.gate.problems import render
from entrepot.gate.registries import Registries
from entrepot.gate.turns import Turns
from entrepot.identities.graph import kit as graph
from entrepot.identities.graph.routes import PREFIX as GRAPH_PREFIX
from entrepot.identities.graph.routes import graph_surface
from entrepot.jobs.wake import Jobs
from entrepot.metadata import parts as metadata
from entrepot.metadata.helm import ROUTES as HELM
from entrepot.metadata.routes import ROUTES as METADATA
from entrepot.oauth import parts as oauth
from entrepot.oauth.directory import parts as directory
from entrepot.oauth.directory import problems as directory_problems
from entrepot.oauth.directory.routes import ROUTES as DIRECTORY
from entrepot.oauth.routes import ROUTES as OAUTH
from entrepot.settings import Settings
from entrepot.tasks.runs.schedule import Scheduler
from entrepot.tasks.sources import routes as hooks
from entrepot.tasks.sources.evaluating import Evaluator
from entrepot.tasks.storage import parts as storage
from entrepot.tasks.storage.links import FOLDER as STORAGE_FOLDER
from entrepot.tasks.storage.routes import storage_surface
from entrepot.tasks.storage.signing import Signer
from entrepot.tasks.triggers.sources import FOLDER as HOOKS_FOLDER
from entrepot.web.routing import RouteTable

AnySurface = Surface[Any, Any]

# Docker asks for the first. The others are for browsers: what somebody pushed is neither guessed at nor run as a page.
_DATA_PLANE_HEADERS: Final = (
    (b"docker-distribution-api-version", b"registry/2.0"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
)


@dataclass(frozen=True, slots=True)
class Keeping:
    """What keeps secrets, and what signs people in."""

    sealer: Sealer
    signing_in: SigningIn


class Surfaces:
    """One per worker process."""

    def __init__(
        self, site: Site, registries: Registries, settings: Settings, keeping: Keeping, v2: distribution.Parts
    ) -> None:
        data_plane, idle_seconds = DataPlane(site, registries), settings.upload_idle_seconds
        jobs = Jobs(site.doors.database)
        attributes = metadata.Parts(idle_seconds, jobs)
        acr = Surface("acr", RouteTable(METADATA), data_plane, attributes, render, _DATA_PLANE_HEADERS)
        forms = oauth.Parts(idle_seconds, keeping.signing_in.following)
        firewall = management_firewall(settings)
        management = Management(site, arm_audiences(settings.scheme), _challenge, firewall)
        known = locations(settings.region, settings.locations)
        deployment = Deployment(
            RESOURCES,
            settings.region,
            known,
            keeping.sealer,
            jobs,
            IDENTITIES,
            idle_seconds,
            settings.tier_limits,
            vaults_of(settings),
        )
        arm = arm_surface(site, deployment, firewall)
        # Git servers call from anywhere.
        open_to_all = Management(site, Audiences((), settings.scheme), _challenge, None)
        received = hooks.Parts(Evaluator(keeping.sealer, Scheduler(keeping.sealer)), idle_seconds)
        # By the folder that their paths begin with; the data plane first, which is asked most.
        self._by_folder: tuple[tuple[str, AnySurface], ...] = (
            ("/v2/_acr", acr),  # no repository has such a name
            ("/v2", Surface("v2", RouteTable(DISTRIBUTION), data_plane, v2, render, _DATA_PLANE_HEADERS)),
            ("/acr/v1", acr),
            ("/helm/v1", Surface("helm", RouteTable(HELM), data_plane, attributes, render, _DATA_PLANE_HEADERS)),
            ("/oauth2", Surface("oauth2", RouteTable(OAUTH), data_plane, forms, render, _DATA_PLANE_HEADERS)),
            ("/entrepot", Surface("audit", RouteTable(AUDITING), management, None, render)),
            (STORAGE_FOLDER, storage_surface(site, _storage_parts(settings, keeping, v2), firewall)),
            (HOOKS_FOLDER, Surface("hooks", RouteTable(hooks.ROUTES), open_to_all, received, render)),
            *((prefix, arm) for prefix in PREFIXES),
            (GRAPH_PREFIX, graph_surface(site, graph.Parts(idle_seconds, Turns(site.doors)), firewall)),
        )
        # Its paths begin with the name of a tenant, so it answers whatever no other surface takes.
        self._directory = _directory(site, settings, keeping)

    def find(self, path: str) -> AnySurface:
        """The surface that answers the path, if only by saying that nothing is there."""
        for folder, surface in self._by_folder:
            if path.startswith(folder) and path[len(folder) : len(folder) + 1] in {"", "/"}:
                return surface
        return self._directory

    def every(self) -> list[AnySurface]:
        """Each once."""
        return [*{surface.name: surface for _, surface in self._by_folder}.values(), self._directory]


def _storage_parts(settings: Settings, keeping: Keeping, v2: distribution.Parts) -> storage.Parts:
    return storage.Parts(
        v2.store,
        Signer.of(keeping.sealer),
        settings.task_source_bytes,
        settings.upload_idle_seconds,
        timedelta(seconds=settings.gc_retire_seconds),
    )


def _directory(site: Site, settings: Settings, keeping: Keeping) -> AnySurface:
    signing_in = keeping.signing_in
    parts = directory.Parts(
        settings.upload_idle_seconds,
        keeping.sealer,
        signing_in.proving,
        password_grant=settings.password_grant,
        identity_endpoint=settings.identity_endpoint,
        issuers=signing_in.issuers,
        passwords=signing_in.passwords,
        following=signing_in.following,
        provider=signing_in.provider,
    )
    # Whoever signs in to a registry comes here too, so no address is refused.
    admission = Management(site, Audiences((), settings.scheme), _challenge, None)
    return Surface("directory", RouteTable(DIRECTORY), admission, parts, directory_problems.render)


def _challenge(host: Host) -> str:
    return f'Bearer realm="{host.authority}"'
