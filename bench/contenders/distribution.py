"""The Go registry, github.com/distribution/distribution: Debian's 2.8.2 and 3.1.1, set up to be as fast as they can.

No access log, errors only, no tracing, blob descriptors cached in memory, no fsync (they have none), and tokens whose
check costs least. Source: distribution, docs/content/about/configuration.md.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.certificates import ISSUER, SERVICE
from bench.contenders.lab import Lab, first_line, program, wait_until_ready
from bench.model import DISTRIBUTION_2, DISTRIBUTION_3, Running
from bench.processes import Command, free_port
from bench.registry import OverHttp
from bench.seed import DistributionSeeder

CACHE: Final = Path.home() / ".cache" / "entrepot"


@dataclass(frozen=True, slots=True)
class SignedTokens:
    """Tokens that the bench signs itself, so that handing them out costs the contender nothing."""

    lab: Lab
    kid: str

    def __call__(self, *scopes: str) -> str:
        return f"Bearer {self.lab.signer.token(self.kid, scopes)}"


class Distribution:
    """One of the two versions."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab, self._name = lab, name

    @property
    def name(self) -> str:
        return self._name

    def version(self) -> str:
        return first_line(self._program(), "--version").split("/")[-1]

    def start(self, folder: Path) -> Running:
        port = free_port()
        config = folder / "config.yml"
        config.write_text(json.dumps(self._settings(folder, port)))
        environment = os.environ | {"OTEL_TRACES_EXPORTER": "none"}
        command = Command([str(self._program()), "serve", str(config)], environment)
        owned = self._lab.start(command, folder)
        url = f"https://127.0.0.1:{port}"
        seconds = wait_until_ready(owned, url, "/v2/", 401)
        signer = self._lab.signer
        tokens = SignedTokens(
            self._lab, signer.libtrust_kid() if self._name == DISTRIBUTION_2 else signer.thumbprint_kid()
        )
        seeder = DistributionSeeder(folder / "store")
        return Running(self._name, url, (owned,), seconds, tokens, OverHttp(url, tokens), folder, seeder)

    def _program(self) -> Path:
        if self._name == DISTRIBUTION_3:
            return program("registry-3.1.1", "registry", folders=(CACHE / "bin", CACHE / "go-tools"))
        return program("docker-registry", folders=(Path("/usr/bin"),))

    def _settings(self, folder: Path, port: int) -> dict[str, object]:
        """JSON is YAML."""
        files = self._lab.certificates
        return {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(folder / "store")},
                "cache": {"blobdescriptor": "inmemory"},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {
                "addr": f"127.0.0.1:{port}",
                "secret": "bench",
                "tls": {"certificate": str(files.certificate), "key": str(files.key), "minimumtls": "tls1.2"},
            },
            "auth": {
                "token": {
                    "realm": f"https://127.0.0.1:{port}/token",
                    "service": SERVICE,
                    "issuer": ISSUER,
                    "rootcertbundle": str(self._lab.signer.bundle),
                }
            },
        }
