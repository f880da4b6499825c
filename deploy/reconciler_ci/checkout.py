"""The checkout a job works on: where the configuration is in it, and the commits that are to be compared.

Such a checkout is mostly shallow: the commit to compare with has to be fetched first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reconciler_ci.errors import CannotRun
from reconciler_ci.processes import Done, run

REMOTE = "origin"
SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
APPROVAL = re.compile(r"^\s*reconciler-approve\s*:", re.IGNORECASE | re.MULTILINE)
"""A trailer that a guard looks for; which ones count is reconciler's to say."""
PARENTS_OF_A_MERGE = 2
QUIET = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "LANGUAGE": "C"}


@dataclass(frozen=True, slots=True)
class Checkout:
    """A work tree: its top folder, and the folder in it where the configuration begins ("" for the top)."""

    root: Path
    path: str

    def commit(self, revision: str) -> str | None:
        """The sha of a commit, or None when this checkout does not have it."""
        done = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return done.out.strip() if done.code == 0 else None

    def obtain(self, revision: str) -> str:
        """The sha of a commit, which is fetched when it is not here. Raises `CannotRun` when it cannot be had."""
        if revision.startswith("-"):
            raise CannotRun(f"{revision} is no revision", "name a commit, a branch or a tag")
        return self.commit(revision) or self._fetched(revision)

    def parents(self, sha: str) -> list[str]:
        """The parents that a commit names, whether they are here or not."""
        head, _, _ = self._git("cat-file", "commit", sha).out.partition("\n\n")
        return [line.removeprefix("parent ") for line in head.split("\n") if line.startswith("parent ")]

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that both have in their history, as far as that is here."""
        done = self._git("merge-base", one, other)
        return done.out.strip() if done.code == 0 else None

    def proposed(self, source: str, base: str) -> str:
        """HEAD; or where it is the platform's trial merge of `source` and that one approves of something, a commit
        with HEAD's files and `source`'s message: a trial merge has a message of nobody, so no trailer would ever count.
        """
        head = self.obtain("HEAD")
        parents = self.parents(head)
        if len(parents) != PARENTS_OF_A_MERGE or parents[1] != source:
            return head
        message = self._git("log", "-1", "--no-show-signature", "--format=%B", self.obtain(source)).out
        return self._retold(head, base, message) if APPROVAL.search(message) else head

    def _retold(self, commit: str, parent: str, message: str) -> str:
        told = self._git("log", "-1", "--no-show-signature", "--format=%an%n%ae%n%aI%n%cn%n%ce%n%cI", commit).out
        names = [f"GIT_{role}_{part}" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL", "DATE")]
        people = dict(zip(names, told.split("\n"), strict=False))
        done = self._git(
            "commit-tree", "--no-gpg-sign", "-p", parent, "-F", "-", f"{commit}^{{tree}}", given=message, people=people
        )
        if done.code != 0:
            raise CannotRun(f"git cannot write into this checkout: {_last_line(done)}")
        return done.out.strip()

    def _fetched(self, revision: str) -> str:
        shallow = self._git("rev-parse", "--is-shallow-repository").out.strip() == "true"
        depth = ["--depth=1"] if shallow else []
        wanted = revision.removeprefix(f"{REMOTE}/")
        done = self._git("fetch", "--quiet", "--no-tags", *depth, REMOTE, wanted)
        found = self.commit("FETCH_HEAD") if done.code == 0 else None
        if found is None:
            why = f": {_last_line(done)}" if _last_line(done) else ""
            raise CannotRun(
                f"the commit to compare with, {revision}, is not in this checkout and cannot be fetched{why}",
                "check out all history (`fetch-depth: 0` on GitHub, `GIT_DEPTH: '0'` on GitLab), or name another base",
            )
        return found

    def _git(self, *arguments: str, given: str | None = None, people: dict[str, str] | None = None) -> Done:
        return run(["git", *arguments], self.root, environment={**QUIET, **(people or {})}, given=given)


def open_checkout(folder: Path) -> Checkout:
    """The checkout around the folder where the configuration begins. Raises `CannotRun` when there is none."""
    if not folder.is_dir():
        raise CannotRun(f"there is no folder {folder}", "check out the repository first; `path` is a folder in it")
    done = run(["git", "rev-parse", "--show-toplevel", "--show-prefix"], folder, environment=QUIET)
    if done.code != 0:
        raise CannotRun(f"{folder} is in no git repository: {_last_line(done)}", "check out the repository first")
    top, prefix = done.out.split("\n")[:2]
    return Checkout(Path(top), prefix.strip("/"))


def is_commit(sha: str) -> bool:
    """Whether this names a commit at all: platforms write zeros, or nothing, where there is none."""
    return bool(SHA.fullmatch(sha)) and set(sha) != {"0"}


def _last_line(done: Done) -> str:
    return next(iter(reversed(done.err.strip().split("\n"))), "")
