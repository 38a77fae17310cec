"""The end of a log that has reached its limit: kept as it came, read once, when there is no more."""

from collections import deque
from typing import Final

from entrepot.tasks.logs.masking import Masker

# How much of it is shown.
LENGTH: Final = 64 * 1024


class Tail:
    """``length``: of all that came."""

    def __init__(self) -> None:
        self.length = 0
        self._pieces: deque[bytes] = deque()
        self._kept = 0

    def add(self, piece: bytes, longest: int) -> None:
        """``longest``: how long a secret is at most. One that began before what is kept is not to be found any more."""
        if not piece:
            return
        self._pieces.append(piece)
        self._kept += len(piece)
        self.length += len(piece)
        while self._kept - len(self._pieces[0]) >= LENGTH + longest:
            self._kept -= len(self._pieces.popleft())

    def shown(self, masker: Masker) -> tuple[bytes, int]:
        """Without secrets; and how many bytes before it are left out."""
        end = b"".join(self._pieces)
        is_cut = self.length > len(end)
        masked = (masker.mask_end(end) if is_cut else masker.mask(end) + masker.end())[-LENGTH:]
        return masked, max(0, self.length - len(masked))
