"""Conditions for tests: as people write them, and any that the language allows."""

from collections.abc import Iterable

from hypothesis import strategies as st

from entrepot.access.conditions import (
    OPERATORS,
    REPOSITORY_NAME,
    ActionMatches,
    Both,
    Compares,
    Condition,
    Either,
    Exists,
    Not,
    Quantifier,
    SubOperationMatches,
)

REPOSITORIES = "Microsoft.ContainerRegistry/registries/repositories"
CONTENT_READ = f"{REPOSITORIES}/content/read"
CONTENT_WRITE = f"{REPOSITORIES}/content/write"
METADATA_READ = f"{REPOSITORIES}/metadata/read"
CATALOG_READ = "Microsoft.ContainerRegistry/registries/catalog/read"
OPERATIONS = (CONTENT_READ, CONTENT_WRITE, METADATA_READ, CATALOG_READ)
# Short ones over few letters, so that what is drawn for a condition and for a question often meets.
NAMES = st.from_regex(r"[ab](/?[ab]){0,3}", fullmatch=True)

_TEXTS = st.text("ab/AB*?\\", max_size=4)
_PATTERNS = st.sampled_from([*OPERATIONS, CONTENT_READ.upper(), "*", "*/read", f"{REPOSITORIES}/*", "fly"])
_COMPARISONS = st.builds(
    lambda operator, values, quantifier: Compares(operator, values if quantifier else values[:1], quantifier),
    st.sampled_from(list(OPERATORS.values())),
    st.lists(_TEXTS, min_size=1, max_size=3).map(tuple),
    st.none() | st.sampled_from(Quantifier),
)
LEAVES: st.SearchStrategy[Condition] = (
    st.builds(ActionMatches, _PATTERNS)
    | st.builds(SubOperationMatches, _TEXTS)
    | st.builds(Exists)
    | _COMPARISONS
    | _COMPARISONS
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda terms: (
        st.builds(Not, terms)
        | st.builds(Both, st.lists(terms, min_size=2, max_size=3).map(tuple))
        | st.builds(Either, st.lists(terms, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


def guarded(operations: Iterable[str], *places: str) -> str:
    """What the portal writes: these operations in these places only."""
    guard = "\n  AND\n  ".join(f"!(ActionMatches{{'{operation}'}})" for operation in operations)
    where = "\n  OR ".join(f"{REPOSITORY_NAME} {place}" for place in places)
    return f"(\n (\n  {guard}\n )\n OR\n (\n  {where}\n )\n)"
