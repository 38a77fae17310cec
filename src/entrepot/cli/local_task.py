"""A task file for the docker of this machine: read, and its builds' contexts fetched, as a worker does it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final, NamedTuple

from entrepot.access.vaults import VaultFailed, Vaults
from entrepot.outbound.addresses import Permitted
from entrepot.outbound.client import Outbound, tls_context
from entrepot.remote.sign_in import Credentials
from entrepot.tasks.context import Artifact, Context
from entrepot.tasks.contexts.model import ContextFailed, Means
from entrepot.tasks.contexts.texts import fetch_text
from entrepot.tasks.engines.registry import client_of
from entrepot.tasks.execution.model import Fetched, Login
from entrepot.tasks.language.reading import Given, Task
from entrepot.tasks.language.rendering import Renderer
from entrepot.tasks.model import Platform
from entrepot.tasks.runs.build_contexts import fetch_builds
from entrepot.tasks.runs.model import Secrets, Steps
from entrepot.tasks.runs.reading import Reader, Reading, Unlock, read_steps

_CAS: Final = Path("/etc/docker/certs.d")
# Whoever runs it here calls what they like: their own network, and this machine.
_ANYWHERE: Final = Permitted.of(["0.0.0.0/0", "::/0", "localhost"])


@dataclass(frozen=True, slots=True)
class Here:
    """Where a task runs. ``registry``: its login server. ``source``: its files. ``scratch``: an empty folder beside
    them. ``images``: by aliases. ``vaults``: folders by their names.
    """

    name: str
    registry: str
    source: Path
    scratch: Path
    images: Mapping[str, str]
    vaults: Mapping[str, str]
    logins: tuple[Login, ...]
    canceled: Event


class Ready(NamedTuple):
    """``fetched``: for ``Work.fetched``. ``secrets``: what no log may show."""

    task: Task
    fetched: dict[str, Fetched]
    secrets: list[str]


def read_here(here: Here, work: Steps, secrets: Mapping[str, str]) -> Ready:
    """``secrets``: values that are masked. Raises TaskInvalid, ContextFailed, Canceled."""
    hidden = [*secrets.values(), *(login.password for login in here.logins)]
    run = Reading(here.name, here.registry.partition(":")[0].partition(".")[0], here.registry).given(Platform("linux"))
    with _means(here) as means, _renderer() as renderer:
        reader = Reader(renderer, here.images, _unlock(here, hidden), partial(fetch_text, means))
        task = read_steps(work, Secrets(values=secrets), Given(run), reader, here.source)
        return Ready(task, fetch_builds(task, here.source, means, partial(_reaching, here.registry)), hidden)


def registry_client(server: str) -> Outbound:
    """Trusts docker's CAs: the system's, and those of the server's name. Raises OSError for one that cannot be read."""
    ca = _CAS / server / "ca.crt"
    return client_of(server, tls_context(ca if ca.exists() else None))


@contextmanager
def _means(here: Here) -> Generator[Means]:
    known = {login.server: Credentials(login.user, login.password) for login in here.logins}
    outbound = Outbound(_ANYWHERE, tls_context(None))
    try:
        yield Means(outbound, here.scratch, credentials=known.get, canceled=here.canceled)
    finally:
        outbound.close()


@contextmanager
def _renderer() -> Generator[Renderer]:
    made = Renderer()
    try:
        yield made
    finally:
        made.close()


def _reaching(registry: str, context: Context, means: Means) -> Means:
    """Raises ContextFailed."""
    if not isinstance(context, Artifact) or context.host != registry:
        return means
    try:
        return replace(means, outbound=registry_client(registry))
    except OSError as error:
        raise ContextFailed(f"the registry's CA cannot be read: {error}") from None


def _unlock(here: Here, hidden: list[str]) -> Unlock:
    vaults = Vaults({name.lower(): Path(folder) for name, folder in here.vaults.items()})

    def unlock(url: str, _client_id: str) -> str:
        """The folders are the user's own, whichever identity a task would have. Raises ContextFailed."""
        try:
            secret = vaults.read_own(url)
        except VaultFailed as failed:
            raise ContextFailed(f"{url[:300]}: {failed}") from None
        hidden.append(secret)
        return secret

    return unlock
