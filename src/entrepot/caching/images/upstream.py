"""The registries that images are cached from, signed in as a rule's credential set says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from entrepot.access.vaults import VaultFailed, Vaults
from entrepot.caching.model import Rule, upstream_of
from entrepot.caching.queries import credential_set
from entrepot.db.database import Database
from entrepot.errors import Kind, Problem
from entrepot.outbound.client import Outbound
from entrepot.remote.client import RemoteRepository
from entrepot.remote.sign_in import Credentials

_BUSY: Final = 429
_MOST_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Safe to share between threads."""

    outbound: Outbound
    vaults: Vaults
    database: Database

    def at_once(self, rule: Rule, repository: str, via: str) -> RemoteRepository:
        """For somebody who waits: it tries once. ``via``: the caches that the pull came through. Raises SOURCE_FAILED.

        Spec: RFC 8586, "Loop Detection in Content Delivery Networks".
        """
        place, credentials = upstream_of(rule, repository), self._credentials(rule)
        return RemoteRepository(self.outbound, place, credentials, _never, (), {"cdn-loop": via})

    def patient(self, rule: Rule, repository: str, pause: Callable[[float], None]) -> RemoteRepository:
        """For a job. Raises SOURCE_FAILED."""
        return RemoteRepository(self.outbound, upstream_of(rule, repository), self._credentials(rule), pause)

    def _credentials(self, rule: Rule) -> Credentials | None:
        if rule.credential_set_id is None:
            return None
        found = self.database.read(credential_set, rule.credential_set_id)
        try:
            name, password = (self.vaults.read(url, found.reader) for url in (found.username_url, found.password_url))
        except VaultFailed as failure:
            reason = f"The credential set '{found.name}' cannot be read: {failure}."
            raise Problem(Kind.SOURCE_FAILED, reason=reason) from None
        return Credentials(name, password)


def _never(_seconds: float) -> None:
    raise AssertionError("who tries once has nothing to wait for")


def told(problem: Problem, rule: Rule) -> Problem:
    """What whoever pulls is told of a source: that it takes no more requests is no failure of the image's."""
    if problem.kind is not Kind.SOURCE_FAILED:
        return problem
    detail = {**problem.detail, "reason": f"cache rule '{rule.name}': {problem.detail.get('reason', '')}"}
    if problem.detail.get("status") != _BUSY:
        return Problem(Kind.SOURCE_FAILED, **detail)
    wait = min(int(problem.detail.get("retry_after", 1)), _MOST_SECONDS)
    return Problem(Kind.SOURCE_BUSY, **{**detail, "retry_after": wait})
