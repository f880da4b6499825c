"""Pages and their twins as responses: nothing of other sites runs, reads or frames them."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from reconciler.web.etags import held, of_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from reconciler.web.pages.static import File

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


def html(text: str, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """A page."""
    return Response(text.encode("utf-8", "replace"), status, {**SAFE, **ASK_ANEW, **(headers or {})}, HTML)


def twin(answer: Mapping[str, Any], status: int = HTTPStatus.OK) -> Response:
    """What a page is made from."""
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(text.encode("utf-8", "replace"), status, {**SAFE, **ASK_ANEW}, JSON)


def if_changed(response: Response, request: Request) -> Response:
    """The response with its ETag; or 304 for a client that has it."""
    tag = of_text(bytes(response.body))
    if held(request, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**SAFE, **ASK_ANEW, "etag": tag})
    response.headers["etag"] = tag
    return response


def static(file: File, asked: str) -> Response:
    """A file. Only at the address with its digest may it be kept without asking."""
    keep = {"cache-control": YEAR} if asked == file.digest else ASK_ANEW
    return Response(file.body, headers={**SAFE, **keep}, media_type=file.media_type)
