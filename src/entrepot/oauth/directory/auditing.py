"""What the directory writes down for the audit log: who signed in and who could not, and the tokens that it gave.

Names that nobody has, codes and tokens are in no entry (gate/auditing.py).
"""

from dataclasses import replace
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from entrepot.access.directory_tokens import Assertion
from entrepot.errors import Problem
from entrepot.gate.management import ManagementCall
from entrepot.gate.sign_in import SignInFailed
from entrepot.identities import queries
from entrepot.oauth.directory.problems import Aadsts, number_of

log: Final[FilteringBoundLogger] = structlog.get_logger("entrepot.directory")

_ID_LIMIT: Final = 128
# The directory did not find out.
_OURS: Final = frozenset({Aadsts.OUTSIDE_DOWN, Aadsts.SERVER_FAILED, Aadsts.THROTTLED})


def signed_in(call: ManagementCall, principal: str, method: str, credential: str) -> None:
    """``credential``: the id of what proved it."""
    origin = replace(call.audit_origin(), method=method, credential=credential)
    call.site.auditor.signed_in(principal, origin)


def refused_sign_in(call: ManagementCall, name: str, principal: str | None, method: str, problem: Problem) -> None:
    """``name``: as it was typed. ``principal``: whose it is, if anybody's."""
    if number_of(problem) not in _OURS:
        failed(call, name, principal, method, number_of(problem).name)


async def refused_client(call: ManagementCall, client_id: str, method: str, problem: Problem) -> None:
    """The same of a client, whose principal is looked up."""
    fits = len(client_id) <= _ID_LIMIT and "\0" not in client_id
    found = await call.doors.read(queries.principal_by_client_id, client_id) if fits else None
    refused_sign_in(call, client_id, None if found is None else found.id, method, problem)


def failed(call: ManagementCall, name: str, principal: str | None, method: str, reason: str) -> None:
    """A failure for which the directory has no number."""
    origin = replace(call.audit_origin(), method=method)
    call.site.auditor.sign_in_failed(name, SignInFailed(principal, reason), origin)


def log_refused(call: ManagementCall, detail: str) -> None:
    """What an outside provider did wrong, for the operator: it may say more than whoever signs in should read."""
    log.warning("single_sign_on_failed", reason=detail, request_id=call.request.id)


def refused_token(call: ManagementCall, client: str, method: str, problem: Problem) -> None:
    """A code or a refresh token that is good for nothing. ``client``: the principal that brought it, if it is one."""
    call.site.auditor.token_refused(client, number_of(problem).name, replace(call.audit_origin(), method=method))


def issued(call: ManagementCall, given: Assertion, token_id: str, scope: str) -> None:
    """An access token. ``scope``: in the words of its client."""
    told = {"jti": token_id, "clientId": given.client_id, "scopes": scope.split(), "until": given.expires_at}
    origin = replace(call.audit_origin(), credential=given.credential)
    call.site.auditor.issued(given.principal, given.audience, origin, told)
