"""What builds of a task file have elsewhere, brought below the run's own files (ACR-TASKS 1.6)."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

from entrepot.tasks.context import Context, ContextInvalid, parse_context
from entrepot.tasks.contexts.fetching import fetch
from entrepot.tasks.contexts.model import ContextFailed, Means
from entrepot.tasks.execution.builds import remote_contexts
from entrepot.tasks.execution.model import Fetched
from entrepot.tasks.language.reading import Task

# Of a step that a folder can be called by.
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")

# The means by which a context is reached: its registry may be the run's own. Raises ContextFailed.
Reaching: TypeAlias = Callable[[Context, Means], Means]


def fetch_builds(task: Task, root: Path, means: Means, reaching: Reaching) -> dict[str, Fetched]:
    """By step id, for ``Work.fetched``. ``root``: of the run's files. Raises ContextFailed, Canceled."""
    found: dict[str, Fetched] = {}
    for number, (step, text) in enumerate(remote_contexts(task).items()):
        folder = step if _PLAIN.fullmatch(step) else f"acb_context_{number}"
        try:
            (root / folder).mkdir(mode=0o755)
        except OSError as error:
            raise ContextFailed(f"failed to make directory, {folder}: {error.strerror}") from None
        scratch = means.scratch.with_name(f"scratch-{number}")
        scratch.mkdir(mode=0o700)
        context = parsed(text)
        fetched = fetch(context, root / folder, reaching(context, replace(means, scratch=scratch)))
        found[step] = Fetched(str(fetched.root.relative_to(root.resolve())), fetched.commit)
    return found


def parsed(text: str, token: str = "") -> Context:
    """Raises ContextFailed."""
    try:
        return parse_context(text, token)
    except ContextInvalid as wrong:
        raise ContextFailed(str(wrong)) from None
