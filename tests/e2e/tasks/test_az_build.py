"""``az acr build``: a folder of the client, built and pushed where the registry is (ACR-TASKS 4.1, 6.5)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.az.cli import Az
from tests.e2e.tasks.conftest import TOOLS, Site, of_registry
from tests.gits import Repository

pytestmark = [pytest.mark.xdist_group("tasks"), pytest.mark.timeout(300)]

KEY = "a-key-of-the-build-that-nobody-sees"
# The last stage fails, if it is built.
STAGES = """\
FROM TOOLS AS files
ARG key
RUN echo argument: $key.
COPY . /context/
RUN cd /context && echo files: * .d*

FROM TOOLS AS wanted
ARG greeting
COPY --from=files /context/ /context/
RUN echo "$greeting" >/greeting && echo said: $greeting
RUN --mount=type=secret,id=key echo "key: $(cat /run/secrets/key)."

FROM wanted AS last
RUN false
"""


def tags(az: Az, repository: str) -> list[str]:
    """But for that of the builds' cache."""
    found: list[str] = az.json("acr", "repository", "show-tags", "--name", "local", "--repository", repository)
    return [tag for tag in found if tag.partition("-")[0] != "cache"]


def last_run(az: Az) -> dict[str, Any]:
    (run,) = az.json("acr", "task", "list-runs", "--registry", "local", "--top", "1")
    return run


def test_a_folder_is_built_and_pushed(az: Az, site: Site, source: Path, repository: str) -> None:
    said = az.run("acr", "build", "--registry", "local", "--image", f"{repository}:v1", str(source))
    assert "was successful after" in said, said
    assert tags(az, repository) == ["v1"]
    site.docker.run("docker", "pull", f"{site.server.login_server}/{repository}:v1")


def test_a_build_that_fails_fails_the_command(az: Az, source: Path, repository: str) -> None:
    (source / "Dockerfile").write_text("FROM scratch\nCOPY nothing-here /\n")
    said = az.refused("acr", "build", "--registry", "local", "--image", f"{repository}:v1", str(source))
    assert "Run failed" in said, said
    assert "nothing-here" in said


def test_a_stage_is_built_with_arguments_under_several_names(az: Az, site: Site, source: Path, repository: str) -> None:
    (source / "Dockerfile").write_text(STAGES.replace("TOOLS", site.tools))
    names = ["--image", f"{repository}/one:v1", "--image", f"{repository}/two:{{{{.Run.ID}}}}"]
    arguments = ["--build-arg", "greeting=hello to all", "--secret-build-arg", f"key={KEY}", "--target", "wanted"]
    said = az.run("acr", "build", "--registry", "local", *names, *arguments, str(source))
    assert "was successful after" in said, said
    assert "said: hello to all" in said
    assert ("argument: ***." in said, "key: ***." in said) == (True, True)
    assert KEY not in said
    run = last_run(az)
    images = [(f"{repository}/one", "v1"), (f"{repository}/two", run["runId"])]
    digests = {digest_of(az, f"{name}:{tag}") for name, tag in images}
    (digest,) = digests
    server = site.server.login_server
    assert [(each["registry"], each["repository"], each["tag"], each["digest"]) for each in run["outputImages"]] == [
        (server, name, tag, digest) for name, tag in images
    ]
    repository_of_base, _, tag_of_base = TOOLS.partition(":")
    base = image_in(server, repository_of_base, tag_of_base, digest_of(az, TOOLS))
    assert dependencies_in(said) == [
        {"image": image_in(server, name, tag, digest), "runtime-dependency": base, "git": {}} for name, tag in images
    ]
    config = of_registry(site, f"{images[0][0]}/manifests/v1")["config"]["digest"]
    built = json.dumps(of_registry(site, f"{images[0][0]}/blobs/{config}"))
    assert "hello to all" in built
    assert KEY not in built


def digest_of(az: Az, image: str) -> str:
    return az.json("acr", "repository", "show", "--name", "local", "--image", image)["digest"]


def image_in(registry: str, repository: str, tag: str, digest: str) -> dict[str, str]:
    return {"registry": registry, "repository": repository, "tag": tag, "digest": digest}


def dependencies_in(log: str) -> Any:  # noqa: ANN401  a document
    """The block at the end of a log."""
    (found,) = re.findall(r"dependencies were found:\r?\n(.+?)\r?\n\r?\n", log, re.DOTALL)
    return yaml.safe_load(found)


def test_what_a_repository_ignores_is_in_no_image_and_without_a_push_none_is_pushed(
    az: Az, site: Site, git_at: str, app: Repository, repository: str
) -> None:
    """Of a folder az itself leaves out what is ignored; of a repository the builder has to."""
    ignored = {".dockerignore": "Dockerfile\n.dockerignore\nprivate*\n", "private-key": "secret\n"}
    dockerfile = STAGES.partition("\n\n")[0].replace("TOOLS", site.tools)
    app.commit("ignoring", {"Dockerfile": dockerfile, **ignored})
    build = ["acr", "build", "--registry", "local", "--image", f"{repository}:v1", "--no-push"]
    said = az.run(*build, f"{git_at}/team/app.git#main")
    assert "was successful after" in said, said
    assert re.search(r"files: greeting \.d\*\s*$", said, re.MULTILINE), said
    assert not last_run(az).get("outputImages")
    assert repository not in az.json("acr", "repository", "list", "--name", "local")
