"""Repositories of /acr/v1: the catalog, properties, attributes, deletion with all that they hold."""

from entrepot.catalog.listing.pages import page_of_repositories
from entrepot.catalog.properties.attributes import set_repository
from entrepot.catalog.properties.look import properties_of_repository
from entrepot.catalog.properties.model import RepositoryProperties
from entrepot.gate.call import Call
from entrepot.metadata import shapes
from entrepot.metadata.attributes import read_change
from entrepot.metadata.lists import Page
from entrepot.metadata.parts import Parts
from entrepot.retention.deletion.repositories import delete_repository
from entrepot.web.answer import Answer


async def list_repositories(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Names of repositories that hold something, in ASCII order whatever ``orderby`` says."""
    page = Page.of(call.request)
    found = await call.doors.read(page_of_repositories, call.registry.id, page.asked.last, page.asked.size)
    headers = [page.next(found.names[-1])] if found.more and found.names else []
    return shapes.answer(shapes.RepositoryList(found.names), headers)


async def get_repository(call: Call, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """The repository's times, counts and attributes."""
    return _told(call, await call.doors.read(properties_of_repository, call.place))


async def update_repository(call: Call, parts: Parts) -> Answer:
    """Set some of the repository's attributes: lock it, or let it go again."""
    wanted = await read_change(call.request, parts.idle_seconds)
    return _told(call, await call.doors.write(set_repository, call.place, wanted, call.change()))


async def remove_repository(call: Call, parts: Parts) -> Answer:
    """Delete the repository with all that it holds, or nothing of it while something is locked."""
    gone = await call.doors.write(delete_repository, call.place, call.change(), parts.jobs)
    return shapes.answer(shapes.deleted_repository(gone), status=202)


def _told(call: Call, known: RepositoryProperties) -> Answer:
    return shapes.answer(shapes.repository(call.login_server, call.place.repository, known))
