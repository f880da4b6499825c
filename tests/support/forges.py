"""GitHub, GitLab and Gitea as far as a host tells them of commits: paths, tokens and answers as documented.

docs.github.com/rest (statuses, pull requests of a commit, issue comments), docs.gitlab.com/api (commits, notes), and
Gitea's OpenAPI document.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.receivers import Answer, Sent

TOKEN = "hunter2-forge-token"
NUMBER = 7
BASES = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
TOKENS = {"github": ("authorization", "Bearer "), "gitlab": ("private-token", ""), "gitea": ("authorization", "token ")}
ROUTES = {
    "github": {
        "status": r"POST /repos/desk/config/statuses/(\w{40})",
        "request": r"GET /repos/desk/config/commits/(\w{40})/pulls",
        "comments": r"GET /repos/desk/config/issues/7/comments",
        "add": r"POST /repos/desk/config/issues/7/comments",
        "update": r"PATCH /repos/desk/config/issues/comments/(\d+)",
        "delete": r"DELETE /repos/desk/config/issues/comments/(\d+)",
        "repository": r"GET /repos/desk/config",
    },
    "gitlab": {
        "status": r"POST /projects/desk%2Fconfig/statuses/(\w{40})",
        "request": r"GET /projects/desk%2Fconfig/repository/commits/(\w{40})/merge_requests",
        "comments": r"GET /projects/desk%2Fconfig/merge_requests/7/notes",
        "add": r"POST /projects/desk%2Fconfig/merge_requests/7/notes",
        "update": r"PUT /projects/desk%2Fconfig/merge_requests/7/notes/(\d+)",
        "delete": r"DELETE /projects/desk%2Fconfig/merge_requests/7/notes/(\d+)",
        "account": r"GET /user",
        "repository": r"GET /projects/desk%2Fconfig",
    },
}
ROUTES["gitea"] = {
    **ROUTES["github"],
    "request": r"GET /repos/desk/config/commits/(\w{40})/pull",
    "account": r"GET /user",
}


@dataclass
class Forge:
    """One of them. Commits in `merged` came with request 7, the others with none; `failures` are given once each.

    `on_comment` is called before a comment is written or changed, as another host would come in between.
    """

    kind: str
    account: str = "deploy-bot"
    merged: set[str] = field(default_factory=set)
    target: str = "main"
    statuses: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    bodies: dict[int, tuple[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    failures: dict[str, tuple[int, Any]] = field(default_factory=dict)
    on_comment: Callable[[], None] = lambda: None

    def write(self, body: str, login: str | None = None) -> int:
        key = 1001 + len(self.bodies)
        self.bodies[key] = (login or self.account, body)
        return key

    def answer(self, sent: Sent) -> Answer:
        status, told = self._answer(sent)
        return status, {"Content-Type": "application/json"}, b"" if told is None else json.dumps(told).encode()

    def _answer(self, sent: Sent) -> tuple[int, Any]:
        header, prefix = TOKENS[self.kind]
        if sent.headers.get(header) != prefix + TOKEN:
            return 401, {"message": "Bad credentials"}
        url = urlsplit(sent.path)
        if self.kind == "github" and url.path == "/api/graphql":
            return self.failures.pop("graphql", None) or (200, {"data": {"viewer": {"login": self.account}}})
        path = f"{sent.method} {url.path.removeprefix(BASES[self.kind])}"
        for name, route in ROUTES[self.kind].items():
            if matched := re.fullmatch(route, path):
                self.asked.append(name)
                if name in self.failures:
                    return self.failures.pop(name)
                page = int(parse_qs(url.query).get("page", ["1"])[0])
                return getattr(self, f"_{name}")(sent.json if sent.body else None, page, *matched.groups())
        return 404, {"message": f"no such address: {path}"}

    def _status(self, body: Any, page: int, sha: str) -> tuple[int, Any]:
        self.statuses.append((sha, body))
        return 201, body

    def _request(self, body: Any, page: int, sha: str) -> tuple[int, Any]:
        there = sha in self.merged
        if self.kind == "gitea":
            return (
                (200, {"number": NUMBER, "merged": True, "base": {"ref": self.target}})
                if there
                else (404, {"message": "no"})
            )
        if self.kind == "gitlab":
            found = {"iid": NUMBER, "state": "merged", "target_branch": self.target}
            return 200, [{**found, "iid": 3, "state": "opened"}, *([found] if there else [])]
        found = {"number": NUMBER, "merged_at": "2026-11-23T08:00:00Z", "base": {"ref": self.target}}
        return 200, [{**found, "number": 3, "merged_at": None}, *([found] if there else [])]

    def _comments(self, body: Any, page: int) -> tuple[int, Any]:
        def one(key: int, login: str, text: str) -> dict[str, Any]:
            person = {"id": f"id-{login}", "login": login}
            return {"id": key, "body": text, "user": person, "author": person}

        listed = [one(key, login, text) for key, (login, text) in sorted(self.bodies.items())]
        return 200, listed if self.kind == "gitea" else listed[100 * (page - 1) : 100 * page]

    def _add(self, body: Any, page: int) -> tuple[int, Any]:
        self._before()
        return 201, {"id": self.write(body["body"])}

    def _update(self, body: Any, page: int, key: str) -> tuple[int, Any]:
        self._before()
        self.bodies[int(key)] = (self.bodies[int(key)][0], body["body"])
        return 200, {}

    def _delete(self, body: Any, page: int, key: str) -> tuple[int, Any]:
        del self.bodies[int(key)]
        return 204, None

    def _account(self, body: Any, page: int) -> tuple[int, Any]:
        return 200, {"id": f"id-{self.account}", "login": self.account}

    def _repository(self, body: Any, page: int) -> tuple[int, Any]:
        return 200, {"full_name": "desk/config"}

    def _before(self) -> None:
        before, self.on_comment = self.on_comment, lambda: None
        before()
