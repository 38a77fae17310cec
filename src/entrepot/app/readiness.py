"""Telling that the server is ready: to a person, to the log, to systemd.

Spec of the last: sd_notify(3), "Standalone Implementations".
"""

import http.client
import os
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Final

import structlog

from entrepot.app.parts import management_firewall
from entrepot.settings import Settings
from entrepot.telemetry.logs import Format
from entrepot.web.forwarded import plain_address

if TYPE_CHECKING:
    from entrepot.app.first_start import Bootstrap

log = structlog.stdlib.get_logger(__name__)

_ANSWER_SECONDS: Final = 2.0


def notify_systemd(state: str) -> None:
    """Tell the service manager, when there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        try:
            notify.sendto(state.encode(), address.replace("@", "\0", 1) if address.startswith("@") else address)
        except OSError as error:
            log.warning("systemd_not_told", state=state, reason=error.strerror)


def is_ready(settings: Settings) -> bool:
    """Whether ``/readyz`` says so."""
    connection = _connection(_reachable(settings.host), settings)
    try:
        connection.request("GET", "/readyz", headers={"Host": f"localhost:{settings.seen_port}"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def warn_of_lockout(settings: Settings, address: str) -> None:
    """Before somebody wonders why ``entrepot`` and az are refused beside the server. ``address``: it listens there."""
    firewall = management_firewall(settings)
    here = plain_address(_reachable(address))
    if firewall is not None and not firewall.permits(here):
        log.warning("management_closed_here", address=here, reason="management_networks does not name it")


def announce(settings: Settings, bootstrap: "Bootstrap", log_format: Format) -> None:
    """What a person needs to begin, or one event for a machine."""
    secret = settings.data_dir / "bootstrap.json"
    if log_format == "json":
        log.info("ready", endpoint=bootstrap.endpoint, login_server=bootstrap.login_server, bootstrap=str(secret))
        return
    lines = (
        f"Entrepot is ready at {bootstrap.endpoint}",
        f"  docker login {bootstrap.login_server} -u {bootstrap.client_id}",
        f"  password: clientSecret in {secret}",
        *([f"  CA, for clients on other machines: {bootstrap.ca_file}"] if bootstrap.ca_file else []),
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _connection(host: str, settings: Settings) -> http.client.HTTPConnection:
    if settings.no_tls:
        return http.client.HTTPConnection(host, settings.port, timeout=_ANSWER_SECONDS)
    # It asks itself on this machine: whom the certificate names does not matter here.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, settings.port, timeout=_ANSWER_SECONDS, context=context)


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # a name to replace, nothing is bound
