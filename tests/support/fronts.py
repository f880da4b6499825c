"""ClickHouse HTTP fronts (`chfront`) as tests see them: started, misbehaving on demand, stopped."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class RunningFront:
    """A front in its own process, as tests talk to it."""

    port: int
    process: subprocess.Popen[str]

    def url(self, database: str, login: str = "") -> str:
        """What history.url would be."""
        return f"clickhouse://{login}127.0.0.1:{self.port}/{database}"

    def fault(self, mode: str, *, times: int = 1, match: str = "") -> None:
        """Make the next requests whose statement contains `match` go wrong; no times ends it."""
        self._post(f"/fault?{urlencode({'mode': mode, 'times': times, 'match': match})}")

    def statements(self) -> list[str]:
        """What it was asked since the last time, each from its beginning."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request("GET", "/statements")
            statements: list[str] = json.load(connection.getresponse())
            return statements

    def drop(self, database: str) -> None:
        """Drop a database: each that is left makes the engine slower, also when nobody asks it."""
        self._post("/", f"DROP DATABASE IF EXISTS `{database}` SYNC".encode())

    def inserts(self) -> list[str]:
        """The tables of all inserts since this was asked last."""
        return self._post("/inserts").decode().split()

    def _post(self, path: str, body: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, body)
            response = connection.getresponse()
            assert response.status == 200
            return response.read()
        finally:
            connection.close()


@contextmanager
def running(path: Path, *, user: str = "", password: str = "", port: int = 0) -> Iterator[RunningFront]:
    """Start a front on a chDB folder and stop it at the end; without a port it takes one that is free."""
    command = [
        sys.executable,
        "-m",
        "tests.support.chfront",
        "--path",
        str(path),
        "--port",
        str(port),
        "--user",
        user,
        "--password",
        password,
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield RunningFront(int(process.stdout.readline()), process)
        finally:
            process.kill()
