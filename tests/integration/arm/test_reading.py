"""The API describes itself: to programs as an OpenAPI document, to people as a page that needs nothing but itself."""

from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

from openapi_spec_validator import validate
from tests.documents import ROOT
from tests.registry import Registry

REFERENCE = ROOT / "docs" / "reference"


class Looking(HTMLParser):
    """What a page has: its tags, what they refer to, what can be referred to, its style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.references: set[str] = set()
        self.ids: set[str] = set()
        self.style = ""
        self._in_style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references |= {value for name, value in attrs if name in {"href", "src"} and value}
        self.ids |= {value for name, value in attrs if name == "id" and value}
        self._in_style = tag == "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.style += data

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  the parser hands it over
        self._in_style = False


async def test_who_is_not_signed_in_gets_the_document_that_is_published(registry: Registry) -> None:
    answer = await registry.nobody.get("/openapi.json")
    assert (answer.status, answer["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.body == (REFERENCE / "openapi.json").read_bytes()
    assert answer.json()["openapi"].startswith("3.1.")
    validate(answer.json())


async def test_the_page_needs_no_script_and_nothing_from_elsewhere(registry: Registry) -> None:
    answer = await registry.nobody.get("/openapi")
    assert answer.body == (REFERENCE / "openapi.html").read_bytes()
    found = Looking(answer.body.decode())
    assert found.tags.isdisjoint({"script", "img", "link", "iframe", "form", "object"})
    assert {each for each in found.references if not each.startswith("#")} == {"openapi.json"}
    style = b64encode(sha256(found.style.encode()).digest()).decode()
    assert answer["content-security-policy"].startswith(f"default-src 'none'; style-src 'sha256-{style}'; ")


async def test_the_page_has_every_operation_and_schema_and_leads_to_none_that_is_not(registry: Registry) -> None:
    document = (await registry.nobody.get("/openapi.json")).json()
    found = Looking((await registry.nobody.get("/openapi")).body.decode())
    operations = {each["operationId"] for methods in document["paths"].values() for each in methods.values()}
    schemas = {f"schema-{name}" for name in document["components"]["schemas"]}
    assert operations | schemas <= found.ids
    assert {each[1:] for each in found.references if each.startswith("#")} <= found.ids


async def test_it_is_served_under_the_deployments_own_names_alone(registry: Registry) -> None:
    under_a_registry = registry.nobody.having(host="local.entrepot.localhost:5000")
    assert [(await under_a_registry.get(path)).status for path in ("/openapi.json", "/openapi")] == [404, 404]
