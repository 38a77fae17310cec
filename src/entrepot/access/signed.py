"""What one of our keys signed, read strictly. The key and its algorithm come from our table, never from the token."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import jwt
import msgspec

from entrepot.access.keys import SigningKey
from entrepot.errors import Kind, Problem

T = TypeVar("T")

TOKEN_LIMIT: Final = 16 * 1024


def read_claims(token: str, keys: Mapping[str, SigningKey], form: type[T], required: Sequence[str]) -> T:
    """The claims in their form. When they are valid, and for whom, is the caller's to judge. Raises UNAUTHENTICATED."""
    if len(token) > TOKEN_LIMIT:
        raise Problem(Kind.UNAUTHENTICATED, reason="the token is too long")
    try:
        key = keys.get(str(jwt.get_unverified_header(token).get("kid")))
        if key is None:
            raise Problem(Kind.UNAUTHENTICATED, reason="the token is of an unknown key")
        payload = jwt.decode(
            token,
            key.public,
            algorithms=[key.algorithm],
            options={
                "require": list(required),
                "verify_exp": False,
                "verify_aud": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        return msgspec.convert(payload, type=form)
    except (jwt.InvalidTokenError, msgspec.ValidationError):
        raise Problem(Kind.UNAUTHENTICATED, reason="the token is not one of ours") from None
