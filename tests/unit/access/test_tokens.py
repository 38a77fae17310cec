import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import examples

from entrepot.access.keys import SigningKey, new_key_id
from entrepot.access.model import ANONYMOUS, Scope
from entrepot.access.tokens import Grant, TokenKind, issue, read
from entrepot.errors import Kind, Problem

KEY = SigningKey.generate("a-key")
NOW = datetime(2024, 5, 6, tzinfo=UTC)
SCOPES = st.lists(
    st.builds(
        Scope,
        st.sampled_from(["repository", "registry"]),
        st.text(min_size=1, max_size=20),
        st.frozensets(st.sampled_from(["pull", "push", "*"])),
    ),
    max_size=4,
).map(tuple)


def a_grant(scopes: tuple[Scope, ...] = (), **more: Any) -> Grant:  # noqa: ANN401  any field
    return Grant("somebody", "f" * 32, "localhost:5000", scopes, NOW, NOW + timedelta(hours=1), **more)


@examples(30)
@given(SCOPES, st.sampled_from(["", "ada@example.com"]), st.sampled_from(["", "a-client"]))
def test_a_token_reads_back_as_what_was_granted(scopes: tuple[Scope, ...], name: str, client_id: str) -> None:
    granted = a_grant(scopes, name=name, client_id=client_id, credential="a-credential")
    assert read(issue(granted, "id", KEY), {KEY.kid: KEY}) == granted


def test_a_refresh_token_reads_back_as_what_was_granted() -> None:
    granted = a_grant(kind=TokenKind.REFRESH, client_id="a-client", tenant="a-tenant", permissions=("read", "write"))
    assert read(issue(granted, "id", KEY), {KEY.kid: KEY}) == granted


def test_a_person_s_subject_is_their_name_and_an_anonymous_one_acr_s() -> None:
    said = [
        jwt.decode(issue(granted, "id", KEY), options={"verify_signature": False})["sub"]
        for granted in (a_grant(name="ada@example.com"), replace(a_grant(), principal=ANONYMOUS), a_grant())
    ]
    assert said == ["ada@example.com", "acr_anon_pull", "somebody"]


def test_an_anonymous_token_reads_back() -> None:
    granted = replace(a_grant(), principal=ANONYMOUS)
    assert read(issue(granted, "id", KEY), {KEY.kid: KEY}) == granted


def test_a_key_id_has_acr_s_form() -> None:
    assert re.fullmatch(r"[A-Z2-7]{4}(:[A-Z2-7]{4}){11}", new_key_id())


def test_a_key_reads_back_from_its_pem() -> None:
    again = SigningKey.from_pem(KEY.kid, KEY.algorithm, KEY.pem())
    assert read(issue(a_grant(), "id", again), {KEY.kid: KEY}) == a_grant()


@pytest.mark.parametrize("keys", [{}, {"other": KEY}, {"a-key": SigningKey.generate("a-key")}])
def test_a_token_of_no_key_of_ours_is_refused(keys: dict[str, SigningKey]) -> None:
    with pytest.raises(Problem) as refusal:
        read(issue(a_grant(), "id", KEY), keys)
    assert refusal.value.kind is Kind.UNAUTHENTICATED


@examples(200)
@given(st.text(max_size=100) | st.data())
def test_any_text_is_refused_as_a_token(text: str | st.DataObject) -> None:
    token = text if isinstance(text, str) else _damaged(text)
    with pytest.raises(Problem) as refusal:
        read(token, {KEY.kid: KEY})
    assert refusal.value.kind is Kind.UNAUTHENTICATED


GOOD = issue(a_grant(), "id", KEY)


def _damaged(data: st.DataObject) -> str:
    """A good token with one character before its last few changed: those hold bits that nobody reads."""
    position = data.draw(st.integers(0, len(GOOD) - 3))
    other = data.draw(st.characters(codec="latin-1").filter(lambda character: character != GOOD[position]))
    return GOOD[:position] + other + GOOD[position + 1 :]


def test_a_token_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(Problem):
        read(GOOD + "A" * 20_000, {KEY.kid: KEY})
