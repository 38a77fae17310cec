"""Graph keeps federated identity credentials of applications: what was made is what signs in."""

import pytest
from tests.management import GRAPH, Json, Management, management
from tests.registry import Registry

from entrepot.identities import queries
from entrepot.identities.federation.credentials import Match
from entrepot.identities.federation.expressions import ClaimExpression
from entrepot.identities.outside import federated_of

NAME = "main"
TRUSTED = {
    "name": NAME,
    "issuer": "https://issuer.example",
    "subject": "repo:octo-org/app:ref:refs/heads/main",
    "audiences": ["api://AzureADTokenExchange"],
    "description": "Builds of main.",
}
LONG = " and ".join(f"claims['sub'] matches 'repo:octo-org/{'a' * 500}*'" for _ in range(5))
EXPRESSION = {"value": "claims['sub'] matches 'repo:octo-org/*'", "languageVersion": 1}


@pytest.fixture
async def graph(registry: Registry) -> Management:
    found = await management(registry, audience=GRAPH)
    return Management(found.http, found.subscription, None)


@pytest.fixture
async def application(graph: Management) -> Json:
    return (await graph.post("/v1.0/applications", {"displayName": "ci"})).json()


@pytest.fixture
def path(application: Json) -> str:
    return f"/v1.0/applications/{application['id']}/federatedIdentityCredentials"


def kept(registry: Registry, application: Json) -> list:
    """What the token endpoint looks at."""
    principal = registry.query(lambda tx: queries.principal_by_client_id(tx, application["appId"]))
    return list(registry.query(lambda tx: federated_of(tx, principal.id)).values())


async def test_what_is_made_is_shown_by_id_and_by_name_listed_and_signs_in(
    graph: Management, registry: Registry, application: Json, path: str
) -> None:
    made = await graph.post(path, TRUSTED)
    assert made.status == 201, made.body
    document = made.json()
    expected = {**TRUSTED, "match": "exact", "claimsMatchingExpression": None}
    assert {name: document[name] for name in expected} == expected
    for wanted in (document["id"], NAME):
        assert (await graph.get(f"{path}/{wanted}")).json() == document
    assert (await graph.get(path)).json()["value"] == [document]
    (found,) = kept(registry, application)
    assert (found.issuer, found.audiences) == (TRUSTED["issuer"], tuple(TRUSTED["audiences"]))
    assert found.rule.text == TRUSTED["subject"]


async def test_a_list_is_filtered_and_paged(graph: Management, path: str) -> None:
    for name in ("one", "two", "three"):
        assert (await graph.post(path, {**TRUSTED, "name": name, "subject": f"repo:octo-org/{name}"})).status == 201
    asked = await graph.get(path, None, filter="name eq 'two'")
    assert [each["subject"] for each in asked.json()["value"]] == ["repo:octo-org/two"]
    target, found = f"{path}?$top=2", []
    while target:
        page = (await graph.http.get(target)).json()
        found += [each["name"] for each in page["value"]]
        target = page.get("@odata.nextLink", "").removeprefix("http://localhost:5000")
    assert sorted(found) == ["one", "three", "two"]


async def test_a_pattern_is_one_where_it_says_so(
    graph: Management, registry: Registry, application: Json, path: str
) -> None:
    wanted = {**TRUSTED, "subject": "repo:octo-org/app:ref:refs/heads/*", "match": "pattern"}
    assert (await graph.post(path, wanted)).json()["match"] == Match.PATTERN
    assert (await graph.post(path, {**wanted, "name": "letters", "match": "exact"})).status == 201
    rules = {each.name: type(each.rule).__name__ for each in kept(registry, application)}
    assert rules == {NAME: "SubjectPattern", "letters": "ExactSubject"}


async def test_an_expression_stands_in_a_subjects_place(
    graph: Management, registry: Registry, application: Json, path: str
) -> None:
    wanted = {name: value for name, value in TRUSTED.items() if name != "subject"}
    made = (await graph.post(path, {**wanted, "claimsMatchingExpression": EXPRESSION})).json()
    assert (made["subject"], made["claimsMatchingExpression"]) == (None, EXPRESSION)
    (found,) = kept(registry, application)
    assert isinstance(found.rule, ClaimExpression)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"subject": "repo:octo-org/app:pull_request"}, {"subject": "repo:octo-org/app:pull_request"}),
        ({"claimsMatchingExpression": EXPRESSION}, {"subject": None, "claimsMatchingExpression": EXPRESSION}),
        ({"audiences": ["api://other"], "description": None}, {"audiences": ["api://other"], "description": None}),
        ({"name": NAME, "issuer": "https://other.example"}, {"issuer": "https://other.example"}),
    ],
    ids=str,
)
async def test_a_credential_is_changed_where_it_is_asked_for(
    graph: Management, path: str, change: Json, shown: Json
) -> None:
    before = (await graph.post(path, TRUSTED)).json()
    assert (await graph.patch(f"{path}/{NAME}", change)).status == 204
    assert (await graph.get(f"{path}/{before['id']}")).json() == {**before, **shown}


async def test_an_expression_is_changed_back_into_a_subject(graph: Management, path: str) -> None:
    before = (await graph.post(path, TRUSTED)).json()
    for change in ({"claimsMatchingExpression": EXPRESSION}, {"subject": TRUSTED["subject"]}):
        assert (await graph.patch(f"{path}/{NAME}", change)).status == 204
    assert (await graph.get(f"{path}/{NAME}")).json() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "a name"}, "name"),
        ({"name": "../x"}, "name"),
        ({"name": None}, "name"),
        ({"issuer": "http://issuer.example"}, "issuer"),
        ({"subject": None}, "subject"),
        ({"subject": "repo:*", "match": "pattern"}, "first two segments"),
        ({"match": "regex"}, "exact, pattern"),
        ({"audiences": []}, "audiences"),
        ({"audiences": "api://AzureADTokenExchange"}, "audiences"),
        ({"claimsMatchingExpression": EXPRESSION}, "either a subject or"),
        ({"subject": None, "claimsMatchingExpression": {**EXPRESSION, "languageVersion": 2}}, "languageVersion"),
        ({"subject": None, "claimsMatchingExpression": {"value": "claims['sub'] matches '*'"}}, "first two segments"),
        ({"description": "d" * 601}, "description"),
        ({"description": "a\0b"}, "description"),
        ({"subject": None, "claimsMatchingExpression": {"value": LONG}}, "2048 characters"),
        ({"subject": "repo:octo-org/" + "a" * 600}, "600 characters"),
        ({"issuer": "https://issuer.example/" + "a" * 600}, "issuer"),
    ],
    ids=lambda case: str(case)[:60],
)
async def test_a_credential_that_cannot_be_meant_is_refused(
    graph: Management, path: str, change: Json, reason: str
) -> None:
    answer = await graph.post(path, {**TRUSTED, **change})
    assert (answer.status, answer.json()["error"]["code"]) == (400, "Request_BadRequest")
    assert reason in answer.json()["error"]["message"]
    assert (await graph.get(path)).json()["value"] == []


async def test_a_name_is_one_credentials_and_stays(graph: Management, path: str) -> None:
    assert (await graph.post(path, TRUSTED)).status == 201
    again = await graph.post(path, {**TRUSTED, "subject": "repo:octo-org/other"})
    assert (again.status, again.json()["error"]["code"]) == (409, "Request_MultipleObjectsWithSameKeyValue")
    assert (await graph.patch(f"{path}/{NAME}", {"name": "other"})).status == 400


async def test_an_application_has_twenty_and_no_more(graph: Management, path: str) -> None:
    for number in range(20):
        assert (await graph.post(path, {**TRUSTED, "name": f"n{number}"})).status == 201
    assert (await graph.post(path, TRUSTED)).status == 400


async def test_what_is_deleted_is_gone_and_only_the_applications_own_are_found(graph: Management, path: str) -> None:
    made = (await graph.post(path, TRUSTED)).json()
    other = (await graph.post("/v1.0/applications", {"displayName": "other"})).json()
    theirs = f"/v1.0/applications/{other['id']}/federatedIdentityCredentials/{made['id']}"
    for method in ("GET", "PATCH", "DELETE"):
        assert (await graph.send(method, theirs, {})).status == 404
    assert [(await graph.delete(f"{path}/{made['id']}")).status for _ in range(2)] == [204, 404]
    assert (await graph.get(path)).json()["value"] == []
