"""The management clients of the Azure SDK for Python, signed in as the owner of a server."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from azure.identity import ClientSecretCredential
from tests.services import Registry


@contextmanager
def managing(server: Registry, kind: Callable[..., Any]) -> Iterator[Any]:
    """``kind``: the client's class. By its types every member of every model may be None: so it has none here."""
    made = json.loads((server.data_dir / "bootstrap.json").read_bytes())
    ca = str(server.ca)
    signing_in = ClientSecretCredential(
        made["tenantId"],
        server.user,
        server.password,
        authority=server.endpoint,
        disable_instance_discovery=True,
        connection_verify=ca,
    )
    told = {"credential_scopes": [f"{server.endpoint}/.default"], "connection_verify": ca}
    with (
        signing_in,
        kind(signing_in, made["subscriptionId"], server.endpoint, polling_interval=0, retry_total=0, **told) as client,
    ):
        yield client
