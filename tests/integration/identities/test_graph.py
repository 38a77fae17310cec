import base64
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection
from tests.integration.rows import add_principal
from tests.management import ARM, GRAPH, Json, Management, management
from tests.registry import OWNER, Registry

from entrepot.identities.graph.kit import CHANGE
from entrepot.identities.graph.routes import ROUTES
from entrepot.identities.model import New
from entrepot.identities.people import add_person, set_password
from entrepot.identities.queries import tenants

NOBODY = "00000000-0000-0000-0000-00000000dead"


@pytest.fixture
async def graph(registry: Registry) -> Management:
    return await _graph(registry)


async def _graph(registry: Registry, client_id: str = OWNER) -> Management:
    found = await management(registry, client_id, GRAPH)
    return Management(found.http, found.subscription, None)


@pytest.fixture
async def guest(registry: Registry) -> Management:
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=None))
    return await _graph(registry, "guest")


def certificate() -> str:
    """DER in base64, as az sends it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=3650))
    return base64.b64encode(built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)).decode()


async def made(graph: Management, path: str, body: Json) -> Json:
    answer = await graph.post(f"/v1.0{path}", body)
    assert answer.status == 201, answer.body
    return answer.json()


async def values(graph: Management, path: str, text: str | None = None) -> list[Json]:
    query = {} if text is None else {"filter": text}
    answer = await graph.get(f"/v1.0{path}", None, **query)
    assert answer.status == 200, answer.body
    return answer.json()["value"]


async def test_an_application_gets_a_service_principal_and_a_secret_that_signs_in(
    graph: Management, registry: Registry
) -> None:
    """What ``az ad sp create-for-rbac`` does, step by step."""
    application = await made(graph, "/applications", {"displayName": "ci"})
    path = f"/v1.0/applications/{application['id']}"
    wanted = {"passwordCredential": {"displayName": "rbac", "endDateTime": "2025-01-01T00:00:00Z"}}
    secret = (await graph.post(f"{path}/addPassword", wanted)).json()
    assert (await values(graph, "/servicePrincipals", f"appId eq '{application['appId']}'")) == []
    principal = await made(graph, "/servicePrincipals", {"appId": application["appId"]})
    assert principal["servicePrincipalNames"] == [application["appId"]]
    http = registry.nobody.signed_in(application["appId"], secret["secretText"])
    issued = await http.get("/oauth2/token?service=localhost:5000")
    claims = jwt.decode(issued.json()["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["cred"]) == (principal["id"], secret["keyId"])
    (shown,) = (await graph.get(path)).json()["passwordCredentials"]
    assert (shown["keyId"], shown["secretText"], shown["displayName"]) == (secret["keyId"], None, "rbac")
    assert secret["secretText"].startswith(shown["hint"])
    assert (await graph.post(f"{path}/removePassword", {"keyId": secret["keyId"]})).status == 204
    assert (await graph.get(path)).json()["passwordCredentials"] == []


async def test_a_service_principal_is_asked_for_once(graph: Management) -> None:
    application = await made(graph, "/applications", {"displayName": "ci"})
    await made(graph, "/servicePrincipals", {"appId": application["appId"]})
    again = await graph.post("/v1.0/servicePrincipals", {"appId": application["appId"]})
    assert (again.status, again.json()["error"]["code"]) == (409, "Request_MultipleObjectsWithSameKeyValue")
    unknown = await graph.post("/v1.0/servicePrincipals", {"appId": NOBODY})
    assert unknown.status == 400
    assert "does not reference a valid application object" in unknown.json()["error"]["message"]


async def test_certificates_come_with_the_application_and_go_with_the_list(graph: Management) -> None:
    keys = [{"type": "AsymmetricX509Cert", "usage": "Verify", "key": certificate()}]
    application = await made(graph, "/applications", {"displayName": "ci", "keyCredentials": keys})
    path, (first,) = f"/v1.0/applications/{application['id']}", application["keyCredentials"]
    kept = {"keyId": first["keyId"], "type": "AsymmetricX509Cert", "usage": "Verify"}
    assert (await graph.patch(path, {"keyCredentials": [kept, {**keys[0], "key": certificate()}]})).status == 204
    shown = (await graph.get(path)).json()["keyCredentials"]
    assert len(shown) == 2
    assert first["keyId"] in {each["keyId"] for each in shown}
    assert (await graph.patch(path, {"keyCredentials": []})).status == 204
    assert (await graph.get(path)).json()["keyCredentials"] == []


@pytest.mark.parametrize("key", ["", "bm90IGEgY2VydGlmaWNhdGU=", "%%%"])
async def test_what_is_no_certificate_is_refused(graph: Management, key: str) -> None:
    body = {"displayName": "ci", "keyCredentials": [{"key": key}]}
    assert (await graph.post("/v1.0/applications", body)).status == 400
    assert await values(graph, "/applications", "displayName eq 'ci'") == []


async def test_an_application_is_changed_where_it_is_asked_for(graph: Management) -> None:
    web = {"redirectUris": ["https://app.example/back"]}
    application = await made(graph, "/applications", {"displayName": "ci", "web": web})
    path = f"/v1.0/applications/{application['id']}"
    assert (await graph.patch(path, {"displayName": "cd", "identifierUris": ["api://cd"]})).status == 204
    shown = (await graph.get(path)).json()
    assert (shown["displayName"], shown["identifierUris"], shown["web"]) == ("cd", ["api://cd"], web)


@pytest.mark.parametrize(
    "written",
    [
        {"web": {"redirectUris": ["http://app.example/back"]}},
        {"web": {"redirectUris": ["https://app.example/back#here"]}},
        {"web": {"redirectUris": ["https://*.example/back"]}},
        {"web": {"redirectUris": ["https://user@app.example/back"]}},
        {"spa": {"redirectUris": ["app://back"]}},
        {"publicClient": {"redirectUris": ["javascript:alert(1)"]}},
        {"publicClient": {"redirectUris": ["http://app.example"]}},
        {"web": {"redirectUris": ["https://a.example/" + "x" * 2000]}},
        {"displayName": ""},
        {"displayName": 1},
        {"passwordCredentials": [{}]},
    ],
)
async def test_an_application_that_could_not_be_safe_is_refused(graph: Management, written: Json) -> None:
    assert (await graph.post("/v1.0/applications", {"displayName": "ci", **written})).status == 400


async def test_a_deleted_service_principal_leaves_its_application_without_rights(
    graph: Management, registry: Registry
) -> None:
    application = await made(graph, "/applications", {"displayName": "ci"})
    principal = await made(graph, "/servicePrincipals", {"appId": application["appId"]})
    group = await made(graph, "/groups", {"displayName": "g", "mailNickname": "g", "mailEnabled": False})
    reference = {"@odata.id": f"https://graph.microsoft.com/v1.0/directoryObjects/{principal['id']}"}
    assert (await graph.post(f"/v1.0/groups/{group['id']}/members/$ref", reference)).status == 204
    assert (await graph.delete(f"/v1.0/servicePrincipals/{principal['id']}")).status == 204
    assert (await graph.get(f"/v1.0/servicePrincipals/{principal['id']}")).status == 404
    assert (await graph.get(f"/v1.0/applications/{application['id']}")).status == 200
    assert await values(graph, f"/groups/{group['id']}/members") == []


async def test_a_deleted_application_takes_its_service_principal_along(graph: Management) -> None:
    application = await made(graph, "/applications", {"displayName": "ci"})
    principal = await made(graph, "/servicePrincipals", {"appId": application["appId"]})
    assert (await graph.delete(f"/v1.0/applications/{application['id']}")).status == 204
    assert (await graph.get(f"/v1.0/servicePrincipals/{principal['id']}")).status == 404


async def test_a_disabled_service_principal_shows_as_such(graph: Management) -> None:
    application = await made(graph, "/applications", {"displayName": "ci"})
    path = f"/v1.0/servicePrincipals/{(await made(graph, '/servicePrincipals', {'appId': application['appId']}))['id']}"
    assert (await graph.patch(path, {"accountEnabled": False})).status == 204
    assert (await graph.get(path)).json()["accountEnabled"] is False


@pytest.mark.parametrize(
    ("collection", "text", "count"),
    [
        ("servicePrincipals", "servicePrincipalNames/any(c:c eq 'APPID')", 1),
        ("servicePrincipals", "servicePrincipalNames/any(c:c eq 'api://it''s')", 1),
        ("servicePrincipals", "servicePrincipalNames/any(c:c eq 'api://it')", 0),
        ("servicePrincipals", "displayName eq 'NAMED'", 1),
        ("servicePrincipals", "startswith(displayName,'nam')", 1),
        ("servicePrincipals", "startswith(displayName,'n_m')", 0),
        ("applications", "appId eq 'APPID'", 1),
        ("applications", "identifierUris/any(s:s eq 'api://it''s')", 1),
        ("applications", "displayName eq 'named' and appId eq 'other'", 0),
        ("users", "userPrincipalName eq 'Ada@example.com'", 1),
        ("users", "startswith(displayName,'ada')", 1),
        ("groups", "displayName eq 'team' and mailNickname eq 'crew'", 1),
        ("groups", "mailNickname eq 'cre'", 0),
    ],
)
async def test_what_az_filters_for_is_found(
    graph: Management, registry: Registry, collection: str, text: str, count: int
) -> None:
    add_ada(registry)
    body = {"displayName": "named", "identifierUris": ["api://it's"]}
    application = await made(graph, "/applications", body)
    await made(graph, "/servicePrincipals", {"appId": application["appId"]})
    await made(graph, "/groups", {"displayName": "team", "mailNickname": "crew"})
    found = await values(graph, f"/{collection}", text.replace("APPID", application["appId"]))
    assert len(found) == count


async def test_a_filter_that_is_not_understood_is_refused(graph: Management) -> None:
    answer = await graph.get("/v1.0/users", filter="jobTitle eq 'x'")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "Request_BadRequest")


async def test_a_collection_comes_page_by_page(graph: Management) -> None:
    for name in "abc":
        await made(graph, "/groups", {"displayName": name})
    target, found = "/v1.0/groups?$top=2", []
    while target:
        page = (await graph.http.get(target)).json()
        found += [each["displayName"] for each in page["value"]]
        target = page.get("@odata.nextLink", "").removeprefix("http://localhost:5000")
    assert sorted(found) == ["a", "b", "c"]


async def test_groups_hold_groups_and_tell_who_is_in_them(graph: Management) -> None:
    outer = await made(graph, "/groups", {"displayName": "outer"})
    inner = await made(graph, "/groups", {"displayName": "inner"})
    application = await made(graph, "/applications", {"displayName": "ci"})
    principal = await made(graph, "/servicePrincipals", {"appId": application["appId"]})
    for group, member in ((outer, inner), (inner, principal)):
        reference = {"@odata.id": f"http://localhost:5000/v1.0/directoryObjects/{member['id']}"}
        assert (await graph.post(f"/v1.0/groups/{group['id']}/members/$ref", reference)).status == 204
    whose = f"/v1.0/directoryObjects/{principal['id']}"
    asked = {"groupIds": [outer["id"], NOBODY]}
    assert (await graph.post(f"{whose}/checkMemberGroups", asked)).json()["value"] == [outer["id"]]
    every = await graph.post(f"{whose}/getMemberGroups", {"securityEnabledOnly": True})
    assert every.json()["value"] == sorted([outer["id"], inner["id"]])
    assert [each["id"] for each in await values(graph, f"/groups/{outer['id']}/members")] == [inner["id"]]
    gone = f"/v1.0/groups/{inner['id']}/members/{principal['id']}/$ref"
    assert [(await graph.delete(gone)).status for _ in range(2)] == [204, 404]


async def test_whom_ids_mean_is_told_all_at_once(graph: Management, registry: Registry) -> None:
    """Az shows the names of role assignments so."""
    ada = add_ada(registry)
    (owner,) = await values(graph, "/servicePrincipals")
    asked = {"ids": [owner["id"], ada, NOBODY], "types": ["user", "group", "servicePrincipal"]}
    answer = (await graph.post("/v1.0/directoryObjects/getByIds", asked)).json()["value"]
    assert {each["@odata.type"]: each["id"] for each in answer} == {
        "#microsoft.graph.servicePrincipal": owner["id"],
        "#microsoft.graph.user": ada,
    }


async def test_a_person_is_found_by_id_by_name_and_as_themselves(graph: Management, registry: Registry) -> None:
    ada = add_ada(registry)
    hers = await _graph(registry, "ada@example.com")
    assert (await hers.get("/v1.0/me")).json()["id"] == ada
    for wanted in (ada, "Ada@example.com"):
        shown = (await graph.get(f"/v1.0/users/{wanted}")).json()
        assert (shown["id"], shown["userPrincipalName"], shown["accountEnabled"]) == (ada, "ada@example.com", True)
    assert (await graph.get("/v1.0/me")).status == 400


def add_ada(registry: Registry) -> str:
    """A person who can sign in; her object id."""
    ada = "0da00000-0000-0000-0000-000000000ada"

    def add(tx: Connection) -> None:
        (tenant,) = tenants(tx)
        person = add_person(tx, New(ada, registry.clock()), tenant.id, "ada@example.com", "Ada")
        set_password(tx, person, New(f"{ada[:-1]}b", registry.clock()), "no-hash", must_change=False)

    registry.query(add)
    return ada


async def test_everybody_of_the_directory_reads_it(guest: Management) -> None:
    for collection in ("users", "groups", "applications", "servicePrincipals"):
        await values(guest, f"/{collection}")
    (shown,) = await values(guest, "/servicePrincipals", "displayName eq 'guest'")
    assert (await guest.get(f"/v1.0/directoryObjects/{shown['id']}")).json() == shown


async def test_who_may_not_give_roles_changes_nothing(guest: Management) -> None:
    changing = [route for route in ROUTES if route.access is CHANGE]
    assert len(changing) > 10
    for route in changing:
        path = route.path.replace("{", "").replace("}", "")
        answer = await guest.send(route.method, path, {})
        assert (answer.status, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied"), route.path


async def test_a_token_of_the_management_api_is_none_of_graphs(registry: Registry) -> None:
    found = await management(registry, audience=ARM)
    answer = await Management(found.http, found.subscription, None).get("/v1.0/users")
    assert (answer.status, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize("wanted", [NOBODY, "%00", "x" * 500, "%27"])
@pytest.mark.parametrize("collection", ["users", "groups", "applications", "servicePrincipals", "directoryObjects"])
async def test_who_is_not_there_is_told_in_graphs_words(graph: Management, collection: str, wanted: str) -> None:
    answer = await graph.get(f"/v1.0/{collection}/{wanted}")
    assert (answer.status, answer.json()["error"]["code"]) == (404, "Request_ResourceNotFound")
    assert "does not exist" in answer.json()["error"]["message"]
