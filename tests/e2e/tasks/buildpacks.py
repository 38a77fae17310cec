"""Images of Cloud Native Buildpacks, made of static programs: nothing of them is pulled from the internet."""

import io
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.e2e.clients import PACK, Shell
from tests.e2e.layouts import BUSYBOX

LIFECYCLE: Final = "0.20.11"
PLATFORMS: Final = '["0.12", "0.13"]'
BUILDPACKS: Final = '["0.10", "0.11"]'
# The lifecycle is one program with many names.
PHASES: Final = ("analyzer", "builder", "creator", "detector", "exporter", "extender", "rebaser", "restorer")

BASE: Final = """\
FROM scratch
COPY busybox /bin/
RUN ["/bin/busybox", "--install", "-s", "/bin"]
RUN echo root:x:0:0:root:/:/bin/sh >/etc/passwd && echo cnb:x:1000:1000:cnb:/:/bin/sh >>/etc/passwd
RUN mkdir -m 1777 /tmp
"""
# In which buildpacks run, and what they make of an application.
STACK: Final = "FROM {base}\nENV CNB_USER_ID=1000 CNB_GROUP_ID=1000\nUSER 1000:1000\n"
PHASES_IMAGE: Final = f"""\
FROM {{base}}
COPY lifecycle /cnb/lifecycle
LABEL io.buildpacks.lifecycle.version={LIFECYCLE}
LABEL io.buildpacks.lifecycle.apis='{{{{"platform": {{{{"deprecated": [], "supported": {PLATFORMS}}}}}}}}}'
"""
# As the guide has it: az says --no-pull, which pack no longer knows.
ENTRY: Final = """\
#!/bin/sh
for word; do
    shift
    [ "$word" = --no-pull ] || set -- "$@" "$word"
done
exec pack "$@"
"""
PACK_IMAGE: Final = """\
FROM {base}
COPY pack entry /bin/
ENV PACK_HOME=/etc/pack PACK_VOLUME_KEY=run
RUN mkdir $PACK_HOME && echo 'lifecycle-image = "{lifecycle}"' >$PACK_HOME/config.toml
ENTRYPOINT ["/bin/entry"]
"""

DESCRIPTOR: Final = f"""\
[apis.buildpack]
deprecated = []
supported = {BUILDPACKS}
[apis.platform]
deprecated = []
supported = {PLATFORMS}
[lifecycle]
version = "{LIFECYCLE}"
"""
BUILDPACK: Final = """\
api = "0.10"
[buildpack]
id = "tests/greeting"
version = "1"
[[targets]]
os = "linux"
"""
# It takes what has a file "greeting", and makes a program that says it, and for which registry it was built.
DETECT: Final = "#!/bin/sh\ntest -f greeting || exit 100\n"
BUILD: Final = """\
#!/bin/sh
set -e
layer=$CNB_LAYERS_DIR/program
mkdir -p "$layer/bin"
registry=$(cat "$CNB_PLATFORM_DIR/env/REGISTRY_NAME")
printf '#!/bin/sh\\ncat greeting; echo built for %s\\n' "$registry" >"$layer/bin/greet"
chmod +x "$layer/bin/greet"
printf '[types]\\nlaunch = true\\n' >"$layer.toml"
printf '[[processes]]\\ntype = "web"\\ncommand = ["greet"]\\ndefault = true\\n' >"$CNB_LAYERS_DIR/launch.toml"
"""
BUILDER: Final = """\
[[buildpacks]]
uri = "buildpack"
[[order]]
[[order.group]]
id = "tests/greeting"
version = "1"
[build]
image = "{build}"
[[run.images]]
image = "{run}"
[lifecycle]
uri = "lifecycle.tgz"
"""


def push_images(docker: Shell, folder: Path, prefix: str, pack: str) -> str:
    """Below ``prefix``, and ``pack`` under its own name; the builder's name. ``folder``: is made."""
    folder.mkdir()
    base, build, run, lifecycle, builder = (
        f"{prefix}/{name}:1" for name in ("base", "build", "run", "lifecycle", "builder")
    )
    programs = PACK.parent
    _programs(folder / "lifecycle", [programs / "lifecycle", programs / "launcher"])
    for phase in PHASES:
        (folder / "lifecycle" / phase).symlink_to("lifecycle")
    _programs(folder, [BUSYBOX, PACK])
    _script(folder / "entry", ENTRY)
    _image(docker, folder, base, BASE)
    _image(docker, folder, build, STACK.format(base=base))
    _image(docker, folder, run, STACK.format(base=base))
    _image(docker, folder, lifecycle, PHASES_IMAGE.format(base=base))
    _image(docker, folder, pack, PACK_IMAGE.format(base=base, lifecycle=lifecycle))
    _builder(docker, folder, builder, BUILDER.format(build=build, run=run))
    for name in (run, lifecycle, pack, builder):
        docker.run("docker", "push", name)
    docker.run("docker", "rmi", base, build, run, lifecycle, pack, builder)  # runs pull them
    return builder


def _programs(folder: Path, programs: Iterable[Path]) -> None:
    folder.mkdir(exist_ok=True)
    for each in programs:
        shutil.copy(each, folder)


def _script(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def _image(docker: Shell, folder: Path, name: str, dockerfile: str) -> None:
    (folder / "Dockerfile").write_text(dockerfile)
    docker.having(DOCKER_BUILDKIT="0").run("docker", "build", "--tag", name, folder)


def _builder(docker: Shell, folder: Path, name: str, config: str) -> None:
    (folder / "builder.toml").write_text(config)
    _script(folder / "buildpack" / "bin" / "detect", DETECT)
    _script(folder / "buildpack" / "bin" / "build", BUILD)
    (folder / "buildpack" / "buildpack.toml").write_text(BUILDPACK)
    with tarfile.open(folder / "lifecycle.tgz", "w:gz", compresslevel=1) as archive:
        described = tarfile.TarInfo("lifecycle.toml")
        described.size = len(DESCRIPTOR)
        archive.addfile(described, io.BytesIO(DESCRIPTOR.encode()))
        archive.add(folder / "lifecycle", "lifecycle")
    docker.run(PACK, "builder", "create", name, "--config", folder / "builder.toml", "--pull-policy", "never")
