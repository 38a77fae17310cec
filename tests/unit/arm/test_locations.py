import pytest

from entrepot.arm.locations import locations, parse_location
from entrepot.errors import Problem


def test_azures_names_mean_this_site() -> None:
    known = locations("local", ())
    assert [parse_location(text, known) for text in ("East US", "westeurope", "local")] == [
        *("eastus", "westeurope", "local"),
    ]


def test_an_operator_chooses_the_names() -> None:
    known = locations("local", ("eastus", "basement"))
    assert known == {"local": "local", "eastus": "East US", "basement": "basement"}
    with pytest.raises(Problem, match="RESOURCE_INVALID"):
        parse_location("westeurope", known)
