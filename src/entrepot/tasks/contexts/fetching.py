"""A run's files, from wherever its context says, into an empty folder of the worker."""

from pathlib import Path
from typing import Final

from entrepot.tasks.context import Archive, Artifact, Context, Git, Nothing, Upload
from entrepot.tasks.contexts.archives import fetch_archive
from entrepot.tasks.contexts.artifacts import fetch_artifact
from entrepot.tasks.contexts.model import ContextFailed, Fetched, Means, Watch
from entrepot.tasks.contexts.repositories import fetch_repository
from entrepot.tasks.contexts.unpack import unpack

_FAILED: Final = "failed to download source code: "


def fetch(context: Context, folder: Path, means: Means) -> Fetched:
    """Blocks while it fetches. A link in the folder may lead anywhere: ``inside.resolve`` follows it within.

    Raises ContextFailed, Canceled; then what lies in the folder by then is of no use.
    """
    try:
        match context:
            case Nothing():
                pass
            case Upload():
                unpack(means.upload(context.path), folder, means.bounds, Watch.over(means))
            case Archive():
                fetch_archive(context, folder, means)
            case Artifact():
                fetch_artifact(context, folder, means)
            case Git():
                return fetch_repository(context, folder, means)
    except ContextFailed as error:
        raise ContextFailed(f"{_FAILED}{error}") from error
    except OSError as error:
        raise ContextFailed(f"{_FAILED}the worker cannot keep it: {error.strerror or error}") from error
    return Fetched(folder)
