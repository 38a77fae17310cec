"""Each page on pushing from CI works as it stands there: what is run once, then the pipeline file with a token of the
platform's shape. The job pushes to its repository and to no other, and a token that is a little different does not sign
in.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.documents import ROOT, Block, blocks_of, commands_of
from tests.e2e.az.cli import PYTHON, Az, az_for, sign_in
from tests.e2e.clients import Shell, shell_in
from tests.e2e.docker import pipelines
from tests.e2e.docker.dockerd import Engine
from tests.e2e.docker.pipelines import Job
from tests.e2e.docker.test_pages import MARK, script
from tests.e2e.layouts import Layout
from tests.federated import AUDIENCE, AZURE_PIPELINES, GITHUB, GITLAB, JENKINS, KUBERNETES, SPIFFE, Vendor
from tests.issuer import OutsideIssuer, outside_issuer
from tests.outside import Authority, authority
from tests.services import Registry, entrepot

pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(400)]

OVERVIEW = ROOT / "docs" / "guide" / "federation.md"
PAGES = OVERVIEW.with_suffix("")
SETUP_WITHIN = 240.0
EXPIRED = {"exp": 1_700_000_000, "nbf": 1_600_000_000, "iat": 1_600_000_000}


@dataclass(frozen=True)
class Recipe:
    """A page, the token of the job that it is for, and subjects of jobs that it is not for."""

    page: str
    vendor: Vendor
    run: Callable[[Block, Job], None]
    claims: dict[str, Any]
    strangers: tuple[str, ...]
    client: str = "docker"

    def __str__(self) -> str:
        return self.page


MAIN = {"ref": "main", "ref_path": "refs/heads/main", "environment": None, "deployment_tier": None}
RECIPES = (
    Recipe(
        "github.md",
        GITHUB,
        pipelines.github,
        {"sub": "repo:octo-org/octo-repo:ref:refs/heads/main", "environment": None},
        ("repo:octo-org/octo-repo:ref:refs/heads/other", "repo:octo-org/other:ref:refs/heads/main"),
    ),
    Recipe(
        "gitlab.md",
        GITLAB,
        pipelines.gitlab,
        {"sub": "project_path:my-group/my-project:ref_type:branch:ref:main", **MAIN},
        (
            "project_path:my-group/my-project:ref_type:branch:ref:other",
            "project_path:my-group/other:ref_type:branch:ref:main",
        ),
    ),
    Recipe(
        "azure-pipelines.md",
        AZURE_PIPELINES,
        pipelines.azure_pipelines,
        {},
        ("sc://my-org/my-project/other", "sc://my-org/other/my-connection"),
    ),
    Recipe(
        "jenkins.md",
        JENKINS,
        pipelines.jenkins,
        {"sub": "https://jenkins.example/job/team/job/image/job/main/"},
        ("https://jenkins.example/job/team/job/other/job/main/", "https://jenkins.example/job/team/job/image/"),
    ),
    Recipe(
        "kubernetes.md",
        KUBERNETES,
        pipelines.kubernetes,
        {},
        ("system:serviceaccount:team:other", "system:serviceaccount:other:builder"),
        "skopeo",
    ),
    Recipe(
        "spiffe.md",
        SPIFFE,
        pipelines.spiffe,
        {},
        ("spiffe://example.org/ns/team/sa/other", "spiffe://other.example/ns/team/sa/builder"),
    ),
)


@dataclass(frozen=True)
class Site:
    """A server that reaches issuers on this machine, and its owner's az. ``trust``: the CAs of all of them."""

    server: Registry
    az: Az
    ca: Authority
    trust: Path

    @property
    def port(self) -> str:
        return self.server.login_server.partition(":")[2]

    def follow(self, page: Path, folder: Path, issuer: OutsideIssuer | None = None) -> str:
        """Runs what the page has run once; the client id of the application that it made."""
        commands = commands_of(page)
        text = script(commands, self.port) + f"\necho '{MARK}'\necho \"${{app:-}}\""
        if issuer is not None:
            (named,) = re.findall(r'"issuer": "([^"]+)"', text)
            text = text.replace(named, issuer.url)
        environment = self.az.elsewhere(folder / "owners-azure").shell.environment
        shell = Shell(folder, {**environment, "PATH": f"{folder / 'bin'}:{environment['PATH']}"})
        *printed, app = shell.run("sh", "-euc", text, within=SETUP_WITHIN).split(f"{MARK}\n")
        for command, output in zip(commands, printed, strict=True):
            assert command.prints(output), f"{command.text}\nprinted\n{output}"
        return app.strip()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("federation")
    ca = authority(folder, "127.0.0.1", "localhost")
    calls_out = ("--outbound-allow", "127.0.0.0/8", "--outbound-ca-file", str(ca.ca_file))
    with entrepot(folder / "data", "--workers", "1", *calls_out) as server:
        (folder / "trust.pem").write_bytes(server.ca.read_bytes() + ca.ca_file.read_bytes())
        az = az_for(server, shell_in(folder / "owner"))
        sign_in(az, server.user, server.password)
        site = Site(server, az, ca, folder / "trust.pem")
        with_az(folder)
        site.follow(OVERVIEW, folder)
        yield site


def with_az(folder: Path) -> None:
    """A folder of programs in which az is one."""
    (folder / "bin").mkdir()
    (folder / "bin" / "az").write_text(f'#!/bin/sh\nexec {PYTHON} -m azure.cli "$@"\n')
    (folder / "bin" / "az").chmod(0o755)


@pytest.fixture
def machine(site: Site, engine: Engine, shell: Shell) -> Shell:
    """On which a job runs: with docker, az and curl, the script of the guide, and something to build."""
    with_az(shell.folder)
    (shell.folder / "entrepot-login.sh").write_text(pipeline_of(OVERVIEW)[0].text)
    (shell.folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    layout = Layout(shell.folder / "image")
    layout.tagged("v1", layout.image())
    return engine.seen_from(shell).having(
        PATH=f"{shell.folder / 'bin'}:{shell.environment['PATH']}",
        CURL_CA_BUNDLE=str(site.trust),
        REQUESTS_CA_BUNDLE=str(site.trust),
        SSL_CERT_FILE=str(site.trust),
        AZURE_CONFIG_DIR=str(shell.folder / "azure"),
        AZURE_CORE_COLLECT_TELEMETRY="no",
        AZURE_CORE_ONLY_SHOW_ERRORS="yes",
        NO_PROXY="localhost,127.0.0.1",
    )


def pipeline_of(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language.endswith(" pipeline")]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_a_job_pushes_to_its_repository_and_to_no_other(site: Site, machine: Shell, recipe: Recipe) -> None:
    page = PAGES / recipe.page
    with outside_issuer(site.ca, recipe.vendor.path, recipe.vendor.algorithm) as issuer:

        def token(audience: str, **changes: object) -> str:
            aud = [audience] if isinstance(recipe.vendor.audience, list) else audience
            claims = {**recipe.vendor.claims, "aud": aud, **recipe.claims, **changes}
            return issuer.token(claims, header=recipe.vendor.header)

        app = site.follow(page, machine.folder, issuer)
        settings = {"AZURE_CLIENT_ID": app, "AZURE_TENANT_ID": site.az.bootstrap["tenantId"]}
        job = Job(machine, site.ca, token, settings, port=site.port)
        block, *more = pipeline_of(page)
        recipe.run(block, job)
        expect_one_repository(site, machine, recipe.client)
        for further in more:
            expect_plugin(site, job, further)
        for number, refused in (
            *(("AADSTS700213", token(AUDIENCE, sub=subject)) for subject in recipe.strangers),
            ("AADSTS700212", token("https://github.com/octo-org")),
            ("AADSTS700211", token(AUDIENCE, iss="https://issuer.example")),
            ("AADSTS700024", token(AUDIENCE, **EXPIRED)),
        ):
            login = ("sh", "entrepot-login.sh", recipe.client)
            known = machine.having(**settings, ENTREPOT=site.server.login_server)
            assert number in known.refused(*login, stdin=refused), number


def expect_one_repository(site: Site, machine: Shell, client: str) -> None:
    """The job is signed in: it pulls what it pushed, and neither pushes nor pulls elsewhere."""
    image = f"{site.server.login_server}/team/app"
    found = json.loads(machine.run("skopeo", "list-tags", *auth_of(machine, client), f"docker://{image}"))
    assert len(found["Tags"]) >= 1
    for other in ("team/other", "team/app/below", "team/app2"):
        target = f"docker://{site.server.login_server}/{other}:v1"
        said = machine.refused("skopeo", "copy", *auth_of(machine, client, "dest-"), "oci:image:v1", target)
        assert "authentication required" in said or "denied" in said, said


def auth_of(machine: Shell, client: str, side: str = "") -> list[str]:
    """Where the client keeps the sign-in."""
    files = {"docker": f"{machine.environment['DOCKER_CONFIG']}/config.json"}
    return [f"--{side}authfile={files.get(client, machine.environment['REGISTRY_AUTH_FILE'])}"]


def expect_plugin(site: Site, job: Job, block: Block) -> None:
    """The kubelet pulls with what the plug-in answers."""
    plugin = job.shell.folder / "entrepot-credentials"
    plugin.write_text(block.text)
    plugin.chmod(0o755)
    image = f"{site.server.login_server}/team/app:v1"
    answered = pipelines.credential_plugin(plugin, job, image)
    assert (answered["kind"], answered["cacheKeyType"]) == ("CredentialProviderResponse", "Registry")
    ((server, found),) = answered["auth"].items()
    assert server == site.server.login_server
    creds = f"--creds={found['username']}:{found['password']}"
    job.shell.run("skopeo", "inspect", creds, f"docker://{image}")


def test_every_page_on_a_platform_is_followed() -> None:
    assert {recipe.page for recipe in RECIPES} == {page.name for page in PAGES.glob("*.md")}
    assert [page.name for page in PAGES.glob("*.md") if not pipeline_of(page)] == []
