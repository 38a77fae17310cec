"""A change of a git repository as a trigger sees it, whoever tells of it."""

import re
from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta

from entrepot.errors import Kind, Problem
from entrepot.tasks.resource.model import SourceEvent

BRANCH: Final = "refs/heads/"
TAG: Final = "refs/tags/"
# Of a pull request.
Number = Annotated[int, Meta(ge=1, le=2**31)]
# As git check-ref-format has it, as far as a name could mean something else, and not longer than any server has them.
_REF: Final = re.compile(r"refs/(?!-)(?!.*\.\.)(?!.*//)(?!.*@\{)[^\x00-\x20\x7f~^:?*\[\\]{1,250}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_WORD: Final = re.compile(r"[A-Za-z_.-]{1,64}")
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """``branch``: which a commit is pushed to, or a pull request wants into; None where nobody tells.

    ``told_by``: who says so; ``id``: of the delivery. ``repository``: ``OWNER/NAME``, empty where it is known already.
    ``paths``: the files that differ; None where not all are told. ``quiet``: why nothing is built for it.
    """

    event: SourceEvent
    ref: str
    commit: str
    branch: str | None
    default_branch: str = ""
    pull_request: str | None = None
    told_by: str
    id: str = ""
    repository: str = ""
    paths: frozenset[str] | None = None
    quiet: str = ""

    @property
    def key(self) -> str:
        """Of what is built once: a commit of a branch or of a pull request."""
        return f"{self.ref}@{self.commit}"


def parse_ref(text: str) -> str:
    """Raises REQUEST_INVALID."""
    if _REF.fullmatch(text) is None or not text.isprintable():
        raise Problem(Kind.REQUEST_INVALID, reason=f"{shown(text)} is no reference of a git repository")
    return text


def parse_commit(text: str) -> str:
    """Empty for none: the zeros that stand for what a deletion leaves. Raises REQUEST_INVALID."""
    if _COMMIT.fullmatch(text) is None:
        raise Problem(Kind.REQUEST_INVALID, reason=f"{shown(text)} is no commit")
    return text if text.strip("0") else ""


def word(text: str) -> str:
    """The name of an event or of an action, for a sentence."""
    return text if _WORD.fullmatch(text) else "something else"


def shown(text: str) -> str:
    """What somebody sent, for a sentence."""
    return repr("".join(each if each.isprintable() else "?" for each in text[:_SHOWN]))
