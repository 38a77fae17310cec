"""A git server as a process, so that it can run in a network of its own: ``python -m tests.e2e.tasks.gitd FOLDER``.

It writes its port. A repository's hook may be ``deliver``: it sends what Gitea would send, to the address in HOOK.
"""

import os
import ssl
import sys
import time
import urllib.request
from pathlib import Path

from tests.githooks import gitea, push
from tests.gits import git_server

# What delivers a push, after it was received: the text of a hook.
DELIVER = """\
#!/bin/sh
export {variables}
exec {python} -m tests.e2e.tasks.gitd deliver
"""


def serve(folder: Path) -> None:
    with git_server(folder) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        while True:
            time.sleep(3600)


def deliver() -> None:
    """Each reference that a push has moved."""
    trust = ssl.create_default_context(cafile=os.environ["HOOK_CA"])
    for line in sys.stdin:
        before, after, ref = line.split()
        headers, body = gitea(os.environ["HOOK_SECRET"], push(after, ref, before=before, total_commits=9))
        request = urllib.request.Request(os.environ["HOOK_URL"], body, headers)
        with urllib.request.urlopen(request, timeout=30, context=trust) as answer:
            sys.stdout.buffer.write(answer.read())


if __name__ == "__main__":
    deliver() if sys.argv[1] == "deliver" else serve(Path(sys.argv[1]))
