"""Folders with files of strangers, removed again."""

import subprocess
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """However deep it is: ``shutil.rmtree`` fails beyond a thousand folders in each other, which a step makes in a
    moment. Links are not followed; what cannot be removed stays.
    """
    words = ["rm", "-rf", "--", str(folder)]
    subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
