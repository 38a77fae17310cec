"""Why a run ends before its last step, in ACR's words."""


class RunFailed(Exception):
    """What went wrong, as the log tells it."""


def exit_status(code: int) -> str:
    return f"exit status {code}"


def timed_out(whose: str, seconds: float) -> str:
    """ACR's words, and which limit it was."""
    return f"timed out ({whose} limit of {seconds:g} seconds)"


class StepFailed(Exception):
    """Why a step failed, as ACR tells it. ``exit_code``: None where nothing ended by itself, and no try is left."""

    def __init__(self, reason: str, exit_code: int | None = None) -> None:
        super().__init__(reason)
        self.exit_code = exit_code
