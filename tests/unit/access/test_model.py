import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.access.model import (
    ASKED,
    GRANTED_BY,
    Action,
    Everything,
    Granted,
    Nothing,
    ReadEverything,
    Rights,
    Scope,
)

SIMPLE: dict[str, tuple[Rights, set[Action]]] = {
    "the admin account": (Everything(), set(Action)),
    "anonymous pull": (ReadEverything(), {Action.CATALOG_LIST, Action.CONTENT_READ, Action.METADATA_READ}),
    "nobody": (Nothing(), set()),
}


def test_each_action_has_its_words_in_a_token() -> None:
    assert ASKED.keys() == GRANTED_BY.keys() == set(Action)
    assert all(set(ASKED[action].split(",")) & GRANTED_BY[action] for action in Action)


@pytest.mark.parametrize(("rights", "permitted"), SIMPLE.values(), ids=SIMPLE)
def test_rights_that_are_the_same_everywhere_say_why(rights: Rights, permitted: set[Action]) -> None:
    for action in Action:
        for repository in ("app", None):
            assert rights.allow(action, repository) is (action in permitted)
            assert rights.explain(action, repository).allowed is (action in permitted)


def test_a_denial_tells_the_words_that_a_token_lacks() -> None:
    token = Granted([Scope("repository", "app", frozenset({"pull"})), Scope("registry", "catalog", frozenset({"*"}))])
    decision = token.explain(Action.CONTENT_WRITE, "app")
    assert decision.reason == "missing: pull,push on repository:app"
    assert [(found.scope, found.permits, found.reason) for found in decision.considered] == [
        ("repository:app", False, "it lists pull"),
        ("registry:catalog", False, "it lists *"),
    ]
    assert Nothing().explain(Action.CATALOG_LIST, None).reason == "missing: * on registry:catalog"


def test_a_permission_tells_what_it_rests_on() -> None:
    decision = ReadEverything().explain(Action.CONTENT_READ, "app")
    assert decision.reason == "permitted by pull on repository:app"
    assert [(found.what, found.permits) for found in decision.considered] == [("anonymous pull", True)]


SCOPES = st.builds(
    Scope,
    st.sampled_from(["repository", "registry", "other"]),
    st.sampled_from(["a", "b", "catalog"]),
    st.frozensets(st.sampled_from(["pull", "push", "delete", "metadata_read", "metadata_write", "*", "fly"])),
)


@examples(150)
@given(st.lists(SCOPES, max_size=4), st.sampled_from(Action), st.sampled_from(["a", "catalog", None]))
def test_what_a_token_permits_is_what_its_explanation_says(
    scopes: list[Scope], action: Action, repository: str | None
) -> None:
    token = Granted(scopes)
    decision = token.explain(action, repository)
    assert token.allow(action, repository) is decision.allowed is any(found.permits for found in decision.considered)
