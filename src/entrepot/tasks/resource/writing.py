"""What the resource types of this room do alike: where one lies, when it was written, and what lists are of."""

from datetime import datetime

from entrepot.arm.descriptor import Ask
from entrepot.arm.locations import parse_location
from entrepot.errors import Kind, Problem
from entrepot.tasks.resource.model import Moments


def location_of(ask: Ask, written: str, otherwise: str) -> str:
    """Raises RESOURCE_INVALID."""
    return parse_location(written or otherwise, ask.deployment.locations)


def expect_place(current: str, location: str) -> None:
    """Raises RESOURCE_EXISTS: nothing moves."""
    if location != current:
        reason = f"The resource is in '{current}': where it is cannot be changed."
        raise Problem(Kind.RESOURCE_EXISTS, code="InvalidResourceLocation", reason=reason)


def moments(created_at: datetime, updated_at: datetime) -> Moments:
    """``systemData``."""
    return Moments(_moment(created_at), _moment(updated_at))


def _moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def creation_date(at: datetime) -> str:
    """Seven digits of a second, and the zone in hours: as ACR Tasks writes times."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00")
