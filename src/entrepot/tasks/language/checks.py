"""Whether a task file makes sense: the engine's rules, in its order and with its texts (ACR-TASKS 1.9)."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from entrepot.tasks.language.documents import Path
from entrepot.tasks.language.findings import Finding, Place
from entrepot.tasks.language.graph import AT_ONCE, ROOT, step_id
from entrepot.tasks.language.model import Secret, Step, TaskFile, Volume

CURRENT: Final = "v1.0.0"
VERSIONS: Final = frozenset({"", CURRENT, "1.0-preview-1", "v1.1.0"})

_VOLUME: Final = re.compile(r"[a-zA-Z0-9-_]+", re.ASCII)
_FILE: Final = re.compile(r"[a-zA-Z0-9-_.]+", re.ASCII)
_VAULT_PATH: Final = re.compile(r"/secrets/[^/]+(/[^/]+)?/?")
_MOUNTS: Final = "invalid use of Mounts. Mounts must have unique container paths and only used for cmd or build steps"
_NO_SOURCE: Final = (
    "secret should contain either keyvault property for vault secret, "
    "or msi clientID/aadResourceId for msi authentication"
)
_CACHES: Final = frozenset({"", "enabled", "disabled"})
ATTESTATIONS: Final = ("provenance", "sbom")

# What is wrong, and with which part of the file.
Fault = tuple[str, Path]


def check(task: TaskFile, places: Mapping[Path, Place]) -> list[Finding]:
    """All that is wrong, each with its place; empty for a task that can run."""
    faults = [*_secrets(task.secrets), *_volumes(task.volumes), *_head(task)]
    names = {volume.name for volume in task.volumes}
    for at, step in enumerate(task.steps):
        faults += [(message, ("steps", at, *path)) for message, path in _step(step, at, names)]
    faults += _ids(task.steps)
    return [Finding(message, _nearest(places, path)) for message, path in faults]


def _nearest(places: Mapping[Path, Place], path: Path) -> Place | None:
    """Of the part, or of what it is in."""
    return next((places[path[:end]] for end in range(len(path), -1, -1) if path[:end] in places), None)


def _secrets(secrets: Iterable[Secret]) -> Iterator[Fault]:
    seen: set[str] = set()
    for at, secret in enumerate(secrets):
        path: Path = ("secrets", at)
        if not secret.id:
            yield "secret is missing an ID as well as auto-generated ID", path
        if any(character.isspace() for character in secret.id):
            yield "secret ID cannot contain spaces", (*path, "id")
        if secret.id in seen:
            yield f"duplicate secret found with ID: {secret.id}", (*path, "id")
        seen.add(secret.id)
        if not secret.keyvault:
            yield _NO_SOURCE, path
        elif not _is_vault(secret.keyvault):
            yield f"invalid keyvault {secret.keyvault!r}: https://VAULT/secrets/NAME is expected", (*path, "keyvault")
        if secret.client_id and not _is_uuid(secret.client_id):
            yield "msi client ID is not a valid guid", (*path, "clientID")


def _is_vault(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    has_path = _VAULT_PATH.fullmatch(parts.path.lower()) is not None
    return parts.scheme.lower() == "https" and bool(parts.hostname) and has_path


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _volumes(volumes: Iterable[Volume]) -> Iterator[Fault]:
    seen: set[str] = set()
    for at, volume in enumerate(volumes):
        path: Path = ("volumes", at)
        if not volume.name:
            yield "volume name is empty", path
        elif _VOLUME.fullmatch(volume.name) is None:
            yield "volume name is not well formed. Only use alphanumeric and - _", (*path, "name")
        if volume.name in seen:
            yield "volume with duplicate name found", (*path, "name")
        seen.add(volume.name)
        if not volume.secret:
            yield "currently only support for source type secret", path
        yield from _files(volume, path)


def _files(volume: Volume, path: Path) -> Iterator[Fault]:
    for name, value in volume.secret.items():
        if _FILE.fullmatch(name) is None or name in {".", ".."}:
            yield f"file name {name!r} is not well formed. Only use alphanumeric and - _ .", (*path, "secret", name)
        if not _is_base64(value):
            yield f"failed to decode Base64 value. {name}", (*path, "secret", name)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _head(task: TaskFile) -> Iterator[Fault]:
    if task.version.lower() not in VERSIONS:
        yield f'invalid version specified: "{task.version}", the current version is "{CURRENT}"', ("version",)
    for at, entry in enumerate(task.env):
        for each in entry.split(","):
            if "=" not in each:
                yield f"cannot parse task environment variable {each} correctly", ("env", at)


def _step(step: Step, at: int, volumes: set[str]) -> Iterator[Fault]:
    if step.retries < 0:
        yield "step must specify retries >= 0", ("retries",)
    if step.repeat < 0:
        yield "step must specify repeat >= 0", ("repeat",)
    if any(character.isspace() for character in step.id):
        yield "step ID cannot contain spaces", ("id",)
    yield from _kind(step)
    yield from _mounts(step, volumes)
    yield from _when(step, step_id(step, at))
    yield from _beside(step)
    for index, each in enumerate(step.env):
        if "=" not in each:
            yield f"cannot parse step environment variable {each} correctly", ("env", index)


def _beside(step: Step) -> Iterator[Fault]:
    """What a build leaves beside its image."""
    if step.cache.lower() not in _CACHES:
        yield "invalid value for cache property. Valid values are 'enabled', 'disabled'", ("cache",)
    for index, each in enumerate(step.attestations):
        if each not in ATTESTATIONS:
            yield f"invalid attestation {each!r}. Valid values are 'provenance', 'sbom'", ("attestations", index)


def _kind(step: Step) -> Iterator[Fault]:
    kinds = sum(map(bool, (step.cmd, step.build, step.push)))
    if kinds > 1:
        yield "step must only contain a single build, cmd, or push property", ()
    if kinds == 0:
        yield "step is missing a cmd, build, or push property", ()


def _mounts(step: Step, volumes: set[str]) -> Iterator[Fault]:
    if step.push and step.volume_mounts:
        yield _MOUNTS, ("volumeMounts",)
    seen: set[str] = set()
    for at, mount in enumerate(step.volume_mounts):
        path: Path = ("volumeMounts", at)
        if not mount.name or not mount.mount_path:
            yield "mount name or mount path is empty", path
        elif mount.name not in volumes:
            yield f"mount name, {mount.name}, does not correspond to a volume", (*path, "name")
        if mount.mount_path in seen:
            yield "mount with duplicate container file path found", (*path, "mountPath")
        seen.add(mount.mount_path)


def _when(step: Step, own: str) -> Iterator[Fault]:
    if AT_ONCE in step.when and len(step.when) > 1:
        yield "step cannot contain other IDs in when if the immediate execution token is specified", ("when",)
    for at, name in enumerate(step.when):
        if name == own:
            yield f"Step ID: {name} is self-referenced", ("when", at)
        elif not name:
            yield "from cannot be empty", ("when", at)


def _ids(steps: list[Step]) -> Iterator[Fault]:
    ids = [step_id(step, at) for at, step in enumerate(steps)]
    counts = Counter(ids)
    for at, (name, step) in enumerate(zip(ids, steps, strict=True)):
        if name == ROOT:
            yield f"{ROOT} is a reserved ID, it can't be used", ("steps", at, "id")
        if counts[name] > 1 and ids.index(name) < at:
            yield f"{name} already exists as a vertex", ("steps", at, "id")
        for index, wanted in enumerate(step.when):
            if wanted not in {AT_ONCE, "", name} and wanted not in ids[:at]:
                yield (
                    f"{wanted} does not exist as a vertex [from: {wanted}, to: {name}]",
                    ("steps", at, "when", index),
                )
