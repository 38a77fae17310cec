"""``bench`` is run from the repository's root and never installed, so the root goes on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
