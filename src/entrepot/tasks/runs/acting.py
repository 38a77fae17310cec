"""Which identity a run is where: the names that credentials have for it, and what they stand for (ACR-TASKS 5.5, 8)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from entrepot.access.definitions import Mode
from entrepot.arm.identities import Identity
from entrepot.gate.hosts import DEFAULT_REGISTRY
from entrepot.tasks.model import Credentials, LoginMode, SourceRegistry
from entrepot.tasks.runs.model import Lent

# Clients write them with brackets and without.
SYSTEM: Final = "system"
CALLER: Final = "caller"
_NONE: Final = frozenset({"", "none"})
_NO_IDENTITY: Final = "az acr task create --assign-identity, or az acr task identity assign"


def lent_of(identity: Identity | None) -> tuple[Lent, ...]:
    """The identities that a resource lends to its runs, its own one first, whose client id is not known here."""
    if identity is None:
        return ()
    own = () if identity.principal_id is None else (Lent(identity.principal_id),)
    others = identity.user_assigned_identities.items()
    return (*own, *(Lent(each.principal_id or "", each.client_id or "", resource) for resource, each in others))


def plain(name: str | None) -> str:
    """Without brackets; empty for none."""
    text = (name or "").strip().lower().removeprefix("[").removesuffix("]")
    return "" if text in _NONE else text


def chosen(name: str, lent: Sequence[Lent]) -> Lent | None:
    """The identity that a plain name means: the resource's own one, or another by its client id or resource id."""
    if name == SYSTEM:
        return next((each for each in lent if not each.resource), None)
    return next((each for each in lent if name in {each.client.lower(), each.resource.lower()} - {""}), None)


def default_of(lent: Sequence[Lent]) -> Lent | None:
    """Who is meant where nobody is named: the resource's own identity, or the only one."""
    return chosen(SYSTEM, lent) or (lent[0] if len(lent) == 1 else None)


def why_not(name: str, lent: Sequence[Lent]) -> str:
    """Why a plain name means nobody."""
    if not lent:
        return f"the run has no identity, so it cannot be '{name}': {_NO_IDENTITY}"
    ids = ", ".join(each.client or SYSTEM for each in lent)
    return f"the run has no identity '{name}'; it has: {ids}"


def own_login(source: SourceRegistry | None, mode: Mode) -> str | None:
    """As whom a run signs in to its own registry: a plain name, or empty for itself, with all that an admin account
    may; None for not at all. Where rights go by repository, nobody has any by being a run, whatever the login mode.
    """
    name = plain(None if source is None else source.identity)
    if mode is Mode.ABAC:
        return name or None
    is_off = source is not None and source.login_mode is LoginMode.NONE
    return None if is_off else name


def registry_of(server: str, login_server: Callable[[str], str]) -> str | None:
    """The name of the registry of this deployment that is signed in to as this; None for a foreign host.

    ``login_server``: of a registry, by its name. Addresses are none: nobody can tell whose they are.
    """
    text = server.lower()
    names = (text.partition(".")[0], DEFAULT_REGISTRY)
    return next((name for name in names if login_server(name) == text), None)


class Fault(NamedTuple):
    """What of credentials cannot be, and why."""

    member: str
    reason: str


def faults(credentials: Credentials, lent: Sequence[Lent], login_server: Callable[[str], str]) -> Iterator[Fault]:
    """``lent``: the identities of the task, or of the request. Of a task nobody is the caller: triggers have none."""
    source = credentials.source_registry
    name = plain(None if source is None else source.identity)
    if name and name != CALLER and chosen(name, lent) is None:
        yield Fault("sourceRegistry.identity", why_not(name, lent))
    for server, custom in (credentials.custom_registries or {}).items():
        member, name = f"customRegistries.{server[:128]}", plain(custom.identity)
        if name and chosen(name, lent) is None:
            yield Fault(member, why_not(name, lent))
        if name and custom.password is None and registry_of(server, login_server) is None:
            yield Fault(member, foreign(server))


def foreign(server: str) -> str:
    return (
        f"'{server[:128]}' is no registry of this deployment, and knows none of its identities: give a user name and a "
        "password"
    )
