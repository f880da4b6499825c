"""The comments on a pull request, through GitHub's REST API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler_ci.comments import Comment
from reconciler_ci.errors import Refused
from reconciler_ci.http import Api

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JOBS_OWN = "github-actions[bot]"
"""Whom a job's own token writes as."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """The pull request `number` of `repository` (`owner/name`)."""

    api: Api
    graphql: Api
    repository: str
    number: int

    @classmethod
    def of(cls, environ: Mapping[str, str], token: str, number: int) -> PullRequest:
        """With the addresses that the runner names."""
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        rest = environ.get("GITHUB_API_URL", "https://api.github.com").rstrip("/")
        graphql = environ.get("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql")
        return cls(Api(rest, headers), Api(graphql, headers), environ["GITHUB_REPOSITORY"], number)

    def comments(self) -> Iterator[Comment]:
        """All comments, oldest first; own are those of the token's account."""
        own = self._account()
        for told in self.api.pages(f"/repos/{self.repository}/issues/{self.number}/comments"):
            yield Comment(told["id"], told["body"] or "", (told["user"] or {}).get("login") == own)

    def add(self, body: str) -> None:
        """Write a comment."""
        self.api.call("POST", f"/repos/{self.repository}/issues/{self.number}/comments", {"body": body})

    def replace(self, comment: Comment, body: str) -> None:
        """Write another text over a comment."""
        self.api.call("PATCH", f"/repos/{self.repository}/issues/comments/{comment.key}", {"body": body})

    def _account(self) -> str:
        """`GET /user` is closed to the tokens of apps, of which a job's is one; this way is open to all."""
        try:
            told = self.graphql.call("POST", "", {"query": "query { viewer { login } }"})
        except Refused:
            return JOBS_OWN
        viewer = ((told or {}).get("data") or {}).get("viewer") or {}
        return str(viewer.get("login") or JOBS_OWN)
