"""The rows of the directory's endpoints and pages."""

from collections.abc import Awaitable, Callable
from typing import Final

from entrepot.access.model import Access, Public
from entrepot.gate.management import ManagementCall
from entrepot.oauth.directory.authorize import get_authorize, post_authorize
from entrepot.oauth.directory.device import get_device, post_device, post_device_code, post_device_code_v1
from entrepot.oauth.directory.managed import get_identity_token, get_machine_token
from entrepot.oauth.directory.metadata import (
    get_configuration,
    get_configuration_v1,
    get_icon,
    get_instance,
    get_keys,
    get_realm,
    get_style,
)
from entrepot.oauth.directory.parts import Parts
from entrepot.oauth.directory.sign_out import get_sign_out, post_sign_out
from entrepot.oauth.directory.single_sign_on import get_callback, get_single_sign_on
from entrepot.oauth.directory.tokens import post_token, post_token_v1
from entrepot.web.answer import AnyAnswer
from entrepot.web.routing import Route

DirectoryRoute = Route[Callable[[ManagementCall, Parts], Awaitable[AnyAnswer]], Access]

_READ: Final = Public("clients read it before they sign in; it tells of nobody")
_PROVES: Final = Public("who asks proves it in the form; the handler checks")
_SIGN_IN: Final = Public("people come here to sign in; the handler checks password and session")
_HEADER: Final = Public("the workload's header is its proof; the handler checks it, and whether this is on")
_MACHINE: Final = Public("it is for processes of this machine; the handler checks that, and whether this is on")

ROUTES: Final[tuple[DirectoryRoute, ...]] = (
    Route("GET", "/common/discovery/instance", get_instance, _READ),
    Route("GET", "/common/userrealm/{user}", get_realm, _READ),
    Route("GET", "/common/UserRealm/{user}", get_realm, _READ),
    Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", get_configuration, _READ),
    Route("GET", "/{tenant}/.well-known/openid-configuration", get_configuration_v1, _READ),
    Route("GET", "/{tenant}/discovery/v2.0/keys", get_keys, _READ),
    Route("GET", "/{tenant}/discovery/keys", get_keys, _READ),
    Route("POST", "/{tenant}/oauth2/v2.0/token", post_token, _PROVES),
    Route("POST", "/{tenant}/oauth2/token", post_token_v1, _PROVES),
    Route("GET", "/{tenant}/oauth2/v2.0/authorize", get_authorize, _SIGN_IN),
    Route("POST", "/{tenant}/oauth2/v2.0/authorize", post_authorize, _SIGN_IN),
    Route("GET", "/{tenant}/oauth2/authorize", get_authorize, _SIGN_IN),
    Route("POST", "/{tenant}/oauth2/authorize", post_authorize, _SIGN_IN),
    Route("POST", "/{tenant}/oauth2/v2.0/devicecode", post_device_code, _PROVES),
    Route("POST", "/{tenant}/oauth2/devicecode", post_device_code_v1, _PROVES),
    Route("GET", "/devicelogin", get_device, _SIGN_IN),
    Route("POST", "/devicelogin", post_device, _SIGN_IN),
    Route("GET", "/single-sign-on", get_single_sign_on, _SIGN_IN),
    Route("GET", "/single-sign-on/callback", get_callback, _SIGN_IN),
    Route("GET", "/{tenant}/oauth2/v2.0/logout", get_sign_out, _SIGN_IN),
    Route("POST", "/{tenant}/oauth2/v2.0/logout", post_sign_out, _SIGN_IN),
    Route("GET", "/{tenant}/oauth2/logout", get_sign_out, _SIGN_IN),
    Route("POST", "/{tenant}/oauth2/logout", post_sign_out, _SIGN_IN),
    Route("GET", "/msi/token", get_identity_token, _HEADER),
    Route("GET", "/metadata/identity/oauth2/token", get_machine_token, _MACHINE),
    Route("GET", "/sign-in.css", get_style, _READ),
    Route("GET", "/sign-in.svg", get_icon, _READ),
)
