"""The platforms that run the guide's pipeline files, as far as the files need them: where a job's variables and its ID
token come from. No platform is here; each function says what its platform does, and runs the file's own commands.

The token of a job is made when the platform is asked for it, with the audience that the file asks for.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from tests.documents import Block
from tests.e2e.clients import Shell
from tests.outside import Asked, Authority, answer, ok_json, serving

Pipeline = dict[str, Any]  # a file that YAML made
JOB_SECRET = "what the platform gives a job to ask with"
PATIENCE = 180.0
BASH = ("bash", "-eo", "pipefail", "-c")


@dataclass(frozen=True)
class Job:
    """A job of a platform. ``token``: makes its ID token for an audience. ``shell``: on the machine that runs it."""

    shell: Shell
    ca: Authority  # of the platform
    token: Callable[[str], str]
    settings: dict[str, str]  # what was set once: AZURE_CLIENT_ID, AZURE_TENANT_ID
    revision: str = "1f0e2d3c"
    port: str = "5000"
    said: list[str] = field(default_factory=list)

    def does(self, script: str, **environment: str) -> None:
        shell = self.shell.having(**environment)
        self.said.append(shell.heard(*BASH, script, within=PATIENCE))

    def read(self, block: Block) -> str:
        """The file, for a server that listens elsewhere."""
        return re.sub(r"\b5000\b", self.port, block.text)


def github(block: Block, job: Job) -> None:
    """GitHub sets the address and the secret to ask with, where the job may have an ID token."""
    document: Pipeline = yaml.safe_load(job.read(block))
    work = document["jobs"]["image"]
    assert document["permissions"]["id-token"] == "write"
    environment = {name: _filled(r"\$\{\{ vars\.(\w+) \}\}", value, job) for name, value in work["env"].items()}

    def hand_out(asked: Asked) -> Iterable[bytes]:
        (audience,) = parse_qs(urlsplit(asked.target).query)["audience"]
        return ok_json({"count": 1, "value": job.token(audience)})

    with _job_service(job, hand_out) as address:
        more = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{address}/token?api-version=2.0", "GITHUB_SHA": job.revision}
        for step in work["steps"]:
            if "run" in step:
                job.does(step["run"], **environment, **more, ACTIONS_ID_TOKEN_REQUEST_TOKEN=JOB_SECRET)


def gitlab(block: Block, job: Job) -> None:
    """GitLab puts a token for the audience of each ``id_tokens`` entry into a variable."""
    work = yaml.safe_load(job.read(block))["image"]
    tokens = {name: job.token(wanted["aud"]) for name, wanted in work["id_tokens"].items()}
    environment = {**job.settings, **work["variables"], **tokens, "CI_COMMIT_SHA": job.revision}
    job.does("\n".join(work["script"]), **environment)


def azure_pipelines(block: Block, job: Job) -> None:
    """Azure DevOps hands out a connection's token by POST; a macro is filled in before a script runs."""
    document: Pipeline = yaml.safe_load(job.read(block))

    def hand_out(asked: Asked) -> Iterable[bytes]:
        assert asked.method == "POST"
        assert parse_qs(urlsplit(asked.target).query)["serviceConnectionId"] == ["the-connection"]
        return ok_json({"oidcToken": job.token("api://AzureADTokenExchange")})

    with _job_service(job, hand_out) as address:
        known = {"CONNECTION_ID": "the-connection", "SYSTEM_OIDCREQUESTURI": f"{address}/oidctoken"}
        known |= {**job.settings, **document["variables"], "BUILD_SOURCEVERSION": job.revision}
        for step in document["steps"]:
            macros = {
                name: value.replace("$(System.AccessToken)", JOB_SECRET) for name, value in step.get("env", {}).items()
            }
            job.does(step["script"], **known, **macros)


def jenkins(block: Block, job: Job) -> None:
    """Jenkins binds the credential ``entrepot`` to a variable while the block of ``withCredentials`` runs."""
    text = job.read(block)
    environment = {**job.settings, **dict(re.findall(r"^ +(\w+) = '([^']*)'$", text, re.MULTILINE))}
    (bound,) = re.findall(r"credentialsId: 'entrepot', variable: '(\w+)'", text)
    first, second = re.findall(r"sh '''\n(.*?)'''", text, re.DOTALL)
    job.does(first, **environment, **{bound: job.token("api://AzureADTokenExchange")})
    job.does(second, **environment, GIT_COMMIT=job.revision)


def kubernetes(block: Block, job: Job) -> None:
    """The kubelet writes the token into the projected volume; the container is the test's own folder."""
    pod = yaml.safe_load(job.read(block))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (projected,) = [volume["projected"]["sources"][0] for volume in pod["volumes"] if "projected" in volume]
    wanted = projected["serviceAccountToken"]
    (job.shell.folder / wanted["path"]).write_text(job.token(wanted["audience"]))
    filled = {"CLIENT_ID": job.settings["AZURE_CLIENT_ID"], "TENANT_ID": job.settings["AZURE_TENANT_ID"]}
    environment: dict[str, str] = {each["name"]: each["value"] for each in container["env"]}
    here = {**dict.fromkeys(places.values(), str(job.shell.folder)), "/workspace": str(job.shell.folder)}
    environment = {name: _moved(filled.get(value, value), here) for name, value in environment.items()}
    job.does(_moved(container["args"][0], here), **environment)


def spiffe(block: Block, job: Job) -> None:
    """SPIRE's agent prints the JWT-SVID below a line that names it, and the trust bundle after it."""
    programs = job.shell.folder / "programs"
    programs.mkdir()
    said = f"token(spiffe://example.org/ns/team/sa/builder):\n\t{job.token('api://AzureADTokenExchange')}\nbundle:\n\t{{}}\n"
    (programs / "said").write_text(said)
    (programs / "spire-agent").write_text(f'#!/bin/sh\n[ "$5" = api://AzureADTokenExchange ] && cat {programs}/said\n')
    (programs / "spire-agent").chmod(0o755)
    path = f"{programs}:{job.shell.environment['PATH']}"
    job.does(job.read(block), **job.settings, PATH=path, ENTREPOT=f"localhost:{job.port}", REVISION=job.revision)


def credential_plugin(script: Path, job: Job, image: str) -> dict[str, Any]:
    """What the kubelet is answered that wants to pull an image for a pod."""
    request = {
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderRequest",
        "image": image,
        "serviceAccountToken": job.token("api://AzureADTokenExchange"),
        "serviceAccountAnnotations": {"entrepot/client-id": job.settings["AZURE_CLIENT_ID"]},
    }
    shell = job.shell.having(ENTREPOT=image.partition("/")[0], AZURE_TENANT_ID=job.settings["AZURE_TENANT_ID"])
    return json.loads(shell.run(script, stdin=json.dumps(request)))


@contextmanager
def _job_service(job: Job, hand_out: Callable[[Asked], Iterable[bytes]]) -> Iterator[str]:
    """The platform's address for jobs, which wants the job's secret."""

    def answering(asked: Asked) -> Iterable[bytes]:
        kind, _, secret = asked.headers["authorization"].partition(" ")
        return hand_out(asked) if (kind.lower(), secret) == ("bearer", JOB_SECRET) else answer(401)

    with serving(answering, job.ca.server) as server:
        yield f"https://{server.place}"


def _filled(pattern: str, text: str, job: Job) -> str:
    return re.sub(pattern, lambda found: job.settings[found[1]], text)


def _moved(text: str, places: dict[str, str]) -> str:
    for place, here in places.items():
        text = text.replace(place, here)
    return text
