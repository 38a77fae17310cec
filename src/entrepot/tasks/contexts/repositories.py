"""A git repository as a context: what a reference means, its checkout, its submodules (ACR-TASKS 4.6)."""

import contextlib
import os
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from entrepot.outbound.model import OutboundError
from entrepot.remote.sign_in import Credentials
from entrepot.tasks.context import Git as GitContext
from entrepot.tasks.contexts.gateway import Gateway, origin_of
from entrepot.tasks.contexts.git import Git, GitFailed, redacted
from entrepot.tasks.contexts.inside import resolve
from entrepot.tasks.contexts.large_files import fetch_large_files, pointers
from entrepot.tasks.contexts.model import Bounds, ContextFailed, Fetched, Means, Watch

# What ACR says; the folder is the one that a run sees.
_PREFIX: Final = "unable to git clone to /workspace: "
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT: Final = re.compile(r"[0-9a-f]{4,64}")
_BRANCH: Final = "refs/heads/"
_REMOTE: Final = "refs/remotes/origin/"
# What a server may call its default branch.
_DEFAULT: Final = re.compile(r"ref: (refs/heads/[^-:\s][^:\s]*)\tHEAD")
_MODULE: Final = b"160000"
# As git itself calls a checkout that is of no branch.
DETACHED: Final = "HEAD"


def fetch_repository(context: GitContext, folder: Path, means: Means) -> Fetched:
    """Raises ContextFailed, Canceled."""
    with opened(context, means, _PREFIX) as git:
        try:
            return _fetch(git, context, folder)
        except OutboundError as error:  # of what is fetched beside git
            git.watch.left()
            raise ContextFailed(f"{_PREFIX}error fetching large files: {error}") from error


@contextmanager
def opened(context: GitContext, means: Means, prefix: str) -> Generator[Git]:
    """git, with a way to this repository. Raises ContextFailed with the prefix, also for what git says in the block."""
    scheme = context.url.partition("://")[0]
    if scheme not in {"http", "https"}:
        raise ContextFailed(f"{prefix}{scheme}:// is not fetched from: name the repository by https")
    watch = Watch.over(means)
    credentials = Credentials(context.user, context.password) if context.password else None
    with Gateway(means, watch, origin_of(context.url), credentials) as gateway:
        git = Git(means.scratch, gateway, means.bounds, watch)
        git.prepare()
        try:
            yield git
        except (GitFailed, ContextFailed) as error:
            cause = f" ({gateway.cause})" if gateway.cause and gateway.cause not in str(error) else ""
            told = str(error).removeprefix(prefix)
            raise ContextFailed(f"{prefix}{told}{cause}") from error


@dataclass(frozen=True, slots=True)
class References:
    """Of a repository, as its server says. ``default``: of the default branch, in full, empty where there is none;
    ``commits``: by the references' names.
    """

    default: str
    commits: Mapping[str, str]


def references(context: GitContext, wanted: Sequence[str], means: Means) -> References:
    """Of those that ``wanted`` names, ``*`` for anything; nothing is fetched. Raises ContextFailed, Canceled."""
    with opened(context, means, "cannot look at the repository: ") as git:
        said = git.run(means.scratch, "ls-remote", "--symref", "--", context.url, DETACHED, *wanted)
    lines = said.splitlines()
    default = next((found[1] for line in lines if (found := _DEFAULT.fullmatch(line))), "")
    pairs = (line.partition("\t") for line in lines)
    commits = {name: commit for commit, _, name in pairs if _COMMIT.fullmatch(commit)}
    if default and DETACHED in commits:
        commits[default] = commits[DETACHED]
    return References(default, commits)


def _fetch(git: Git, context: GitContext, folder: Path) -> Fetched:
    checkout = _Checkout(git, context.url, folder, _Size(git.bounds))
    branch = checkout.make(context.ref)
    checkout.add_modules(git.bounds.modules)
    commit = git.run(folder, "rev-parse", "HEAD").strip()
    try:
        root = resolve(folder, context.folder)
    except OSError as error:
        raise GitFailed(f"error setting git context: stat {context.folder}: {error.strerror or error}") from error
    if not root.is_dir():
        raise GitFailed(f"error setting git context: {context.folder} is no folder")
    return Fetched(root, commit, branch)


@dataclass(frozen=True, slots=True)
class _Found:
    """A reference at the other side: ``name`` in full, empty for a commit; ``wanted``: what a fetch asks for."""

    wanted: str
    name: str = ""

    @property
    def branch(self) -> str:
        return self.name.removeprefix(_BRANCH) if self.name.startswith(_BRANCH) else ""


@dataclass(slots=True)
class _Size:
    """What is checked out, counted before it is: small packs may hold very large trees."""

    bounds: Bounds
    entries: int = 0
    size: int = 0

    def count(self, size: bytes) -> None:
        """``size``: a number; anything else for what is no file. Raises ContextFailed."""
        self.entries += 1
        self.size += int(size) if size.isdigit() else 0
        if self.entries > self.bounds.entries or self.size > self.bounds.unpacked:
            raise ContextFailed("the repository has more or larger files than are allowed for a context")


@dataclass(slots=True)
class _Checkout:
    """One repository into one folder that is empty."""

    git: Git
    url: str
    folder: Path
    size: _Size
    # Submodules by their folders: the commit of each.
    _modules: dict[str, str] = field(default_factory=dict[str, str])
    _rest: bytes = b""

    def make(self, ref: str) -> str:
        """The branch, or DETACHED. Raises GitFailed, ContextFailed, Canceled."""
        self._git("init", "--quiet", "--template=")
        self._git("remote", "add", "--", "origin", self.url)
        with _during("error fetching"):
            found = self._found(ref)
            self._fetch(found)
        with _during(f"error checking out {ref or DETACHED}"):
            branch = self._check_out(ref, found)
        (self.folder / ".git" / "FETCH_HEAD").unlink(missing_ok=True)
        with _during("error fetching large files"):
            self._add_large_files()
        return branch

    def _git(self, *arguments: str) -> str:
        return self.git.run(self.folder, *arguments)

    # --- what is wanted -----------------------------------------------------------------------------------------------

    def _found(self, ref: str) -> _Found:
        """Branches first, which is what ACR knows; then tags, then whatever else the other side has."""
        if _COMMIT.fullmatch(ref):
            return _Found(ref)
        names, head = self._names(ref)
        if ref in {"", DETACHED}:
            return _Found(head or DETACHED, head)
        local = ref.removeprefix("origin/")
        for name in (f"{_BRANCH}{ref}", f"refs/tags/{ref}", ref, f"refs/{ref}", f"{_BRANCH}{local}"):
            if name in names and name.startswith("refs/"):
                return _Found(name, name)
        return _Found(ref.lower())

    def _names(self, ref: str) -> tuple[set[str], str]:
        """The other side's references that end so, and the name of its default branch."""
        ending = ref.removeprefix("origin/") or DETACHED
        lines = self._git("ls-remote", "--symref", "--", "origin", DETACHED, ending).splitlines()
        head = next((found[1] for line in lines if (found := _DEFAULT.fullmatch(line))), "")
        return {line.partition("\t")[2] for line in lines}, head

    # --- fetch --------------------------------------------------------------------------------------------------------

    def _fetch(self, found: _Found) -> None:
        if not found.name and found.wanted != DETACHED:
            self._fetch_commit(found.wanted)
            return
        wanted = f"+{found.name}:{_REMOTE}{found.branch}" if found.branch else found.wanted
        try:
            self._git("fetch", "--quiet", "--no-tags", "--depth=1", "--", "origin", wanted)
        except GitFailed:
            # A server of plain files knows no shallow fetch.
            self._git("fetch", "--quiet", "--no-tags", "--", "origin", wanted)

    def _fetch_commit(self, commit: str) -> None:
        if _COMMIT.fullmatch(commit):
            with contextlib.suppress(GitFailed):  # not every server gives what no reference names
                self._git("fetch", "--quiet", "--no-tags", "--depth=1", "--", "origin", commit)
                return
        if _SHORT.fullmatch(commit):
            self._git("fetch", "--quiet", "--tags", "--", "origin", f"+{_BRANCH}*:{_REMOTE}*")

    # --- checkout -----------------------------------------------------------------------------------------------------

    def _check_out(self, ref: str, found: _Found) -> str:
        if found.branch:
            target = f"{_REMOTE}{found.branch}"
        elif found.name or found.wanted == DETACHED:
            target = "FETCH_HEAD"
        else:
            target = self._commit(ref, found.wanted)
        self.git.each(self.folder, self._count, "ls-tree", "-r", "-l", "-z", target)
        if not found.branch:
            self._git("checkout", "--quiet", "--detach", target)
            return DETACHED
        self._git("checkout", "--quiet", "-b", found.branch, target)
        return found.branch

    def _commit(self, ref: str, wanted: str) -> str:
        if _SHORT.fullmatch(wanted):
            with contextlib.suppress(GitFailed):
                return self._git("rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}").strip()
        raise GitFailed(f"error: pathspec '{ref}' did not match any file(s) known to git")

    def _count(self, piece: bytes) -> None:
        *entries, self._rest = (self._rest + piece).split(b"\0")
        for entry in entries:
            about, _, path = entry.partition(b"\t")
            mode, _, named, size = about.split()
            self.size.count(size)
            if mode == _MODULE:
                self._modules[os.fsdecode(path)] = named.decode()

    def _add_large_files(self) -> None:
        """Where the repository says that git-lfs has some."""
        names = self._git("ls-files", "-z", "--", ":(attr:filter=lfs)").split("\0")
        wanted = list(pointers(self.folder, [name for name in names if name]))
        for pointer in wanted:
            self.size.count(str(pointer.size).encode())
        fetch_large_files(self.git.gateway, self.url, wanted, self.git.home)

    # --- submodules ---------------------------------------------------------------------------------------------------

    def add_modules(self, deep: int) -> None:
        """And theirs, ``deep`` times. Where they lie is what the tree says, which git has checked."""
        if not self._modules:
            return
        if deep == 0:
            raise ContextFailed(f"submodules lie deeper in each other than {self.git.bounds.modules}")
        urls = self._module_urls()
        for path, commit in self._modules.items():
            if path not in urls:
                raise GitFailed(f"fatal: No url found for submodule path '{path}' in .gitmodules")
            url = _joined(self.url, urls[path])
            module = _Checkout(self.git, url, self._empty(path), self.size)
            with _during(f"error fetching submodule {path} from {redacted(url)}"):
                module.make(commit)
            module.add_modules(deep - 1)

    def _empty(self, path: str) -> Path:
        """The folder that git made for a submodule. Raises GitFailed for one that a tree full of tricks made."""
        folder = self.folder / path
        with contextlib.suppress(OSError):
            if resolve(self.folder, path) == folder and folder.is_dir() and not any(folder.iterdir()):
                return folder
        raise GitFailed(f"the submodule path {path!r} is no empty folder")

    def _module_urls(self) -> dict[str, str]:
        """By their folders, as the commit says it: the file may be a link."""
        try:
            listed = self._git("config", "--null", "--blob", "HEAD:.gitmodules", "--list")
        except GitFailed:  # there is none
            return {}
        settings = dict(line.split("\n", 1) for line in listed.split("\0") if "\n" in line)
        urls: dict[str, str] = {}
        for name, path in settings.items():
            if name.startswith("submodule.") and name.endswith(".path"):
                urls[path] = settings.get(f"{name.removesuffix('path')}url", "")
        return urls


def _joined(base: str, url: str) -> str:
    """As git has it: ``../x`` is beside the repository. Raises GitFailed for what is not fetched from."""
    if url.startswith(("./", "../")):
        base = base.rstrip("/")
        while url.startswith(("./", "../")):
            base = base.rpartition("/")[0] if url.startswith("../") else base
            url = url.partition("/")[2]
        url = f"{base}/{url}"
    if not url.startswith(("http://", "https://")):
        raise GitFailed(f"the submodule address {redacted(url)} is not fetched from: https is expected")
    return url


@contextmanager
def _during(what: str) -> Generator[None]:
    try:
        yield
    except GitFailed as error:
        raise GitFailed(f"{what}: {error}") from error
