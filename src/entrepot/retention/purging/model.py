"""What a purge selects, the JSON of a rule, and what is kept of a run."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self

import msgspec
from msgspec.structs import replace

from entrepot.arm.operations.record import Outcome

RULES_LIMIT: Final = 100
_KEEP_LIMIT: Final = 100_000


class Reason(StrEnum):
    """Why a tag or a manifest goes, which is one reason, or stays."""

    DUE = "due"
    NOT_MATCHED = "notMatched"
    RECENT = "updatedRecently"
    PULLED = "pulledRecently"
    NEWEST = "amongTheNewest"
    LOCKED = "locked"
    UNLISTED = "notListed"
    TAGGED = "tagged"
    CHILD = "childOfIndex"
    REFERRER = "subjectStays"
    CHANGED = "changedMeanwhile"


class Selection(msgspec.Struct, rename="camel"):
    """The parameters of ``acr purge``. Durations are told as text; ``keep``: of what would go, in each repository."""

    filters: Annotated[list[str], msgspec.Meta(max_length=50)] = []
    older_than: str | None = None
    last_pulled_before: str | None = None
    keep: Annotated[int, msgspec.Meta(ge=0, le=_KEEP_LIMIT)] = 0
    untagged: bool = False
    untagged_only: bool = False
    include_locked: bool = False


class Settings(Selection, rename="camel"):
    """What may be written of a rule. ``max_share``: percent of a repository's tags that a run may delete unasked."""

    schedule: str | None = None
    enabled: bool = True
    max_share: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50


class RuleBody(msgspec.Struct):
    properties: Settings = msgspec.field(default_factory=Settings)


class LastRun(msgspec.Struct, rename="camel", omit_defaults=True):
    """``kept``: how many tags and manifests stayed, by reason. Of a dry run: what would have gone."""

    operation: str
    status: Outcome
    start_time: str
    end_time: str
    deleted_tags: int
    deleted_manifests: int
    repositories: int
    kept: dict[str, int]
    dry_run: bool = False
    error: str | None = None


class RuleProperties(Settings, rename="camel"):
    """``next_run_time``: None without a schedule; ``running``: the operation that is working on it."""

    next_run_time: str | None = None
    running: str | None = None
    last_run: LastRun | None = None
    provisioning_state: str = "Succeeded"


class Moments(msgspec.Struct, rename="camel"):
    created_at: str
    last_modified_at: str


class RuleDocument(msgspec.Struct, rename="camel"):
    id: str
    name: str
    system_data: Moments
    properties: RuleProperties
    type: str = "Microsoft.ContainerRegistry/registries/purgeRules"


# --- acts -------------------------------------------------------------------------------------------------------------


class PreviewQuestion(msgspec.Struct):
    """The next ``limit`` at most, ``after`` what the answer before said."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    after: Annotated[str, msgspec.Meta(max_length=4096)] = ""


class PreviewItem(msgspec.Struct, rename="camel", omit_defaults=True):
    """A tag, or a manifest without one, that would go or would stay; and why."""

    repository: str
    digest: str
    delete: bool
    reason: Reason
    last_update_time: str
    tag: str | None = None
    last_pulled_time: str | None = None


class PreviewAnswer(msgspec.Struct, omit_defaults=True):
    """``after``: how to ask for what comes next; without it that was all. A page may be short, or empty."""

    value: list[PreviewItem]
    after: str | None = None


class RunQuestion(msgspec.Struct, rename="camel"):
    """``confirm``: although it deletes more than the rule's ``maxShare``."""

    confirm: bool = False
    dry_run: bool = False


# --- runs -------------------------------------------------------------------------------------------------------------


class Plan(msgspec.Struct):
    """A run as it is kept until it has ended: moments are reckoned from its start. ``max_share`` None: confirmed."""

    registry: int
    registry_name: str
    selection: Selection
    started: datetime
    principal: str
    max_share: int | None
    dry_run: bool = False

    @classmethod
    def read(cls, text: str) -> Self:
        return msgspec.json.decode(text, type=cls)


class Stage(StrEnum):
    """Of a repository."""

    TAGS = "tags"
    MANIFESTS = "manifests"
    DONE = "done"


class Position(msgspec.Struct, omit_defaults=True):
    """How far a walk has come: the repository, and the tag (by its time, then its name) or the digest in it.

    ``kept``: how many of the newest stay; ``oldest_kept``: the time and name of the last of them. ``changed``: whether
    this round of manifests deleted any, so that another may find more.
    """

    repository: str = ""
    stage: Stage = Stage.DONE
    at: int | None = None
    name: str = ""
    kept: int = 0
    oldest_kept: tuple[int, str] | None = None
    changed: bool = False


class State(msgspec.Struct):
    """Of a run that is going: where it is, and what it has done."""

    position: Position = msgspec.field(default_factory=Position)
    is_planned: bool = False
    tags: int = 0
    manifests: int = 0
    repositories: int = 0
    kept: dict[str, int] = {}
    kept_in_round: dict[str, int] = {}

    @classmethod
    def read(cls, text: str) -> Self:
        return msgspec.json.decode(text, type=cls)

    def counting(self, *, is_tag: bool) -> Self:
        """As it is after one more deletion."""
        if is_tag:
            return replace(self, tags=self.tags + 1)
        return replace(self, manifests=self.manifests + 1, position=replace(self.position, changed=True))


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
