"""`entrepot serve`: the registry, as one command."""

import argparse
import gc
import os
from typing import TYPE_CHECKING, Final

from entrepot.cli.data_folder import DataFolder, hold
from entrepot.cli.signals import end_at_sigterm
from entrepot.cli.sources import USAGE_LINE, Loaded, add_flags, load
from entrepot.settings import SettingError
from entrepot.telemetry.metric_files import METRICS_VARIABLE

if TYPE_CHECKING:
    from entrepot.cli.parsing import Commands

_TEXT: Final = "Serve the registry."
_EPILOG: Final = (
    "Each setting can also be given as the variable in brackets, or as a key of the TOML file (data_dir, port, ...). "
    "A flag wins over a variable, a variable over the file. ENTREPOT_BOOTSTRAP_CLIENT_SECRET has no flag: "
    "everybody on the machine could read it there."
)


def register(commands: "Commands") -> None:
    parser = commands.add_parser(
        "serve", help=_TEXT, description=_TEXT, epilog=_EPILOG, allow_abbrev=False, usage=USAGE_LINE
    )
    add_flags(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    loaded = load(arguments, os.environ)
    end_at_sigterm()
    try:
        return _serve(loaded, hold(loaded.settings.data_dir))
    except SettingError as error:
        raise loaded.refusal(error) from error


def _serve(loaded: Loaded, folder: DataFolder) -> int:
    # Modules bring hundreds of thousands of objects that stay: looking for garbage among them is a sixth of the start.
    gc.disable()
    if loaded.settings.metrics_port is not None:
        metrics = folder.run / "metrics"
        metrics.mkdir()
        # prometheus_client decides how it counts when it is imported, and the parts import it.
        os.environ[METRICS_VARIABLE] = str(metrics)
    from entrepot.app.server import serve

    return serve(loaded.settings, folder.run)
