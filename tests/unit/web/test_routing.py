import time

import pytest

from entrepot.errors import Kind, Problem
from entrepot.web.routing import Route, RouteTable

TABLE = RouteTable(
    [
        Route("GET", "/v2/{repository}/manifests/{reference}", "get", "read"),
        Route("PUT", "/v2/{repository}/manifests/{reference}", "put", "write"),
        Route("GET", "/v2/{repository}/blobs/uploads/{upload}", "status", "own"),
        Route("GET", "/v2/", "ping", "any"),
        Route("GET", "/v2/_catalog", "catalog", "list"),
    ]
)


@pytest.mark.parametrize(
    ("path", "handler", "params"),
    [
        ("/v2/a/manifests/b", "get", {"repository": "a", "reference": "b"}),
        ("/v2/a/b/c/manifests/d", "get", {"repository": "a/b/c", "reference": "d"}),
        ("/v2/a/manifests/b/manifests/c", "get", {"repository": "a/manifests/b", "reference": "c"}),
        ("/v2/a%2fb/manifests/%00", "get", {"repository": "a%2fb", "reference": "%00"}),
        ("/v2//manifests/b", "get", {"repository": "", "reference": "b"}),
        ("/v2/a/blobs/uploads/u", "status", {"repository": "a", "upload": "u"}),
        ("/v2/", "ping", {}),
        ("/v2/_catalog", "catalog", {}),
    ],
)
def test_a_path_finds_its_row_and_its_parameters_still_encoded(path: str, handler: str, params: dict[str, str]) -> None:
    route, found = TABLE.find("GET", path)
    assert (route.handler, found) == (handler, params)


def test_head_goes_where_get_goes() -> None:
    assert TABLE.find("HEAD", "/v2/")[0].handler == "ping"


@pytest.mark.parametrize(
    "path", ["", "/", "/v2", "/v2/a/manifests/", "/v2/a/manifests/b/c", "/v2/a/manifests/b\n", "x/v2/"]
)
def test_what_stands_in_no_row_is_not_served(path: str) -> None:
    with pytest.raises(Problem) as refusal:
        TABLE.find("GET", path)
    assert refusal.value.kind is Kind.ROUTE_UNKNOWN


def test_another_method_is_told_which_there_are() -> None:
    with pytest.raises(Problem) as refusal:
        TABLE.find("DELETE", "/v2/a/manifests/b")
    assert refusal.value.kind is Kind.METHOD_NOT_ALLOWED
    assert refusal.value.detail["allowed"] == "GET, PUT"


def test_no_path_takes_long_to_look_up() -> None:
    started = time.process_time()
    for path in ("/v2/" + "/manifests" * 20_000 + "/", "/v2/" + "a/blobs/uploads/" * 10_000 + "/", "/" * 200_000):
        with pytest.raises(Problem):
            TABLE.find("GET", path)
    assert time.process_time() - started < 1
