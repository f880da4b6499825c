"""A host on which something happens, again and again, and what is asked of it after each event.

It is a daemon, killed and started again, or for a while commands alone.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from reconciler.adapters.redis.connection import connect
from reconciler.service.pages import Pages
from reconciler.settings import load
from reconciler.web.pages.templates import render_page
from reconciler.wiring.local import local_host
from tests.running.expected import LIMIT, Expected, LivePeriod, Risks
from tests.running.hosts import Host
from tests.support import configs
from tests.support.daemons import RunningDaemon, until
from tests.support.gitrepo import GitRepo
from tests.support.patience import DEADLINE
from tests.support.processes import await_end, children

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

USERS = ("ann", "ben", "cleo")
RISK = "risk_per_trade_percent"
POLICY = f"""-- Nobody risks too much
SELECT 'User' AS kind, name, '{RISK}' AS field, format('{{}} is too much', {RISK}) AS message
FROM desired.user_config WHERE path IS NOT NULL AND {RISK} > {LIMIT}
"""


@dataclass
class Days:
    """A host, and what it should say. `redis` is the URL of a server of its own."""

    host: Host
    redis: str
    expected: Expected = field(default_factory=Expected)
    chance: random.Random = field(default_factory=random.Random)
    daemon: RunningDaemon | None = None
    away: str = ""
    """The name that the branch has meanwhile."""
    last: str = ""
    """The commit that the branch was at when it was deleted or renamed."""
    edits: dict[str, list[float]] = field(default_factory=dict)
    number: int = 0

    @classmethod
    def begin(cls, folder: Path, history: str, redis: str) -> Days:
        """A host with three users and a policy in its first commit, which is live."""
        repo = GitRepo.create(folder / "config")
        settings = {"HISTORY_URL": history, "REDIS_URL": redis, "HTTP_LISTEN": "127.0.0.1:0"}
        days = cls(Host(repo, str(repo.path), folder / "state", settings), redis)
        files = {f"{name}.yaml": configs.user(name, risk=1.0) for name in USERS}
        days.expected.add(repo.commit({**files, "policies/risk.sql": POLICY}), dict.fromkeys(USERS, 1.0), None)
        days.reconcile_now()
        return days

    def close(self) -> None:
        """End the daemon, whatever it does."""
        if self.daemon is not None and self.daemon.process.poll() is None:
            self.kill()

    def commit(self, risks: Mapping[str, float | None], parent: str | None = None) -> None:
        """Commit other risks of some users on the branch, or on one of its commits in its place."""
        before = parent or self.expected.head
        assert before is not None
        files = {f"{name}.yaml": _user(name, risk) for name, risk in risks.items()}
        self.number += 1
        message = f"Change {', '.join(risks)} for the {self.number}th time"
        sha = self.host.repo.commit(files, message, parents=[before], branch=self.expected.branch)
        self.expected.add(sha, {**self.expected.commits[before].risks, **risks}, before)

    def start(self) -> None:
        self.daemon = RunningDaemon(self.host.origin, self.host.state, self.host.settings)
        self.daemon.client()
        self.expected.start()

    def stop(self) -> None:
        assert self.daemon is not None
        daemon, self.daemon = self.daemon, None
        assert daemon.stop() == 0, daemon.log()

    def kill(self) -> None:
        assert self.daemon is not None
        daemon, self.daemon = self.daemon, None
        started = children(daemon.process.pid)
        daemon.kill()
        self.expected.kill()
        await_end(started, DEADLINE)

    def settle(self) -> None:
        """Wait until the daemon has seen what there is to see, or ask for it: as it comes."""
        if self.daemon is None or self.expected.suspended or self.chance.random() < 0.4:
            self.reconcile_now()
            return
        self.expected.reconcile(by_daemon=True)
        said: dict[str, Any] = {}

        def has_seen() -> bool:
            nonlocal said
            said = self._json("status")
            return self._is_seen(said)

        until(has_seen, lambda: f"{said} {self.why()}")

    def _is_seen(self, said: dict[str, Any]) -> bool:
        reasons = {one["reason"] for one in said["troubles"]}
        if self.expected.hold:
            return self.expected.hold in reasons
        if reasons & {"BranchGone", "BranchSwitched"} or said["head"] != self.expected.head:
            return False
        (applied, refused), head = (said["applied"], said["refused"]), said["head"]
        return (applied and applied["commit"] == head) or (refused is not None and refused["commit"] == head)

    def reconcile_now(self) -> None:
        """Ask for a reconcile; it says what the model does."""
        self.expected.reconcile(by_daemon=self.daemon is not None)
        code = 3 if self.expected.hold else int(self.expected.suspended or self.expected.applied != self.expected.head)
        if self.expected.hold and self.expected.suspended:
            answer = self.host.run("sync")
            assert answer.code in {1, 3}, answer
        else:
            self.run("sync", code=code)

    def check(self) -> None:
        """Ask five questions and some more, and keep a period of which all is known."""
        expected = self.expected
        since = datetime.now(UTC)
        assert self.rows() == expected.live
        assert self.shown(datetime.now(UTC)) == expected.live
        (newest,) = self._json("log", "-n", "1")
        assert (newest["commit"], newest["fate"]) in expected.newest_known, expected.newest_known
        name = self.chance.choice(USERS)
        (said,) = (one for one in self._json("blame", "user", name)["fields"] if one["field"] == RISK)
        assert said["value"] == expected.live[name]
        assert expected.commits[said["commit"]].risks[name] == expected.live[name]
        assert self._page(name) == (expected.live[name], expected.live[name], said["commit"])
        status = json.loads(self.host.run("status", "--format", "json").out)
        assert status["applied"]["commit"] == expected.applied
        if not expected.hold:
            assert (status["sync"] == "Synced") == (expected.head == expected.applied)
        if self.daemon is not None:
            until(lambda: self._view() == expected.live, lambda: f"{self._view()} {self.why()}")
        expected.periods.append(LivePeriod(since, datetime.now(UTC), expected.live))

    def shown(self, moment: datetime) -> Risks:
        """What `show --at` says of a moment."""
        return {row["name"]: row[RISK] for row in self._json("show", "user", "--at", moment.isoformat())}

    def rows(self) -> Risks:
        return {row["name"]: row[RISK] for row in self._json("get", "user")}

    def _view(self) -> Risks:
        """What programs read in Redis."""
        with connect(self.redis, answer_timeout=5) as link:
            rows = {name: link.ask("GET", f"config:user:{name}") for name in USERS}
        return {name: json.loads(row).get(RISK) for name, row in rows.items() if row and row.startswith(b"{")}

    def _page(self, name: str) -> tuple[float, float, str]:
        """What the page of a user says: the live risk, the one in git, and the commit that set it."""
        if self.daemon is not None:
            with urlopen(f"http://{self.daemon.client().address}/resources/user/{name}") as answer:
                page = answer.read().decode()
        else:
            given = {"repository.url": self.host.origin, "state.dir": str(self.host.state)}
            more = {f"RECONCILER_{key}": value for key, value in self.host.settings.items()}
            page = render_page("resource", Pages(local_host(load(None, given, more)).context()).resource("user", name))
        values = page.partition('<table class="grid sides')[2].partition("</table>")[0]
        (row,) = (row for row in re.findall(r"<tr.*?</tr>", values, re.DOTALL) if f">{RISK}<" in row)
        texts = [float(text) for text in re.findall(r'class="value"><bdi>(.*?)</bdi>', row)]
        declared, live = texts[0], texts[-1]  # one where they are the same
        (commit,) = re.findall(r'/versions/([0-9a-f]{40})"', row)
        return live, declared, commit

    def _json(self, *command: str) -> Any:
        return json.loads(self.run(*command, "--format", "json", code=None).out)

    def run(self, *command: str, code: int | None) -> Any:
        answer = self.host.run(*command)
        assert answer.code == code or (code is None and answer.code in {0, 1}), (command, answer)
        return answer

    def why(self) -> str:
        return self.daemon.log()[-3_000:] if self.daemon is not None else ""

    def risk(self, least: float, most: float) -> float:
        return round(self.chance.uniform(least, most), 3)

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.expected.branch}"

    def point(self, commit: str) -> None:
        self.host.repo.git("update-ref", self.ref, commit)
        self.expected.head = commit


def _user(name: str, risk: float | None) -> str:
    return (
        configs.user(name, risk=risk) if risk is not None else configs.user(name, risk=0.125).replace("0.125", "much")
    )
