"""Tags of /acr/v1: lists by name or time, properties, attributes, deletion of the pointer."""

from entrepot.catalog.manifests.delete import delete_tag
from entrepot.catalog.properties.attributes import set_tag
from entrepot.catalog.properties.look import page_of_tags, properties_of_tag
from entrepot.catalog.properties.model import TagProperties
from entrepot.gate.call import Call
from entrepot.metadata import shapes
from entrepot.metadata.attributes import read_change
from entrepot.metadata.lists import Page
from entrepot.metadata.parts import Parts
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag, parse_tag
from entrepot.web.answer import Answer


async def list_tags(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Tags with what they point to: all, or those of one ``digest``; by name, ``timeasc`` or ``timedesc``."""
    page = Page.of(call.request)
    text = call.request.query("digest")
    digest = Digest.parse(text) if text else None
    found = await call.doors.read(page_of_tags, call.place, page.after, page.asked.size, digest)
    rows = [shapes.tag(known) for known in found.rows]
    filters = "" if digest is None else f"&digest={digest}"
    last = found.rows[-1] if found.rows else None
    headers = [page.next(last.name, last.updated_at, filters)] if found.more and last else []
    return shapes.answer(shapes.TagList(call.login_server, call.place.repository, rows), headers)


async def get_tag(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """The tag's digest, times and attributes."""
    return _told(call, await call.doors.read(properties_of_tag, call.place, _name(call)))


async def update_tag(call: Call, parts: Parts) -> Answer:
    """Set some of the tag's attributes; those of the manifest are apart."""
    name = _name(call)
    wanted = await read_change(call.request, parts.idle_seconds)
    return _told(call, await call.doors.write(set_tag, call.place, name, wanted, call.change()))


async def remove_tag(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Delete the tag alone; the manifest stays pullable by digest."""
    await call.doors.write(delete_tag, call.place, _name(call), call.change())
    return Answer(202)


def _name(call: Call) -> Tag:
    return parse_tag(call.param("tag"))


def _told(call: Call, known: TagProperties) -> Answer:
    return shapes.answer(shapes.TagOne(call.login_server, call.place.repository, shapes.tag(known)))
