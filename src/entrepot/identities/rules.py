"""What the directory accepts: names, passwords, and how failed sign-ins slow down. Pure.

Passwords by NIST SP 800-63B section 5.1.1: length and a list of what everybody guesses first, no classes of characters.
"""

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from entrepot.errors import Kind, Problem

PASSWORD_LENGTHS: Final = (12, 256)
_UPN: Final = re.compile(r"[^\s@\x00-\x1f\x7f<>()\[\],;:\\\"/]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,8}")
_UPN_LIMIT: Final = 255
_DISPLAY_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_GUESSED_FIRST: Final = ("password", "passwort", "qwerty", "123456", "letmein", "welcome", "entrepot", "administrator")
_VARIETY: Final = 5
# No vowels, so that no words arise, and nothing that looks like something else (RFC 8628 section 6.1).
USER_CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
USER_CODE_LENGTH: Final = 8


def parse_upn(text: str) -> str:
    """A user principal name in the form in which they compare. Raises REQUEST_INVALID."""
    name = unicodedata.normalize("NFC", text.strip()).lower()
    if _UPN.fullmatch(name) is None or len(name) > _UPN_LIMIT:
        raise Problem(Kind.REQUEST_INVALID, reason="a user name is NAME@DOMAIN, such as ada@example.com")
    return name


def parse_display_name(text: str) -> str:
    """Raises REQUEST_INVALID."""
    if _DISPLAY_NAME.fullmatch(text) is None or not text.strip():
        raise Problem(Kind.REQUEST_INVALID, reason="a name has 1 to 255 characters on one line")
    return text.strip()


def why_weak(password: str, upn: str) -> str | None:
    """What a person must know to choose a better one; None for one that is good enough."""
    least, most = PASSWORD_LENGTHS
    if not least <= len(password) <= most:
        return f"Use {least} to {most} characters."
    folded = password.casefold()
    if len(set(folded)) < _VARIETY:
        return f"Use {_VARIETY} different characters or more."
    local = upn.partition("@")[0]
    guessable = [word for word in (*_GUESSED_FIRST, local) if len(word) >= _VARIETY and word in folded]
    rest = folded
    for word in guessable:
        rest = rest.replace(word, "")
    # The guessable part counts as nothing.
    return "Leave out your user name and words that everybody guesses." if len(rest) < least // 2 else None


def normal(password: str) -> str:
    """The same password typed on another keyboard gives the same text (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def new_user_code() -> str:
    """What a person types from one device into another: 34 bits."""
    return "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(USER_CODE_LENGTH))


def parse_user_code(text: str) -> str:
    """As it was typed, with or without the dash."""
    return "".join(letter for letter in text.upper() if letter.isalnum())[: USER_CODE_LENGTH + 1]


# --- lockout ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Backoff:
    """After ``free`` failures each further one locks for twice as long, from ``first`` up to ``longest``.

    A lock always ends by itself, and after ``forgotten`` without a failure nothing is left of it.
    """

    free: int
    first: timedelta
    longest: timedelta
    forgotten: timedelta


# Of one account from browsers and programs that never signed in to it. Somebody who guesses locks these alone: a
# browser that has signed in before counts for itself (OWASP, "Device cookies").
ACCOUNT: Final = Backoff(5, timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=6))
# The same where an outside directory checks the password. It may lock an account for everybody after some failures, and
# nobody shall be able to make it do so by us: at most four get through in half an hour.
ACCOUNT_ELSEWHERE: Final = Backoff(3, timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=6))
DEVICE: Final = Backoff(5, timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=6))
# Of one address over all accounts: many people may sit behind one.
ADDRESS: Final = Backoff(50, timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=1))


def failures_after(failures: int, last_at: datetime, now: datetime, backoff: Backoff) -> int:
    """The count with one more failure."""
    return 1 if now - last_at >= backoff.forgotten else failures + 1


def lock_of(failures: int, backoff: Backoff) -> timedelta | None:
    """How long so many failures lock; None: not at all."""
    beyond = failures - backoff.free
    if beyond < 0:
        return None
    return min(backoff.first * 2 ** min(beyond, 30), backoff.longest)
