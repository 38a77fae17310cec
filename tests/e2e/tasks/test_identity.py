"""Who a run is: its caller, or an identity of its task; secrets of a vault; tokens in a step (ACR-TASKS 5.5, 8)."""

import re
import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from tests.e2e.az.cli import Az, sign_in
from tests.e2e.layouts import BUSYBOX, tar_of
from tests.e2e.namespaces import ADDRESS, DOMAIN
from tests.e2e.tasks.conftest import PORT, SECRET, TEAM, TOOLS, Site
from tests.e2e.tasks.test_az_run import task_name

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

TEAM_SERVER = f"{TEAM}.{DOMAIN}:{PORT}"
TOKEN = f"https://{ADDRESS}:{PORT}/msi/token?api-version=2019-08-01&resource=https://management.azure.com/"


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
