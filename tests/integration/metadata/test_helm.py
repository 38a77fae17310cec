"""Helm 2's chart repositories: every route says where charts go instead, whoever asks."""

import pytest
from tests.content import an_image
from tests.registry import Registry, Repository

from entrepot.metadata.helm import ROUTES


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_the_answer_names_oci_charts_and_is_the_same_to_everybody(
    registry: Registry, app: Repository, route
) -> None:
    await app.push(an_image("chart"), "v1")
    answers = [
        await client.send(route.method, route.path.format(charts=charts, chart="app", version="1", file="app-1.tgz"))
        for client in (registry.nobody, registry.http, registry.nobody.signed_in("nobody", "wrong"))
        for charts in ("app", "repo")  # the first is a repository's name, too
    ]
    assert [answer.status for answer in answers] == [405] * len(answers)
    assert len({bytes(answer.body) for answer in answers}) == 1
    (error,) = answers[0].json()["errors"]
    assert error["code"] == "UNSUPPORTED"
    assert f"helm push chart.tgz oci://{registry.host}/charts" in error["message"]


async def test_what_else_lies_there_is_not_served(registry: Registry) -> None:
    assert (await registry.http.get("/helm/v1/repo")).status == 404
    assert (await registry.http.put("/helm/v1/repo/_charts", b"")).status == 405
