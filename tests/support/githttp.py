"""A git server over HTTP on the loopback: git's own `http-backend` behind Python's http.server, with Basic auth.

with serving(folder) as server:             # every repository in the folder
    mirror = Mirror(f"{server.url}/config.git", …)
    server.status = 503                     # from now on it answers nothing else
    server.login, server.password = "ann", "s3cret"
    server.silent.set()                     # it takes requests, and never answers
    server.blank.set()                      # it answers 200 and nothing
"""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tests.support.gitrepo import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class GitServer(ThreadingHTTPServer):
    """What it serves and how it behaves; `requests` are the paths that were asked for, `seen` the credentials."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.login = self.password = ""
        self.status = 200
        self.location = ""
        self.patience = 30.0
        """Seconds until a request that it never answers is given up."""
        self.silent, self.over, self.blank = threading.Event(), threading.Event(), threading.Event()
        self.requests: list[str] = []
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: GitServer

    def do_GET(self) -> None:
        """Everything is git's business."""
        server = self.server
        server.requests.append(self.path)
        if server.silent.is_set():
            server.over.wait(server.patience)
            return
        if server.blank.is_set():
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif server.location:
            self.send_response(301)
            self.send_header("Location", server.location + self.path)
            self.end_headers()
        elif server.status != 200:
            self.send_error(server.status)
        elif server.login and not self._is_let_in():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._backend()

    def do_POST(self) -> None:
        """The same."""
        self.do_GET()

    def _is_let_in(self) -> bool:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        said = base64.b64decode(given).decode() if scheme == "Basic" else ""
        self.server.seen.append(said)
        return said == f"{self.server.login}:{self.server.password}"

    def _backend(self) -> None:
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.server.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = subprocess.run(
            ["git", "http-backend"], input=body, capture_output=True, check=False, env={**environment(), **variables}
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silence."""


@contextlib.contextmanager
def serving(root: Path) -> Iterator[GitServer]:
    """A server for the repositories in a folder, until the end of the block."""
    assert os.access(root, os.R_OK)
    with GitServer(root) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="git-http")
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
