"""Debian's docker-registry with TLS and htpasswd, started for a test: the registry that most private ones are."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
from tests.content import Manifest
from tests.outside import Authority
from tests.services import log_of, reserved_port, running, wait_until

USER, PASSWORD = "somebody", "a-secret-of-theirs"
# Of that password, by bcrypt, which it wants and Python has not.
HTPASSWD = f"{USER}:$2b$04$abcdefghijklmnopqrstuubsVu2ZVNAhsLO0WeUyzPlloipB277cC\n"


class Distribution:
    """A running one. ``place``: host and port."""

    def __init__(self, place: str, ca: Authority) -> None:
        self.place = place
        self.http = httpx.Client(base_url=f"https://{place}", verify=ca.trusting, auth=(USER, PASSWORD), timeout=30)

    def is_ready(self) -> bool:
        try:
            return self.http.get("/v2/").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def push(self, repository: str, manifest: Manifest, reference: str | None = None) -> None:
        """As a client does it: blobs, then the manifest."""
        for digest, content in manifest.blobs.items():
            begun = self.http.post(f"/v2/{repository}/blobs/uploads/")
            place = httpx.URL(begun.headers["location"]).copy_merge_params({"digest": digest})
            assert self.http.put(place, content=content).status_code == httpx.codes.CREATED
        path = f"/v2/{repository}/manifests/{reference or manifest.digest}"
        put = self.http.put(path, content=manifest.body, headers={"content-type": manifest.media_type})
        assert put.status_code == httpx.codes.CREATED, put.text


@contextmanager
def distribution(folder: Path, ca: Authority) -> Iterator[Distribution]:
    """The CA names 127.0.0.1."""
    with reserved_port() as port, docker_registry(folder, ca, f"127.0.0.1:{port}"):
        made = Distribution(f"127.0.0.1:{port}", ca)
        wait_until(made.is_ready, "docker-registry answers")
        with closing(made.http):
            yield made


@contextmanager
def docker_registry(folder: Path, ca: Authority, address: str, within: Sequence[str] = ()) -> Iterator[Path]:
    """Its log, where each request is a line with the answer's status; whether it answers yet is for the caller to see.

    ``within``: a command that starts it in namespaces of the caller's choice.
    """
    folder.mkdir(parents=True)
    pair = ca.ca_file.with_name("pair.pem")
    htpasswd = folder / "htpasswd"
    htpasswd.write_text(HTPASSWD)
    program = shutil.which("docker-registry")
    assert program is not None, "Debian's docker-registry is not installed (package docker-registry)"
    settings = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "store")}},
        "auth": {"htpasswd": {"realm": "hub", "path": str(htpasswd)}},
        "http": {"addr": address, "tls": {"certificate": str(pair), "key": str(pair)}},
    }
    (folder / "settings.yml").write_text(json.dumps(settings))  # JSON is YAML
    with log_of(folder).open("ab") as log, running([*within, program, "serve", folder / "settings.yml"], log):
        yield log_of(folder)
