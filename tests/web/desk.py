"""A real daemon on the example repository with a history, and plain HTTP to ask it."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.adapters.bundled import find_example_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.daemons import RunningDaemon
    from tests.support.gitrepo import GitRepo

SETTINGS = {"HISTORY_URL": "chdb"}


@dataclass(frozen=True)
class Desk:
    """The repository, and the daemon that follows it."""

    repo: GitRepo
    daemon: RunningDaemon

    def ask(self, path: str, status: int = 200, **headers: str) -> tuple[dict[str, Any], Mapping[str, str]]:
        """A GET's answer and its headers."""
        connection = http.client.HTTPConnection(self.daemon.client().address, timeout=60)
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        assert response.status == status, text
        return json.loads(text), {name.lower(): value for name, value in response.getheaders()}

    def pages(self, path: str, member: str) -> Iterator[list[Any]]:
        """Every page of a list, each found by the link of the one before."""
        following: str | None = path
        while following is not None:
            answer, headers = self.ask(following)
            link = headers.get("link")
            assert (link is None) == (answer["next"] is None)
            following = link and link.removeprefix("<").partition(">")[0]
            yield answer[member]

    def commit(self, files: Mapping[str, Any], message: str = "Change configuration", **more: Any) -> str:
        """Commit, and wait until that is live."""
        sha = self.repo.commit(files, message, **more)
        self.daemon.await_live(sha)
        return sha


def example_files() -> dict[str, str | None]:
    """The example repository's files by path."""
    root = find_example_repository()
    return {
        file.relative_to(root).as_posix(): file.read_text(encoding="utf-8")
        for file in sorted(root.rglob("*.*"))
        if file.is_file()
    }


def begun(repo: GitRepo) -> GitRepo:
    """A history of some commits: a merge, an invalid one, one that touches many, a removal and a return."""
    files = example_files()
    repo.commit(files, "Begin")
    user, instance = "users/fx-majors-01.yaml", "instances/lab-wine-01.yaml"
    changed = {path: text.replace("commission: ", "commission: 0", 1) for path, text in files.items() if text}
    repo.commit({path: changed[path] for path in files if path.startswith("accounts/")}, "Touch many")
    base = repo.commit({user: str(files[user]).replace("0.75", "0.5")}, "Less risk")
    side = repo.commit({"README.md": "side"}, "Aside", parents=[base], branch="side")
    repo.commit({"docs.md": "x"}, "Aside again", parents=[side], branch="side")
    repo.merge("side")
    repo.commit({instance: "kind: [", "README.md": "slip"}, "A slip")
    repo.commit({instance: files[instance], user: str(files[user]).replace("0.75", "0.6")}, "Mend it")
    return repo
