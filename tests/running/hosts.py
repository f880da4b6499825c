"""A host as its people see it: a repository, a state folder, a daemon, and commands beside it."""

from __future__ import annotations

import io
import json
import os
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch

from reconciler.cli.main import run
from tests.support import configs
from tests.support.daemons import running
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support.daemons import RunningDaemon

DESK = ("ann", "ben", "cleo", "dan", "eve", "finn")


class Answer(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass
class Host:
    """`origin` is what the daemon is told to follow; `settings` are variables without RECONCILER_."""

    repo: GitRepo
    origin: str
    state: Path
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path, **settings: str) -> Host:
        """A host with a desk of six users in its first commit."""
        repo = GitRepo.create(folder / "config")
        repo.commit({**{f"users/{name}.yaml": configs.user(name) for name in DESK}, "s.yaml": configs.system("desk")})
        return cls(repo, str(repo.path), folder / "state", {"HISTORY_URL": "none", **settings})

    @classmethod
    def elsewhere(cls, folder: Path, **settings: str) -> Host:
        """The same with the repository behind a URL, which is asked every second."""
        near = cls.create(folder, REPOSITORY_POLL_INTERVAL="1s", **settings)
        return cls(near.repo, near.repo.path.as_uri(), near.state, near.settings)

    @property
    def head(self) -> str:
        """The commit that the branch is at."""
        return self.repo.git("rev-parse", self.repo.branch)

    def risk(self, name: str, value: float) -> str:
        """Commit a change of a user's risk."""
        return self.repo.commit({f"users/{name}.yaml": configs.user(name, risk=value)}, f"{name} risks {value}")

    @contextmanager
    def daemon(self, **settings: str) -> Iterator[RunningDaemon]:
        """Its daemon, which has brought the head live."""
        with self.starting(**settings) as daemon:
            daemon.await_status(lambda said: said["sync"] == "Synced")
            yield daemon

    def starting(
        self, variables: Mapping[str, str] | None = None, **settings: str
    ) -> AbstractContextManager[RunningDaemon]:
        """Its daemon, which has only just been started; `variables` are those that are no settings."""
        return running(self.origin, self.state, {**self.settings, **settings}, variables)

    def run(self, *arguments: str, variables: Mapping[str, str] | None = None) -> Answer:
        """Run a command on this host, in this process: it asks the daemon as any other would."""
        settings = {f"RECONCILER_{name}": value for name, value in {**self.settings, **(variables or {})}.items()}
        out, err = io.StringIO(), io.StringIO()
        with patch.dict(os.environ, settings), redirect_stdout(out), redirect_stderr(err):
            code = run([*arguments, "--repo", self.origin, "--state", str(self.state)])
        return Answer(code, out.getvalue(), err.getvalue())


def settle(host: Host, daemon: RunningDaemon) -> None:
    """The head is live and nothing is wrong, or will be without a hand."""
    head = host.repo.git("rev-parse", "HEAD")
    daemon.await_status(lambda said: _well(said) and said["head"] == head)


def check(host: Host, daemon: RunningDaemon) -> None:
    """And history and rows are what git says, every commit once."""
    settle(host, daemon)
    verified = host.run("verify", "--format", "json")
    assert verified.code == 0, verified
    assert json.loads(verified.out)["commits"] in {host.repo.rev_count(), None}  # None without a history


def _well(said: dict[str, Any]) -> bool:
    return said["sync"] == "Synced" and not said["troubles"]
