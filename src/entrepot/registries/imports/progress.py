"""What an import tells of itself on the way: how much has come, the same for each target."""

import time
from dataclasses import dataclass, field
from typing import Final

from entrepot.arm.operations.record import tell
from entrepot.jobs.run import HandedBack, Run
from entrepot.remote.copies.keeping import Keeping

_EVERY_SECONDS: Final = 1.0


@dataclass(slots=True)
class Progress:
    """Of one attempt. ``came`` is called often, and writes seldom."""

    run: Run
    operation: str
    labels: list[str]
    keeping: Keeping
    _manifests: int = 0
    _blobs: int = 0
    _bytes: int = 0
    _due: float = field(default=0.0)

    def came(self, *, manifests: int = 0, blobs: int = 0, length: int = 0) -> None:
        """Raises what ends the attempt when its worker is stopping."""
        self._manifests += manifests
        self._blobs += blobs
        self._bytes += length
        if self.run.stopping:
            raise HandedBack
        self.keeping.keep_on()
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY_SECONDS
            text = f"Copying: {self._manifests} manifests, {self._blobs} blobs, {self._bytes} bytes"
            self.run.write(tell, self.operation, dict.fromkeys(self.labels, text))
