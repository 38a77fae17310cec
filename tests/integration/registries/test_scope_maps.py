"""Scope maps. Source: ACR-REFERENCE 5.5."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection
from tests.integration.accounts import making, registry_id
from tests.integration.rows import add_registry
from tests.registry import Registry

from entrepot.app.first_start import prepare
from entrepot.errors import Kind, Problem
from entrepot.registries.queries import find_scope_map, scope_maps
from entrepot.registries.scope_maps import Written, delete_scope_map, put_scope_map
from entrepot.settings import Settings

READ = ("repositories/app/content/read",)
SYSTEM = [
    "_repositories_admin",
    "_repositories_pull",
    "_repositories_pull_metadata_read",
    "_repositories_push",
    "_repositories_push_metadata_write",
]


def here(registry: Registry, work: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401  what the work answers
    return registry.query(lambda tx: work(tx, registry_id(tx), *arguments))


def put(registry: Registry, name: str, written: Written) -> object:
    return here(registry, put_scope_map, name, written, making(registry))


async def test_every_registry_has_the_five_of_the_system(settings: Settings, registry: Registry) -> None:
    """One of an older catalog gets them at the next start."""
    assert [(each.name, each.type) for each in here(registry, scope_maps)] == [
        (name, "SystemDefined") for name in SYSTEM
    ]
    registry.query(lambda tx: add_registry(tx, "second", "f" * 32))
    prepare(settings)
    prepare(settings)

    def of_second(tx: Connection) -> list[str]:
        return [each.name for each in scope_maps(tx, registry_id(tx, "second"))]

    assert registry.query(of_second) == SYSTEM


async def test_a_scope_map_of_the_system_cannot_be_changed(registry: Registry) -> None:
    for name in SYSTEM:
        for refused in (
            lambda name=name: put(registry, name, Written("mine", READ)),
            lambda name=name: here(registry, delete_scope_map, name.upper()),
        ):
            with pytest.raises(Problem) as refusal:
                refused()
            assert refusal.value.kind is Kind.UNSUPPORTED


async def test_a_scope_map_is_made_changed_and_deleted(registry: Registry) -> None:
    made = put(registry, "Team-map", Written("what the team may", READ))
    assert here(registry, find_scope_map, "team-MAP") == made
    write = ("repositories/team/*/content/write",)
    put(registry, "team-map", Written("", write))
    changed = here(registry, find_scope_map, "Team-map")
    assert (changed.name, changed.description, changed.actions) == (
        "Team-map",
        "",
        ("repositories/team/*/content/write",),
    )
    assert here(registry, delete_scope_map, "team-map")
    assert not here(registry, delete_scope_map, "team-map")


@pytest.mark.parametrize("name", ["four", "x" * 51, "_mine_", "with space", "with/slash", "naïve", "a\0bcde", ""])
async def test_a_name_that_acr_refuses_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(Problem) as refusal:
        put(registry, name, Written("", READ))
    assert refusal.value.kind is Kind.NAME_INVALID


@pytest.mark.parametrize(
    "written",
    [
        Written("x" * 257, READ),
        Written("a\0b", READ),
        Written("", ("repositories/app/content/fly",)),
        Written("", ("repositories/sample/*/team/content/read",)),
        Written("", ("repositories/UPPER/content/read",)),
    ],
)
async def test_what_a_scope_map_cannot_say_is_refused(registry: Registry, written: Written) -> None:
    with pytest.raises(Problem) as refusal:
        put(registry, "a-scope-map", written)
    assert refusal.value.kind is Kind.RESOURCE_INVALID
