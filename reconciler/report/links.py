"""Links to lines of a commit on its forge. Where nothing tells the address of the repository there are none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

ADDRESS = re.compile(r"https?://[A-Za-z0-9\[][A-Za-z0-9.:%/_~+@\[\]-]*", re.ASCII)
"""What may become a link. It has nothing in it that would end one in Markdown."""
SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
MIN_SHORT = 7
"""Characters from which on a part of an address may be an abbreviated sha."""
MAX_ADDRESS = 1_000


class Links(Struct, frozen=True):
    """`base` is the address below which the files of the commit are; empty for none.

    Of a change, `before` is that of the commit it starts from: there are the files that are `gone`.
    """

    base: str = ""
    before: str = ""
    gone: frozenset[str] = frozenset()

    def to_line(self, path: str, line: int) -> str:
        """The address of a line; empty without a base, and where it is too long for a comment."""
        return self.to_old_line(path, line) if path in self.gone else _address(self.base, path, line)

    def to_old_line(self, path: str, line: int) -> str:
        """The address of a line as it was before the change."""
        return _address(self.before, path, line)

    def since(self, before: str | None, head: str, gone: Collection[str]) -> Links:
        """The links of a change from one commit to another.

        Its old lines have none where no part of the address is the sha of a commit: nothing may lead nowhere.
        """
        parts = self.base.split("/")
        named = [at for at, part in enumerate(parts) if SHA.fullmatch(part) or _is_short(part, head)]
        if before is None or len(named) != 1:
            return Links(self.base, "", frozenset(gone))
        parts[named[0]] = before
        return Links(self.base, "/".join(parts), frozenset(gone))


def _is_short(part: str, sha: str) -> bool:
    return len(part) >= MIN_SHORT and sha.startswith(part)


def _address(base: str, path: str, line: int) -> str:
    address = f"{base}/{quote(path, errors='replace')}#L{line}" if base else ""
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
