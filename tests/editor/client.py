"""An editor, as far as yaml-language-server can tell: the Language Server Protocol (3.17) over its pipes.

Sources: https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/ (base protocol,
workspace/configuration), and the README of yaml-language-server for its settings.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.support.patience import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

SETTINGS = {
    "validate": True,
    "hover": True,
    "completion": True,
    "schemaStore": {"enable": False},  # it would be fetched from the network
}
CAPABILITIES = {
    "workspace": {"configuration": True, "workspaceFolders": True},
    "textDocument": {"hover": {"contentFormat": ["markdown"]}, "publishDiagnostics": {}},
}


class Editor:
    """One running server with a folder open. Everything is asked in turn, so no thread is needed."""

    def __init__(self, server: Path, folder: Path, errors: Path) -> None:
        self._folder = folder
        self._asked = self._opened = 0
        self._errors = errors.open("wb")
        self._process = subprocess.Popen(
            ("node", server, "--stdio"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=folder,
        )

    def __enter__(self) -> Self:
        opened = {"uri": self._folder.as_uri(), "name": self._folder.name}
        self._ask(
            "initialize",
            {
                "processId": None,
                "rootUri": opened["uri"],
                "workspaceFolders": [opened],
                "capabilities": CAPABILITIES,
            },
        )
        self._send(method="initialized", params={})
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._ask("shutdown", None)
            self._send(method="exit")
            self._process.wait(DEADLINE)
        finally:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._errors):
                if pipe is not None:
                    pipe.close()

    def open(self, folder: Path, text: str) -> tuple[Path, list[dict[str, Any]]]:
        """Open a new file in a folder, which need not be on disk; its path, and its diagnostics in order."""
        self._opened += 1
        file = folder / f"opened-{self._opened}.yaml"
        document = {"uri": file.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self._send(method="textDocument/didOpen", params={"textDocument": document})
        told = self._until(
            lambda message: (
                message.get("method") == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == document["uri"]
            )
        )
        found: list[dict[str, Any]] = told["params"]["diagnostics"]
        return file, sorted(found, key=lambda one: (one["range"]["start"]["line"], one["range"]["start"]["character"]))

    def hover(self, file: Path, line: int, character: int) -> str:
        """The text that shows when the mouse rests at a place (both from 0)."""
        shown = self._at("textDocument/hover", file, line, character)
        return str(shown["contents"]["value"]) if shown else ""

    def completions(self, file: Path, line: int, character: int) -> dict[str, str]:
        """What can be written at a place, and what is said about it."""
        found = self._at("textDocument/completion", file, line, character)
        items = found["items"] if isinstance(found, dict) else found
        return {item["label"]: _plain(item.get("documentation", "")) for item in items}

    def _at(self, method: str, file: Path, line: int, character: int) -> Any:
        place = {"textDocument": {"uri": file.as_uri()}, "position": {"line": line, "character": character}}
        return self._ask(method, place)

    def _ask(self, method: str, params: Any) -> Any:
        self._asked += 1
        number = self._asked
        self._send(id=number, method=method, params=params)
        answer = self._until(lambda message: message.get("id") == number and "method" not in message)
        assert "error" not in answer, answer
        return answer["result"]

    def _until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read messages up to a wanted one; what the server asks in between is answered."""
        while True:
            message = self._receive()
            if "method" in message and "id" in message:
                self._send(id=message["id"], result=_answer(message))
            if wanted(message):
                return message

    def _send(self, **message: Any) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, f"the language server ended: see {self._errors.name}"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message


def _answer(request: dict[str, Any]) -> Any:
    if request["method"] != "workspace/configuration":
        return None
    return [SETTINGS if item.get("section") == "yaml" else None for item in request["params"]["items"]]


def _plain(documentation: Any) -> str:
    return str(documentation["value"] if isinstance(documentation, dict) else documentation)
