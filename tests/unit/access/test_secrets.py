import pytest

from entrepot.access.secrets import find_secret, generate_secret, hash_generated, hash_secret


@pytest.fixture(scope="module")
def known() -> str:
    return hash_secret("the secret")


def test_a_secret_is_known_by_its_hash(known: str) -> None:
    assert find_secret([known], "the secret") == 0
    assert find_secret([hash_secret("another"), known], "the secret") == 1


def test_a_generated_secret_is_known_by_its_hash_among_others(known: str) -> None:
    secret = generate_secret()
    assert find_secret([hash_generated(generate_secret()), known, hash_generated(secret)], secret) == 2
    assert find_secret([hash_generated(secret)], secret + "x") is None


@pytest.mark.parametrize("guess", ["", "The secret", "the secret ", "the secre", "x" * 100_000, "\0", "the secret\0"])
def test_no_other_text_is(known: str, guess: str) -> None:
    assert find_secret([known], guess) is None


@pytest.mark.parametrize("hashes", [[], [""], ["nonsense"], ["sha256:"], ["$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"]])
def test_without_a_good_hash_no_secret_is_good(hashes: list[str]) -> None:
    assert find_secret(hashes, "") is None
    assert find_secret(hashes, "the secret") is None


def test_a_hash_does_not_hold_the_secret_and_no_two_are_the_same(known: str) -> None:
    assert "the secret" not in known
    assert known != hash_secret("the secret")
    assert known.startswith("$argon2id$")


def test_secrets_are_long_and_none_comes_twice() -> None:
    made = {generate_secret() for _ in range(100)}
    assert len(made) == 100
    assert min(map(len, made)) >= 40


def test_no_secret_begins_as_an_option_of_a_command_does() -> None:
    assert all(generate_secret().isalnum() for _ in range(100))
