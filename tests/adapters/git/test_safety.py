"""A hostile repository and a hostile environment: nothing they name is run, nothing they say changes an answer."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import pytest

from reconciler.adapters.git.repository import open_repository
from reconciler.errors import NeedsHuman
from tests.support.gitrepo import GitRepo

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the planted programs are shell scripts")


class Plant:
    """A repository whose configuration runs a program that leaves a mark."""

    def __init__(self, folder: Path) -> None:
        self.repo = GitRepo.create(folder / "config")
        self.mark = folder / "ran"
        script = folder / "evil.sh"
        script.write_text(f"#!/bin/sh\necho \"$0 $@\" >> '{self.mark}'\n")
        script.chmod(0o755)
        self.first = self.repo.commit({".gitattributes": "*.yaml diff=evil filter=evil merge=evil\n", "a.yaml": "1\n"})
        self.lost = self.repo.git("hash-object", "--stdin", stdin=b"never stored")
        self.head = self._signed(self.repo.commit({"a.yaml": "2\n", "lost.yaml": "1"}))
        self.repo.checkout()
        self._configure(str(script))
        self._hooks(script)

    def ran(self) -> str:
        """What ran since the last call."""
        text = self.mark.read_text() if self.mark.exists() else ""
        self.mark.unlink(missing_ok=True)
        return text

    def plain(self, *arguments: str) -> str:
        """Plain git, which may fail; gives what ran."""
        with contextlib.suppress(AssertionError):
            self.repo.git(*arguments)
        return self.ran()

    def _signed(self, sha: str) -> str:
        head, _, body = self.repo.git("cat-file", "commit", sha).encode().partition(b"\n\n")
        signature = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
        return self.repo.raw_commit(b"%s\n%s\n\n%s" % (head, signature, body))

    def _configure(self, script: str) -> None:
        for name in (
            "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.gitProxy",
            "core.alternateRefsCommand", "credential.helper", "diff.external", "diff.evil.textconv",
            "diff.evil.command", "filter.evil.smudge", "filter.evil.clean", "merge.evil.driver", "gpg.program",
            "gpg.ssh.program", "gpg.x509.program", "pager.log", "pager.rev-list", "pager.cat-file", "pager.diff-tree",
        ):  # fmt: skip
            self.repo.git("config", name, script)
        for name in ("log", "rev-list", "cat-file", "diff-tree", "rev-parse", "symbolic-ref", "for-each-ref", "config"):
            self.repo.git("config", f"alias.{name}", f"!{script}")
        for name, value in (
            ("log.showSignature", "true"), ("log.follow", "true"), ("log.mailmap", "true"), ("diff.renames", "copies"),
            ("diff.noprefix", "true"), ("diff.relative", "true"), ("diff.ignoreSubmodules", "all"),
            ("diff.orderFile", "/nowhere"), ("color.ui", "always"), ("core.quotePath", "true"), ("core.abbrev", "5"),
            ("i18n.logOutputEncoding", "utf-16"), ("format.pretty", "%H"), ("submodule.recurse", "true"),
            ("protocol.ext.allow", "always"), ("remote.origin.promisor", "true"), ("extensions.partialClone", "origin"),
            ("core.repositoryFormatVersion", "1"), ("remote.origin.url", f"ext::{script} %S"),
        ):  # fmt: skip
            self.repo.git("config", name, value)
        self.ran()

    def _hooks(self, script: Path) -> None:
        hooks = self.repo.path / ".git/hooks"
        hooks.mkdir(exist_ok=True)
        for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-auto-gc", "post-rewrite"):
            (hooks / name).symlink_to(script)


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """A hostile repository."""
    return Plant(tmp_path)


def test_the_plants_work(plant: Plant) -> None:
    assert "evil.sh" in plant.plain("status")
    assert "evil.sh" in plant.plain("log", "-1")
    assert "evil.sh" in plant.plain("-c", "diff.orderFile=/dev/null", "diff", "--ext-diff", plant.first, plant.head)
    assert "evil.sh" in plant.plain("cat-file", "--textconv", f"{plant.head}:a.yaml")
    assert "reference-transaction" in plant.plain("branch", "other")
    assert "evil.sh" in plant.plain("cat-file", "blob", plant.lost)


def test_nothing_planted_runs(plant: Plant) -> None:
    for place in (plant.repo.path, plant.repo.path / ".git"):
        with open_repository(place) as source:
            head = source.resolve("main")
            assert head == plant.head
            assert source.head_branch() == "main"
            assert source.repository.startswith("ext::")
            assert not source.is_shallow()
            deltas = list(source.history(head))
            assert [delta.commit.signed for delta in deltas] == [False, True]
            assert list(source.parents(head)) == [plant.first, head]
            assert source.height(head) == 2
            assert [change.path for change in source.changes(plant.first, head)] == ["a.yaml", "lost.yaml"]
            assert len(source.changes(None, head)) == 3
            (found,) = source.files(head, ["a.yaml"])
            assert [change.path for change in source.listing(head, "")] == [".gitattributes", "a.yaml", "lost.yaml"]
            assert list(source.blobs([found.blob or ""])) == [(found.blob, b"2\n")]
            with pytest.raises(NeedsHuman, match=plant.lost):
                list(source.blobs([plant.lost]))
        assert plant.ran() == ""


def test_the_callers_environment_does_not_reach_git(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = repo.commit({"a.yaml": "1"})
    other = GitRepo.create(tmp_path / "other")
    other.commit({"b.yaml": "1"})
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other.path / ".git/objects"))
    monkeypatch.setenv("GIT_NAMESPACE", "elsewhere")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare'='true'")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repo.path.parent))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    with open_repository(repo.path) as source:
        assert source.resolve("HEAD") == head
        assert source.work_tree == repo.path
        assert [change.path for change in source.changes(None, head)] == ["a.yaml"]
    assert not (tmp_path / "trace").exists()
