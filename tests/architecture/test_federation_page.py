"""The pages on federation show patterns and what they fit: they do."""

import re

import pytest
from tests.architecture.source import ROOT

from entrepot.identities.federation.expressions import ClaimExpression
from entrepot.identities.federation.model import Claims
from entrepot.identities.federation.subjects import SubjectPattern

PAGES = (ROOT / "docs" / "concepts" / "federation.md", *sorted((ROOT / "docs" / "guide" / "federation").glob("*.md")))
PAGE = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
ROWS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)
EXPRESSIONS = re.findall(r"^claims\[.*$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("pattern", "fits", "does_not"), ROWS)
def test_a_pattern_of_the_page_fits_what_the_page_says(pattern: str, fits: str, does_not: str) -> None:
    parsed = SubjectPattern.parse(pattern)
    assert parsed.accepts(Claims("", fits, (), {}))
    assert not parsed.accepts(Claims("", does_not, (), {}))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_of_the_page_is_one(expression: str) -> None:
    assert ClaimExpression.parse(expression).text == expression
