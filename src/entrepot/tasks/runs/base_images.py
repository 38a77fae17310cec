"""What builds stand on, as a task tells of it: each image once (ACR-TASKS 4.5, 7.2)."""

from collections.abc import Iterable, Iterator
from typing import Final

from entrepot.tasks.execution.images import ImageName
from entrepot.tasks.execution.model import Dependency
from entrepot.tasks.model import BaseImage, BaseImageKind

# Of one task, and of a name that a row can hold: more is not kept.
_IMAGES_LIMIT: Final = 200
_NAME_LIMIT: Final = 255


def bases_of(dependencies: Iterable[Dependency]) -> tuple[BaseImage, ...]:
    """One that an image stands on counts as that, whatever else needs it."""
    found: dict[tuple[str, str, str | None], BaseImage] = {}
    for each in sorted(_all(dependencies), key=lambda base: base.type is BaseImageKind.BUILDTIME):
        found.setdefault((each.registry, each.repository, each.tag), each)
    return tuple(found.values())[:_IMAGES_LIMIT]


def _all(dependencies: Iterable[Dependency]) -> Iterator[BaseImage]:
    for each in dependencies:
        if each.runtime is not None:
            yield from _base(BaseImageKind.RUNTIME, each.runtime)
        for image in each.buildtime:
            yield from _base(BaseImageKind.BUILDTIME, image)


def _base(kind: BaseImageKind, image: ImageName) -> Iterator[BaseImage]:
    if max(len(image.registry), len(image.repository), len(image.tag)) > _NAME_LIMIT:
        return
    # What names a digest is that for ever, whatever tag stands beside it.
    tag = None if "@" in image.reference else image.tag
    yield BaseImage(kind, image.registry.lower(), image.repository, tag, image.digest or None)
