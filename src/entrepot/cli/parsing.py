"""What the commands share when they describe themselves to argparse."""

import argparse
import difflib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    # argparse has no public names for what it hands out.
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    Group = argparse._ArgumentGroup  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

# What `entrepot login` reads a secret from.
CLIENT_SECRET_VARIABLE: Final = "ENTREPOT_CLIENT_SECRET"  # noqa: S105  a name


def nearest(name: str, known: Iterable[str], written: Callable[[str], str] = str) -> str:
    """A hint at the known name that was probably meant, as it is written, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {written(close[0])}?" if close else ""
