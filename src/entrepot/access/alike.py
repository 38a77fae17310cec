"""Thousands of conditions that one template wrote, taken apart at once.

They differ in the texts of their places alone. What stands before the first place and behind the last is compared as a
whole, which costs little, and only what is left between is split: all of it in one go.
"""

from itertools import repeat
from operator import itemgetter
from typing import NamedTuple


class Template(NamedTuple):
    """``head`` ends with the quote of the first place, ``tail`` begins with that of the last; ``between``: what stands
    between one place and the next.
    """

    head: str
    between: tuple[str, ...]
    tail: str


def template_of(pieces: list[str], places: list[int]) -> Template | None:
    """Of a condition split at its quotes, whose places are these pieces; None where others stand between them."""
    if not places or places != list(range(places[0], places[-1] + 1, 2)):
        return None
    first, last = places[0], places[-1]
    head, tail = "'".join(pieces[:first]) + "'", "'" + "'".join(pieces[last + 1 :])
    return Template(head, tuple(pieces[first + 1 : last : 2]), tail)


def part(texts: list[str], template: Template) -> tuple[list[str], list[str]]:
    """Those that may be of the template, the first of them is, and the others."""
    # Texts in order of which the first and the last begin alike all do.
    if min(texts).startswith(template.head) and max(texts).startswith(template.head):
        return texts, []
    return (
        [text for text in texts if text.startswith(template.head)],
        [text for text in texts if not text.startswith(template.head)],
    )


def part_closely(texts: list[str], template: Template) -> tuple[list[str], list[str]]:
    """The same for texts that ``columns`` did not take: others have more places, or end in another way."""
    quotes = texts[0].count("'")
    likely = [text.count("'") == quotes and text.endswith(template.tail) for text in texts]
    return (
        [text for text, is_likely in zip(texts, likely, strict=True) if is_likely],
        [text for text, is_likely in zip(texts, likely, strict=True) if not is_likely],
    )


def columns(texts: list[str], template: Template, limit: int) -> list[list[str]] | None:
    """The texts of the first place, of the second and so on, all in lower case: nothing else there has a case.

    They begin with the head. None unless all of them are wholly of the template, and none is longer than the limit.
    """
    start, end = len(template.head), -len(template.tail)
    if max(map(len, texts)) > limit or not all(map(str.endswith, texts, repeat(template.tail))):
        return None
    middles = list(map(itemgetter(slice(start, end)), texts))
    joined = str.join("'\0'", middles).lower()
    count, width = len(texts), 2 * len(template.between) + 2
    pieces = joined.split("'")
    # Where nothing is left, head and tail may have shared a quote.
    if "" in middles or not joined.isascii() or joined.count("\0") != count - 1 or len(pieces) != count * width - 1:
        return None
    # Once the separators are where they belong, each condition has its own pieces.
    if pieces[width - 1 :: width].count("\0") != count - 1:
        return None
    if any(pieces[2 * at + 1 :: width].count(text.lower()) != count for at, text in enumerate(template.between)):
        return None
    return [pieces[at::width] for at in range(0, width, 2)]
