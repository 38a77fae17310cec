"""What stands before the first step: networks, the docker configuration, log-ins (ACR-TASKS 2.2)."""

import base64
import json
from collections.abc import Iterable, Sequence
from typing import Final

from entrepot.tasks.engines.model import HOME, EngineFailed, TimedOut
from entrepot.tasks.execution.calls import Calls, How, RunTimedOut, Words
from entrepot.tasks.execution.failures import RunFailed, exit_status, timed_out
from entrepot.tasks.execution.model import Limits, Login
from entrepot.tasks.language.model import Network

LOGIN_TRIES: Final = 4
LOGIN_PAUSE: Final = 0.25
LOGIN_PAUSE_LIMIT: Final = 5.0
# So that a registry can tell what comes from tasks.
CONFIGURATION: Final = {"experimental": "enabled", "HttpHeaders": {"X-Meta-Source-Client": "azure/acr/tasks"}}


def make_networks(calls: Calls, networks: Iterable[Network], limits: Limits) -> Iterable[str]:
    """The name of each that was made, as soon as it is there. Raises RunFailed."""
    for network in networks:
        if network.skip_creation:
            calls.log.say(f"Skip creating network: {network.name}")
            continue
        calls.log.say(f"Creating Docker network: {network.name}, driver: '{network.driver}'")
        words = ["network", "create"]
        words += ["--driver", network.driver] if network.driver else []
        words += ["--ipv6"] if network.ipv6 else []
        required(calls, [*words, "--", network.name], f"failed to create network {network.name}", limits)
        yield network.name
        calls.log.say(f"Successfully set up Docker network: {network.name}")


def configure(calls: Calls, own: Sequence[Login]) -> None:
    """``own``: log-ins to the run's own registry. They are known to be good, so no client has to start and ask."""
    calls.log.say("Setting up Docker configuration...")
    auths = {each.server: {"auth": base64.b64encode(f"{each.user}:{each.password}".encode()).decode()} for each in own}
    kept = {**CONFIGURATION, **({"auths": auths} if auths else {})}
    calls.write(f"{HOME}/.docker/config.json", json.dumps(kept).encode())
    calls.log.say("Successfully set up Docker configuration")
    for each in own:
        calls.log.say(f"Logging in to registry: {each.server}")
        calls.log.say(f"Successfully logged into {each.server}")


def log_in(calls: Calls, login: Login, limits: Limits) -> None:
    """Raises RunFailed."""
    calls.log.say(f"Logging in to registry: {login.server}")
    ends = calls.clock.now() + limits.login
    said = ""
    try:
        for at in range(LOGIN_TRIES):
            if at:
                calls.wait(min(LOGIN_PAUSE * 2 ** (at - 1), LOGIN_PAUSE_LIMIT))
            words = Words()
            arguments = ["login", "--username", login.user, "--password-stdin", "--", login.server]
            how = How(words, ends - calls.clock.now(), input=login.password.encode())
            if calls.client(arguments, how) == 0:
                calls.log.say(f"Successfully logged into {login.server}")
                return
            said = words.text
    except TimedOut:
        said = timed_out("the log-in's", limits.login)
    raise RunFailed(f"failed to login, ran out of retries: failed to set docker credentials: {said}")


def required(calls: Calls, arguments: Sequence[str], failure: str, limits: Limits, stdin: bytes = b"") -> None:
    """A call without which the run cannot go on. ``failure``: what did not work. Raises RunFailed."""
    words = Words()
    try:
        code = calls.client(arguments, How(words, limits.setup, input=stdin))
    except TimedOut:
        raise RunFailed(f"{failure}: {timed_out('its', limits.setup)}") from None
    if code:
        raise RunFailed(f"{failure}: {words.text or exit_status(code)}")


def clean_up(calls: Calls, containers: Iterable[str], networks: Sequence[str], limits: Limits) -> None:
    """Removes what is left. Never fails: closing the machine removes everything."""
    try:
        for container in containers:
            calls.machine.remove(container)
        if networks:
            calls.client(["network", "rm", "--", *networks], How(Words(), limits.setup))
    except (EngineFailed, TimedOut, RunTimedOut) as error:
        calls.log.say(f"Could not remove what is left of the run: {error}")
