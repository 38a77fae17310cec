"""What the APIs answer, as far as this client knows it; members that it does not know are left out.

The management API's documents have ARM's shape: what matters is in ``properties``. Times are ISO 8601 in UTC.
"""

import msgspec


class Subscription(msgspec.Struct, rename="camel"):
    subscription_id: str
    display_name: str


class Group(msgspec.Struct):
    """A resource group."""

    id: str
    name: str
    location: str


class Found(msgspec.Struct):
    """A resource of any type, in a search by name."""

    id: str
    name: str


class Sku(msgspec.Struct):
    name: str


class RegistryProperties(msgspec.Struct, rename="camel"):
    login_server: str
    creation_date: str
    provisioning_state: str
    admin_user_enabled: bool
    anonymous_pull_enabled: bool
    public_network_access: str


class Registry(msgspec.Struct):
    id: str
    name: str
    location: str
    sku: Sku
    properties: RegistryProperties
    tags: dict[str, str] = {}

    @property
    def group(self) -> str:
        return self.id.split("/")[4]

    @property
    def subscription(self) -> str:
        return self.id.split("/")[2]


class Usage(msgspec.Struct, rename="camel"):
    """``limit`` -1: none. ``unit``: ``Bytes`` or ``Count``."""

    name: str
    limit: int
    current_value: int
    unit: str


class Usages(msgspec.Struct):
    value: list[Usage]


class ScopeMapProperties(msgspec.Struct, rename="camel"):
    """``actions``: ``repositories/NAME/content/read`` and the like."""

    description: str
    type: str
    creation_date: str
    actions: list[str]


class ScopeMap(msgspec.Struct):
    id: str
    name: str
    properties: ScopeMapProperties


class Password(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """``value``: in the answer that made it, and nowhere else."""

    name: str
    creation_time: str
    expiry: str | None = None
    value: str | None = None

    def __repr__(self) -> str:
        return f"Password(name={self.name!r})"


class Passwords(msgspec.Struct):
    passwords: list[Password]


class TokenProperties(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    creation_date: str
    status: str
    credentials: Passwords
    scope_map_id: str | None = None


class RepositoryToken(msgspec.Struct):
    id: str
    name: str
    properties: TokenProperties


class Generated(msgspec.Struct):
    """Passwords that were just made, with the user name that they go with."""

    username: str
    passwords: list[Password]


class WebhookProperties(msgspec.Struct):
    status: str
    scope: str
    actions: list[str]
    paused: bool


class Webhook(msgspec.Struct):
    id: str
    name: str
    location: str
    properties: WebhookProperties


class Pinged(msgspec.Struct):
    """``id``: of the event that was sent."""

    id: str


class Replayed(msgspec.Struct):
    count: int


class Attempt(msgspec.Struct, rename="camel", omit_defaults=True):
    """``status`` 0: nobody answered, and ``reason`` says why."""

    at: str
    seconds: float
    uri: str
    status: int = 0
    reason: str = ""


class Delivery(msgspec.Struct):
    state: str
    count: int
    attempts: list[Attempt]


class EventRequest(msgspec.Struct):
    """``content``: the event as its receiver gets it, any JSON."""

    content: msgspec.Raw


class WebhookEvent(msgspec.Struct, rename="camel"):
    """An event with what came of sending it."""

    id: str
    event_request_message: EventRequest
    delivery: Delivery


class WebhookEvents(msgspec.Struct):
    value: list[WebhookEvent]


class TaskTimer(msgspec.Struct, rename="camel"):
    """A timer of a task. ``next_time``: when it begins a run."""

    name: str
    schedule: str
    next_time: str


class TaskSource(msgspec.Struct, rename="camel", omit_defaults=True):
    """A source trigger of a task: when its repository's server called, and when we looked and will look."""

    name: str
    repository: str
    branch: str | None = None
    last_delivery: str | None = None
    last_check: str | None = None
    next_check: str | None = None
    seen: dict[str, str] = {}
    problem: str | None = None


class TaskHook(msgspec.Struct, rename="camel", omit_defaults=True):
    """What the git server of a source trigger is told."""

    trigger: str
    url: str
    secret: str
    last_delivery: str | None = None


class TaskHooks(msgspec.Struct):
    value: list[TaskHook]


class TaskEvaluation(msgspec.Struct, rename="camel", omit_defaults=True):
    """What a trigger of a task made of one thing. ``run_id``: the run that it began."""

    kind: str
    trigger: str
    key: str
    time: str
    reason: str
    run_id: str | None = None


class TaskBaseImage(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """An image that a task is built on. ``is_told``: its registry tells of pushes at once; others are asked."""

    type: str
    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None
    last_digest: str | None = None
    is_told: bool = False
    last_check: str | None = None
    next_check: str | None = None
    problem: str | None = None


class TaskEventTrigger(msgspec.Struct):
    """A trigger of a task that waits for pushes: patterns of repositories and of tags."""

    name: str
    repositories: list[str]
    tags: list[str]


class TriggerExplanation(msgspec.Struct, rename="camel"):
    timers: list[TaskTimer]
    sources: list[TaskSource]
    base_image_trigger: str | None
    base_images: list[TaskBaseImage]
    event_triggers: list[TaskEventTrigger]
    evaluations: list[TaskEvaluation]


class Failure(msgspec.Struct, omit_defaults=True):
    code: str = ""
    message: str = ""


class Operation(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """A long operation. ``properties``: what it is doing, for an import by target; ``end_time``: once it has ended."""

    id: str
    name: str
    status: str
    start_time: str
    end_time: str | None = None
    properties: dict[str, str | int] = {}
    error: Failure | None = None


class Attributes(msgspec.Struct, rename="camel"):
    """What may be done; false locks."""

    delete_enabled: bool
    write_enabled: bool
    read_enabled: bool
    list_enabled: bool


class Repository(msgspec.Struct, rename="camel"):
    registry: str
    image_name: str
    created_time: str
    last_update_time: str
    manifest_count: int
    tag_count: int
    changeable_attributes: Attributes


class Tag(msgspec.Struct, rename="camel"):
    name: str
    digest: str
    created_time: str
    last_update_time: str
    changeable_attributes: Attributes


class Child(msgspec.Struct, omit_defaults=True):
    """A manifest that an index names."""

    digest: str
    architecture: str | None = None
    os: str | None = None


class Manifest(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """``image_size`` in bytes; ``references``: of an index that is asked for alone."""

    digest: str
    media_type: str
    image_size: int
    created_time: str
    last_update_time: str
    changeable_attributes: Attributes
    architecture: str | None = None
    os: str | None = None
    config_media_type: str | None = None
    artifact_type: str | None = None
    subject: str | None = None
    last_pulled_time: str | None = None
    tags: list[str] = []
    references: list[Child] | None = None


class Deleted(msgspec.Struct, rename="camel"):
    """What went with a repository."""

    manifests_deleted: list[str] | None
    tags_deleted: list[str] | None
