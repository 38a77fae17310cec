import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.access.condition_texts import REPOSITORIES, guarded

from entrepot.access.builtin_roles import BUILT_IN_ROLES
from entrepot.access.definitions import Mode
from entrepot.access.model import Action, Everything, Granted, Nothing, ReadEverything, Rights, Scope
from entrepot.access.roles import Assigned, RoleRights
from entrepot.access.scope_maps import ScopeMapRights, parse_actions
from entrepot.access.scopes import grant, parse_scopes
from entrepot.errors import Kind, Problem

KINDS = {Kind.REQUEST_INVALID, Kind.NAME_INVALID}
WORDS = st.sampled_from(["pull", "push", "delete", "metadata_read", "*", "fly", ""])
ASKED = st.builds(
    lambda name, words: f"repository:{name}:{','.join(words)}",
    st.sampled_from(["a", "b/c", "d"]),
    st.lists(WORDS, max_size=4),
)

WRITER = next(role for role in BUILT_IN_ROLES.values() if role.name == "Container Registry Repository Writer")
BY_ROLE = RoleRights(
    [Assigned(WRITER, "/", guarded([f"{REPOSITORIES}/*"], "StringEquals 'a'", "StringStartsWith 'b/'"))],
    "/registry",
    Mode.ABAC,
)
ENTRIES = [f"repositories/{name}/content/{verb}" for name in ("a", "b/*") for verb in ("read", "write")]
BY_SCOPE_MAP = ScopeMapRights("a-map", parse_actions(ENTRIES))
RIGHTS: dict[str, Rights] = {"a role with a condition": BY_ROLE, "a scope map": BY_SCOPE_MAP}


@examples(300)
@given(st.lists(st.text(st.sampled_from("repository:istcalog*,ul \0é/."), max_size=40) | ASKED, max_size=5))
def test_any_scopes_are_read_or_refused(texts: list[str]) -> None:
    try:
        scopes = parse_scopes(texts)
    except Problem as problem:
        assert problem.kind in KINDS
    else:
        assert all(scope.type in {"repository", "registry"} for scope in scopes)


@examples(200)
@given(st.lists(ASKED, max_size=6), st.sampled_from([Everything(), ReadEverything(), Nothing(), BY_ROLE]))
def test_nothing_is_granted_that_was_not_asked_for_or_not_permitted(texts: list[str], rights) -> None:
    asked = parse_scopes(texts)
    granted = Granted(grant(rights, asked))
    for name in ("a", "b/c", "d", "e"):
        words = {word for scope in asked if scope.name == name for word in scope.actions}
        for action in (Action.CONTENT_READ, Action.CONTENT_WRITE, Action.CONTENT_DELETE, Action.METADATA_READ):
            if granted.allow(action, name):
                assert rights.allow(action, name)
                assert words


@examples(100)
@given(st.lists(ASKED, max_size=6))
def test_a_grant_asked_for_again_is_the_same_grant(texts: list[str]) -> None:
    once = grant(Everything(), parse_scopes(texts))
    assert grant(Everything(), once) == once


@pytest.mark.parametrize("rights", RIGHTS.values(), ids=RIGHTS)
def test_a_token_is_granted_what_its_principal_may_in_each_repository(rights: Rights) -> None:
    asked = ["repository:a:pull,push,delete repository:b/c:pull", "repository:b:pull", "registry:catalog:*"]
    assert grant(rights, parse_scopes(asked)) == (
        Scope("repository", "a", frozenset({"pull", "push"})),
        Scope("repository", "b/c", frozenset({"pull"})),
    )


def test_repository_words_grant_nothing_on_the_registry_and_the_other_way_round() -> None:
    repository = Granted([Scope("repository", "a", frozenset({"pull", "push", "delete"}))])
    assert not repository.allow(Action.CATALOG_LIST, None)
    catalog = Granted([Scope("registry", "catalog", frozenset({"*"}))])
    assert catalog.allow(Action.CATALOG_LIST, None)
    assert not catalog.allow(Action.CONTENT_READ, "catalog")


@pytest.mark.parametrize(
    ("words", "action", "allowed"),
    [
        ({"pull"}, Action.CONTENT_READ, True),
        ({"pull"}, Action.METADATA_READ, True),
        ({"pull"}, Action.CONTENT_WRITE, False),
        ({"push"}, Action.CONTENT_READ, False),
        ({"push"}, Action.CONTENT_WRITE, True),
        ({"push"}, Action.CONTENT_DELETE, False),
        ({"delete"}, Action.CONTENT_READ, False),
        ({"metadata_read"}, Action.METADATA_READ, True),
        ({"metadata_read"}, Action.CONTENT_READ, False),
        (set(), Action.CONTENT_READ, False),
    ],
)
def test_a_word_permits_its_own_action(words: set[str], action: Action, allowed: bool) -> None:
    granted = Granted([Scope("repository", "a", frozenset(words))])
    assert granted.allow(action, "a") is allowed
    assert not granted.allow(action, "b")


def test_two_entries_of_one_repository_add_up() -> None:
    granted = Granted([Scope("repository", "a", frozenset({word})) for word in ("pull", "push")])
    assert granted.allow(Action.CONTENT_READ, "a")
    assert granted.allow(Action.CONTENT_WRITE, "a")


def test_too_many_scopes_are_refused() -> None:
    assert len(parse_scopes(["repository:a:pull"] * 100)) == 100
    with pytest.raises(Problem):
        parse_scopes(["repository:a:pull"] * 101)
