"""One attempt at a run: its files are fetched, its task is read, its machine is made, its steps run."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import structlog

from entrepot.access.sealing import SealBrokenError, Sealer
from entrepot.jobs.model import Json
from entrepot.jobs.run import Run
from entrepot.outbound.client import Outbound
from entrepot.outbound.streams import Streams
from entrepot.remote.sign_in import Credentials
from entrepot.tasks.attempts import AttemptsUnknown, lost
from entrepot.tasks.context import Artifact, Context
from entrepot.tasks.contexts.fetching import fetch
from entrepot.tasks.contexts.model import ContextFailed, Fetched, Means
from entrepot.tasks.contexts.texts import fetch_text
from entrepot.tasks.egress import Egress, EgressUnknown
from entrepot.tasks.engines.model import Allowance, Canceled, DiskFull, Engine, EngineFailed, Order
from entrepot.tasks.engines.registry import own_registry
from entrepot.tasks.engines.way_out import way_out
from entrepot.tasks.execution.attesting import SBOM
from entrepot.tasks.execution.executor import execute
from entrepot.tasks.execution.model import Ending, Login, Origin, Publisher, QuickBuild, Work
from entrepot.tasks.execution.model import Outcome as Executed
from entrepot.tasks.language.findings import Finding, TaskInvalid
from entrepot.tasks.logs import queries as logs
from entrepot.tasks.logs.writing import LogWriter
from entrepot.tasks.removing import remove_tree
from entrepot.tasks.runs import queries
from entrepot.tasks.runs.base_images import bases_of
from entrepot.tasks.runs.build_contexts import fetch_builds, parsed
from entrepot.tasks.runs.identity import Reach, SignInFailed, Signing, passwords_of, read_secret, sign_in, sign_out
from entrepot.tasks.runs.model import Image, Outcome, Plan, Secrets, Status
from entrepot.tasks.runs.queries import RunRow
from entrepot.tasks.runs.reading import Reader, Reading, Unlock, docker_platforms, is_plain, read_job
from entrepot.tasks.runs.schedule import purpose_of
from entrepot.tasks.runs.watch import Watch

log: Final = structlog.stdlib.get_logger(__name__)

_ENDINGS: Final = {
    Ending.SUCCEEDED: (Status.SUCCEEDED, "was successful after"),
    Ending.FAILED: (Status.FAILED, "failed after"),
    Ending.TIMED_OUT: (Status.TIMEOUT, "timed out after"),
    Ending.CANCELED: (Status.CANCELED, "was canceled after"),
}


@dataclass(frozen=True, slots=True)
class Site:
    """What a worker runs tasks with.

    ``engine``: raises EngineFailed where there is none. ``folder``: of the worker's own, for files of runs.
    ``upload``: the bytes of what was uploaded for a registry (by its row) under a path; raises ContextFailed.
    ``registry``: name and login server of a registry by its row. ``reach``: what runs sign in to.
    ``scheme``: of a registry's URL. ``attempts``: how often a run may begin, by the same as ``egress``; raises
    AttemptsUnknown. ``client``: for calls to one, by its login server; raises OSError for a CA that
    cannot be read. ``egress``: of a run of a registry (by its row) and a task; raises EgressUnknown. ``streams``: to
    what runs may reach whose egress is a list. ``keeps_cache``: whether builds leave caches. ``publisher``: puts
    indexes and attestations of a run into its registry.
    ``deployment``: its URI. ``known``: what runs found out about the engine.
    """

    engine: Callable[[], Engine]
    folder: Path
    outbound: Outbound
    streams: Streams
    sealer: Sealer
    upload: Callable[[int, str], Iterable[bytes]]
    registry: Callable[[int], tuple[str, str]]
    allowance: Allowance
    log_bytes: int
    reader: Reader
    reach: Reach
    scheme: str
    client: Callable[[str], Outbound]
    egress: Callable[[int, str | None], Egress]
    attempts: Callable[[int, str | None], int]
    keeps_cache: bool
    publisher: Callable[[Run, RunRow], Publisher]
    deployment: Callable[[], str]
    known: dict[str, bool] = field(default_factory=dict[str, bool])


class Worked(msgspec.Struct, frozen=True):
    """How an attempt ended."""

    status: Status
    outcome: Outcome = Outcome()


def attempt(run: Run, site: Site, row: RunRow) -> Json:
    """Twice is safe: an attempt removes what the one before left. Raises what no body catches when it is another's."""
    if not run.write(queries.begin, row.id, run.worker, run.attempt, run.now):
        return msgspec.to_builtins(Worked(Status.CANCELED, Outcome(error="the run was canceled before it began")))
    # What it does may have been replaced until this moment (triggers/firing.py).
    return msgspec.to_builtins(_Attempt(run, site, run.read(queries.run_of, row.id) or row).work())


class _Attempt:
    def __init__(self, run: Run, site: Site, row: RunRow) -> None:
        self.run = run
        self.site = site
        self.row = row
        self.plan = msgspec.json.decode(row.request, type=Plan)
        self.secrets = Secrets()
        self.began = time.monotonic()
        self.folder = site.folder / f"{row.id}-{run.attempt}"

    def work(self) -> Worked:
        watch = Watch(self.run, self.row.id)
        try:
            self.secrets = self._opened()
        except SealBrokenError:
            reason = "the run's secrets cannot be read: the deployment's secret key was changed"
            return Worked(Status.ERROR, Outcome(error=reason))
        try:
            with LogWriter(self._keep, watch.lose, self.secrets.every(), self.site.log_bytes) as says, watch:
                worked = self._worked(watch, says)
        finally:
            remove_tree(self.folder)
        watch.expect_ours()
        self.run.write(sign_out, self.row)
        return worked

    def _opened(self) -> Secrets:
        if self.row.secrets is None:
            return Secrets()
        text = self.site.sealer.open(self.row.secrets, purpose_of(self.row.registry_id, self.row.name))
        return msgspec.json.decode(text, type=Secrets)

    def _keep(self, piece: bytes) -> None:
        self.run.patiently(lambda: self.run.write(logs.append_log, self.row.id, piece))

    def _worked(self, watch: Watch, says: LogWriter) -> Worked:
        """With the log's last line. What is our own fault is an error, and no failure of the task."""
        ending, error, executed = Ending.FAILED, "", None
        try:
            executed = self._execute(watch, says)
            ending, error = executed.ending, executed.error
        except Canceled:
            ending = Ending.CANCELED
        except (ContextFailed, SignInFailed, TaskInvalid, DiskFull) as wrong:
            error = str(wrong)
            says.line(error)
        except EngineFailed as wrong:
            watch.expect_ours()
            return self._broken(says, str(wrong))
        # One that goes on elsewhere has no end here.
        watch.expect_ours()
        status, verb = _ENDINGS[ending]
        says.line("")
        why = f". Error: {error}" if error and ending is not Ending.SUCCEEDED else ""
        says.line(f"Run ID: {self.row.name} {verb} {_duration(time.monotonic() - self.began)}{why}")
        return Worked(status, self._outcome(executed, error))

    def _broken(self, says: LogWriter, reason: str) -> Worked:
        says.line(f"\nRun ID: {self.row.name} failed after {_duration(time.monotonic() - self.began)}. Error: {reason}")
        log.error("task_engine_failed", run=self.row.name, reason=reason)
        return Worked(Status.ERROR, Outcome(error=reason))

    def _execute(self, watch: Watch, says: LogWriter) -> Executed:
        """Raises ContextFailed, SignInFailed, TaskInvalid, EngineFailed, Canceled."""
        engine = self.site.engine()
        self._clear(engine)
        for folder in self.site.folder.glob(f"{self.row.id}-*"):
            remove_tree(folder)
        self._expect_attempt(says)
        _made(self.folder)
        name, server = self.site.registry(self.row.registry_id)
        reach = self.site.reach
        signing = Signing(self.row, self.plan, passwords_of(self.plan, self.secrets, reach.vaults))
        signed_in = self.run.write(sign_in, signing, reach, self.run.now)
        says.hide(signed_in.secrets())
        means = self._means(watch, signed_in.logins)
        fetched = self._fetch(means, server, says)
        reading = self._reading(name, server, fetched)
        if not is_plain(reading.branch):
            says.say("The branch's name has signs that a shell would read: {{.Run.Branch}} is empty")
        reader = replace(self.site.reader, unlock=self._unlock(says), fetch=partial(fetch_text, means))
        job = read_job(self.plan, self.secrets, reading, reader, fetched.root)
        own = f"{self.row.id}-{self.run.attempt}"
        builds = (
            {}
            if isinstance(job, QuickBuild)
            else fetch_builds(job, fetched.root, means, lambda context, to: self._reaching(context, to, server))
        )
        work = Work(
            own,
            job,
            server,
            self.plan.timeout,
            self.plan.timeout - (time.monotonic() - self.began),
            signed_in.logins,
            self.row.task or "",
            fetched.commit,
            builds,
            signed_in.environment,
            known=self.site.known,
            branch=reading.branch,
            platform=next(iter(docker_platforms(self.plan.platform)), ""),
            keeps_cache=self.site.keeps_cache,
            publisher=self.site.publisher(self.run, self.row),
            origin=Origin(self.site.deployment(), self.row.name, self._source(), f"{engine.name} {engine.version}"),
            sbom_image=self.site.reader.images.get(SBOM, ""),
        )
        asking = own_registry(server, self.site.scheme, partial(self.site.client, server))
        steps = () if isinstance(job, QuickBuild) else job.steps
        near = [step.id for step in steps]
        if any(step.cmd for step in steps) and (warning := signed_in.warning()):
            says.say(warning)
        egress = self._egress(says)
        way = way_out(egress, self.site.streams, near, says.say) if egress.hosts else None
        order = Order(own, fetched.root, self.site.allowance, asking, egress.hosts is not None, way)
        machine = engine.machine(order)
        try:
            self.run.write(queries.set_running, self.row.id, self.run.now)
            return execute(work, machine, says, watch.ended)
        finally:
            machine.close()

    def _expect_attempt(self, says: LogWriter) -> None:
        """Raises EngineFailed, TaskInvalid."""
        try:
            attempts = self.site.attempts(self.row.registry_id, self.row.task)
        except AttemptsUnknown as unknown:
            raise TaskInvalid([Finding(str(unknown))]) from None
        if self.run.attempt > attempts:
            raise EngineFailed(lost(attempts))
        if self.run.attempt > 1:
            says.say(f"The worker of this run was lost; the run begins again (attempt {self.run.attempt})")

    def _clear(self, engine: Engine) -> None:
        """What another run left, and cannot be removed, is nothing to this one. Raises EngineFailed."""
        for left, reason in engine.clear(self._going).items():
            if left.startswith(f"{self.row.id}-"):
                raise EngineFailed(f"what an earlier attempt left cannot be removed: {reason}")
            log.warning("task_leftovers", of=left, reason=reason)

    def _going(self) -> set[str]:
        return {f"{run_id}-{number}" for run_id, number in self.run.read(queries.going).items()}

    def _reading(self, name: str, server: str, fetched: Fetched) -> Reading:
        """The commit and branch are those of the change that began the run, where one did: it is checked out by its
        commit, and without a branch.
        """
        source = self.plan.source
        commit = fetched.commit if source is None else source.commit_id
        branch = fetched.branch if source is None else source.branch_name or ""
        return Reading(self.row.name, name, server, self.row.task or "", commit, branch, self.plan.triggered_by)

    def _unlock(self, says: LogWriter) -> Unlock:
        def unlock(url: str, client_id: str) -> str:
            """Raises SignInFailed."""
            secret = read_secret(url, client_id.lower(), self.plan, self.site.reach.vaults)
            says.hide([secret])
            return secret

        return unlock

    def _egress(self, says: LogWriter) -> Egress:
        """Raises TaskInvalid."""
        try:
            egress = self.site.egress(self.row.registry_id, self.row.task)
        except EgressUnknown as unknown:
            raise TaskInvalid([Finding(str(unknown))]) from None
        if egress.hosts is not None:
            way = " and, by HTTP_PROXY, hosts of a list" if egress.hosts else ""
            says.say(f"The steps of this run reach one another{way}, and nothing else: its egress is {egress}")
        return egress

    def _source(self) -> str:
        """Of the context, without what is secret; empty for an upload."""
        return self.plan.context if "://" in self.plan.context else ""

    def _means(self, watch: Watch, logins: tuple[Login, ...]) -> Means:
        known = {login.server: Credentials(login.user, login.password) for login in logins}
        return Means(
            self.site.outbound,
            _made(self.folder / "scratch"),
            upload=lambda path: self.site.upload(self.row.registry_id, path),
            credentials=known.get,
            canceled=watch.ended,
        )

    def _fetch(self, means: Means, server: str, says: LogWriter) -> Fetched:
        """Raises ContextFailed, Canceled."""
        files = _made(self.folder / "files")
        # Steps that are not root read it, as a volume of docker's own; the folder above is the worker's alone.
        files.chmod(0o755)
        if not self.plan.context:
            return Fetched(files)
        says.line("Downloading source code...")
        context = parsed(self.secrets.context or self.plan.context, self.secrets.token)
        fetched = fetch(context, files, self._reaching(context, means, server))
        says.line("Finished downloading source code")
        return fetched

    def _reaching(self, context: Context, means: Means, server: str) -> Means:
        """The run's own registry is reached wherever it is: the operator says where. Raises ContextFailed."""
        if not isinstance(context, Artifact) or context.host != server:
            return means
        try:
            return replace(means, outbound=self.site.client(server))
        except OSError as error:
            raise ContextFailed(f"the registry's CA cannot be read: {error}") from None

    def _outcome(self, executed: Executed | None, error: str) -> Outcome:
        images = () if executed is None else executed.images
        return Outcome(
            tuple(Image(each.registry, each.repository, each.tag, each.digest) for each in images),
            tuple(dict.fromkeys(f"{each.repository}@{each.digest}" for each in images if each.digest)),
            () if executed is None else bases_of(executed.dependencies),
            error or None,
            tuple(sorted(self.plan.credentials.custom_registries or {})),
        )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, mode=0o700)
    return folder


def _duration(seconds: float) -> str:
    """As Go prints it: 5s, 1m23s, 1h0m5s."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{rest}s"
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
