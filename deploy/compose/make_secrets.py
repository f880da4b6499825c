"""Writes what docker-compose.yml reads from `secrets/`: a password for each store, once, known to nobody.

What is there stays as it is. To change a password, delete `secrets/` and, as they know the old one, restart all.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "secrets"
LOGIN = "reconciler"
CLICKHOUSE = """\
<clickhouse>
    <users>
        <default remove="1"/>
        <{login}>
            <password_sha256_hex>{digest}</password_sha256_hex>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
        </{login}>
    </users>
</clickhouse>
"""
VALKEY = """\
dir /data
appendonly yes
maxmemory-policy noeviction
requirepass {password}
"""


def texts() -> dict[str, str]:
    """What each file holds. The two that belong to a store know the same password."""
    clickhouse, valkey = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    digest = hashlib.sha256(clickhouse.encode()).hexdigest()
    return {
        "clickhouse-users.xml": CLICKHOUSE.format(login=LOGIN, digest=digest),
        "history-url": f"clickhouse://{LOGIN}:{clickhouse}@clickhouse:8123/config_history\n",
        "valkey.conf": VALKEY.format(password=valkey),
        "redis-url": f"redis://:{valkey}@valkey:6379/0\n",
        "webhook-secret": f"{secrets.token_urlsafe(32)}\n",
        "repository-credentials": "",
    }


def main() -> int:
    """Exit code 1 when only some of the files are there: new ones would not fit the others."""
    wanted = texts()
    there = [name for name in wanted if (FOLDER / name).exists()]
    if there:
        missing = sorted(set(wanted) - set(there))
        said = f"{', '.join(missing)} missing: put them back, or delete the folder" if missing else "nothing to do"
        sys.stderr.write(f"{FOLDER} is there; {said}\n")
        return 1 if missing else 0
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    # On this machine the folder keeps others out; in the containers each file is read by a user with another number.
    FOLDER.chmod(0o700)
    for name, text in wanted.items():
        descriptor = os.open(FOLDER / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        (FOLDER / name).chmod(0o644)
    sys.stderr.write(f"written: {FOLDER}; a token or login:password for git goes into repository-credentials\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
