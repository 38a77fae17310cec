"""The files that a process counts its metrics into, and their space on the disk.

prometheus_client maps sparse files into memory. To touch a page of one that a full disk cannot give is a SIGBUS: the
process that only wanted to count a refused push would be dead. So each process has its space before it counts.
"""

import os
from pathlib import Path
from typing import Final

from entrepot.settings import SettingError

# What prometheus_client reads when it is imported: this module must not import it.
METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_KINDS: Final = ("counter", "histogram", "gauge_livemostrecent")
# A route takes about 3 KiB in the largest file, and there are some twenty.
_SPACE: Final = 512 * 1024


def reserve_space() -> None:
    """For this process, right after its fork, if metrics are on. Raises SettingError when the disk has no space."""
    folder = os.environ.get(METRICS_VARIABLE)
    if folder is None:
        return
    try:
        for kind in _KINDS:
            with Path(folder, f"{kind}_{os.getpid()}.db").open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, _SPACE)
    except OSError as error:
        raise SettingError("data_dir", f"cannot keep metrics there: {error.strerror}") from error
