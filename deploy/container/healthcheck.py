#!/opt/reconciler/bin/python -IS
"""Whether the daemon of this container is alive; exit code 0 or 1.

It asks where `daemon.json` in the state folder says that it listens, so it does not have to know any setting.
"""

import http.client
import json
import os
import sys
from pathlib import Path

TIMEOUT = 4
"""Seconds; Docker waits for five."""


def main() -> int:
    """Print what is wrong, if anything: `docker inspect` shows it."""
    try:
        said = json.loads((Path(os.environ["RECONCILER_STATE_DIR"]) / "daemon.json").read_text(encoding="utf-8"))
        connection = http.client.HTTPConnection(said["address"], timeout=TIMEOUT)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace").strip()
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer from the daemon: {error!r}\n")
        return 1
    sys.stdout.write(f"{answer.status} {text}\n")
    return 0 if answer.status == http.HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
