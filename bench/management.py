"""Asking the management API: what the first start wrote for its owner, and tokens of the directory."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlencode

from bench.wire import Client

_AUDIENCE = "https://management.azure.com/.default"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where it is, and who owns it."""

    endpoint: str
    tenant: str
    subscription: str
    group: str
    client_id: str
    client_secret: str

    @classmethod
    def of(cls, data: Path) -> Self:
        """Of the one with this data folder."""
        written = json.loads((data / "bootstrap.json").read_text())
        names = ("endpoint", "tenantId", "subscriptionId", "resourceGroup", "clientId", "clientSecret")
        endpoint, *others = (written[name] for name in names)
        return cls(endpoint.rstrip("/"), *others)

    def bearer(self, client_id: str = "", secret: str = "") -> dict[str, str]:
        """The headers that carry a token of this principal, or of the owner."""
        who = {"client_id": client_id or self.client_id, "client_secret": secret or self.client_secret}
        form = {"grant_type": "client_credentials", "scope": _AUDIENCE, **who}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        client = Client(self.endpoint)
        answer = client.ask("POST", f"/{self.tenant}/oauth2/v2.0/token", kind, urlencode(form).encode()).expect(200)
        client.close()
        return {"Authorization": f"Bearer {json.loads(answer.body)['access_token']}"}
