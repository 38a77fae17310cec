import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.access.condition_texts import NAMES

from entrepot.access.model import Action
from entrepot.access.scope_maps import (
    ACTIONS_LIMIT,
    SYSTEM_MAPS,
    ScopeAction,
    ScopeMapRights,
    SystemMap,
    parse_actions,
)
from entrepot.errors import Kind, Problem

SYSTEM = {found.name: found for found in SYSTEM_MAPS}
# Neither lists the catalog, nor what was deleted, nor restores anything (ACR-REFERENCE 5.2).
REPOSITORY_ACTIONS = {
    Action.CONTENT_DELETE,
    Action.CONTENT_READ,
    Action.CONTENT_WRITE,
    Action.METADATA_READ,
    Action.METADATA_WRITE,
    Action.TAG_DELETE,
}
VERBS = ("content/read", "content/write", "content/delete", "metadata/read", "metadata/write")


def rights(*actions: str) -> ScopeMapRights:
    return ScopeMapRights("a-map", parse_actions(actions))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["app", "team/app", "*", "team/*", "team/app/*", "content/read"])
def test_an_action_names_a_repository_a_prefix_or_every_one(name: str, verb: str) -> None:
    assert parse_actions([f"repositories/{name}/{verb}"]) == (ScopeAction(name, verb),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "content/read",
        "repositories/content/read",
        "repositories//content/read",
        "repositories/app/read",
        "repositories/app/contentRead",
        "repositories/app/content/fly",
        "repositories/app/content/readable",
        "repositories/app/metadata/delete",
        "repositories/app/CONTENT/read",
        "Repositories/app/content/read",
        "repositories/App/content/read",
        "repositories/sample/*/team/content/read",
        "repositories/sample/team*/content/read",
        "repositories/a/*/b/*/content/read",
        "repositories/*/*/content/read",
        "repositories/**/content/read",
        "repositories//*/content/read",
        "repositories/app\n/content/read",
        "repositories/app/content/read\n",
        "gateway/store/config/fly",
        "gateway/a b c/config/read",
        "gateway/store/content/read",
    ],
)
def test_an_action_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        parse_actions(["repositories/app/content/read", text])
    assert refusal.value.kind in {Kind.REQUEST_INVALID, Kind.NAME_INVALID}


def test_what_a_connected_registry_may_is_let_through_and_means_nothing_here() -> None:
    texts = [f"gateway/store/{what}" for what in ("config/read", "config/write", "message/read", "message/write")]
    assert parse_actions(texts) == ()


def test_a_scope_map_holds_so_many_actions() -> None:
    texts = [f"repositories/a{number}/content/read" for number in range(ACTIONS_LIMIT)]
    assert len(parse_actions(texts)) == ACTIONS_LIMIT
    with pytest.raises(Problem):
        parse_actions([*texts, texts[0]])


@pytest.mark.parametrize(
    ("verb", "permitted"),
    [
        ("content/read", {Action.CONTENT_READ}),
        ("content/write", {Action.CONTENT_WRITE}),
        ("content/delete", {Action.CONTENT_DELETE, Action.TAG_DELETE}),
        ("metadata/read", {Action.METADATA_READ}),
        ("metadata/write", {Action.METADATA_WRITE, Action.TAG_DELETE}),
    ],
)
def test_a_verb_permits_its_own_actions(verb: str, permitted: set[Action]) -> None:
    found = rights(f"repositories/app/{verb}")
    assert {action for action in Action if found.allow(action, "app")} == permitted
    assert not any(found.allow(action, "other") for action in Action)


@pytest.mark.parametrize(
    ("name", "repository", "fits"),
    [
        ("*", "app", True),
        ("*", "team/app", True),
        ("team/*", "team/app", True),
        ("team/*", "team/app/more", True),
        ("team/*", "team", False),
        ("team/*", "teams/app", False),
        ("team/*", "a/team/app", False),
        ("team/app/*", "team/app/more", True),
        ("team/app", "team/app", True),
        ("team/app", "team/app/more", False),
        ("app", "app2", False),
    ],
)
def test_a_repository_falls_under_its_name_and_the_prefixes_of_it(name: str, repository: str, fits: bool) -> None:
    found = rights(f"repositories/{name}/content/read")
    assert found.allow(Action.CONTENT_READ, repository) is fits
    assert found.explain(Action.CONTENT_READ, repository).allowed is fits


def test_entries_add_up() -> None:
    found = rights(
        "repositories/*/content/read", "repositories/team/*/content/write", "repositories/app/content/delete"
    )
    assert found.allow(Action.CONTENT_READ, "team/app")
    assert found.allow(Action.CONTENT_WRITE, "team/app")
    assert not found.allow(Action.CONTENT_DELETE, "team/app")
    assert found.allow(Action.CONTENT_DELETE, "app")


@pytest.mark.parametrize("action", Action)
def test_no_scope_map_permits_anything_on_the_registry(action: Action) -> None:
    assert not ScopeMapRights("all", parse_actions(SYSTEM["_repositories_admin"].actions)).allow(action, None)


@pytest.mark.parametrize(
    ("name", "permitted"),
    [
        ("_repositories_admin", REPOSITORY_ACTIONS),
        ("_repositories_pull", {Action.CONTENT_READ}),
        ("_repositories_pull_metadata_read", {Action.CONTENT_READ, Action.METADATA_READ}),
        ("_repositories_push", {Action.CONTENT_READ, Action.CONTENT_WRITE}),
        ("_repositories_push_metadata_write", REPOSITORY_ACTIONS - {Action.CONTENT_DELETE}),
    ],
)
def test_a_system_map_permits_what_its_name_says(name: str, permitted: set[Action]) -> None:
    found = ScopeMapRights(name, parse_actions(SYSTEM[name].actions))
    assert {action for action in Action if found.allow(action, "any/repository")} == permitted


def test_the_system_maps_are_acr_s_in_its_order_of_actions() -> None:
    assert len(SYSTEM) == len(SYSTEM_MAPS) == 5
    assert SYSTEM["_repositories_push_metadata_write"] == SystemMap(
        "_repositories_push_metadata_write",
        "Can perform all read and write operations on the registry",
        (
            "repositories/*/metadata/read",
            "repositories/*/metadata/write",
            "repositories/*/content/read",
            "repositories/*/content/write",
        ),
    )


def test_an_explanation_lists_each_name_of_the_scope_map() -> None:
    decision = rights(
        "repositories/app/content/read", "repositories/app/metadata/read", "repositories/team/*/content/write"
    ).explain(Action.CONTENT_WRITE, "app")
    assert decision.reason == "missing: content/write on repository:app"
    assert [(found.scope, found.permits, found.reason) for found in decision.considered] == [
        ("repositories/app", False, "it permits content/read, metadata/read"),
        ("repositories/team/*", False, "it permits content/write elsewhere"),
    ]


def test_an_explanation_says_that_the_catalog_is_never_a_token_s() -> None:
    decision = rights("repositories/*/content/read").explain(Action.CATALOG_LIST, None)
    assert decision.reason == "missing: what no scope map can permit on registry:catalog"


TEXTS = st.builds(
    "repositories/{}/{}".format, NAMES | NAMES.map(lambda name: f"{name}/*") | st.just("*"), st.sampled_from(VERBS)
)


@examples(150)
@given(st.lists(TEXTS, max_size=5), st.sampled_from(Action), st.none() | NAMES)
def test_what_a_scope_map_permits_is_what_its_explanation_says(
    texts: list[str], action: Action, repository: str | None
) -> None:
    found = rights(*texts)
    assert found.allow(action, repository) is found.explain(action, repository).allowed


@examples(100)
@given(TEXTS)
def test_an_action_reads_back_from_its_text(text: str) -> None:
    assert [str(action) for action in parse_actions([text])] == [text]
