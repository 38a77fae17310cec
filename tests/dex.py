"""Dex, an OpenID Connect provider, as an ordinary process over TLS: its own people and a slapd's (tests/ldap.py)."""

import json
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ldap import GROUPS, PEOPLE, READER, READER_PASSWORD, Directory
from tests.outside import Authority
from tests.services import running, wait_until

CLIENT_ID = "entrepot"
CLIENT_SECRET = "the registry's secret"
STATIC_PERSON = "static@example.org"
STATIC_PASSWORD = "password"  # what the hash below is of
STATIC_HASH = "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W"


@dataclass(frozen=True)
class Dex:
    """A running Dex."""

    issuer: str
    process: "subprocess.Popen[bytes]"


def issuer_at(port: int) -> str:
    return f"https://127.0.0.1:{port}/dex"


@contextmanager
def dex(folder: Path, port: int, ca: Authority, slapd: Directory, *redirect_uris: str) -> Iterator[Dex]:
    """Runs while the block lasts; it keeps nothing that could be lost. ``ca`` has ca.crt, server.crt and server.key
    beside its ca_file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.json"  # which is YAML too
    config.write_text(json.dumps(_config(port, ca.ca_file.parent, slapd, list(redirect_uris))))
    with (folder / "log").open("ab") as log, running(["dex", "serve", config], log, ending=signal.SIGKILL) as process:
        wait_until(lambda: process.poll() is not None or _answers(port, ca), "Dex answers")
        if process.poll() is not None:
            raise RuntimeError((folder / "log").read_text(errors="replace"))
        yield Dex(issuer_at(port), process)


def _answers(port: int, ca: Authority) -> bool:
    try:
        url = f"{issuer_at(port)}/.well-known/openid-configuration"
        with urllib.request.urlopen(url, timeout=5, context=ssl.create_default_context(cafile=ca.ca_file)):
            return True
    except OSError:
        return False


def _config(port: int, certificates: Path, slapd: Directory, redirect_uris: list[str]) -> dict[str, object]:
    client = {"id": CLIENT_ID, "secret": CLIENT_SECRET, "name": "Entrepot", "redirectURIs": redirect_uris}
    static = {"email": STATIC_PERSON, "hash": STATIC_HASH, "username": "static", "userID": "static-1"}
    return {
        "issuer": issuer_at(port),
        "storage": {"type": "memory"},
        "web": {
            "https": f"127.0.0.1:{port}",
            "tlsCert": str(certificates / "server.crt"),
            "tlsKey": str(certificates / "server.key"),
        },
        "logger": {"level": "error"},
        "oauth2": {"skipApprovalScreen": True},
        "staticClients": [client],
        "enablePasswordDB": True,
        "staticPasswords": [static],
        "connectors": [
            {
                "type": "ldap",
                "id": "ldap",
                "name": "LDAP",
                "config": {
                    "host": f"127.0.0.1:{slapd.tls_port}",
                    "rootCA": str(certificates / "ca.crt"),
                    "bindDN": READER,
                    "bindPW": READER_PASSWORD,
                    "userSearch": {
                        "baseDN": PEOPLE,
                        "filter": "(objectClass=person)",
                        "username": "uid",
                        "idAttr": "uid",
                        "emailAttr": "mail",
                        "nameAttr": "cn",
                    },
                    "groupSearch": {
                        "baseDN": GROUPS,
                        "filter": "(objectClass=groupOfNames)",
                        "userMatchers": [{"userAttr": "DN", "groupAttr": "member"}],
                        "nameAttr": "cn",
                    },
                },
            }
        ],
    }
