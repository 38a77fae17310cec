"""The directory's rows: what each change makes and takes away."""

import uuid
from datetime import timedelta

import pytest
from tests.directory import ADA, KeyPair, add_application, add_person, new, tenant_id
from tests.registry import Registry

from entrepot.access.queries import epoch
from entrepot.errors import Problem
from entrepot.identities import applications, groups, people, queries
from entrepot.identities.applications import Ids
from entrepot.identities.model import Kind, Principal, Proof, reach_of


def a_group(registry: Registry, name: str) -> Principal:
    tenant = tenant_id(registry)
    return registry.query(lambda tx: groups.add_group(tx, str(uuid.uuid4()), tenant, name, registry.clock()))


async def test_a_user_name_is_one_person_s(registry: Registry):
    add_person(registry)
    with pytest.raises(Problem, match="REQUEST_INVALID"):
        add_person(registry, "ADA@example.com")


async def test_each_change_moves_the_access_epoch(registry: Registry):
    before = registry.query(epoch)
    person = add_person(registry)
    added = registry.query(epoch)
    registry.query(lambda tx: people.set_enabled(tx, person.id, False))
    assert before < added < registry.query(epoch)


async def test_groups_in_groups_count_for_their_members(registry: Registry):
    person, inner, outer = add_person(registry), a_group(registry, "inner"), a_group(registry, "outer")
    registry.query(lambda tx: groups.add_member(tx, inner.id, person.id))
    registry.query(lambda tx: groups.add_member(tx, outer.id, inner.id))
    assert registry.query(lambda tx: groups.expand(tx, person.id)) == {person.id, inner.id, outer.id}
    registry.query(lambda tx: groups.remove_member(tx, outer.id, inner.id))
    assert registry.query(lambda tx: groups.expand(tx, person.id)) == {person.id, inner.id}


async def test_groups_that_hold_each_other_come_to_an_end(registry: Registry):
    one, two = a_group(registry, "one"), a_group(registry, "two")
    registry.query(lambda tx: groups.add_member(tx, one.id, two.id))
    registry.query(lambda tx: groups.add_member(tx, two.id, one.id))
    registry.query(lambda tx: groups.add_member(tx, two.id, one.id))
    assert registry.query(lambda tx: groups.expand(tx, one.id)) == {one.id, two.id}
    assert [each.name for each in registry.query(lambda tx: queries.members_of(tx, one.id))] == ["two"]


async def test_a_group_holds_neither_itself_nor_what_is_not_there(registry: Registry):
    group = a_group(registry, "one")
    for member in (group.id, str(uuid.uuid4())):
        with pytest.raises(Problem):
            registry.query(lambda tx, member=member: groups.add_member(tx, group.id, member))


async def test_an_application_shows_once_its_service_principal_is_asked_for(registry: Registry):
    ids = Ids(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
    tenant = tenant_id(registry)
    registry.query(lambda tx: applications.add_application(tx, ids, tenant, "robot", registry.clock()))

    def names() -> list[str]:
        return [
            each.name for each in registry.query(lambda tx: queries.principals_of(tx, tenant, Kind.SERVICE_PRINCIPAL))
        ]

    assert "robot" not in names()
    registry.query(lambda tx: applications.provision(tx, ids.principal))
    assert "robot" in names()


async def test_a_secret_is_kept_as_a_hash_with_its_first_letters(registry: Registry):
    made, secret = add_application(registry)
    (kept,) = registry.query(lambda tx: queries.credentials_of(tx, made.principal_id, (Proof.SECRET,)))
    assert secret.value.startswith(kept.hint)
    assert secret.value not in (kept.fingerprint, kept.body)


async def test_a_certificate_must_be_one_that_can_sign(registry: Registry):
    made, _ = add_application(registry)
    ended = KeyPair.make(registry.clock() - timedelta(days=10), days=5).pem
    for pem in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ended):
        with pytest.raises(Problem):
            registry.query(lambda tx, pem=pem: applications.add_certificate(tx, made.principal_id, new(registry), pem))


async def test_what_is_deleted_leaves_nothing_behind(registry: Registry):
    made, _ = add_application(registry)
    registry.query(lambda tx: people.delete(tx, made.principal_id))
    assert registry.query(lambda tx: queries.application_by_id(tx, made.id)) is None
    assert registry.query(lambda tx: queries.credentials_of(tx, made.principal_id, (Proof.SECRET,))) == []


async def test_a_first_password_says_that_it_is_one(registry: Registry):
    add_person(registry, must_change=True)
    person = registry.query(lambda tx: people.find_person(tx, ADA))
    assert people.must_change_password(person)


def test_where_an_application_lives_is_read_as_graph_writes_it():
    reach = reach_of(
        '{"web":{"redirectUris":["https://a.example/"]},"publicClient":{"redirectUris":["http://localhost"]}}'
    )
    assert (reach.confidential, reach.public, reach.is_public) == (("https://a.example/",), ("http://localhost",), True)
