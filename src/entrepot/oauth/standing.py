"""Whether somebody from outside may still get tokens, when they refresh what they hold."""

from entrepot.access.tokens import TokenKind
from entrepot.errors import Kind, Problem
from entrepot.gate.call import Call
from entrepot.gate.sign_in import SignedIn
from entrepot.identities.external.following import Standing
from entrepot.oauth.parts import Parts


async def expect_standing(call: Call, parts: Parts, signed_in: SignedIn) -> None:
    """Raises UNAUTHENTICATED for whom the outside does not let in any more, or says nothing of. An access token is
    narrowed without asking: it ends as it would.
    """
    if signed_in.token is not None and signed_in.token.kind is TokenKind.ACCESS:
        return
    standing = await parts.following.follow(signed_in.principal, call.origin())
    if standing is Standing.GONE:
        raise Problem(Kind.UNAUTHENTICATED, reason="the account was taken back outside: sign in again")
    if standing is Standing.UNKNOWN:
        raise Problem(Kind.UNAUTHENTICATED, reason="the directory of the account does not answer: try again")
