"""GitHub's and GitLab's APIs as far as a plan's comment needs them, over real HTTP on loopback.

Only the other end is played: what is sent, in which order and with which token is for real. Sources: the REST
references of docs.github.com (issue comments) and docs.gitlab.com (notes, merge request level).
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "token-that-nobody-may-see"
BOT = "github-actions[bot]"
LONGEST = 65_536
PAGE_LIMIT = 100


@dataclass
class Forge:
    """The platform: its comments, what was asked of it, and how it misbehaves.

    `failures` are (status, headers) given instead of the next answers; `lost_answers` counts writes that come through
    and are answered with 502 all the same.
    """

    address: str = ""
    account: str = BOT
    read_only: bool = False
    graphql_works: bool = True
    comments: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    lost_answers: int = 0

    @property
    def environment(self) -> dict[str, str]:
        """What a runner of GitHub Actions tells a job about it."""
        return {
            "GITHUB_API_URL": f"{self.address}/api/v3",
            "GITHUB_GRAPHQL_URL": f"{self.address}/api/graphql",
            "GITHUB_REPOSITORY": "desk/config",
        }

    def write(self, body: str, login: str | None = None) -> None:
        """Somebody comments."""
        author = login or self.account
        key = 1001 + len(self.comments)
        known = {"id": len(author), "login": author, "username": author}
        self.comments.append({"id": key, "body": body, "user": known, "author": known})

    def bodies(self, login: str | None = None) -> list[str]:
        """What somebody's comments say."""
        return [one["body"] for one in self.comments if one["user"]["login"] == (login or self.account)]

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON."""
        url = urlsplit(target)
        self.asked.append(f"{method} {url.path}{'?' if url.query else ''}{url.query}")
        if self.failures:
            status, headers = self.failures.pop(0)
            return status, headers, {"message": "not now"}
        if token != TOKEN:
            return 401, {}, {"message": "Bad credentials"}
        if url.path == "/api/graphql":
            data = {"data": {"viewer": {"login": self.account}}} if self.graphql_works else {"errors": [{}]}
            return 200, {}, data
        if url.path.endswith("/user"):
            return 200, {}, {"id": len(self.account), "username": self.account}
        return self._comments(method, url.path, parse_qs(url.query), body)

    def _comments(
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, dict[str, str], Any]:
        listing = path in {
            "/api/v3/repos/desk/config/issues/7/comments",
            "/api/v4/projects/42/merge_requests/7/notes",
        }
        one = re.fullmatch(
            r"/api/v3/repos/desk/config/issues/comments/(\d+)|/api/v4/projects/42/merge_requests/7/notes/(\d+)", path
        )
        if method == "GET" and listing:
            size, page = min(int(query["per_page"][0]), PAGE_LIMIT), int(query["page"][0])
            return 200, {}, self.comments[size * (page - 1) : size * page]
        if self.read_only:
            return 403, {}, {"message": "Resource not accessible by integration"}
        if len(body["body"]) > LONGEST:
            return 422, {}, {"message": "body is too long"}
        if method == "POST" and listing:
            self.write(body["body"])
        elif one and method == ("PATCH" if one[1] else "PUT"):
            next(c for c in self.comments if str(c["id"]) == (one[1] or one[2]))["body"] = body["body"]
        else:
            return 404, {}, {"message": "Not Found"}
        if self.lost_answers:
            self.lost_answers -= 1
            return 502, {}, {"message": "Bad Gateway"}
        return 201, {}, {}


@contextmanager
def running() -> Iterator[Forge]:
    """A platform that listens on loopback."""
    forge = Forge()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
            token = self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get("private-token")
            status, headers, told = forge.answer(self.command, self.path, token or "", json.loads(data or b"null"))
            answer = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def do_GET(self) -> None:
            self.do_POST()

        def do_PATCH(self) -> None:
            self.do_POST()

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    forge.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield forge
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
