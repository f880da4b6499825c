"""A bare repository of our own on this disk: made, looked at, mended and tidied by git, without any network."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.adapters.git.barefolder import clean, damage
from reconciler.adapters.git.errand import Outcome, Supervision, run
from reconciler.adapters.git.failures import complaint
from reconciler.adapters.git.isolation import OVERRIDES, environment
from reconciler.adapters.git.revisions import BRANCHES, FULL_SHA
from reconciler.errors import RetryLater

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.adapters.git.transport import Transport

LOCAL = 60.0
"""Seconds for what touches this disk only."""
LONG = 1800.0
"""Seconds for what reads all of it."""

KEPT = "refs/reconciler/kept/"
KEPT_AT_MOST = 20
PACKS = 20
LOOSE = 8
"""More packs than this, or more loose objects in one of the 256 folders, are worth a collection."""

DAMAGE = re.compile(r"(?:error|fatal): |missing |broken link|bad ")
"""What fsck says of damage. Of objects that are whole and odd, as old histories have them, it says `error in`."""


class DamagedError(RetryLater):
    """The repository cannot be read as it is."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What its configuration says: the address that it mirrors, and the hash of its objects."""

    url: str
    object_format: str


class Bare:
    """A bare repository that no other program writes to. What goes on in it is watched as `supervision` says."""

    def __init__(self, git_dir: Path, supervision: Supervision) -> None:
        self.git_dir = git_dir
        self._supervision = supervision

    def beside(self, git_dir: Path) -> Bare:
        """Another one, watched in the same way."""
        return Bare(git_dir, self._supervision)

    def git(self, *arguments: str, seconds: float = LOCAL, transport: Transport | None = None) -> Outcome:
        """Run git on it, offline unless there is a transport. Raises `RetryLater` when it is stopped or overdue."""
        outcome = run(
            (f"--git-dir={self.git_dir}", *arguments),
            cwd=self.git_dir,
            variables=transport.variables if transport else environment(),
            config=transport.config if transport else OVERRIDES,
            seconds=seconds,
            supervision=self._supervision,
        )
        if outcome.stopped:
            raise RetryLater(f"git {arguments[0]} was stopped", hint="that is part of ending; the next start goes on")
        if outcome.overdue and transport is None:
            raise RetryLater(
                f"git {arguments[0]} took more than {seconds:.0f} s in {self.git_dir}",
                hint="see whether the disk hangs",
            )
        return outcome

    def create(self, url: str, object_format: str) -> None:
        """Make it, in a folder that exists and is empty."""
        self._must(
            "init",
            "--bare",
            "--quiet",
            "--template=",
            "--initial-branch=main",
            f"--object-format={object_format}",
            str(self.git_dir),
        )
        for name, value in (("remote.origin.url", url), ("gc.auto", "0"), ("core.logAllRefUpdates", "false")):
            self._must("config", name, value)

    def marks(self) -> Marks:
        """What it says it is. Raises `DamagedError` when it says nothing."""
        asked = r"^(remote\.origin\.url|extensions\.objectformat)$"
        outcome = self.git("config", "--file", str(self.git_dir / "config"), "--get-regexp", asked)
        found = dict(line.split(" ", 1) for line in outcome.output.splitlines() if " " in line)
        if "remote.origin.url" not in found:
            raise DamagedError(f"config is damaged: {complaint(outcome.errors) if outcome.errors else 'no address'}")
        return Marks(found["remote.origin.url"], found.get("extensions.objectformat", "sha1"))

    def clean(self) -> None:
        """Take away what a killed git left behind."""
        clean(self.git_dir)

    def heads(self) -> dict[str, str]:
        """The commit of each branch. Raises `DamagedError` for references that are broken or lead nowhere."""
        names = "--format=%(refname) %(objectname) %(objecttype)"  # the type makes git look whether it is there
        outcome = self.git("for-each-ref", names, "refs/heads")
        if outcome.code != 0 or "broken ref" in outcome.errors:
            raise DamagedError(f"the references are damaged: {complaint(outcome.errors)}")
        fields = (line.split(" ") for line in outcome.output.splitlines())
        return {name.removeprefix(BRANCHES): sha for name, sha, _ in fields}

    def glance(self, object_format: str) -> None:
        """See what can be seen in no time. Raises `DamagedError`."""
        found = damage(self.git_dir, object_format)
        if found:
            raise DamagedError(found)

    def examine(self) -> None:
        """Read every object and follow every reference. Raises `DamagedError` when anything is missing or broken."""
        outcome = self.git("fsck", "--full", "--no-dangling", "--no-progress", seconds=LONG)
        found = [line for line in f"{outcome.errors}\n{outcome.output}".splitlines() if DAMAGE.match(line)]
        if outcome.code != 0 and found:
            raise DamagedError(complaint("\n".join(found)))

    def has(self, commit: str) -> bool:
        """Whether a commit, by its full sha, is there."""
        return bool(FULL_SHA.fullmatch(commit)) and self.git("cat-file", "-e", f"{commit}^{{commit}}").code == 0

    def descends(self, commit: str, ancestor: str) -> bool:
        """Whether a commit goes on from another."""
        return self.git("merge-base", "--is-ancestor", ancestor, commit).code == 0

    def kept(self) -> list[str]:
        """The references that keep commits although no branch may reach them, oldest first; each ends with its sha."""
        return self._must("for-each-ref", "--format=%(refname)", KEPT).output.splitlines()

    def keep(self, commit: str) -> None:
        """Keep a commit from being collected; beyond the newest few, the oldest is let go."""
        names = self.kept()
        if any(name.endswith(commit) for name in names):
            return
        self._must("update-ref", f"{KEPT}{time.time_ns():020d}-{commit}", commit)
        for name in names[: max(len(names) + 1 - KEPT_AT_MOST, 0)]:
            self._must("update-ref", "-d", name)

    def head(self) -> str:
        """The branch that HEAD stands for."""
        return self._must("symbolic-ref", "HEAD").output.strip().removeprefix(BRANCHES)

    def point_head(self, branch: str) -> None:
        """Let HEAD stand for a branch."""
        self._must("symbolic-ref", "HEAD", BRANCHES + branch)

    def is_untidy(self) -> bool:
        """Whether enough has gathered for `collect` to be worth it; the sample is git's own."""
        objects = self.git_dir / "objects"
        return len(list((objects / "pack").glob("*.pack"))) > PACKS or len(list(objects.glob("17/*"))) > LOOSE

    def collect(self) -> None:
        """Pack objects and references, and drop what nothing has reached for two weeks. Readers go on meanwhile."""
        self._must("gc", "--quiet", "--prune=2.weeks.ago", seconds=LONG)

    def _must(self, *arguments: str, seconds: float = LOCAL) -> Outcome:
        outcome = self.git(*arguments, seconds=seconds)
        if outcome.code != 0:
            raise RetryLater(
                f"git {arguments[0]} failed in {self.git_dir}: {complaint(outcome.errors)}",
                hint="see that the disk has room and the folder may be written to",
            )
        return outcome
