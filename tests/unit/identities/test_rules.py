from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import Problem
from entrepot.identities.rules import (
    ACCOUNT,
    USER_CODE_LENGTH,
    USER_CODE_LETTERS,
    failures_after,
    lock_of,
    new_user_code,
    normal,
    parse_upn,
    parse_user_code,
    why_weak,
)

NOW = datetime(2024, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize("text", ["Ada@Example.COM", " ada@example.com "])
def test_user_names_compare_without_case(text: str):
    assert parse_upn(text) == "ada@example.com"


@pytest.mark.parametrize(
    "text", ["", "ada", "ada@", "@example.com", "a b@example.com", "a@b@example.com", "a\0@example.com"]
)
def test_what_is_no_user_name_is_refused(text: str):
    with pytest.raises(Problem):
        parse_upn(text)


@pytest.mark.parametrize(
    "password",
    ["short", "aaaaaaaaaaaaaaaa", "password1234", "Entrepot2024!", "ada.lovelace1", "x" * 300, "123456123456"],
)
def test_a_password_that_is_soon_guessed_is_weak(password: str):
    assert why_weak(password, "ada.lovelace@example.com") is not None


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "zehn mal blaue Ähren", "password is in this phrase"]
)
def test_length_is_what_makes_a_password_good(password: str):
    assert why_weak(password, "ada.lovelace@example.com") is None


def test_one_password_on_two_keyboards_is_one_password():
    assert normal("Ähre" * 4) == normal("A\u0308hre" * 4)


def test_user_codes_are_read_however_they_are_typed():
    code = new_user_code()
    assert (len(code), set(code) <= set(USER_CODE_LETTERS)) == (USER_CODE_LENGTH, True)
    assert parse_user_code(f" {code[:4].lower()}-{code[4:]} ") == code


@given(st.text(max_size=40))
def test_whatever_is_typed_for_a_user_code_is_short(text: str):
    assert len(parse_user_code(text)) <= USER_CODE_LENGTH + 1


def test_no_lock_is_longer_than_the_longest():
    assert max(lock_of(failures, ACCOUNT) or timedelta() for failures in range(2000)) == ACCOUNT.longest


def test_failures_of_long_ago_are_forgotten():
    assert failures_after(40, NOW - ACCOUNT.forgotten, NOW, ACCOUNT) == 1
    assert failures_after(4, NOW - timedelta(minutes=1), NOW, ACCOUNT) == 5
