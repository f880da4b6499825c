"""Talking JSON to an HTTP API with a token, which goes to this one address and into no message."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from reconciler_ci.errors import CannotRun, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT = 20
"""Seconds."""
PAGE = 100
"""Items of a page: the most that GitHub and GitLab give."""
REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class _NoRedirects(HTTPRedirectHandler):
    """urllib would hand the token on to wherever a redirect points."""

    def redirect_request(self, *_: Any) -> None:
        """Not followed: it comes out as an error with its status."""


_OPENER = build_opener(_NoRedirects)


@dataclass(frozen=True, slots=True)
class Api:
    """An API at `address`; `headers` hold the token."""

    address: str
    headers: Mapping[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.address.startswith(("https://", "http://")):
            raise CannotRun(f"{self.address!r} is no address of an API")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request and the JSON that comes back. Raises `Refused` or `Unavailable`."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"User-Agent": "reconciler", "Content-Type": "application/json", **self.headers}
        request = Request(self.address + path, data, headers, method=method)  # noqa: S310  only http(s): see above
        try:
            with _OPENER.open(request, timeout=TIMEOUT) as response:
                return json.loads(response.read() or b"null")
        except HTTPError as error:
            with error:
                raise _understood(error, f"{method} {path.partition('?')[0]}") from error
        except (URLError, TimeoutError, ConnectionError, json.JSONDecodeError) as error:
            why = error.reason if isinstance(error, URLError) else error
            raise Unavailable(f"{method} {path.partition('?')[0]}: {why}") from error

    def pages(self, path: str) -> Iterator[Any]:
        """The items of a list, page by page. Raises `Refused` or `Unavailable`."""
        number, items = 0, [None] * PAGE
        while len(items) == PAGE:
            number += 1
            items = self.call("GET", f"{path}?per_page={PAGE}&page={number}")
            yield from items


def _understood(error: HTTPError, what: str) -> Exception:
    slow_down = "retry-after" in error.headers or error.headers.get("x-ratelimit-remaining") == "0"
    kind = Refused if error.code in REFUSALS and not slow_down else Unavailable
    return kind(f"{what}: {error.code} {error.reason}")
