"""What a client's output tells while it passes: texts that ask for another try, and digests of images.

Clients tell digests in lines of their own: BuildKit for each image that it builds on (``#5 [1/2] FROM NAME@DIGEST``;
what a build prints comes behind a number and a time), a push for what it pushed (``TAG: digest: DIGEST size: N``).
"""

import re
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final

from entrepot.tasks.engines.model import Sink
from entrepot.tasks.execution.images import ImageName, parse_image

_LINE_LIMIT: Final = 4096
_BASE: Final = re.compile(r"#\d+ \[[^\]]*\] FROM (\S+@sha(?:256|512):[0-9a-f]+)")
_PUSHED: Final = re.compile(r"\S+: digest: (sha(?:256|512):[0-9a-f]+) size: \d+")

Named = tuple[str, str, str]


class Digests:
    """Those that are known so far, of all steps."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bases: dict[Named, str] = {}
        self._pushed: dict[Named, str] = {}

    def see_base(self, line: str) -> None:
        """A line of a build."""
        found = _BASE.match(line)
        image = parse_image(found[1]) if found else None
        if image is not None:
            self.add_base(image, image.digest)

    def add_base(self, image: ImageName, digest: str) -> None:
        with self._lock:
            self._bases[_named(image)] = digest

    def see_push(self, image: ImageName, line: str) -> None:
        """A line of the push of this image."""
        if found := _PUSHED.fullmatch(line):
            self.add_pushed(image, found[1])

    def add_pushed(self, image: ImageName, digest: str) -> None:
        with self._lock:
            self._pushed[_named(image)] = digest

    def pushed(self, image: ImageName) -> str:
        """Empty for one that was not pushed, as far as is known."""
        with self._lock:
            return self._pushed.get(_named(image), "")

    def base(self, image: ImageName) -> str:
        """Empty where it is not known. Some releases of BuildKit leave out the tag."""
        with self._lock:
            untagged = self._bases.get((*image.place, ""), "")
            return image.digest or self._bases.get(_named(image), untagged)


def _named(image: ImageName) -> Named:
    return (*image.place, image.tag)


class TextSink:
    """Passes everything on, and tells whether one of the texts was in it."""

    def __init__(self, output: Sink, texts: Sequence[str]) -> None:
        self._output = output
        self._texts = [text.encode() for text in texts]
        self._kept = max(map(len, self._texts), default=0)
        self._tail = b""
        self.has_text = False

    def __call__(self, output: bytes) -> None:
        self._output(output)
        if self._texts and not self.has_text:
            seen = self._tail + output
            self.has_text = any(text in seen for text in self._texts)
            self._tail = seen[-self._kept :] if self._kept else b""


class LineSink:
    """Passes everything on, and shows each whole line; what is longer than the limit is cut."""

    def __init__(self, output: Sink, look: Callable[[str], None]) -> None:
        self._output = output
        self._look = look
        self._rest = b""

    def __call__(self, output: bytes) -> None:
        self._output(output)
        *whole, rest = (self._rest + output).split(b"\n")
        self._rest = rest[:_LINE_LIMIT]
        for line in whole:
            self._look(line[:_LINE_LIMIT].decode(errors="replace").strip())
