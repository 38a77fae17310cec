"""Every kind of credential that can reach the gate, and what each may do: the columns of the matrix."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from tests.integration.accounts import make_token, turn_admin_on
from tests.integration.rows import add_principal, add_registry, disable
from tests.registry import OWNER, OWNER_SECRET, FakeClock, Registry
from tests.wire import Client

Start = Callable[..., Awaitable[Registry]]

OTHER: Final = "the-other"
OTHER_SECRET: Final = "the-other's-secret"
SECOND_HOST: Final = "second.entrepot.localhost:5000"
# Azure's ids of AcrPull, of AcrDelete and of a role that permits nothing on the data plane; and an id that nobody has.
ACR_PULL: Final = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_DELETE: Final = "c2f4ef07-c644-48eb-af81-4b1b4947fb11"
TASKS_CONTRIBUTOR: Final = "fb382eab-e894-4461-af04-94435c366c3f"
UNKNOWN_ROLE: Final = "00000000-0000-0000-0000-000000000000"
EVERYTHING: Final = (
    "repository:app:pull,push,delete,metadata_read,metadata_write,deleted_read,deleted_restore",
    "registry:catalog:*",
    "registry:deleted_catalog:*",
)
ALL: Final = frozenset({"ping", "pull", "push", "upload", "delete", "tags", "lock", "catalog", "undo"})


@dataclass(frozen=True)
class Presented:
    """A worker to ask, who asks it, and the user and password that a form would hold."""

    registry: Registry
    client: Client
    user: tuple[str, str] | None = None


@dataclass(frozen=True)
class Credential:
    """``may``: what passes the gate. ``error``: how all else is refused. ``signs_in``: whether it gets a token.

    ``is_owner``: whether the upload that is there is its own.
    """

    present: Callable[[Start, FakeClock], Awaitable[Presented]]
    may: frozenset[str]
    error: str | None
    signs_in: bool = False
    is_owner: bool = True


async def _nobody(start: Start, _clock: FakeClock) -> Presented:
    registry = await start()
    return Presented(registry, registry.nobody)


async def _anyone(start: Start, _clock: FakeClock) -> Presented:
    registry = await start(anonymous_pull=True)
    return Presented(registry, registry.nobody)


async def _anyone_with_a_token(start: Start, _clock: FakeClock) -> Presented:
    registry = await start(anonymous_pull=True)
    return Presented(registry, registry.nobody.bearing(await registry.token(*EVERYTHING, client=registry.nobody)))


async def _token_of_yesterday_s_anonymous_pull(start: Start, clock: FakeClock) -> Presented:
    token = (await _anyone_with_a_token(start, clock)).client.headers["authorization"]
    registry = await start(anonymous_pull=False)
    return Presented(registry, registry.nobody.having(authorization=token))


async def _owner(start: Start, _clock: FakeClock) -> Presented:
    registry = await start()
    return Presented(registry, registry.http, (OWNER, OWNER_SECRET))


async def _wrong_password(start: Start, _clock: FakeClock) -> Presented:
    registry = await start()
    return Presented(registry, registry.nobody.signed_in(OWNER, "wrong"), (OWNER, "wrong"))


def _token(*scopes: str) -> Callable[[Start, FakeClock], Awaitable[Presented]]:
    async def present(start: Start, _clock: FakeClock) -> Presented:
        registry = await start()
        return Presented(registry, await registry.bearer(*scopes))

    return present


async def _expired(start: Start, clock: FakeClock) -> Presented:
    presented = await _token(*EVERYTHING)(start, clock)
    clock.advance(minutes=61)
    return presented


async def _not_yet(start: Start, clock: FakeClock) -> Presented:
    presented = await _token(*EVERYTHING)(start, clock)
    clock.advance(minutes=-16)
    return presented


async def _tampered(start: Start, clock: FakeClock) -> Presented:
    presented = await _token(*EVERYTHING)(start, clock)
    kind, _, token = presented.client.headers["authorization"].partition(" ")
    head, payload, signature = token.split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    return Presented(presented.registry, presented.client.having(authorization=f"{kind} {head}.{payload}.{flipped}"))


async def _of_another_registry(start: Start, _clock: FakeClock) -> Presented:
    (await start()).query(lambda tx: add_registry(tx, "second", "f" * 32))
    registry = await start()
    second = Client(registry.app, SECOND_HOST).signed_in(OWNER, OWNER_SECRET)
    answer = await second.get("/oauth2/token?" + "&".join(f"scope={scope}" for scope in EVERYTHING))
    assert answer.status == 200
    return Presented(registry, registry.nobody.bearing(answer.json()["access_token"]))


def _other(role: str | None) -> Callable[[Start, FakeClock], Awaitable[Presented]]:
    async def present(start: Start, _clock: FakeClock) -> Presented:
        registry = await start()
        registry.query(lambda tx: add_principal(tx, OTHER, OTHER_SECRET, role))
        return Presented(registry, registry.nobody.signed_in(OTHER, OTHER_SECRET), (OTHER, OTHER_SECRET))

    return present


async def _token_without_a_role(start: Start, clock: FakeClock) -> Presented:
    presented = await _other(None)(start, clock)
    token = await presented.registry.token(*EVERYTHING, client=presented.client)
    return Presented(presented.registry, presented.registry.nobody.bearing(token))


async def _admin(start: Start, _clock: FakeClock) -> Presented:
    password = turn_admin_on(await start()).passwords[1].value
    registry = await start()
    return Presented(registry, registry.nobody.signed_in("local", password), ("local", password))


def _repository_token(*actions: str) -> Callable[[Start, FakeClock], Awaitable[Presented]]:
    async def present(start: Start, _clock: FakeClock) -> Presented:
        made = make_token(await start(), "ci-token", *actions)
        registry, password = await start(), made.passwords[0].value
        return Presented(registry, registry.nobody.signed_in("ci-token", password), ("ci-token", password))

    return present


async def _disabled(start: Start, _clock: FakeClock) -> Presented:
    before = await start()
    before.query(lambda tx: add_principal(tx, OTHER, OTHER_SECRET))
    before.query(lambda tx: disable(tx, OTHER))
    registry = await start()
    return Presented(registry, registry.nobody.signed_in(OTHER, OTHER_SECRET), (OTHER, OTHER_SECRET))


async def _token_of_a_disabled(start: Start, _clock: FakeClock) -> Presented:
    before = await start()
    before.query(lambda tx: add_principal(tx, OTHER, OTHER_SECRET))
    token = await before.token(*EVERYTHING, client=before.nobody.signed_in(OTHER, OTHER_SECRET))
    before.query(lambda tx: disable(tx, OTHER))
    registry = await start()
    return Presented(registry, registry.nobody.bearing(token))


NONE: Final[frozenset[str]] = frozenset()
READ: Final = frozenset({"pull", "tags", "catalog"})
INVALID: Final = "invalid_token"
MORE: Final = "insufficient_scope"

CREDENTIALS: Final[dict[str, Credential]] = {
    "nobody": Credential(_nobody, NONE, None),
    "nobody, anonymous pull on": Credential(_anyone, READ, None, signs_in=True),
    "a token for nobody, anonymous pull on": Credential(_anyone_with_a_token, READ, MORE),
    "a token for nobody, anonymous pull off again": Credential(_token_of_yesterday_s_anonymous_pull, NONE, INVALID),
    "the owner": Credential(_owner, ALL, MORE, signs_in=True),
    "the owner with a wrong password": Credential(_wrong_password, NONE, INVALID),
    "a token for everything": Credential(_token(*EVERYTHING), ALL, MORE),
    "a token for nothing": Credential(_token(), frozenset({"ping"}), MORE),
    "a token to pull": Credential(_token("repository:app:pull"), frozenset({"ping", "pull", "tags"}), MORE),
    "a token to push": Credential(_token("repository:app:push"), frozenset({"ping", "push", "upload"}), MORE),
    "a token to pull and push": Credential(
        _token("repository:app:pull,push"), frozenset({"ping", "pull", "tags", "push", "upload"}), MORE
    ),
    "a token to delete": Credential(_token("repository:app:delete"), frozenset({"ping", "delete"}), MORE),
    "a token to list tags": Credential(_token("repository:app:metadata_read"), frozenset({"ping", "tags"}), MORE),
    "a token to lock": Credential(_token("repository:app:metadata_write"), frozenset({"ping", "lock"}), MORE),
    "a token for the catalog": Credential(_token("registry:catalog:*"), frozenset({"ping", "catalog"}), MORE),
    "a token for another repository": Credential(_token("repository:other:*"), frozenset({"ping"}), MORE),
    "a token for a repository below": Credential(_token("repository:app/below:*"), frozenset({"ping"}), MORE),
    # DESIGN D6: enough for an upload that its principal began.
    "an expired token": Credential(_expired, frozenset({"upload"}), INVALID),
    "a token of the future": Credential(_not_yet, NONE, INVALID),
    "a tampered token": Credential(_tampered, NONE, INVALID),
    "a token of another registry": Credential(_of_another_registry, NONE, INVALID),
    "a principal without a role": Credential(_other(None), frozenset({"ping"}), MORE, signs_in=True),
    "AcrPull": Credential(_other(ACR_PULL), frozenset({"ping"}) | READ, MORE, signs_in=True),
    "AcrDelete": Credential(_other(ACR_DELETE), frozenset({"ping", "delete"}), MORE, signs_in=True),
    "a role that permits nothing here": Credential(_other(TASKS_CONTRIBUTOR), frozenset({"ping"}), MORE, signs_in=True),
    "a role that nobody knows": Credential(_other(UNKNOWN_ROLE), frozenset({"ping"}), MORE, signs_in=True),
    "a token of a principal without a role": Credential(_token_without_a_role, NONE, INVALID),
    "the admin account": Credential(_admin, ALL, MORE, signs_in=True, is_owner=False),
    "a repository token to pull": Credential(
        _repository_token("repositories/app/content/read"), frozenset({"ping", "pull"}), MORE, signs_in=True
    ),
    "a repository token to pull, to push and to see": Credential(
        _repository_token(*(f"repositories/*/{what}" for what in ("content/read", "content/write", "metadata/read"))),
        frozenset({"ping", "pull", "push", "upload", "tags"}),
        MORE,
        signs_in=True,
        is_owner=False,
    ),
    "a repository token of another repository": Credential(
        _repository_token("repositories/other/*/content/read"), frozenset({"ping"}), MORE, signs_in=True
    ),
    "a disabled principal": Credential(_disabled, NONE, INVALID),
    "a token of a disabled principal": Credential(_token_of_a_disabled, NONE, INVALID),
}
