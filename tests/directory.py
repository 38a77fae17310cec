"""The directory as its clients see it: people and applications with known secrets, forms, a browser without a window.

For an application in this process (tests/registry.py).
"""

import base64
import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Connection
from tests.registry import OWNER, OWNER_SECRET, Registry
from tests.wire import Answer, Client

from entrepot.access.sealing import Sealer
from entrepot.access.secrets import hash_secret
from entrepot.app.directory import attributes_of
from entrepot.errors import Kind, Problem
from entrepot.identities import applications, people, queries
from entrepot.identities.applications import Ids
from entrepot.identities.model import Application, New, NewSecret, Principal
from entrepot.identities.signing_in import totp

AZURE_CLI: Final = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
ARM: Final = "https://management.azure.com/.default"
SIGN_IN_SCOPE: Final = f"{ARM} openid profile offline_access"
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
ADA: Final = "ada@example.com"
PASSWORD: Final = "correct horse battery staple"
HERE: Final = "http://localhost:8400/"
VERIFIER: Final = "a-verifier-of-the-length-that-the-rfc-asks-for-0123456789"
# argon2 takes its time; every test has the same password.
_HASH: Final = hash_secret(PASSWORD)


def challenge_of(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def new(registry: Registry) -> New:
    return New(str(uuid.uuid4()), registry.clock())


def tenant_id(registry: Registry) -> str:
    return registry.query(queries.tenants)[0].id


def add_person(registry: Registry, upn: str = ADA, *, must_change: bool = False) -> Principal:
    def add(tx: Connection) -> Principal:
        person = people.add_person(tx, new(registry), queries.tenants(tx)[0].id, upn, "Ada Lovelace")
        people.set_password(tx, person, new(registry), _HASH, must_change=must_change)
        return person

    return registry.query(add)


def add_totp(registry: Registry, person: Principal) -> str:
    """The authenticator's key."""
    secret = registry.settings.secret_key
    assert secret is not None
    sealer = Sealer(base64.b64decode(secret.get_secret_value()))
    key, made = totp.new_key(), new(registry)
    registry.query(lambda tx: people.set_totp(tx, person.id, made, sealer.seal(key, totp.purpose(made.id))))
    return key


def add_application(
    registry: Registry, name: str = "robot", redirect_uris: tuple[str, ...] = (), *, public: bool = False
) -> tuple[Application, NewSecret]:
    def add(tx: Connection) -> tuple[Application, NewSecret]:
        ids = Ids(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
        made = applications.add_application(tx, ids, queries.tenants(tx)[0].id, name, registry.clock())
        applications.provision(tx, made.principal_id)
        queries.update_application(tx, made.id, attributes=attributes_of(list(redirect_uris), is_public=public))
        return made, applications.add_secret(tx, made.principal_id, new(registry), "first")

    return registry.query(add)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key."""

    key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @classmethod
    def make(cls, now: datetime, days: int = 365) -> "KeyPair":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "robot")])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        return cls(key, builder.not_valid_after(now + timedelta(days=days)).sign(key, hashes.SHA256()))

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def thumbprint(self) -> str:
        return base64.urlsafe_b64encode(self.certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()

    def sign(self, claims: dict[str, Any], algorithm: str = "RS256", **header: str) -> str:
        return jwt.encode(claims, self.key, algorithm, headers={"x5t#S256": self.thumbprint, **header})


def claims_for(registry: Registry, client_id: str, **changes: object) -> dict[str, Any]:
    """Of an assertion that is good for ten minutes."""
    now = int(registry.clock().timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": f"http://{registry.host}/common/oauth2/v2.0/token",
        "nbf": now,
        "exp": now + 600,
        "jti": str(uuid.uuid4()),
    }
    return {name: value for name, value in (claims | changes).items() if value is not None}


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of a tenant as a program uses them."""

    http: Client
    tenant: str = "common"

    async def post(self, name: str, form: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self.http.post(f"/{self.tenant}/oauth2/{name}", urlencode(form).encode(), kind | (headers or {}))

    async def token(self, grant_type: str, **form: str) -> Answer:
        return await self.post("v2.0/token", {"grant_type": grant_type} | form)

    async def for_owner(self, scope: str = ARM) -> Answer:
        return await self.token("client_credentials", client_id=OWNER, client_secret=OWNER_SECRET, scope=scope)

    async def redeem(self, code: str, **changes: str) -> Answer:
        form = {"client_id": AZURE_CLI, "code": code, "redirect_uri": HERE, "code_verifier": VERIFIER} | changes
        return await self.token("authorization_code", **{name: value for name, value in form.items() if value})

    async def refresh(self, token: str, **changes: str) -> Answer:
        return await self.token("refresh_token", **{"client_id": AZURE_CLI, "refresh_token": token} | changes)


def endpoints(registry: Registry, tenant: str = "common") -> Endpoints:
    return Endpoints(registry.nobody, tenant)


def number(answer: Answer) -> int:
    """The AADSTS number of a refusal."""
    body = answer.json()
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    return body["error_codes"][0]


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def authorize_path(**changes: str | None) -> str:
    """Of the authorization request of the Azure CLI."""
    query: dict[str, str | None] = {
        "client_id": AZURE_CLI,
        "response_type": "code",
        "redirect_uri": HERE,
        "scope": SIGN_IN_SCOPE,
        "state": "the-state",
        "nonce": "the-nonce",
        "code_challenge": challenge_of(),
        "code_challenge_method": "S256",
        **changes,
    }
    given = {name: value for name, value in query.items() if value is not None}
    return f"/common/oauth2/v2.0/authorize?{urlencode(given)}"


class Form(HTMLParser):
    """The form of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.steps: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = found["action"]
        elif tag == "input" and found.get("type") == "hidden":
            self.hidden[found["name"]] = found["value"]
        elif tag == "button" and found.get("name") == "step":
            self.steps.append(found["value"])
        elif tag == "a":
            self.links.append(found["href"])


@dataclass
class Browser:
    """Keeps cookies, and sends the form of the page that it shows. It follows no redirect."""

    http: Client
    cookies: dict[str, str] = field(default_factory=dict)
    shown: Answer | None = None
    form: Form = field(default_factory=Form)

    async def open(self, target: str) -> Answer:
        return self._show(await self.http.get(target, self._headers()))

    async def submit(self, step: str, **fields: str) -> Answer:
        """Presses the button; ``fields`` go over what the page holds."""
        assert step in self.form.steps, f"the page has only {self.form.steps}"
        return await self.send(self.form.action, {**self.form.hidden, "step": step, **fields})

    async def send(self, target: str, form: dict[str, str], **headers: str) -> Answer:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return self._show(await self.http.post(target, urlencode(form).encode(), self._headers() | kind | headers))

    async def sign_in(self, target: str, upn: str = ADA, password: str = PASSWORD) -> Answer:
        await self.open(target)
        return await self.submit("password", username=upn, password=password)

    @property
    def links(self) -> list[str]:
        return self.form.links

    @property
    def text(self) -> str:
        assert self.shown is not None
        return self.shown.body.decode()

    def _headers(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def _show(self, answer: Answer) -> Answer:
        for line in answer.every("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            self.cookies |= {name: value}
            if "Max-Age=0" in line:
                del self.cookies[name]
        self.shown, self.form = answer, Form()
        self.form.feed(answer.body.decode())
        return answer


def browser(registry: Registry, peer: str = "127.0.0.1") -> Browser:
    return Browser(Client(registry.app, registry.host, peer=peer))


def sent_back(answer: Answer) -> dict[str, str]:
    """What a client gets in its redirect."""
    assert answer.status == 303, answer
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["location"]).query).items()}


async def a_code(registry: Registry, **changes: str | None) -> str:
    answer = await browser(registry).sign_in(authorize_path(**changes))
    return sent_back(answer)["code"]


async def is_good(registry: Registry, token: str) -> bool:
    """Whether the deployment's surfaces take the token. They look at what has changed once a second; here at once."""
    registry.app._authenticator.forget()
    try:
        await registry.app._authenticator.assertion(token)
    except Problem as problem:
        assert problem.kind is Kind.UNAUTHENTICATED
        return False
    return True
