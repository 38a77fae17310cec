"""Names of places. All is where the deployment is; Azure's usual names mean the same, so that templates run."""

from collections.abc import Iterable, Mapping
from typing import Final

from entrepot.errors import Kind, Problem

# Azure's physical regions, each with the name that people read.
AZURE: Final[dict[str, str]] = {
    "australiaeast": "Australia East",
    "australiasoutheast": "Australia Southeast",
    "brazilsouth": "Brazil South",
    "canadacentral": "Canada Central",
    "canadaeast": "Canada East",
    "centralindia": "Central India",
    "centralus": "Central US",
    "eastasia": "East Asia",
    "eastus": "East US",
    "eastus2": "East US 2",
    "francecentral": "France Central",
    "germanywestcentral": "Germany West Central",
    "israelcentral": "Israel Central",
    "italynorth": "Italy North",
    "japaneast": "Japan East",
    "japanwest": "Japan West",
    "koreacentral": "Korea Central",
    "koreasouth": "Korea South",
    "mexicocentral": "Mexico Central",
    "newzealandnorth": "New Zealand North",
    "northcentralus": "North Central US",
    "northeurope": "North Europe",
    "norwayeast": "Norway East",
    "polandcentral": "Poland Central",
    "qatarcentral": "Qatar Central",
    "southafricanorth": "South Africa North",
    "southcentralus": "South Central US",
    "southeastasia": "Southeast Asia",
    "southindia": "South India",
    "spaincentral": "Spain Central",
    "swedencentral": "Sweden Central",
    "switzerlandnorth": "Switzerland North",
    "switzerlandwest": "Switzerland West",
    "uaenorth": "UAE North",
    "uksouth": "UK South",
    "ukwest": "UK West",
    "westcentralus": "West Central US",
    "westeurope": "West Europe",
    "westindia": "West India",
    "westus": "West US",
    "westus2": "West US 2",
    "westus3": "West US 3",
}


def locations(region: str, names: Iterable[str]) -> dict[str, str]:
    """Every name that a resource may give, with what people read; the deployment's own first.

    ``names``: those that the operator chose in place of Azure's.
    """
    return {region: region, **({name: AZURE.get(name, name) for name in names} or AZURE)}


def parse_location(text: str, known: Mapping[str, str]) -> str:
    """A place's name; ``East US`` and ``eastus`` are one. Raises RESOURCE_INVALID."""
    name = text.replace(" ", "").lower()
    if name not in known:
        raise Problem(
            Kind.RESOURCE_INVALID,
            code="LocationNotAvailableForResourceType",
            target="location",
            reason=f"the location '{text[:64]}' is not known. It is one of: {', '.join(known)}",
        )
    return name
