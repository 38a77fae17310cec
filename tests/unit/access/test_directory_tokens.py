from datetime import UTC, datetime, timedelta

import jwt
import pytest

from entrepot.access.directory_tokens import Assertion, issue_directory_token, read_directory_token
from entrepot.access.keys import SigningKey, Use
from entrepot.errors import Kind, Problem

KEY = SigningKey.generate("a-key", Use.DIRECTORY)
NOW = datetime(2024, 5, 6, tzinfo=UTC)
APP = Assertion("oid", "tid", "https://management.azure.com", "app", "", "cred", NOW, NOW + timedelta(hours=1))
PERSON = Assertion("oid", "tid", "https://graph.microsoft.com/", "cli", "a@b.example", "c", NOW, NOW + timedelta(1))


@pytest.mark.parametrize("says", [APP, PERSON], ids=["application", "person"])
def test_a_token_reads_back_as_what_it_says(says: Assertion) -> None:
    token = issue_directory_token(says, "https://localhost:5000/tid/", "id", KEY)
    assert read_directory_token(token, {KEY.kid: KEY}) == says


def test_it_has_the_claims_of_entra() -> None:
    token = issue_directory_token(PERSON, "https://localhost:5000/tid/", "id", KEY)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": "a-key", "typ": "JWT"}
    assert claims["iss"] == "https://localhost:5000/tid/"
    assert (claims["idtyp"], claims["scp"], claims["unique_name"]) == ("user", "user_impersonation", "a@b.example")


@pytest.mark.parametrize(
    "change", [{"oid": None}, {"oid": ""}, {"oid": "a\0"}, {"exp": -1}, {"exp": "1"}, {"cred": None}, {"cred": ""}]
)
def test_a_claim_of_another_form_is_refused_even_with_our_signature(change: dict[str, object]) -> None:
    token = issue_directory_token(APP, "https://localhost:5000/tid/", "id", KEY)
    claims = jwt.decode(token, options={"verify_signature": False}) | change
    forged = jwt.encode({k: v for k, v in claims.items() if v is not None}, KEY.private, "RS256", {"kid": KEY.kid})
    with pytest.raises(Problem) as refusal:
        read_directory_token(forged, {KEY.kid: KEY})
    assert refusal.value.kind is Kind.UNAUTHENTICATED


def test_a_token_of_another_key_or_of_none_is_refused() -> None:
    token = issue_directory_token(APP, "https://localhost:5000/tid/", "id", KEY)
    for keys in ({}, {"a-key": SigningKey.generate("a-key", Use.DIRECTORY)}, {"a-key": SigningKey.generate("a-key")}):
        with pytest.raises(Problem) as refusal:
            read_directory_token(token, keys)
        assert refusal.value.kind is Kind.UNAUTHENTICATED
