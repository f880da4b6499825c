"""Real git repositories for tests, built quickly: commits go through `git fast-import`, odd things through commands.

    repo = GitRepo.create(tmp_path / "config")
    first = repo.commit({"users/alice.yaml": "…"})
    side = repo.commit({"users/bob.yaml": "…"}, branch="side", parents=[first])
    merged = repo.merge("side")
    with repo.bulk():                       # one process for thousands of commits
        for number in range(5_000):
            repo.commit({f"{number % 50}.yaml": str(number)})
    repo.checkout()                         # only now does the work tree hold the files

Commits do not touch the work tree or the index: call `checkout()` when a test wants files on disk.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(frozen=True)
class Entry:
    """A tree entry that is no ordinary file: its content, or with `stored` the sha of its object."""

    mode: str
    data: bytes
    stored: bool = False


def symlink(target: str) -> Entry:
    """A symbolic link."""
    return Entry("120000", target.encode())


def executable(content: str) -> Entry:
    """A file with the executable bit."""
    return Entry("100755", content.encode())


def submodule(sha: str) -> Entry:
    """A submodule at a commit, which need not exist here."""
    return Entry("160000", sha.encode(), stored=True)


Content: TypeAlias = str | bytes | Entry | None
"""What a path shall hold; None deletes it."""

FIRST_COMMIT = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = 60
PLAIN_PATH = re.compile(rb"[\w./-]+")
QUICK = ("-c", "fastimport.unpackLimit=0", "-c", "core.fsync=none")
"""One pack per import instead of a file and a folder per object, and no waiting for the disk: half of the time."""
AUTHOR = ("Ann Trader", "ann@example.com")


def environment() -> dict[str, str]:
    """An environment without the machine's git configuration, and with a fixed identity."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}
    nowhere = {"HOME": os.devnull, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    name, email = AUTHOR
    identity = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", name), ("EMAIL", email), ("DATE", f"{int(FIRST_COMMIT.timestamp())} +0000"))
    }
    return {**kept, **nowhere, **identity, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}


class GitRepo:
    """A repository on disk. Commits get times of its own clock: one minute apart from 2024-01-01 UTC."""

    def __init__(self, path: Path, *, branch: str = "main") -> None:
        self.path = path
        self.branch = branch
        self._clock = int(FIRST_COMMIT.timestamp())
        self._bulk: _Import | None = None

    @classmethod
    def create(cls, path: Path, *, bare: bool = False, branch: str = "main", object_format: str = "sha1") -> GitRepo:
        """Initialise a repository in a folder, which is made when missing."""
        path.mkdir(parents=True, exist_ok=True)
        for name, content in _initialised(branch, object_format, bare):
            if content is None:
                (path / name).mkdir(exist_ok=True)
            else:
                (path / name).write_bytes(content)
        return cls(path, branch=branch)

    def git(self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run git in the repository and return what it printed, less the last newline; a failure raises."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            input=stdin,
            capture_output=True,
            env={**environment(), **(env or {})},
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise AssertionError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode(errors="surrogateescape").removesuffix("\n")

    def commit(
        self,
        files: Mapping[str, Content] | Mapping[str, str] | None = None,
        message: str | bytes = "Change configuration",
        *,
        when: datetime | int | None = None,
        authored: datetime | int | None = None,
        author: tuple[str, str] = AUTHOR,
        committer: tuple[str, str] | None = None,
        parents: Sequence[str] | None = None,
        branch: str | None = None,
        encoding: str | None = None,
    ) -> str:
        """Commit on a branch (default: the repository's first) and return the sha.

        The tree is the first parent's with `files` over it. Parents default to the branch's tip; `[]` makes a
        root. A datetime's own zone is kept; seconds since 1970 mean UTC.
        """
        target = branch or self.branch
        origins = self._tip(target) if parents is None else list(parents)
        moment = self._tick() if when is None else when
        lines = [_person("author", author, moment if authored is None else authored)]
        lines.append(_person("committer", committer or author, moment))
        lines.append(f"encoding {encoding}\n".encode() if encoding else b"")
        lines.append(_data(message.encode() if isinstance(message, str) else message))
        head = b"".join(lines)
        changes = b"".join(_change(path, content) for path, content in (files or {}).items())
        if self._bulk is not None:
            return self._bulk.commit(target, head, origins, changes)
        with self.bulk() as stream:
            return stream.commit(target, head, origins, changes)

    def merge(self, *branches: str, into: str | None = None, files: Mapping[str, Content] | None = None) -> str:
        """Merge branches (or shas) into one, and return the sha; where both sides changed a path, theirs wins.

        Several make an octopus merge; `files` are changes of the merge itself. Not inside `bulk()`.
        """
        target = into or self.branch
        tip = self.git("rev-parse", target)
        changed: dict[str, Content] = {}
        for other in branches:
            base = self.git("merge-base", tip, other)
            fields = self.git("diff-tree", "-r", "-z", "--raw", "--no-renames", base, other).split("\0")
            for header, path in zip(fields[::2], fields[1::2], strict=False):
                _, mode, _, blob, status = header.split()
                changed[path] = None if status == "D" else Entry(mode, blob.encode(), stored=True)
        heads = [tip, *(self.git("rev-parse", f"{other}^0") for other in branches)]
        message = f"Merge {', '.join(branches)} into {target}"
        return self.commit({**changed, **(files or {})}, message, parents=heads, branch=target)

    @contextlib.contextmanager
    def bulk(self) -> Iterator[_Import]:
        """Send all commits made inside through one process; they become visible to others at the end."""
        process = subprocess.Popen(
            ["git", *QUICK, "fast-import", "--quiet", "--force", "--done", "--date-format=raw-permissive"],
            cwd=self.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            self._bulk = _Import(process.stdin, process.stdout)
            try:
                yield self._bulk
                process.stdin.write(b"done\n")
            finally:
                self._bulk = None
        assert process.returncode == 0, "git fast-import failed"

    def loosen(self) -> None:
        """Give every object a file of its own, which a test can then damage."""
        packs = self._store / "objects" / "pack"
        contents = [pack.read_bytes() for pack in packs.glob("*.pack")]
        for file in packs.iterdir():
            file.unlink()
        for content in contents:
            self.git("unpack-objects", "-q", stdin=content)

    def raw_commit(self, content: bytes, *, branch: str | None = None) -> str:
        """Write a commit object byte by byte, for what no porcelain would write, and point a branch at it."""
        sha = self.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=content)
        self.git("update-ref", f"refs/heads/{branch or self.branch}", sha)
        return sha

    def checkout(self, revision: str | None = None) -> None:
        """Make the work tree and the index those of a branch (default: the repository's first) or a revision."""
        self.git("checkout", "-q", "--force", revision or self.branch, "--")

    def rev_count(self, revision: str = "HEAD") -> int:
        """The number of commits that a revision reaches."""
        return int(self.git("rev-list", "--count", revision))

    @property
    def _store(self) -> Path:
        return self.path / ".git" if (self.path / ".git").is_dir() else self.path

    def _tick(self) -> int:
        self._clock += MINUTE
        return self._clock - MINUTE

    def _tip(self, branch: str) -> list[str]:
        if self._bulk is not None and branch in self._bulk.tips:
            return [self._bulk.tips[branch]]
        if (loose := self._store / "refs" / "heads" / branch).is_file():
            return [loose.read_text(encoding="utf-8").strip()]
        if not any((self._store / elsewhere).exists() for elsewhere in ("packed-refs", "reftable")):
            return []
        sha = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return [sha] if sha else []


@cache
def _initialised(branch: str, object_format: str, bare: bool) -> tuple[tuple[str, bytes | None], ...]:
    """What `git init` makes, folders before what is in them: it is asked once per process."""
    with tempfile.TemporaryDirectory() as folder:
        shape = ["--bare"] if bare else []
        GitRepo(Path(folder)).git(
            "init", "-q", "--template=", f"--initial-branch={branch}", f"--object-format={object_format}", *shape
        )
        found = sorted(Path(folder).rglob("*"))
        return tuple((str(one.relative_to(folder)), None if one.is_dir() else one.read_bytes()) for one in found)


class _Import:
    """A running `git fast-import`."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._stdin, self._stdout = stdin, stdout
        self._marks: dict[str, int] = {}
        self.tips: dict[str, str] = {}

    def commit(self, branch: str, head: bytes, parents: Sequence[str], changes: bytes) -> str:
        """Send a commit and wait for its sha."""
        mark = len(self._marks) + 1
        names = [f":{self._marks[sha]}" if sha in self._marks else sha for sha in parents]
        links = "".join(f"{'merge' if number else 'from'} {name}\n" for number, name in enumerate(names))
        # Without a parent, fast-import would go on from the branch's tip, if it has seen that branch
        start = f"commit refs/heads/{branch}\nmark :{mark}\n"
        reset = "" if parents else f"reset refs/heads/{branch}\n\n"
        self._stdin.write((reset + start).encode() + head + links.encode() + changes + b"\nget-mark :%d\n" % mark)
        self._stdin.flush()
        sha = self._stdout.readline().decode().strip()
        assert sha, "git fast-import failed"
        self._marks.setdefault(sha, mark)
        self.tips[branch] = sha
        return sha


def _person(role: str, person: tuple[str, str], when: datetime | int) -> bytes:
    name, email = person
    seconds = when if isinstance(when, int) else int(when.timestamp())
    zone = "+0000" if isinstance(when, int) else when.strftime("%z") or "+0000"
    return f"{role} {name}{' ' if name else ''}<{email}> {seconds} {zone}\n".encode(errors="surrogateescape")


def _change(path: str, content: Content) -> bytes:
    name = _quoted(path)
    if content is None:
        return b"D " + name + b"\n"
    entry = content if isinstance(content, Entry) else Entry("100644", _bytes(content))
    if entry.stored:
        return b"M %s %s %s\n" % (entry.mode.encode(), entry.data, name)
    return b"M %s inline %s\n" % (entry.mode.encode(), name) + _data(entry.data)


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _data(content: bytes) -> bytes:
    return b"data %d\n" % len(content) + content + b"\n"


def _quoted(path: str) -> bytes:
    """A path as fast-import reads it: as it is, or in quotes with every byte as octal."""
    raw = path.encode(errors="surrogateescape")
    if PLAIN_PATH.fullmatch(raw):
        return raw
    return b'"' + b"".join(b"\\%03o" % byte for byte in raw) + b'"'
