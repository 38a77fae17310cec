from collections import Counter

import pytest

from entrepot.access.model import Action, All, OwnUpload, Public, SignedIn
from entrepot.distribution.routes import ROUTES as DISTRIBUTION
from entrepot.metadata.helm import ROUTES as HELM
from entrepot.metadata.routes import ROUTES as METADATA
from entrepot.oauth.routes import ROUTES as OAUTH
from entrepot.web.rates import DELETES, LISTS_REFERRERS, READS, SIGNS_IN, WRITES

EVERY = [*DISTRIBUTION, *METADATA, *HELM, *OAUTH]


def test_no_method_and_path_stands_in_two_rows() -> None:
    rows = Counter((route.method, route.path) for route in EVERY)
    assert [row for row, count in rows.items() if count > 1] == []


@pytest.mark.parametrize("route", EVERY, ids=lambda route: f"{route.method} {route.path}")
def test_every_row_says_who_may_and_why_if_it_is_everyone(route) -> None:
    assert isinstance(route.access, Action | All | OwnUpload | Public | SignedIn)
    if isinstance(route.access, Public | SignedIn):
        assert len(route.access.reason) > 20


@pytest.mark.parametrize("route", EVERY, ids=lambda route: f"{route.method} {route.path}")
def test_what_changes_something_asks_for_more_than_reading(route) -> None:
    if route.method in {"PUT", "PATCH", "POST", "DELETE"} and not isinstance(route.access, Public):
        assert route.access not in {Action.CONTENT_READ, Action.METADATA_READ, Action.CATALOG_LIST}
        assert isinstance(route.access, Action | All | OwnUpload)


@pytest.mark.parametrize("route", EVERY, ids=lambda route: f"{route.method} {route.path}")
def test_every_row_says_which_request_rates_it_counts_against(route) -> None:
    """By its method, as ACR's categories are; lists of referrers and the token endpoints have their own."""
    by_method = {"GET": READS, "PUT": WRITES, "PATCH": WRITES, "POST": WRITES, "DELETE": DELETES}
    special = {"oauth2": SIGNS_IN, "referrers": LISTS_REFERRERS}
    named = [pools for word, pools in special.items() if word in route.path.split("/")]
    assert route.pools == (named[0] if named else by_method[route.method])


def test_every_endpoint_of_the_specification_is_served() -> None:
    """distribution-spec "Endpoints", end-1 to end-14."""
    specified = {
        ("GET", "/v2/"),
        ("GET", "/v2/{repository}/blobs/{digest}"),
        ("GET", "/v2/{repository}/manifests/{reference}"),
        ("POST", "/v2/{repository}/blobs/uploads/"),
        ("PATCH", "/v2/{repository}/blobs/uploads/{upload}"),
        ("PUT", "/v2/{repository}/blobs/uploads/{upload}"),
        ("PUT", "/v2/{repository}/manifests/{reference}"),
        ("GET", "/v2/{repository}/tags/list"),
        ("DELETE", "/v2/{repository}/manifests/{reference}"),
        ("DELETE", "/v2/{repository}/blobs/{digest}"),
        ("GET", "/v2/{repository}/referrers/{digest}"),
        ("GET", "/v2/{repository}/blobs/uploads/{upload}"),
        ("DELETE", "/v2/{repository}/blobs/uploads/{upload}"),
    }
    assert specified <= {(route.method, route.path) for route in DISTRIBUTION}
