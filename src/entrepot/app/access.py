"""What an operator asks about access on the machine itself, beside a running server or without one."""

from contextlib import closing

from sqlalchemy import Connection

from entrepot.access.explaining.explain import Explanation, Question, Subject, explain
from entrepot.access.queries import find_admin
from entrepot.app.parts import utc_now
from entrepot.app.upkeep import open_existing
from entrepot.errors import Kind, Problem
from entrepot.gate import queries
from entrepot.gate.registries import registry_of
from entrepot.settings import Settings


def explain_access(settings: Settings, registry: str, asked: Question) -> Explanation:
    """Raises SettingError for a catalog never started; RESOURCE_UNKNOWN, RESOURCE_INVALID, NAME_INVALID."""
    with closing(open_existing(settings)) as database:
        return database.read(_explain, registry, asked)


def _explain(tx: Connection, name: str, asked: Question) -> Explanation:
    found = next((row for row in queries.registries(tx) if row.name.lower() == name.lower()), None)
    if found is None:
        raise Problem(Kind.RESOURCE_UNKNOWN, reason=f"there is no registry '{name}'")
    known, now = registry_of(found), utc_now()
    admin_enabled = find_admin(tx, known.id, now) is not None
    subject = Subject(known.where, known.name, known.tenant_id, known.anonymous_pull, admin_enabled)
    return explain(tx, asked, subject, now)
