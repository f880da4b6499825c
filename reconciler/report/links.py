"""Links to lines of a commit on its forge. Where nothing tells the address of the repository there are none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

ADDRESS = re.compile(r"https?://[A-Za-z0-9\[][A-Za-z0-9.:%/_~+@\[\]-]*", re.ASCII)
"""What may become a link. It has nothing in it that would end one in Markdown."""


MAX_ADDRESS = 1_000


class Links(Struct, frozen=True):
    """`base` is the address below which the files of the commit are; empty for none."""

    base: str = ""

    def to_line(self, path: str, line: int) -> str:
        """The address of a line; empty without a base, and where it is too long for a comment."""
        address = f"{self.base}/{quote(path, errors='replace')}#L{line}" if self.base else ""
        return address if len(address) <= MAX_ADDRESS else ""


NO_LINKS = Links()


def links_in(environment: Mapping[str, str], asked: str = "") -> Links:
    """The address that is asked for, else the one that the environment of a CI job tells.

    GitHub's variables are also Gitea's and Forgejo's, whose addresses differ.
    """
    sha = environment.get("GITHUB_SHA", "")
    repository = f"{environment.get('GITHUB_SERVER_URL', '')}/{environment.get('GITHUB_REPOSITORY', '')}"
    of_gitea = environment.get("GITEA_ACTIONS") or environment.get("FORGEJO_ACTIONS")
    found = ""
    if asked:
        found = asked.rstrip("/")
    elif sha:
        found = f"{repository}/{'src/commit' if of_gitea else 'blob'}/{sha}"
    elif environment.get("CI_PROJECT_URL") and environment.get("CI_COMMIT_SHA"):
        found = f"{environment['CI_PROJECT_URL']}/-/blob/{environment['CI_COMMIT_SHA']}"
    return Links(found if ADDRESS.fullmatch(found) else "")
