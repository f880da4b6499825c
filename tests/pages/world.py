"""A desk with a past to look at: the example, a kind for whatever texts people write, and commits that went wrong."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.docs.markdown import EXAMPLE
from tests.support.configs import document
from tests.support.daemons import RunningDaemon, running, until
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SCRIPT = "<script>window.pwned = 1</script><img src=x onerror=window.pwned=2>"
INJECTION = "' OR 1=1 --"
BACKWARDS = "\N{RIGHT-TO-LEFT OVERRIDE}lmay.exe"
LONG = "all work and no play " * 500
TEXTS = {"script": SCRIPT, "injection": INJECTION, "backwards": BACKWARDS, "long": LONG, "page.json": "{{ 7 * 7 }}"}
HOSTILE_AUTHOR = (f'&lt;b&gt; "M" {BACKWARDS}', "m@example.com")
USER = "users/fx-majors-01.yaml"


def note_schema() -> str:
    """The schema of a kind with one text of any length, made from the example's own."""
    schema = json.loads((EXAMPLE / "schemas" / "broker.schema.json").read_text(encoding="utf-8"))
    schema["title"], schema["description"] = "Note", "Whatever people write."
    schema["properties"]["kind"]["const"] = "Note"
    schema["properties"]["spec"] |= {
        "required": ["text"],
        "properties": {
            "note_id": {"description": "Its id.", "type": "string", "format": "uuid"},
            "text": {"description": "Any text.", "type": "string"},
        },
    }
    schema["x-reconciler"] = {
        "table": "note_config",
        "key": "note_id",
        "columns": {"note_id": "UUID", "text": "VARCHAR"},
        "indexes": [],
        "references": {},
    }
    return json.dumps(schema)


def example() -> dict[str, str]:
    """The files of the example repository."""
    return {
        file.relative_to(EXAMPLE).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(EXAMPLE.rglob("*"))
        if file.is_file()
    }


def risk(repo: GitRepo, value: str, message: str = "Set the risk", when: datetime | None = None) -> str:
    """Commit another risk for one of the example's users. Below 0.5 the desk's own rules refuse it."""
    text = example()[USER].replace("risk_per_trade_percent: 0.75", f"risk_per_trade_percent: {value}")
    return repo.commit({USER: text}, message, when=when or datetime.now(UTC).replace(microsecond=0))


def desk(path: Path) -> GitRepo:
    """The example with notes, some days of work on it, one invalid commit, and one that mends it."""
    repo, now = GitRepo.create(path), datetime.now(UTC).replace(microsecond=0)
    repo.commit(example(), "Bring the desk's configuration under review", when=now - timedelta(days=9))
    notes = {f"notes/{name}.yaml": document("Note", name, {"text": text}) for name, text in TEXTS.items()}
    schema = {"schemas/note.schema.json": note_schema()}
    repo.commit(schema | notes, f"Add notes {SCRIPT}", when=now - timedelta(days=6), author=HOSTILE_AUTHOR)
    risk(repo, "0.6", "Cut the risk\n\nThe week has an election.", now - timedelta(days=4))
    risk(repo, "999", "Raise the risk far too much", now - timedelta(days=2))
    repo.commit({"accounts/op-demo.yaml": None, USER: example()[USER]}, "Mend the risk, let go of one", when=now)
    return repo


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """What is in it."""
        assert self.headers["content-type"] == "application/json", self.text[:200]
        return json.loads(self.text)


@dataclass(frozen=True)
class Site:
    """A daemon that runs, and the repository it follows."""

    daemon: RunningDaemon
    repo: GitRepo
    address: str

    def get(self, path: str, **headers: str) -> Reply:
        """Ask as a browser does, unless other headers are given; underscores in their names are dashes."""
        told = {"Accept": "text/html,*/*"} | {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.address}{path}", headers=told)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return _reply(answer)
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error)

    def operate(self, path: str, body: object) -> Any:
        """Post to the API as its operator."""
        token = json.loads((self.daemon.state / "daemon.json").read_text(encoding="utf-8"))["token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.address}{path}", json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def _reply(answer: Any) -> Reply:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Reply(answer.status, headers, answer.read().decode())


@contextmanager
def site(repo: GitRepo, state: Path, **settings: str) -> Iterator[Site]:
    """A daemon on a repository, once its first reconcile has ended and its history is up to date."""
    with running(repo.path, state, {"HOST_NAME": "vps-ldn-01", **settings}) as daemon:
        client = daemon.client()
        found = Site(daemon, repo, f"http://{client.address}")
        until(lambda: found.get("/readyz").status == 200, daemon.log)
        yield found
