"""Which api-versions each provider has: one shape is served to all, and what nobody sends is told apart.

Source: ACR-REFERENCE 6.1 for registries; for the rest what az, the SDKs and Terraform of 2019 to 2026 send.
"""

from collections.abc import Iterable
from typing import Final

from entrepot.errors import Kind, Problem
from entrepot.web.request import Request

# The header in which answers list them.
SUPPORTED: Final = b"api-supported-versions"

RESOURCES: Final = (
    *("2015-01-01", "2015-11-01", "2016-02-01", "2016-06-01", "2016-07-01", "2016-09-01", "2017-05-10", "2018-02-01"),
    *("2018-05-01", "2018-06-01", "2019-03-01", "2019-05-01", "2019-05-10", "2019-06-01", "2019-07-01", "2019-08-01"),
    *("2019-10-01", "2019-11-01", "2020-01-01", "2020-05-01", "2020-06-01", "2020-08-01", "2020-10-01", "2021-01-01"),
    *("2021-04-01", "2022-01-01", "2022-03-01", "2022-05-01", "2022-06-01", "2022-09-01", "2022-12-01", "2023-07-01"),
    *("2024-03-01", "2024-07-01", "2024-08-01", "2024-11-01", "2025-03-01", "2025-04-01"),
)
AUTHORIZATION: Final = (
    *("2015-07-01", "2018-01-01-preview", "2018-07-01", "2018-09-01-preview", "2020-03-01-preview"),
    *("2020-04-01-preview", "2020-08-01-preview", "2020-10-01-preview", "2021-04-01-preview", "2022-01-01-preview"),
    *("2022-04-01", "2022-05-01-preview"),
)
LOCKS: Final = ("2015-01-01", "2016-09-01", "2017-04-01", "2020-05-01")
CONTAINER_REGISTRY: Final = (
    *("2019-05-01", "2019-06-01-preview", "2019-12-01-preview", "2020-11-01-preview", "2021-06-01-preview"),
    *("2021-08-01-preview", "2021-09-01", "2021-12-01-preview", "2022-02-01-preview", "2022-12-01"),
    *("2023-01-01-preview", "2023-06-01-preview", "2023-07-01", "2023-08-01-preview", "2023-11-01-preview"),
    *("2024-01-01-preview", "2024-11-01-preview", "2025-03-01-preview", "2025-04-01", "2025-05-01-preview"),
    *("2025-06-01-preview", "2025-09-01-preview", "2025-11-01", "2025-12-01-preview", "2026-01-01-preview"),
    *("2026-03-01-preview", "2026-09-01-preview", "2026-11-01"),
)
# Tasks are older than most: the SDKs of 2018 and 2019 ask in versions of their own (ACR-TASKS 5.1).
TASKS: Final = ("2018-09-01", "2019-04-01", *CONTAINER_REGISTRY)


def expect_version(request: Request, known: Iterable[str], what: str) -> None:
    """Raises API_VERSION_INVALID unless the request names one of the versions of ``what``."""
    asked, listed = request.query("api-version"), ", ".join(known)
    if asked is None:
        raise Problem(
            Kind.API_VERSION_INVALID,
            code="MissingApiVersionParameter",
            reason=f"The api-version query parameter (?api-version=) is required. For '{what}' it is one of: {listed}.",
        )
    if asked not in listed.split(", "):
        reason = f"The api-version '{asked[:64]}' is not known for '{what}'. The known ones are: {listed}."
        raise Problem(Kind.API_VERSION_INVALID, reason=reason)
