"""What clients read before they sign in: endpoints, keys, and that our authority is one.

Spec: OpenID Connect Discovery 1.0, section 3; RFC 7517; Microsoft identity platform, "OpenID Connect".
"""

import base64
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from entrepot.access.keys import SigningKey, Use
from entrepot.gate.management import ManagementCall
from entrepot.oauth.directory.pages import file_of_pages
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.problems import Aadsts, refused
from entrepot.oauth.directory.tenants import Authority, authority_of
from entrepot.web.answer import JSON, Answer

_STYLESHEET: Final = file_of_pages("sign-in.css")
_ICON: Final = file_of_pages("icon.svg")
_CLAIMS: Final = (
    *("sub", "iss", "aud", "exp", "iat", "nbf", "nonce", "name", "oid", "tid", "upn", "preferred_username", "ver"),
    *("auth_time", "uti", "cloud_instance_host_name"),
)


async def get_configuration(call: ManagementCall, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Endpoints and abilities of the tenant, for clients of version 2."""
    authority = await authority_of(call)
    return _json(_configuration(authority, "oauth2/v2.0", "discovery/v2.0/keys", authority.issuer_v2))


async def get_configuration_v1(call: ManagementCall, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """The same for clients of version 1, and for those that take us for AD FS."""
    authority = await authority_of(call)
    return _json(_configuration(authority, "oauth2", "discovery/keys", authority.issuer_v1))


def _configuration(authority: Authority, folder: str, keys: str, issuer: str) -> dict[str, object]:
    host = urlsplit(authority.origin).netloc
    return {
        "issuer": issuer,
        "authorization_endpoint": authority.url(f"{folder}/authorize"),
        "token_endpoint": authority.url(f"{folder}/token"),
        "device_authorization_endpoint": authority.url(f"{folder}/devicecode"),
        "end_session_endpoint": authority.url(f"{folder}/logout"),
        "jwks_uri": authority.url(keys),
        "response_modes_supported": ["query", "form_post"],
        "response_types_supported": ["code"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "claims_supported": list(_CLAIMS),
        "request_uri_parameter_supported": False,
        "http_logout_supported": False,
        "frontchannel_logout_supported": False,
        "tenant_region_scope": None,
        "cloud_instance_name": host,
        "msgraph_host": host,
    }


async def get_keys(call: ManagementCall, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """The keys that sign its tokens now, a moment ago, and soon."""
    authority = await authority_of(call)
    keys = await call.site.authenticator.keys(Use.DIRECTORY)
    return _json({"keys": [_public(key, authority.issuer_v2) for key in keys.values()]})


def _public(key: SigningKey, issuer: str) -> dict[str, str]:
    public = key.public
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError(f"key {key.kid} of the directory is not one of RSA")
    numbers = public.public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": key.algorithm,
        "kid": key.kid,
        "n": _base64url(numbers.n),
        "e": _base64url(numbers.e),
        "issuer": issuer,
    }


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def get_instance(call: ManagementCall, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Whether an authority is one: ours is. Spec: the answer of Microsoft's instance discovery, version 1.1."""
    asked = urlsplit(call.request.query("authorization_endpoint") or "")
    host = call.site.hosts.find(asked.netloc)
    if host is None or not host.is_endpoint:
        raise refused(Aadsts.FIELD_INVALID, reason="the authorization_endpoint is not one of ours")
    names = sorted({asked.netloc, call.host.authority})
    tenant = asked.path.strip("/").partition("/")[0] or "common"
    return _json(
        {
            "tenant_discovery_endpoint": f"{call.origin}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": names[0], "preferred_cache": names[0], "aliases": names}],
        }
    )


async def get_realm(call: ManagementCall, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """Where somebody signs in: here. The same for every name, so that it tells of nobody."""
    domain = call.param("user").rpartition("@")[2]
    return _json(
        {
            "ver": "1.0",
            "account_type": "Managed",
            "domain_name": domain,
            "cloud_instance_name": call.host.authority,
            "cloud_audience_urn": "urn:federation:MicrosoftOnline",
        }
    )


async def get_style(call: ManagementCall, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """The stylesheet of the sign-in pages."""
    return _file(b"text/css; charset=utf-8", _STYLESHEET)


async def get_icon(call: ManagementCall, parts: Parts) -> Answer:  # noqa: ARG001  handlers have one shape
    """The icon of the sign-in pages."""
    return _file(b"image/svg+xml", _ICON)


def _file(media_type: bytes, content: bytes) -> Answer:
    headers = [
        (b"content-type", media_type),
        (b"cache-control", b"public, max-age=3600"),
        (b"x-content-type-options", b"nosniff"),
    ]
    return Answer(200, headers, content)


def _json(document: object) -> Answer:
    return Answer(200, [JSON, (b"access-control-allow-origin", b"*")], msgspec.json.encode(document))
