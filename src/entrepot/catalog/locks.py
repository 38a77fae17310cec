"""What a lock refuses: one function for each rule (ACR-REFERENCE 8.3).

A repository, a tag and a manifest have four attributes each. Whoever changes something holds the repository's row, so
a lock that was acknowledged holds against every change that was not.
"""

from collections.abc import Iterable
from typing import Protocol

from entrepot.catalog.model import Place
from entrepot.errors import Kind, Problem


class Writable(Protocol):
    """What may be locked against writing."""

    @property
    def write_enabled(self) -> bool:
        """False: neither pushed to nor deleted."""
        ...


class Deletable(Writable, Protocol):
    """What may also be locked against deletion alone."""

    @property
    def delete_enabled(self) -> bool:
        """False: pushed to, but not deleted."""
        ...


class Named(Deletable, Protocol):
    """A tag's row."""

    @property
    def name(self) -> str: ...


def refuse_write(place: Place, repository: Writable | None) -> None:
    """A repository that is locked against writing takes no push and no delete. Raises LOCKED."""
    if repository is not None and not repository.write_enabled:
        raise Problem(Kind.LOCKED, repository=place.repository)


def refuse_repository_delete(place: Place, repository: Deletable) -> None:
    """Its own lock against deletion keeps the repository, not what is in it. Raises LOCKED."""
    if not is_deletable(repository):
        raise Problem(Kind.LOCKED, repository=place.repository)


def refuse_tag_deletes(tags: Iterable[Named]) -> None:
    """Raises LOCKED for the first that has to stay."""
    for known in tags:
        if not is_deletable(known):
            raise Problem(Kind.LOCKED, tag=known.name)


def is_deletable(locked: Deletable) -> bool:
    """Being locked against writing keeps it from being deleted, too."""
    return locked.write_enabled and locked.delete_enabled
