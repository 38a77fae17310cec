"""What a worker remembers of access: bounded, and dropped whole when it is full or when access has changed."""

from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_REMEMBERED: Final = 10_000


def remember(memory: dict[K, V], key: K, value: V) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value
