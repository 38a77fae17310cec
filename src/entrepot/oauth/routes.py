"""The rows of /oauth2."""

from typing import Final

from entrepot.access.model import Public
from entrepot.gate.call import SurfaceRoute
from entrepot.oauth.exchange import exchange
from entrepot.oauth.parts import Parts
from entrepot.oauth.tokens import get_token, post_token
from entrepot.web.rates import SIGNS_IN
from entrepot.web.routing import Route

_SIGN_IN: Final = Public("a caller without a token comes here for one; the handler checks the credential")

ROUTES: Final[tuple[SurfaceRoute[Parts], ...]] = (
    Route("GET", "/oauth2/token", get_token, _SIGN_IN, SIGNS_IN),
    Route("POST", "/oauth2/token", post_token, _SIGN_IN, SIGNS_IN),
    Route("POST", "/oauth2/exchange", exchange, _SIGN_IN, SIGNS_IN),
)
