"""The action explainAccess of a registry: why somebody may or may not do something in it, and what would permit it.

Ours: Resource Manager knows ``checkAccess`` for its own resources alone, without a reason. Who may read assignments
may ask, because the answer shows them.
"""

import msgspec
from sqlalchemy import Connection

from entrepot.access.definitions import Mode
from entrepot.access.explaining.explain import Explanation, Question, Subject, explain
from entrepot.access.rights import Where
from entrepot.arm.descriptor import Ask
from entrepot.errors import Kind, Problem
from entrepot.registries.resource.queries import RegistryRow


class AccessQuestion(msgspec.Struct):
    principal: str
    action: str
    repository: str | None = None


def explain_in(tx: Connection, ask: Ask, registry: RegistryRow, question: AccessQuestion) -> Explanation:
    """Raises RESOURCE_INVALID."""
    where = Where(registry.id, registry.resource_id, Mode(registry.role_mode))
    subject = Subject(where, registry.name, ask.caller.tenant, registry.anonymous_pull, registry.admin_enabled)
    try:
        return explain(tx, Question(question.principal, question.action, question.repository), subject, ask.now)
    except Problem as problem:
        if problem.kind is Kind.NAME_INVALID:
            reason = f"'{problem.detail['name']}' is not the name of a repository"
            raise Problem(Kind.RESOURCE_INVALID, target="repository", reason=reason) from None
        raise
