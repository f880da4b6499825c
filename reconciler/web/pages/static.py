"""Style, script and icon: a few files, read once, each at an address with its digest, so that it may be kept."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
DIGITS = 12


class File(NamedTuple):
    """A file as it is sent."""

    name: str
    body: bytes
    media_type: str
    digest: str


@lru_cache(maxsize=1)
def files() -> dict[str, File]:
    """All of them, by name."""
    found = sorted(file for file in FOLDER.iterdir() if file.suffix in TYPES)
    return {file.name: _read(file) for file in found}


def address(name: str) -> str:
    """Where a file is: another place for another content."""
    return f"/static/{name}?{files()[name].digest}"


def _read(file: Path) -> File:
    body = file.read_bytes()
    return File(file.name, body, TYPES[file.suffix], hashlib.sha256(body).hexdigest()[:DIGITS])
