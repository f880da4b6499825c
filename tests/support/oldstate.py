"""Makes the state of a host with a past, by the commands of an installed reconciler alone, and packs it.

    python tests/support/oldstate.py .venv/bin/reconciler tests/data/state-f01687d.tar.xz

It needs that program with its embedded engines, git, and the Python package `redis`. What is packed:

| file | is |
|---|---|
| `config.bundle` | the repository; `ORIGIN` is the name that store and history know it by |
| `state/` | the state folder, with one backup in it |
| `redis.json` | the keys of the embedded server by name: type, value, milliseconds to live; and its time |
| `answers.json` | what the program that made it said of it, by command |
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import redis

ORIGIN = "https://git.example.com/desk/config.git"
SERVER_FILES = ("redis", "log", "daemon.json")
"""What a state folder may hold beside the store and the history."""
PEOPLE = {"ann": "Ann Trader <ann@example.com>", "zoe": "Zoë Müller <zoe@example.com>"}
FIRST_COMMIT = 1_790_000_000
FX, EUR, GBP = "users/fx-majors-01.yaml", "accounts/cv-eurusd.yaml", "accounts/cv-gbpusd.yaml"
RISK = """-- Nobody risks more than 3 % of the equity in one trade
SELECT 'User' AS kind, name, 'risk_per_trade_percent' AS field, 'more than 3 % at risk' AS message
FROM desired.user_config WHERE path IS NOT NULL AND risk_per_trade_percent > 3
"""
DESK_COLUMNS = {
    "desk_id": ("UUID", {"type": "string", "format": "uuid"}),
    "city": ("VARCHAR(40)", {"type": "string", "maxLength": 40}),
    "seats": ("INTEGER", {"type": "integer", "minimum": 1}),
    "risk_limit": ("FLOAT", {"type": "number", "exclusiveMinimum": 0, "maximum": 100}),
    "quiet": ("BOOLEAN", {"type": "boolean"}),
    "hours": ("JSON", {"type": "object"}),
    "path": ("VARCHAR(80)", {"type": "string", "maxLength": 80}),
}
"""A kind of the repository's own: a column of each type, one of them named as a column that every table has."""
DESK_FILE = """apiVersion: reconciler/v1
kind: Desk
metadata:
  name: zuerich
  labels: {floor: '3', street: Bahnhofstraße}
  annotations: {contact: zoe@example.com}
  refs:
    users: [fx-majors-01, gold-swing-01]
spec:
  desk_id: 019a0000-0000-7000-8000-00000000000d
  city: Zürich
  seats: 12
  risk_limit: 0.1
  quiet: true
  hours: {open: '08:00', close: '22:00'}
  path: C:\\desks\\zürich
"""
SESSIONS = {
    "019a0000-0000-7000-8000-000000000001": ("fx-majors-01", "192.0.2.7", "MT5 terminal, Zürich"),
    "019a0000-0000-7000-8000-000000000002": ("fx-majors-01", "2001:db8::7", "phone"),
    "019a0000-0000-7000-8000-000000000003": ("gold-swing-01", "192.0.2.9", "laptop"),
}
QUESTIONS = {
    "status": (),
    "get account": (),
    "get broker": (),
    "get instance": (),
    "get signal": (),
    "get system": (),
    "get user": (),
    "get desk": (),
    "log -n 100": (),
    "history -n 100": (),
    "history account cv-eurusd": (),
    "history desk zuerich": (),
    "blame user fx-majors-01": (),
    "show user fx-majors-01 --at HEAD~4": (),
    "show account cv-gbpusd --at HEAD~5": (),
    "diff HEAD~6 HEAD": (2,),
    "drift": (),
    "verify": (),
}
OF_SESSIONS = ("session list fx-majors-01", "session list gold-swing-01", f"session get {next(iter(SESSIONS))}")
"""Commands that are asked as JSON, and the exit codes other than 0 that they may have.

Each gives something with its answer that a later program must not lose.
"""


class Maker:
    """A host in a folder, and the program that runs on it."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.repository, self.state = program, folder / "config", folder / "state"
        self.commits = 0
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RECONCILER_", "GIT_"))}
        settings = {"HOST_NAME": "desk-1", "HTTP_LISTEN": "127.0.0.1:0"}
        self.environment = {
            **kept,
            **{f"RECONCILER_{name}": value for name, value in settings.items()},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(folder),
            "LOGNAME": "ann",
            "TZ": "UTC",
        }

    def git(self, *arguments: str, **more: str) -> str:
        """Run git in the repository."""
        told = subprocess.run(
            ["git", *arguments], cwd=self.repository, env=self.environment | more, check=True, capture_output=True
        )
        return told.stdout.decode().strip()

    def run(self, *arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        """Run a command of the program; its exit code has to be one of these."""
        told = subprocess.run(self._command(*arguments), env=self.environment, check=False, capture_output=True)
        if told.returncode not in codes:
            raise SystemExit(f"{arguments} gave {told.returncode}: {told.stdout.decode()}{told.stderr.decode()}")
        return told.stdout.decode()

    def ask(self, what: str, codes: tuple[int, ...] = ()) -> Any:
        """What a command says as JSON."""
        return json.loads(self.run(*what.split(), "--format", "json", codes=(0, *codes)))

    def start(self) -> subprocess.Popen[bytes]:
        """Start its daemon."""
        return subprocess.Popen(self._command("run"), env=self.environment, stderr=subprocess.DEVNULL)

    def _command(self, *arguments: str) -> list[str]:
        place = ("--repo", str(self.repository), "--state", str(self.state))
        return [self.program, *arguments, *place]

    def edit(self, path: str, old: str, new: str) -> None:
        """Change one text of a file."""
        file = self.repository / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, (path, old)
        file.write_text(text.replace(old, new), encoding="utf-8")

    def commit(self, message: str, who: str = "ann", *more: str) -> str:
        """Commit all that is in the folder; each commit is a minute after the one before."""
        self.git("add", "--all")
        name, _, email = PEOPLE[who].partition(" <")
        self.commits += 1
        date = f"{FIRST_COMMIT + 60 * self.commits} +0100"
        person = {"NAME": name, "EMAIL": email.rstrip(">"), "DATE": date}
        given = {f"GIT_{role}_{part}": text for role in ("AUTHOR", "COMMITTER") for part, text in person.items()}
        self.git("commit", "--quiet", "--allow-empty", "-m", message, *more, **given)
        return self.git("rev-parse", "HEAD")


def begin(maker: Maker) -> None:
    """The first commit: the example with a rule of its own."""
    example = Path(__file__).parents[2] / "config-repo-example"
    maker.repository.mkdir()
    for file in sorted(example.rglob("*")):
        path = file.relative_to(example)
        if file.is_file() and path.parts[0] not in ("policies", "README.md", ".reconciler"):
            (maker.repository / path).parent.mkdir(parents=True, exist_ok=True)
            (maker.repository / path).write_bytes(file.read_bytes())
    write(maker, "policies/risk.sql", RISK)
    maker.git("init", "--quiet", "--initial-branch=main", "--template=")
    maker.git("config", "remote.origin.url", ORIGIN)
    maker.commit("Bring the desk's configuration under review")
    maker.run("sync")


def change(maker: Maker) -> None:
    """Commits that go live, one that is invalid, and a merge."""
    maker.edit(FX, "risk_per_trade_percent: 0.75", "risk_per_trade_percent: 0.5")
    maker.commit("Halve the risk\n\nAfter the meeting of the desk.", "zoe")
    maker.run("sync")

    maker.git("checkout", "--quiet", "-b", "side")
    maker.edit(EUR, "leverage: 30", "leverage: 25")
    maker.commit("Lower the leverage of EURUSD", "zoe")
    maker.edit(EUR, "margin_requirement: 3.34", "margin_requirement: 4.0")
    maker.commit("Ask for the margin that goes with it", "zoe")
    maker.git("checkout", "--quiet", "main")
    maker.edit("systems/lab.yaml", "cache_size_mb: 128", "cache_size_mb: 256")
    maker.commit("Give the lab a larger cache")
    maker.git("merge", "--quiet", "--no-ff", "--no-commit", "side", GIT_COMMITTER_NAME="x", GIT_COMMITTER_EMAIL="x")
    maker.commit("Merge the lower leverage")
    maker.run("sync")

    maker.edit(EUR, "leverage: 25", "leverage: 0")
    maker.commit("Slip")
    maker.run("sync", codes=(1,))
    maker.edit(EUR, "leverage: 0", "leverage: 20")
    maker.commit("Mend the slip")
    maker.run("sync")


def remove_and_rewrite(maker: Maker) -> None:
    """A removal, a backup, a kind of its own, a rewritten branch, and a removal that had to be approved."""
    (maker.repository / GBP).unlink()
    maker.commit("Give GBPUSD up")
    maker.run("sync")
    maker.run("backup")

    write(maker, "schemas/desk.schema.json", desk_schema())
    write(maker, "desks/zuerich.yaml", DESK_FILE)
    maker.commit("Say who sits where")
    maker.run("sync")

    maker.edit("systems/lab.yaml", "cache_size_mb: 256", "cache_size_mb: 300")
    maker.commit("What will be rewritten")
    maker.run("sync")
    maker.git("reset", "--quiet", "--hard", "HEAD~1")
    maker.edit("systems/lab.yaml", "cache_size_mb: 256", "cache_size_mb: 320")
    maker.commit("What it was rewritten to")
    maker.run("sync")

    for path in ("signals/asia-range-fade.yaml", "signals/eur-mean-reversion.yaml"):
        (maker.repository / path).unlink()
    approved = maker.commit("Give two signals of five up")
    maker.run("sync", codes=(1,))
    maker.run("sync", "--approve", approved)


def disturb(maker: Maker) -> None:
    """Drift that was healed, and a head that is refused."""
    change_live(maker.state)
    maker.run("drift", codes=(2,))
    maker.run("drift", "--heal")
    maker.edit(FX, "risk_per_trade_percent: 0.5", "risk_per_trade_percent: 4.0")
    maker.commit("More than the desk allows", "zoe")
    maker.run("sync", codes=(1,))


def serve(maker: Maker) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the embedded server holds after some sessions, and what the daemon says of them."""
    daemon, note = maker.start(), maker.state / "redis" / "server.json"
    try:
        wait(lambda: (maker.state / "daemon.json").exists() and note.exists())
        with redis.Redis.from_url(json.loads(note.read_text(encoding="utf-8"))["url"], protocol=2) as server:
            wait(lambda: server.hget("config:meta", "commit"))
            for session, (owner, address, device) in SESSIONS.items():
                maker.run("session", "create", "--id", session, "--ip", address, "--device", device, owner)
            maker.run("session", "touch", next(iter(SESSIONS)))
            maker.run("session", "expire", list(SESSIONS)[1])
            maker.run("suspend", "--reason", "Ann looks into the terminal, ✆ 4711")
            said = {what: maker.ask(what) for what in OF_SESSIONS}
            return dump(server), said
    finally:
        daemon.terminate()
        daemon.wait(30)


def write(maker: Maker, path: str, text: str) -> None:
    """Write a file of the repository."""
    file = maker.repository / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8", newline="\n")


def desk_schema() -> str:
    """The schema of the kind Desk: that of Broker with another `spec`."""
    broker = Path(__file__).parents[2] / "config-repo-example/schemas/broker.schema.json"
    schema = json.loads(broker.read_text(encoding="utf-8"))
    schema["title"] = schema["properties"]["kind"]["const"] = "Desk"
    users = {"description": "Who sits there.", "type": "array", "items": {"$ref": "#/$defs/name"}}
    schema["properties"]["metadata"]["properties"]["refs"]["properties"]["users"] = users
    spec = schema["properties"]["spec"]
    spec["required"] = ["desk_id", "city", "seats"]
    spec["properties"] = {name: {"description": name, **rule} for name, (_, rule) in DESK_COLUMNS.items()}
    schema["x-reconciler"] = {
        "table": "desk_config",
        "key": "desk_id",
        "columns": {name: type_ for name, (type_, _) in DESK_COLUMNS.items()},
        "indexes": [["city"]],
        "references": {"users": {"kind": "User", "many": True}},
    }
    return json.dumps(schema, indent=1)


def change_live(state: Path) -> None:
    """Change a live row, as another program would."""
    with duckdb.connect(str(state / "state.duckdb")) as store:
        store.execute("UPDATE user_config SET risk_per_trade_percent = 9 WHERE status = 'ACTIVE'")


def dump(server: redis.Redis) -> dict[str, Any]:
    """All keys but the claim of the host, which ends by itself."""
    keys = {key.decode() for key in server.keys("*")} - {"config:keeper"}
    seconds, microseconds = server.time()
    return {"now": seconds * 1000 + microseconds // 1000, "keys": {key: _value(server, key) for key in sorted(keys)}}


def _value(server: redis.Redis, key: str) -> dict[str, Any]:
    type_ = server.type(key).decode()
    read = {
        "string": server.get,
        "hash": server.hgetall,
        "set": server.smembers,
        "zset": lambda key: server.zrange(key, 0, -1, withscores=True),
        "stream": server.xrange,
    }
    return {"type": type_, "ttl": server.pttl(key), "value": _plain(read[type_](key))}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {_plain(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return sorted(map(_plain, value)) if isinstance(value, set) else value


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A file of the archive without who made it, and when."""
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


def wait(holds: Any) -> None:
    """Wait until something holds."""
    limit = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < limit, "it did not happen within a minute"
        time.sleep(0.1)


def main() -> None:
    """Make it, and pack it."""
    program, packed = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="old") as name:
        folder = Path(name)
        maker = Maker(str(Path(program).absolute()), folder)
        for chapter in (begin, change, remove_and_rewrite, disturb):
            chapter(maker)
        held, said = serve(maker)
        said |= {what: maker.ask(what, codes) for what, codes in QUESTIONS.items()}
        maker.git("bundle", "create", "--quiet", str(folder / "config.bundle"), "--all")
        for more in SERVER_FILES:
            place = maker.state / more
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        for file, content in (("redis.json", held), ("answers.json", said)):
            (folder / file).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        with tarfile.open(packed, "w:xz", preset=9) as tar:
            for member in ("config.bundle", "redis.json", "answers.json", "state"):
                tar.add(folder / member, member, filter=_nobodys)


if __name__ == "__main__":
    main()
