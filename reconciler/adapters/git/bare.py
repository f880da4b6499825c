"""A bare repository of our own on this disk: made, looked at, mended and tidied by git, without any network.

Its folder is ours alone: leftovers of a killed git are taken away, and a damaged one is moved aside. File names:
gitrepository-layout(5). The end of a pack and of its index: gitformat-pack(5).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.files import write_atomically
from reconciler.adapters.git.process import OVERRIDES, environment, find_complaint
from reconciler.adapters.git.revisions import FULL_SHA, GONE, gone_branches
from reconciler.adapters.git.run import Outcome, Supervision, run_git
from reconciler.errors import RetryLater
from reconciler.model.commit import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from reconciler.adapters.git.transport import Transport

LOCAL_SECONDS = 60.0
"""Seconds for what touches this disk only."""
LONG_SECONDS = 1800.0
"""Seconds for what reads all of it."""

KEPT = "refs/reconciler/kept/"
FETCHED = "refs/reconciler/fetched/"
"""Where a fetch puts the branches, as the remote has them now."""
MAX_KEPT = 20
MAX_PACKS = 20
MAX_LOOSE = 8
"""More packs than this, or more loose objects in one of the 256 folders, are worth a collection."""

DAMAGE = re.compile(r"(?:error|fatal): |missing |broken link|bad ")
"""What fsck says of damage. Of objects that are whole and odd, as old histories have them, it says `error in`."""


class DamagedError(RetryLater):
    """The repository cannot be read as it is."""


class MirrorConfig(Struct, frozen=True):
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

    def git(
        self,
        *arguments: str,
        seconds: float = LOCAL_SECONDS,
        transport: Transport | None = None,
        given: bytes = b"",
    ) -> Outcome:
        """Run git on it, offline unless there is a transport. Raises `RetryLater` when it is stopped or overdue."""
        outcome = run_git(
            (f"--git-dir={self.git_dir}", *arguments),
            cwd=self.git_dir,
            variables=transport.variables if transport else environment(),
            config=transport.config if transport else OVERRIDES,
            seconds=seconds,
            supervision=self._supervision,
            given=given,
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

    def read_config(self) -> MirrorConfig:
        """What it says it is. Raises `DamagedError` when it says nothing."""
        pattern = r"^(remote\.origin\.url|extensions\.objectformat)$"
        outcome = self.git("config", "--file", str(self.git_dir / "config"), "--get-regexp", pattern)
        values = dict(line.split(" ", 1) for line in outcome.output.splitlines() if " " in line)
        if "remote.origin.url" not in values:
            raise DamagedError(
                f"config is damaged: {find_complaint(outcome.errors) if outcome.errors else 'no address'}"
            )
        return MirrorConfig(values["remote.origin.url"], values.get("extensions.objectformat", "sha1"))

    def clean(self) -> None:
        """Take away what a killed git left behind."""
        remove_leftovers(self.git_dir)

    def heads(self) -> dict[str, str]:
        """The commit of each branch that the remote had when it was last fetched.

        Raises `DamagedError` for references that are broken or lead nowhere.
        """
        names = "--format=%(refname) %(objectname) %(objecttype)"  # the type makes git look whether it is there
        outcome = self.git("for-each-ref", names, "refs/heads")
        if outcome.code != 0 or "broken ref" in outcome.errors:
            raise DamagedError(f"the references are damaged: {find_complaint(outcome.errors)}")
        fields = (line.split(" ") for line in outcome.output.splitlines())
        gone = gone_branches(self.git_dir)
        shas = {name.removeprefix(BRANCHES): sha for name, sha, _ in fields}
        return {name: sha for name, sha in shas.items() if name not in gone}

    def take_fetched(self) -> None:
        """Move the branches to where the last fetch found them.

        Those that it did not find stay where they were, and are noted as gone: a server's word alone deletes none. Only
        one whose name is a folder now has to go, and its commit is kept.
        """
        spaces = (BRANCHES, FETCHED, "refs/tags/")
        listed = self._must("for-each-ref", "--format=%(objectname) %(refname)", *spaces).output
        refs = {ref: sha for sha, ref in (line.split(" ", 1) for line in listed.splitlines())}
        here, found = ({ref[len(space) :]: refs[ref] for ref in refs if ref.startswith(space)} for space in spaces[:2])
        missing = here.keys() - found.keys()
        displaced = {name for name in missing if any(_exclude_each_other(name, other) for other in found)}
        for name in displaced:
            self.keep(here[name])
        # Tags have a place of their own now, where no branch is looked for
        removed = [*(BRANCHES + name for name in displaced), *(ref for ref in refs if ref.startswith(spaces[2]))]
        self._update_refs(f"delete {ref}" for ref in removed)
        self._update_refs(f"update {BRANCHES}{name} {sha}" for name, sha in found.items() if here.get(name) != sha)
        self._note_gone(missing - displaced)

    def _update_refs(self, commands: Iterable[str]) -> None:
        """Change all of them or none."""
        given = "".join(f"{command}\n" for command in commands)
        if given:
            self._must("update-ref", "--stdin", given=given.encode(errors="surrogateescape"))

    def _note_gone(self, names: Collection[str]) -> None:
        if names != gone_branches(self.git_dir):
            content = "".join(f"{name}\n" for name in sorted(names))
            write_atomically(self.git_dir / GONE, content.encode(errors="surrogateescape"))

    def check_quickly(self, object_format: str) -> None:
        """See what can be seen in no time. Raises `DamagedError`."""
        damage = find_damage(self.git_dir, object_format)
        if damage:
            raise DamagedError(damage)

    def check_fully(self) -> None:
        """Read every object and follow every reference. Raises `DamagedError` when anything is missing or broken."""
        outcome = self.git("fsck", "--full", "--no-dangling", "--no-progress", seconds=LONG_SECONDS)
        damage = [line for line in f"{outcome.errors}\n{outcome.output}".splitlines() if DAMAGE.match(line)]
        if outcome.code != 0 and damage:
            raise DamagedError(find_complaint("\n".join(damage)))

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
        last = int(names[-1].removeprefix(KEPT).partition("-")[0]) if names else 0
        self._must("update-ref", f"{KEPT}{max(time.time_ns(), last + 1):020d}-{commit}", commit)
        for name in names[: max(len(names) + 1 - MAX_KEPT, 0)]:
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
        return len(list((objects / "pack").glob("*.pack"))) > MAX_PACKS or len(list(objects.glob("17/*"))) > MAX_LOOSE

    def collect(self) -> None:
        """Pack objects and references, and drop what nothing has reached for two weeks. Readers go on meanwhile."""
        self._must("gc", "--quiet", "--prune=2.weeks.ago", seconds=LONG_SECONDS)

    def _must(self, *arguments: str, seconds: float = LOCAL_SECONDS, given: bytes = b"") -> Outcome:
        outcome = self.git(*arguments, seconds=seconds, given=given)
        if outcome.code != 0:
            raise RetryLater(
                f"git {arguments[0]} failed in {self.git_dir}: {find_complaint(outcome.errors)}",
                hint="see that the disk has room and the folder may be written to",
            )
        return outcome


def _exclude_each_other(name: str, other: str) -> bool:
    """Whether the one would be a folder where the other is a file."""
    return name.startswith(f"{other}/") or other.startswith(f"{name}/")


TEMPORARY = ("tmp_", ".tmp-", "incoming-", "tmp_objdir-")
KEPT_BY_FETCH = b"fetch-pack "
DIGESTS = {"sha1": 20, "sha256": 32}


@contextlib.contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn what the disk refuses into `RetryLater`: full, read-only, no permission, in use."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise RetryLater(
            f"cannot write {error.filename or place}: {why}",
            hint="see that the disk has room and that you may write there",
        ) from error


def remove_leftovers(git_dir: Path) -> tuple[Path, ...]:
    """Take away what a killed git left behind: locks, unfinished packs and objects. Nothing may be at work there."""
    leftovers = tuple(_leftovers(git_dir))
    for leftover in leftovers:
        delete_path(leftover)
    return leftovers


def find_damage(git_dir: Path, object_format: str = "sha1") -> str:
    """What is broken, as far as a glance tells: no head, a pack that is missing or cut short; empty when nothing is."""
    for name in ("HEAD", "config", "objects", "refs"):
        if not (git_dir / name).exists():
            return f"{name} is missing"
    packs = git_dir / "objects" / "pack"
    for index in packs.glob("*.idx") if packs.is_dir() else ():
        pack = index.with_suffix(".pack")
        if not pack.exists() or not _belong_together(pack, index, DIGESTS[object_format]):
            return f"{pack.name} is missing or cut short"
    return ""


def set_aside(place: Path) -> None:
    """Rename what is damaged to `NAME.corrupt-N`, if there is anything; only the newest is kept."""
    if not os.path.lexists(place):
        return
    older = [*place.parent.glob(f"{place.name}.corrupt-*")]
    numbers = [old_path.name.rpartition("-")[2] for old_path in older]
    last = max((int(number) for number in numbers if number.isdecimal()), default=0)
    place.rename(place.with_name(f"{place.name}.corrupt-{last + 1}"))
    for old_path in older:
        delete_path(old_path)


def delete_folder(place: Path) -> None:
    """Delete what is whole and of no use any more; its name is free at once."""
    old = place.with_name(f"{place.name}.old")
    delete_path(old)
    if os.path.lexists(place):
        place.rename(old)
        delete_path(old)


def delete_path(place: Path) -> None:
    """Delete a file or a folder with all that is in it, read-only objects too; nothing happens when there is none."""
    if place.is_dir() and not place.is_symlink():
        if sys.platform == "win32":
            for inside in place.rglob("*"):
                inside.chmod(0o700)
        shutil.rmtree(place)
        return
    place.unlink(missing_ok=True)


def _leftovers(git_dir: Path) -> Iterator[Path]:
    for name in (
        "HEAD.lock",
        "config.lock",
        "packed-refs.lock",
        "packed-refs.new",
        "shallow.lock",
        "gc.pid",
        "FETCH_HEAD",
    ):
        if (git_dir / name).exists():
            yield git_dir / name
    for folder in ("refs", "objects/info", "logs", "worktrees", "reftable"):
        yield from (git_dir / folder).rglob("*.lock")
    yield from git_dir.glob("gc.pid.lock")
    objects = git_dir / "objects"
    for store in (objects, objects / "pack", *objects.glob("[0-9a-f][0-9a-f]")):
        for place in store.iterdir() if store.is_dir() else ():
            if place.name.startswith(TEMPORARY) or place.suffix == ".lock" or _is_kept_by_fetch(place):
                yield place


def _is_kept_by_fetch(place: Path) -> bool:
    """A mark that keeps a pack until its refs are written; left behind, it would keep it out of every repack."""
    return place.suffix == ".keep" and place.read_bytes().startswith(KEPT_BY_FETCH)


def _belong_together(pack: Path, index: Path, size: int) -> bool:
    """An index ends with the digest that its pack ends with, and its own."""
    return _end(pack, size) == _end(index, 2 * size)[:size] != b""


def _end(file: Path, size: int) -> bytes:
    with file.open("rb") as content:
        length = content.seek(0, os.SEEK_END)
        content.seek(max(length - size, 0))
        return content.read(size)
