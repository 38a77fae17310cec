"""The rows of task storage: the part of Azure's Blob Storage that az and its SDK use for sources and logs."""

from collections.abc import Awaitable, Callable
from typing import Final

from entrepot.access.model import Access, SignedUrl
from entrepot.gate.call import Site, Surface
from entrepot.gate.firewall import Firewall
from entrepot.gate.management import ManagementCall
from entrepot.tasks.storage.following import get_log
from entrepot.tasks.storage.links import LOGS, SOURCES
from entrepot.tasks.storage.parts import Parts, SignedUrls
from entrepot.tasks.storage.problems import render
from entrepot.tasks.storage.reading import get_source
from entrepot.tasks.storage.signing import VERSION
from entrepot.tasks.storage.writing import put_source
from entrepot.web.answer import AnyAnswer
from entrepot.web.routing import Route, RouteTable

# What a run wrote is neither guessed at nor run as a page.
_HEADERS: Final = (
    (b"x-ms-version", VERSION.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
)

ROUTES: Final[tuple[Route[Callable[[ManagementCall, Parts], Awaitable[AnyAnswer]], Access], ...]] = (
    Route("GET", f"{LOGS}/{{log}}", get_log, SignedUrl("r")),
    Route("PUT", f"{SOURCES}/{{source}}", put_source, SignedUrl("w")),
    Route("GET", f"{SOURCES}/{{source}}", get_source, SignedUrl("r")),
)


def storage_surface(site: Site, parts: Parts, firewall: Firewall | None) -> Surface[ManagementCall, Parts]:
    return Surface("blob", RouteTable(ROUTES), SignedUrls(site, parts.signer, firewall), parts, render, _HEADERS)
