"""Who may come in from outside, and into which groups. Pure."""

from entrepot.errors import Problem
from entrepot.identities.external.model import Outsider, OutsideRefusedError, Welcome
from entrepot.identities.rules import parse_display_name, parse_upn


def user_name(outsider: Outsider) -> str:
    """The name in the form in which they compare. Raises OutsideRefusedError."""
    try:
        return parse_upn(outsider.upn)
    except Problem:
        raise OutsideRefusedError("the outside has no user name of the form NAME@DOMAIN for you") from None


def display_name(outsider: Outsider) -> str:
    """The outside's, or else the user name."""
    try:
        return parse_display_name(outsider.name)
    except Problem:
        return user_name(outsider)


def expect_welcome(outsider: Outsider, welcome: Welcome) -> None:
    """Raises OutsideRefusedError."""
    domain = user_name(outsider).rpartition("@")[2]
    if welcome.domains and domain not in welcome.domains:
        raise OutsideRefusedError(f"people of {domain} may not sign in here")
    if welcome.required_groups and welcome.required_groups.isdisjoint(outsider.groups):
        raise OutsideRefusedError("you are in none of the groups that may sign in here")


def groups_here(outsider: Outsider, welcome: Welcome) -> frozenset[str]:
    """Ids or display names of our groups that the person is in."""
    return frozenset(ours for theirs in outsider.groups for ours in welcome.groups.get(theirs, ()))
