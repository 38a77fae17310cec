"""A person's name and password, checked, in the directory's own words."""

from typing import Final

from entrepot.errors import Problem
from entrepot.gate.management import ManagementCall
from entrepot.identities.signing_in.lockout import Attempt
from entrepot.identities.signing_in.passwords import Claimed, PasswordRefusedError, Proved, Why
from entrepot.oauth.directory.auditing import refused_sign_in
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.problems import Aadsts, refused
from entrepot.oauth.directory.tenants import Authority

_NUMBERS: Final = {
    Why.WRONG: Aadsts.PASSWORD_WRONG,
    Why.LOCKED: Aadsts.LOCKED,
    Why.DISABLED: Aadsts.PERSON_DISABLED,
    Why.OUTSIDE_DOWN: Aadsts.OUTSIDE_DOWN,
    Why.OUTSIDE_REFUSED: Aadsts.OUTSIDE_REFUSED,
}


async def prove_person(
    call: ManagementCall, parts: Parts, authority: Authority, pair: tuple[str, str], browser: str = ""
) -> Proved:
    """``pair``: name and password; ``browser``: the cookie of one that was signed in on before. A failure is written
    down; who succeeds may lack something else. Raises a refusal.
    """
    name, password = pair
    claimed = Claimed(name, password, authority.tenant.id, authority.admits, call.audit_origin(), browser)
    try:
        return await parts.passwords.prove(claimed)
    except PasswordRefusedError as error:
        problem = refusal_of(error)
        refused_sign_in(call, name, error.principal, "password", problem)
        raise problem from None


async def count(parts: Parts, attempt: Attempt) -> None:
    """Raises a refusal while it is locked."""
    try:
        await parts.passwords.count(attempt)
    except PasswordRefusedError as error:
        raise refusal_of(error) from None


def refusal_of(error: PasswordRefusedError) -> Problem:
    return refused(_NUMBERS[error.why], reason=error.reason, seconds=error.seconds)
