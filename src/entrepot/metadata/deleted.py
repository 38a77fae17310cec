"""What was deleted and is kept: lists as az asks for them, restore of a manifest with its tag, and of a repository.

Spec: ACR-REFERENCE 3.1 and 8.5. Restoring a repository as a whole is ours.
"""

from typing import Final

import msgspec

from entrepot.catalog.properties.look import properties_of_repository
from entrepot.catalog.undo.lists import page_of_manifests, page_of_repositories, page_of_tags
from entrepot.catalog.undo.model import Taken, Wanted
from entrepot.catalog.undo.restore import restore_manifest
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.metadata import shapes
from entrepot.metadata.attributes import BODY_LIMIT
from entrepot.metadata.lists import Page
from entrepot.metadata.parts import Parts
from entrepot.oci.digest import Digest
from entrepot.oci.reference import Tag, parse_tag
from entrepot.retention.deletion.repositories import Restorer, restore_repository
from entrepot.web.answer import Answer
from entrepot.web.request import Request

_FORCE: Final = {"": Taken.REFUSE, "false": Taken.REFUSE, "true": Taken.REPLACE}


async def list_deleted_repositories(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Names under which something can be restored and nothing is there any more, in ASCII order."""
    page = Page.of(call.request)
    found = await call.doors.read(page_of_repositories, call.registry.id, page.asked.last, page.asked.size)
    headers = [page.next(found.rows[-1].name)] if found.more else []
    return shapes.answer(shapes.DeletedCatalog([shapes.gone(known) for known in found.rows]), headers)


async def list_deleted_manifests(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Manifests that can be restored, in the order of their digests."""
    page = Page.of(call.request)
    found = await call.doors.read(page_of_manifests, call.place, page.asked.last, page.asked.size)
    headers = [page.next(found.rows[-1].digest)] if found.more else []
    return shapes.answer(shapes.DeletedManifests([shapes.gone_manifest(known) for known in found.rows]), headers)


async def list_deleted_tags(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Tags that can be restored, by name; of one name the newest comes last, which az takes."""
    page = Page.of(call.request)
    found = await call.doors.read(page_of_tags, call.place, page.asked.last, page.asked.size)
    headers = [page.next(found.rows[-1].name)] if found.more else []
    return shapes.answer(shapes.DeletedTags([shapes.gone_tag(known) for known in found.rows]), headers)


class _Restoring(msgspec.Struct):
    tag: str | None = None


async def restore_deleted_manifest(call: Call, parts: Parts) -> Answer:
    """Restore the manifest, and the tag of the body if it names one; ``force`` replaces what has the tag by now."""
    digest, taken = Digest.parse(call.param("digest")), _taken(call.request)
    wanted = Wanted(call.place, digest, await _tag(call.request, parts.idle_seconds), taken)
    await call.doors.write(restore_manifest, wanted, call.change(), call.site.new_id)
    return shapes.answer(shapes.Restored(call.login_server, call.place.repository, str(digest), wanted.tag))


async def restore_deleted_repository(call: Call, parts: Parts) -> Answer:
    """Restore the repository that was deleted last under this name; ``force`` deletes the one that has it by now."""
    restorer = Restorer(parts.jobs, call.site.new_id)
    await call.doors.write(restore_repository, call.place, _taken(call.request), call.change(), restorer)
    known = await call.doors.read(properties_of_repository, call.place)
    return shapes.answer(shapes.repository(call.login_server, call.place.repository, known))


def _taken(request: Request) -> Taken:
    asked = (request.query("force") or "").lower()
    taken = _FORCE.get(asked)
    if taken is None:
        raise Problem(Kind.REQUEST_INVALID, reason="force is true or false", force=asked[:64])
    return taken


async def _tag(request: Request, idle_seconds: float) -> Tag | None:
    """Az always sends a body; its tag is null where only a digest is to be restored."""
    body = await request.body(BODY_LIMIT, idle_seconds)
    try:
        asked = msgspec.json.decode(body or b"{}", type=_Restoring)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(Kind.REQUEST_INVALID, reason="the body is a JSON object with the tag to be restored") from None
    return parse_tag(asked.tag) if asked.tag else None
