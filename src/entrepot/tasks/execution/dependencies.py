"""What built images stand on: of Dockerfiles before the build, with digests after the run (ACR-TASKS 4.5, 6.5)."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from entrepot.tasks.dockerfile import TEXT_LIMIT, Bases, DockerfileInvalid, bases, side_stages
from entrepot.tasks.engines.model import EngineFailed, EngineImage
from entrepot.tasks.execution.builds import Build
from entrepot.tasks.execution.calls import Calls
from entrepot.tasks.execution.images import ImageName, parse_image
from entrepot.tasks.execution.model import Dependency
from entrepot.tasks.execution.watching import Digests

# What YAML takes for a text without quotes.
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9._/@-]*(?::[A-Za-z0-9._/@-]+)*")
_WORDS: Final = frozenset({"y", "yes", "n", "no", "on", "off", "true", "false", "null"})


class Scanned(NamedTuple):
    """What a Dockerfile says. ``stages``: see ``side_stages``."""

    bases: Bases
    stages: tuple[str, ...]


def scan(calls: Calls, build: Build, folder: str) -> Scanned | None:
    """As the builder finds it, with links and files of earlier steps. None, and a line in the log, where it cannot be
    told: whether the build fails is the builder's to say.
    """
    if not build.dockerfile_path:
        return None
    calls.log.say("Scanning for dependencies...")
    try:
        text = _read(calls, build.dockerfile_path, folder)
        found = bases(text, build.arguments, build.target)
        stages = side_stages(text, build.arguments, build.target)
    except DockerfileInvalid as reason:
        calls.log.say(f"Base images are not known: {reason}")
        return None
    calls.log.say("Successfully scanned dependencies")
    return Scanned(found, stages)


def _read(calls: Calls, path: str, folder: str) -> str:
    """Raises DockerfileInvalid where it cannot be read."""
    text = calls.machine.read(path if path.startswith("/") else f"{folder}/{path}", TEXT_LIMIT + 1)
    if text is None:
        raise DockerfileInvalid(f"there is no {path}")
    return text.decode(errors="replace")


def dependencies(build: Build, found: Bases | None, commit: str) -> list[Dependency]:
    """One for each name that the image gets, or one without a name. Digests are not known yet."""
    runtime = parse_image(found.runtime) if found and found.runtime else None
    buildtime = tuple(image for name in (found.buildtime if found else ()) if (image := parse_image(name)))
    images = [image for tag in build.tags if (image := parse_image(tag))]
    return [Dependency(image, runtime, buildtime, commit) for image in (images or [None])]


def look_up(calls: Calls, images: Iterable[ImageName]) -> dict[ImageName, str]:
    """Those that the engine has, each with its digest; empty for one that no registry had. Never fails."""
    wanted = list(dict.fromkeys(images))
    if not wanted:
        return {}
    try:
        found = calls.machine.images([image.reference for image in wanted])
    except EngineFailed as failed:
        calls.log.say(f"Digests are not known: {failed}")
        return {}
    return dict(_matches(wanted, found))


def _matches(wanted: Sequence[ImageName], found: Sequence[EngineImage]) -> Iterator[tuple[ImageName, str]]:
    for inspected in found:
        tags = {(*each.place, each.tag) for text in inspected.tags if (each := parse_image(text))}
        digests = {each.place: each.digest for text in inspected.digests if (each := parse_image(text))}
        for image in wanted:
            if (*image.place, image.tag) in tags:
                yield image, digests.get(image.place, "")


def with_digests(each: Dependency, digests: Digests, inspected: dict[ImageName, str]) -> Dependency:
    def base(image: ImageName) -> ImageName:
        return image.with_digest(digests.base(image) or inspected.get(image, ""))

    image = each.image
    return Dependency(
        None if image is None else image.with_digest(digests.pushed(image) or inspected.get(image, "")),
        None if each.runtime is None else base(each.runtime),
        tuple(map(base, each.buildtime)),
        each.commit,
    )


def unknown(all_of: Iterable[Dependency], digests: Digests) -> Iterator[ImageName]:
    """Images whose digests no output told."""
    for each in all_of:
        if each.image is not None and not digests.pushed(each.image):
            yield each.image
        yield from (base for base in (each.runtime, *each.buildtime) if base is not None and not digests.base(base))


def block(all_of: Sequence[Dependency]) -> str:
    """As the stored log of ACR shows it: a YAML list; what is empty is left out."""
    return "\n".join(line for each in all_of for line in _entry(each))


def _entry(each: Dependency) -> Iterator[str]:
    parts: list[str] = []
    if each.image is not None:
        parts += ["image:", *(f"  {line}" for line in _image(each.image))]
    if each.runtime is not None:
        parts += ["runtime-dependency:", *(f"  {line}" for line in _image(each.runtime))]
    if each.buildtime:
        parts.append("buildtime-dependency:")
        for image in each.buildtime:
            first, *rest = _image(image)
            parts += [f"- {first}", *(f"  {line}" for line in rest)]
    parts += ["git:", f"  git-head-revision: {_scalar(each.commit)}"] if each.commit else ["git: {}"]
    first, *rest = parts
    yield f"- {first}"
    yield from (f"  {line}" for line in rest)


def _image(image: ImageName) -> Iterator[str]:
    fields = {
        "registry": image.registry,
        "repository": image.repository,
        "tag": image.tag,
        "digest": image.digest,
    }
    return (f"{name}: {_scalar(value)}" for name, value in fields.items() if value)


def _scalar(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS
    return text if is_plain else json.dumps(text)
