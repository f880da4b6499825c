"""A ClickHouse HTTP interface in front of chDB, enough for clickhouse-connect, with faults to switch on.

A process of its own, as an engine belongs to one process: `python -m tests.support.chfront --path DIR` prints its
port; tests start it with `tests.support.fronts.running`. `--user` and `--password` make it ask for them.
`POST /fault?mode=MODE&times=N&match=TEXT` makes the next N requests whose statement contains TEXT go wrong:
`refuse` (HTTP 500), `code-202` (ClickHouse's error of that number), `hang` (executes nothing, answers nothing for a
minute), `lose` (executes, then closes without an answer), `cut` (closes in the middle of it).
`POST /inserts` answers with the tables of all inserts since it was asked last, a line for each.
`GET /statements` tells what was asked since the last time, a JSON list.
chDB has no clusters and no Keeper. So the front says that `desk` is a cluster of one shard and `spread` one of two,
takes `ON CLUSTER` and `Replicated` out of what it passes on, and keeps in mind which tables would be replicated.
Protocol: https://clickhouse.com/docs/interfaces/http.
"""

from __future__ import annotations

import argparse
import base64
import email
import gzip
import importlib
import json
import re
import socket
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import chdb

NOT_SETTINGS = {"query", "database", "query_id", "wait_end_of_query", "client_protocol_version", "role", "session_id"}
TRANSPORT = {"enable_http_compression", "send_progress_in_http_headers", "http_headers_progress_interval_ms"}
INLINE_INSERT = re.compile(rb"\s*(INSERT\s+INTO\s.*?)\s+FORMAT\s+(\w+)\s(.*)", re.IGNORECASE | re.DOTALL)
INSERTED = re.compile(rb"\s*INSERT INTO [^(]*?([A-Za-z_]+)`?\s*\(")
HANG_SECONDS = 60
MAX_TOLD = 2_000
REPLICATED = re.compile(rb"CREATE TABLE IF NOT EXISTS (`[^`]+`\.`[^`]+`) .*ENGINE = Replicated", re.DOTALL)
CLUSTERS = b"FROM (SELECT * FROM values('cluster String, shard_num UInt32', ('desk', 1), ('spread', 1), ('spread', 2)))"
CONNECT: Any = chdb.connect
LZ4: Any = importlib.import_module("lz4.frame")  # has no types


@dataclass
class Fault:
    """What goes wrong next, and how often."""

    mode: str = ""
    times: int = 0
    match: bytes = b""

    def strikes(self, statement: bytes) -> str:
        """The mode when this statement is hit, which counts; else the empty string."""
        if self.times <= 0 or self.match not in statement:
            return ""
        self.times -= 1
        return self.mode


@dataclass
class Replicas:
    """The tables that would be replicated, as they are quoted."""

    tables: set[str] = field(default_factory=set)

    def on_one_server(self, statement: bytes) -> bytes:
        """What chDB is asked in place of a statement for a cluster."""
        statement = re.sub(rb" ON CLUSTER `\w+`", b"", statement)
        if created := REPLICATED.match(statement):
            self.tables.add(created[1].decode())
            statement = statement.replace(b"ENGINE = Replicated", b"ENGINE = ")
        if b"startsWith(engine, 'Replacing')" in statement:
            names = ", ".join(f"'{table}'" for table in ("", *self.tables))
            others = f" AND concat('`', database, '`.`', name, '`') NOT IN ({names})".encode()
            statement = statement.replace(
                b"startsWith(engine, 'Replacing')", b"startsWith(engine, 'Replacing')" + others
            )
        return statement.replace(b"FROM system.clusters", CLUSTERS)


class Front(ThreadingHTTPServer):
    """The server: one engine, one chDB handle per request, so that settings stay with it."""

    daemon_threads = True

    def __init__(self, path: str, login: str, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.path = path
        self.keeper = CONNECT(path)  # keeps the engine up between requests
        self.login = login
        self.fault = Fault()
        self.closing = threading.Event()
        self.inserts: list[str] = []
        self.statements: list[str] = []
        self.replicas = Replicas()

    def execute(self, statement: bytes, params: dict[str, str]) -> bytes:
        """Run a statement with its bound parameters and settings, in the database it names."""
        bound = {name.removeprefix("param_"): text for name, text in params.items() if name.startswith("param_")}
        handle = CONNECT(self.path)
        try:
            if params.get("database"):
                handle.query(f"USE `{params['database']}`")
            for name, text in params.items():
                if name not in NOT_SETTINGS | TRANSPORT and not name.startswith("param_"):
                    handle.query(f"SET {name} = '{text}'")
            inline = INLINE_INSERT.fullmatch(statement)
            if inserted := INSERTED.match(statement):
                self.inserts.append(inserted[1].decode())
            if inline is None:
                return bytes(handle.query(statement.decode(), "TabSeparated", params=bound).bytes() or b"")
            with tempfile.NamedTemporaryFile() as file:
                file.write(inline[3])
                file.flush()
                handle.query(f"{inline[1].decode()} FROM INFILE '{file.name}' FORMAT {inline[2].decode()}")
            return b""
        finally:
            handle.close()


class Handler(BaseHTTPRequestHandler):
    """One request: a statement in the body, in `query`, or in both."""

    server: Front
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body waits 40 ms for the client to acknowledge the headers

    def do_POST(self) -> None:
        """Execute, or switch a fault on."""
        url = urlsplit(self.path)
        params = dict(parse_qsl(url.query, keep_blank_values=True))
        body = self._body()
        if url.path == "/fault":
            self.server.fault = Fault(params["mode"], int(params["times"]), params.get("match", "").encode())
            return self._answer(200, b"")
        if url.path == "/inserts":
            told, self.server.inserts = self.server.inserts, []
            return self._answer(200, "\n".join(told).encode())
        if self.server.login and self.headers.get("Authorization", "") != self.server.login:
            return self._answer(403, b"Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)", 516)
        params, statement = self._statement(params, body)
        self.server.statements.append(statement[:MAX_TOLD].decode("utf-8", "replace"))
        fault = self.server.fault.strikes(statement)
        return self._run(fault, self.server.replicas.on_one_server(statement), params)

    def do_GET(self) -> None:
        """What was asked since the last time."""
        told, self.server.statements = self.server.statements, []
        self._answer(200, json.dumps(told).encode())

    def _run(self, fault: str, statement: bytes, params: dict[str, str]) -> None:
        if fault == "refuse":
            return self._answer(500, b"something broke")
        if fault.startswith("code-"):
            return self._answer(500, f"Code: {fault[5:]}. DB::Exception: as the test wants it".encode(), int(fault[5:]))
        if fault == "hang":
            self.server.closing.wait(HANG_SECONDS)
            return self._hang_up()
        try:
            answer = self.server.execute(statement, params)
        except Exception as error:  # noqa: BLE001 - whatever the engine says is what the client has to see
            return self._answer(500, str(error).encode(), int((re.findall(r"Code: (\d+)", str(error)) or [0])[0]))
        if fault == "lose":
            return self._hang_up()
        self._answer(200, answer, shown=len(answer) // 2 if fault == "cut" else None)
        return self._hang_up() if fault == "cut" else None

    def _statement(self, params: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):  # how the client sends parameters too long for a URL
            message: Any = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
            for part in message.get_payload():
                name = part.get_param("name", header="content-disposition")
                params[name] = part.get_payload(decode=True).decode()
            body = b""
        return params, b"\n".join(text for text in (params.get("query", "").encode(), body) if text)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(chunks)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        encoding = self.headers.get("Content-Encoding", "")
        if encoding == "lz4":
            return bytes(LZ4.decompress(body))
        return gzip.decompress(body) if encoding == "gzip" else body

    def _answer(self, status: int, body: bytes, code: int = 0, shown: int | None = None) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.send_header("X-ClickHouse-Summary", "{}")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:shown])

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Say nothing: tests read what the client says."""


def main() -> None:
    """Serve until killed; the first line printed is the port."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", required=True)
    parser.add_argument("--port", default=0, type=int)
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    options = parser.parse_args()
    login = base64.b64encode(f"{options.user}:{options.password}".encode()).decode()
    front = Front(options.path, f"Basic {login}" if options.user else "", options.port)
    sys.stdout.write(f"{front.server_address[1]}\n")
    sys.stdout.flush()
    front.serve_forever()


if __name__ == "__main__":
    main()
