"""A tag's history and the way back, beside the tags of /acr/v1. ACR has neither.

Rolling back is a POST: it does something each time, and there is no document to be put.
"""

from typing import Final

import msgspec

from entrepot.catalog.history.look import page_of_history
from entrepot.catalog.history.model import NOW
from entrepot.catalog.history.rollback import roll_back
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.metadata import shapes
from entrepot.metadata.lists import PAGE_DEFAULT, PAGE_LIMIT
from entrepot.metadata.parts import Parts
from entrepot.oci.digest import Digest
from entrepot.oci.reference import parse_tag
from entrepot.web.answer import Answer
from entrepot.web.paging import asked_page, next_link

_BODY_LIMIT: Final = 4 * 1024
_ID_DIGITS: Final = 19


async def tag_history(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """What the tag pointed to, the newest first: since and until when, by whom, whether it is still there."""
    asked, name = asked_page(call.request, PAGE_DEFAULT, PAGE_LIMIT), parse_tag(call.param("tag"))
    found = await call.doors.read(page_of_history, call.place, name, _before(asked.last), asked.size)
    rows = [shapes.pointed(entry, is_told_who=not call.identity.is_anonymous) for entry in found.rows]
    headers = [next_link(call.request.path, asked, str(found.rows[-1].id))] if found.more and found.rows else []
    return shapes.answer(shapes.TagHistory(call.login_server, call.place.repository, name, rows), headers)


async def roll_back_tag(call: Call, parts: Parts) -> Answer:
    """Let the tag point to what it pointed to before: a push of that manifest, with its event."""
    name = parse_tag(call.param("tag"))
    digest = _digest_in(await call.request.body(_BODY_LIMIT, parts.idle_seconds))
    known = await call.doors.write(roll_back, call.place, name, digest, call.change())
    return shapes.answer(shapes.TagOne(call.login_server, call.place.repository, shapes.tag(known)))


def _before(text: str) -> int | None:
    """Raises PAGE_INVALID."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _ID_DIGITS:
        raise Problem(Kind.PAGE_INVALID, reason="last is not what the link said", last=text[:64])
    return min(int(text), NOW)


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    digest: str


def _digest_in(body: bytes) -> Digest:
    """Raises REQUEST_INVALID, DIGEST_INVALID."""
    try:
        return Digest.parse(msgspec.json.decode(body, type=_Body).digest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Problem(Kind.REQUEST_INVALID, reason='the body is a JSON object: {"digest": "sha256:..."}') from None
