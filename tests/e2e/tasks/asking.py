"""Asks a server again and again, as a process, so that it can ask in a network of its own.

``python -m tests.e2e.tasks.asking URL...`` with the CA in ASK_CA, a user and a password in ASK_USER and ASK_PASSWORD.
Each answer is a line: its status and how many seconds it took.
"""

import os
import ssl
import sys
import time

import httpx
from tests.e2e.layouts import DOCKER_MANIFEST

PAUSE = 0.1
ACCEPT = {"accept": f"{DOCKER_MANIFEST}, */*"}


def main() -> None:
    trust = ssl.create_default_context(cafile=os.environ["ASK_CA"])
    who = (os.environ["ASK_USER"], os.environ["ASK_PASSWORD"])
    with httpx.Client(verify=trust, auth=who, timeout=60) as http:
        while True:
            for url in sys.argv[1:]:
                began = time.perf_counter()
                status = http.get(url, headers=ACCEPT).status_code
                sys.stdout.write(f"{status} {time.perf_counter() - began:.4f}\n")
            sys.stdout.flush()
            time.sleep(PAUSE)


if __name__ == "__main__":
    main()
