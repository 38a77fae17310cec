"""A provider outside, and a worker that lets its people in."""

import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from tests.directory import ARM, Browser, authorize_path, browser, endpoints, sent_back
from tests.outside import Authority, authority
from tests.provider import CLIENT_ID, CLIENT_SECRET, OutsideProvider, outside_provider
from tests.registry import FakeClock, Registry
from tests.wire import Answer

from entrepot.db.access_tables import group_member, principal
from entrepot.identities import groups, queries


@pytest.fixture(scope="session")
def outside_ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("outside"), "127.0.0.1")


@pytest.fixture
def provider(outside_ca: Authority, clock: FakeClock) -> Iterator[OutsideProvider]:
    with outside_provider(outside_ca, clock) as running:
        yield running


StartSite = Callable[..., Awaitable["Site"]]


@pytest.fixture
async def start_site(start_registry, provider: OutsideProvider, outside_ca: Authority) -> StartSite:
    async def start(**changes: Any) -> Site:  # noqa: ANN401  any setting's value
        registry = await start_registry(
            outbound_allow=("127.0.0.0/8",),
            outbound_ca_file=outside_ca.ca_file,
            oidc_issuer=provider.issuer.url,
            oidc_client_id=CLIENT_ID,
            oidc_client_secret=SecretStr(CLIENT_SECRET),
            oidc_groups=(("developers", "Developers"),),
            **changes,
        )
        return Site(registry, provider)

    return start


@pytest.fixture
async def site(start_site: StartSite) -> "Site":
    return await start_site()


@dataclass
class Site:
    """A worker, and the provider whose people it lets in."""

    registry: Registry
    provider: OutsideProvider

    def browser(self) -> Browser:
        return browser(self.registry)

    async def goes_out(self, who: Browser, target: str = "", **changes: str | None) -> str:
        """From the sign-in page to the provider; the address there."""
        await who.open(target or authorize_path(**changes))
        answer = await who.open(who.links[-1])
        assert answer.status == 303, answer.body
        return answer["location"]

    async def comes_back(self, who: Browser, location: str, **claims: Any) -> Answer:  # noqa: ANN401  any claims
        return await who.open(self.provider.arrives(location, **ada(**claims)))

    async def signs_in(self, who: Browser | None = None, **claims: Any) -> dict[str, Any]:  # noqa: ANN401  any claims
        """The whole way; the tokens that the Azure CLI gets."""
        who = who or self.browser()
        answer = await self.comes_back(who, await self.goes_out(who), **claims)
        assert answer.status == 303, answer.body
        code = sent_back(await who.open(answer["location"]))["code"]
        redeemed = await endpoints(self.registry).redeem(code)
        assert redeemed.status == 200, redeemed.body
        return redeemed.json()

    async def refresh(self, tokens: dict[str, Any]) -> Answer:
        return await endpoints(self.registry).refresh(tokens["refresh_token"], scope=ARM)

    def add_group(self, name: str) -> str:
        """Its id."""
        tenant = self.registry.query(queries.tenants)[0].id
        made_id = str(uuid.uuid4())
        self.registry.query(lambda tx: groups.add_group(tx, made_id, tenant, name, self.registry.clock()))
        return made_id

    def groups_of(self, upn: str = "ada@example.org") -> list[str]:
        group = principal.alias()
        statement = (
            select(group.c.name)
            .join_from(group_member, group, group.c.id == group_member.c.group_id)
            .join(principal, principal.c.id == group_member.c.member_id)
            .where(principal.c.upn == upn)
            .order_by(group.c.name)
        )
        return self.registry.query(lambda tx: list(tx.execute(statement).scalars()))


def ada(**claims: Any) -> dict[str, Any]:  # noqa: ANN401  any claims
    """Somebody at the provider."""
    return {"sub": "ada-1", "email": "ada@example.org", "name": "Ada Lovelace", "groups": ["developers"], **claims}
