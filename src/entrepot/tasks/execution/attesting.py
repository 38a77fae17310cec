"""What is said of a built image beside it, when the build asks: how it was made, and what is in it.

Provenance is a statement of in-toto with SLSA's predicate, made here of what the run resolved; it is not signed, so it
is as good as the registry's own rights. An SBOM is what the generator says: a container of the operator's choice.
Specs: in-toto Statement v1, SLSA provenance v1, SPDX 2.3 (what syft writes as ``spdx-json``).
"""

import json
import shlex
from collections.abc import Mapping
from typing import Final

from entrepot.tasks.execution.building import Building, Shared
from entrepot.tasks.execution.calls import Calls, How, Words
from entrepot.tasks.execution.commands import SOCKET
from entrepot.tasks.execution.dependencies import look_up, unknown, with_digests
from entrepot.tasks.execution.failures import StepFailed, exit_status
from entrepot.tasks.execution.images import ImageName, parse_image, to_push
from entrepot.tasks.execution.model import Attachment, Built, Dependency, PublishFailed, Work

PROVENANCE: Final = "provenance"
SBOM: Final = "sbom"
IN_TOTO: Final = "application/vnd.in-toto+json"
SPDX: Final = "application/spdx+json"
_PREDICATE: Final = "https://slsa.dev/provenance/v1"
# Named, not fetched: what the parameters mean is told in docs/guide/tasks.md.
_BUILD_TYPE: Final = "urn:entrepot:dockerfile-build:1"
# syft asks its maker whether there is a newer one; without a way out that takes ten seconds.
_NO_CALL_HOME: Final = "SYFT_CHECK_FOR_APP_UPDATE=false"
_SBOM_LIMIT: Final = 32 * 1024 * 1024
_SAID: Final = 1000


def note(building: Building, found: tuple[Dependency, ...]) -> None:
    """Until its images are pushed."""
    about = building.about
    kinds = tuple(about.quick.attestations if about.quick else about.step.attestations)
    if kinds:
        built = Built(kinds, _parameters(building), found[0])
        building.shared.built.update(dict.fromkeys(to_push(list(about.names or building.build.tags)), built))


def attest(name: str, calls: Calls, shared: Shared, ends: float) -> None:
    """After the push of an image. Raises StepFailed for what was asked for and cannot be had; TimedOut."""
    built, image, publisher = shared.built.get(name), parse_image(name), shared.work.publisher
    if built is None or image is None:
        return
    image = image.with_digest(shared.digests.pushed(image))
    if publisher is None or not name.startswith(f"{shared.work.server}/") or not image.digest:
        raise StepFailed(f"attestations of {name} cannot be kept: they lie in the run's own registry alone")
    for kind in built.kinds:
        if kind == PROVENANCE:
            attachment = _provenance(image, _known(built.dependency, calls, shared), built.parameters, shared)
        else:
            attachment = _sbom(name, calls, shared.work, ends)
        try:
            digest = publisher.attach(image, attachment)
        except PublishFailed as failed:
            raise StepFailed(f"the {kind} of {name} was not taken by the registry: {failed}") from None
        calls.log.say(f"Successfully attached {kind} to {name}: {digest}")


def _known(dependency: Dependency, calls: Calls, shared: Shared) -> Dependency:
    """With the digests that no output told, as far as the engine has them."""
    inspected = look_up(calls, unknown([dependency], shared.digests))
    return with_digests(dependency, shared.digests, inspected)


def _provenance(image: ImageName, known: Dependency, parameters: Mapping[str, object], shared: Shared) -> Attachment:
    work = shared.work
    bases = [base for base in (known.runtime, *known.buildtime) if base is not None and base.digest]
    materials: list[Mapping[str, object]] = [
        {"uri": f"pkg:docker/{'/'.join(base.place)}@{base.tag}", "digest": _digest(base.digest)} for base in bases
    ]
    if known.commit:
        materials.append({"uri": f"git+{work.origin.source}", "digest": {"gitCommit": known.commit}})
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "/".join(image.place), "digest": _digest(image.digest)}],
        "predicateType": _PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {**parameters, "source": work.origin.source},
                "internalParameters": {
                    "engine": work.origin.engine,
                    "builder": "buildkit" if shared.has_buildkit else "other",
                },
                "resolvedDependencies": materials,
            },
            "runDetails": {
                "builder": {"id": work.origin.builder},
                "metadata": {"invocationId": f"{work.origin.builder}/runs/{work.origin.run}"},
            },
        },
    }
    return Attachment(IN_TOTO, json.dumps(statement).encode(), {"in-toto.io/predicate-type": _PREDICATE})


def _parameters(building: Building) -> Mapping[str, object]:
    """Without what is secret, but for its name."""
    about, build = building.about, building.build
    secret = [each.name for each in about.quick.arguments if each.is_secret] if about.quick else []
    return {
        "dockerfile": build.dockerfile or "Dockerfile",
        "target": build.target,
        "platform": build.platform or building.shared.work.platform,
        "arguments": dict(build.arguments) if about.quick else {},
        "secretArguments": secret,
    }


def _digest(text: str) -> Mapping[str, str]:
    algorithm, _, value = text.partition(":")
    return {algorithm: value}


def _sbom(name: str, calls: Calls, work: Work, ends: float) -> Attachment:
    """Raises StepFailed, TimedOut."""
    if not work.sbom_image:
        raise StepFailed("there is no generator of SBOMs: --task-images sbom=REFERENCE, for example a mirror of syft")
    output = Words(_SBOM_LIMIT + 1)
    options = ["--rm", "--env", _NO_CALL_HOME, "--volume", f"{SOCKET}:{SOCKET}"]
    words = ["docker", "run", *options, work.sbom_image, f"docker:{name}", "--output", "spdx-json"]
    # What it says beside the document is told when it fails.
    line = f'said=$(mktemp); {shlex.join(words)} 2>"$said" || {{ code=$?; tail -c {_SAID} "$said"; exit $code; }}'
    calls.log.say(f"Making an SBOM of {name}")
    code = calls.shell(line, How(output, ends - calls.clock.now()))
    if code:
        said = " ".join(output.bytes[-_SAID:].decode(errors="replace").split())
        raise StepFailed(f"the generator of SBOMs failed for {name}: {exit_status(code)}: {said}", code)
    try:
        is_document = len(output.bytes) <= _SBOM_LIMIT and isinstance(json.loads(output.bytes), dict)
    except ValueError:
        is_document = False
    if not is_document:
        raise StepFailed(f"the generator of SBOMs wrote no JSON document for {name}, or one that is too long")
    return Attachment(SPDX, output.bytes, {"org.opencontainers.image.title": "sbom.spdx.json"})
