import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identities.federation.credentials import (
    CredentialInvalid,
    FederatedCredential,
    Match,
    federated_credential,
)
from entrepot.identities.federation.model import Claims, Reason
from entrepot.identities.federation.rules import Mismatch, find_credential

GITHUB = "https://token.actions.githubusercontent.com"
EXCHANGE = "api://AzureADTokenExchange"
SUBJECT = "repo:org/app:ref:refs/heads/main"
CLAIMS = Claims(GITHUB, SUBJECT, (EXCHANGE,), {"sub": SUBJECT, "iss": GITHUB, "environment": "prod"})
GOOD = {"name": "main", "issuer": GITHUB, "audiences": [EXCHANGE], "subject": SUBJECT}


def credential(**changes: object) -> FederatedCredential:
    return federated_credential(**{**GOOD, **changes})  # type: ignore[arg-type]  any wrong value


def mismatch(claims: Claims, *credentials: FederatedCredential) -> Mismatch:
    found = find_credential(claims, credentials)
    assert isinstance(found, Mismatch)
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"subject": "repo:org/*:ref:refs/heads/main", "match": Match.PATTERN},
        {"subject": None, "expression": "claims['sub'] matches 'repo:org/*' and claims['environment'] eq 'prod'"},
        {"audiences": ["another", EXCHANGE]},
    ],
    ids=["exact", "pattern", "expression", "audiences"],
)
def test_the_credential_that_fits_is_found_among_others(changes: dict[str, object]) -> None:
    right = credential(name="right", **changes)
    others = [credential(name="issuer", issuer=f"{GITHUB}/org"), credential(name="subject", subject="repo:org/other")]
    assert find_credential(CLAIMS, [*others, right]) is right


def test_any_of_a_token_s_audiences_will_do() -> None:
    assert find_credential(replace(CLAIMS, audiences=("sts", EXCHANGE)), [credential()]) == credential()


@pytest.mark.parametrize(
    ("changes", "reason", "says"),
    [
        ({"issuer": "https://idp.example"}, Reason.ISSUER_MISMATCH, f"AADSTS700211: No matching .* issuer '{GITHUB}'."),
        ({"subject": "repo:org/b"}, Reason.SUBJECT_MISMATCH, f"AADSTS700213: No matching .* subject '{SUBJECT}'."),
        ({"audiences": ["b"]}, Reason.AUDIENCE_MISMATCH, f"AADSTS700212: No matching .* audience '{EXCHANGE}'."),
        (
            {"subject": None, "expression": f"claims['sub'] eq '{SUBJECT}' and claims['environment'] eq 'dev'"},
            Reason.SUBJECT_MISMATCH,
            "AADSTS700213",
        ),
    ],
    ids=["issuer", "subject", "audience", "expression"],
)
def test_a_refusal_says_which_part_fits_nothing_and_what_came(
    changes: dict[str, object], reason: Reason, says: str
) -> None:
    found = mismatch(CLAIMS, credential(**changes))
    assert found.reason is reason
    assert re.match(says, found.text)


def test_the_part_that_is_told_is_the_one_that_is_wrong_in_the_nearest_credential() -> None:
    subject_fits = credential(name="one", audiences=["b"])
    audience_fits = credential(name="two", subject="repo:org/b")
    assert mismatch(CLAIMS, audience_fits, subject_fits).reason is Reason.AUDIENCE_MISMATCH


def test_parts_of_two_credentials_do_not_add_up_to_one() -> None:
    assert isinstance(find_credential(CLAIMS, [credential(audiences=["b"]), credential(subject="b")]), Mismatch)


def test_what_the_credentials_want_is_told_to_their_owner_only() -> None:
    found = mismatch(CLAIMS, credential(subject="repo:org/secret-project"))
    assert "secret-project" not in found.text
    assert "'repo:org/secret-project'" in found.detail


def test_without_credentials_nothing_is_accepted() -> None:
    found = mismatch(CLAIMS)
    assert (found.reason, found.detail) == (Reason.ISSUER_MISMATCH, "accepted here: nothing")


@pytest.mark.parametrize(
    "changes", [{"issuer": f"{GITHUB}/"}, {"subject": SUBJECT.upper()}, {"audiences": [EXCHANGE.lower()]}]
)
def test_a_slash_or_the_letter_case_is_pointed_out(changes: dict[str, object]) -> None:
    assert "only in letter case or in a slash" in mismatch(CLAIMS, credential(**changes)).text


def test_what_came_is_shown_on_one_line_and_cut() -> None:
    evil = "a\r\nx: \u202e" + "b" * 5000
    text = mismatch(replace(CLAIMS, subject=evil), credential()).text
    assert text.isprintable()
    assert len(text) < 800


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"issuer": "http://idp.example"}, "issuer"),
        ({"issuer": "https://"}, "issuer"),
        ({"issuer": "https://idp.example/?a=b"}, "issuer"),
        ({"issuer": "https://idp.example/#a"}, "issuer"),
        ({"issuer": "https://me@idp.example"}, "issuer"),
        ({"issuer": "https://idp.example:99999"}, "issuer"),
        ({"issuer": "https://idp.example/ a"}, "issuer"),
        ({"issuer": " https://idp.example"}, "issuer"),
        ({"issuer": "https://idp.example/\n"}, "issuer"),
        ({"issuer": "https://idp.example/" + "a" * 600}, "issuer"),
        ({"audiences": []}, "audiences"),
        ({"audiences": [""]}, "audiences"),
        ({"audiences": [EXCHANGE] * 11}, "audiences"),
        ({"subject": ""}, "subject"),
        ({"subject": " a"}, "subject"),
        ({"subject": "a\n"}, "subject"),
        ({"subject": "a\0b"}, "subject"),
        ({"subject": "a" * 601}, "subject"),
        ({"subject": None}, "subject"),
        ({"expression": "claims['sub'] eq 'a'"}, "subject"),
        ({"match": Match.PATTERN}, "subject"),
        ({"subject": None, "expression": "everything"}, "claimsMatchingExpression"),
    ],
)
def test_a_credential_that_makes_no_sense_is_refused_with_the_property_named(
    changes: dict[str, object], name: str
) -> None:
    with pytest.raises(CredentialInvalid) as raised:
        credential(**changes)
    assert raised.value.name == name


@given(st.text(max_size=30), st.text(max_size=30), st.lists(st.text(max_size=10), max_size=3))
def test_only_the_very_texts_are_accepted(issuer: str, subject: str, audiences: list[str]) -> None:
    claims = Claims(issuer, subject, tuple(audiences), {})
    accepted = (issuer, subject) == (GITHUB, SUBJECT) and EXCHANGE in audiences
    assert isinstance(find_credential(claims, [credential()]), FederatedCredential) == accepted
