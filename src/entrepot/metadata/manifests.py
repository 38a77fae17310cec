"""Manifests of /acr/v1: lists by digest or time, properties, attributes. They are deleted on /v2."""

from entrepot.catalog.properties.attributes import set_manifest
from entrepot.catalog.properties.look import page_of_manifests, properties_of_manifest
from entrepot.catalog.properties.model import ManifestProperties
from entrepot.gate.call import Call
from entrepot.metadata import shapes
from entrepot.metadata.attributes import read_change
from entrepot.metadata.lists import Page
from entrepot.metadata.parts import Parts
from entrepot.oci.digest import Digest
from entrepot.web.answer import Answer


async def list_manifests(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Manifests with their sizes, platforms and tags; by digest, ``timeasc`` or ``timedesc``."""
    page = Page.of(call.request)
    found = await call.doors.read(page_of_manifests, call.place, page.after, page.asked.size)
    rows = [shapes.manifest(known) for known in found.rows]
    last = found.rows[-1] if found.rows else None
    headers = [page.next(last.digest, last.updated_at)] if found.more and last else []
    return shapes.answer(shapes.ManifestList(call.login_server, call.place.repository, rows), headers)


async def get_manifest(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """The manifest's size, platform, tags, times and attributes; of an index also its children."""
    return _told(call, await call.doors.read(properties_of_manifest, call.place, _digest(call)))


async def update_manifest(call: Call, parts: Parts) -> Answer:
    """Set some of the manifest's attributes; those of its tags are apart."""
    digest = _digest(call)
    wanted = await read_change(call.request, parts.idle_seconds)
    return _told(call, await call.doors.write(set_manifest, call.place, digest, wanted, call.change()))


def _digest(call: Call) -> Digest:
    return Digest.parse(call.param("digest"))


def _told(call: Call, known: ManifestProperties) -> Answer:
    return shapes.answer(shapes.ManifestOne(call.login_server, call.place.repository, shapes.manifest(known)))
