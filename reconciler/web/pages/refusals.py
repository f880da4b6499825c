"""Errors for people: in the dress of the pages where a browser asked for one, else the one error body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from reconciler.web import answers
from reconciler.web.pages import rendering, responses

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from starlette.responses import Response
    from starlette.types import Scope

    from reconciler.web.answers import HttpError

BARE = ("/v1/", "/webhooks/", "/healthz", "/readyz", "/metrics")
"""Addresses of programs: whoever asks there is answered in JSON."""
TWIN = b".json"


def refusal(error: HttpError, scope: Scope) -> Response:
    """An error as an answer to a request."""
    return page(error, {"host": None}) if wants_page(scope) else answers.refusal(error)


def page(error: HttpError, answer: Mapping[str, Any]) -> Response:
    """An error as a page; `answer` has the heading, if this client may see it."""
    told = {"status": error.status, "code": error.code, "message": str(error), "hint": error.hint}
    text = (rendering.page if answer["host"] else rendering.bare)("error", {**answer, "error": told})
    return responses.html(text, error.status, error.headers)


def wants_page(scope: Scope) -> bool:
    """Whether a person asked for a page with a browser, and not a program for an address of the API."""
    path: str = scope["path"]
    accepted = Headers(scope=scope).get("accept", "")
    return "text/html" in accepted and not path.startswith(BARE) and not is_twin(scope)


def is_twin(scope: Scope) -> bool:
    """Whether a page's JSON is asked for. A name that ends so is written with `%2E` in an address."""
    return bytes(scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0].endswith(TWIN)
