"""Whether a secret is the one behind a hash. Slow hashes are bounded in number, so that sign-ins cannot stop pulls."""

from collections.abc import Sequence

from entrepot.access.secrets import NOBODY, find_secret, hash_secret, is_fast
from entrepot.gate.doors import Doors
from entrepot.gate.turns import Turns


class Proving:
    """One per worker process."""

    def __init__(self, doors: Doors) -> None:
        self._slow_hashes = Turns(doors)

    async def find(self, hashes: Sequence[str], secret: str) -> int | None:
        """The place of the secret's hash. What nobody has takes as long as what somebody has. Raises
        TOO_MANY_REQUESTS.
        """
        fast = [place for place, known in enumerate(hashes) if is_fast(known)]
        found = find_secret([hashes[place] for place in fast], secret)
        if found is not None:
            return fast[found]
        slow = [place for place, known in enumerate(hashes) if not is_fast(known)]
        if fast and not slow:  # generated secrets alone, which nobody guesses by time
            return None
        found = await self._slow_hashes.run(find_secret, [hashes[place] for place in slow] or [NOBODY], secret)
        return None if found is None or not slow else slow[found]

    async def hash(self, secret: str) -> str:
        """Of a secret that somebody chose. Raises TOO_MANY_REQUESTS."""
        return await self._slow_hashes.run(hash_secret, secret)
