"""Who a run is: its caller, or an identity of its task; secrets of a vault; tokens in a step (ACR-TASKS 5.5, 8)."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.e2e.az.cli import Az, az_for, sign_in
from tests.e2e.az.image import write_az
from tests.e2e.clients import shell_in
from tests.e2e.layouts import BUSYBOX, tar_of
from tests.e2e.namespaces import ADDRESS, DOMAIN
from tests.e2e.tasks.conftest import PORT, SECRET, TEAM, TOOLS, Site
from tests.e2e.tasks.test_az_run import task_name
from tests.services import log_of, ready_registry, running, serve_command

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

TEAM_SERVER = f"{TEAM}.{DOMAIN}:{PORT}"
TOKEN = f"https://{ADDRESS}:{PORT}/msi/token?api-version=2019-08-01&resource=https://management.azure.com/"

# What the guide tells whoever runs az in a step.
SETTINGS_OF_AZ = {
    "REQUESTS_CA_BUNDLE": "/ca.crt",
    "AZURE_CORE_INSTANCE_DISCOVERY": "false",
    "AZURE_CORE_COLLECT_TELEMETRY": "no",
    "AZURE_CORE_ONLY_SHOW_ERRORS": "yes",
}
AZ_IMPORTED_WITHIN = 120.0
NAMELESS_PORT = 5001


@pytest.fixture
def curl(site: Site) -> str:
    """An image in the registry that has the machine's curl: busybox's own TLS is not taken by the server."""
    program = shutil.which("curl") or ""
    libraries = re.findall(r"(/\S+) \(0x", subprocess.check_output(["ldd", program], text=True))
    files = {path.lstrip("/"): Path(path).read_bytes() for path in (program, *libraries)}
    files["bin/sh"] = BUSYBOX.read_bytes()
    image = f"{site.server.login_server}/tools/curl:1"
    site.docker.run("docker", "import", "-", image, stdin=tar_of(files))
    site.docker.run("docker", "push", image)
    return image


@pytest.fixture
def az_image(site: Site, tmp_path: Path) -> str:
    """An image in the engine that has the machine's az, told of the server."""
    archive = tmp_path / "az.tar"
    write_az(archive, site.server.ca)
    told = [f"--change=ENV {name}={value}" for name, value in SETTINGS_OF_AZ.items()]
    site.docker.run("docker", "import", *told, archive, "tests/az:1", within=AZ_IMPORTED_WITHIN)
    archive.unlink()
    return "tests/az:1"


def test_a_task_pushes_to_another_registry_as_its_identity_once_that_has_a_role(
    az: Az, site: Site, source: Path, repository: str
) -> None:
    of = ["--registry", "local", "--name", task_name(repository)]
    image = f"{TEAM_SERVER}/{repository}:v1"
    steps = source / "promote.yaml"
    # What stands behind && runs beside the container, where a docker client is.
    tag = f"$Registry/{TOOLS} true && docker tag $Registry/{TOOLS} {image}"
    steps.write_text(f"version: v1.1.0\nsteps:\n  - cmd: {tag}\n  - push: [{image}]\n")
    az.run("acr", "create", "--name", TEAM, "--resource-group", "entrepot", "--sku", "Premium", "--output", "none")
    team = az.registry.rpartition("/")[0] + f"/{TEAM}"
    az.run(
        *("acr", "task", "create", *of, "--context", "/dev/null", "--file", str(steps)),
        *("--assign-identity", "--auth-mode", "Default", "--output", "none"),
    )
    az.run("acr", "task", "credential", "add", *of, "--login-server", TEAM_SERVER, "--use-identity", "[system]")
    said = az.refused("acr", "task", "run", *of)
    assert f"has no role on {TEAM_SERVER}: az role assignment create" in said, said
    identity = az.json("acr", "task", "identity", "show", *of)["principalId"]
    given = ["--assignee-object-id", identity, "--assignee-principal-type", "ServicePrincipal", "--scope", team]
    az.run("role", "assignment", "create", "--role", "AcrPush", *given, "--output", "none")
    said = az.run("acr", "task", "run", *of)
    assert "was successful after" in said, said
    assert az.json("acr", "repository", "show-tags", "--name", TEAM, "--repository", repository) == ["v1"]


def test_a_run_for_a_caller_who_may_only_pull_pushes_nothing(
    az: Az, source: Path, repository: str, tmp_path: Path
) -> None:
    tasks = ["--role", "Container Registry Tasks Contributor", "--scopes", az.registry]
    made = az.json("ad", "sp", "create-for-rbac", "--name", f"reader-{uuid4().hex[:8]}", *tasks)
    az.run("role", "assignment", "create", "--role", "AcrPull", "--assignee", made["appId"], "--scope", az.registry)
    reader = az.elsewhere(tmp_path / "reader")
    sign_in(reader, made["appId"], made["password"])
    built = ["acr", "build", "--registry", "local", "--image", f"{repository}:v1", str(source)]
    said = reader.refused(*built, "--source-acr-auth-id", "[caller]")
    assert "Run failed" in said, said
    assert "insufficient_scope" in said or "denied" in said, said
    az.refused("acr", "repository", "show", "--name", "local", "--repository", repository)


def test_a_step_has_a_vaults_secret_and_tokens_of_its_tasks_identity(
    az: Az, source: Path, repository: str, curl: str
) -> None:
    of = ["--registry", "local", "--name", task_name(repository)]
    steps = source / "acb.yaml"
    steps.write_text(
        f"""\
version: v1.1.0
secrets:
  - id: key
    keyvault: https://builds.vault.azure.net/secrets/signing-key
steps:
  - cmd: $Registry/{TOOLS} echo the key is {{{{.Secrets.key}}}}, in Base64 {{{{.Secrets.key | b64enc}}}}
  - cmd: $Registry/{TOOLS} sh -c 'echo tokens are at $IDENTITY_ENDPOINT for $IDENTITY_HEADER.'
  - cmd: >
      {curl} sh -c
      'curl --silent --insecure --header "X-IDENTITY-HEADER: $IDENTITY_HEADER" "{TOKEN}"'
"""
    )
    az.run(
        *("acr", "task", "create", *of, "--context", "/dev/null", "--file", str(steps)),
        *("--assign-identity", "--output", "none"),
    )
    said = az.run("acr", "task", "run", *of)
    assert "the key is ***, in Base64 ***" in said, said
    assert SECRET not in said
    assert f"tokens are at https://{DOMAIN}:{PORT}/msi/token for ***." in said, said
    assert '"token_type":"Bearer"' in said, said


def test_a_step_signs_in_with_az_as_its_tasks_identity_and_as_no_other(
    az: Az, site: Site, source: Path, repository: str, az_image: str
) -> None:
    of = ["--registry", "local", "--name", task_name(repository)]
    hosts = " ".join(f"--add-host={name}:{ADDRESS}" for name in (DOMAIN, f"local.{DOMAIN}"))
    steps = source / "acb.yaml"
    steps.write_text(
        f"""\
version: v1.1.0
steps:
  - cmd: >
      {hosts} {az_image} sh -ec '
      az cloud register --name entrepot --endpoint-resource-manager https://{DOMAIN}:{PORT};
      az cloud set --name entrepot;
      az login --identity --client-id {site.server.user} && exit 1;
      az login --identity --output none;
      az account show --query user;
      az acr login --name local --expose-token --query loginServer --output tsv;
      az acr repository list --name local --output tsv'
"""
    )
    az.run(
        *("acr", "task", "create", *of, "--context", "/dev/null", "--file", str(steps)),
        *("--assign-identity", "--output", "none"),
    )
    identity = az.json("acr", "task", "identity", "show", *of)["principalId"]
    given = ["--assignee-object-id", identity, "--assignee-principal-type", "ServicePrincipal", "--scope", az.registry]
    for role in ("Reader", "AcrPull"):
        az.run("role", "assignment", "create", "--role", role, *given, "--output", "none")
    said = az.run("acr", "task", "run", *of)
    assert "the task has no such identity" in said, said
    for line in ('  "assignedIdentityInfo": "MSI",', site.server.login_server, TOOLS.partition(":")[0]):
        assert f"\n{line}\r\n" in said, said
    assert "No step reaches" not in said, said


@pytest.fixture
def nameless(site: Site, tmp_path: Path) -> Iterator[Az]:
    """az, signed in to a server that is localhost, as every first one is; its runs are on the site's engine."""
    data = site.engine.socket.parent / "nameless"
    data.mkdir()
    command = [*site.inside.command, *serve_command(data, NAMELESS_PORT, f"--task-engine={site.engine.socket}")]

    def ready(ca: Path) -> bool:
        asked = ["curl", "--silent", "--fail", "--cacert", ca, f"https://localhost:{NAMELESS_PORT}/readyz"]
        return subprocess.run([*site.inside.command, *asked], check=False, capture_output=True).returncode == 0

    with log_of(data).open("wb") as log, running(command, log) as process:
        server = ready_registry(data, process, ready)
        az = az_for(server, site.inside.of(shell_in(tmp_path / "nameless")))
        sign_in(az, server.user, server.password)
        yield az


def test_where_the_deployment_is_localhost_the_log_says_what_tokens_in_a_step_need(
    nameless: Az, site: Site, source: Path, repository: str
) -> None:
    of = ["--registry", "local", "--name", task_name(repository)]
    steps = source / "acb.yaml"
    # What the deployment calls itself is in the container the container.
    asks = f"echo $IDENTITY_ENDPOINT is set; nc -w 5 127.0.0.1 {NAMELESS_PORT} </dev/null || echo and nobody is there"
    steps.write_text(f"version: v1.1.0\nsteps:\n  - cmd: {site.tools} sh -c '{asks}'\n")
    nameless.run(
        *("acr", "task", "create", *of, "--context", "/dev/null", "--file", str(steps)),
        *("--assign-identity", "--output", "none"),
    )
    said = nameless.run("acr", "task", "run", *of)
    endpoint = f"https://localhost:{NAMELESS_PORT}/msi/token"
    assert f"\n{endpoint} is set\r\n" in said, said
    assert "\nand nobody is there\r\n" in said, said
    assert f"No step reaches the tokens of this run's identities at {endpoint}: localhost is the step's own" in said
    assert "Give the deployment a name (--domain) and an address (--host) that containers reach" in said
