"""Random days of a host: after each event five answers are those of a model, and later so is each moment that was.

The model knows what each commit declares, which commits are valid, and which the policy refuses. It says what is live.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from reconciler.service.pages import Pages
from reconciler.settings import load
from reconciler.wiring.local import local_host
from tests.cli.conftest import Host
from tests.conftest import DAWN
from tests.support import configs
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Ticks

USERS = ("ann", "ben", "cleo")
RISK = "risk_per_trade_percent"
LIMIT = 5.0
POLICY = f"""-- Nobody risks too much
SELECT 'User' AS kind, name, '{RISK}' AS field, format('{{}} is too much', {RISK}) AS message
FROM desired.user_config WHERE path IS NOT NULL AND {RISK} > {LIMIT}
"""
Risks = dict[str, float]


@dataclass
class Model:
    """What the commits declare (None: invalid), and what is live by the events so far."""

    declared: dict[str, Risks | None] = field(default_factory=dict)
    applied: str = ""
    approved: set[str] = field(default_factory=set)
    suspended: bool = False

    @property
    def live(self) -> Risks:
        """The risk of each user that trading programs see."""
        risks = self.declared[self.applied]
        assert risks is not None
        return risks

    def newest_valid(self, line: list[str]) -> str | None:
        """The newest valid commit of a branch, its newest commit first."""
        return next((commit for commit in line if self.declared[commit] is not None), None)

    def refuses(self, commit: str) -> bool:
        """Whether the policy is against a valid commit that nobody approved."""
        risks = self.declared[commit]
        assert risks is not None
        return commit not in self.approved and any(risk > LIMIT for risk in risks.values())

    def sync(self, line: list[str]) -> None:
        """Bring what is live to the head, as far as that is allowed."""
        commit = self.newest_valid(line)
        if not self.suspended and commit is not None and not self.refuses(commit):
            self.applied = commit

    def fate(self, line: list[str]) -> str:
        """What became of the head."""
        if line[0] == self.applied:
            return "live"
        if self.declared[line[0]] is None:
            return "invalid"
        return "refused"


class Days:
    """A host on which something happens, again and again."""

    def __init__(self, host: Host, ticks: Ticks, chance: random.Random) -> None:
        self.host, self.ticks, self.chance = host, ticks, chance
        self.model = Model()
        self.raw: dict[str, dict[str, float | None]] = {}
        """What each commit declares of each user; None for what is no number."""
        self.moments: list[tuple[str, Risks]] = []
        files = {f"{name}.yaml": configs.user(name, risk=1.0) for name in USERS}
        first = host.repo.commit({**files, "policies/risk.sql": POLICY})
        self.raw[first], self.model.declared[first] = dict.fromkeys(USERS, 1.0), dict.fromkeys(USERS, 1.0)
        self.sync()
        settings = load(None, {"repository.url": str(host.repo.path), "state.dir": str(host.state)}, {})
        self.pages = Pages(local_host(settings).context())

    def line(self) -> list[str]:
        """The commits of the branch, the newest first."""
        return self.host.repo.git("rev-list", "--first-parent", "refs/heads/main").split()

    def commit(self, name: str, risk: float | None) -> None:
        """Commit another risk of a user; None stands for one that is no number."""
        text = configs.user(name, risk=0.125 if risk is None else risk)
        files = {f"{name}.yaml": text.replace("0.125", "much") if risk is None else text}
        before = self.line()[0]
        sha = self.host.repo.commit(files)
        known = self.raw[before] | {name: risk}
        self.raw[sha] = known
        self.model.declared[sha] = None if None in known.values() else {k: v for k, v in known.items() if v is not None}

    def sync(self) -> None:
        """Reconcile; the model does the same."""
        self.host.run("sync")
        self.model.sync(self.line())

    def lower(self) -> None:
        self.commit(self.chance.choice(USERS), round(self.chance.uniform(0.1, LIMIT), 3))

    def raise_too_far(self) -> None:
        self.commit(self.chance.choice(USERS), round(self.chance.uniform(LIMIT + 1, 9), 3))

    def mistype(self) -> None:
        self.commit(self.chance.choice(USERS), None)

    def mend_all(self) -> None:
        for name in USERS:
            self.commit(name, round(self.chance.uniform(0.1, LIMIT), 3))

    def force_push(self) -> None:
        line = self.line()
        back = self.chance.randrange(1, 4)
        if back < len(line):
            self.host.repo.git("update-ref", "refs/heads/main", line[back])
            self.lower()

    def tag_like_the_branch(self) -> None:
        self.host.repo.git("tag", "--force", "main", self.chance.choice(self.line()))

    def lose_the_branch(self) -> None:
        head = self.line()[0]
        self.host.repo.git("update-ref", "-d", "refs/heads/main")
        assert self.host.run("sync").code == 3
        self.check_rows()
        self.host.repo.git("update-ref", "refs/heads/main", head)

    def approve(self) -> None:
        line = self.line()
        commit = self.model.newest_valid(line)
        assert commit is not None
        if self.model.refuses(commit) and not self.model.suspended:
            self.model.approved.add(commit)
            self.host.run("sync", "--approve", commit)

    def suspend(self) -> None:
        assert self.host.run("suspend", "--reason", "a look at it").code == 0
        self.model.suspended = True

    def resume(self) -> None:
        assert self.host.run("resume").code == 0
        self.model.suspended = False

    def edit_by_hand(self) -> None:
        with duckdb.connect(str(self.host.state / "state.duckdb")) as store:
            store.execute(f"UPDATE user_config SET {RISK} = 9")
        assert self.host.run("drift", "--heal").code == 0

    def happen(self) -> str:
        """One more event, and a reconcile."""
        events: list[Callable[[], None]] = [
            *([self.lower] * 6), *([self.raise_too_far] * 3), *([self.mistype] * 2), *([self.mend_all] * 2),
            *([self.force_push] * 2), self.tag_like_the_branch, self.lose_the_branch, self.approve, self.edit_by_hand,
            self.resume if self.model.suspended else self.suspend, self.resume,
        ]  # fmt: skip
        event = self.chance.choice(events)
        event()
        self.sync()
        return event.__name__

    def ask(self, *command: str) -> Any:
        answer = self.host.run(*command, "--format", "json")
        assert answer.code == 0, answer
        return json.loads(answer.out)

    def now(self) -> str:
        """The moment of the clock. Asking it takes a second."""
        return (DAWN + timedelta(seconds=self.ticks.passed)).isoformat().replace("+00:00", "Z")

    def check_rows(self) -> None:
        rows = {row["name"]: row[RISK] for row in self.ask("get", "user")}
        assert rows == self.model.live

    def check(self) -> None:
        """Ask five questions."""
        self.check_rows()
        self.ticks.passed += 5
        now = self.now()
        self.ticks.passed += 5
        assert self.at(now) == self.model.live
        self.moments.append((now, self.model.live))
        line = self.line()
        if not self.model.suspended:
            (newest,) = self.ask("log", "-n", "1")
            assert (newest["commit"], newest["fate"]) == (line[0], self.model.fate(line))
        name = self.chance.choice(USERS)
        fields = {one["field"]: one for one in self.ask("blame", "user", name)["fields"]}
        said = fields[RISK]
        assert said["value"] == self.model.live[name]
        assert (self.raw[said["commit"]])[name] == self.model.live[name]
        page = self.pages.resource("user", name)
        shown = next(one for one in page["fields"] if one["field"] == RISK)
        assert (shown["live"], shown["declared"]) == (self.model.live[name], self.model.live[name])
        assert page["blame"][RISK]["commit"] == said["commit"]
        status = json.loads(self.host.run("status", "--format", "json").out)
        assert status["applied"]["commit"] == self.model.applied
        assert (status["sync"] == "Synced") == (line[0] == self.model.applied)

    def at(self, moment: str) -> Risks:
        return {row["name"]: row[RISK] for row in self.ask("show", "user", "--at", moment)}


@pytest.fixture
def empty_host(tmp_path: Path, capsys: pytest.CaptureFixture[str], ticks: Ticks) -> Host:
    """A host of a repository without commits."""
    return Host(GitRepo.create(tmp_path / "config"), tmp_path / "state", capsys)


@pytest.mark.parametrize(
    ("seed", "events"),
    [
        *(pytest.param(seed, 50, marks=[pytest.mark.slow, pytest.mark.timeout(900)]) for seed in range(2)),
        pytest.param(2, 2_000, marks=[pytest.mark.soak, pytest.mark.timeout(7_200)]),
    ],
)
def test_answers_are_those_of_the_model(seed: int, events: int, empty_host: Host, ticks: Ticks) -> None:
    days = Days(empty_host, ticks, random.Random(seed))
    happened = []
    for _ in range(events):
        happened.append(days.happen())
        try:
            days.check()
        except AssertionError as error:
            error.add_note(f"after {happened[-6:]}, event {len(happened)}")
            raise
    for moment, live in days.chance.sample(days.moments, min(len(days.moments), 500)):
        assert days.at(moment) == live, moment
