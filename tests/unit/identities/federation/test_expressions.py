import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identities.federation.expressions import ClaimExpression
from entrepot.identities.federation.model import Claims

CLAIMS = {
    "sub": "repo:contoso/app:ref:refs/heads/feature/one",
    "job_workflow_ref": "contoso/flows/.github/workflows/build.yml@refs/heads/main",
    "environment": "prod",
    "empty": "",
}
SUB = "claims['sub'] matches 'repo:contoso/*'"


def accepts(expression: str) -> bool:
    claims = Claims("https://idp.example", CLAIMS["sub"], ("aud",), CLAIMS)
    return ClaimExpression.parse(expression).accepts(claims)


@pytest.mark.parametrize(
    "expression",
    [
        SUB,
        "claims['sub'] eq 'repo:contoso/app:ref:refs/heads/feature/one'",
        "claims['sub'] matches 'repo:contoso/app:ref:refs/heads/*'",
        "claims['sub'] matches 'repo:contoso/ap?:ref:refs/heads/*/???'",
        f"{SUB} and claims['environment'] eq 'prod'",
        f"claims['environment'] matches 'p*' and {SUB}",
        f"{SUB} and claims['job_workflow_ref'] matches 'contoso/flows/*@refs/heads/main'",
    ],
)
def test_an_expression_in_entra_s_language_accepts_what_it_accepts_there(expression: str) -> None:
    assert accepts(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "claims['sub'] matches 'repo:contoso/app:ref:refs/tags/*'",
        "claims['sub'] matches 'repo:contoso/app?:ref:*'",
        "claims['sub'] eq 'repo:contoso/app'",
        "claims['sub'] matches 'REPO:contoso/*'",
        f"{SUB} and claims['environment'] eq 'prod2'",
        f"{SUB} and claims['environment'] matches 'prod?'",
        f"{SUB} and claims['missing'] matches '*'",
        f"{SUB} and claims['empty'] matches '?*'",
    ],
)
def test_an_expression_accepts_nothing_else(expression: str) -> None:
    assert not accepts(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "claims['sub']",
        "claims['sub'] matches",
        "claims['sub'] matches repo:contoso/*",
        'claims["sub"] matches "repo:contoso/*"',
        "claims[\u2018sub\u2019] matches \u2018repo:contoso/*\u2019",
        "claims.sub matches 'repo:contoso/*'",
        "claims['sub'] MATCHES 'repo:contoso/*'",
        "claims['sub']  matches 'repo:contoso/*'",
        " claims['sub'] matches 'repo:contoso/*'",
        "claims['sub'] matches 'repo:contoso/*' ",
        "claims['sub'] matches 'repo:contoso/*'.",
        "claims['sub'] matches 'repo:contoso/*' or claims['sub'] eq 'x'",
        "claims['sub'] matches 'repo:contoso/*' and",
        "claims['sub'] matches 'repo:contoso/*' and not claims['a'] eq 'x'",
        "(claims['sub'] matches 'repo:contoso/*')",
        "claims['sub'] in 'repo:contoso/*'",
        "claims['sub'] matches 'it''s:contoso/*'",
        "claims['sub'] matches ''",
        "claims[''] eq 'x'",
        "claims['sub'] eq 'repo:contoso/*'",
        "claims['sub'] eq 'repo:contoso\n'",
        " and ".join([SUB] * 11),
    ],
)
def test_what_is_not_in_the_language_is_an_error(expression: str) -> None:
    with pytest.raises(ValueError, match=r"character|at most|eq compares"):
        ClaimExpression.parse(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "claims['environment'] eq 'prod'",
        "claims['sub'] matches '*'",
        "claims['sub'] matches 'repo:*'",
        "claims['sub'] matches 'repo:contoso?app:*'",
        "claims['job_workflow_ref'] matches 'contoso/flows/*'",
        "claims['sub'] matches '*' and claims['environment'] eq 'prod'",
    ],
)
def test_an_expression_says_whose_subjects_it_means(expression: str) -> None:
    with pytest.raises(ValueError, match="write out its first two segments"):
        ClaimExpression.parse(expression)


def test_an_error_says_where_it_is() -> None:
    with pytest.raises(ValueError, match=r"at character 43, at \"clams"):
        ClaimExpression.parse(f"{SUB} and clams['a'] eq 'b'")


@given(st.text("claims['sub'] mtheq*?:/and", max_size=60))
def test_any_text_is_an_expression_or_an_error_with_a_reason(text: str) -> None:
    try:
        assert ClaimExpression.parse(text).text == text
    except ValueError as error:
        assert str(error)
