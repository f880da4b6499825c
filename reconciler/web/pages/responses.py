"""Pages, as HTML and as JSON, as responses: nothing of other sites runs, reads or frames them."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.datastructures import Headers
from starlette.responses import Response

from reconciler.web.http import has_tag, if_none_match, tag_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from starlette.requests import Request
    from starlette.types import Scope


HTML, JSON = "text/html; charset=utf-8", "application/json"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
SAFE = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
ASK_ANEW = {"cache-control": "no-cache", "vary": "accept"}
YEAR = "max-age=31536000, immutable"


def html_response(text: str, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """A page."""
    return Response(text.encode("utf-8", "replace"), status, {**SAFE, **ASK_ANEW, **(headers or {})}, HTML)


def json_page(answer: Mapping[str, Any], status: int = HTTPStatus.OK) -> Response:
    """What a page is made from."""
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(text.encode("utf-8", "replace"), status, {**SAFE, **ASK_ANEW}, JSON)


def conditional(response: Response, request: Request) -> Response:
    """The response with its ETag; or 304 for a client that has it."""
    tag = tag_text(bytes(response.body))
    if has_tag(if_none_match(request), tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**SAFE, **ASK_ANEW, "etag": tag})
    response.headers["etag"] = tag
    return response


def static_response(file: StaticFile, digest: str) -> Response:
    """A file. Only at the address with its digest may it be kept without asking."""
    keep = {"cache-control": YEAR} if digest == file.digest else ASK_ANEW
    return Response(file.body, headers={**SAFE, **keep}, media_type=file.media_type)


FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
DIGITS = 12


class StaticFile(NamedTuple):
    """A file as it is sent."""

    name: str
    body: bytes
    media_type: str
    digest: str


@lru_cache(maxsize=1)
def load_static_files() -> dict[str, StaticFile]:
    """All of them, by name."""
    return {file.name: _read(file) for file in sorted(FOLDER.iterdir()) if file.suffix in TYPES}


def static_address(name: str) -> str:
    """Where a file is: another place for another content."""
    return f"/static/{name}?{load_static_files()[name].digest}"


def _read(file: Path) -> StaticFile:
    body = file.read_bytes()
    return StaticFile(file.name, body, TYPES[file.suffix], hashlib.sha256(body).hexdigest()[:DIGITS])


BARE = ("/v1/", "/webhooks/", "/healthz", "/readyz", "/metrics")
"""Addresses of programs: whoever asks there is answered in JSON."""
JSON_SUFFIX = b".json"


def wants_page(scope: Scope) -> bool:
    """Whether a person asked for a page with a browser, and not a program for an address of the API."""
    path: str = scope["path"]
    accepted = Headers(scope=scope).get("accept", "")
    return "text/html" in accepted and not path.startswith(BARE) and not is_json_page(scope)


def is_json_page(scope: Scope) -> bool:
    """Whether a page's JSON is asked for. A name that ends so is written with `%2E` in an address."""
    return bytes(scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].endswith(JSON_SUFFIX)
