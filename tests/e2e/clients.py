"""Running real clients: each test gets a home folder of its own, so no login and no cache leaks into another."""

import hashlib
import os
import ssl
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from tests.e2e.layouts import MANIFESTS
from tests.services import Registry

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("ENTREPOT_CACHE") or Path.home() / ".cache" / "entrepot")
PATIENCE = 60.0  # seconds for one command
ANY_SIGNATURE = '{"default": [{"type": "insecureAcceptAnything"}]}'

Skopeo = Callable[..., str]


def _digest_of(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _go_program(name: str, folder: str) -> Path:
    sources = ROOT / "tests" / "e2e" / folder / "go"
    digest = _digest_of(sources / "go.mod", sources / "go.sum", *sorted(sources.glob("*.go")))
    return CACHE / f"go-{name}-{digest}" / name


# Where scripts/clients.sh puts npm's packages, beside the Node that runs them, and the tests' own programs in Go.
NPM = CACHE / f"npm-{_digest_of(ROOT / 'requirements' / 'npm' / 'package-lock.json')}"
GO_SDKS = _go_program("sdks", "sdk")
GO_TEMPLATES = _go_program("templates", "templates")
# Its folder has the lifecycle and its launcher too.
PACK = _go_program("pack", "buildpacks")

# vfs, because overlay cannot lie on the overlay of a CI container; files instead of journald and systemd, which a
# container has not.
STORAGE = """
[storage]
driver = "vfs"
graphroot = "{folder}/images"
runroot = "{folder}/run"
"""
ENGINE = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
static_dir = "{folder}/static"
tmp_dir = "{folder}/tmp"
volume_path = "{folder}/volumes"
"""

ACCEPTED = [(b"Accept", media_type.encode()) for media_type in MANIFESTS]


@dataclass(frozen=True)
class Shell:
    """A folder, and the environment that keeps every client's files in it."""

    folder: Path
    environment: Mapping[str, str]
    prefix: Sequence[str] = ()  # runs the command elsewhere, for example in a namespace

    def run(self, *command: str | Path, stdin: str | bytes = b"", within: float = PATIENCE) -> str:
        """What the command printed; one that fails, or that takes too long, fails the test with all it said."""
        done = self._done(command, stdin, within)
        if done.returncode != 0:
            raise AssertionError(f"{_shown(command)} ended with {done.returncode}:\n{_all(done)}")
        return done.stdout.decode(errors="replace")

    def heard(self, *command: str | Path, stdin: str | bytes = b"", within: float = PATIENCE) -> str:
        """Like ``run``, with what it wrote to the standard error: debug output."""
        done = self._done(command, stdin, within)
        assert done.returncode == 0, f"{_shown(command)} ended with {done.returncode}:\n{_all(done)}"
        return _all(done)

    def refused(self, *command: str | Path, stdin: str | bytes = b"", within: float = PATIENCE) -> str:
        """All that a command said that had to fail."""
        done = self._done(command, stdin, within)
        assert done.returncode != 0, f"{_shown(command)} should have failed, and said:\n{_all(done)}"
        return _all(done)

    def having(self, **environment: str) -> "Shell":
        return replace(self, environment={**self.environment, **environment})

    def _done(
        self, command: tuple[str | Path, ...], stdin: str | bytes, within: float
    ) -> "subprocess.CompletedProcess[bytes]":
        given = stdin.encode() if isinstance(stdin, str) else stdin
        whole = [*self.prefix, *command]
        try:
            return subprocess.run(
                whole,
                cwd=self.folder,
                env=dict(self.environment),
                input=given,
                capture_output=True,
                timeout=within,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            said = ((late.stdout or b"") + (late.stderr or b"")).decode(errors="replace")
            raise AssertionError(f"{_shown(command)} has not ended after {within:.0f} s, and said:\n{said}") from None


def shell_in(folder: Path) -> Shell:
    """Nothing of the caller's home is seen; PATH, where the clients are, is."""
    home = folder / "home"
    (home / ".config" / "containers").mkdir(parents=True)
    (home / ".config" / "containers" / "policy.json").write_text(ANY_SIGNATURE)
    return Shell(
        folder,
        {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TMPDIR": str(folder),
            "DOCKER_CONFIG": str(home / ".docker"),
            "XDG_RUNTIME_DIR": str(home),
            "REGISTRY_AUTH_FILE": str(home / "auth.json"),  # podman, buildah, skopeo
        },
    )


def certificates_of(registry: Registry, folder: Path) -> Path:
    """A folder as the containers tools want it: ``ca.crt`` beside nothing else."""
    folder.mkdir(exist_ok=True)
    (folder / "ca.crt").write_bytes(registry.ca.read_bytes())
    return folder


def podman_in(shell: Shell) -> Shell:
    """The shell, in whose folder podman and buildah keep all that they keep."""
    (shell.folder / "storage.conf").write_text(STORAGE.format(folder=shell.folder))
    (shell.folder / "containers.conf").write_text(ENGINE.format(folder=shell.folder))
    return shell.having(
        CONTAINERS_STORAGE_CONF=str(shell.folder / "storage.conf"),
        CONTAINERS_CONF=str(shell.folder / "containers.conf"),
        BUILDAH_ISOLATION="chroot",
    )


def skopeo_for(shell: Shell, registry: Registry, certificates: Path) -> Skopeo:
    """skopeo, signed in: its first word is the command, and the sides of that command are told of the CA."""
    login = ["skopeo", "login", f"--cert-dir={certificates}", f"--username={registry.user}", "--password-stdin"]
    shell.run(*login, registry.login_server, stdin=registry.password)
    two_sided = [f"--src-cert-dir={certificates}", f"--dest-cert-dir={certificates}"]

    def run(command: str, *words: str) -> str:
        trust = two_sided if command in {"copy", "sync"} else [f"--cert-dir={certificates}"]
        return shell.run("skopeo", command, *trust, *words)

    return run


def http_of(registry: Registry) -> httpx.Client:
    """The registry without a client in between, for what a test asserts about it."""
    return httpx.Client(
        base_url=registry.endpoint,
        verify=ssl.create_default_context(cafile=registry.ca),
        auth=(registry.user, registry.password),
        headers=ACCEPTED,
        timeout=30,
    )


def _shown(command: tuple[str | Path, ...]) -> str:
    return " ".join(str(part) for part in command)


def _all(done: "subprocess.CompletedProcess[bytes]") -> str:
    return (done.stdout + done.stderr).decode(errors="replace")
