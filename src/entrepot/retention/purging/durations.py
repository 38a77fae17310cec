"""How long ago: ISO 8601 durations of weeks to seconds, and what ``acr purge --ago`` takes (2d3h6m).

Bounded: acr-cli read 999999d as a time in the future, and deleted everything (its issues 83 and 560).
"""

import re
from datetime import timedelta
from typing import Final

from entrepot.errors import Kind, Problem

LONGEST: Final = timedelta(days=150 * 365)
_N: Final = "([0-9]{1,9})"
_ISO: Final = re.compile(rf"P(?=.)(?:{_N}W)?(?:{_N}D)?(?:T(?=.)(?:{_N}H)?(?:{_N}M)?(?:{_N}S)?)?")
_ACR: Final = re.compile(rf"(?=.)(?:{_N}d)?(?:{_N}h)?(?:{_N}m)?(?:{_N}s)?")


def parse_duration(text: str, member: str) -> timedelta:
    """Raises RESOURCE_INVALID, also for more than 150 years."""
    iso, acr = _ISO.fullmatch(text), _ACR.fullmatch(text)
    if iso is not None:
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in iso.groups())
    elif acr is not None:
        weeks, (days, hours, minutes, seconds) = 0, (int(part or 0) for part in acr.groups())
    else:
        reason = (
            "it is an ISO 8601 duration of weeks, days, hours, minutes and seconds such as P30D, or one like 2d3h6m"
        )
        raise Problem(Kind.RESOURCE_INVALID, target=member, reason=reason)
    # An int has no bounds; a timedelta has.
    total = (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds
    if total > LONGEST.total_seconds():
        reason = f"it is at most 150 years ({LONGEST.days} days)"
        raise Problem(Kind.RESOURCE_INVALID, target=member, reason=reason)
    return timedelta(seconds=total)
